//! Planned maintenance. Follows `src/master/maintenance.cpp`.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Instant;

use super::Master;
use crate::local::refusal::{Invalid, Refusal};
use crate::proto::v1::maintenance::cluster_status::DrainingMachine;
use crate::proto::v1::maintenance::{ClusterStatus, Schedule};
use crate::proto::v1::{MachineId, Unavailability};
use crate::wire::json;

const JSON_OF_MACHINE: &str = "mesos.v1.MachineID";

impl Master {
    /// When which machines will be unavailable.
    pub(super) fn maintenance_schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Replaces the schedule. Rescinds all offers, so that new ones show the change.
    ///
    /// # Errors
    ///
    /// Refuses a schedule that is not valid (`maintenance::validation::schedule`).
    pub(super) fn update_maintenance_schedule(&mut self, now: Instant, schedule: Schedule) -> Result<(), Refusal> {
        validate(&schedule).map_err(|why| Refusal::new(400, why.to_string()))?;
        let planned: Vec<_> = self.agents.keys().map(|id| (id.clone(), self.is_planned(id))).collect();
        self.schedule = schedule;
        for (agent_id, was_planned) in planned {
            let planned = self.is_planned(&agent_id);
            if planned || was_planned {
                self.rescind_offers_of(&agent_id);
                self.rescind_inverse_offers_of(&agent_id);
                self.forget_inverse_offer_statuses(&agent_id);
                self.allocator.set_maintenance(now, &agent_id, planned);
            }
        }
        Ok(())
    }

    fn is_planned(&self, agent_id: &str) -> bool {
        self.agents.get(agent_id).is_some_and(|agent| self.unavailability(&agent.info.hostname).is_some())
    }

    /// Which machines are to become unavailable, with what frameworks answered to the inverse offers for their agents.
    pub(super) fn maintenance_status(&self) -> ClusterStatus {
        let machines = self.schedule.windows.iter().flat_map(|window| &window.machine_ids);
        let draining = |id: &MachineId| {
            let here = self.agents.iter().filter(|(_, agent)| self.is_of(id, &agent.info.hostname));
            let agent_ids = here.map(|(agent_id, _)| agent_id.clone()).collect();
            let statuses = self.inverse_offers.statuses(&agent_ids).cloned().collect();
            DrainingMachine { id: id.clone(), statuses }
        };
        ClusterStatus { draining_machines: machines.map(draining).collect(), down_machines: Vec::new() }
    }

    fn is_of(&self, machine: &MachineId, hostname: &str) -> bool {
        let ip = self.config.address.ip().to_string();
        machine.hostname.as_deref().is_none_or(|h| h.eq_ignore_ascii_case(hostname))
            && machine.ip.as_deref().is_none_or(|given| given == ip)
    }

    /// When the machine with this host name will be unavailable.
    pub(super) fn unavailability(&self, hostname: &str) -> Option<Unavailability> {
        let here = |machine: &MachineId| self.is_of(machine, hostname);
        let window = self.schedule.windows.iter().find(|window| window.machine_ids.iter().any(here));
        window.map(|window| window.unavailability)
    }
}

fn validate(schedule: &Schedule) -> Result<(), Invalid> {
    let mut seen = BTreeSet::new();
    for window in &schedule.windows {
        if window.machine_ids.is_empty() {
            return Err(Invalid::new("List of machines in the maintenance window is empty"));
        }
        if window.unavailability.duration.is_some_and(|duration| duration.nanoseconds < 0) {
            return Err(Invalid::new("Unavailability 'duration' is negative"));
        }
        for machine in &window.machine_ids {
            validate_machine(machine)?;
            if !seen.insert((machine.hostname().to_ascii_lowercase(), machine.ip().to_owned())) {
                let shown = String::from_utf8_lossy(&json::to_json(JSON_OF_MACHINE, machine)).into_owned();
                return Err(Invalid::new(format!("Machine '{shown}' appears more than once in the schedule")));
            }
        }
    }
    Ok(())
}

fn validate_machine(machine: &MachineId) -> Result<(), Invalid> {
    if machine.hostname().is_empty() && machine.ip().is_empty() {
        return Err(Invalid::new("Both 'hostname' and 'ip' for a machine are empty"));
    }
    if !machine.ip().is_empty() && machine.ip().parse::<Ipv4Addr>().is_err() {
        return Err(Invalid::new(format!("Failed to parse IPv4: {}", machine.ip())));
    }
    Ok(())
}
