//! Planned maintenance. Follows `src/master/maintenance.cpp`.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Instant;

use super::{Master, Output};
use crate::local::messages::ToAgent;
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
        validate(&schedule, &self.down).map_err(|why| Refusal::new(400, why.to_string()))?;
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

    /// START_MAINTENANCE: machines of the schedule are down from now on, and their agents are removed.
    ///
    /// # Errors
    ///
    /// Refuses machines that are not valid, not in the schedule, or down already (`Master::Http::_startMaintenance`).
    pub(super) fn start_maintenance(&mut self, now: Instant, machines: &[MachineId]) -> Result<(), Refusal> {
        self.check_machines(machines, false, "is not in DRAINING mode and cannot be brought down")?;
        for machine in machines {
            tracing::info!("Machine {} is down", shown(machine));
            let scheduled = self.schedule.windows.iter().flat_map(|window| &window.machine_ids);
            let scheduled = scheduled.into_iter().find(|id| is_same(id, machine));
            self.down.push(scheduled.unwrap_or(machine).clone());
            let here = self.agents.iter().filter(|(_, agent)| self.is_of(machine, &agent.info.hostname));
            for agent_id in here.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
                self.outputs.push_back(Output::Tell(agent_id.clone(), ToAgent::Shutdown));
                self.remove_agent(now, &agent_id, "Operator initiated 'Machine DOWN'");
            }
        }
        Ok(())
    }

    /// STOP_MAINTENANCE: machines are up again, and no longer in the schedule.
    ///
    /// # Errors
    ///
    /// Refuses machines that are not valid, not in the schedule, or not down (`Master::Http::_stopMaintenance`).
    pub(super) fn stop_maintenance(&mut self, now: Instant, machines: &[MachineId]) -> Result<(), Refusal> {
        self.check_machines(machines, true, "is not in DOWN mode and cannot be brought up")?;
        self.down.retain(|down| !machines.iter().any(|machine| is_same(machine, down)));
        let mut schedule = self.schedule.clone();
        for window in &mut schedule.windows {
            window.machine_ids.retain(|id| !machines.iter().any(|machine| is_same(machine, id)));
        }
        schedule.windows.retain(|window| !window.machine_ids.is_empty());
        self.update_maintenance_schedule(now, schedule)
    }

    fn check_machines(&self, machines: &[MachineId], down: bool, why_not: &str) -> Result<(), Refusal> {
        let refused = |why: String| Refusal::new(400, why);
        if machines.is_empty() {
            return Err(refused("List of machines is empty".to_owned()));
        }
        let mut seen = BTreeSet::new();
        machines.iter().try_for_each(|id| validate_unique(id, &mut seen)).map_err(|why| refused(why.to_string()))?;
        for machine in machines {
            let scheduled = self.schedule.windows.iter().flat_map(|window| &window.machine_ids);
            let scheduled = scheduled.into_iter().any(|id| is_same(id, machine));
            let ip = self.config.address.ip().to_string();
            let has_agent = machine.ip() == ip
                && self.agents.values().any(|agent| agent.info.hostname.eq_ignore_ascii_case(machine.hostname()));
            let shown = shown(machine);
            if !scheduled && !has_agent {
                return Err(refused(format!("Machine '{shown}' is not part of a maintenance schedule")));
            }
            if !scheduled || self.is_down(machine) != down {
                return Err(refused(format!("Machine '{shown}' {why_not}")));
            }
        }
        Ok(())
    }

    fn is_down(&self, machine: &MachineId) -> bool {
        self.down.iter().any(|down| is_same(down, machine))
    }

    /// Whether the machine with this host name is down, so that no agent of it may register.
    pub(super) fn is_machine_down(&self, hostname: &str) -> bool {
        self.down.iter().any(|machine| self.is_of(machine, hostname))
    }

    fn is_planned(&self, agent_id: &str) -> bool {
        self.agents.get(agent_id).is_some_and(|agent| self.unavailability(&agent.info.hostname).is_some())
    }

    /// Which machines are to become unavailable, with what frameworks answered to the inverse offers for their agents.
    pub(super) fn maintenance_status(&self) -> ClusterStatus {
        let machines = self.schedule.windows.iter().flat_map(|window| &window.machine_ids);
        let machines = machines.filter(|machine| !self.is_down(machine));
        let draining = |id: &MachineId| {
            let here = self.agents.iter().filter(|(_, agent)| self.is_of(id, &agent.info.hostname));
            let agent_ids = here.map(|(agent_id, _)| agent_id.clone()).collect();
            let statuses = self.inverse_offers.statuses(&agent_ids).cloned().collect();
            DrainingMachine { id: id.clone(), statuses }
        };
        ClusterStatus { draining_machines: machines.map(draining).collect(), down_machines: self.down.clone() }
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

fn validate(schedule: &Schedule, down: &[MachineId]) -> Result<(), Invalid> {
    let mut seen = BTreeSet::new();
    for window in &schedule.windows {
        if window.machine_ids.is_empty() {
            return Err(Invalid::new("List of machines in the maintenance window is empty"));
        }
        if window.unavailability.duration.is_some_and(|duration| duration.nanoseconds < 0) {
            return Err(Invalid::new("Unavailability 'duration' is negative"));
        }
        for machine in &window.machine_ids {
            validate_unique(machine, &mut seen)?;
        }
    }
    let mut scheduled = schedule.windows.iter().flat_map(|window| &window.machine_ids);
    match down.iter().find(|machine| !scheduled.any(|id| is_same(id, machine))) {
        Some(machine) => {
            let why = format!("Machine '{}' is deactivated and cannot be removed from the schedule", shown(machine));
            Err(Invalid::new(why))
        }
        None => Ok(()),
    }
}

fn validate_unique(machine: &MachineId, seen: &mut BTreeSet<(String, String)>) -> Result<(), Invalid> {
    validate_machine(machine)?;
    let new = seen.insert((machine.hostname().to_ascii_lowercase(), machine.ip().to_owned()));
    Invalid::unless(new, format!("Machine '{}' appears more than once in the schedule", shown(machine)))
}

fn is_same(one: &MachineId, other: &MachineId) -> bool {
    one.hostname().eq_ignore_ascii_case(other.hostname()) && one.ip() == other.ip()
}

fn shown(machine: &MachineId) -> String {
    String::from_utf8_lossy(&json::to_json(JSON_OF_MACHINE, machine)).into_owned()
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
