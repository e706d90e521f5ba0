//! Agents that leave, whose connection breaks, and that come back. Follows `SlaveObserver`, `Master::exited`,
//! `_registerSlave`, `_reregisterSlave`, `markUnreachable`, `removeSlave` and `__removeSlave` in `src/master/master.cpp`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::placed::Task;
use super::{Master, Output, operator};
use crate::local::allocator::Was;
use crate::local::messages::{ConnectionId, ToAgent, is_terminal};
use crate::local::resources::Resources;
use crate::local::world::time_info;
use crate::proto::v1;
use crate::proto::v1::TaskState;
use crate::proto::v1::framework_info::capability::Type as Capability;
use crate::proto::v1::scheduler::{Event, event};
use crate::proto::v1::task_status::{Reason, Source};
use crate::wire::duration::Period;

/// `DEFAULT_MAX_UNREACHABLE_TASKS_PER_FRAMEWORK`.
const MAX_UNREACHABLE_TASKS: usize = 1000;

/// An agent as the master knows it.
#[derive(Debug, Clone)]
pub struct AgentRecord {
    pub info: v1::AgentInfo,
    pub total: Resources,
    /// The last part of its URL, `slave(1)`.
    pub path: String,
    pub registered_time: f64,
    /// When it registered again, if it did since the master was started.
    pub reregistered_time: Option<f64>,
    /// When it was told to drain.
    pub drain_started: Option<f64>,
    /// Whether its resources are kept from frameworks.
    pub deactivated: bool,
    /// How far it is drained of tasks.
    pub drain: Option<v1::DrainInfo>,
    /// Whether its connection stands; if not, it is to register again.
    pub connected: bool,
    /// It is pinged at regular intervals since then.
    pub pinged_since: Instant,
    /// The tasks, each with its framework, that are to be killed when it is connected again.
    pub killed: BTreeSet<(String, String)>,
}

/// An agent as the registry has it: all that a master remembers that is started again.
#[derive(Debug, Clone)]
pub struct Admitted {
    pub info: v1::AgentInfo,
    pub deactivated: bool,
    pub drain: Option<v1::DrainInfo>,
}

/// Agents that the master knows of and that are not registered.
#[derive(Debug, Default)]
pub struct Absent {
    /// They were registered with an earlier master.
    pub recovered: BTreeMap<String, Admitted>,
    /// When those of them that have not come back are unreachable.
    pub recovered_due: Option<Instant>,
    /// With the wall time at which they became unreachable.
    pub unreachable: BTreeMap<String, (Admitted, f64)>,
    /// Marked gone by an operator, for good.
    pub gone: BTreeSet<String>,
}

/// Why an agent is no longer registered, which decides what becomes of its tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It may come back.
    Unreachable,
    /// An operator says that it never comes back.
    Gone,
    /// It said so itself, or another one took its place.
    Removed,
}

impl Absent {
    /// An agent that may come back.
    pub fn admitted_mut(&mut self, agent_id: &str) -> Option<&mut Admitted> {
        let unreachable = self.unreachable.get_mut(agent_id).map(|(known, _)| known);
        unreachable.or_else(|| self.recovered.get_mut(agent_id))
    }
}

impl AgentRecord {
    /// Whether its resources are on offer.
    pub fn is_active(&self) -> bool {
        self.connected && !self.deactivated
    }

    fn admitted(&self) -> Admitted {
        Admitted { info: self.info.clone(), deactivated: self.deactivated, drain: self.drain }
    }
}

impl Master {
    /// The id of an agent that registers for the first time.
    pub fn new_agent_id(&mut self) -> String {
        let id = format!("{}-S{}", self.id, self.next_agent);
        self.next_agent = self.next_agent.saturating_add(1);
        id
    }

    /// The host name of an agent that is registered or may come back.
    pub(super) fn hostname_of(&mut self, agent_id: &str) -> Option<String> {
        let registered = self.agents.get(agent_id).map(|agent| agent.info.hostname.clone());
        registered.or_else(|| self.absent.admitted_mut(agent_id).map(|known| known.info.hostname.clone()))
    }

