//! An embedded agent, without IO: executors, their tasks, the updates of these.
//!
//! `handle_master`, `subscribe`, `call`, `handle_backend` and `handle_timeout` take in what happened at `now`; `poll_output` gives out what to do. Follows `src/slave/slave.cpp`.

mod calls;
pub mod executor;
pub mod metrics;
pub mod nested;
mod operations;
pub mod operator;
mod recovery;
mod state;
mod updates;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use self::executor::launch::{self, RoleVolume};
use self::executor::{Context, Executor};
use self::operations::Operations;
use self::updates::Updates;
use super::backend::{Event, Order, Run};
use super::messages::{ConnectionId, ToAgent, ToMaster};
use super::resources::Resources;
use super::timers::Timers;
use super::world::{WallClock, World};
use crate::proto::v1;
use crate::proto::v1::TaskState;
use crate::proto::v1::task_status::Reason;
use crate::wire::duration::Period;

pub use calls::validate;
pub use executor::{AgentTask, Record, Stage};

/// Executors that are over and still shown with their sandboxes, of all frameworks.
const MAX_COMPLETED_EXECUTORS: usize = 1000;
/// `EXECUTOR_REREGISTRATION_TIMEOUT` in `src/slave/constants.hpp`.
pub const REREGISTRATION_TIMEOUT: Period = Period::from_secs(2);

/// What to do.
#[derive(Debug)]
pub enum Output {
    /// Tell the master.
    Tell(ToMaster),
    /// Send this event on an executor's stream.
    Send(ConnectionId, Box<v1::executor::Event>),
    /// End an executor's stream.
    Close(ConnectionId),
    /// Have the backend do this.
    Order(Order),
}

/// Who an agent is.
#[derive(Debug, Clone)]
pub struct Config {
    pub info: v1::AgentInfo,
    pub id: String,
    /// Its place in URLs and its libprocess name, `slave(1)`.
    pub path: String,
    /// `ip:port` of the server.
    pub endpoint: String,
    /// `MESOS_EXECUTOR_REGISTRATION_TIMEOUT`.
    pub registration_timeout: Period,
    /// `MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD`.
    pub shutdown_grace_period: Period,
    /// How many executors of a framework that are over are shown, `MESOS_MAX_COMPLETED_EXECUTORS_PER_FRAMEWORK`.
    pub max_completed_executors_per_framework: usize,
    /// What the environment of executors has first, `MESOS_EXECUTOR_ENVIRONMENT_VARIABLES`.
    pub environment: BTreeMap<String, String>,
    /// What its `/flags` shows.
    pub flags: BTreeMap<String, String>,
    /// How long executors may take to subscribe again to an agent that was restarted,
    /// `MESOS_EXECUTOR_REREGISTRATION_TIMEOUT`.
    pub reregistration_timeout: Period,
    /// When it was started, in seconds since 1970.
    pub start_time: f64,
}

/// An executor's place: its framework's id and its own.
type Key = (String, String);

/// An agent's tasks are being killed.
#[derive(Debug, Clone, Copy)]
pub struct Draining {
    /// Whether the agent is marked gone when they are.
    mark_gone: bool,
    /// The most time that a task is given.
    max_grace_period: Option<v1::DurationInfo>,
    /// When it began, in seconds since 1970.
    since: f64,
}

impl Draining {
    /// How a task that is killed is reported (`Slave::statusUpdate`).
    pub fn report(self, status: &mut v1::TaskStatus, aware_of_partitions: bool) {
        if matches!(status.state(), TaskState::TaskKilling | TaskState::TaskKilled) {
            status.set_reason(Reason::AgentDraining);
            if self.mark_gone && aware_of_partitions {
                status.set_state(TaskState::TaskGoneByOperator);
            }
        }
    }
}

/// The state machine.
#[derive(Debug)]
pub struct Agent {
    config: Config,
    world: World,
    executors: BTreeMap<Key, Box<Executor>>,
    /// The executor that a container belongs to.
    containers: HashMap<String, Key>,
    /// The executors of tasks that have other names than these, by framework and task.
    homes: HashMap<Key, Key>,
    /// The executors that subscribed on streams that have not ended.
    streams: HashMap<ConnectionId, Key>,
    /// The containers that belong neither to an executor nor to a task.
    nested: nested::Containers,
    /// When something is to be done for an executor.
    timers: Timers<Key>,
    completed: VecDeque<Box<Record>>,
    /// By id, as they were told of last: executors share them.
    frameworks: HashMap<String, Arc<v1::FrameworkInfo>>,
    /// How many executors of each framework are over and still shown.
    completed_of: HashMap<String, usize>,
    operations: Operations,
    /// While its tasks are killed, whether the agent is then gone.
    draining: Option<Draining>,
    /// What it has, after operations on it.
    total: Resources,
    /// What it says of tasks that it does not know, by framework and task.
    disowned: BTreeMap<Key, Updates>,
    /// While it recovers, when it kills executors that have not subscribed again.
    recovering: Option<Instant>,
    outputs: VecDeque<Output>,
}

