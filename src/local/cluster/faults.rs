//! Faults on request. Each function stands for a real event, and says which part of Mesos' source decides what follows.

use std::time::Instant;

use super::LocalCluster;
use super::history::Subject;
use super::machine::Machine;
use super::network::{UpdateFaults, Waiting};
use crate::local::agent;
use crate::local::backend::{Event as Happening, Order, StartError};
use crate::local::messages::ToMaster;
use crate::local::refusal::Refusal;
use crate::proto::v1;
use crate::wire::duration::Period;

impl LocalCluster {
    /// Lets something go wrong, and waits until it has. `None` if the cluster is stopped, and in a forked child.
    pub fn disturb<T: Send + 'static>(
        &self,
        fault: impl FnOnce(&mut Machine, Instant) -> T + Send + 'static,
    ) -> Option<T> {
        if self.is_inherited() {
            return None;
        }
        self.handle.ask_and_wait(move |machine, now| {
            let outcome = fault(machine, now);
            machine.route(now);
            outcome
        })
    }
}

impl Machine {
    /// The connection of a framework's stream breaks (`Master::exited(FrameworkID, ...)`). Returns false if it has none.
    pub fn disconnect_framework(&mut self, now: Instant, framework_id: &str) -> bool {
        let connection = self.master.connection_of(framework_id);
        if let Some(connection) = connection {
            let message = format!("the connection of framework {framework_id} breaks");
            self.note_fault(now, Subject::framework(framework_id), message);
            self.close_stream(now, connection);
        }
        connection.is_some()
    }

    /// SUBSCRIBE of a framework is answered with 503 for a while, as by a master that has not finished recovery
    /// (`Master::Http::scheduler`).
    pub fn refuse_framework(&mut self, now: Instant, framework_id: &str, period: Period) {
        let message = format!("framework {framework_id} may not subscribe for {period}");
        self.note_fault(now, Subject::framework(framework_id), message);
        self.answers.refused.retain(|(id, until)| id != framework_id && *until > now);
        self.answers.refused.push((framework_id.to_owned(), now + period));
    }

    /// Requests of schedulers are answered with 401 for a while, as after their credential was changed
    /// (`BasicAuthenticator`).
    pub fn reject_authentication(&mut self, now: Instant, period: Period) {
        self.note_fault(now, Subject::default(), format!("no credential is accepted for {period}"));
        self.answers.unauthorized = Some(now + period);
    }

    /// Why a scheduler's request is refused on request; `subscribing` is the id of a framework that subscribes.
    pub fn refusal(&self, now: Instant, subscribing: Option<&str>) -> Result<(), Refusal> {
        if self.answers.unauthorized.is_some_and(|until| now < until) {
            return Err(Refusal::new(401, "401 Unauthorized."));
        }
        let refused = |(id, until): &(String, Instant)| Some(id.as_str()) == subscribing && now < *until;
        if self.answers.refused.iter().any(refused) {
            return Err(Refusal::new(503, "Master has not finished recovery"));
        }
        Ok(())
    }

    /// An offer is taken back (`Master::rescindOffer`). Returns false if it is not outstanding.
    pub fn rescind_offer(&mut self, offer_id: &str) -> bool {
        self.master.rescind_on_request(offer_id)
    }

    /// The process of a task gets a signal from outside of Mesos, as from the kernel if memory runs out
    /// (`CommandExecutor::reaped`). Returns false if the task does not run.
    pub fn signal_task(
        &mut self,
        now: Instant,
        agent_id: &str,
        framework_id: &str,
        task_id: &str,
        signal: i32,
    ) -> bool {
        let container = self.agents.get(agent_id).and_then(|agent| agent.container_of(framework_id, task_id));
        let Some(container) = container.map(str::to_owned) else { return false };
        let message = format!("the process of task '{task_id}' gets signal {signal}");
        self.note_fault(now, Subject::task(framework_id, agent_id, task_id), message);
        self.order(now, agent_id, Order::Signal { container, signal });
        true
    }

