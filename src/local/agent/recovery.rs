//! An agent whose process ends and is started again, and that registers again with a master. Follows `Slave::recover`,
//! `reregistered`, `reregisterExecutorTimeout`, `shutdown` and `doReliableRegistration` in `src/slave/slave.cpp`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::executor::{Cause, Executor, Record};
use super::{Agent, Key, Output, Stage, ToMaster};
use crate::local::messages::{KnownExecutor, KnownTask, Reregistration, UnknownTask, is_terminal};
use crate::local::resources::Resources;
use crate::proto::v1;
use crate::proto::v1::TaskState;
use crate::proto::v1::task_status::{Reason, Source};

impl Agent {
    /// What it tells the master of itself when it registers again.
    pub fn reregistration(&self) -> Reregistration {
        let mut frameworks = BTreeMap::new();
        let (mut executors, mut tasks) = (Vec::new(), Vec::new());
        for ((framework_id, _), executor) in &self.executors {
            let record = &executor.record;
            frameworks.entry(framework_id).or_insert_with(|| record.framework.clone());
            let command = record.tasks.values().all(|task| task.info.executor.is_none());
            if record.stage() != Stage::Terminated && !command {
                let (info, role) = (record.info.clone(), record.role.clone());
                executors.push(KnownExecutor { framework_id: framework_id.clone(), info, role });
            }
            tasks.extend(record.tasks.values().filter(|task| task.is_launched()).map(|task| KnownTask {
                framework_id: framework_id.clone(),
                info: (*task.info).clone(),
                role: record.role.clone(),
                told: task.updates.outstanding().unwrap_or(task.state),
                state: task.state,
                statuses: task.statuses.clone(),
            }));
        }
        Reregistration {
            info: self.config.info.clone(),
            path: self.config.path.clone(),
            total: self.total.clone(),
            frameworks: frameworks.into_values().map(Arc::unwrap_or_clone).collect(),
            executors,
            tasks,
        }
    }

    /// The master knows it again: what is outstanding goes out again, and tasks that it was never told of are dropped.
    pub(super) fn reregistered(&mut self, now: Instant, unknown: Vec<UnknownTask>) {
        for key in self.executors.keys().cloned().collect::<Vec<_>>() {
            self.with(now, Some(key), |executor, context| executor.record.resume(context));
        }
        let outstanding = self.operations.resume(now);
        self.tell_operations(outstanding);
        let disowned = self.disowned.iter_mut();
        let again: Vec<_> = disowned.filter_map(|(key, updates)| Some((key.clone(), updates.resume(now)?))).collect();
        again.into_iter().for_each(|(key, status)| self.tell_disowned(key, status));
        for UnknownTask { framework_id, task_id, partition_aware } in unknown {
            if self.key_of_task(&framework_id, &task_id).is_none() {
                self.disown(now, (framework_id, task_id), partition_aware);
            }
        }
    }

    fn disown(&mut self, now: Instant, key: Key, partition_aware: bool) {
        let state = if partition_aware { TaskState::TaskDropped } else { TaskState::TaskLost };
        let status = v1::TaskStatus {
            task_id: v1::TaskId { value: key.1.clone() },
            agent_id: Some(v1::AgentId { value: self.config.id.clone() }),
            state: state.into(),
            source: Some(Source::Agent.into()),
            reason: Some(Reason::Reconciliation.into()),
            message: Some("Reconciliation: task unknown to the agent".to_owned()),
            timestamp: Some(self.world.timestamp(now)),
            uuid: Some(self.world.uuid().into_bytes().to_vec()),
            ..Default::default()
        };
        if let Some(status) = self.disowned.entry(key.clone()).or_default().push(now, status) {
            self.tell_disowned(key, status);
        }
    }

    fn tell_disowned(&mut self, (framework_id, _): Key, status: v1::TaskStatus) {
        let (latest_state, status) = (status.state(), Box::new(status));
        self.tell(ToMaster::StatusUpdate { framework_id, status, latest_state });
    }

    pub(super) fn acknowledge_disowned(&mut self, now: Instant, key: Key, uuid: &[u8]) {
        let Some(updates) = self.disowned.get_mut(&key) else { return };
        updates.acknowledge(now, uuid);
        if updates.is_empty() {
            self.disowned.remove(&key);
        }
    }

    pub(super) fn repeat_disowned(&mut self, now: Instant) {
        let disowned = self.disowned.iter_mut();
        let due: Vec<_> = disowned.filter_map(|(key, updates)| Some((key.clone(), updates.repeat(now)?))).collect();
        due.into_iter().for_each(|(key, status)| self.tell_disowned(key, status));
    }

