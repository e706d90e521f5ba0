//! What is told of an executor's tasks, by it and by the agent, and acknowledged. Follows `Slave::statusUpdate` in
//! `src/slave/slave.cpp`.

use std::sync::Arc;

use super::{AgentTask, Context, Output, Record, Stage};
use crate::local::agent::updates::Updates;
use crate::local::messages::{ToMaster, is_terminal};
use crate::proto::v1::TaskState;
use crate::proto::v1::framework_info::capability::Type as Capability;
use crate::proto::v1::task_status::{Reason, Source};
use crate::proto::{has_capability, v1};

impl Record {
    /// The executor, or the agent for it, reports on a task.
    pub fn update(&mut self, context: &mut Context, mut status: v1::TaskStatus) {
        if let Some(draining) = context.draining {
            draining.report(&mut status, has_capability(&self.framework, Capability::PartitionAware));
        }
        let uuid = status.uuid.clone().unwrap_or_default();
        if self.abandoned {
            let known = self.tasks.get_mut(&status.task_id.value).filter(|task| !is_terminal(task.state));
            return known.into_iter().for_each(|task| task.state = status.state());
        }
        let task = self.tasks.entry(status.task_id.value.clone()).or_insert_with(|| {
            let info = v1::TaskInfo { task_id: status.task_id.clone(), ..Default::default() };
            Box::new(AgentTask::new(Arc::new(info), false))
        });
        // What comes twice, or after the end, is not told of.
        if task.updates.knows(&uuid) || is_terminal(task.state) {
            return;
        }
        task.state = status.state();
        task.reported |= status.source() == Source::Executor;
        status.agent_id = Some(v1::AgentId { value: context.config.id.clone() });
        if task.launched && status.source() == Source::Executor {
            let nested = task.container.clone();
            status.container_status = Some(self.container_status(nested));
        }
        let (now, task_id) = (context.now, status.task_id.value.clone());
        if let Some(task) = self.tasks.get_mut(&task_id) {
            task.statuses.retain(|known| known.state != status.state);
            task.statuses.push(v1::TaskStatus { data: None, ..status.clone() });
        }
        self.with_updates(context, &task_id, |updates| updates.push(now, status));
    }

    /// The tasks that are not over, with their own grace periods.
    pub fn kill_policies(&self) -> Vec<(String, Option<v1::DurationInfo>)> {
        let policy = |task: &AgentTask| task.info.kill_policy.and_then(|policy| policy.grace_period);
        let live = self.tasks.iter().filter(|(_, task)| !is_terminal(task.state));
        live.map(|(task_id, task)| (task_id.clone(), policy(task))).collect()
    }

    /// An acknowledgement; the next update goes out, and after the terminal one the task is over.
    pub fn acknowledge(&mut self, context: &mut Context, task_id: &str, uuid: &[u8]) {
        let now = context.now;
        self.with_updates(context, task_id, |updates| updates.acknowledge(now, uuid));
        let over = |task: &AgentTask| is_terminal(task.state) || self.is_late(task);
        if self.tasks.get(task_id).is_some_and(|task| task.updates.is_empty() && over(task)) {
            self.complete(task_id);
        }
    }

    /// Whether the executor told of a task that was over already, or had ended: what it had said before came late.
    fn is_late(&self, task: &AgentTask) -> bool {
        let id = &task.info.task_id.value;
        let over = || self.completed.iter().any(|known| known.info.task_id.value == *id);
        !task.launched && (self.stage == Stage::Terminated || over())
    }

    /// The scheduler is back: what is outstanding goes out again.
    pub fn resume(&mut self, context: &mut Context) {
        let now = context.now;
        for task_id in self.tasks.keys().cloned().collect::<Vec<_>>() {
            self.with_updates(context, &task_id, |updates| updates.resume(now));
        }
    }

    /// What was not acknowledged in time goes out again.
    pub(super) fn repeat_updates(&mut self, context: &mut Context) {
        let now = context.now;
        for task_id in self.retries.due(now) {
            self.with_updates(context, &task_id, |updates| updates.repeat(now));
        }
    }

