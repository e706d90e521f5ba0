//! A custom executor's stream: it subscribes, and is sent tasks, kills and messages. Follows `Slave::subscribe` in
//! `src/slave/slave.cpp`.

use super::{ConnectionId, Context, Executor, Output, Queued, Stage};
use crate::proto::v1;
use crate::proto::v1::TaskState;
use crate::proto::v1::executor::{Event, event};
use crate::proto::v1::task_status::Reason;

impl Executor {
    /// SUBSCRIBE on a new stream, which replaces an older one. Returns false if the executor is no longer to subscribe.
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
        self.send(context, Event { subscribed: Some(subscribed), ..Event::of(event::Type::Subscribed) });
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
    pub(super) fn lose_what_it_does_not_know(&mut self, context: &mut Context, known: &[v1::TaskInfo]) {
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

    pub(super) fn send_queued(&mut self, context: &mut Context) {
        if self.stage != Stage::Running || self.connection.is_none() {
            return;
        }
        for Queued { tasks, group } in std::mem::take(&mut self.queued) {
            self.served = true;
            if group {
                let task_group = v1::TaskGroupInfo { tasks };
                let launch_group = Some(event::LaunchGroup { task_group });
                self.send(context, Event { launch_group, ..Event::of(event::Type::LaunchGroup) });
                continue;
            }
            for task in tasks {
                self.send(context, Event { launch: Some(event::Launch { task }), ..Event::of(event::Type::Launch) });
            }
        }
    }

    /// The stream ended. Only the end of the process says that the executor is gone.
    pub fn disconnected(&mut self, connection: ConnectionId) {
        self.connection.take_if(|current| *current == connection);
    }

    pub(super) fn kill_queued(&mut self, context: &mut Context, at: usize, task_id: &str) {
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

    pub(super) fn drop_before_delivery(&mut self, context: &mut Context, ids: &[String]) {
        let infos: Vec<_> = ids.iter().filter_map(|id| self.tasks.get(id)).map(|task| task.info.clone()).collect();
        for info in infos {
            let why = "Killed before delivery to the executor";
            self.tell_for(context, &info, TaskState::TaskKilled, Reason::TaskKilledDuringLaunch, why);
        }
    }

    /// Passes bytes from the scheduler; drops them if the executor is not subscribed.
    pub fn message(&mut self, context: &mut Context, data: Vec<u8>) {
        if self.stage == Stage::Running {
            self.send(context, Event { message: Some(event::Message { data }), ..Event::of(event::Type::Message) });
        }
    }

    pub(super) fn send(&self, context: &mut Context, event: Event) {
        if let Some(connection) = self.connection {
            context.outputs.push_back(Output::Send(connection, Box::new(event)));
        }
    }
}
