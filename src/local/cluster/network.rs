//! What is between the master and its agents: messages are carried at once, unless a fault holds them up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::local::backend::Event;
use crate::local::messages::{ToAgent, ToMaster};
use crate::wire::duration::Period;

/// How long it takes to find out that a container cannot be started: whoever tries again at once does so at another time.
const START_TIME: Period = Period::from_secs(1);

/// What becomes of status updates on their way from agents to the master.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpdateFaults {
    /// How long an update takes.
    pub delay: Period,
    /// How likely it is that an update comes twice, 0 to 1.
    pub duplicate: f64,
    /// How likely it is that an update is lost, 0 to 1.
    pub lose: f64,
}

impl Default for UpdateFaults {
    fn default() -> Self {
        Self { delay: Period::ZERO, duplicate: 0.0, lose: 0.0 }
    }
}

/// The connections between the master and its agents.
#[derive(Debug)]
pub struct Network {
    /// Agents that cannot be reached, with what waits for them and for the master.
    cut: BTreeMap<String, Waiting>,
    /// Agents that are not connected, and when they register again.
    away: BTreeMap<String, Instant>,
    /// Agents whose disk is full.
    pub full: BTreeSet<String>,
    pub updates: UpdateFaults,
    /// Delayed updates by when they come, the first to be sent first.
    delayed: BTreeMap<(Instant, u64), ToMaster>,
    sent: u64,
    /// Containers that are being started in vain, by when that is found out.
    failing: BTreeMap<(Instant, u64), (String, Event)>,
    pub random: fastrand::Rng,
}

/// What a connection that is interrupted holds: TCP sends it when the connection works again.
#[derive(Debug, Default)]
pub struct Waiting {
    pub to_agent: Vec<ToAgent>,
    pub to_master: Vec<ToMaster>,
}

impl Network {
    /// A network without faults, in which this seed decides what is left to chance.
    pub fn new(seed: u64) -> Self {
        Self {
            cut: BTreeMap::new(),
            away: BTreeMap::new(),
            full: BTreeSet::new(),
            updates: UpdateFaults::default(),
            delayed: BTreeMap::new(),
            sent: 0,
            failing: BTreeMap::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// What comes to an agent now of a message to it.
    pub fn carry_to_agent(&mut self, agent_id: &str, message: ToAgent) -> Option<ToAgent> {
        if self.away.contains_key(agent_id) {
            return None;
        }
        match self.cut.get_mut(agent_id) {
            Some(waiting) => {
                waiting.to_agent.push(message);
                None
            }
            None => Some(message),
        }
    }

    /// What comes to the master now of a message from an agent.
    pub fn carry_to_master(&mut self, now: Instant, agent_id: &str, message: ToMaster) -> Vec<ToMaster> {
        if self.away.contains_key(agent_id) {
            return Vec::new();
        }
        if let Some(waiting) = self.cut.get_mut(agent_id) {
            waiting.to_master.push(message);
            return Vec::new();
        }
        if self.updates == UpdateFaults::default() || !matches!(message, ToMaster::StatusUpdate { .. }) {
            return vec![message];
        }
        let UpdateFaults { delay, duplicate, lose } = self.updates;
        if self.random.f64() < lose {
            tracing::info!("A status update of agent {agent_id} is lost");
            return Vec::new();
        }
        let mut copies = vec![message];
        if self.random.f64() < duplicate {
            tracing::info!("A status update of agent {agent_id} comes twice");
            copies.extend(copies.first().cloned());
        }
        if delay.is_zero() {
            return copies;
        }
        for copy in copies {
            self.sent = self.sent.saturating_add(1);
            self.delayed.insert((now + delay, self.sent), copy);
        }
        Vec::new()
    }

    /// A container of an agent cannot be started, which is found out in a moment.
    pub fn fail_start(&mut self, now: Instant, agent_id: &str, failed: Event) {
        self.sent = self.sent.saturating_add(1);
        self.failing.insert((now + START_TIME, self.sent), (agent_id.to_owned(), failed));
    }

    /// The next container that could not be started, with its agent.
    pub fn poll_failed_start(&mut self, now: Instant) -> Option<(String, Event)> {
        let first = self.failing.first_entry().filter(|entry| entry.key().0 <= now);
        first.map(std::collections::btree_map::OccupiedEntry::remove)
    }

    /// Whether an agent can be reached, or is about to register again.
    pub fn is_cut(&self, agent_id: &str) -> bool {
        self.cut.contains_key(agent_id)
    }

    /// An agent cannot be reached from now on.
    pub fn cut(&mut self, agent_id: &str) {
        self.cut.entry(agent_id.to_owned()).or_default();
    }

    /// An agent can be reached again. Returns what waited for that, or `None` if the agent could be reached all the time.
    pub fn join(&mut self, agent_id: &str) -> Option<Waiting> {
        self.cut.remove(agent_id)
    }

    /// An agent is not connected, and registers again at `due` (`REGISTRATION_BACKOFF_FACTOR` is a second).
    pub fn register_after(&mut self, due: Instant, agent_id: &str) {
        let backoff = Period::from_millis(self.random.u64(0..1000));
        self.away.insert(agent_id.to_owned(), due + backoff);
    }

    /// Forgets an agent that is gone.
    pub fn forget(&mut self, agent_id: &str) {
        self.cut.remove(agent_id);
        self.away.remove(agent_id);
        self.full.remove(agent_id);
    }

    /// What is on its way to or from an agent whose process has ended: it is lost with the connections of that process.
    pub fn lose(&mut self, agent_id: &str) {
        if let Some(waiting) = self.cut.get_mut(agent_id) {
            *waiting = Waiting::default();
        }
    }

    /// What is on its way to a master that is no longer there.
    pub fn forget_master(&mut self) {
        self.delayed.clear();
        self.cut.values_mut().for_each(|waiting| *waiting = Waiting::default());
    }

    /// When something is due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let delayed = self.delayed.first_key_value().map(|((due, _), _)| *due);
        let away = self.away.iter().filter(|(agent_id, _)| !self.cut.contains_key(*agent_id));
        let failing = self.failing.first_key_value().map(|((due, _), _)| *due);
        away.map(|(_, due)| *due).chain(delayed).chain(failing).min()
    }

    /// The next delayed update that is due.
    pub fn poll_delayed(&mut self, now: Instant) -> Option<ToMaster> {
        let first = self.delayed.first_entry().filter(|entry| entry.key().0 <= now);
        first.map(std::collections::btree_map::OccupiedEntry::remove)
    }

    /// The next agent that registers again, which is connected from now on.
    pub fn poll_registration(&mut self, now: Instant) -> Option<String> {
        let mut due = self.away.iter().filter(|(agent_id, due)| **due <= now && !self.cut.contains_key(*agent_id));
        let (agent_id, _) = due.next()?;
        let agent_id = agent_id.clone();
        self.away.remove(&agent_id);
        Some(agent_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_process_is_lost_with_it() {
        let mut network = Network::new(7);
        network.cut("agent");
        for lost in [false, true] {
            let message = ToAgent::KillTask { framework_id: String::new(), task_id: String::new(), kill_policy: None };
            assert!(network.carry_to_agent("agent", message).is_none());
            if lost {
                network.lose("agent");
            }
            let waiting = network.join("agent").expect("it was cut");
            assert_eq!(waiting.to_agent.is_empty(), lost);
            network.cut("agent");
        }
    }
}