    /// Does something with the updates of a task, and sends the one that is to be sent then.
    fn with_updates(
        &mut self,
        context: &mut Context,
        task_id: &str,
        act: impl FnOnce(&mut Updates) -> Option<v1::TaskStatus>,
    ) {
        let Some(task) = self.tasks.get_mut(task_id) else { return };
        let (sent, latest_state) = (act(&mut task.updates), task.state);
        self.retries.set(&task_id.to_owned(), task.updates.due());
        if let Some(status) = sent {
            let (framework_id, status) = (self.framework_id(), Box::new(status));
            context.outputs.push_back(Output::Tell(ToMaster::StatusUpdate { framework_id, status, latest_state }));
        }
    }

    fn container_status(&self, nested: Option<String>) -> v1::ContainerStatus {
        let own = v1::ContainerId { value: self.container.clone(), parent: None };
        let container_id = match nested {
            Some(value) => v1::ContainerId { value, parent: Some(Box::new(own)) },
            None => own,
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

    /// What runs here reports as an executor does that is a process of its own.
    pub(super) fn report(&mut self, context: &mut Context, status: v1::TaskStatus) {
        let completed = v1::TaskStatus {
            source: Some(Source::Executor.into()),
            executor_id: Some(self.info.executor_id.clone()),
            timestamp: Some(context.world.timestamp(context.now)),
            uuid: Some(context.world.uuid().into_bytes().to_vec()),
            ..status
        };
        // A task that was answered for already, as one killed before its container ran, is not told of again.
        if self.tasks.get(&completed.task_id.value).is_some_and(|task| !is_terminal(task.state)) {
            self.update(context, completed);
        }
    }

    pub(super) fn drop_before_delivery(&mut self, context: &mut Context, ids: &[String]) {
        let infos: Vec<_> = ids.iter().filter_map(|id| self.tasks.get(id)).map(|task| task.info.clone()).collect();
        for info in infos {
            let why = "Killed before delivery to the executor";
            self.tell_for(context, &info, TaskState::TaskKilled, Reason::TaskKilledDuringLaunch, why);
        }
    }

    pub(super) fn lose(&mut self, context: &mut Context, task: &v1::TaskInfo) {
        let stage = if self.stage == Stage::Terminated { "terminated" } else { "terminating" };
        let why = format!("Executor {stage}");
        self.tell_for(context, task, TaskState::TaskDropped, Reason::ExecutorTerminated, &why);
    }

    /// A task is not even given to an executor.
    pub(super) fn drop_task(&mut self, context: &mut Context, task: &v1::TaskInfo, why: &str) {
        let status = self.made(context, task, TaskState::TaskDropped, Reason::GcError, why);
        self.update(context, v1::TaskStatus { executor_id: None, ..status });
    }

    /// The agent reports on a task by itself.
    pub(super) fn tell_for(
        &mut self,
        context: &mut Context,
        task: &v1::TaskInfo,
        state: TaskState,
        reason: Reason,
        why: &str,
    ) {
        let status = self.made(context, task, state, reason, why);
        self.update(context, status);
    }

    fn made(
        &self,
        context: &mut Context,
        task: &v1::TaskInfo,
        state: TaskState,
        reason: Reason,
        why: &str,
    ) -> v1::TaskStatus {
        let aware = has_capability(&self.framework, v1::framework_info::capability::Type::PartitionAware);
        let lost = !aware && matches!(state, TaskState::TaskDropped | TaskState::TaskGone);
        let state = if lost { TaskState::TaskLost } else { state };
        v1::TaskStatus {
            task_id: task.task_id.clone(),
            state: state.into(),
            source: Some(Source::Agent.into()),
            reason: Some(reason.into()),
            message: Some(why.to_owned()),
            executor_id: Some(self.info.executor_id.clone()),
            timestamp: Some(context.world.timestamp(context.now)),
            uuid: Some(context.world.uuid().into_bytes().to_vec()),
            ..Default::default()
        }
    }
}
