//! Frameworks, as far as the network shows which of them the master has. It takes back what the tasks of one hold when it
//! removes that, though they take a while to end (`Master::removeFramework`).

use std::time::Duration;

use remesos::proto::v1::scheduler::Call;
use tokio::time::Instant;

use super::{Client, Truth};

/// A framework whose failover timeout is over is gone by then.
const LATE: Duration = Duration::from_secs(300);

/// A framework that was subscribed once.
pub struct Framework {
    /// Who subscribed last.
    client: Client,
    /// The stream that it has, or since when it has none.
    stream: Result<(Client, u32), Instant>,
    failover_timeout: Duration,
    torn_down: bool,
    /// Whether the master is another one since it subscribed last.
    orphaned: bool,
    /// Whether a scheduler was told of its id.
    known: bool,
    /// Whether it has come back to another master than the one that had removed it.
    returned: bool,
}

impl Framework {
    pub(super) fn is_connected(&self) -> bool {
        self.stream.is_ok()
    }
}

impl Truth {
    pub(super) fn framework_subscribed(&mut self, client: Client, link: u32, id: String) {
        let failover_timeout = Duration::from_secs_f64(self.process(client).failover_timeout);
        let removed = self.frameworks.contains_key(&id) && !self.counts(&id);
        if removed {
            self.abandon_tasks(&id);
        }
        let returned = removed || self.frameworks.get(&id).is_some_and(|framework| framework.returned);
        let known = self.frameworks.get(&id).is_some_and(|framework| framework.known);
        let stream = Ok((client, link));
        // At one time nobody knows whether that is the new master's word.
        let orphaned = self.replaced == Some(self.now());
        self.frameworks
            .insert(id, Framework { client, stream, failover_timeout, torn_down: false, orphaned, known, returned });
    }

    pub(super) fn framework_known(&mut self, id: &str) {
        if let Some(framework) = self.frameworks.get_mut(id) {
            framework.known = true;
        }
    }

    /// Whose framework it may be, of this name, of which no scheduler was told: its SUBSCRIBED was lost, or nobody was there
    /// any more to take it. Nobody can come back as it, so the master keeps it until its failover timeout is over.
    pub fn unknown_of(&self, id: &str, name: &str) -> Vec<Client> {
        match self.frameworks.get(id) {
            Some(framework) => {
                let lost = framework.stream.err().filter(|_| !framework.known);
                let kept = lost.is_some_and(|since| self.now() < since + framework.failover_timeout + LATE);
                kept.then_some(framework.client).into_iter().collect()
            }
            None => {
                let same = |process: &super::Process| process.name.split('-').next() == Some(name);
                let kept = |process: &super::Process| process.failover_timeout > LATE.as_secs_f64();
                let of = self.clients.iter().filter(|(_, of)| of.has_subscribed && same(of) && kept(of));
                of.map(|(client, _)| *client).collect()
            }
        }
    }

    pub(super) fn framework_left(&mut self, client: Client, link: u32) {
        let now = self.now();
        let left = self.frameworks.values_mut().filter(|framework| framework.stream == Ok((client, link)));
        left.for_each(|framework| framework.stream = Err(now));
        self.lose_sight();
    }

    /// Whether a master sends a framework what agents tell of its tasks.
    pub(super) fn is_connected(&self, id: &str) -> bool {
        self.frameworks.get(id).is_some_and(Framework::is_connected)
    }

    /// Whether a framework is being shut down at an agent, by the word of the master before.
    pub(super) fn is_shut_down_at(&self, id: &str, agent_id: &str) -> bool {
        let returned = self.frameworks.get(id).is_some_and(|framework| framework.returned);
        returned && self.containers.values().any(|of| of.framework_id == id && of.agent_id == agent_id)
    }

    pub(super) fn all_frameworks_left(&mut self) {
        let now = self.now();
        for framework in self.frameworks.values_mut() {
            (framework.stream, framework.orphaned) = (Err(now), true);
        }
        self.lose_sight();
    }

    /// Whether another master may know a framework from its agents alone, for which nobody has come back. It has no
    /// failover timeout then: the embedded master keeps it until an operator removes it.
    pub fn is_orphan(&self, id: &str) -> bool {
        self.frameworks.get(id).is_some_and(|framework| framework.orphaned)
    }

    pub(super) fn torn_down(&mut self, call: &Call) {
        if let Some(id) = &call.framework_id
            && let Some(framework) = self.frameworks.get_mut(&id.value)
        {
            framework.torn_down = true;
        }
    }

    /// Whether the tasks of a framework hold what they were given.
    pub(super) fn counts(&self, id: &str) -> bool {
        self.frameworks.get(id).is_some_and(|framework| {
            let gone = framework.stream.is_err_and(|since| since + framework.failover_timeout <= self.now());
            !framework.torn_down && !gone
        })
    }
}
