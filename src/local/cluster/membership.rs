//! Agents that join a running cluster, and that leave it.

use std::time::Instant;

use super::history::Subject;
use super::machine::{Departed, Machine};
use crate::local::agent;

impl Machine {
    /// The process of an agent and all its containers get SIGKILL: its connection to the master breaks
    /// (`Master::exited`), and it is unreachable when its pings were not answered, or now with `at_once`. Returns false if
    /// there is no such agent.
    pub fn kill_agent(&mut self, now: Instant, id: &str, at_once: bool) -> bool {
        if self.dismiss(now, id, "killed").is_none() {
            return false;
        }
        self.note_fault(now, Subject::agent(id), format!("agent {id} is killed"));
        self.master.agent_exited(now, id);
        if at_once {
            self.master.mark_unreachable(now, id, "health check timed out");
        }
        true
    }

    /// An agent unregisters and ends with its containers (`Slave::shutdown`, `Master::unregisterSlave`). Returns false if
    /// there is no such agent.
    pub fn remove_agent(&mut self, now: Instant, id: &str) -> bool {
        let Some(agent) = self.agents.get_mut(id) else { return false };
        tracing::info!("Agent {id} is removed");
        agent.unregister(now);
        self.route(now);
        self.dismiss(now, id, "removed").is_some()
    }

    /// Takes an agent out of the cluster, with all that it runs. Nobody is told.
    pub(super) fn dismiss(&mut self, now: Instant, id: &str, how: &'static str) -> Option<&Departed> {
        let (mut agent, mut backend) = self.agents.remove(id)?;
        agent.perish(now);
        while let Some(output) = agent.poll_output() {
            match output {
                agent::Output::Order(order) => backend.handle(now, order),
                agent::Output::Close(connection) => self.end_executor_stream(connection),
                agent::Output::Tell(_) | agent::Output::Send(..) => {}
            }
        }
        self.network.forget(id);
        self.departed.push(Departed { agent, how, backend });
        self.departed.last()
    }
}