    /// Whether an agent is registered.
    pub fn has_agent(&self, agent_id: &str) -> bool {
        self.agents.contains_key(agent_id)
    }

    /// The agents that are unreachable, with their infos.
    pub fn unreachable_agents(&self) -> impl Iterator<Item = (&str, &v1::AgentInfo)> {
        self.absent.unreachable.iter().map(|(id, (known, _))| (id.as_str(), &known.info))
    }

    /// The stream of a framework.
    pub fn connection_of(&self, framework_id: &str) -> Option<ConnectionId> {
        self.frameworks.get(framework_id)?.connection.as_ref().map(|connection| connection.id)
    }

    /// Takes an offer back. Returns false if it is not outstanding.
    pub fn rescind_on_request(&mut self, offer_id: &str) -> bool {
        let known = self.offers.contains_key(offer_id);
        self.rescind(offer_id);
        known
    }

    /// An agent answers no more pings. Unless it does again it is unreachable after `agent_ping_timeout` times
    /// `max_agent_ping_timeouts`, counted from the next ping.
    pub fn pings_unanswered(&mut self, now: Instant, agent_id: &str) {
        let (interval, most) = (self.config.agent_ping_timeout, self.config.max_agent_ping_timeouts);
        if let Some(agent) = self.agents.get(agent_id) {
            let next = next_ping(agent.pinged_since, now, interval);
            self.silent.entry(agent_id.to_owned()).or_insert(next + interval * most);
        }
    }

    /// An agent answers pings again, before it was found unreachable.
    pub fn pings_answered(&mut self, agent_id: &str) {
        self.silent.remove(agent_id);
    }

    /// When the next agent is found unreachable.
    pub(super) fn next_unreachable(&self) -> Option<Instant> {
        self.silent.values().chain(self.disconnected.values()).chain(&self.absent.recovered_due).min().copied()
    }

    /// Finds agents unreachable whose time is over.
    pub(super) fn find_unreachable(&mut self, now: Instant) {
        if self.next_unreachable().is_none_or(|due| due > now) {
            return;
        }
        let due = |all: &BTreeMap<String, Instant>| -> Vec<String> {
            all.iter().filter(|(_, due)| **due <= now).map(|(id, _)| id.clone()).collect()
        };
        for agent_id in due(&self.silent) {
            self.mark_unreachable(now, &agent_id, "health check timed out");
        }
        let timeout = self.config.agent_reregister_timeout;
        for agent_id in due(&self.disconnected) {
            let why = format!("agent did not reregister within {timeout} after disconnecting");
            self.mark_unreachable(now, &agent_id, &why);
        }
        if self.absent.recovered_due.take_if(|due| *due <= now).is_some() {
            let wall = self.world.timestamp(now);
            for (agent_id, known) in std::mem::take(&mut self.absent.recovered) {
                tracing::info!("Agent {agent_id} did not reregister within {timeout} after master failover");
                self.counters.count("master/recovery_slave_removals");
                self.counters.count("master/slave_removals");
                self.absent.unreachable.insert(agent_id.clone(), (known, wall));
                self.tell_agent_lost(&agent_id);
            }
        }
    }

    /// The process of an agent is gone, and with it the connection (`Master::exited`): it is offered to nobody until it registers again. Tasks of
    /// frameworks without checkpointing are lost, since they end with the agent's process.
    pub fn agent_exited(&mut self, now: Instant, agent_id: &str) {
        let due = now + self.config.agent_reregister_timeout;
        self.pings_unanswered(now, agent_id);
        let Some(agent) = self.agents.get_mut(agent_id).filter(|agent| agent.connected) else { return };
        tracing::info!("Agent {agent_id} disconnected");
        self.outputs.push_back(Output::Noted {
            kind: "agent_disconnected",
            framework_id: None,
            agent_id: Some(agent_id.to_owned()),
        });
        agent.connected = false;
        let why = format!("Agent {} disconnected", agent.info.hostname);
        self.disconnected.insert(agent_id.to_owned(), due);
        self.allocator.set_agent_active(agent_id, false);
        self.rescind_offers_of(agent_id);
        self.rescind_inverse_offers_of(agent_id);
        let passing = self.frameworks.values().filter(|framework| !framework.info.checkpoint());
        for framework_id in passing.map(|framework| framework.id()).collect::<Vec<_>>() {
            for task in self.take_tasks(&framework_id, agent_id) {
                let lost = (TaskState::TaskLost, Reason::AgentDisconnected);
                self.lose_task(now, &framework_id, task, lost, &why, Departure::Removed);
            }
            self.remove_executors(&framework_id, agent_id, |_| false);
        }
    }

