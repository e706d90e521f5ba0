//! Containers that operators and executors have an agent start: within the container of an executor, within one another,
//! or standing alone. Follows `MesosContainerizerProcess` in `src/slave/containerizer/mesos/containerizer.cpp`.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use super::executor::launch::{self, PATH};
use super::{Agent, Key, Output, Stage};
use crate::local::backend::{Event, Launch, Order, Sandbox, StartError, Stop};
use crate::local::messages::is_terminal;
use crate::local::refusal::Refusal;
use crate::proto::v1;
use crate::proto::v1::container_info::Type as ContainerType;

/// The status of a launcher that could not execute a command.
const NOT_EXECUTED: i32 = 1 << 8;
/// The status of what was killed.
const KILLED: i32 = 9;
/// The largest number of a signal that the kernel knows.
const SIGNAL_MAX: i32 = 64;

/// A container that is to be started.
#[derive(Debug)]
pub struct Wanted {
    pub id: v1::ContainerId,
    pub command: v1::CommandInfo,
    pub container: Option<v1::ContainerInfo>,
    pub resources: Vec<v1::Resource>,
}

/// A container that was started.
#[derive(Debug)]
pub(super) struct Nested {
    pub id: v1::ContainerId,
    pub pid: Option<u32>,
    pub resources: Vec<v1::Resource>,
    pub sandbox: Sandbox,
    life: Life,
}

#[derive(Debug)]
enum Life {
    Starting,
    Running,
    /// It has ended with a status, and what is within it is being killed.
    Ending(i32),
    Ended(i32),
    Failed(StartError),
}

impl Nested {
    /// Whether it is there.
    pub fn lives(&self) -> bool {
        matches!(self.life, Life::Starting | Life::Running | Life::Ending(_))
    }
}

/// Containers by their names, the ids from the outermost to their own with dots in between.
pub(super) type Containers = BTreeMap<String, Nested>;

/// Signals that have no effect on a process that does not expect them.
const IGNORED: [i32; 4] = [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH];

