//! An executor on an agent, with its tasks: a custom one in a process of its own, the one of a command task, or the
//! default one of task groups, which both live here. Follows `Executor` and its callers in `src/slave/slave.cpp`.

mod processes;
mod stream;
mod tasks;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::launch::{self, RoleVolume, launch};
use super::updates::Updates;
use super::{Config, ConnectionId, Output};
use crate::local::backend::{Exit, Sandbox, Stop};
use crate::local::messages::{ToMaster, is_terminal};
use crate::local::task::{OWN_GRACE, TaskProcess, duration};
use crate::local::world::World;
use crate::proto::v1::TaskState;
use crate::proto::v1::executor::{Event, event};
use crate::proto::v1::task_status::Reason;
use crate::proto::{has_capability, v1};
use crate::wire::duration::Period;

/// Tasks of an executor that are over and still shown (`MAX_COMPLETED_TASKS_PER_EXECUTOR`).
const MAX_COMPLETED_TASKS: usize = 200;

/// Where an executor is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its container is being started, or it did not subscribe yet.
    Registering,
    Running,
    /// It is to end.
    Terminating,
    /// Its processes are gone.
    Terminated,
}

/// What the agent's surroundings are while it looks at one executor.
pub struct Context<'a> {
    pub config: &'a Config,
    pub now: Instant,
    pub world: &'a mut World,
    pub outputs: &'a mut VecDeque<Output>,
}

/// A task as the agent keeps it.
#[derive(Debug)]
pub struct AgentTask {
    pub info: v1::TaskInfo,
    /// The latest state that its executor told of.
    pub state: TaskState,
    pub updates: Updates,
    /// Whether it was launched, and not made up by its executor.
    launched: bool,
}

impl AgentTask {
    fn new(info: v1::TaskInfo, launched: bool) -> Self {
        Self { info, state: TaskState::TaskStaging, updates: Updates::default(), launched }
    }
}

/// Tasks that wait for their executor; those of a group go together.
#[derive(Debug)]
struct Queued {
    tasks: Vec<v1::TaskInfo>,
    group: bool,
}

/// Who runs the tasks.
#[derive(Debug)]
enum Runner {
    Custom,
    Command(Box<TaskProcess>),
    /// By task.
    Groups(BTreeMap<String, Member>),
}

/// A task of a group, in a container within its executor's.
#[derive(Debug)]
struct Member {
    container: String,
    process: TaskProcess,
    /// The tasks of its group, itself among them.
    group: Vec<String>,
}

/// An executor.
#[derive(Debug)]
pub struct Executor {
    pub info: v1::ExecutorInfo,
    pub framework: v1::FrameworkInfo,
    pub container: String,
    pub role: String,
    pub tasks: BTreeMap<String, AgentTask>,
    pub completed: VecDeque<AgentTask>,
    stage: Stage,
    runner: Runner,
    pid: Option<u32>,
    connection: Option<ConnectionId>,
    queued: Vec<Queued>,
    /// Whether a task ever reached it.
    served: bool,
    registration_due: Option<Instant>,
    kill_due: Option<Instant>,
    /// Why its tasks fail when it ends.
    cause: Option<(Reason, String)>,
    /// The framework is removed: nobody is to be told.
    abandoned: bool,
}

impl Executor {
    /// An executor in a new container, which is started. Without `info` it is the one of a command task.
    pub fn start(
        context: &mut Context,
        framework: v1::FrameworkInfo,
        info: Option<v1::ExecutorInfo>,
        role: String,
        task: &v1::TaskInfo,
    ) -> Self {
        let killing = has_capability(&framework, v1::framework_info::capability::Type::TaskKillingState);
        let runner = match info.as_ref().map(v1::ExecutorInfo::r#type) {
            None => Runner::Command(Box::new(TaskProcess::new(task.clone(), killing))),
            Some(v1::executor_info::Type::Default) => Runner::Groups(BTreeMap::new()),
            Some(_) => Runner::Custom,
        };
        let info = info.unwrap_or_else(|| of_command(task));
        let container = context.world.uuid().to_string();
        Self {
            info,
            framework,
            container,
            role,
            tasks: BTreeMap::new(),
            completed: VecDeque::new(),
            stage: Stage::Registering,
            runner,
            pid: None,
            connection: None,
            queued: Vec::new(),
            served: false,
            registration_due: None,
            kill_due: None,
            cause: None,
            abandoned: false,
        }
    }

    /// The framework's id.
    pub fn framework_id(&self) -> String {
        self.framework.id.clone().unwrap_or_default().value
    }

    /// Whether it is a process of the framework's own.
    pub fn is_custom(&self) -> bool {
        matches!(self.runner, Runner::Custom)
    }

    /// Its tasks, those that are over first.
    pub fn all_tasks(&self) -> impl Iterator<Item = &AgentTask> {
        self.completed.iter().chain(self.tasks.values())
    }