impl Agent {
    /// An agent without executors.
    pub fn new(config: Config, world: World, total: Resources) -> Self {
        Self {
            config,
            total,
            disowned: BTreeMap::new(),
            recovering: None,
            world,
            executors: BTreeMap::new(),
            containers: HashMap::new(),
            homes: HashMap::new(),
            streams: HashMap::new(),
            nested: nested::Containers::new(),
            timers: Timers::default(),
            completed: VecDeque::new(),
            frameworks: HashMap::new(),
            completed_of: HashMap::new(),
            operations: Operations::default(),
            draining: None,
            outputs: VecDeque::new(),
        }
    }

    /// Sets the wall clock.
    pub fn set_clock(&mut self, clock: WallClock) {
        self.world.clock = clock;
    }

    /// Who it is.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Executors, living and over.
    pub fn executors(&self) -> impl Iterator<Item = &Record> {
        self.completed.iter().map(Box::as_ref).chain(self.executors.values().map(|executor| &executor.record))
    }

    /// Executors with these ids of framework and executor; an executor may be started again after it has ended.
    pub fn executors_named<'a>(&'a self, framework_id: &str, executor_id: &'a str) -> impl Iterator<Item = &'a Record> {
        let key = (framework_id.to_owned(), executor_id.to_owned());
        let living = self.executors.get(&key).map(|executor| &executor.record);
        let is_named = move |executor: &&Record| {
            executor.info.executor_id.value == key.1
                && executor.framework.id.as_ref().is_some_and(|id| id.value == key.0)
        };
        living.into_iter().chain(self.completed.iter().map(Box::as_ref).rev().filter(is_named))
    }

    /// The task that gave this update and its executor, as long as the update is not acknowledged.
    pub fn reported(&self, status: &v1::TaskStatus) -> Option<(&Record, &AgentTask)> {
        let records = self.executors.values().map(|executor| &executor.record);
        let mut found = records.filter_map(|record| Some((record, &**record.tasks.get(&status.task_id.value)?)));
        found.find(|(_, task)| task.updates.knows(status.uuid()))
    }

    /// The users of the custom executors that have not ended: of all, or of the one with these ids of framework and
    /// executor.
    pub fn users(&self, wanted: Option<&(String, String)>) -> impl Iterator<Item = &str> {
        let executors = self.executors.iter().filter(move |(key, _)| wanted.is_none_or(|wanted| wanted == *key));
        let custom = executors.map(|(_, executor)| &executor.record).filter(|executor| executor.is_custom());
        custom.filter_map(|executor| launch::user(&executor.framework, executor.info.command.as_ref()))
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call `handle_timeout` at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let disowned = self.disowned.values().filter_map(Updates::due);
        let others = self.operations.poll_timeout().into_iter().chain(self.recovering);
        self.timers.first().into_iter().chain(others).chain(disowned).min()
    }

    /// Takes in what the master says.
    pub fn handle_master(&mut self, now: Instant, message: ToAgent) {
        match message {
            ToAgent::Run { framework, executor, tasks, group, role, volumes, runs } => {
                self.run(now, *framework, executor.map(|e| *e), tasks, runs, group, role, &volumes);
            }
            ToAgent::ApplyOperation { framework_id, operation, uuid } => {
                let id = operation.id.clone().unwrap_or_default().value;
                let status = operations::finished(&self.config.id, id, self.world.uuid());
                self.operations.add(now, framework_id.clone(), uuid.clone(), *operation, status.clone());
                self.tell(ToMaster::OperationStatus { framework_id, uuid, status: Box::new(status) });
            }
            ToAgent::AcknowledgeOperation { uuid, status_uuid } => self.operations.acknowledge(&uuid, &status_uuid),
            ToAgent::Drain { max_grace_period, mark_gone } => self.drain(now, max_grace_period, mark_gone),
            ToAgent::DestroyVolumes { volumes } => {
                self.outputs.push_back(Output::Order(Order::Destroy { volumes: launch::volumes(&volumes) }));
            }
            ToAgent::KillTask { framework_id, task_id, kill_policy } => {
                let key = self.key_of_task(&framework_id, &task_id);
                self.with(now, key, |executor, context| executor.kill(context, &task_id, kill_policy.as_ref()));
            }
            ToAgent::Acknowledge { framework_id, task_id, uuid } => match self.key_of_task(&framework_id, &task_id) {
                None => self.acknowledge_disowned(now, (framework_id, task_id), &uuid),
                key => {
                    self.with(now, key, |executor, context| executor.record.acknowledge(context, &task_id, &uuid));
                    let task = (framework_id, task_id);
                    if self.home_of(&task).is_none() {
                        self.homes.remove(&task);
                    }
                }
            },
            ToAgent::UpdateFramework { framework } => {
                let id = framework.id.clone().unwrap_or_default().value;
                let framework = self.shared(*framework);
                self.with_each(now, &id, |executor, context| {
                    executor.record.framework.clone_from(&framework);
                    executor.record.resume(context);
                });
            }
            ToAgent::ShutdownFramework { framework_id } => {
                self.operations.forget(&framework_id);
                self.frameworks.remove(&framework_id);
                self.with_each(now, &framework_id, Executor::abandon);
            }
            ToAgent::ShutdownExecutor { framework_id, executor_id } => {
                self.with(now, Some((framework_id, executor_id)), Executor::shut_down);
            }
            ToAgent::Message { framework_id, executor_id, data } => {
                self.with(now, Some((framework_id, executor_id)), |executor, context| executor.message(context, data));
            }
            ToAgent::Checkpoint { total } => self.total = *total,
            ToAgent::Reregistered { unknown } => self.reregistered(now, unknown),
            ToAgent::Shutdown => self.shut_down(now),
        }
    }