    /// An agent ends in order (`Master::unregisterSlave`).
    pub(super) fn unregister(&mut self, now: Instant, agent_id: &str) {
        self.counters.count("master/messages_unregister_slave");
        self.counters.count("master/slave_removals/reason_unregistered");
        self.remove_agent(now, agent_id, "the agent unregistered");
    }

    /// An agent that was there before registers as a new one at the same address (`Master::_registerSlave`).
    pub fn agent_replaced(&mut self, now: Instant, agent_id: &str) {
        self.counters.count("master/slave_removals/reason_registered");
        self.remove_agent(now, agent_id, "a new agent registered at the same address");
    }

    pub(super) fn remove_agent(&mut self, now: Instant, agent_id: &str, cause: &str) {
        let Some(agent) = self.agents.get(agent_id) else { return };
        let why = format!("Agent {} removed: {cause}", agent.info.hostname);
        self.depart(now, agent_id, Departure::Removed, &why);
    }

    /// An agent cannot be reached, and may come back (`Master::markUnreachable`).
    pub fn mark_unreachable(&mut self, now: Instant, agent_id: &str, why: &str) {
        let Some(agent) = self.agents.get(agent_id) else { return };
        tracing::info!("Marked agent {agent_id} unreachable: {why}");
        let known = (agent.admitted(), self.world.timestamp(now));
        self.counters.count("master/slave_unreachable_scheduled");
        self.counters.count("master/slave_unreachable_completed");
        self.counters.count("master/slave_removals/reason_unhealthy");
        self.absent.unreachable.insert(agent_id.to_owned(), known);
        self.depart(now, agent_id, Departure::Unreachable, why);
    }

    /// An agent is no longer registered: its tasks and offers go.
    pub(super) fn depart(&mut self, now: Instant, agent_id: &str, how: Departure, why: &str) {
        let kind = match how {
            Departure::Unreachable => "agent_unreachable",
            Departure::Gone => "agent_gone",
            Departure::Removed => "agent_removed",
        };
        self.note_of_agent(kind, agent_id);
        self.counters.count("master/slave_removals");
        self.tell_of_operations(agent_id, how);
        self.agents.remove(agent_id);
        self.silent.remove(agent_id);
        self.disconnected.remove(agent_id);
        self.allocator.remove_agent(agent_id);
        for framework_id in self.frameworks.keys().cloned().collect::<Vec<_>>() {
            let aware = self.is_partition_aware(&framework_id);
            let fate = match how {
                Departure::Unreachable => (TaskState::TaskUnreachable, Reason::AgentRemoved),
                Departure::Gone if aware => (TaskState::TaskGoneByOperator, Reason::AgentRemovedByOperator),
                Departure::Gone => (TaskState::TaskGoneByOperator, Reason::AgentRemoved),
                Departure::Removed => (TaskState::TaskLost, Reason::AgentRemoved),
            };
            for task in self.take_tasks(&framework_id, agent_id) {
                self.lose_task(now, &framework_id, task, fate, why, how);
            }
            if let Some(framework) = self.frameworks.get_mut(&framework_id) {
                for place in framework.executors_on(agent_id).cloned().collect::<Vec<_>>() {
                    framework.executors.remove(&place);
                }
                framework.operations.retain(|_, operation| operation.agent_id != agent_id);
            }
        }
        self.rescind_offers_of(agent_id);
        self.rescind_inverse_offers_of(agent_id);
        self.subscribers.publish(&mut self.outputs, || operator::agent_removed(agent_id));
        self.tell_agent_lost(agent_id);
    }

