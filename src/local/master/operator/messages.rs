//! Agents, frameworks and tasks as the operator API shows them. Follows `model` in `src/master/http.cpp`, and
//! `createAgentResponse` and `createFrameworkAdded` in `src/common/protobuf_utils.cpp`.

use std::collections::BTreeMap;

use crate::local::master::framework::{Framework, OperationRecord};
use crate::local::master::placed::Task;
use crate::local::master::{AgentRecord, MESOS_VERSION, Master, OfferRecord};
use crate::local::resources::{Format, Resources};
use crate::local::show;
use crate::local::world::time_info;
use crate::proto::v1;
use crate::proto::v1::agent_info::{Capability, capability};
use crate::proto::v1::master::response::{get_agents, get_frameworks};

impl Master {
    /// An agent that is registered, with what of it is held.
    pub(super) fn agent_message(&self, id: &str, agent: &AgentRecord) -> get_agents::Agent {
        let held = self.allocator.held_by_role(id);
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
            allocated_resources: messages(held.iter().map(|(role, held)| (*role, &held.used))),
            offered_resources: messages(held.iter().map(|(role, held)| (*role, &held.offered))),
            capabilities: show::AGENT_CAPABILITIES.iter().map(capability).collect(),
            resource_providers: Vec::new(),
            drain_info: agent.drain,
            estimated_drain_start_time: agent.drain.and(agent.drain_started).map(|seconds| time_info(seconds.floor())),
        }
    }

    /// A framework, with its offers and what it holds.
    pub(super) fn framework_message(&self, framework: &Framework) -> get_frameworks::Framework {
        let id = framework.id();
        let offers = || self.offers.of_framework(&id);
        let offered = by_role(offers().map(|(_, offer)| (offer.role.as_str(), &offer.resources)));
        let used = by_role(framework.held());
        get_frameworks::Framework {
            unregistered_time: framework.unregistered_time.map(time_info),
            offers: offers().filter_map(|(id, offer)| self.whole_offer(id, offer)).collect(),
            inverse_offers: self.inverse_offers.of_framework(&id),
            allocated_resources: messages(used.iter().map(|(role, sum)| (*role, sum))),
            offered_resources: messages(offered.iter().map(|(role, sum)| (*role, sum))),
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

/// Sums of resources by the role that they are allocated to.
fn by_role<'a>(held: impl Iterator<Item = (&'a str, &'a Resources)>) -> BTreeMap<&'a str, Resources> {
    let mut sums: BTreeMap<&str, Resources> = BTreeMap::new();
    held.for_each(|(role, resources)| sums.entry(role).or_default().add(resources));
    sums
}

/// The messages of resources, each with the role that it is allocated to.
fn messages<'a>(held: impl Iterator<Item = (&'a str, &'a Resources)>) -> Vec<v1::Resource> {
    held.flat_map(|(role, resources)| show::endpoint(resources, Some(role))).collect()
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
    let format = Format { reservation_refinement: true, allocated_to: Some(task.role.clone()) };
    v1::Task {
        state: task.latest.into(),
        resources: task.resources.to_proto(&format),
        statuses: task.statuses.clone(),
        status_update_state: task.update_uuid.as_ref().map(|_| task.state.into()),
        status_update_uuid: task.update_uuid.clone(),
        ..show::task_message(&task.info, framework_id)
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
