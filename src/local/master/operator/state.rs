//! The calls that ask what there is. Follows `Master::ReadOnlyHandler` in `src/master/readonly_handler.cpp`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::messages::{operation_message, task_message};
use crate::local::master::Master;
use crate::local::master::framework::{Framework, Task};
use crate::local::resources::Resources;
use crate::local::roles::UNRESERVED;
use crate::proto::v1;
use crate::proto::v1::master::response;

/// The resources that roles are shown with.
const SHOWN: [&str; 4] = ["cpus", "disk", "gpus", "mem"];

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
        let held = self.held();
        response::GetAgents {
            agents: self.agents.iter().map(|(id, agent)| self.agent_message(id, agent, &held)).collect(),
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

    /// GET_ROLES.
    pub(super) fn all_roles(&self) -> response::GetRoles {
        let role = |name: String| {
            let mut held = Resources::default();
            let offers = self.offers.values().map(|offer| (offer.role.as_str(), &offer.resources));
            let used = self.frameworks.values().flat_map(|framework| framework.held(None));
            offers.chain(used).filter(|(of, _)| is_within(of, &name)).for_each(|(_, resources)| held.add(resources));
            let scalar = |shown: &&str| {
                let value = held.scalar(shown);
                let scalar = Some(v1::value::Scalar { value });
                let r#type = v1::value::Type::Scalar.into();
                (value > 0.0).then(|| v1::Resource { name: (*shown).to_owned(), r#type, scalar, ..Default::default() })
            };
            let frameworks = self.frameworks.values().filter(|framework| framework.is_in(&name));
            v1::Role {
                weight: self.weights.get(&name).copied().unwrap_or(1.0),
                frameworks: frameworks.filter_map(|framework| framework.info.id.clone()).collect(),
                resources: SHOWN.iter().filter_map(scalar).collect(),
                name,
            }
        };
        response::GetRoles { roles: self.known_roles().into_iter().map(role).collect() }
    }

    /// The roles that are in use, or that something was set for, and those above them (`Master::knownRoles`). If only some
    /// roles are allowed, these.
    pub(in crate::local::master) fn known_roles(&self) -> BTreeSet<String> {
        let mut roles: BTreeSet<String> = BTreeSet::new();
        if let Some(allowed) = &self.config.roles {
            roles.extend(allowed.iter().cloned().chain([UNRESERVED.to_owned()]));
        } else {
            let frameworks = self.frameworks.values();
            roles.extend(frameworks.clone().flat_map(Framework::roles));
            roles.extend(frameworks.flat_map(|framework| framework.held(None)).map(|(role, _)| role.to_owned()));
            roles.extend(self.agents.values().flat_map(|agent| agent.total.reservations().into_keys()));
            roles.extend(self.weights.keys().chain(self.quotas.keys()).cloned());
        }
        let above = |role: &String| role.match_indices('/').map(|(at, _)| role[..at].to_owned()).collect::<Vec<_>>();
        let ancestors: Vec<String> = roles.iter().flat_map(above).collect();
        roles.extend(ancestors);
        roles
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

/// Whether a role is this one or below it.
fn is_within(role: &str, above: &str) -> bool {
    role.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
