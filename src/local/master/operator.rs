//! What an operator does: agents are marked gone, maintenance is planned. Follows `Master::markGone` and
//! `src/master/maintenance.cpp`; inverse offers are not made.

use std::time::Instant;

use super::{Master, Output, event_of};
use crate::local::messages::ToAgent;
use crate::proto::v1;
use crate::proto::v1::framework_info::capability::Type as Capability;
use crate::proto::v1::scheduler::event;
use crate::proto::v1::task_status::Reason;

impl Master {
    /// Takes an agent out for good; false where it is not known.
    pub fn mark_gone(&mut self, now: Instant, agent_id: &str) -> bool {
        if self.agents.remove(agent_id).is_none() {
            return self.gone.contains(agent_id);
        }
        tracing::info!("Agent {agent_id} is marked gone");
        self.gone.insert(agent_id.to_owned());
        self.rescind_offers_of(agent_id);
        for framework_id in self.frameworks.keys().cloned().collect::<Vec<_>>() {
            self.lose_agent(&framework_id, agent_id);
        }
        self.allocate_soon(now);
        true
    }

    fn lose_agent(&mut self, framework_id: &str, agent_id: &str) {
        let Some(framework) = self.frameworks.get_mut(framework_id) else {
            return;
        };
        let aware = framework.has(Capability::PartitionAware);
        let reason = if aware { Reason::AgentRemovedByOperator } else { Reason::AgentRemoved };
        let here = framework.tasks.values().filter(|task| task.agent_id == agent_id);
        let lost: Vec<v1::TaskInfo> = here.map(|task| task.info.clone()).collect();
        lost.iter().for_each(|task| framework.complete_task(&task.task_id.value));
        framework.executors.retain(|(agent, _), _| agent != agent_id);
        for task in &lost {
            let state = v1::TaskState::TaskGoneByOperator;
            self.report(framework_id, task, state, reason, "Agent has been marked gone");
        }
        if !lost.is_empty() {
            let shutdown = ToAgent::ShutdownFramework { framework_id: framework_id.to_owned() };
            self.outputs.push_back(Output::Tell(agent_id.to_owned(), shutdown));
        }
        let failure =
            event::Failure { agent_id: Some(v1::AgentId { value: agent_id.to_owned() }), ..Default::default() };
        let mut event = event_of(event::Type::Failure);
        event.failure = Some(failure);
        self.send(framework_id, event);
    }

    /// Takes in when machines will not be there, in place of what was planned before. Their offers are made anew.
    pub fn plan_maintenance(&mut self, now: Instant, schedule: v1::maintenance::Schedule) -> Result<(), String> {
        if schedule.windows.iter().any(|window| window.machine_ids.is_empty()) {
            return Err("List of machines in the maintenance window is empty".to_owned());
        }
        self.schedule = schedule;
        for agent_id in self.agents.keys().cloned().collect::<Vec<_>>() {
            self.rescind_offers_of(&agent_id);
        }
        self.allocate_soon(now);
        Ok(())
    }

    /// When an agent's machine will not be there.
    pub(super) fn unavailability(&self, hostname: &str) -> Option<v1::Unavailability> {
        let ip = self.config.address.ip().to_string();
        let here = |machine: &v1::MachineId| {
            machine.hostname.as_deref().is_none_or(|h| h.eq_ignore_ascii_case(hostname))
                && machine.ip.as_deref().is_none_or(|given| given == ip)
        };
        let window = self.schedule.windows.iter().find(|window| window.machine_ids.iter().any(here));
        window.map(|window| window.unavailability)
    }

    fn rescind_offers_of(&mut self, agent_id: &str) {
        let offers = self.offers.iter().filter(|(_, offer)| offer.agent_id == agent_id);
        for offer_id in offers.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.rescind(&offer_id);
        }
    }

    /// Takes an offer back.
    pub(super) fn rescind(&mut self, offer_id: &str) {
        if let Some(offer) = self.offers.remove(offer_id) {
            let mut event = event_of(event::Type::Rescind);
            event.rescind = Some(event::Rescind { offer_id: v1::OfferId { value: offer_id.to_owned() } });
            self.send(&offer.framework_id, event);
        }
    }
}
