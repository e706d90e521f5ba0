//! The calls that ask what there is. Follows `Master::ReadOnlyHandler` in `src/master/readonly_handler.cpp`.

use std::sync::Arc;

use super::messages::{operation_message, task_message};
use crate::local::master::Master;
use crate::local::master::framework::Framework;
use crate::local::master::placed::Task;
use crate::proto::v1;
use crate::proto::v1::master::response;

impl Master {
    /// GET_STATE.
    pub(super) fn whole_state(&self) -> response::GetState {
        response::GetState {
            get_tasks: Some(self.all_tasks()),
            get_executors: Some(self.all_executors()),
            get_frameworks: Some(self.all_frameworks()),
            get_agents: Some(self.all_agents()),
        }
    }

    /// GET_TASKS.
    #[allow(deprecated)]
    pub(super) fn all_tasks(&self) -> response::GetTasks {
        fn of<'a, T: Iterator<Item = &'a Task>>(
            master: &'a Master,
            tasks: impl Fn(&'a Framework) -> T,
        ) -> Vec<v1::Task> {
            let of_framework = |framework: &'a Framework| {
                let id = framework.id();
                tasks(framework).map(|task| task_message(&id, task)).collect::<Vec<_>>()
            };
            master.frameworks().flat_map(of_framework).collect()
        }
        response::GetTasks {
            tasks: of(self, Framework::live_tasks),
            unreachable_tasks: of(self, |framework| framework.unreachable_tasks.values().map(Arc::as_ref)),
            completed_tasks: of(self, |framework| framework.completed_tasks.iter().map(Arc::as_ref)),
            ..Default::default()
        }
    }

    /// GET_EXECUTORS.
    #[allow(deprecated)]
    pub(super) fn all_executors(&self) -> response::GetExecutors {
        let executors = self.frameworks().flat_map(|framework| &framework.executors);
        let executor = |((agent_id, _), executor): (&(String, String), &super::super::framework::ExecutorRecord)| {
            let agent_id = v1::AgentId { value: agent_id.clone() };
            response::get_executors::Executor { executor_info: executor.info.clone(), agent_id }
        };
        response::GetExecutors { executors: executors.map(executor).collect(), ..Default::default() }
    }

    /// GET_FRAMEWORKS.
    #[allow(deprecated)]
    pub(super) fn all_frameworks(&self) -> response::GetFrameworks {
        response::GetFrameworks {
            frameworks: self.frameworks.values().map(|framework| self.framework_message(framework)).collect(),
            completed_frameworks: self.completed.iter().map(|framework| self.framework_message(framework)).collect(),
            ..Default::default()
        }
    }

    /// GET_AGENTS.
    pub(super) fn all_agents(&self) -> response::GetAgents {
        response::GetAgents {
            agents: self.agents.iter().map(|(id, agent)| self.agent_message(id, agent)).collect(),
            recovered_agents: self.absent.recovered.values().map(|known| known.info.clone()).collect(),
        }
    }

    /// GET_OPERATIONS.
    pub(super) fn all_operations(&self) -> response::GetOperations {
        let of_framework = |framework: &Framework| {
            let id = framework.id();
            framework.operations.values().map(|operation| operation_message(&id, operation)).collect::<Vec<_>>()
        };
        response::GetOperations { operations: self.frameworks.values().flat_map(of_framework).collect() }
    }

    /// GET_MASTER.
    pub(super) fn about(&self) -> response::GetMaster {
        response::GetMaster {
            master_info: Some(self.master_info()),
            start_time: Some(self.start_time),
            elected_time: Some(self.start_time),
        }
    }

    /// GET_FLAGS.
    pub(super) fn all_flags(&self) -> response::GetFlags {
        let flag = |(name, value): (&String, &String)| v1::Flag { name: name.clone(), value: Some(value.clone()) };
        response::GetFlags { flags: self.config.flags.iter().map(flag).collect() }
    }
}
