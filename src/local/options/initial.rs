//! What a cluster begins with, as a snapshot of another one tells it.

use serde_json::{Map, Value};

use super::agents::{self, AgentOptions};
use super::named;
use crate::proto::v1::master::{Call, call};
use crate::proto::v1::{WeightInfo, maintenance, quota};
use crate::wire::json;
use crate::{Error, Result};

/// The parts of a snapshot.
const NAMES: [&str; 4] = ["agents", "weights", "quotas", "maintenance"];

/// What a cluster begins with.
#[derive(Debug, Clone, Default)]
pub struct Initial {
    /// Its agents, if they are among it.
    pub agents: Option<Vec<AgentOptions>>,
    /// What an operator would call to have the rest.
    pub calls: Vec<Call>,
}

impl Initial {
    /// Reads a snapshot in JSON.
    ///
    /// Fails, naming what is not valid.
    pub fn parse(text: &str) -> Result<Self> {
        let parsed: Option<Map<String, Value>> = serde_json::from_str(text).ok();
        let parsed = parsed.ok_or_else(|| Error::invalid("expected a snapshot, which is an object in JSON"))?;
        if let Some(strange) = parsed.keys().find(|key| !NAMES.contains(&key.as_str())) {
            return Err(Error::invalid(format!("expected some of {}, got '{strange}'", NAMES.join(", "))));
        }
        let is_empty = |value: &Value| {
            value.is_null()
                || value.as_array().is_some_and(Vec::is_empty)
                || value.as_object().is_some_and(Map::is_empty)
        };
        let part = |name: &str| parsed.get(name).filter(|value| name == "agents" || !is_empty(value));
        let mut initial = Self::default();
        if let Some(agents) = part("agents").filter(|agents| !agents.is_null()) {
            let agents = agents::from_snapshot(&agents.to_string()).map_err(|error| named("agents", &error))?;
            initial.agents = Some(agents);
        }
        let calls = [
            part("weights").map(|value| weights(value).map_err(|error| named("weights", &error))),
            part("quotas").map(|value| quotas(value).map_err(|error| named("quotas", &error))),
            part("maintenance").map(|value| schedule(value).map_err(|error| named("maintenance", &error))),
        ];
        initial.calls = calls.into_iter().flatten().collect::<Result<_>>()?;
        Ok(initial)
    }
}

fn weights(value: &Value) -> Result<Call> {
    let expected = || Error::invalid(format!(r#"expected an object such as {{"a": 2}}, got {value}"#));
    let weight = |(role, weight): (&String, &Value)| {
        Ok(WeightInfo { role: Some(role.clone()), weight: weight.as_f64().ok_or_else(expected)? })
    };
    let weight_infos = value.as_object().ok_or_else(expected)?.iter().map(weight).collect::<Result<_>>()?;
    Ok(Call {
        r#type: Some(call::Type::UpdateWeights.into()),
        update_weights: Some(call::UpdateWeights { weight_infos }),
        ..Call::default()
    })
}

fn quotas(value: &Value) -> Result<Call> {
    let expected = || Error::invalid(format!("expected a list of QuotaConfig in JSON, got {value}"));
    let config = |one: &Value| -> Result<quota::QuotaConfig> {
        let parsed = json::from_json("mesos.v1.quota.QuotaConfig", one.to_string().as_bytes());
        parsed.map_err(|error| Error::invalid(error.to_string()))
    };
    let quota_configs = value.as_array().ok_or_else(expected)?.iter().map(config).collect::<Result<_>>()?;
    Ok(Call {
        r#type: Some(call::Type::UpdateQuota.into()),
        update_quota: Some(call::UpdateQuota { force: Some(true), quota_configs }),
        ..Call::default()
    })
}

fn schedule(value: &Value) -> Result<Call> {
    let parsed = json::from_json("mesos.v1.maintenance.Schedule", value.to_string().as_bytes());
    let schedule: maintenance::Schedule = parsed.map_err(|error| Error::invalid(error.to_string()))?;
    Ok(Call {
        r#type: Some(call::Type::UpdateMaintenanceSchedule.into()),
        update_maintenance_schedule: Some(call::UpdateMaintenanceSchedule { schedule }),
        ..Call::default()
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_has_agents_and_what_operators_set() {
        let text = r#"{"agents": [{"hostname": "a"}], "weights": {"r": 2}, "quotas": [{"role": "r"}], "maintenance": {"windows": []}}"#;
        let initial = Initial::parse(text).unwrap();
        assert_eq!(initial.agents.unwrap()[0].hostname.as_deref(), Some("a"));
        let kinds: Vec<_> = initial.calls.iter().map(|call| call.r#type().as_str_name()).collect();
        assert_eq!(kinds, ["UPDATE_WEIGHTS", "UPDATE_QUOTA", "UPDATE_MAINTENANCE_SCHEDULE"]);
        assert!(Initial::parse("{}").unwrap().agents.is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let said = |text: &str| Initial::parse(text).expect_err(text).to_string();
        assert_eq!(said("[]"), "expected a snapshot, which is an object in JSON");
        assert_eq!(said(r#"{"tasks": []}"#), "expected some of agents, weights, quotas, maintenance, got 'tasks'");
        assert_eq!(
            said(r#"{"weights": {"a": "x"}}"#),
            r#"weights: expected an object such as {"a": 2}, got {"a":"x"}"#
        );
        assert!(said(r#"{"agents": [{"total": [{"name": 1}]}]}"#).starts_with("agents: total: "));
    }
}
