//! What an agent keeps of an executor, whatever runs its tasks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::launch::{Start, launch};
use super::{Context, Stage};
use crate::local::agent::updates::Updates;
use crate::local::backend::{Exit, Order, Run, Sandbox, Stop};
use crate::local::messages::{ToMaster, is_terminal};
use crate::local::task::{Action, TaskProcess};
use crate::local::timers::Timers;
use crate::proto::v1::TaskState;
use crate::proto::v1::task_status::Reason;
use crate::proto::{has_capability, v1};

/// Tasks of an executor that are over and still shown (`MAX_COMPLETED_TASKS_PER_EXECUTOR`).
const MAX_COMPLETED_TASKS: usize = 200;

/// A task as the agent keeps it.
#[derive(Debug)]
pub struct AgentTask {
    pub info: Arc<v1::TaskInfo>,
    /// The latest state that its executor told of.
    pub state: TaskState,
    pub updates: Updates,
    /// The last update of each state.
    pub statuses: Vec<v1::TaskStatus>,
    /// Its own container, within the executor's; `None` if it runs in that one.
    pub container: Option<String>,
    /// What is pretended in place of running it.
    pub(super) run: Option<Arc<Run>>,
    /// Whether it was launched, and not made up by its executor.
    pub(super) launched: bool,
    /// Whether its executor told of it.
    pub(super) reported: bool,
}

/// Why the tasks of an executor end with it, and in which state.
#[derive(Debug)]
pub struct Cause {
    pub state: TaskState,
    pub reason: Reason,
    pub why: String,
}

impl Cause {
    /// The tasks fail.
    pub fn new(reason: Reason, why: impl Into<String>) -> Self {
        Self { state: TaskState::TaskFailed, reason, why: why.into() }
    }

    /// Nothing more is known than that the executor ended.
    pub fn terminated() -> Self {
        Self::new(Reason::ExecutorTerminated, "Executor terminated")
    }
}

impl AgentTask {
    /// Whether the master launched it, and its executor did not make it up.
    pub fn is_launched(&self) -> bool {
        self.launched
    }

    pub(super) fn new(info: Arc<v1::TaskInfo>, launched: bool) -> Self {
        Self {
            info,
            state: TaskState::TaskStaging,
            updates: Updates::default(),
            statuses: Vec::new(),
            container: None,
            run: None,
            launched,
            reported: false,
        }
    }
}

/// An executor's framework, containers and tasks.
#[derive(Debug)]
pub struct Record {
    pub info: v1::ExecutorInfo,
    pub framework: Arc<v1::FrameworkInfo>,
    pub container: String,
    pub role: String,
    // In boxes: maps and queues have room for several, of which most executors have one.
    pub tasks: BTreeMap<String, Box<AgentTask>>,
    pub completed: VecDeque<Box<AgentTask>>,
    /// When an update of a task is to be repeated.
    pub(super) retries: Timers<String>,
    /// All containers that were started for it.
    pub containers: Vec<String>,
    /// The status of each that has ended, as wait(2) gives it.
    pub exits: Vec<(String, i32)>,
    pub(super) stage: Stage,
    pub(super) pid: Option<u32>,
    /// Whether it is a process of the framework's own.
    custom: bool,
    /// The framework is removed: nobody is to be told.
    pub(super) abandoned: bool,
}

impl Record {
    pub(super) fn new(
        container: String,
        framework: Arc<v1::FrameworkInfo>,
        info: v1::ExecutorInfo,
        role: String,
        custom: bool,
    ) -> Self {
        Self {
            info,
            framework,
            container,
            role,
            tasks: BTreeMap::new(),
            completed: VecDeque::new(),
            retries: Timers::default(),
            containers: Vec::new(),
            exits: Vec::new(),
            stage: Stage::Registering,
            pid: None,
            custom,
            abandoned: false,
        }
    }

    /// The framework's id.
    pub fn framework_id(&self) -> String {
        self.framework.id.clone().unwrap_or_default().value
    }

    /// Whether it is a process of the framework's own.
    pub fn is_custom(&self) -> bool {
        self.custom
    }

    /// Its tasks, those that are over first.
    pub fn all_tasks(&self) -> impl Iterator<Item = &AgentTask> {
        self.completed.iter().chain(self.tasks.values()).map(Box::as_ref)
    }

    /// A task of it, over or not.
    pub fn task(&self, id: &str) -> Option<&AgentTask> {
        let over = || self.completed.iter().rev().find(|task| task.info.task_id.value == id);
        self.tasks.get(id).or_else(over).map(Box::as_ref)
    }

    /// Its own sandbox.
    pub fn sandbox(&self) -> Sandbox {
        Sandbox {
            framework_id: self.framework_id(),
            executor_id: self.info.executor_id.value.clone(),
            run: self.container.clone(),
            ..Sandbox::default()
        }
    }

    /// Where a task of it writes.
    pub fn sandbox_of(&self, task: &AgentTask) -> Sandbox {
        let task_id = task.container.as_ref().map(|_| task.info.task_id.value.clone());
        Sandbox { task_id, ..self.sandbox() }
    }

    /// The task of a command that this is the executor of, if it is that.
    pub fn command_task(&self) -> Option<&v1::TaskInfo> {
        let of_command = self.info.command.is_none() && self.info.r#type.is_none() && !self.custom;
        self.all_tasks().next().filter(|_| of_command).map(|task| &*task.info)
    }

