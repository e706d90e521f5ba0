//! Inverse offers: frameworks are asked to leave agents that will be unavailable. Follows `Master::inverseOffer`,
//! `acceptInverseOffers` and `declineInverseOffers`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::Master;
use crate::local::world::time_info;
use crate::proto::v1;
use crate::proto::v1::allocator::InverseOfferStatus;
use crate::proto::v1::allocator::inverse_offer_status::Status;
use crate::proto::v1::scheduler::{Event, event};

/// An inverse offer that is not answered.
#[derive(Debug)]
struct Record {
    framework_id: String,
    agent_id: String,
    offer: v1::InverseOffer,
}

/// The inverse offers of a master, and what frameworks answered.
#[derive(Debug, Default)]
pub struct InverseOffers {
    outstanding: BTreeMap<String, Record>,
    /// The last answers, by agent and framework.
    statuses: BTreeMap<String, BTreeMap<String, InverseOfferStatus>>,
}

impl InverseOffers {
    /// What frameworks answered for these agents.
    pub fn statuses<'a>(&'a self, agent_ids: &'a BTreeSet<String>) -> impl Iterator<Item = &'a InverseOfferStatus> {
        agent_ids.iter().filter_map(|id| self.statuses.get(id)).flat_map(BTreeMap::values)
    }

    /// The inverse offers that a framework has not answered.
    pub fn of_framework(&self, framework_id: &str) -> Vec<v1::InverseOffer> {
        let own = self.outstanding.values().filter(|record| record.framework_id == framework_id);
        own.map(|record| record.offer.clone()).collect()
    }
}

impl Master {
    /// Asks frameworks, each for agents of which it holds something.
    pub(super) fn make_inverse_offers(&mut self, asked: Vec<(String, String)>) {
        let mut events: BTreeMap<String, Vec<v1::InverseOffer>> = BTreeMap::new();
        for (framework_id, agent_id) in asked {
            let Some(agent) = self.agents.get(&agent_id) else { continue };
            let Some(unavailability) = self.unavailability(&agent.info.hostname) else { continue };
            let url = Some(self.agent_url(agent));
            let id = self.new_offer_id();
            let offer = v1::InverseOffer {
                id: v1::OfferId { value: id.clone() },
                url,
                framework_id: v1::FrameworkId { value: framework_id.clone() },
                agent_id: Some(v1::AgentId { value: agent_id.clone() }),
                unavailability,
                resources: Vec::new(),
            };
            let record = Record { framework_id: framework_id.clone(), agent_id, offer: offer.clone() };
            self.inverse_offers.outstanding.insert(id, record);
            events.entry(framework_id).or_default().push(offer);
        }
        for (framework_id, inverse_offers) in events {
            let inverse_offers = Some(event::InverseOffers { inverse_offers });
            self.send(&framework_id, Event { inverse_offers, ..Event::of(event::Type::InverseOffers) });
        }
    }

    /// ACCEPT_INVERSE_OFFERS or DECLINE_INVERSE_OFFERS. Unknown ids are ignored.
    pub(super) fn answer_inverse_offers(
        &mut self,
        now: Instant,
        framework_id: &str,
        ids: &[v1::OfferId],
        status: Status,
        filters: Option<&v1::Filters>,
    ) {
        for id in ids {
            let own = self.inverse_offers.outstanding.get(&id.value).is_some_and(|o| o.framework_id == framework_id);
            let Some(record) = self.inverse_offers.outstanding.remove(&id.value).filter(|_| own) else {
                tracing::warn!("Ignoring an answer of {framework_id} to inverse offer {}: it is not valid", id.value);
                continue;
            };
            let status = InverseOfferStatus {
                status: status.into(),
                framework_id: v1::FrameworkId { value: framework_id.to_owned() },
                timestamp: time_info(self.world.timestamp(now)),
            };
            let of_agent = self.inverse_offers.statuses.entry(record.agent_id.clone()).or_default();
            of_agent.insert(framework_id.to_owned(), status);
            let seconds = filters.map(|filters| filters.refuse_seconds());
            // Without filters it is asked for again at the next batch.
            let seconds = Some(seconds.unwrap_or(0.0));
            self.allocator.answer_inverse_offer(now, framework_id, &record.agent_id, seconds);
        }
    }

    /// Takes back the inverse offers for an agent.
    pub(super) fn rescind_inverse_offers_of(&mut self, agent_id: &str) {
        for (id, record) in self.take_inverse_offers(|record| record.agent_id == agent_id) {
            let inverse_offer_id = v1::OfferId { value: id };
            let rescind_inverse_offer = Some(event::RescindInverseOffer { inverse_offer_id });
            let event = Event { rescind_inverse_offer, ..Event::of(event::Type::RescindInverseOffer) };
            self.send(&record.framework_id, event);
        }
    }

    /// Forgets the inverse offers of a framework that has left.
    pub(super) fn discard_inverse_offers(&mut self, framework_id: &str) {
        self.take_inverse_offers(|record| record.framework_id == framework_id);
    }

    /// Forgets what frameworks answered for an agent.
    pub(super) fn forget_inverse_offer_statuses(&mut self, agent_id: &str) {
        self.inverse_offers.statuses.remove(agent_id);
    }

    fn take_inverse_offers(&mut self, is_it: impl Fn(&Record) -> bool) -> Vec<(String, Record)> {
        let outstanding = std::mem::take(&mut self.inverse_offers.outstanding);
        let (taken, left): (BTreeMap<_, _>, _) = outstanding.into_iter().partition(|(_, record)| is_it(record));
        self.inverse_offers.outstanding = left;
        for record in taken.values() {
            self.allocator.forget_inverse_offer(&record.framework_id, &record.agent_id);
        }
        taken.into_iter().collect()
    }
}