    /// Takes in what its backend reports.
    pub fn handle_backend(&mut self, now: Instant, event: Event) {
        let Some(key) = self.containers.get(event.container()).cloned() else {
            return self.handle_nested(event);
        };
        let over = matches!(event, Event::Ended { .. } | Event::Failed { .. });
        let task = Some(event.container().to_owned()).filter(|_| over && !self.nested.is_empty());
        let root = self.executors.get(&key).map(|executor| executor.record.container.clone());
        self.with(now, Some(key), |executor, context| executor.handle_backend(context, event));
        if let (Some(task), Some(root)) = (task, root) {
            self.end_within(&format!("{root}.{task}"));
        }
    }

    /// Does what is due: repeats updates, kills what was given its time.
    pub fn handle_timeout(&mut self, now: Instant) {
        for key in self.timers.due(now) {
            self.with(now, Some(key), Executor::handle_timeout);
        }
        let repeated = self.operations.repeat(now);
        self.tell_operations(repeated);
        self.repeat_disowned(now);
        if self.recovering.take_if(|due| *due <= now).is_some() {
            self.kill_unsubscribed(now);
        }
    }

    fn tell_operations(&mut self, statuses: Vec<(String, Vec<u8>, v1::OperationStatus)>) {
        for (framework_id, uuid, status) in statuses {
            self.tell(ToMaster::OperationStatus { framework_id, uuid, status: Box::new(status) });
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn run(
        &mut self,
        now: Instant,
        framework: v1::FrameworkInfo,
        info: Option<v1::ExecutorInfo>,
        tasks: Vec<v1::TaskInfo>,
        runs: Vec<Option<Arc<Run>>>,
        group: bool,
        role: String,
        volumes: &[RoleVolume],
    ) {
        let tasks: Vec<_> = tasks.into_iter().map(Arc::new).collect();
        let Some(first) = tasks.first() else { return };
        let framework_id = framework.id.clone().unwrap_or_default().value;
        let executor_id = info.as_ref().map_or(&first.task_id.value, |info| &info.executor_id.value);
        let key = (framework_id, executor_id.clone());
        if !self.executors.contains_key(&key) {
            let simulated = runs.first().is_some_and(Option::is_some);
            let (container, framework) = (self.world.uuid().to_string(), self.shared(framework));
            let executor = Executor::new(container, framework, info, role, first, simulated);
            self.executors.insert(key.clone(), Box::new(executor));
        }
        for task in tasks.iter().filter(|task| task.task_id.value != key.1) {
            self.homes.insert((key.0.clone(), task.task_id.value.clone()), key.clone());
        }
        self.with(now, Some(key), |executor, context| executor.run(context, tasks, runs, group, volumes));
    }

    /// One copy of what is known of a framework, for all of its executors.
    fn shared(&mut self, framework: v1::FrameworkInfo) -> Arc<v1::FrameworkInfo> {
        let id = framework.id.clone().unwrap_or_default().value;
        match self.frameworks.get(&id) {
            Some(known) if **known == framework => known.clone(),
            _ => {
                let framework = Arc::new(framework);
                self.frameworks.insert(id, framework.clone());
                framework
            }
        }
    }

    /// Kills all tasks (`Slave::drain`). Each has its own grace period, but at most this one.
    fn drain(&mut self, now: Instant, most: Option<v1::DurationInfo>, mark_gone: bool) {
        if self.executors.is_empty() && self.operations.is_empty() {
            return;
        }
        let since = self.world.timestamp(now);
        self.draining = Some(Draining { mark_gone, max_grace_period: most, since });
        for key in self.executors.keys().cloned().collect::<Vec<_>>() {
            self.with(now, Some(key), |executor, context| {
                for (task_id, own) in executor.record.kill_policies() {
                    let longer = |most: &v1::DurationInfo| own.is_none_or(|own| most.nanoseconds < own.nanoseconds);
                    let policy = most.filter(longer).map(|most| v1::KillPolicy { grace_period: Some(most) });
                    executor.kill(context, &task_id, policy.as_ref());
                }
            });
        }
    }

    fn tell(&mut self, message: ToMaster) {
        self.outputs.push_back(Output::Tell(message));
    }

    fn key_of_task(&self, framework_id: &str, task_id: &str) -> Option<Key> {
        let own = (framework_id.to_owned(), task_id.to_owned());
        let has = |executor: &Executor| executor.record.tasks.contains_key(task_id);
        // A command task's executor has its name.
        if self.executors.get(&own).is_some_and(|executor| has(executor)) {
            return Some(own);
        }
        // An executor may have made it up.
        let made_up = || self.of_framework(framework_id).find(|(_, executor)| has(executor)).map(|(key, _)| key);
        self.home_of(&own).or_else(made_up).cloned()
    }

    /// The executor on which a task was launched that has another name, unless the task is over.
    fn home_of(&self, task: &Key) -> Option<&Key> {
        let has = |home: &Key| self.executors.get(home).is_some_and(|e| e.record.tasks.contains_key(&task.1));
        self.homes.get(task).filter(|home| has(home))
    }

    fn of_framework<'a>(&'a self, id: &'a str) -> impl Iterator<Item = (&'a Key, &'a Executor)> {
        let first = (id.to_owned(), String::new());
        let here = self.executors.range(first..).take_while(move |((framework, _), _)| framework == id);
        here.map(|(key, executor)| (key, &**executor))
    }

    fn with_each(&mut self, now: Instant, framework_id: &str, act: impl Fn(&mut Executor, &mut Context)) {
        for key in self.of_framework(framework_id).map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.with(now, Some(key), &act);
        }
    }