    /// The executor of a task is killed (`Slave::executorTerminated`). Returns false if the task does not run.
    pub fn kill_executor(&mut self, now: Instant, agent_id: &str, framework_id: &str, task_id: &str) -> bool {
        let message = format!("the executor of task '{task_id}' is killed");
        self.note_fault(now, Subject::task(framework_id, agent_id, task_id), message);
        self.agents.get_mut(agent_id).is_some_and(|agent| agent.kill_executor_of(now, framework_id, task_id))
    }

    /// The network between the master and an agent fails: pings are not answered, and after `agent_ping_timeout` times
    /// `max_agent_ping_timeouts` the agent is unreachable (`SlaveObserver`). Its tasks go on. With `at_once` that time is
    /// over already. Returns false if there is no such agent.
    pub fn disconnect_agent(&mut self, now: Instant, agent_id: &str, at_once: bool) -> bool {
        if self.agents.get(agent_id).is_none() {
            return false;
        }
        self.note_fault(now, Subject::agent(agent_id), format!("agent {agent_id} cannot be reached"));
        self.network.cut(agent_id);
        if at_once {
            self.master.mark_unreachable(now, agent_id, "health check timed out");
        } else {
            self.master.pings_unanswered(now, agent_id);
        }
        true
    }

    /// The network works again. What was sent meanwhile comes late, as TCP delivers it; an agent that is unreachable
    /// registers again (`Slave::pingTimeout`, `Master::__reregisterSlave`). Returns false if the network did not fail.
    pub fn reconnect_agent(&mut self, now: Instant, agent_id: &str) -> bool {
        let Some(Waiting { to_agent, to_master }) = self.network.join(agent_id) else { return false };
        self.note_fault(now, Subject::agent(agent_id), format!("agent {agent_id} can be reached again"));
        self.master.pings_answered(agent_id);
        if !self.master.has_agent(agent_id) {
            self.network.register_after(now, agent_id);
            return true;
        }
        for message in to_agent {
            if let Some(agent) = self.agents.get_mut(agent_id) {
                agent.handle_master(now, message);
            }
        }
        to_master.into_iter().for_each(|message| self.master.handle_agent(now, message));
        true
    }

    /// The process of an agent is killed and started again after `down`. With `memory` it recovers from its disk the
    /// executors of frameworks with checkpointing and keeps its id (`Slave::recover`); without, as on a new disk, it is
    /// another agent, and the tasks of the former one are lost (`Master::_registerSlave`). Returns the id that it has
    /// then.
    pub fn restart_agent(&mut self, now: Instant, agent_id: &str, memory: bool, down: Period) -> Option<String> {
        self.agents.get(agent_id)?;
        let message = format!("agent {agent_id} is restarted with{} its memory", if memory { "" } else { "out" });
        self.note_fault(now, Subject::agent(agent_id), message);
        let agent = self.agents.get_mut(agent_id)?;
        agent.drop_outputs();
        self.network.lose(agent_id);
        self.master.agent_exited(now, agent_id);
        if memory {
            let ready = agent.recover(now + down);
            self.network.register_after(ready, agent_id);
            return Some(agent_id.to_owned());
        }
        self.master.agent_replaced(now, agent_id);
        let new_id = self.master.new_agent_id();
        self.replace_agent(now, agent_id, &new_id);
        self.network.forget(agent_id);
        self.network.register_after(now + down, &new_id);
        Some(new_id)
    }

    /// An operator's call, as by `/api/v1`. Returns why it is refused.
    pub fn operate(&mut self, now: Instant, call: v1::master::Call) -> Result<(), Refusal> {
        self.operator_call(now, call).map(drop)
    }

    /// The disk of an agent is full: with the isolator `disk/du` that enforces quotas its executors are killed, and
    /// nothing new can be started, which is found out a second later (`PosixDiskIsolatorProcess::_collect`), until [`Machine::free_disk`].
    pub fn exhaust_disk(&mut self, now: Instant, agent_id: &str) -> bool {
        if self.agents.get(agent_id).is_none() {
            return false;
        }
        self.note_fault(now, Subject::agent(agent_id), format!("the disk of agent {agent_id} is full"));
        let Some(agent) = self.agents.get_mut(agent_id) else { return false };
        agent.exceed_disk(now);
        self.network.full.insert(agent_id.to_owned());
        true
    }

