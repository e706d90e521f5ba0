//! Agents that register again: after their connection broke, after they were unreachable, and with a master that was
//! started again. Follows `Master::_reregisterSlave`, `__reregisterSlave`, `___reregisterSlave`, `reconcileKnownSlave` and
//! `recoverFramework` in `src/master/master.cpp`.

use std::collections::BTreeSet;
use std::time::Instant;

use super::agents::{Admitted, Held};
use super::framework::{ExecutorRecord, Framework};
use super::placed::Task;
use super::{AgentRecord, Master, Output, operator};
use crate::local::allocator::FrameworkOptions;
use crate::local::messages::{KnownTask, Reregistration, ToAgent, UnknownTask, is_terminal};
use crate::local::resources::Resources;
use crate::proto::v1;
use crate::proto::v1::framework_info::capability::Type as Capability;
use crate::proto::v1::task_status::Reason;

impl Master {
    /// An agent that was registered before, with this master or another, wants to be again.
    pub(super) fn reregister(&mut self, now: Instant, agent: Reregistration) {
        self.counters.count("master/messages_reregister_slave");
        let agent_id = agent.info.id.clone().unwrap_or_default().value;
        if self.absent.gone.contains(&agent_id) {
            tracing::warn!("Refusing re-registration of agent {agent_id} because it is already marked gone");
            return self.outputs.push_back(Output::Tell(agent_id, ToAgent::Shutdown));
        }
        if self.is_machine_down(&agent.info.hostname) {
            tracing::warn!("Refusing re-registration of agent {agent_id} because its machine is DOWN");
            return self.outputs.push_back(Output::Tell(agent_id, ToAgent::Shutdown));
        }
        self.note_of_agent("agent_reregistered", &agent_id);
        if self.agents.contains_key(&agent_id) {
            self.reconnect(now, &agent_id, &agent);
        } else {
            self.readmit(now, &agent_id, &agent);
        }
        self.update_frameworks_of(now, &agent_id, agent);
        self.check_drained(now, &agent_id);
    }

    /// The agent is still registered (`___reregisterSlave`).
    fn reconnect(&mut self, now: Instant, agent_id: &str, agent: &Reregistration) {
        tracing::info!("Agent {agent_id} is connected again");
        self.disconnected.remove(agent_id);
        self.silent.remove(agent_id);
        let unknown = self.unknown_to(agent_id, agent);
        self.tell(agent_id, ToAgent::Reregistered { unknown });
        for framework_id in self.frameworks.keys().cloned().collect::<Vec<_>>() {
            let executors = agent.executors.iter().filter(|executor| executor.framework_id == framework_id);
            let known: BTreeSet<&str> = executors.map(|executor| executor.info.executor_id.value.as_str()).collect();
            self.remove_executors(&framework_id, agent_id, |executor_id| known.contains(executor_id));
        }
        let Some(record) = self.agents.get_mut(agent_id) else { return };
        (record.connected, record.pinged_since) = (true, now);
        let (killed, active) = (std::mem::take(&mut record.killed), record.is_active());
        for task in agent.tasks.iter().filter(|task| !is_terminal(task.state)) {
            let (framework_id, task_id) = (task.framework_id.clone(), task.info.task_id.value.clone());
            if killed.contains(&(framework_id.clone(), task_id.clone())) {
                self.tell(agent_id, ToAgent::KillTask { framework_id, task_id, kill_policy: None });
            }
        }
        self.end_completed_frameworks(agent_id, agent);
        self.allocator.set_agent_active(agent_id, active);
        self.drain_again(agent_id);
    }

