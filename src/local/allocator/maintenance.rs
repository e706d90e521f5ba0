//! Which frameworks are asked to leave agents that will be unavailable. Follows `generateInverseOffers` and
//! `updateInverseOffer` in `src/master/allocator/mesos/hierarchical.cpp`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::{Allocator, filters};
use crate::wire::duration::Period;

/// The frameworks that are asked to leave an agent.
#[derive(Debug, Default)]
pub struct Maintenance {
    /// Those that have not answered.
    outstanding: BTreeSet<Arc<str>>,
    /// Those that are not to be asked for a while.
    refused: BTreeMap<String, Instant>,
}

impl Allocator {
    /// An agent will be unavailable, or will not any more; the frameworks that it concerns are asked anew.
    pub fn set_maintenance(&mut self, now: Instant, agent_id: &str, planned: bool) {
        if let Some(agent) = self.agents.get_mut(agent_id) {
            agent.maintenance = planned.then(Maintenance::default);
            if planned {
                self.maintained.insert(agent_id.into());
            } else {
                self.maintained.remove(agent_id);
            }
            self.want_agent(now, agent_id);
        }
    }

    /// A framework has answered an inverse offer, which is then not repeated for `refuse_seconds`, 5 seconds if that is
    /// not a valid time.
    pub fn answer_inverse_offer(
        &mut self,
        now: Instant,
        framework_id: &str,
        agent_id: &str,
        refuse_seconds: Option<f64>,
    ) {
        let maintenance = self.agents.get_mut(agent_id).and_then(|agent| agent.maintenance.as_mut());
        if let Some(maintenance) = maintenance {
            maintenance.outstanding.remove(framework_id);
            if let Some(refused) = filters::duration(refuse_seconds, Period::default()) {
                maintenance.refused.insert(framework_id.to_owned(), now + refused);
            }
        }
    }

    /// An inverse offer has gone without an answer.
    pub fn forget_inverse_offer(&mut self, framework_id: &str, agent_id: &str) {
        let maintenance = self.agents.get_mut(agent_id).and_then(|agent| agent.maintenance.as_mut());
        if let Some(maintenance) = maintenance {
            maintenance.outstanding.remove(framework_id);
        }
    }

    /// A framework may be asked again for all agents.
    pub(super) fn forget_inverse_refusals(&mut self, framework_id: &str) {
        for agent_id in &self.maintained {
            let maintenance = self.agents.get_mut(agent_id).and_then(|agent| agent.maintenance.as_mut());
            maintenance.map(|maintenance| maintenance.refused.remove(framework_id));
        }
    }

    /// Whether something may have to be asked for again.
    pub(super) fn plans_maintenance(&self) -> bool {
        self.maintained.iter().filter_map(|id| self.agents.get(id)).any(|agent| !agent.held.is_empty())
    }

    /// The frameworks to ask now, with the ids of the agents.
    pub(super) fn ask_back(&mut self, now: Instant, candidates: &BTreeSet<Arc<str>>) -> Vec<(String, String)> {
        let mut asked = Vec::new();
        for agent_id in candidates {
            let Some(agent) = self.agents.get_mut(agent_id) else { continue };
            let Some(maintenance) = &mut agent.maintenance else { continue };
            maintenance.refused.retain(|_, until| *until > now);
            for framework_id in agent.held.keys() {
                let active = self.frameworks.get(framework_id).is_some_and(|framework| framework.active);
                let refused = maintenance.refused.contains_key(&**framework_id);
                if active && !refused && maintenance.outstanding.insert(framework_id.clone()) {
                    asked.push((framework_id.to_string(), agent_id.to_string()));
                }
            }
        }
        asked
    }
}