    /// The first process of its container, if it has one.
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Whether its framework is removed, so that updates of its tasks are not sent.
    pub fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    /// Where it is in its life.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether it is gone, or never was, and nothing waits for an acknowledgement.
    pub fn is_over(&self) -> bool {
        let gone = self.stage == Stage::Terminated || self.containers.is_empty();
        gone && (self.abandoned || self.tasks.is_empty())
    }

    /// Whether a task that was launched reached its executor, provided that none is queued (`Executor::everSentTask`).
    pub(super) fn ever_sent_task(&self) -> bool {
        self.all_tasks().any(|task| task.launched && (task.reported || !is_terminal(task.state)))
    }

    /// Whether its framework wants to be told TASK_KILLING.
    pub(super) fn tells_killing(&self) -> bool {
        has_capability(&self.framework, v1::framework_info::capability::Type::TaskKillingState)
    }

    /// Keeps the first status of a container that has ended, as wait(2) gives it.
    pub(super) fn note_exit(&mut self, container: &str, status: i32) {
        if !self.exits.iter().any(|(ended, _)| ended == container) {
            self.exits.push((container.to_owned(), status));
        }
    }

    pub(super) fn add(&mut self, tasks: &[Arc<v1::TaskInfo>], runs: Vec<Option<Arc<Run>>>) {
        let runs = runs.into_iter().chain(std::iter::repeat(None));
        for (info, run) in tasks.iter().zip(runs) {
            let task = AgentTask { run, ..AgentTask::new(info.clone(), true) };
            self.tasks.insert(info.task_id.value.clone(), Box::new(task));
        }
    }

    pub(super) fn start_container(&mut self, context: &mut Context, start: Start) {
        self.containers.push(start.container.to_owned());
        let launch = launch(context.config, self, start);
        context.order(Order::Start(Box::new(launch)));
    }

    /// Does something with the process of a task that runs here, and what that asks for.
    pub(super) fn drive(
        &mut self,
        context: &mut Context,
        container: &str,
        process: &mut TaskProcess,
        act: impl FnOnce(&mut TaskProcess, Instant),
    ) {
        act(process, context.now);
        while let Some(action) = process.poll_action() {
            let container = container.to_owned();
            match action {
                Action::Stop(how) => context.order(Order::Stop { container, how }),
                Action::Probe(subject, probe) => context.order(Order::Probe { container, subject, probe }),
                Action::Report(status) => self.report(context, *status),
            }
        }
    }

    /// Nothing more will happen to it: keeps no room for more.
    pub fn compact(&mut self) {
        self.retries = Timers::default();
        if self.tasks.is_empty() {
            self.tasks = BTreeMap::new();
        }
        for task in &mut self.completed {
            task.updates = Updates::default();
            task.statuses.shrink_to_fit();
        }
        self.completed.shrink_to_fit();
        self.containers.shrink_to_fit();
        self.exits.shrink_to_fit();
    }

    /// The framework is removed: its tasks' updates go nowhere.
    pub(super) fn abandon(&mut self) {
        self.abandoned = true;
        self.tasks.values_mut().for_each(|task| task.updates = Updates::default());
        self.retries = Timers::default();
    }

    /// The executor is gone: what its tasks had still to do fails (`Slave::executorTerminated`).
    pub(super) fn terminated(&mut self, context: &mut Context, exit: &Exit, cause: Option<Cause>) {
        self.stage = Stage::Terminated;
        self.note_exit(&self.container.clone(), exit.wait_status());
        if self.abandoned {
            let live = self.tasks.values_mut().filter(|task| !is_terminal(task.state));
            return live.for_each(|task| task.state = TaskState::TaskKilled);
        }
        // Updates take the way through the task status update manager there, and the exit overtakes them.
        context.outputs.push_back(super::Output::Tell(ToMaster::ExitedExecutor {
            framework_id: self.framework_id(),
            executor_id: self.info.executor_id.value.clone(),
            agent_id: context.config.id.clone(),
            status: exit.wait_status(),
        }));
        self.fail(context, cause.unwrap_or_else(Cause::terminated));
    }

    /// The executor, which has no process of its own, was killed, and the containers of its tasks with it.
    pub(super) fn killed(&mut self, context: &mut Context, containers: impl Iterator<Item = String>, cause: Cause) {
        containers.for_each(|container| context.order(Order::Stop { container, how: Stop::Kill }));
        let exit = Exit::Signaled { number: 9, name: "Killed".to_owned(), core_dumped: false };
        self.terminated(context, &exit, Some(cause));
    }

    /// Its tasks fail, as the agent says.
    pub(super) fn fail(&mut self, context: &mut Context, Cause { state, reason, why }: Cause) {
        let live = self.tasks.values().filter(|task| !is_terminal(task.state));
        for task in live.map(|task| task.info.clone()).collect::<Vec<_>>() {
            self.tell_for(context, &task, state, reason, &why);
        }
    }

    /// A task whose last update is acknowledged is over.
    pub(super) fn complete(&mut self, task_id: &str) {
        self.retries.set(&task_id.to_owned(), None);
        if let Some(task) = self.tasks.remove(task_id).filter(|task| is_terminal(task.state)) {
            self.completed.push_back(task);
            if self.completed.len() > MAX_COMPLETED_TASKS {
                self.completed.pop_front();
            }
        }
    }
}