    /// The tasks of an agent that it does not name, because it was not reached by their launch.
    fn unknown_to(&self, agent_id: &str, agent: &Reregistration) -> Vec<UnknownTask> {
        let named: BTreeSet<(&str, &str)> =
            agent.tasks.iter().map(|task| (task.framework_id.as_str(), task.info.task_id.value.as_str())).collect();
        let of = |framework: &Framework| {
            let (framework_id, partition_aware) = (framework.id(), framework.has(Capability::PartitionAware));
            let ids = framework.tasks.of_agent(agent_id).map(|task| &task.info.task_id.value);
            let unknown = ids.filter(|task_id| !named.contains(&(framework_id.as_str(), task_id.as_str())));
            let known_as = |task_id: &String| UnknownTask {
                framework_id: framework_id.clone(),
                task_id: task_id.clone(),
                partition_aware,
            };
            unknown.map(known_as).collect::<Vec<_>>()
        };
        self.frameworks.values().flat_map(of).collect()
    }

    /// The agent was unreachable, or registered with another master (`__reregisterSlave`).
    fn readmit(&mut self, now: Instant, agent_id: &str, agent: &Reregistration) {
        let unreachable = self.absent.unreachable.remove(agent_id).map(|(known, _)| known);
        let recovered = self.absent.recovered.remove(agent_id);
        if self.absent.recovered.is_empty() {
            self.absent.recovered_due = None;
        }
        if recovered.is_none() {
            let message = match unreachable {
                Some(_) => "Unreachable agent re-reregistered",
                None => "Unknown agent reregistered",
            };
            self.tell_of_return(now, agent_id, agent, message);
        }
        for framework_id in self.frameworks.keys().cloned().collect::<Vec<_>>() {
            self.take_unreachable(&framework_id, agent_id);
        }
        self.counters.count("master/slave_reregistrations");
        let known = unreachable.or(recovered);
        let Admitted { deactivated, drain, .. } =
            known.unwrap_or_else(|| Admitted { info: agent.info.clone(), deactivated: false, drain: None });
        let record = AgentRecord {
            info: agent.info.clone(),
            total: agent.total.clone(),
            path: agent.path.clone(),
            registered_time: self.world.timestamp(now),
            reregistered_time: Some(self.world.timestamp(now)),
            drain_started: drain.is_some().then(|| self.world.timestamp(now)),
            pinged_since: now,
            connected: true,
            killed: BTreeSet::new(),
            deactivated,
            drain,
        };
        self.agents.insert(agent_id.to_owned(), record);
        self.allocator.add_agent(now, agent_id, agent.info.clone(), agent.total.clone());
        if self.unavailability(&agent.info.hostname).is_some() {
            self.allocator.set_maintenance(now, agent_id, true);
        }
        self.allocator.set_agent_active(agent_id, !deactivated);
        for framework_id in self.frameworks.keys().cloned().collect::<Vec<_>>() {
            self.take_over(agent_id, &framework_id, agent);
        }
        self.publish_agent_added(agent_id);
        self.drain_again(agent_id);
        self.tell(agent_id, ToAgent::Reregistered { unknown: Vec::new() });
        self.end_completed_frameworks(agent_id, agent);
    }

    /// Tells frameworks the states of their tasks on an agent that is back.
    fn tell_of_return(&mut self, now: Instant, agent_id: &str, agent: &Reregistration, message: &str) {
        for known in &agent.tasks {
            let Some(framework) = self.frameworks.get_mut(&known.framework_id) else { continue };
            framework.completed_tasks.retain(|task| task.info.task_id != known.info.task_id);
            let last = known.statuses.last().cloned().unwrap_or_default();
            let task = task(agent_id, known);
            let status = v1::TaskStatus {
                healthy: last.healthy,
                check_status: last.check_status,
                container_status: last.container_status,
                ..self.made(now, &task, known.state, Reason::AgentReregistered, message)
            };
            self.send_update(&known.framework_id, status);
        }
    }

