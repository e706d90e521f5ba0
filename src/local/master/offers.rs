//! Offers: made of what the allocator gives, taken back, and rescinded. Follows `Master::offer`, `removeOffer` and
//! `rescindOffer` in `src/master/master.cpp`.

use std::collections::BTreeMap;
use std::time::Instant;

use super::{AgentRecord, Framework, Master, OfferRecord};
use crate::local::allocator::{self, Was};
use crate::local::resources::Format;
use crate::proto::v1;
use crate::proto::v1::scheduler::{Event, event};

impl Master {
    /// Makes the offers that are due.
    pub(super) fn make_offers(&mut self, now: Instant) {
        let mut offers: BTreeMap<String, Vec<v1::Offer>> = BTreeMap::new();
        for allocation in self.allocator.allocate(now) {
            let framework_id = allocation.framework_id.clone();
            offers.entry(framework_id).or_default().push(self.make_offer(allocation));
        }
        if let Some(timeout) = self.config.offer_timeout {
            let made = offers.values().flatten().map(|offer| (now + timeout, offer.id.value.clone()));
            self.expiring.extend(made);
        }
        for (framework_id, offers) in offers {
            let offers = Some(event::Offers { offers });
            self.send(&framework_id, Event { offers, ..Event::of(event::Type::Offers) });
        }
        let asked = self.allocator.take_asked();
        self.make_inverse_offers(asked);
    }

    /// What is offered is available again.
    pub(super) fn recover_offer(&mut self, offer: &OfferRecord) {
        let OfferRecord { framework_id, agent_id, role, resources } = offer;
        self.allocator.recover(framework_id, agent_id, role, resources, Was::Offered);
    }

    pub(super) fn new_offer_id(&mut self) -> String {
        let id = format!("{}-O{}", self.id, self.next_offer);
        self.next_offer = self.next_offer.saturating_add(1);
        id
    }

    fn make_offer(&mut self, allocation: allocator::Allocation) -> v1::Offer {
        let id = self.new_offer_id();
        let allocator::Allocation { framework_id, role, agent_id, resources } = allocation;
        let record = OfferRecord { framework_id, agent_id, role, resources };
        let framework = &self.frameworks[&record.framework_id];
        let offer = self.offer_message(&id, &record, framework, &framework.format(&record.role));
        self.offers.insert(id, record);
        offer
    }

    /// An offer of an agent that is registered to a framework, in this format.
    pub(super) fn offer_message(
        &self,
        id: &str,
        offer: &OfferRecord,
        framework: &Framework,
        format: &Format,
    ) -> v1::Offer {
        let OfferRecord { framework_id, agent_id, resources, .. } = offer;
        let agent = &self.agents[agent_id];
        let executors = framework.executors_on(agent_id);
        let executor_ids = executors.map(|(_, id)| v1::ExecutorId { value: id.clone() }).collect();
        v1::Offer {
            id: v1::OfferId { value: id.to_owned() },
            framework_id: v1::FrameworkId { value: framework_id.clone() },
            agent_id: v1::AgentId { value: agent_id.clone() },
            hostname: agent.info.hostname.clone(),
            url: Some(self.agent_url(agent)),
            domain: agent.info.domain.clone(),
            attributes: agent.info.attributes.clone(),
            allocation_info: allocation_info(format),
            resources: resources.to_proto(format),
            executor_ids,
            unavailability: self.unavailability(&agent.info.hostname),
        }
    }

    pub(super) fn agent_url(&self, agent: &AgentRecord) -> v1::Url {
        let address = v1::Address {
            hostname: Some(agent.info.hostname.clone()),
            ip: Some(self.config.address.ip().to_string()),
            port: self.config.address.port().into(),
        };
        v1::Url { scheme: "http".to_owned(), address, path: Some(format!("/{}", agent.path)), ..Default::default() }
    }

    pub(super) fn discard_offers(&mut self, framework_id: &str) {
        self.discard_inverse_offers(framework_id);
        for id in self.offers.of_framework(framework_id).map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            if let Some(offer) = self.offers.remove(&id) {
                self.recover_offer(&offer);
            }
        }
    }

    /// Rescinds every offer of an agent.
    pub(super) fn rescind_offers_of(&mut self, agent_id: &str) {
        for offer_id in self.offers.of_agent(agent_id).map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.rescind(&offer_id);
        }
    }

    /// Rescinds an offer, if it is still outstanding.
    pub(super) fn rescind(&mut self, offer_id: &str) {
        if let Some(offer) = self.offers.remove(offer_id) {
            self.recover_offer(&offer);
            let mut event = Event::of(event::Type::Rescind);
            event.rescind = Some(event::Rescind { offer_id: v1::OfferId { value: offer_id.to_owned() } });
            self.send(&offer.framework_id, event);
        }
    }
}

fn allocation_info(format: &Format) -> Option<v1::resource::AllocationInfo> {
    format.allocated_to.clone().map(|role| v1::resource::AllocationInfo { role: Some(role) })
}