    /// Lets something happen to an executor, if it is here; one that is over then is put aside.
    fn with<T>(
        &mut self,
        now: Instant,
        key: Option<Key>,
        act: impl FnOnce(&mut Executor, &mut Context) -> T,
    ) -> Option<T> {
        let key = key?;
        let executor = self.executors.get_mut(&key)?;
        let known = executor.record.containers.len();
        let mut context = Context {
            config: &self.config,
            now,
            draining: self.draining,
            world: &mut self.world,
            outputs: &mut self.outputs,
        };
        let outcome = act(executor, &mut context);
        let root = &executor.record.container;
        let ended = (executor.record.stage() == Stage::Terminated && !self.nested.is_empty()).then(|| root.clone());
        let started = executor.record.containers.iter().skip(known);
        self.containers.extend(started.map(|container| (container.clone(), key.clone())));
        self.timers.set(&key, executor.poll_timeout());
        if executor.record.is_over() {
            self.retire(&key);
        }
        if let Some(root) = ended {
            self.end_within(&root);
        }
        Some(outcome)
    }

    fn forget_completed(&mut self, framework_id: &str) {
        if let Some(number) = self.completed_of.get_mut(framework_id) {
            *number = number.saturating_sub(1);
            if *number == 0 {
                self.completed_of.remove(framework_id);
            }
        }
    }

    fn retire(&mut self, key: &Key) {
        self.timers.set(key, None);
        if let Some(executor) = self.executors.remove(key) {
            let Executor { mut record, .. } = *executor;
            // All is drained (`Slave::updateDrainStatus`).
            self.draining = self.draining.filter(|_| !self.executors.is_empty());
            for container in &record.containers {
                self.containers.remove(container);
            }
            for task_id in record.tasks.keys() {
                self.homes.remove(&(key.0.clone(), task_id.clone()));
            }
            if record.containers.is_empty() {
                // There was never more than its name.
                return;
            }
            record.compact();
            self.completed.push_back(Box::new(record));
            let most = self.config.max_completed_executors_per_framework;
            let same = |executor: &Record| executor.framework.id.as_ref().is_some_and(|id| id.value == key.0);
            let number = self.completed_of.entry(key.0.clone()).or_default();
            *number = number.saturating_add(1);
            let oldest = if *number > most {
                self.completed.iter().map(Box::as_ref).position(same)
            } else {
                (self.completed.len() > MAX_COMPLETED_EXECUTORS).then_some(0)
            };
            if let Some(forgotten) = oldest.and_then(|oldest| self.completed.remove(oldest)) {
                self.forget_completed(&forgotten.framework_id());
            }
        }
    }
}

#[cfg(test)]
mod tests;
