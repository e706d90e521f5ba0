//! The operator API's calls. Follows `Master::Http::api` in `src/master/http.cpp`.

use std::time::Instant;

use super::{MESOS_VERSION, Master};
use crate::local::refusal::Refusal;
use crate::proto::v1;
use crate::proto::v1::master::{Call, Response, call, response};
use crate::proto::v1::scheduler::{Event, event};

impl Master {
    /// Carries out a call. Calls that only change something have no response.
    ///
    /// # Errors
    ///
    /// Refuses a call whose body is missing, whose subject does not exist, or that the embedded cluster does not
    /// support.
    pub fn operator_call(&mut self, now: Instant, call: Call) -> Result<Option<Response>, Refusal> {
        if call.r#type.is_none() {
            return Err(absent("type"));
        }
        match call.r#type() {
            call::Type::GetHealth => Ok(Some(Response {
                get_health: Some(response::GetHealth { healthy: true }),
                ..of(response::Type::GetHealth)
            })),
            call::Type::GetVersion => {
                let version_info = v1::VersionInfo { version: MESOS_VERSION.to_owned(), ..Default::default() };
                let get_version = Some(response::GetVersion { version_info });
                Ok(Some(Response { get_version, ..of(response::Type::GetVersion) }))
            }
            call::Type::GetMaintenanceSchedule => {
                let get_maintenance_schedule =
                    Some(response::GetMaintenanceSchedule { schedule: self.maintenance_schedule().clone() });
                Ok(Some(Response { get_maintenance_schedule, ..of(response::Type::GetMaintenanceSchedule) }))
            }
            call::Type::UpdateMaintenanceSchedule => {
                let update = call.update_maintenance_schedule.ok_or_else(|| absent("update_maintenance_schedule"))?;
                self.update_maintenance_schedule(now, update.schedule).map(|()| None)
            }
            call::Type::GetMaintenanceStatus => {
                let get_maintenance_status = Some(response::GetMaintenanceStatus { status: self.maintenance_status() });
                Ok(Some(Response { get_maintenance_status, ..of(response::Type::GetMaintenanceStatus) }))
            }
            call::Type::DrainAgent => {
                let drain = call.drain_agent.ok_or_else(|| absent("drain_agent"))?;
                self.drain(now, drain).map(|()| None)
            }
            call::Type::DeactivateAgent => {
                let deactivate = call.deactivate_agent.ok_or_else(|| absent("deactivate_agent"))?;
                self.deactivate(&deactivate).map(|()| None)
            }
            call::Type::ReactivateAgent => {
                let reactivate = call.reactivate_agent.ok_or_else(|| absent("reactivate_agent"))?;
                self.reactivate(now, &reactivate).map(|()| None)
            }
            call::Type::MarkAgentGone => {
                let gone = call.mark_agent_gone.ok_or_else(|| absent("mark_agent_gone"))?;
                self.mark_gone(now, &gone.agent_id.value).map(|()| None)
            }
            call::Type::ReserveResources => {
                let reserve = call.reserve_resources.ok_or_else(|| absent("reserve_resources"))?;
                self.reserve(now, reserve).map(|()| None)
            }
            call::Type::UnreserveResources => {
                let unreserve = call.unreserve_resources.ok_or_else(|| absent("unreserve_resources"))?;
                self.unreserve(now, unreserve).map(|()| None)
            }
            call::Type::CreateVolumes => {
                let create = call.create_volumes.ok_or_else(|| absent("create_volumes"))?;
                self.create_volumes(now, create).map(|()| None)
            }
            call::Type::DestroyVolumes => {
                let destroy = call.destroy_volumes.ok_or_else(|| absent("destroy_volumes"))?;
                self.destroy_volumes(now, destroy).map(|()| None)
            }
            call::Type::GrowVolume => {
                let grow = call.grow_volume.ok_or_else(|| absent("grow_volume"))?;
                self.grow_volume(now, grow).map(|()| None)
            }
            call::Type::ShrinkVolume => {
                let shrink = call.shrink_volume.ok_or_else(|| absent("shrink_volume"))?;
                self.shrink_volume(now, shrink).map(|()| None)
            }
            call::Type::Teardown => {
                let teardown = call.teardown.ok_or_else(|| absent("teardown"))?;
                self.tear_down(now, &teardown.framework_id.value).map(|()| None)
            }
            _ => self.sharing_call(call),
        }
    }

    /// Weights and quotas.
    #[allow(deprecated)]
    fn sharing_call(&mut self, call: Call) -> Result<Option<Response>, Refusal> {
        match call.r#type() {
            call::Type::GetWeights => {
                let weight_infos = self.weights();
                let get_weights = (!weight_infos.is_empty()).then_some(response::GetWeights { weight_infos });
                Ok(Some(Response { get_weights, ..of(response::Type::GetWeights) }))
            }
            call::Type::UpdateWeights => {
                let update = call.update_weights.ok_or_else(|| absent("update_weights"))?;
                self.update_weights(&update.weight_infos).map(|()| None)
            }
            call::Type::GetQuota => {
                let get_quota = Some(response::GetQuota { status: self.quota_status() });
                Ok(Some(Response { get_quota, ..of(response::Type::GetQuota) }))
            }
            call::Type::UpdateQuota => {
                let update = call.update_quota.ok_or_else(|| absent("update_quota"))?;
                self.update_quota(&update).map(|()| None)
            }
            call::Type::SetQuota => {
                let set = call.set_quota.ok_or_else(|| absent("set_quota"))?;
                self.set_quota(&set.quota_request).map(|()| None)
            }
            call::Type::RemoveQuota => {
                let remove = call.remove_quota.ok_or_else(|| absent("remove_quota"))?;
                self.remove_quota(&remove.role).map(|()| None)
            }
            other => {
                let name = other.as_str_name();
                Err(Refusal::new(501, format!("The embedded cluster does not support {name}; a real cluster does")))
            }
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

    /// Rescinds every offer of an agent.
    pub(super) fn rescind_offers_of(&mut self, agent_id: &str) {
        let offers = self.offers.iter().filter(|(_, offer)| offer.agent_id == agent_id);
        for offer_id in offers.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.rescind(&offer_id);
        }
    }

    /// Rescinds an offer, if it is still outstanding.
    pub(super) fn rescind(&mut self, offer_id: &str) {
        if let Some(offer) = self.offers.remove(offer_id) {
            self.recover_offer(&offer);
            let mut event = Event::of(event::Type::Rescind);
            event.rescind = Some(event::Rescind { offer_id: v1::OfferId { value: offer_id.to_owned() } });
            self.send(&offer.framework_id, event);
        }
    }
}

fn absent(field: &str) -> Refusal {
    Refusal::new(400, format!("Failed to validate master::Call: Expecting '{field}' to be present"))
}

fn of(kind: response::Type) -> Response {
    Response { r#type: Some(kind.into()), ..Default::default() }
}
