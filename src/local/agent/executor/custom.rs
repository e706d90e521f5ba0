//! An executor in a process of the framework's own, which subscribes and is sent tasks, kills and messages on its
//! stream. Follows `Slave::subscribe` in `src/slave/slave.cpp`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::launch::{self, RoleVolume, Start};
use super::{Cause, ConnectionId, Context, Output, Record, Runner, Stage, not_launched};
use crate::local::backend::{Event as Happening, Exit, Order, Stop};
use crate::proto::v1;
use crate::proto::v1::TaskState;
use crate::proto::v1::executor::{Event, event};
use crate::proto::v1::task_status::Reason;
use crate::wire::duration::Period;

/// Passes tasks on to a process.
#[derive(Debug, Default)]
pub struct Custom {
    connection: Option<ConnectionId>,
    queued: Vec<Queued>,
    registration_due: Option<Instant>,
    kill_due: Option<Instant>,
    /// Why its tasks fail when it ends.
    cause: Option<Cause>,
}

/// Tasks that wait for their executor; those of a group go together.
#[derive(Debug)]
struct Queued {
    tasks: Vec<Arc<v1::TaskInfo>>,
    group: bool,
}

impl Custom {
    /// SUBSCRIBE on a new stream, which replaces an older one. Returns false if there is nothing for the process to do:
    /// all its tasks were killed or lost before they reached it (`Executor::everSentTask`).
    pub fn subscribe(
        &mut self,
        record: &mut Record,
        context: &mut Context,
        connection: ConnectionId,
        agent: &v1::AgentInfo,
        unacknowledged_tasks: &[v1::TaskInfo],
    ) -> bool {
        if let Some(older) = self.connection.replace(connection) {
            context.outputs.push_back(Output::Close(older));
        }
        self.registration_due = None;
        record.stage = Stage::Running;
        self.lose_what_it_does_not_know(record, context, unacknowledged_tasks);
        if self.queued.is_empty() && !record.ever_sent_task() {
            return false;
        }
        let subscribed = event::Subscribed {
            executor_info: record.info.clone(),
            framework_info: (*record.framework).clone(),
            agent_info: agent.clone(),
            container_id: Some(v1::ContainerId { value: record.container.clone(), parent: None }),
        };
        self.send(context, Event { subscribed: Some(subscribed), ..Event::of(event::Type::Subscribed) });
        self.send_queued(record, context);
        true
    }

    /// Says that an update came.
    pub fn acknowledge(&self, context: &mut Context, status: &v1::TaskStatus) {
        let (task_id, uuid) = (status.task_id.clone(), status.uuid.clone().unwrap_or_default());
        let acknowledged = Some(event::Acknowledged { task_id, uuid });
        self.send(context, Event { acknowledged, ..Event::of(event::Type::Acknowledged) });
    }

    /// Passes bytes from the scheduler.
    pub fn message(&self, context: &mut Context, data: Vec<u8>) {
        self.send(context, Event { message: Some(event::Message { data }), ..Event::of(event::Type::Message) });
    }

    /// A stream ended.
    pub fn disconnected(&mut self, connection: ConnectionId) {
        self.connection.take_if(|current| *current == connection);
    }

    /// The agent's process is another one: the executor is to subscribe again, and tasks that waited for it are lost.
    pub fn agent_restarted(&mut self, record: &mut Record, context: &mut Context) {
        if let Some(connection) = self.connection.take() {
            context.outputs.push_back(Output::Close(connection));
        }
        self.registration_due = None;
        self.queued.clear();
        if record.stage == Stage::Running {
            record.stage = Stage::Registering;
        }
    }

    /// A task that was sent on a stream that broke may never have come.
    fn lose_what_it_does_not_know(&self, record: &mut Record, context: &mut Context, known: &[v1::TaskInfo]) {
        let queued = self.queued.iter().flat_map(|queued| &queued.tasks).map(|task| &task.task_id.value);
        let here: HashSet<&String> = queued.chain(known.iter().map(|task| &task.task_id.value)).collect();
        let lost = record
            .tasks
            .values()
            .filter(|task| task.state == TaskState::TaskStaging && !here.contains(&task.info.task_id.value));
        for task in lost.map(|task| task.info.clone()).collect::<Vec<_>>() {
            let why = "Task launched during agent restart";
            record.tell_for(context, &task, TaskState::TaskDropped, Reason::AgentRestarted, why);
        }
    }

    fn send_queued(&mut self, record: &Record, context: &mut Context) {
        if record.stage != Stage::Running || self.connection.is_none() {
            return;
        }
        for Queued { tasks, group } in std::mem::take(&mut self.queued) {
            if group {
                let tasks = tasks.into_iter().map(Arc::unwrap_or_clone).collect();
                let task_group = v1::TaskGroupInfo { tasks };
                let launch_group = Some(event::LaunchGroup { task_group });
                self.send(context, Event { launch_group, ..Event::of(event::Type::LaunchGroup) });
                continue;
            }
            for task in tasks {
                let task = Arc::unwrap_or_clone(task);
                self.send(context, Event { launch: Some(event::Launch { task }), ..Event::of(event::Type::Launch) });
            }
        }
    }

