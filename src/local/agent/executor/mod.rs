//! An executor on an agent, with its tasks. What all executors have is a [`Record`]; what runs the tasks is a [`Runner`],
//! of which there are four: `custom`, `command`, `group` and `simulated`. Follows `Executor` and its callers in
//! `src/slave/slave.cpp`.

mod command;
mod custom;
mod group;
pub mod launch;
mod record;
mod simulated;
mod tasks;

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

use self::launch::RoleVolume;
pub use self::record::{AgentTask, Cause, Record};
use self::{command::Command, custom::Custom, group::Group, simulated::Simulated};
use super::{Config, ConnectionId, Draining, Output};
use crate::local::backend::{Event, Order, Run, StartError, Stop};
use crate::local::messages::is_terminal;
use crate::local::task::duration;
use crate::local::world::World;
use crate::proto::v1;
use crate::proto::v1::TaskState;
use crate::proto::v1::container_info::Type as ContainerType;
use crate::proto::v1::executor_info::Type;
use crate::proto::v1::task_status::{Reason, Source};
use crate::wire::duration::Period;

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
    pub draining: Option<Draining>,
    pub world: &'a mut World,
    pub outputs: &'a mut VecDeque<Output>,
}

impl Context<'_> {
    /// Gives an order to the agent's backend.
    fn order(&mut self, order: Order) {
        self.outputs.push_back(Output::Order(order));
    }
}

/// Runs the tasks of an executor: a process of the framework's own, or the agent itself.
trait Runner: Debug {
    /// Runs tasks that the record has already. The first ones start the executor.
    fn run(
        &mut self,
        record: &mut Record,
        context: &mut Context,
        tasks: Vec<Arc<v1::TaskInfo>>,
        group: bool,
        volumes: &[RoleVolume],
    );

    /// Takes in what happened to one of the executor's containers.
    fn handle_backend(&mut self, record: &mut Record, context: &mut Context, event: Event);

    /// Kills a task; the tasks of a group together.
    fn kill(&mut self, record: &mut Record, context: &mut Context, task_id: &str, policy: Option<&v1::KillPolicy>);

    /// The executor's own process is killed, and with it all that it runs.
    fn kill_executor(&mut self, record: &mut Record, context: &mut Context, cause: Cause);

    /// Ends everything, within `grace`.
    fn shut_down(&mut self, record: &mut Record, context: &mut Context, grace: Period);

    /// When to call `handle_timeout` at the latest.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Does what is due.
    fn handle_timeout(&mut self, record: &mut Record, context: &mut Context);

    /// The runner that speaks the executor API, if this is it.
    fn custom(&mut self) -> Option<&mut Custom> {
        None
    }
}

/// An executor.
#[derive(Debug)]
pub struct Executor {
    pub record: Record,
    runner: Box<dyn Runner>,
}

impl Executor {
    /// An executor in a new container, which the first call of `run` starts. Without `info` it is the one of a command
    /// task. A custom one whose tasks are `simulated` has no process.
    pub fn new(
        container: String,
        framework: Arc<v1::FrameworkInfo>,
        info: Option<v1::ExecutorInfo>,
        role: String,
        task: &Arc<v1::TaskInfo>,
        simulated: bool,
    ) -> Self {
        let kind = info.as_ref().map(v1::ExecutorInfo::r#type);
        let custom = kind.is_some_and(|kind| kind != Type::Default);
        let record =
            Record::new(container, framework, info.unwrap_or_else(|| command::executor_info(task)), role, custom);
        let runner: Box<dyn Runner> = match kind {
            None => Box::new(Command::new(&record, task.clone())),
            Some(Type::Default) => Box::new(Group::default()),
            Some(_) if simulated => Box::new(Simulated::default()),
            Some(_) => Box::new(Custom::default()),
        };
        Self { record, runner }
    }

    /// When to call `handle_timeout` at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.record.retries.first().into_iter().chain(self.runner.poll_timeout()).min()
    }

    /// Takes tasks in; the first ones start the executor.
    pub fn run(
        &mut self,
        context: &mut Context,
        tasks: Vec<Arc<v1::TaskInfo>>,
        runs: Vec<Option<Arc<Run>>>,
        group: bool,
        volumes: &[RoleVolume],
    ) {
        if self.is_ending() {
            return tasks.iter().for_each(|task| self.record.lose(context, task));
        }
        self.record.add(&tasks, runs);
        if let Some(why) = limited(&tasks) {
            return tasks.iter().for_each(|task| self.record.drop_task(context, task, why));
        }
        self.runner.run(&mut self.record, context, tasks, group, volumes);
    }

    /// Takes in what happened to one of its containers.
    pub fn handle_backend(&mut self, context: &mut Context, event: Event) {
        // What was to end before it ran.
        let unwanted = match &event {
            Event::Started { container, .. } if self.record.stage == Stage::Terminating => Some(container.clone()),
            _ => None,
        };
        if let Event::Ended { container, exit } = &event {
            self.record.note_exit(container, exit.wait_status());
        }
        self.runner.handle_backend(&mut self.record, context, event);
        if let Some(container) = unwanted {
            context.order(Order::Stop { container, how: Stop::Kill });
        }
    }

