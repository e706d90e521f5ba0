//! Frameworks are asked to leave agents before these become unavailable. Follows `generateInverseOffers` and
//! `updateInverseOffer` in `src/master/allocator/mesos/hierarchical.cpp`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::{Allocator, filters};
use crate::proto::v1::Unavailability;
use crate::proto::v1::allocator::InverseOfferStatus;
use crate::wire::duration::Period;

/// An inverse offer to make.
#[derive(Debug, Clone, PartialEq)]
pub struct InverseAllocation {
    pub framework_id: String,
    pub agent_id: String,
    pub unavailability: Unavailability,
}

/// An agent will be unavailable.
#[derive(Debug)]
pub struct Maintenance {
    unavailability: Unavailability,
    /// What frameworks answered.
    statuses: BTreeMap<String, InverseOfferStatus>,
    /// The frameworks that are asked and have not answered.
    asked: BTreeSet<String>,
}

impl Allocator {
    /// An agent will be unavailable, or will not after all. What is available of it is offered anew, and what
    /// frameworks answered to an earlier plan is forgotten.
    pub fn set_unavailability(&mut self, now: Instant, agent_id: &str, unavailability: Option<Unavailability>) {
        let Some(agent) = self.agents.get_mut(agent_id) else {
            return;
        };
        let planned =
            |unavailability| Maintenance { unavailability, statuses: BTreeMap::new(), asked: BTreeSet::new() };
        agent.maintenance = unavailability.map(planned);
        self.frameworks.values_mut().for_each(|framework| drop(framework.inverse_filters.remove(agent_id)));
        self.want_agent(now, agent_id);
    }

    /// The inverse offers to make, after `allocate`.
    pub fn take_inverse_offers(&mut self) -> Vec<InverseAllocation> {
        std::mem::take(&mut self.inverse_offers)
    }

    /// A framework answered an inverse offer; without a status that was rescinded or timed out. Whoever answers with
    /// `refuse_seconds` is not asked again for so long.
    pub fn answer_inverse_offer(
        &mut self,
        now: Instant,
        agent_id: &str,
        framework_id: &str,
        status: Option<InverseOfferStatus>,
        refuse_seconds: Option<f64>,
    ) {
        let maintenance = self.agents.get_mut(agent_id).and_then(|agent| agent.maintenance.as_mut());
        if let Some(maintenance) = maintenance
            && maintenance.asked.remove(framework_id)
            && let Some(status) = status
        {
            maintenance.statuses.insert(framework_id.to_owned(), status);
        }
        let duration = refuse_seconds.and_then(|seconds| filters::duration(Some(seconds), Period::ZERO));
        if let (Some(framework), Some(duration)) = (self.frameworks.get_mut(framework_id), duration) {
            framework.inverse_filters.entry(agent_id.to_owned()).or_default().push(now + duration);
        }
    }

    /// What frameworks answered, of one agent.
    pub fn inverse_offer_statuses(&self, agent_id: &str) -> Vec<InverseOfferStatus> {
        let maintenance = self.agents.get(agent_id).and_then(|agent| agent.maintenance.as_ref());
        maintenance.map(|maintenance| maintenance.statuses.values().cloned().collect()).unwrap_or_default()
    }

    /// Asks every framework that has something of these agents and is not asked yet.
    pub(super) fn ask_for_agents(&mut self, now: Instant, candidates: &BTreeSet<Arc<str>>) {
        for agent_id in candidates {
            let Some(agent) = self.agents.get_mut(agent_id) else {
                continue;
            };
            let Some(maintenance) = agent.maintenance.as_mut() else {
                continue;
            };
            for framework_id in agent.held.keys() {
                let asks = |framework: &super::Framework| {
                    framework.active
                        && !framework
                            .inverse_filters
                            .get(&**agent_id)
                            .is_some_and(|f| f.iter().any(|until| *until > now))
                };
                if self.frameworks.get(framework_id).is_some_and(asks)
                    && maintenance.asked.insert(framework_id.to_string())
                {
                    self.inverse_offers.push(InverseAllocation {
                        framework_id: framework_id.to_string(),
                        agent_id: agent_id.to_string(),
                        unavailability: maintenance.unavailability,
                    });
                }
            }
        }
    }
}