    fn is_partition_aware(&self, framework_id: &str) -> bool {
        self.frameworks.get(framework_id).is_some_and(|framework| framework.has(Capability::PartitionAware))
    }

    /// Takes the tasks of an agent from a framework, with their resources.
    fn take_tasks(&mut self, framework_id: &str, agent_id: &str) -> Vec<Task> {
        let Some(framework) = self.frameworks.get_mut(framework_id) else { return Vec::new() };
        let tasks: Vec<Task> = framework.tasks.take_of_agent(agent_id).into_iter().map(Arc::unwrap_or_clone).collect();
        for task in tasks.iter().filter(|task| !task.released) {
            self.allocator.recover(framework_id, agent_id, &task.role, &task.resources, Was::Used);
        }
        tasks
    }

    /// Takes the executors of a framework on an agent that are not to be kept.
    pub(super) fn remove_executors(&mut self, framework_id: &str, agent_id: &str, keep: impl Fn(&str) -> bool) {
        let Some(framework) = self.frameworks.get_mut(framework_id) else { return };
        for place in framework.executors_on(agent_id).filter(|(_, id)| !keep(id)).cloned().collect::<Vec<_>>() {
            if let Some(executor) = framework.executors.remove(&place) {
                self.allocator.recover(framework_id, agent_id, &executor.role, &executor.resources, Was::Used);
            }
        }
    }

    /// A task went with its agent; its framework is told.
    fn lose_task(
        &mut self,
        now: Instant,
        framework_id: &str,
        mut task: Task,
        (state, reason): (TaskState, Reason),
        why: &str,
        how: Departure,
    ) {
        let unreachable = how == Departure::Unreachable;
        let state = if unreachable && !self.is_partition_aware(framework_id) { TaskState::TaskLost } else { state };
        let time = self.world.timestamp(now);
        let status = v1::TaskStatus {
            unreachable_time: unreachable.then(|| time_info(time)),
            ..self.made(now, &task, state, reason, why)
        };
        let was_over = is_terminal(task.state);
        if task.update(&status, if was_over { task.state } else { state }) {
            self.publish_task_updated(framework_id, &status, task.latest);
        }
        task.released = true;
        let most = self.config.max_completed_tasks_per_framework;
        if let Some(framework) = self.frameworks.get_mut(framework_id) {
            if is_terminal(state) && !was_over {
                framework.tally.ended(state);
            }
            if unreachable {
                framework.unreachable_tasks.insert(task.info.task_id.value.clone(), Arc::new(task));
                while framework.unreachable_tasks.len() > MAX_UNREACHABLE_TASKS {
                    framework.unreachable_tasks.pop_first();
                }
            } else {
                framework.add_completed(Arc::new(task), most);
            }
        }
        self.send_update(framework_id, status);
    }

    /// What the master itself says of a task; it wants no acknowledgement.
    pub(super) fn made(
        &self,
        now: Instant,
        task: &Task,
        state: TaskState,
        reason: Reason,
        message: &str,
    ) -> v1::TaskStatus {
        v1::TaskStatus {
            task_id: task.info.task_id.clone(),
            agent_id: Some(v1::AgentId { value: task.agent_id.clone() }),
            executor_id: task.info.executor.as_ref().map(|executor| executor.executor_id.clone()),
            state: state.into(),
            source: Some(Source::Master.into()),
            reason: Some(reason.into()),
            message: Some(message.to_owned()),
            timestamp: Some(self.world.timestamp(now)),
            ..Default::default()
        }
    }

    /// Tells every framework that an agent is lost (`Master::sendSlaveLost`).
    fn tell_agent_lost(&mut self, agent_id: &str) {
        let agent_id = Some(v1::AgentId { value: agent_id.to_owned() });
        let failure = event::Failure { agent_id, ..Default::default() };
        for framework_id in self.frameworks.keys().cloned().collect::<Vec<_>>() {
            let failure = Some(failure.clone());
            self.send(&framework_id, Event { failure, ..Event::of(event::Type::Failure) });
        }
    }

