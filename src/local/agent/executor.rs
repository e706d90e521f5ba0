//! An executor on an agent, with its tasks: a custom one in a process of its own, the one of a command task, or the
//! default one of task groups, which both live here. Follows `Executor` and its callers in `src/slave/slave.cpp`.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Instant;

use super::launch::{Volume, launch, mounts, sandbox};
use super::updates::Updates;
use super::{Config, ConnectionId, Output};
use crate::local::messages::{ToMaster, is_terminal, timestamp};
use crate::local::task::{Action, Outcome, Subject, TaskProcess, duration};
use crate::proto::v1::TaskState;
use crate::proto::v1::executor::{Event, event};
use crate::proto::v1::task_status::{Reason, Source};
use crate::proto::{has_capability, v1};

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
    /// The sandbox.
    pub directory: PathBuf,
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
        let container = uuid::Uuid::new_v4().to_string();
        let framework_id = framework.id.clone().unwrap_or_default().value;
        Self {
            directory: sandbox(context.config, &framework_id, &info.executor_id.value, &container),
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

    /// Where a task of it writes.
    pub fn sandbox_of(&self, task_id: &str) -> PathBuf {
        match &self.runner {
            Runner::Groups(_) => self.directory.join("tasks").join(task_id),
            Runner::Custom | Runner::Command(_) => self.directory.clone(),
        }
    }

    /// Where it is in its life.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether it is gone and nothing waits for an acknowledgement.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Terminated && self.tasks.is_empty()
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
    pub fn run(&mut self, context: &mut Context, tasks: Vec<v1::TaskInfo>, group: bool, volumes: &[Volume]) {
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
                    let (directory, mounts) = (self.directory.clone(), mounts(context.config, volumes));
                    context.outputs.push_back(Output::Mount(directory, mounts));
                    self.send_queued(context);
                }
            }
            Runner::Groups(_) => self.run_group(context, &tasks, volumes),
        }
    }

    fn start_container(&self, context: &mut Context, command: &v1::CommandInfo, volumes: &[Volume]) {
        let mut launch = launch(context.config, self, &self.container, &self.directory, command);
        launch.mounts = mounts(context.config, volumes);
        context.outputs.push_back(Output::Launch(Box::new(launch)));
    }

    fn run_group(&mut self, context: &mut Context, tasks: &[v1::TaskInfo], volumes: &[Volume]) {
        self.stage = Stage::Running;
        let killing = has_capability(&self.framework, v1::framework_info::capability::Type::TaskKillingState);
        let group: Vec<String> = tasks.iter().map(|task| task.task_id.value.clone()).collect();
        for task in tasks {
            let container = uuid::Uuid::new_v4().to_string();
            let directory = self.directory.join("tasks").join(&task.task_id.value);
            let command = task.command.clone().unwrap_or_default();
            let mut launch = launch(context.config, self, &container, &directory, &command);
            launch.mounts = mounts(context.config, volumes);
            context.outputs.push_back(Output::Launch(Box::new(launch)));
            let process = TaskProcess::new(task.clone(), killing);
            if let Runner::Groups(members) = &mut self.runner {
                members.insert(task.task_id.value.clone(), Member { container, process, group: group.clone() });
            }
        }
    }

    /// A container runs under this process id, or could not be started.
    pub fn launched(&mut self, context: &mut Context, container: &str, outcome: Result<u32, (Reason, String)>) {
        let unwanted = self.stage == Stage::Terminating;
        if let Ok(pid) = outcome
            && container == self.container
        {
            self.pid = Some(pid);
        }
        match (&mut self.runner, outcome) {
            (Runner::Custom, Ok(_)) => {}
            (Runner::Custom, Err((reason, why))) => {
                self.cause.get_or_insert((reason, why));
                self.terminated(context, None);
            }
            (Runner::Command(_), Err(failure)) => {
                self.stage = Stage::Terminated;
                self.with_process(context, container, |process, _| process.failed(failure.0, failure.1));
            }
            (Runner::Groups(_), Err(failure)) => {
                self.with_process(context, container, |process, _| process.failed(failure.0, failure.1));
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
            context.outputs.push_back(Output::Signal(container.to_owned(), libc::SIGKILL));
        }
    }

    /// A container's process ended, with a status as wait(2) gives it; `None` where it is not known.
    pub fn exited(&mut self, context: &mut Context, container: &str, status: Option<i32>) {
        match self.runner {
            Runner::Custom => {
                // What it left behind goes with it.
                context.outputs.push_back(Output::Signal(container.to_owned(), libc::SIGKILL));
                self.terminated(context, status);
            }
            Runner::Command(_) => {
                self.stage = Stage::Terminated;
                self.with_process(context, container, |process, _| process.exited(status));
            }
            Runner::Groups(_) => {
                self.with_process(context, container, |process, _| process.exited(status));
                self.group_member_ended(context, container);
            }
        }
    }

    /// One task of a group that does not finish well ends all of it; the executor ends with its last task
    /// (`src/launcher/default_executor.cpp`).
    fn group_member_ended(&mut self, context: &mut Context, container: &str) {
        let Runner::Groups(members) = &mut self.runner else { return };
        let Some((id, member)) = members.iter().find(|(_, member)| member.container == container) else { return };
        let finished = self.tasks.get(id).is_some_and(|task| task.state == TaskState::TaskFinished);
        let group = if finished { Vec::new() } else { member.group.clone() };
        for other in &group {
            self.kill_process(context, other, None);
        }
        let Runner::Groups(members) = &self.runner else { return };
        if members.values().all(|member| member.process.is_gone()) {
            self.terminated(context, Some(0));
        }
    }

    /// The executor is gone: what its tasks had still to do fails (`Slave::executorTerminated`).
    fn terminated(&mut self, context: &mut Context, status: Option<i32>) {
        self.stage = Stage::Terminated;
        (self.registration_due, self.kill_due) = (None, None);
        self.queued.clear();
        if let Some(connection) = self.connection.take() {
            context.outputs.push_back(Output::Close(connection));
        }
        if self.abandoned {
            self.tasks.clear();
            return;
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
            status: status.unwrap_or(-1),
        }));
    }

    /// SUBSCRIBE on a new stream, which takes the place of an older one; false where it is not to come any more.
    pub fn subscribe(
        &mut self,
        context: &mut Context,
        connection: ConnectionId,
        agent: &v1::AgentInfo,
        unacknowledged_tasks: &[v1::TaskInfo],
    ) -> bool {
        if !self.is_custom() || !matches!(self.stage, Stage::Registering | Stage::Running) {
            return false;
        }
        if let Some(older) = self.connection.replace(connection) {
            context.outputs.push_back(Output::Close(older));
        }
        self.registration_due = None;
        let again = std::mem::replace(&mut self.stage, Stage::Running) == Stage::Running;
        let subscribed = event::Subscribed {
            executor_info: self.info.clone(),
            framework_info: self.framework.clone(),
            agent_info: agent.clone(),
            container_id: Some(v1::ContainerId { value: self.container.clone(), parent: None }),
        };
        self.send(context, Event { subscribed: Some(subscribed), ..event_of(event::Type::Subscribed) });
        if again {
            self.lose_what_it_does_not_know(context, unacknowledged_tasks);
        }
        self.send_queued(context);
        // One whose tasks were all killed before it came is of no use.
        if self.queued.is_empty() && !self.served {
            self.shut_down(context);
        }
        true
    }

    /// A task that was sent on a stream that broke may never have come.
    fn lose_what_it_does_not_know(&mut self, context: &mut Context, known: &[v1::TaskInfo]) {
        let queued: Vec<&v1::TaskId> = self.queued.iter().flat_map(|q| &q.tasks).map(|task| &task.task_id).collect();
        let lost = self.tasks.values().filter(|task| {
            let id = &task.info.task_id;
            task.state == TaskState::TaskStaging && !queued.contains(&id) && !known.iter().any(|k| k.task_id == *id)
        });
        for task in lost.map(|task| task.info.clone()).collect::<Vec<_>>() {
            let why = "Task launched during agent restart";
            self.tell_for(context, &task, TaskState::TaskDropped, Reason::AgentRestarted, why);
        }
    }

    fn send_queued(&mut self, context: &mut Context) {
        if self.stage != Stage::Running || self.connection.is_none() {
            return;
        }
        for Queued { tasks, group } in std::mem::take(&mut self.queued) {
            self.served = true;
            if group {
                let task_group = v1::TaskGroupInfo { tasks };
                let launch_group = Some(event::LaunchGroup { task_group });
                self.send(context, Event { launch_group, ..event_of(event::Type::LaunchGroup) });
                continue;
            }
            for task in tasks {
                self.send(context, Event { launch: Some(event::Launch { task }), ..event_of(event::Type::Launch) });
            }
        }
    }

    /// The stream ended. Only the end of the process says that the executor is gone.
    pub fn disconnected(&mut self, connection: ConnectionId) {
        self.connection.take_if(|current| *current == connection);
    }

    /// KILL of one task; a group goes as a whole.
    pub fn kill(&mut self, context: &mut Context, task_id: &str, policy: Option<&v1::KillPolicy>) {
        if let Some(at) = self.queued.iter().position(|q| q.tasks.iter().any(|task| task.task_id.value == task_id)) {
            return self.kill_queued(context, at, task_id);
        }
        match &self.runner {
            Runner::Custom if self.stage == Stage::Running => {
                let kill = event::Kill { task_id: id(task_id), kill_policy: policy.cloned() };
                self.send(context, Event { kill: Some(kill), ..event_of(event::Type::Kill) });
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

    fn kill_queued(&mut self, context: &mut Context, at: usize, task_id: &str) {
        let queued = &mut self.queued[at];
        let ids: Vec<String> = if queued.group {
            queued.tasks.drain(..).map(|task| task.task_id.value).collect()
        } else {
            queued.tasks.retain(|task| task.task_id.value != task_id);
            vec![task_id.to_owned()]
        };
        if queued.tasks.is_empty() {
            self.queued.remove(at);
        }
        self.drop_before_delivery(context, &ids);
    }

    fn drop_before_delivery(&mut self, context: &mut Context, ids: &[String]) {
        let infos: Vec<_> = ids.iter().filter_map(|id| self.tasks.get(id)).map(|task| task.info.clone()).collect();
        for info in infos {
            let why = "Killed before delivery to the executor";
            self.tell_for(context, &info, TaskState::TaskKilled, Reason::TaskKilledDuringLaunch, why);
        }
    }

    fn kill_process(&mut self, context: &mut Context, task_id: &str, policy: Option<&v1::KillPolicy>) {
        let container = match &self.runner {
            Runner::Custom => return,
            Runner::Command(_) => self.container.clone(),
            Runner::Groups(members) => match members.get(task_id) {
                Some(member) => member.container.clone(),
                None => return,
            },
        };
        self.with_process(context, &container, |process, now| process.kill(now, policy));
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
            self.send(context, event_of(event::Type::Shutdown));
            // One that never subscribed cannot be asked.
            let grace = if connected || self.stage == Stage::Running { grace } else { std::time::Duration::ZERO };
            self.kill_due = Some(context.now + grace);
        } else {
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
        self.tasks.clear();
        self.queued.clear();
        if self.stage != Stage::Terminated {
            self.shut_down(context);
        }
    }

    /// Bytes from the scheduler; dropped where nobody listens.
    pub fn message(&mut self, context: &mut Context, data: Vec<u8>) {
        if self.stage == Stage::Running {
            self.send(context, Event { message: Some(event::Message { data }), ..event_of(event::Type::Message) });
        }
    }

    /// What a probe of a task found.
    pub fn probed(&mut self, context: &mut Context, container: &str, subject: Subject, outcome: &Outcome) {
        self.with_process(context, container, |process, now| process.probed(now, subject, outcome));
    }

    /// An acknowledgement; the next update goes out, and after the terminal one the task is over.
    pub fn acknowledge(&mut self, context: &mut Context, task_id: &str, uuid: &[u8]) {
        let Some(task) = self.tasks.get_mut(task_id) else { return };
        let next = task.updates.acknowledge(context.now, uuid);
        let (latest, over) = (task.state, is_terminal(task.state) && task.updates.is_empty());
        if let Some(status) = next {
            self.tell(context, status, latest);
        }
        if over && let Some(task) = self.tasks.remove(task_id) {
            self.completed.push_back(task);
            if self.completed.len() > MAX_COMPLETED_TASKS {
                self.completed.pop_front();
            }
        }
    }

    /// The scheduler is back: what is outstanding goes out again.
    pub fn resume(&mut self, context: &mut Context) {
        let resumed = |task: &mut AgentTask| task.updates.resume(context.now).map(|status| (status, task.state));
        let outstanding: Vec<_> = self.tasks.values_mut().filter_map(resumed).collect();
        outstanding.into_iter().for_each(|(status, latest)| self.tell(context, status, latest));
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, context: &mut Context) {
        let now = context.now;
        if self.registration_due.take_if(|due| *due <= now).is_some() {
            let timeout = crate::wire::duration::show(context.config.registration_timeout);
            let why = format!("Executor did not register within {timeout}");
            self.cause = Some((Reason::ExecutorRegistrationTimeout, why));
            self.stage = Stage::Terminating;
            self.kill_due = Some(now);
        }
        if self.kill_due.take_if(|due| *due <= now).is_some() {
            context.outputs.push_back(Output::Signal(self.container.clone(), libc::SIGKILL));
        }
        for container in self.containers() {
            self.with_process(context, &container, |process, now| process.handle_timeout(now));
        }
        let repeated = |task: &mut AgentTask| task.updates.repeat(now).map(|status| (status, task.state));
        let due: Vec<_> = self.tasks.values_mut().filter_map(repeated).collect();
        due.into_iter().for_each(|(status, latest)| self.tell(context, status, latest));
    }

    /// The executor, or the agent for it, reports on a task.
    pub fn update(&mut self, context: &mut Context, mut status: v1::TaskStatus) {
        let uuid = status.uuid.clone().unwrap_or_default();
        if self.is_custom() && status.source() == Source::Executor {
            let acknowledged = Some(event::Acknowledged { task_id: status.task_id.clone(), uuid: uuid.clone() });
            self.send(context, Event { acknowledged, ..event_of(event::Type::Acknowledged) });
        }
        if self.abandoned {
            return;
        }
        let task = self.tasks.entry(status.task_id.value.clone()).or_insert_with(|| {
            let info = v1::TaskInfo { task_id: status.task_id.clone(), ..Default::default() };
            AgentTask::new(info, false)
        });
        // What comes twice, or after the end, is not told of.
        if task.updates.knows(&uuid) || is_terminal(task.state) {
            return;
        }
        task.state = status.state();
        status.agent_id = Some(v1::AgentId { value: context.config.id.clone() });
        if task.launched && status.source() == Source::Executor {
            status.container_status = Some(self.container_status(&status.task_id.value));
        }
        let task = self.tasks.get_mut(&status.task_id.value).expect("inserted above");
        let (sent, latest) = (task.updates.push(context.now, status), task.state);
        if let Some(status) = sent {
            self.tell(context, status, latest);
        }
    }

    fn container_status(&self, task_id: &str) -> v1::ContainerStatus {
        let own = v1::ContainerId { value: self.container.clone(), parent: None };
        let container_id = match &self.runner {
            Runner::Groups(members) => members.get(task_id).map_or_else(
                || own.clone(),
                |member| v1::ContainerId { value: member.container.clone(), parent: Some(Box::new(own.clone())) },
            ),
            _ => own,
        };
        let ip_address = v1::network_info::IpAddress { ip_address: Some("127.0.0.1".to_owned()), ..Default::default() };
        let network = v1::NetworkInfo { ip_addresses: vec![ip_address], ..Default::default() };
        v1::ContainerStatus {
            container_id: Some(container_id),
            executor_pid: self.pid,
            network_infos: vec![network],
            ..Default::default()
        }
    }

    /// Does something with the process of a container, and what that asks for.
    fn with_process(&mut self, context: &mut Context, container: &str, act: impl FnOnce(&mut TaskProcess, Instant)) {
        let process = match &mut self.runner {
            Runner::Custom => None,
            Runner::Command(process) => Some(&mut **process),
            Runner::Groups(members) => {
                members.values_mut().find(|m| m.container == container).map(|member| &mut member.process)
            }
        };
        let Some(process) = process else { return };
        act(process, context.now);
        let actions: Vec<Action> = std::iter::from_fn(|| process.poll_action()).collect();
        for action in actions {
            match action {
                Action::Signal(signal) => context.outputs.push_back(Output::Signal(container.to_owned(), signal)),
                Action::Probe(subject, probe) => {
                    context.outputs.push_back(Output::Probe(container.to_owned(), subject, probe));
                }
                Action::Report(status) => self.report(context, *status),
            }
        }
    }

    /// What runs here reports as an executor does that is a process of its own.
    fn report(&mut self, context: &mut Context, status: v1::TaskStatus) {
        // Its container never ran: the agent says so.
        let of_agent = matches!(status.reason(), Reason::ContainerLaunchFailed) && status.reason.is_some();
        let source = if of_agent { Source::Agent } else { Source::Executor };
        let completed = v1::TaskStatus {
            source: Some(source.into()),
            executor_id: Some(self.info.executor_id.clone()),
            timestamp: Some(timestamp()),
            uuid: Some(uuid::Uuid::new_v4().into_bytes().to_vec()),
            ..status
        };
        // A task that was answered for already, as one killed before its container ran, is not told of again.
        if self.tasks.get(&completed.task_id.value).is_some_and(|task| !is_terminal(task.state)) {
            self.update(context, completed);
        }
    }

    fn lose(&mut self, context: &mut Context, task: &v1::TaskInfo) {
        let stage = if self.stage == Stage::Terminated { "terminated" } else { "terminating" };
        let why = format!("Executor {stage}");
        self.tell_for(context, task, TaskState::TaskDropped, Reason::ExecutorTerminated, &why);
    }

    /// The agent reports on a task by itself.
    fn tell_for(&mut self, context: &mut Context, task: &v1::TaskInfo, state: TaskState, reason: Reason, why: &str) {
        let aware = has_capability(&self.framework, v1::framework_info::capability::Type::PartitionAware);
        let state = if state == TaskState::TaskDropped && !aware { TaskState::TaskLost } else { state };
        let status = v1::TaskStatus {
            task_id: task.task_id.clone(),
            state: state.into(),
            source: Some(Source::Agent.into()),
            reason: Some(reason.into()),
            message: Some(why.to_owned()),
            executor_id: Some(self.info.executor_id.clone()),
            timestamp: Some(timestamp()),
            uuid: Some(uuid::Uuid::new_v4().into_bytes().to_vec()),
            ..Default::default()
        };
        self.update(context, status);
    }

    fn tell(&self, context: &mut Context, status: v1::TaskStatus, latest_state: TaskState) {
        let (framework_id, status) = (self.framework_id(), Box::new(status));
        context.outputs.push_back(Output::Tell(ToMaster::StatusUpdate { framework_id, status, latest_state }));
    }

    fn send(&self, context: &mut Context, event: Event) {
        if let Some(connection) = self.connection {
            context.outputs.push_back(Output::Send(connection, Box::new(event)));
        }
    }

    /// The containers that have, or had, processes.
    pub fn containers(&self) -> Vec<String> {
        match &self.runner {
            Runner::Custom | Runner::Command(_) => vec![self.container.clone()],
            Runner::Groups(members) => members.values().map(|member| member.container.clone()).collect(),
        }
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

fn event_of(kind: event::Type) -> Event {
    Event { r#type: Some(kind.into()), ..Default::default() }
}

fn id(task_id: &str) -> v1::TaskId {
    v1::TaskId { value: task_id.to_owned() }
}
