//! What the master tells, as the callbacks of the classic API.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use prost::Message;

use super::ending::Mode;
use super::{Callback, DEFAULT_HEARTBEAT, HEARTBEATS_MISSED, SchedulerSession};
use crate::Error;
use crate::proto::v1;
use crate::session::subscription::{State, Subscriber as _};
use crate::wire::duration::Period;
use crate::wire::scheduler::event::{Failure, Subscribed};
use crate::wire::scheduler::{Call, Envelope, Event, EventType, call};
use crate::wire::views::first;

impl SchedulerSession {
    pub(super) fn handle_event(&mut self, now: Instant, event: Event) {
        tracing::debug!("Received {:?}", event.kind());
        match event.kind() {
            EventType::Subscribed => self.on_subscribed(now, *event.subscribed.unwrap_or_default()),
            EventType::Heartbeat if self.delivers_heartbeats => self.deliver(Callback::Heartbeat),
            EventType::Heartbeat => {}
            EventType::Error => self.end_by_master(Error::refused(event.error.unwrap_or_default().message)),
            _ if !self.is_subscribed() => {
                tracing::warn!("Ignoring {:?} before SUBSCRIBED", event.kind())
            }
            EventType::Offers => self.on_offers(now, event.offers.unwrap_or_default().offers),
            EventType::Rescind => {
                let id = event.rescind.unwrap_or_default().inner;
                self.offers.remove(&id);
                self.deliver(Callback::OfferRescinded(id));
            }
            EventType::Update => {
                let status = event.update.unwrap_or_default().inner;
                self.deliver(Callback::StatusUpdate { status, acknowledge: self.implicit_acknowledgements });
            }
            EventType::Message => {
                let m = event.message.unwrap_or_default();
                self.deliver(Callback::FrameworkMessage {
                    executor_id: m.executor_id,
                    agent_id: m.agent_id,
                    data: m.data,
                });
            }
            EventType::Failure => self.on_failure(*event.failure.unwrap_or_default()),
            EventType::InverseOffers if self.delivers_all => {
                self.deliver(Callback::InverseOffers(event.inverse_offers.unwrap_or_default().offers));
            }
            EventType::RescindInverseOffer if self.delivers_all => {
                self.deliver(Callback::InverseOfferRescinded(event.rescind_inverse_offer.unwrap_or_default().inner));
            }
            EventType::UpdateOperationStatus if self.delivers_all => {
                self.deliver(Callback::OperationUpdate(event.update_operation_status.unwrap_or_default().inner));
            }
            EventType::Unknown
            | EventType::InverseOffers
            | EventType::RescindInverseOffer
            | EventType::UpdateOperationStatus => {
                // The classic driver has no callback for these (`src/sched/sched.cpp`).
                tracing::debug!("Ignoring {:?}: the classic API has no callback for it", event.kind());
            }
        }
    }

    fn on_subscribed(&mut self, now: Instant, subscribed: Subscribed) {
        let State::Subscribing { .. } = self.subscription.state() else {
            return tracing::warn!("Ignoring SUBSCRIBED on a stream that is subscribed already");
        };
        let Ok(id) = v1::FrameworkId::decode(subscribed.framework_id.clone()) else {
            return self.on_closed(now, "SUBSCRIBED holds no framework id");
        };
        tracing::info!("Framework registered with {}", id.value);
        self.framework.set_id(&id.value);
        let seconds = subscribed.heartbeat_interval_seconds.filter(|s| *s > 0.0);
        self.heartbeat = seconds.and_then(Period::from_seconds).unwrap_or(DEFAULT_HEARTBEAT);
        self.subscription.subscribed(now + self.heartbeat * HEARTBEATS_MISSED);
        self.masters.subscribed();
        if self.registers_anew(&subscribed.master_info) {
            self.deliver(Callback::Registered(subscribed));
        } else {
            self.deliver(Callback::Reregistered(subscribed));
        }
        self.after_subscribed();
    }

    /// Does what had to wait for SUBSCRIBED.
    fn after_subscribed(&mut self) {
        match self.mode {
            Mode::Running => {
                std::mem::take(&mut self.inquiries).into_iter().for_each(|envelope| self.transmit(envelope.call));
            }
            Mode::Aborted => self.suppress_all(),
            Mode::Stopping { failover, .. } => self.finish(failover),
            Mode::Stopped => {}
        }
    }

    pub(super) fn on_inquiries(&mut self, calls: Vec<Envelope>) {
        if self.mode == Mode::Running {
            self.inquiries.extend(calls);
        }
    }

    /// Whether this registration is a first one. libmesos calls `registered` again when another master was elected,
    /// which does not know the framework (MESOS-786), and frameworks live with that.
    fn registers_anew(&mut self, master_info: &Bytes) -> bool {
        let first = !std::mem::replace(&mut self.was_registered, true);
        let elected = std::mem::replace(&mut self.newly_detected, false);
        let master = v1::MasterInfo::decode(master_info.clone()).unwrap_or_default().id;
        let unknown = !master.is_empty() && self.registered_at.insert(master);
        first || (elected && unknown)
    }

    fn on_offers(&mut self, now: Instant, offers: Vec<Bytes>) {
        let ids = ids(&offers);
        if self.mode == Mode::Running {
            self.offers.offered(now, ids.into_iter());
            self.deliver(Callback::ResourceOffers(offers));
        } else if self.mode == Mode::Aborted {
            self.decline_all(ids);
        }
    }

    pub(super) fn decline_all(&mut self, offer_ids: Vec<Bytes>) {
        if !offer_ids.is_empty() {
            self.transmit(Call::Decline(call::Decline { offer_ids, filters: None }));
        }
    }

    fn on_failure(&mut self, failure: Failure) {
        match (failure.executor_id, failure.agent_id) {
            (Some(executor_id), agent_id) => self.deliver(Callback::ExecutorLost {
                executor_id,
                agent_id: agent_id.unwrap_or_default(),
                status: failure.status.unwrap_or(-1),
            }),
            (None, Some(agent_id)) => self.deliver(Callback::AgentLost(agent_id)),
            (None, None) => {
                tracing::warn!("Ignoring a FAILURE that names neither executor nor agent")
            }
        }
    }
}

/// The ids of offers. They share memory of their own, so that an id does not keep the event that it came in.
fn ids(offers: &[Bytes]) -> Vec<Bytes> {
    let ids = || offers.iter().filter_map(|offer| first(offer));
    let length = ids().fold(0, |sum: usize, id| sum.saturating_add(id.len()));
    let mut bytes = BytesMut::with_capacity(length);
    ids().for_each(|id| bytes.extend_from_slice(id));
    let mut bytes = bytes.freeze();
    ids().map(|id| bytes.split_to(id.len())).collect()
}
