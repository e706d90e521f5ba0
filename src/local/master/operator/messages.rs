//! Agents, frameworks and tasks as the operator API shows them. Follows `model` in `src/master/http.cpp`, and
//! `createAgentResponse`, `createFrameworkAdded` and `createTask` in `src/common/protobuf_utils.cpp`.

use std::collections::HashMap;

use crate::local::master::framework::{Framework, OperationRecord, Task};
use crate::local::master::{AgentRecord, MESOS_VERSION, Master, OfferRecord};
use crate::local::resources::{Format, Resources};
use crate::local::show;
use crate::local::world::time_info;
use crate::proto::v1;
use crate::proto::v1::agent_info::{Capability, capability};
use crate::proto::v1::master::response::{get_agents, get_frameworks};

/// What is held of agents, each by the role that it is allocated to.
#[derive(Default)]
pub(super) struct Held<'a> {
    used: HashMap<&'a str, ByRole<'a>>,
    offered: HashMap<&'a str, ByRole<'a>>,
}

/// Sums of resources by the role that they are allocated to.
#[derive(Default)]
struct ByRole<'a>(Vec<(&'a str, Resources)>);

impl<'a> ByRole<'a> {
    fn add(&mut self, role: &'a str, resources: &Resources) {
        match self.0.iter_mut().find(|(known, _)| *known == role) {
            Some((_, sum)) => sum.add(resources),
            None => self.0.push((role, resources.clone())),
        }
    }

    fn messages(&self) -> Vec<v1::Resource> {
        self.0.iter().flat_map(|(role, sum)| show::endpoint(sum, Some(role))).collect()
    }
}

impl Master {
    /// What frameworks hold of all agents.
    pub(super) fn held(&self) -> Held<'_> {
        let mut held = Held::default();
        for framework in self.frameworks.values() {
            for (agent_id, role, resources) in framework.held_on_agents() {
                held.used.entry(agent_id).or_default().add(role, resources);
            }
        }
        for offer in self.offers.values() {
            held.offered.entry(&offer.agent_id).or_default().add(&offer.role, &offer.resources);
        }
        held
    }

    /// An agent that is registered, with what of it is held.
    pub(super) fn agent_message(&self, id: &str, agent: &AgentRecord, held: &Held) -> get_agents::Agent {
        let of = |all: &HashMap<&str, ByRole>| all.get(id).map(ByRole::messages).unwrap_or_default();
        let capability = |name: &&str| Capability { r#type: capability::Type::from_str_name(name).map(Into::into) };
        get_agents::Agent {
            agent_info: agent.info.clone(),
            active: agent.is_active(),
            deactivated: Some(agent.deactivated),
            version: MESOS_VERSION.to_owned(),
            pid: Some(format!("{}@{}", agent.path, self.config.address)),
            registered_time: Some(time_info(agent.registered_time)),
            reregistered_time: agent.reregistered_time.map(time_info),
            total_resources: show::endpoint(&agent.total, None),
            allocated_resources: of(&held.used),
            offered_resources: of(&held.offered),
            capabilities: show::AGENT_CAPABILITIES.iter().map(capability).collect(),
            resource_providers: Vec::new(),
            drain_info: agent.drain,
            estimated_drain_start_time: agent.drain.and(agent.drain_started).map(|seconds| time_info(seconds.floor())),
        }
    }

    /// A framework, with its offers and what it holds.
    pub(super) fn framework_message(&self, framework: &Framework) -> get_frameworks::Framework {
        let id = framework.id();
        let (mut used, mut offered) = (ByRole::default(), ByRole::default());
        framework.held(None).for_each(|(role, resources)| used.add(role, resources));
        let offers = || self.offers.iter().filter(|(_, offer)| offer.framework_id == id);
        offers().for_each(|(_, offer)| offered.add(&offer.role, &offer.resources));
        get_frameworks::Framework {
            unregistered_time: framework.unregistered_time.map(time_info),
            offers: offers().filter_map(|(id, offer)| self.whole_offer(id, offer)).collect(),
            inverse_offers: self.inverse_offers.of_framework(&id),
            allocated_resources: used.messages(),
            offered_resources: offered.messages(),
            offer_constraints: Some(framework.offer_constraints.clone().unwrap_or_default()),
            ..framework_outline(framework)
        }
    }

    fn whole_offer(&self, id: &str, offer: &OfferRecord) -> Option<v1::Offer> {
        let framework = self.frameworks.get(&offer.framework_id)?;
        let format = Format { reservation_refinement: true, allocated_to: Some(offer.role.clone()) };
        Some(self.offer_message(id, offer, framework, &format))
    }
}

/// A framework as the events tell of it: without what it holds, and with zeros for what has not happened.
pub(super) fn framework_outline(framework: &Framework) -> get_frameworks::Framework {
    let connected = framework.connection.is_some();
    let reregistered = framework.reregistered_time.unwrap_or(framework.registered_time);
    get_frameworks::Framework {
        framework_info: framework.info.clone(),
        active: connected,
        connected,
        recovered: framework.recovered,
        registered_time: Some(time_info(framework.registered_time)),
        reregistered_time: Some(time_info(reregistered)),
        unregistered_time: Some(time_info(framework.unregistered_time.unwrap_or_default())),
        ..Default::default()
    }
}

/// A task of a framework.
pub(super) fn task_message(framework_id: &str, task: &Task) -> v1::Task {
    let info = &task.info;
    let executor = info.executor.as_deref();
    let own = info.command.as_ref().and_then(|command| command.user.clone());
    let of_executor = || executor.and_then(|executor| executor.command.as_ref()?.user.clone());
    let format = Format { reservation_refinement: true, allocated_to: Some(task.role.clone()) };
    v1::Task {
        name: info.name.clone(),
        task_id: info.task_id.clone(),
        framework_id: v1::FrameworkId { value: framework_id.to_owned() },
        executor_id: executor.map(|executor| executor.executor_id.clone()),
        agent_id: v1::AgentId { value: task.agent_id.clone() },
        state: task.latest.into(),
        resources: task.resources.to_proto(&format),
        statuses: task.statuses.clone(),
        status_update_state: task.update_uuid.as_ref().map(|_| task.state.into()),
        status_update_uuid: task.update_uuid.clone(),
        labels: info.labels.clone(),
        discovery: info.discovery.clone(),
        container: info.container.as_deref().cloned(),
        health_check: info.health_check.as_deref().cloned(),
        kill_policy: info.kill_policy,
        user: own.or_else(of_executor),
        limits: info.limits.clone(),
    }
}

/// An operation of a framework.
pub(super) fn operation_message(framework_id: &str, operation: &OperationRecord) -> v1::Operation {
    v1::Operation {
        framework_id: Some(v1::FrameworkId { value: framework_id.to_owned() }),
        agent_id: Some(v1::AgentId { value: operation.agent_id.clone() }),
        info: operation.info.clone(),
        latest_status: operation.latest(),
        statuses: operation.statuses.clone(),
        uuid: v1::Uuid { value: operation.uuid.clone() },
    }
}