    /// KILL of one task; a group goes as a whole.
    pub fn kill(&mut self, context: &mut Context, task_id: &str, policy: Option<&v1::KillPolicy>) {
        self.runner.kill(&mut self.record, context, task_id, policy);
    }

    /// SHUTDOWN, and the end of the container after the grace period.
    pub fn shut_down(&mut self, context: &mut Context) {
        if self.is_ending() {
            return;
        }
        let wanted = self.record.info.shutdown_grace_period.as_ref();
        let grace = wanted.map_or(context.config.shutdown_grace_period, duration);
        self.runner.shut_down(&mut self.record, context, grace);
        self.record.stage = Stage::Terminating;
        self.handle_timeout(context);
    }

    /// The executor is killed at once, or what it runs goes beyond its limits; its tasks end for this cause.
    pub fn kill_executor(&mut self, context: &mut Context, cause: Cause) {
        if self.record.stage != Stage::Terminated && !self.record.containers.is_empty() {
            self.runner.kill_executor(&mut self.record, context, cause);
        }
    }

    /// The agent's process is another one, which recovered this executor.
    pub fn agent_restarted(&mut self, context: &mut Context) {
        if let Some(custom) = self.runner.custom() {
            custom.agent_restarted(&mut self.record, context);
        }
    }

    /// Whether it did not subscribe again in time (`Slave::reregisterExecutorTimeout`).
    pub fn is_unsubscribed(&self) -> bool {
        self.record.is_custom() && self.record.stage == Stage::Registering
    }

    /// Nobody knows of it any more: its containers are killed, and nothing is told of its tasks.
    pub fn forget(&mut self, context: &mut Context) {
        self.record.abandon();
        self.record.stage = Stage::Terminated;
        let container = self.record.container.clone();
        self.record.note_exit(&container, libc::SIGKILL);
        let live = self.record.tasks.values_mut().filter(|task| !is_terminal(task.state));
        live.for_each(|task| task.state = TaskState::TaskKilled);
        for container in self.record.containers.clone() {
            context.order(Order::Stop { container, how: Stop::Kill });
        }
    }

    /// The framework is removed: end, and tell nobody.
    pub fn abandon(&mut self, context: &mut Context) {
        self.record.abandon();
        self.shut_down(context);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, context: &mut Context) {
        self.runner.handle_timeout(&mut self.record, context);
        self.record.repeat_updates(context);
    }

    /// SUBSCRIBE on a new stream, which replaces an older one. Returns false if the executor is no longer to subscribe.
    pub fn subscribe(
        &mut self,
        context: &mut Context,
        connection: ConnectionId,
        agent: &v1::AgentInfo,
        unacknowledged_tasks: &[v1::TaskInfo],
    ) -> bool {
        if self.is_ending() {
            return false;
        }
        let Some(custom) = self.runner.custom() else { return false };
        if !custom.subscribe(&mut self.record, context, connection, agent, unacknowledged_tasks) {
            self.shut_down(context);
        }
        true
    }

    /// The process reports on a task. An update that names another agent is ignored.
    pub fn update(&mut self, context: &mut Context, status: v1::TaskStatus) {
        if status.agent_id.as_ref().is_some_and(|agent| agent.value != context.config.id) {
            return;
        }
        if let Some(custom) = self.runner.custom()
            && status.source() == Source::Executor
        {
            custom.acknowledge(context, &status);
        }
        self.record.update(context, status);
    }

    /// Passes bytes from the scheduler; drops them if the executor is not subscribed.
    pub fn message(&mut self, context: &mut Context, data: Vec<u8>) {
        if let Some(custom) = self.runner.custom()
            && self.record.stage == Stage::Running
        {
            custom.message(context, data);
        }
    }

    /// A stream ended. Only the end of the process says that the executor is gone.
    pub fn disconnected(&mut self, connection: ConnectionId) {
        if let Some(custom) = self.runner.custom() {
            custom.disconnected(connection);
        }
    }

    fn is_ending(&self) -> bool {
        matches!(self.record.stage, Stage::Terminating | Stage::Terminated)
    }
}

/// What an agent without the isolators of cgroups says of tasks with resource limits
/// (`Slave::validateResourceLimitsAndIsolators`).
fn limited(tasks: &[Arc<v1::TaskInfo>]) -> Option<&'static str> {
    let docker =
        |task: &Arc<v1::TaskInfo>| task.container.as_ref().is_some_and(|c| c.r#type() == ContainerType::Docker);
    let others = || tasks.iter().filter(|task| !docker(task));
    let limits = [
        (
            "cpus",
            "CPU limits can only be set on tasks launched in Mesos containers when the agent has loaded the \
             'cgroups/cpu' isolator",
        ),
        (
            "mem",
            "Memory limits can only be set on tasks launched in Mesos containers when the agent has loaded the \
             'cgroups/mem' isolator",
        ),
    ];
    limits.iter().find(|(name, _)| others().any(|task| task.limits.contains_key(*name))).map(|(_, why)| *why)
}

/// Why the tasks of an executor fail whose container could not be started.
fn not_launched(why: &StartError) -> Cause {
    match why {
        // No containerizer took it.
        StartError::NoContainerizer => {
            Cause::new(Reason::ExecutorTerminated, format!("Abnormal executor termination: {why}"))
        }
        _ => Cause::new(Reason::ContainerLaunchFailed, format!("Failed to launch container: {why}")),
    }
}
