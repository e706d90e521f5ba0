//! Agents that are deactivated, and drained of their tasks. Follows `Master::Http::_drainAgent`, `_deactivateAgent`,
//! `_reactivateAgent` and `Master::checkAndTransitionDrainingAgent`.

use std::time::Instant;

use super::{Master, Output};
use crate::local::messages::ToAgent;
use crate::local::refusal::Refusal;
use crate::proto::v1;
use crate::proto::v1::DrainState;
use crate::proto::v1::master::call;

impl Master {
    /// DRAIN_AGENT: its tasks are killed, and it is deactivated.
    pub(super) fn drain(&mut self, now: Instant, drain: call::DrainAgent) -> Result<(), Refusal> {
        let agent_id = drain.agent_id.value;
        let hostname = self.hostname_of(&agent_id).ok_or_else(unknown)?;
        if self.unavailability(&hostname).is_some() {
            let machine = format!("{hostname} ({})", self.config.address.ip());
            let why = format!("Agent {agent_id} is part of a maintenance schedule under Machine {machine}");
            return Err(Refusal::new(400, why));
        }
        let max_grace_period = drain.max_grace_period.map(|period| v1::DurationInfo {
            nanoseconds: period.seconds.saturating_mul(1_000_000_000).saturating_add(period.nanos.into()),
        });
        let mark_gone = drain.mark_gone.unwrap_or_default();
        let config = v1::DrainConfig { max_grace_period, mark_gone: Some(mark_gone) };
        let info = Some(v1::DrainInfo { state: DrainState::Draining.into(), config });
        tracing::info!("Draining agent {agent_id}");
        if let Some(absent) = self.absent.admitted_mut(&agent_id) {
            (absent.deactivated, absent.drain) = (true, info);
            return Ok(());
        }
        let started = Some(self.world.timestamp(now));
        let agent = self.agents.get_mut(&agent_id).ok_or_else(unknown)?;
        (agent.drain, agent.drain_started) = (info, started);
        self.deactivate_agent(&agent_id);
        let message = ToAgent::Drain { max_grace_period, mark_gone };
        self.outputs.push_back(Output::Tell(agent_id.clone(), message));
        self.check_drained(now, &agent_id);
        Ok(())
    }

    /// DEACTIVATE_AGENT: it is offered to nobody, and its tasks go on.
    pub(super) fn deactivate(&mut self, deactivate: &call::DeactivateAgent) -> Result<(), Refusal> {
        let agent_id = &deactivate.agent_id.value;
        if let Some(absent) = self.absent.admitted_mut(agent_id) {
            absent.deactivated = true;
            return Ok(());
        }
        if !self.agents.contains_key(agent_id) {
            return Err(unknown());
        }
        self.deactivate_agent(agent_id);
        Ok(())
    }

    /// REACTIVATE_AGENT: a deactivated or drained agent is offered again.
    pub(super) fn reactivate(&mut self, now: Instant, reactivate: &call::ReactivateAgent) -> Result<(), Refusal> {
        let agent_id = &reactivate.agent_id.value;
        let not_deactivated = || Refusal::new(400, "Agent is not deactivated");
        let drains = |drain: Option<v1::DrainInfo>| drain.is_some_and(|drain| drain.state() == DrainState::Draining);
        let still = || Refusal::new(400, "Agent is still in the DRAINING state");
        if let Some(absent) = self.absent.admitted_mut(agent_id).filter(|absent| absent.deactivated) {
            if drains(absent.drain) {
                return Err(still());
            }
            (absent.deactivated, absent.drain) = (false, None);
            // It is done; the real master says so too.
            return Err(Refusal::new(409, "Agent removed while processing the call"));
        }
        let agent = self.agents.get_mut(agent_id).filter(|agent| agent.deactivated).ok_or_else(not_deactivated)?;
        if drains(agent.drain) {
            return Err(still());
        }
        agent.deactivated = false;
        agent.drain = None;
        let connected = agent.connected;
        self.allocator.set_agent_active(agent_id, connected);
        self.allocator.reconsider(now, agent_id);
        Ok(())
    }

    fn deactivate_agent(&mut self, agent_id: &str) {
        if let Some(agent) = self.agents.get_mut(agent_id) {
            agent.deactivated = true;
        }
        self.allocator.set_agent_active(agent_id, false);
        self.rescind_offers_of(agent_id);
        self.rescind_inverse_offers_of(agent_id);
    }

    /// An agent without tasks and operations is drained.
    pub(super) fn check_drained(&mut self, now: Instant, agent_id: &str) {
        let agent = self.agents.get_mut(agent_id);
        // Few agents drain, and all that follows looks at every framework.
        let draining = |drain: &&mut v1::DrainInfo| drain.state() == DrainState::Draining;
        let Some(drain) = agent.and_then(|agent| agent.drain.as_mut()).filter(draining) else {
            return;
        };
        let busy = self.frameworks.values().any(|framework| {
            framework.tasks.of_agent(agent_id).next().is_some()
                || framework.operations.values().any(|operation| operation.agent_id == agent_id)
        });
        if busy {
            return;
        }
        drain.set_state(DrainState::Drained);
        tracing::info!("Agent {agent_id} is drained");
        if drain.config.mark_gone() {
            // The agent is there, so nothing can be refused.
            let _ = self.mark_gone(now, agent_id);
        }
    }
}

fn unknown() -> Refusal {
    Refusal::new(400, "Unknown agent")
}