/// What is found at an id.
enum Found<'a> {
    Executor(&'a Key),
    /// A task of a group, in a container of its own.
    Task(&'a Key, &'a str),
    Nested(&'a Nested),
}

/// How Mesos writes the id of a container.
pub fn name(id: &v1::ContainerId) -> String {
    match &id.parent {
        Some(parent) => format!("{}.{}", name(parent), id.value),
        None => id.value.clone(),
    }
}

/// What Mesos refuses if master and agents are one process.
pub fn not_in_local_mode() -> Refusal {
    Refusal::new(500, "Not supported in local mode")
}

/// The id of the outermost container.
fn root(id: &v1::ContainerId) -> &str {
    id.parent.as_ref().map_or(&id.value, |parent| root(parent))
}

impl Agent {
    /// Starts a container, of which [`Agent::launched`] tells when it runs. Returns false if it runs already.
    ///
    /// # Errors
    ///
    /// Refuses containers of another type than MESOS, and those in a container that is not there.
    pub fn launch_container(&mut self, wanted: Wanted) -> Result<bool, Refusal> {
        self.tidy();
        if self.find(&wanted.id).is_some() {
            return Ok(false);
        }
        if wanted.container.as_ref().is_some_and(|container| container.r#type() != ContainerType::Mesos) {
            return Err(Refusal::new(400, "The provided ContainerInfo is not supported"));
        }
        let (sandbox, user) = match &wanted.id.parent {
            None => (Sandbox::alone(&wanted.id.value), None),
            Some(parent) => self.place(parent, &wanted.id.value)?,
        };
        let Wanted { id, command, container, resources } = wanted;
        let own = command.user.clone().filter(|user| !user.is_empty());
        let variables = command.environment.iter().flat_map(|e| &e.variables).map(launch::variable);
        let environment = std::iter::once(("PATH".to_owned(), PATH.to_owned())).chain(variables).collect();
        let launch = Launch {
            container: name(&id),
            sandbox: sandbox.clone(),
            command,
            container_info: container,
            environment,
            user: own.or(user),
            volumes: Vec::new(),
            run: None,
        };
        let nested = Nested { id, pid: None, resources, sandbox, life: Life::Starting };
        self.nested.insert(launch.container.clone(), nested);
        self.outputs.push_back(Output::Order(Order::Start(Box::new(launch))));
        Ok(true)
    }

    /// Where a container within this one has its sandbox, and whom it runs as if nothing else is said.
    fn place(&self, parent: &v1::ContainerId, id: &str) -> Result<(Sandbox, Option<String>), Refusal> {
        let refused = |why: &str| Refusal::new(400, format!("Parent container {} {why}", name(parent)));
        let user = |key: &Key, command: Option<&v1::CommandInfo>| {
            launch::user(&self.executors[key].record.framework, command).map(str::to_owned)
        };
        let (mut sandbox, user) = match self.find(parent).ok_or_else(|| refused("does not exist"))? {
            Found::Executor(key) => {
                let record = &self.executors[key].record;
                (record.sandbox(), user(key, record.info.command.as_ref()))
            }
            Found::Task(key, task_id) => {
                let record = &self.executors[key].record;
                let task = &record.tasks[task_id];
                (record.sandbox_of(task), user(key, task.info.command.as_ref()))
            }
            Found::Nested(nested) => {
                if matches!(nested.life, Life::Ending(_)) {
                    return Err(refused("is in 'DESTROYING' state"));
                }
                (nested.sandbox.clone(), None)
            }
        };
        sandbox.nested.push(id.to_owned());
        Ok((sandbox, user))
    }

    /// What became of a launch; `None` as long as that is not known.
    pub fn launched(&self, id: &v1::ContainerId) -> Option<Result<(), (StartError, Sandbox)>> {
        match self.nested.get(&name(id)) {
            Some(Nested { life: Life::Starting, .. }) => None,
            Some(Nested { life: Life::Failed(why), sandbox, .. }) => Some(Err((why.clone(), sandbox.clone()))),
            _ => Some(Ok(())),
        }
    }

    /// Whether there is something to wait for, which [`Agent::ended`] does then.
    ///
    /// # Errors
    ///
    /// Refuses ids of which no container is known.
    pub fn await_container(&mut self, id: &v1::ContainerId) -> Result<(), Refusal> {
        self.tidy();
        let known = self.find(id).is_some() || self.nested.contains_key(&name(id));
        let why = || Refusal::new(404, format!("Container {} cannot be found", name(id)));
        if known { Ok(()) } else { Err(why()) }
    }

    /// How a container has ended, with the status as wait(2) gives it if that is known; `None` as long as it runs.
    pub fn ended(&self, id: &v1::ContainerId) -> Option<Option<i32>> {
        if let Some(nested) = self.nested.get(&name(id)) {
            return match &nested.life {
                Life::Ended(status) => Some(Some(*status)),
                Life::Failed(_) => Some(None),
                _ => None,
            };
        }
        if self.find(id).is_some() {
            return None;
        }
        let mut exits = self.executors().flat_map(|record| &record.exits);
        Some(exits.find(|(container, _)| *container == id.value).map(|(_, status)| *status))
    }

    /// Where the container of an executor writes its output.
    ///
    /// # Errors
    ///
    /// Refuses ids of which no executor's container runs, in the words of clusterd.
    pub fn sandbox_of_executor(&self, id: &v1::ContainerId) -> Result<Sandbox, Refusal> {
        match self.find(id) {
            Some(Found::Executor(key)) => Ok(self.executors[key].record.sandbox()),
            _ => Err(Refusal::new(404, format!("Container '{}' cannot be found", name(id)))),
        }
    }

    /// Answers the request for another limit of a container's memory. Containers of an embedded agent are processes
    /// without limits, whose isolators accept every one.
    ///
    /// # Errors
    ///
    /// Refuses ids of which no container runs, in the words of clusterd.
    pub fn limit_memory(&self, id: &v1::ContainerId) -> Result<(), Refusal> {
        let why = || Refusal::new(404, format!("Running container '{}' cannot be found", name(id)));
        self.find(id).map(|_| ()).ok_or_else(why)
    }

    /// Sends a signal to the processes of a container.
    ///
    /// # Errors
    ///
    /// Refuses ids of which no container runs, and numbers that are not those of signals.
    pub fn kill_container(&mut self, now: Instant, id: &v1::ContainerId, signal: i32) -> Result<(), Refusal> {
        let why = || format!("Container '{}' cannot be found (or is already killed)", name(id));
        let found = self.find(id).ok_or_else(|| Refusal::new(404, why()))?;
        if !(0..=SIGNAL_MAX).contains(&signal) {
            return Err(Refusal::new(500, "Unable to send signal to container: Invalid argument"));
        }
        let (container, unborn) = match found {
            Found::Nested(nested) => (name(id), matches!(nested.life, Life::Starting)),
            Found::Task(..) => (id.value.clone(), false),
            Found::Executor(key) => {
                let key = key.clone();
                if !self.executors[&key].record.is_custom() {
                    if signal == 0 || IGNORED.contains(&signal) {
                        return Ok(());
                    }
                    // It has no process of its own, but would not survive its signals.
                    let cause = super::executor::Cause::terminated;
                    self.with(now, Some(key), |executor, context| executor.kill_executor(context, cause()));
                    return Ok(());
                }
                (id.value.clone(), false)
            }
        };
        let order = match signal {
            _ if unborn => Order::Stop { container, how: Stop::Kill },
            0 => return Ok(()),
            signal => Order::Signal { container, signal },
        };
        self.outputs.push_back(Output::Order(order));
        Ok(())
    }

    /// Removes the sandbox of a container that has ended, and forgets its status.
    ///
    /// # Errors
    ///
    /// Refuses containers that run, and those within a container that is not there.
    pub fn remove_container(&mut self, id: &v1::ContainerId) -> Result<(), Refusal> {
        if self.find(id).is_some() {
            return Err(Refusal::new(500, "Nested container has not terminated yet"));
        }
        if id.parent.is_some() && !self.is_root(root(id)) {
            return Err(Refusal::new(500, "Unknown root container"));
        }
        if let Some(nested) = self.nested.remove(&name(id)) {
            self.outputs.push_back(Output::Order(Order::Clear { sandbox: nested.sandbox }));
        }
        Ok(())
    }

    /// Refuses to attach to the output or the input of a container, as Mesos does if master and agents are one process.
    pub fn attach_container(&self, id: &v1::ContainerId) -> Refusal {
        let of_executor = self.executors.values().any(|executor| executor.record.container == root(id));
        if !of_executor {
            return Refusal::new(404, format!("Container {} cannot be found", name(id)));
        }
        match self.find(id) {
            None => Refusal::new(500, format!("Unknown container {}", name(id))),
            Some(_) => not_in_local_mode(),
        }
    }

    /// What runs at an id.
    fn find(&self, id: &v1::ContainerId) -> Option<Found<'_>> {
        if let Some(nested) = self.nested.get(&name(id)).filter(|nested| nested.lives()) {
            return Some(Found::Nested(nested));
        }
        let (key, executor) = self.executors.iter().find(|(_, executor)| executor.record.container == root(id))?;
        let record = Some(&executor.record).filter(|record| record.stage() != Stage::Terminated)?;
        match &id.parent {
            None => Some(Found::Executor(key)),
            Some(parent) if parent.parent.is_none() => {
                let own = |task: &super::AgentTask| task.container.as_deref() == Some(&id.value);
                let mut live = record.tasks.iter().filter(|(_, task)| !is_terminal(task.state));
                live.find(|(_, task)| own(task)).map(|(task_id, _)| Found::Task(key, task_id))
            }
            Some(_) => None,
        }
    }

    /// Whether an outermost container of this id runs.
    fn is_root(&self, id: &str) -> bool {
        self.find(&v1::ContainerId { value: id.to_owned(), parent: None }).is_some()
    }

    /// Takes in what happened to a container that does not belong to an executor.
    pub(super) fn handle_nested(&mut self, event: Event) {
        let container = event.container().to_owned();
        let Some(nested) = self.nested.get_mut(&container) else { return };
        match event {
            Event::Started { process, .. } => (nested.pid, nested.life) = (process, Life::Running),
            Event::Failed { why: StartError::NotExecuted(why), .. } => {
                let (sandbox, stderr) = (nested.sandbox.clone(), format!("{why}\n"));
                self.outputs.push_back(Output::Order(Order::Write { sandbox, stdout: String::new(), stderr }));
                self.end_nested(&container, NOT_EXECUTED);
            }
            Event::Failed { why, .. } => nested.life = Life::Failed(why),
            Event::Ended { exit, .. } => {
                let status = exit.wait_status();
                self.end_nested(&container, if status < 0 { KILLED } else { status });
            }
            Event::Reported { .. } | Event::Probed { .. } => {}
        }
    }

    /// A container has ended, but is there until what is within it has ended too.
    fn end_nested(&mut self, container: &str, status: i32) {
        let waits = self.end_within(container);
        let Some(nested) = self.nested.get_mut(container) else { return };
        nested.life = if waits { Life::Ending(status) } else { Life::Ended(status) };
        let parent = nested.id.parent.as_ref().filter(|_| !waits).map(|parent| name(parent));
        let ending = parent.and_then(|parent| match self.nested.get(&parent)?.life {
            Life::Ending(status) => Some((parent, status)),
            _ => None,
        });
        if let Some((parent, status)) = ending {
            self.end_nested(&parent, status);
        }
    }

    /// Kills all containers within one. Returns whether there are any.
    pub(super) fn end_within(&mut self, container: &str) -> bool {
        let prefix = format!("{container}.");
        let within = self.nested.range(prefix.clone()..).take_while(|(name, _)| name.starts_with(&prefix));
        let live: Vec<_> = within.filter(|(_, nested)| nested.lives()).map(|(name, _)| name.clone()).collect();
        let waits = !live.is_empty();
        let kill = |container| Output::Order(Order::Stop { container, how: Stop::Kill });
        self.outputs.extend(live.into_iter().map(kill));
        waits
    }

    /// Kills the containers that do not belong to an executor.
    pub(super) fn end_alone(&mut self) {
        let live = self.nested.iter().filter(|(_, nested)| nested.lives() && nested.id.parent.is_none());
        for container in live.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.outputs.push_back(Output::Order(Order::Stop { container, how: Stop::Kill }));
        }
    }

    /// Forgets containers that have ended together with the outermost one.
    fn tidy(&mut self) {
        if self.nested.values().all(Nested::lives) {
            return;
        }
        let live = self.executors.values().filter(|executor| executor.record.stage() != Stage::Terminated);
        let alone = self.nested.values().filter(|nested| nested.lives() && nested.id.parent.is_none());
        let alone = alone.map(|nested| nested.id.value.clone());
        let roots: HashSet<_> = live.map(|executor| executor.record.container.clone()).chain(alone).collect();
        self.nested.retain(|_, nested| nested.lives() || roots.contains(root(&nested.id)));
    }
}