    /// Adds the executors and tasks of a framework that an agent has.
    fn take_over(&mut self, agent_id: &str, framework_id: &str, agent: &Reregistration) {
        let Some(framework) = self.frameworks.get_mut(framework_id) else { return };
        let mut held: Held = Vec::new();
        for executor in agent.executors.iter().filter(|executor| executor.framework_id == framework_id) {
            let resources = Resources::from_proto(&executor.info.resources).unwrap_or_default();
            held.push((framework_id.to_owned(), executor.role.clone(), resources.clone()));
            let place = (agent_id.to_owned(), executor.info.executor_id.value.clone());
            let record = ExecutorRecord { info: executor.info.clone(), role: executor.role.clone(), resources };
            framework.executors.insert(place, record);
        }
        for known in agent.tasks.iter().filter(|task| task.framework_id == framework_id) {
            let task = task(agent_id, known);
            if !task.released {
                held.push((framework_id.to_owned(), task.role.clone(), task.resources.clone()));
            }
            self.subscribers.publish(&mut self.outputs, || operator::task_added(framework_id, &task));
            framework.tasks.insert(task);
        }
        for (framework_id, role, resources) in &held {
            self.allocator.hold(framework_id, agent_id, role, resources);
        }
    }

    /// Tells the agent what its frameworks are now; frameworks that are not known yet become so (`updateSlaveFrameworks`).
    fn update_frameworks_of(&mut self, now: Instant, agent_id: &str, agent: Reregistration) {
        for info in &agent.frameworks {
            let id = info.id.clone().unwrap_or_default().value;
            if let Some(framework) = self.frameworks.get(&id) {
                let framework = Box::new(framework.info.clone());
                self.tell(agent_id, ToAgent::UpdateFramework { framework });
            } else if !self.completed.iter().any(|framework| framework.id() == id) {
                self.recover_framework(now, &id, info.clone());
                self.take_over(agent_id, &id, &agent);
            }
        }
    }

    /// A framework that runs something and has not subscribed to this master yet.
    fn recover_framework(&mut self, now: Instant, id: &str, info: v1::FrameworkInfo) {
        tracing::info!("Recovering framework {id} from a reregistering agent");
        self.allocator.add_framework(now, id, &info, FrameworkOptions::default());
        self.allocator.deactivate_framework(id);
        let framework = Framework { recovered: true, ..Framework::new(info, self.world.timestamp(now)) };
        self.subscribers.publish(&mut self.outputs, || operator::framework_added(&framework));
        self.frameworks.insert(id.to_owned(), framework);
    }

    /// Frameworks that were removed while the agent was away end there too.
    fn end_completed_frameworks(&mut self, agent_id: &str, agent: &Reregistration) {
        let ids = agent.frameworks.iter().map(|info| info.id.clone().unwrap_or_default().value);
        let over = ids.filter(|id| self.completed.iter().any(|framework| framework.id() == *id));
        for framework_id in over.collect::<Vec<_>>() {
            self.tell(agent_id, ToAgent::ShutdownFramework { framework_id });
        }
    }

    /// An agent that is drained may not have been told, or may have forgotten it.
    fn drain_again(&mut self, agent_id: &str) {
        let drain = self.agents.get(agent_id).and_then(|agent| agent.drain.as_ref());
        if let Some(v1::DrainConfig { max_grace_period, mark_gone }) = drain.map(|drain| drain.config) {
            let mark_gone = mark_gone.unwrap_or_default();
            self.tell(agent_id, ToAgent::Drain { max_grace_period, mark_gone });
        }
    }

    fn tell(&mut self, agent_id: &str, message: ToAgent) {
        self.outputs.push_back(Output::Tell(agent_id.to_owned(), message));
    }
}

/// A task as the master keeps it, from what its agent says.
fn task(agent_id: &str, known: &KnownTask) -> Task {
    Task {
        agent_id: agent_id.to_owned(),
        role: known.role.clone(),
        resources: Resources::from_proto(&known.info.resources).unwrap_or_default(),
        released: is_terminal(known.state),
        state: known.told,
        latest: known.state,
        update_uuid: known.statuses.last().and_then(|status| status.uuid.clone()),
        statuses: known.statuses.clone(),
        info: known.info.clone(),
    }
}
