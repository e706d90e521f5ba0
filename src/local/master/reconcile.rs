//! RECONCILE, implicit and explicit. Follows `Master::_reconcileTasks`.

use std::time::Instant;

use super::Master;
use super::placed::Task;
use crate::local::world::time_info;
use crate::proto::v1;
use crate::proto::v1::scheduler::call;
use crate::proto::v1::task_status::{Reason, Source};

impl Master {
    pub(super) fn reconcile(&mut self, now: Instant, framework_id: &str, reconcile: &call::Reconcile) {
        let Some(framework) = self.frameworks.get(framework_id) else {
            return;
        };
        let answers: Vec<v1::TaskStatus> = if reconcile.tasks.is_empty() {
            framework.tasks.values().map(|task| latest(task)).collect()
        } else {
            let known =
                |task: &call::reconcile::Task| framework.tasks.get(&task.task_id.value).map(|task| latest(task));
            reconcile.tasks.iter().filter_map(|task| known(task).or_else(|| self.unknown(task))).collect()
        };
        let timestamp = Some(self.world.timestamp(now));
        for status in answers {
            self.send_update(framework_id, v1::TaskStatus { timestamp, ..status });
        }
    }

    /// What is said of a task that is not known; nothing if its agent may have it and did not come back yet.
    fn unknown(&self, task: &call::reconcile::Task) -> Option<v1::TaskStatus> {
        let agent_id = task.agent_id.as_ref().map(|id| id.value.as_str());
        let absent = &self.absent;
        let awaited = agent_id.map_or(!absent.recovered.is_empty(), |id| absent.recovered.contains_key(id));
        if awaited {
            return None;
        }
        let since = agent_id.and_then(|id| absent.unreachable.get(id)).map(|(_, since)| time_info(*since));
        let (state, message) = if agent_id.is_some_and(|id| self.agents.contains_key(id)) {
            (v1::TaskState::TaskGone, "Reconciliation: Task is unknown to the agent")
        } else if since.is_some() {
            (v1::TaskState::TaskUnreachable, "Reconciliation: Task is unreachable")
        } else if agent_id.is_some_and(|id| absent.gone.contains(id)) {
            (v1::TaskState::TaskGoneByOperator, "Reconciliation: Task is gone")
        } else {
            (v1::TaskState::TaskUnknown, "Reconciliation: Task is unknown")
        };
        let status = answer(task.task_id.clone(), task.agent_id.clone(), state, message);
        Some(v1::TaskStatus { unreachable_time: since, ..status })
    }
}

fn latest(task: &Task) -> v1::TaskStatus {
    let agent_id = Some(v1::AgentId { value: task.agent_id.clone() });
    let last = task.statuses.last();
    v1::TaskStatus {
        executor_id: task.info.executor.as_ref().map(|executor| executor.executor_id.clone()),
        healthy: last.and_then(|s| s.healthy),
        container_status: last.and_then(|s| s.container_status.clone()),
        ..answer(task.info.task_id.clone(), agent_id, task.state, "Reconciliation: Latest task state")
    }
}

fn answer(task_id: v1::TaskId, agent_id: Option<v1::AgentId>, state: v1::TaskState, message: &str) -> v1::TaskStatus {
    v1::TaskStatus {
        task_id,
        agent_id,
        state: state.into(),
        source: Some(Source::Master.into()),
        reason: Some(Reason::Reconciliation.into()),
        message: Some(message.to_owned()),
        ..Default::default()
    }
}
