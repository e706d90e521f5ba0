//! An embedded agent, without IO: executors, their tasks, the updates of these.
//!
//! `handle_master`, `subscribe`, `call`, `handle_backend` and `handle_timeout` take in what happened at `now`; `poll_output` gives out what to do. Follows `src/slave/slave.cpp`.

mod calls;
pub mod executor;
mod state;
mod updates;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Instant;

use self::executor::launch::{self, RoleVolume};
use self::executor::{Context, Executor};
use super::backend::{Event, Order};
use super::messages::{ConnectionId, ToAgent, ToMaster};
use super::world::{WallClock, World};
use crate::proto::v1;
use crate::wire::duration::Period;

pub use calls::validate;
pub use executor::{AgentTask, Record, Stage};

/// Executors that are over and still shown with their sandboxes, of all frameworks.
const MAX_COMPLETED_EXECUTORS: usize = 1000;

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
    /// When it was started, in seconds since 1970.
    pub start_time: f64,
}

/// An executor's place: its framework's id and its own.
type Key = (String, String);

/// The state machine.
#[derive(Debug)]
pub struct Agent {
    config: Config,
    world: World,
    executors: BTreeMap<Key, Executor>,
    /// The executor that a container belongs to.
    containers: HashMap<String, Key>,
    completed: VecDeque<Record>,
    outputs: VecDeque<Output>,
}

impl Agent {
    /// An agent without executors.
    pub fn new(config: Config, world: World) -> Self {
        Self {
            config,
            world,
            executors: BTreeMap::new(),
            containers: HashMap::new(),
            completed: VecDeque::new(),
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
        self.completed.iter().chain(self.executors.values().map(|executor| &executor.record))
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
        self.executors.values().filter_map(Executor::poll_timeout).min()
    }

    /// Takes in what the master says.
    pub fn handle_master(&mut self, now: Instant, message: ToAgent) {
        match message {
            ToAgent::Run { framework, executor, tasks, group, role, volumes } => {
                self.run(now, *framework, executor.map(|e| *e), tasks, group, role, &volumes);
            }
            ToAgent::DestroyVolumes { volumes } => {
                self.outputs.push_back(Output::Order(Order::Destroy { volumes: launch::volumes(&volumes) }));
            }
            ToAgent::KillTask { framework_id, task_id, kill_policy } => {
                let key = self.key_of_task(&framework_id, &task_id);
                self.with(now, key, |executor, context| executor.kill(context, &task_id, kill_policy.as_ref()));
            }
            ToAgent::Acknowledge { framework_id, task_id, uuid } => {
                let key = self.key_of_task(&framework_id, &task_id);
                self.with(now, key, |executor, context| executor.record.acknowledge(context, &task_id, &uuid));
            }
            ToAgent::UpdateFramework { framework } => {
                let id = framework.id.clone().unwrap_or_default().value;
                self.with_each(now, &id, |executor, context| {
                    executor.record.framework.clone_from(&framework);
                    executor.record.resume(context);
                });
            }
            ToAgent::ShutdownFramework { framework_id } => self.with_each(now, &framework_id, Executor::abandon),
            ToAgent::ShutdownExecutor { framework_id, executor_id } => {
                self.with(now, Some((framework_id, executor_id)), Executor::shut_down);
            }
            ToAgent::Message { framework_id, executor_id, data } => {
                self.with(now, Some((framework_id, executor_id)), |executor, context| executor.message(context, data));
            }
        }
    }

    /// Takes in what its backend reports.
    pub fn handle_backend(&mut self, now: Instant, event: Event) {
        let key = self.containers.get(event.container()).cloned();
        self.with(now, key, |executor, context| executor.handle_backend(context, event));
    }

    /// Does what is due: repeats updates, kills what was given its time.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = |executor: &Executor| executor.poll_timeout().is_some_and(|due| due <= now);
        let keys: Vec<Key> = self.executors.iter().filter(|(_, e)| due(e)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.with(now, Some(key), Executor::handle_timeout);
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn run(
        &mut self,
        now: Instant,
        framework: v1::FrameworkInfo,
        info: Option<v1::ExecutorInfo>,
        tasks: Vec<v1::TaskInfo>,
        group: bool,
        role: String,
        volumes: &[RoleVolume],
    ) {
        let Some(first) = tasks.first() else { return };
        let framework_id = framework.id.clone().unwrap_or_default().value;
        let executor_id = info.as_ref().map_or(&first.task_id.value, |info| &info.executor_id.value);
        let key = (framework_id, executor_id.clone());
        let mut context = Context { config: &self.config, now, world: &mut self.world, outputs: &mut self.outputs };
        let executor = self
            .executors
            .entry(key.clone())
            .or_insert_with(|| Executor::new(&mut context, framework, info, role, first));
        let known = executor.record.containers.len();
        executor.run(&mut context, tasks, group, volumes);
        let new = executor.record.containers.iter().skip(known);
        self.containers.extend(new.map(|container| (container.clone(), key.clone())));
    }

    fn key_of_task(&self, framework_id: &str, task_id: &str) -> Option<Key> {
        let own = (framework_id.to_owned(), task_id.to_owned());
        let has = |executor: &Executor| executor.record.tasks.contains_key(task_id);
        // A command task's executor has its name.
        if self.executors.get(&own).is_some_and(has) {
            return Some(own);
        }
        let of_framework = self.executors.iter().filter(|((framework, _), _)| framework == framework_id);
        of_framework.filter(|(_, executor)| has(executor)).map(|(key, _)| key.clone()).next()
    }

    fn with_each(&mut self, now: Instant, framework_id: &str, act: impl Fn(&mut Executor, &mut Context)) {
        let of_framework = self.executors.keys().filter(|(framework, _)| framework == framework_id);
        for key in of_framework.cloned().collect::<Vec<_>>() {
            self.with(now, Some(key), &act);
        }
    }

    /// Lets something happen to an executor; one that is over then is put aside.
    fn with(&mut self, now: Instant, key: Option<Key>, act: impl FnOnce(&mut Executor, &mut Context)) {
        let Some(key) = key else { return };
        let Some(executor) = self.executors.get_mut(&key) else { return };
        act(executor, &mut Context { config: &self.config, now, world: &mut self.world, outputs: &mut self.outputs });
        if executor.record.is_over() {
            self.retire(&key);
        }
    }

    fn retire(&mut self, key: &Key) {
        if let Some(Executor { record, .. }) = self.executors.remove(key) {
            for container in &record.containers {
                self.containers.remove(container);
            }
            self.completed.push_back(record);
            let most = self.config.max_completed_executors_per_framework;
            let of_framework = self.completed.iter().filter(|executor| executor.framework_id() == key.0);
            if of_framework.count() > most {
                let oldest = self.completed.iter().position(|executor| executor.framework_id() == key.0);
                oldest.map(|oldest| self.completed.remove(oldest));
            } else if self.completed.len() > MAX_COMPLETED_EXECUTORS {
                self.completed.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests;