    fn kill_queued(&mut self, record: &mut Record, context: &mut Context, at: usize, task_id: &str) {
        let queued = &mut self.queued[at];
        let ids: Vec<String> = if queued.group {
            queued.tasks.drain(..).map(|task| task.task_id.value.clone()).collect()
        } else {
            queued.tasks.retain(|task| task.task_id.value != task_id);
            vec![task_id.to_owned()]
        };
        if queued.tasks.is_empty() {
            self.queued.remove(at);
        }
        record.drop_before_delivery(context, &ids);
    }

    fn terminated(&mut self, record: &mut Record, context: &mut Context, exit: &Exit) {
        (self.registration_due, self.kill_due) = (None, None);
        self.queued.clear();
        if let Some(connection) = self.connection.take() {
            context.outputs.push_back(Output::Close(connection));
        }
        record.terminated(context, exit, self.cause.take());
    }

    fn send(&self, context: &mut Context, event: Event) {
        if let Some(connection) = self.connection {
            context.outputs.push_back(Output::Send(connection, Box::new(event)));
        }
    }
}

impl Runner for Custom {
    fn run(
        &mut self,
        record: &mut Record,
        context: &mut Context,
        tasks: Vec<Arc<v1::TaskInfo>>,
        group: bool,
        volumes: &[RoleVolume],
    ) {
        self.queued.push(Queued { tasks, group });
        if record.containers.is_empty() {
            self.registration_due = Some(context.now + context.config.registration_timeout);
            let command = record.info.command.clone().unwrap_or_default();
            let (container, sandbox) = (record.container.clone(), record.sandbox());
            let container_info = record.info.container.as_deref().cloned();
            let start = Start { container: &container, sandbox, command, container_info, volumes, run: None };
            return record.start_container(context, start);
        }
        if !volumes.is_empty() {
            context.order(Order::AddVolumes { sandbox: record.sandbox(), volumes: launch::volumes(volumes) });
        }
        self.send_queued(record, context);
    }

    fn handle_backend(&mut self, record: &mut Record, context: &mut Context, event: Happening) {
        match event {
            Happening::Started { process, .. } => record.pid = process,
            Happening::Failed { why, .. } => {
                self.cause.get_or_insert_with(|| not_launched(&why));
                self.terminated(record, context, &Exit::Unknown);
            }
            Happening::Ended { exit, .. } => self.terminated(record, context, &exit),
            // It tells of its tasks by itself, and their checks are its own affair.
            Happening::Reported { .. } | Happening::Probed { .. } => {}
        }
    }

    fn kill(&mut self, record: &mut Record, context: &mut Context, task_id: &str, policy: Option<&v1::KillPolicy>) {
        if let Some(at) = self.queued.iter().position(|q| q.tasks.iter().any(|task| task.task_id.value == task_id)) {
            return self.kill_queued(record, context, at, task_id);
        }
        if record.stage == Stage::Running {
            let task_id = v1::TaskId { value: task_id.to_owned() };
            let kill = event::Kill { task_id, kill_policy: policy.cloned() };
            self.send(context, Event { kill: Some(kill), ..Event::of(event::Type::Kill) });
        }
    }

    fn kill_executor(&mut self, record: &mut Record, context: &mut Context, cause: Cause) {
        self.cause = Some(cause);
        context.order(Order::Stop { container: record.container.clone(), how: Stop::Kill });
    }

    fn shut_down(&mut self, record: &mut Record, context: &mut Context, grace: Period) {
        self.registration_due = None;
        self.send(context, Event::of(event::Type::Shutdown));
        // One that never subscribed cannot be asked.
        let asked = self.connection.is_some() || record.stage == Stage::Running;
        self.kill_due = Some(context.now + if asked { grace } else { Period::ZERO });
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.registration_due.into_iter().chain(self.kill_due).min()
    }

    fn handle_timeout(&mut self, record: &mut Record, context: &mut Context) {
        let now = context.now;
        if self.registration_due.take_if(|due| *due <= now).is_some() {
            let timeout = context.config.registration_timeout;
            let why = format!("Executor did not register within {timeout}");
            self.cause = Some(Cause::new(Reason::ExecutorRegistrationTimeout, why));
            record.stage = Stage::Terminating;
            self.kill_due = Some(now);
        }
        if self.kill_due.take_if(|due| *due <= now).is_some() {
            context.order(Order::Stop { container: record.container.clone(), how: Stop::Kill });
        }
    }

    fn custom(&mut self) -> Option<&mut Custom> {
        Some(self)
    }
}
