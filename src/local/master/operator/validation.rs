//! Which calls of operators are refused before they are looked at, in Mesos' words. Follows `call::validate` in the
//! namespace `master` of `src/master/validation.cpp`.

use crate::local::master::resource_rules;
use crate::local::refusal::{Invalid, Refusal};
use crate::proto::v1::master::Call;
use crate::proto::v1::master::call::Type;

/// Whether a call has what its type needs.
///
/// # Errors
///
/// Refuses a call without a type or without the body of its type, and resources that are not well-formed.
pub fn validate(call: &Call) -> Result<(), Refusal> {
    check(call).map_err(|why| Refusal::new(400, format!("Failed to validate master::Call: {why}")))
}

#[allow(deprecated)]
fn check(call: &Call) -> Result<(), Invalid> {
    if call.r#type.is_none() {
        return absent("type");
    }
    match call.r#type() {
        Type::GetMetrics if call.get_metrics.is_none() => absent("get_metrics"),
        Type::SetLoggingLevel if call.set_logging_level.is_none() => absent("set_logging_level"),
        Type::ListFiles if call.list_files.is_none() => absent("list_files"),
        Type::ReadFile if call.read_file.is_none() => absent("read_file"),
        Type::ReadLog if call.read_log.is_none() => absent("read_log"),
        Type::UpdateWeights if call.update_weights.is_none() => absent("update_weights"),
        Type::ReserveResources => match &call.reserve_resources {
            Some(reserve) => resource_rules::structure(&reserve.resources),
            None => absent("reserve_resources"),
        },
        Type::UnreserveResources => match &call.unreserve_resources {
            Some(unreserve) => resource_rules::structure(&unreserve.resources),
            None => absent("unreserve_resources"),
        },
        Type::CreateVolumes if call.create_volumes.is_none() => absent("create_volumes"),
        Type::DestroyVolumes if call.destroy_volumes.is_none() => absent("destroy_volumes"),
        Type::GrowVolume => match &call.grow_volume {
            Some(grow) => of_agent(grow.agent_id.is_some()),
            None => absent("grow_volume"),
        },
        Type::ShrinkVolume => match &call.shrink_volume {
            Some(shrink) => of_agent(shrink.agent_id.is_some()),
            None => absent("shrink_volume"),
        },
        Type::UpdateMaintenanceSchedule if call.update_maintenance_schedule.is_none() => {
            absent("update_maintenance_schedule")
        }
        Type::StartMaintenance if call.start_maintenance.is_none() => absent("start_maintenance"),
        Type::StopMaintenance if call.stop_maintenance.is_none() => absent("stop_maintenance"),
        Type::DrainAgent if call.drain_agent.is_none() => absent("drain_agent"),
        Type::DeactivateAgent if call.deactivate_agent.is_none() => absent("deactivate_agent"),
        Type::ReactivateAgent if call.reactivate_agent.is_none() => absent("reactivate_agent"),
        Type::UpdateQuota if call.update_quota.is_none() => absent("update_quota"),
        Type::SetQuota if call.set_quota.is_none() => absent("set_quota"),
        Type::RemoveQuota if call.remove_quota.is_none() => absent("remove_quota"),
        Type::Teardown if call.teardown.is_none() => absent("teardown"),
        Type::MarkAgentGone if call.mark_agent_gone.is_none() => absent("mark_agent_gone"),
        _ => Ok(()),
    }
}

fn absent(field: &str) -> Result<(), Invalid> {
    Err(Invalid::new(format!("Expecting '{field}' to be present")))
}

fn of_agent(named: bool) -> Result<(), Invalid> {
    let why = "Expecting 'agent_id' to be present; only agent default resources are supported right now";
    Invalid::unless(named, why)
}
