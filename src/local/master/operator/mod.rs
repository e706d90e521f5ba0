//! The operator API's calls. Follows `Master::Http::api` in `src/master/http.cpp`.

mod messages;
mod state;
mod subscribers;
mod validation;

use std::time::Instant;

use super::{MESOS_VERSION, Master};
use crate::local::refusal::Refusal;
use crate::proto::v1;
use crate::proto::v1::master::{Call, Response, call, response};

pub use subscribers::{
    Subscribers, agent_removed, framework_added, framework_removed, framework_updated, task_added, task_updated,
};
pub use validation::validate;

/// What came of a call that was not refused.
#[derive(Debug, PartialEq)]
pub enum Done {
    /// It asked for something.
    Answer(Box<Response>),
    /// It changed something.
    Changed,
    /// An operation on resources was sent to their agent.
    Accepted,
}

impl Done {
    /// The answer, if the call asked for something.
    pub fn response(self) -> Option<Response> {
        match self {
            Self::Answer(response) => Some(*response),
            Self::Changed | Self::Accepted => None,
        }
    }
}

impl Master {
    /// Carries out a call that was validated.
    ///
    /// # Errors
    ///
    /// Refuses a call whose subject does not exist, that cannot be carried out, or that this is not the place for:
    /// metrics, files, log levels and streams belong to the process and not to the master alone.
    pub fn operator_call(&mut self, now: Instant, call: Call) -> Result<Done, Refusal> {
        match self.answer(call.r#type()) {
            Some(response) => Ok(Done::Answer(Box::new(response))),
            None if is_operation(call.r#type()) => self.operate_on_resources(now, call).map(|()| Done::Accepted),
            None => self.change(now, call).map(|()| Done::Changed),
        }
    }

    /// What a call asks for, if it only asks.
    fn answer(&self, kind: call::Type) -> Option<Response> {
        use response::Type;
        Some(match kind {
            call::Type::GetHealth => {
                let get_health = Some(response::GetHealth { healthy: true });
                Response { get_health, ..of(Type::GetHealth) }
            }
            call::Type::GetVersion => {
                // As `/state` says.
                let version_info = v1::VersionInfo {
                    version: MESOS_VERSION.to_owned(),
                    build_date: Some(String::new()),
                    build_time: Some(0.0),
                    build_user: Some("remesos".to_owned()),
                    ..Default::default()
                };
                let get_version = Some(response::GetVersion { version_info });
                Response { get_version, ..of(Type::GetVersion) }
            }
            call::Type::GetFlags => Response { get_flags: Some(self.all_flags()), ..of(Type::GetFlags) },
            call::Type::GetMaster => Response { get_master: Some(self.about()), ..of(Type::GetMaster) },
            call::Type::GetState => Response { get_state: Some(self.whole_state()), ..of(Type::GetState) },
            call::Type::GetAgents => Response { get_agents: Some(self.all_agents()), ..of(Type::GetAgents) },
            call::Type::GetFrameworks => {
                Response { get_frameworks: Some(self.all_frameworks()), ..of(Type::GetFrameworks) }
            }
            call::Type::GetExecutors => {
                Response { get_executors: Some(self.all_executors()), ..of(Type::GetExecutors) }
            }
            call::Type::GetOperations => {
                Response { get_operations: Some(self.all_operations()), ..of(Type::GetOperations) }
            }
            call::Type::GetTasks => Response { get_tasks: Some(self.all_tasks()), ..of(Type::GetTasks) },
            call::Type::GetRoles => Response { get_roles: Some(self.all_roles()), ..of(Type::GetRoles) },
            call::Type::GetWeights => {
                let weight_infos = self.weights();
                let get_weights = (!weight_infos.is_empty()).then_some(response::GetWeights { weight_infos });
                Response { get_weights, ..of(Type::GetWeights) }
            }
            call::Type::GetQuota => {
                let get_quota = Some(response::GetQuota { status: self.quota_status() });
                Response { get_quota, ..of(Type::GetQuota) }
            }
            call::Type::GetMaintenanceSchedule => {
                let get_maintenance_schedule =
                    Some(response::GetMaintenanceSchedule { schedule: self.maintenance_schedule().clone() });
                Response { get_maintenance_schedule, ..of(Type::GetMaintenanceSchedule) }
            }
            call::Type::GetMaintenanceStatus => {
                let get_maintenance_status = Some(response::GetMaintenanceStatus { status: self.maintenance_status() });
                Response { get_maintenance_status, ..of(Type::GetMaintenanceStatus) }
            }
            _ => return None,
        })
    }

    #[allow(deprecated)]
    fn change(&mut self, now: Instant, call: Call) -> Result<(), Refusal> {
        match call.r#type() {
            call::Type::UpdateMaintenanceSchedule => {
                self.update_maintenance_schedule(now, call.update_maintenance_schedule.unwrap_or_default().schedule)
            }
            call::Type::StartMaintenance => {
                self.start_maintenance(now, &call.start_maintenance.unwrap_or_default().machines)
            }
            call::Type::StopMaintenance => {
                self.stop_maintenance(now, &call.stop_maintenance.unwrap_or_default().machines)
            }
            call::Type::DrainAgent => self.drain(now, call.drain_agent.unwrap_or_default()),
            call::Type::DeactivateAgent => self.deactivate(&call.deactivate_agent.unwrap_or_default()),
            call::Type::ReactivateAgent => self.reactivate(now, &call.reactivate_agent.unwrap_or_default()),
            call::Type::MarkAgentGone => self.mark_gone(now, &call.mark_agent_gone.unwrap_or_default().agent_id.value),
            call::Type::Teardown => self.tear_down(now, &call.teardown.unwrap_or_default().framework_id.value),
            call::Type::UpdateWeights => self.update_weights(&call.update_weights.unwrap_or_default().weight_infos),
            call::Type::UpdateQuota => self.update_quota(&call.update_quota.unwrap_or_default()),
            call::Type::SetQuota => self.set_quota(&call.set_quota.unwrap_or_default().quota_request),
            call::Type::RemoveQuota => self.remove_quota(&call.remove_quota.unwrap_or_default().role),
            _ => Err(Refusal::new(501, "501 Not Implemented.")),
        }
    }

