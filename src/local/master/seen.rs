//! What the master knows, for those who look at the cluster from its own process.

use std::collections::BTreeMap;
use std::time::Instant;

use super::{AgentRecord, Framework, Master, OfferRecord, Output};
use crate::local::resources::Resources;
use crate::proto::v1;

impl Master {
    /// What the tasks and executors on an agent use.
    pub fn used_of_agent(&self, id: &str) -> Resources {
        self.used(id)
    }

    /// Begins anew: with another id, and without agents, frameworks, and what was set since the start. The frameworks
    /// that there were may not come back.
    pub fn reset(&mut self, now: Instant) {
        let world = self.world.fork();
        let former = std::mem::replace(self, Self::new(now, self.config.clone(), world));
        self.removed = former.removed;
        self.removed.extend(former.frameworks.into_keys());
        self.removed.extend(former.completed.iter().map(Framework::id));
    }

    /// Notes that something happened to an agent.
    pub(super) fn note_of_agent(&mut self, kind: &'static str, agent_id: &str) {
        self.outputs.push_back(Output::Noted { kind, framework_id: None, agent_id: Some(agent_id.to_owned()) });
    }

    /// Notes that something happened to a framework.
    pub(super) fn note_of_framework(&mut self, kind: &'static str, id: &str) {
        self.outputs.push_back(Output::Noted { kind, framework_id: Some(id.to_owned()), agent_id: None });
    }

    /// An agent that is registered.
    pub fn agent_record(&self, id: &str) -> Option<&AgentRecord> {
        self.agents.get(id)
    }

    /// An agent's resources if it is registered, and what keeps it from being offered, or `active`.
    pub fn seen_of_agent(&self, id: &str) -> (Option<&Resources>, &'static str) {
        let Some(agent) = self.agents.get(id) else {
            let absent = &self.absent;
            let state = match absent {
                _ if absent.gone.contains(id) => "gone",
                _ if absent.unreachable.contains_key(id) => "unreachable",
                _ if absent.recovered.contains_key(id) => "disconnected",
                _ => "removed",
            };
            return (None, state);
        };
        let drain = agent.drain.as_ref().map(v1::DrainInfo::state);
        let state = match drain {
            Some(v1::DrainState::Draining) => "draining",
            Some(v1::DrainState::Drained) => "drained",
            _ if !agent.connected => "disconnected",
            _ if agent.deactivated => "deactivated",
            _ => "active",
        };
        (Some(&agent.total), state)
    }

    /// Whether what an agent says of its tasks is what the master knows of them.
    pub fn reaches(&self, agent_id: &str) -> bool {
        self.agents.contains_key(agent_id)
    }

    /// The states of all tasks of an agent, by their framework's id and their own.
    pub fn states_of_tasks(&self, agent_id: &str) -> BTreeMap<(String, String), v1::TaskState> {
        let of = |framework: &Framework| {
            let id = framework.id();
            let over = framework.unreachable_tasks.values().chain(&framework.completed_tasks);
            let here = framework.tasks.of_agent(agent_id).chain(over.filter(|task| task.agent_id == agent_id));
            here.map(|task| ((id.clone(), task.info.task_id.value.clone()), task.state)).collect::<Vec<_>>()
        };
        self.frameworks().flat_map(of).collect()
    }

    /// Every offer that is not answered, by its id.
    pub fn offers(&self) -> impl Iterator<Item = (&String, &OfferRecord)> {
        self.offers.iter()
    }
}