    /// Removes an agent for good (`Master::markGone`), with the tasks that it may have had while it was unreachable.
    pub(super) fn set_gone(&mut self, now: Instant, agent_id: &str) {
        const WHY: &str = "Agent has been marked gone";
        self.absent.gone.insert(agent_id.to_owned());
        if self.agents.contains_key(agent_id) {
            self.outputs.push_back(Output::Tell(agent_id.to_owned(), ToAgent::Shutdown));
            return self.depart(now, agent_id, Departure::Gone, WHY);
        }
        if self.absent.unreachable.remove(agent_id).is_none() {
            // What a recovered agent runs is not known.
            return;
        }
        let most = self.config.max_completed_tasks_per_framework;
        for framework_id in self.frameworks.keys().cloned().collect::<Vec<_>>() {
            let aware = self.is_partition_aware(&framework_id);
            let reason = if aware { Reason::AgentRemovedByOperator } else { Reason::AgentRemoved };
            for mut task in self.take_unreachable(&framework_id, agent_id) {
                let state = if aware { TaskState::TaskGoneByOperator } else { TaskState::TaskLost };
                let status = self.made(now, &task, state, reason, WHY);
                if task.update(&status, state) {
                    self.publish_task_updated(&framework_id, &status, task.latest);
                }
                if let Some(framework) = self.frameworks.get_mut(&framework_id) {
                    framework.add_completed(Arc::new(task), most);
                }
                self.send_update(&framework_id, status);
            }
        }
    }

    /// Takes the tasks that an agent had when it became unreachable.
    pub(super) fn take_unreachable(&mut self, framework_id: &str, agent_id: &str) -> Vec<Task> {
        let Some(framework) = self.frameworks.get_mut(framework_id) else { return Vec::new() };
        let all = std::mem::take(&mut framework.unreachable_tasks);
        let (here, rest): (BTreeMap<_, _>, _) = all.into_iter().partition(|(_, task)| task.agent_id == agent_id);
        framework.unreachable_tasks = rest;
        here.into_values().map(Arc::unwrap_or_clone).collect()
    }

    /// A master is started again, or another one is elected, which has another id. It knows no framework and no task.
    ///
    /// With `memory` it knows the agents, weights, quotas and the maintenance schedule, which are in the registry.
    pub fn restart(&mut self, now: Instant, memory: bool) {
        let world = self.world.fork();
        let former = std::mem::replace(self, Self::new(now, self.config.clone(), world));
        for framework in former.frameworks.values() {
            self.outputs.extend(framework.connection.as_ref().map(|connection| Output::Close(connection.id)));
        }
        self.outputs.extend(former.subscribers.connections().map(Output::Close));
        self.outputs.push_back(Output::Noted { kind: "master_restarted", framework_id: None, agent_id: None });
        if !memory {
            return;
        }
        self.absent = former.absent;
        let registered = former.agents.iter().map(|(id, agent)| (id.clone(), agent.admitted()));
        self.absent.recovered.extend(registered);
        let due = now + self.config.agent_reregister_timeout;
        self.absent.recovered_due = (!self.absent.recovered.is_empty()).then_some(due);
        former.weights.iter().for_each(|(role, weight)| self.allocator.set_weight(role, *weight));
        former.quotas.iter().for_each(|(role, quota)| self.allocator.set_quota(role, quota.clone()));
        (self.weights, self.quotas) = (former.weights, former.quotas);
        (self.schedule, self.down) = (former.schedule, former.down);
    }
}

/// When an agent is pinged next that is pinged since then.
fn next_ping(since: Instant, now: Instant, interval: Period) -> Instant {
    let passed = now.saturating_duration_since(since).as_nanos();
    let over = passed.checked_rem(interval.get().as_nanos()).unwrap_or_default();
    let over = Period::from_nanoseconds(i64::try_from(over).unwrap_or_default());
    now + interval.saturating_sub(over)
}

/// What an agent has of each framework and role.
pub(super) type Held = Vec<(String, String, Resources)>;
