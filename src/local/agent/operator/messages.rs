//! Frameworks, executors and tasks as the operator API shows them. Follows `jsonifyGetTasks` and its kin in
//! `src/slave/http.cpp`.

use std::collections::BTreeSet;

use crate::local::agent::{Agent, AgentTask, Record, Stage};
use crate::local::messages::is_terminal;
use crate::local::show;
use crate::proto::v1;
use crate::proto::v1::agent::response::{
    GetExecutors, GetFrameworks, GetState, GetTasks, get_executors, get_frameworks,
};

/// The program that a real agent runs the tasks of commands with.
const COMMAND_EXECUTOR: &str = "mesos-executor";

impl Agent {
    pub(super) fn get_state(&self) -> GetState {
        GetState {
            get_tasks: Some(self.get_tasks()),
            get_executors: Some(self.get_executors()),
            get_frameworks: Some(self.get_frameworks()),
        }
    }

    pub(super) fn get_frameworks(&self) -> GetFrameworks {
        let message = |info: &v1::FrameworkInfo| get_frameworks::Framework { framework_info: info.clone() };
        let mut known = BTreeSet::new();
        let mut first = |record: &&Record| known.insert(record.framework_id());
        let live = || self.executors.values().map(|executor| &executor.record);
        let frameworks = live().filter(&mut first).map(|record| message(&record.framework)).collect();
        let over = self.completed.iter().map(Box::as_ref).filter(&mut first);
        let completed_frameworks = over.map(|record| message(&record.framework)).collect();
        GetFrameworks { frameworks, completed_frameworks }
    }

    pub(super) fn get_executors(&self) -> GetExecutors {
        GetExecutors {
            executors: self.executors.values().map(|executor| executor_message(&executor.record)).collect(),
            completed_executors: self.completed.iter().map(|record| executor_message(record)).collect(),
        }
    }

    pub(super) fn get_tasks(&self) -> GetTasks {
        let mut tasks = GetTasks::default();
        for record in self.executors() {
            let queued = record.is_custom() && record.stage() == Stage::Registering;
            for task in record.tasks.values() {
                let list = if is_terminal(task.state) {
                    &mut tasks.terminated_tasks
                } else if queued {
                    &mut tasks.queued_tasks
                } else {
                    &mut tasks.launched_tasks
                };
                list.push(task_message(record, task));
            }
            tasks.completed_tasks.extend(record.completed.iter().map(|task| task_message(record, task)));
        }
        tasks
    }

    pub(super) fn operation_messages(&self) -> Vec<v1::Operation> {
        self.operations.messages(&self.config().id)
    }
}

/// An executor, which one for a command has a command too.
fn executor_message(record: &Record) -> get_executors::Executor {
    let mut info = v1::ExecutorInfo { framework_id: record.framework.id.clone(), ..record.info.clone() };
    let allocated = Some(v1::resource::AllocationInfo { role: Some(record.role.clone()) });
    info.resources.iter_mut().for_each(|resource| resource.allocation_info.clone_from(&allocated));
    if let Some(task) = record.command_task() {
        let own = task.command.clone().unwrap_or_default();
        info.discovery.clone_from(&task.discovery);
        info.container.clone_from(&task.container);
        info.command = Some(v1::CommandInfo {
            shell: Some(false),
            value: Some(COMMAND_EXECUTOR.to_owned()),
            arguments: vec![COMMAND_EXECUTOR.to_owned()],
            uris: own.uris,
            environment: own.environment,
            user: own.user,
        });
    }
    get_executors::Executor { executor_info: info }
}

fn task_message(record: &Record, task: &AgentTask) -> v1::Task {
    let last = task.statuses.last();
    // Of what becomes of it after its framework is removed nobody is told.
    let untold = record.is_abandoned() && last.is_some_and(|status| !is_terminal(status.state()));
    let state = last.filter(|_| untold).map_or(task.state, v1::TaskStatus::state);
    v1::Task {
        state: state.into(),
        resources: task.info.resources.clone(),
        statuses: task.statuses.clone(),
        status_update_state: last.map(|status| status.state),
        status_update_uuid: last.and_then(|status| status.uuid.clone()),
        ..show::task_message(&task.info, &record.framework_id())
    }
}
