//! A cluster's state as plain data, from which another one starts.

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::machine::Machine;
use crate::local::agent::Agent;
use crate::local::master::Done;
use crate::local::resources::{Format, Resources};
use crate::local::show;
use crate::proto::v1::master::{Call, Response, call};
use crate::wire::json::to_json;
use crate::{Error, Result};

impl Machine {
    /// Agents that have not left, with their reservations and volumes, weights, quotas and the maintenance schedule.
    pub fn snapshot(&mut self, now: Instant) -> Value {
        let mut agents: Vec<&Agent> = self.agents.values().collect();
        agents.sort_by_key(|agent| (agent.config().id.len(), agent.config().id.clone()));
        let agents: Vec<_> = agents.into_iter().map(|agent| self.agent_snapshot(agent)).collect();
        let weights = self.answer(now, call::Type::GetWeights).get_weights.unwrap_or_default().weight_infos;
        let weights: Map<_, _> =
            weights.into_iter().map(|info| (info.role.unwrap_or_default(), json!(info.weight))).collect();
        let quotas = self.answer(now, call::Type::GetQuota).get_quota.unwrap_or_default().status.configs;
        let quotas: Vec<_> = quotas.iter().map(|config| show::message("mesos.v1.quota.QuotaConfig", config)).collect();
        let schedule = self.answer(now, call::Type::GetMaintenanceSchedule).get_maintenance_schedule;
        let schedule = to_json("mesos.v1.maintenance.Schedule", &schedule.unwrap_or_default().schedule);
        json!({
            "agents": agents,
            "weights": weights,
            "quotas": quotas,
            "maintenance": serde_json::from_slice::<Value>(&schedule).unwrap_or_default(),
        })
    }

    fn agent_snapshot(&self, agent: &Agent) -> Value {
        let info = &agent.config().info;
        let declared = agent.declared();
        let total = self.master.agent_record(&agent.config().id).map_or(&declared, |record| &record.total);
        let mut json = json!({
            "hostname": info.hostname,
            "attributes": show::attributes(&info.attributes),
            "resources": messages(&declared),
        });
        if messages(total) != json["resources"] {
            json["total"] = messages(total);
        }
        show::add(&mut json, "domain", info.domain.as_ref().map(show::domain));
        json
    }

    fn answer(&mut self, now: Instant, kind: call::Type) -> Response {
        let call = Call { r#type: Some(kind.into()), ..Call::default() };
        // Asking is not refused.
        self.master.operator_call(now, call).ok().and_then(Done::response).unwrap_or_default()
    }

    /// Starts the agents of the beginning, and sets what was set then.
    ///
    /// Fails if the master refuses it.
    pub fn begin(&mut self, now: Instant) -> Result<()> {
        let initial = self.maker.options.initial.clone().unwrap_or_default();
        for wanted in initial.agents.unwrap_or_else(|| self.maker.options.agents.clone()) {
            self.add_agent(now, &wanted);
        }
        for call in initial.calls {
            let name = call.r#type().as_str_name();
            let done = self.master.operator_call(now, call);
            done.map_err(|refusal| Error::invalid(format!("initial: {name} was refused: {}", refusal.message)))?;
        }
        Ok(())
    }
}

fn messages(resources: &Resources) -> Value {
    let format = Format { reservation_refinement: true, ..Format::default() };
    resources.to_proto(&format).iter().map(|resource| show::message("mesos.v1.Resource", resource)).collect()
}