    /// Its own sandbox.
    pub fn sandbox(&self) -> Sandbox {
        Sandbox {
            framework_id: self.framework_id(),
            executor_id: self.info.executor_id.value.clone(),
            run: self.container.clone(),
            task_id: None,
        }
    }

    /// Where a task of it writes.
    pub fn sandbox_of(&self, task_id: &str) -> Sandbox {
        let task_id = matches!(self.runner, Runner::Groups(_)).then(|| task_id.to_owned());
        Sandbox { task_id, ..self.sandbox() }
    }

    /// Where it is in its life.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether it is gone and nothing waits for an acknowledgement.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Terminated && (self.abandoned || self.tasks.is_empty())
    }

    /// When to call `handle_timeout` at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let of_runner = match &self.runner {
            Runner::Custom => None,
            Runner::Command(process) => process.poll_timeout(),
            Runner::Groups(members) => members.values().filter_map(|m| m.process.poll_timeout()).min(),
        };
        let updates = self.tasks.values().filter_map(|task| task.updates.due());
        updates.chain(of_runner).chain(self.registration_due).chain(self.kill_due).min()
    }

    /// Takes tasks in; the first ones start the executor.
    pub fn run(&mut self, context: &mut Context, tasks: Vec<v1::TaskInfo>, group: bool, volumes: &[RoleVolume]) {
        if matches!(self.stage, Stage::Terminating | Stage::Terminated) {
            return tasks.iter().for_each(|task| self.lose(context, task));
        }
        let first = self.tasks.is_empty() && self.pid.is_none() && self.queued.is_empty();
        for info in &tasks {
            self.tasks.insert(info.task_id.value.clone(), AgentTask::new(info.clone(), true));
        }
        match &self.runner {
            Runner::Command(_) => {
                let command = tasks.first().and_then(|task| task.command.clone()).unwrap_or_default();
                self.start_container(context, &command, volumes);
            }
            Runner::Custom => {
                self.queued.push(Queued { tasks, group });
                if first && self.stage == Stage::Registering && self.registration_due.is_none() {
                    self.registration_due = Some(context.now + context.config.registration_timeout);
                    let command = self.info.command.clone().unwrap_or_default();
                    self.start_container(context, &command, volumes);
                } else {
                    if !volumes.is_empty() {
                        context.outputs.push_back(Output::AddVolumes(self.sandbox(), launch::volumes(volumes)));
                    }
                    self.send_queued(context);
                }
            }
            Runner::Groups(_) => self.run_group(context, &tasks, volumes),
        }
    }

    fn start_container(&self, context: &mut Context, command: &v1::CommandInfo, volumes: &[RoleVolume]) {
        let launch = launch(context.config, self, &self.container, self.sandbox(), command, volumes);
        context.outputs.push_back(Output::Start(Box::new(launch)));
    }

    /// A container runs under this process id, or could not be started, and why.
    pub fn launched(&mut self, context: &mut Context, container: &str, outcome: Result<u32, String>) {
        let reason = Reason::ContainerLaunchFailed;
        let unwanted = self.stage == Stage::Terminating;
        if let Ok(pid) = outcome
            && container == self.container
        {
            self.pid = Some(pid);
        }
        match (&mut self.runner, outcome) {
            (Runner::Custom, Ok(_)) => {}
            (Runner::Custom, Err(why)) => {
                self.cause.get_or_insert((reason, why));
                self.terminated(context, &Exit::Unknown);
            }
            (Runner::Command(_), Err(why)) => {
                self.stage = Stage::Terminated;
                self.with_process(context, container, |process, _| process.failed(reason, why));
            }
            (Runner::Groups(_), Err(why)) => {
                self.with_process(context, container, |process, _| process.failed(reason, why));
                self.group_member_ended(context, container);
            }
            (_, Ok(_)) => {
                if !unwanted {
                    self.stage = Stage::Running;
                }
                self.with_process(context, container, |process, now| {
                    process.starting();
                    process.started(now);
                });
            }
        }
        if unwanted {
            context.outputs.push_back(Output::Stop(container.to_owned(), Stop::Kill));
        }
    }

    /// A container's processes are gone; how its command ended.
    pub fn exited(&mut self, context: &mut Context, container: &str, exit: &Exit) {
        match self.runner {
            Runner::Custom => self.terminated(context, exit),
            Runner::Command(_) => {
                self.stage = Stage::Terminated;
                self.with_process(context, container, |process, _| process.exited(exit));
            }
            Runner::Groups(_) => {
                self.with_process(context, container, |process, _| process.exited(exit));
                self.group_member_ended(context, container);
            }
        }
    }

    /// The executor is gone: what its tasks had still to do fails (`Slave::executorTerminated`).
    fn terminated(&mut self, context: &mut Context, exit: &Exit) {
        self.stage = Stage::Terminated;
        (self.registration_due, self.kill_due) = (None, None);
        self.queued.clear();
        if let Some(connection) = self.connection.take() {
            context.outputs.push_back(Output::Close(connection));
        }
        if self.abandoned {
            let live = self.tasks.values_mut().filter(|task| !is_terminal(task.state));
            return live.for_each(|task| task.state = TaskState::TaskKilled);
        }
        let (reason, why) = self.cause.take().unwrap_or((Reason::ExecutorTerminated, "Executor terminated".to_owned()));
        let live = self.tasks.values().filter(|task| !is_terminal(task.state));
        for task in live.map(|task| task.info.clone()).collect::<Vec<_>>() {
            self.tell_for(context, &task, TaskState::TaskFailed, reason, &why);
        }
        context.outputs.push_back(Output::Tell(ToMaster::ExitedExecutor {
            framework_id: self.framework_id(),
            executor_id: self.info.executor_id.value.clone(),
            agent_id: context.config.id.clone(),
            status: exit.wait_status(),
        }));
    }

    /// KILL of one task; a group goes as a whole.
    pub fn kill(&mut self, context: &mut Context, task_id: &str, policy: Option<&v1::KillPolicy>) {
        if let Some(at) = self.queued.iter().position(|q| q.tasks.iter().any(|task| task.task_id.value == task_id)) {
            return self.kill_queued(context, at, task_id);
        }
        match &self.runner {
            Runner::Custom if self.stage == Stage::Running => {
                let kill = event::Kill { task_id: id(task_id), kill_policy: policy.cloned() };
                self.send(context, Event { kill: Some(kill), ..Event::of(event::Type::Kill) });
            }
            Runner::Custom => {}
            Runner::Command(process) if self.stage == Stage::Registering && !process.is_gone() => {
                self.drop_before_delivery(context, &[task_id.to_owned()]);
                self.stage = Stage::Terminating;
            }
            Runner::Command(_) => self.kill_process(context, task_id, policy),
            Runner::Groups(members) => {
                let group = members.get(task_id).map(|member| member.group.clone()).unwrap_or_default();
                group.iter().for_each(|other| self.kill_process(context, other, policy));
            }
        }
    }

    /// SHUTDOWN, and the end of the container after the grace period.
    pub fn shut_down(&mut self, context: &mut Context) {
        if matches!(self.stage, Stage::Terminating | Stage::Terminated) {
            return;
        }
        let grace = self.info.shutdown_grace_period.as_ref().map_or(context.config.shutdown_grace_period, duration);
        if self.is_custom() {
            self.registration_due = None;
            let connected = self.connection.is_some();
            self.send(context, Event::of(event::Type::Shutdown));
            // One that never subscribed cannot be asked.
            let grace = if connected || self.stage == Stage::Running { grace } else { Period::ZERO };
            self.kill_due = Some(context.now + grace);
        } else {
            // Mesos' own executors keep so much for their own end.
            let grace = grace.saturating_sub(OWN_GRACE);
            for container in self.containers() {
                self.with_process(context, &container, |process, now| process.shut_down(now, grace));
            }
        }
        self.stage = Stage::Terminating;
        self.handle_timeout(context);
    }

    /// The framework is removed: end, and tell nobody.
    pub fn abandon(&mut self, context: &mut Context) {
        self.abandoned = true;
        self.tasks.values_mut().for_each(|task| task.updates = Updates::default());
        self.queued.clear();
        if self.stage != Stage::Terminated {
            self.shut_down(context);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, context: &mut Context) {
        let now = context.now;
        if self.registration_due.take_if(|due| *due <= now).is_some() {
            let timeout = context.config.registration_timeout;
            let why = format!("Executor did not register within {timeout}");
            self.cause = Some((Reason::ExecutorRegistrationTimeout, why));
            self.stage = Stage::Terminating;
            self.kill_due = Some(now);
        }
        if self.kill_due.take_if(|due| *due <= now).is_some() {
            context.outputs.push_back(Output::Stop(self.container.clone(), Stop::Kill));
        }
        for container in self.containers() {
            self.with_process(context, &container, |process, now| process.handle_timeout(now));
        }
        let repeated = |task: &mut AgentTask| task.updates.repeat(now).map(|status| (status, task.state));
        let due: Vec<_> = self.tasks.values_mut().filter_map(repeated).collect();
        due.into_iter().for_each(|(status, latest)| self.tell(context, status, latest));
    }
}

/// What the agent makes of a command task (`Slave::getExecutorInfo`).
#[allow(deprecated)]
fn of_command(task: &v1::TaskInfo) -> v1::ExecutorInfo {
    let id = &task.task_id.value;
    v1::ExecutorInfo {
        executor_id: v1::ExecutorId { value: id.clone() },
        name: Some(format!("Command Executor (Task: {id})")),
        source: Some(id.clone()),
        ..Default::default()
    }
}

fn id(task_id: &str) -> v1::TaskId {
    v1::TaskId { value: task_id.to_owned() }
}