    /// There is room on the disk of an agent again.
    pub fn free_disk(&mut self, agent_id: &str) {
        self.network.full.remove(agent_id);
    }

    /// What comes of an order to an agent whose disk is full.
    pub(super) fn out_of_space(agent_id: &str, order: &Order) -> Option<Happening> {
        let Order::Start(launch) = order else { return None };
        let sandbox = &launch.sandbox;
        let (framework, executor, run) = (&sandbox.framework_id, &sandbox.executor_id, &sandbox.run);
        let why = StartError::new(format!(
            "Failed to make the containerizer runtime directory 'slaves/{agent_id}/frameworks/{framework}/executors/\
             {executor}/runs/{run}': No space left on device"
        ));
        Some(Happening::Failed { container: launch.container.clone(), why })
    }

    /// The master is started again, or another one is elected: the streams of frameworks end, it has another id and knows
    /// neither frameworks nor tasks nor offers (`Master::recover`). With `memory` it knows from the registry its agents,
    /// those that are gone or unreachable, weights, quotas and the maintenance schedule. Agents register again within a
    /// second, with their tasks.
    pub fn restart_master(&mut self, now: Instant, memory: bool) {
        let message = format!("the master is restarted with{} its memory", if memory { "" } else { "out" });
        self.note_fault(now, Subject::default(), message);
        self.master.restart(now, memory);
        self.network.forget_master();
        let ids: Vec<String> = self.agents.values().map(|agent| agent.config().id.clone()).collect();
        for agent_id in ids {
            if let Some(agent) = self.agents.get_mut(&agent_id) {
                agent.drop_outputs();
            }
            if self.network.is_cut(&agent_id) {
                self.network.cut(&agent_id);
            } else {
                self.network.register_after(now, &agent_id);
            }
        }
    }

    /// Status updates of agents are delayed, come twice, or are lost until this is called again. An agent repeats what is
    /// not acknowledged after 10 seconds, and then after twice as long as before, up to 10 minutes
    /// (`TaskStatusUpdateManagerProcess::timeout`).
    pub fn set_update_faults(&mut self, faults: UpdateFaults) {
        tracing::info!("Fault: status updates are treated so: {faults:?}");
        self.network.updates = faults;
    }

    /// When the network has something to do.
    pub(super) fn next_on_network(&self) -> Option<Instant> {
        self.network.poll_timeout()
    }

    /// Does what is due on the network: delayed updates come, and agents register again.
    pub(super) fn handle_network(&mut self, now: Instant) {
        while let Some(message) = self.network.poll_delayed(now) {
            self.master.handle_agent(now, message);
        }
        while let Some((agent_id, failed)) = self.network.poll_failed_start(now) {
            if let Some(agent) = self.agents.get_mut(&agent_id) {
                agent.handle_backend(now, failed);
            }
        }
        while let Some(agent_id) = self.network.poll_registration(now) {
            let Some(agent) = self.agents.get(&agent_id) else { continue };
            let agent::Config { info, path, .. } = agent.config();
            let (info, path) = (info.clone(), path.clone());
            // One that lost its memory registers for the first time.
            if self.new_agents.remove(&agent_id) {
                let total = agent.total().clone();
                self.master.add_agent(now, info, total, path);
            } else {
                let registration = Box::new(agent.reregistration());
                self.master.handle_agent(now, ToMaster::Reregister(registration));
            }
        }
    }

    /// The info of an agent that takes the place of another one.
    pub(super) fn renamed(info: &v1::AgentInfo, id: &str) -> v1::AgentInfo {
        v1::AgentInfo { id: Some(v1::AgentId { value: id.to_owned() }), ..info.clone() }
    }
}