    /// Its process is killed, and another one recovers what this one wrote to its disk: the executors of frameworks with
    /// checkpointing, and the updates of their tasks. Returns when it is ready to register again: at once, or when
    /// executors have had time to subscribe again.
    pub fn recover(&mut self, now: Instant) -> Instant {
        for key in self.executors.keys().cloned().collect::<Vec<_>>() {
            self.with(now, Some(key), |executor, context| {
                if executor.record.framework.checkpoint() {
                    executor.agent_restarted(context);
                } else {
                    executor.forget(context);
                }
            });
        }
        if self.executors.is_empty() {
            return now;
        }
        let due = now + self.config.reregistration_timeout;
        self.recovering = Some(due);
        due
    }

    /// Executors that did not subscribe again in time are killed.
    pub(super) fn kill_unsubscribed(&mut self, now: Instant) {
        let timeout = self.config.reregistration_timeout;
        let unsubscribed = self.executors.iter().filter(|(_, executor)| executor.is_unsubscribed());
        for key in unsubscribed.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            let why = format!("Executor did not reregister within {timeout}");
            let (state, reason) = (TaskState::TaskGone, Reason::ExecutorReregistrationTimeout);
            let cause = Cause { state, reason, why };
            self.with(now, Some(key), |executor, context| executor.kill_executor(context, cause));
        }
    }

    /// Everything that it runs is killed and nobody is told, as when its machine fails.
    pub fn perish(&mut self, now: Instant) {
        for key in self.executors.keys().cloned().collect::<Vec<_>>() {
            self.with(now, Some(key), Executor::forget);
        }
        (self.draining, self.recovering) = (None, None);
        self.operations = super::Operations::default();
        self.disowned.clear();
        self.end_alone();
    }

    /// It ends in order, and tells the master (`Slave::shutdown`).
    pub fn unregister(&mut self, now: Instant) {
        self.tell(ToMaster::Unregister { agent_id: self.config.id.clone() });
        self.shut_down(now);
    }

    /// It ends, with all that it runs.
    pub(super) fn shut_down(&mut self, now: Instant) {
        self.operations = super::Operations::default();
        self.disowned.clear();
        for key in self.executors.keys().cloned().collect::<Vec<_>>() {
            self.with(now, Some(key), Executor::abandon);
        }
        self.end_alone();
    }

    /// The process of a task's executor is killed by something else than Mesos. Returns false if there is no such task.
    pub fn kill_executor_of(&mut self, now: Instant, framework_id: &str, task_id: &str) -> bool {
        let key = self.key_of_task(framework_id, task_id);
        self.with(now, key, |executor, context| executor.kill_executor(context, Cause::terminated())).is_some()
    }

    /// The container that a task runs in, unless the task is over.
    pub fn container_of(&self, framework_id: &str, task_id: &str) -> Option<&str> {
        let executor = self.executors.get(&self.key_of_task(framework_id, task_id)?)?;
        let task = executor.record.tasks.get(task_id).filter(|task| !is_terminal(task.state))?;
        Some(task.container.as_ref().unwrap_or(&executor.record.container))
    }

    /// Whether it runs something, or an update waits for an acknowledgement.
    pub fn is_busy(&self) -> bool {
        !self.executors.is_empty()
    }

    /// Every executor uses more of the disk than it has, for which an agent with the isolator `disk/du` kills it.
    pub fn exceed_disk(&mut self, now: Instant) {
        for key in self.executors.keys().cloned().collect::<Vec<_>>() {
            self.with(now, Some(key), |executor, context| {
                let cause = disk_exceeded(&executor.record);
                executor.kill_executor(context, cause);
            });
        }
    }

    /// What it has, after operations on it.
    pub fn total(&self) -> &Resources {
        &self.total
    }

    /// What it had before any operation.
    pub fn declared(&self) -> Resources {
        Resources::from_proto(&self.config.info.resources).unwrap_or_default()
    }

    /// What it was told to send before its process ended is lost.
    pub fn drop_outputs(&mut self) {
        self.outputs.retain(|output| !matches!(output, Output::Tell(_)));
    }
}

/// In the words of `src/slave/containerizer/mesos/isolators/posix/disk.cpp`.
fn disk_exceeded(record: &Record) -> Cause {
    let of_tasks = record.tasks.values().flat_map(|task| &task.info.resources);
    let disk = |resource: &&v1::Resource| resource.name == "disk" && resource.disk.is_none();
    let all = record.info.resources.iter().chain(of_tasks).filter(disk);
    let quota = all.filter_map(|resource| resource.scalar.as_ref()).fold(0.0, |sum, scalar| sum + scalar.value);
    let why = format!("Disk usage ({}MB) exceeds quota ({quota}MB)", quota + 1.0);
    Cause::new(Reason::ContainerLimitationDisk, why)
}