    fn operate_on_resources(&mut self, now: Instant, call: Call) -> Result<(), Refusal> {
        match call.r#type() {
            call::Type::ReserveResources => self.reserve(now, call.reserve_resources.unwrap_or_default()),
            call::Type::UnreserveResources => self.unreserve(now, call.unreserve_resources.unwrap_or_default()),
            call::Type::CreateVolumes => self.create_volumes(now, call.create_volumes.unwrap_or_default()),
            call::Type::DestroyVolumes => self.destroy_volumes(now, call.destroy_volumes.unwrap_or_default()),
            call::Type::GrowVolume => self.grow_volume(now, call.grow_volume.unwrap_or_default()),
            _ => self.shrink_volume(now, call.shrink_volume.unwrap_or_default()),
        }
    }

    /// Removes a framework (`Master::Http::_teardown`).
    fn tear_down(&mut self, now: Instant, framework_id: &str) -> Result<(), Refusal> {
        if !self.frameworks.contains_key(framework_id) {
            return Err(Refusal::new(400, "No framework found with specified ID"));
        }
        self.remove_framework(now, framework_id);
        Ok(())
    }

    /// Removes an agent for good (`Master::Http::_markAgentGone`). Does nothing if it is already marked gone.
    pub(super) fn mark_gone(&mut self, now: Instant, agent_id: &str) -> Result<(), Refusal> {
        let absent = &self.absent;
        let known = self.agents.contains_key(agent_id)
            || absent.unreachable.contains_key(agent_id)
            || absent.recovered.contains_key(agent_id);
        if absent.gone.contains(agent_id) {
            return Ok(());
        }
        if !known {
            return Err(Refusal::new(404, format!("Agent '{agent_id}' not found")));
        }
        tracing::info!("Agent {agent_id} is marked gone");
        self.set_gone(now, agent_id);
        Ok(())
    }
}

/// Whether a call changes the resources of an agent.
fn is_operation(kind: call::Type) -> bool {
    use call::Type::*;
    let operations = [ReserveResources, UnreserveResources, CreateVolumes, DestroyVolumes, GrowVolume, ShrinkVolume];
    operations.contains(&kind)
}

fn of(kind: response::Type) -> Response {
    Response { r#type: Some(kind.into()), ..Default::default() }
}
