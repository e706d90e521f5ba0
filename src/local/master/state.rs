//! What `/state` and its kin show. Follows `src/master/readonly_handler.cpp`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::agents::Admitted;
use super::framework::{Framework, Task};
use super::{AgentRecord, MASTER_CAPABILITY_NAMES, MESOS_VERSION, Master};
use crate::local::messages::is_terminal;
use crate::local::resources::Resources;
use crate::local::show;
use crate::proto::v1::TaskState;

/// The states that `/state-summary` counts.
const COUNTED: [TaskState; 10] = [
    TaskState::TaskStaging,
    TaskState::TaskStarting,
    TaskState::TaskRunning,
    TaskState::TaskKilling,
    TaskState::TaskFinished,
    TaskState::TaskKilled,
    TaskState::TaskFailed,
    TaskState::TaskLost,
    TaskState::TaskError,
    TaskState::TaskUnreachable,
];

impl Master {
    /// `/state`.
    pub fn state(&self) -> Value {
        let deactivated = self.agents.values().filter(|agent| !agent.is_active()).count();
        let leader = json!({
            "id": self.id, "pid": self.pid(), "port": self.config.address.port(), "hostname": self.config.hostname,
        });
        let mut state = json!({
            "version": MESOS_VERSION,
            "build_date": "",
            "build_time": 0.0,
            "build_user": "remesos",
            "start_time": self.start_time,
            "elected_time": self.start_time,
            "id": self.id,
            "pid": self.pid(),
            "hostname": self.config.hostname,
            "capabilities": MASTER_CAPABILITY_NAMES,
            "activated_slaves": self.agents.len().saturating_sub(deactivated),
            "deactivated_slaves": deactivated,
            "unreachable_slaves": self.absent.unreachable.len(),
            "leader": self.pid(),
            "leader_info": leader,
            "flags": self.config.flags,
            "slaves": self.agents.iter().map(|(id, agent)| self.agent_json(id, agent)).collect::<Vec<_>>(),
            "recovered_slaves": self.recovered_json(),
            "frameworks": self.frameworks.values().map(|f| self.framework_json(f)).collect::<Vec<_>>(),
            "completed_frameworks": self.completed.iter().map(|f| self.framework_json(f)).collect::<Vec<_>>(),
            "orphan_tasks": [],
            "unregistered_frameworks": [],
        });
        let domain = self.config.domain.as_ref().map(show::domain);
        show::add(&mut state["leader_info"], "domain", domain.clone());
        show::add(&mut state, "domain", domain);
        show::add(&mut state, "cluster", self.config.cluster.as_deref().map(Value::from));
        state
    }

    /// `/flags`.
    pub fn flags(&self) -> Value {
        json!({ "flags": self.config.flags })
    }

    /// `/slaves`.
    pub fn slaves(&self) -> Value {
        let slave = |(id, agent): (&String, &AgentRecord)| {
            let mut json = self.agent_json(id, agent);
            json["reserved_resources_full"] = show::reserved_full(&agent.total);
            json["unreserved_resources_full"] = show::full(&agent.total.not_reserved(), None);
            let used = self.frameworks.values().flat_map(|framework| framework.held(Some(id)));
            json["used_resources_full"] = full_by_role(used);
            let offers = self.offers.values().filter(|offer| offer.agent_id == *id);
            json["offered_resources_full"] = full_by_role(offers.map(|offer| (offer.role.as_str(), &offer.resources)));
            json
        };
        json!({ "slaves": self.agents.iter().map(slave).collect::<Vec<_>>(), "recovered_slaves": self.recovered_json() })
    }

    /// The agents that were registered with an earlier master, and are not yet with this one.
    fn recovered_json(&self) -> Value {
        let slave = |(id, known): (&String, &Admitted)| {
            json!({
                "id": id,
                "hostname": known.info.hostname,
                "port": self.config.address.port(),
                "attributes": show::attributes(&known.info.attributes),
            })
        };
        self.absent.recovered.iter().map(slave).collect()
    }

    /// `/state-summary`.
    pub fn summary(&self) -> Value {
        let agent = |(id, agent): (&String, &AgentRecord)| {
            let mut json = self.agent_json(id, agent);
            let here = |framework: &&Framework| framework.all_tasks().any(|task| task.agent_id == *id);
            let frameworks: Vec<&Framework> = self.frameworks.values().filter(here).collect();
            let tasks = frameworks.iter().flat_map(|framework| framework.all_tasks());
            count(&mut json, tasks.filter(|task| task.agent_id == *id));
            json["framework_ids"] = frameworks.iter().map(|framework| framework.id()).collect();
            json
        };
        let framework = |framework: &Framework| {
            let mut json = self.framework_summary(framework);
            count(&mut json, framework.all_tasks());
            let agents: BTreeSet<&str> = framework.all_tasks().map(|task| task.agent_id.as_str()).collect();
            json["slave_ids"] = json!(agents);
            json
        };
        let mut summary = json!({
            "hostname": self.config.hostname,
            "slaves": self.agents.iter().map(agent).collect::<Vec<_>>(),
            "frameworks": self.frameworks.values().map(framework).collect::<Vec<_>>(),
        });
        show::add(&mut summary, "cluster", self.config.cluster.as_deref().map(Value::from));
        summary
    }

    /// `/frameworks`.
    pub fn frameworks_json(&self) -> Value {
        json!({
            "frameworks": self.frameworks.values().map(|f| self.framework_json(f)).collect::<Vec<_>>(),
            "completed_frameworks": self.completed.iter().map(|f| self.framework_json(f)).collect::<Vec<_>>(),
            "unregistered_frameworks": [],
        })
    }

    /// `/tasks`, newest first.
    pub fn tasks_json(&self) -> Value {
        let of = |framework: &Framework| {
            let id = framework.id();
            framework.all_tasks().map(|task| (task.started(), task_json(&id, task))).collect::<Vec<_>>()
        };
        let mut tasks: Vec<_> = self.frameworks().flat_map(of).collect();
        tasks.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        json!({ "tasks": tasks.into_iter().map(|(_, task)| task).collect::<Vec<_>>() })
    }

    fn agent_json(&self, id: &str, agent: &AgentRecord) -> Value {
        let mut json = json!({
            "id": id,
            "hostname": agent.info.hostname,
            "port": self.config.address.port(),
            "attributes": show::attributes(&agent.info.attributes),
            "pid": format!("{}@{}", agent.path, self.config.address),
            "registered_time": agent.registered_time,
            "resources": show::resources(&agent.total),
            "used_resources": show::resources(&self.used(id)),
            "offered_resources": show::resources(&self.offered(id)),
            "reserved_resources": show::reserved(&agent.total),
            "unreserved_resources": show::resources(&agent.total.not_reserved()),
            "active": agent.is_active(),
            "deactivated": agent.deactivated,
            "version": MESOS_VERSION,
            "capabilities": show::AGENT_CAPABILITIES,
        });
        show::add(&mut json, "domain", agent.info.domain.as_ref().map(show::domain));
        show::add(&mut json, "drain_info", agent.drain.as_ref().map(|info| show::message("mesos.v1.DrainInfo", info)));
        json
    }

    fn framework_summary(&self, framework: &Framework) -> Value {
        let (used, offered) = self.held_by(framework);
        json!({
            "id": framework.id(),
            "name": framework.info.name,
            "used_resources": show::resources(&used),
            "offered_resources": show::resources(&offered),
            "capabilities": framework.info.capabilities.iter().map(|c| c.r#type().as_str_name()).collect::<Vec<_>>(),
            "hostname": framework.info.hostname(),
            "webui_url": framework.info.webui_url(),
            "active": framework.connection.is_some(),
            "connected": framework.connection.is_some(),
            "recovered": framework.recovered,
        })
    }

    fn held_by(&self, framework: &Framework) -> (Resources, Resources) {
        let (mut used, mut offered) = (Resources::default(), Resources::default());
        framework.held(None).for_each(|(_, resources)| used.add(resources));
        let id = framework.id();
        let offers = self.offers.values().filter(|offer| offer.framework_id == id);
        offers.for_each(|offer| offered.add(&offer.resources));
        (used, offered)
    }

    fn framework_json(&self, framework: &Framework) -> Value {
        let id = framework.id();
        let (mut held, offered) = self.held_by(framework);
        held.add(&offered);
        let tasks = |tasks: &mut dyn Iterator<Item = &Task>| tasks.map(|t| task_json(&id, t)).collect::<Value>();
        let (done, live): (Vec<_>, Vec<_>) = framework.live_tasks().partition(|task| is_terminal(task.state));
        let mut json = self.framework_summary(framework);
        json["user"] = json!(framework.info.user);
        json["failover_timeout"] = json!(framework.info.failover_timeout());
        json["checkpoint"] = json!(framework.info.checkpoint());
        json["registered_time"] = json!(framework.registered_time);
        json["unregistered_time"] = json!(framework.unregistered_time.unwrap_or(0.0));
        show::add(&mut json, "principal", framework.info.principal.as_deref().map(Value::from));
        json["resources"] = show::resources(&held);
        show::add(&mut json, "reregistered_time", framework.reregistered_time.map(Value::from));
        let (name, roles) = show::roles(&framework.info);
        json[name] = roles;
        json["tasks"] = tasks(&mut live.into_iter().chain(done));
        json["unreachable_tasks"] = tasks(&mut framework.unreachable_tasks.values());
        json["completed_tasks"] = tasks(&mut framework.completed_tasks.iter());
        let offers = self.offers.iter().filter(|(_, offer)| offer.framework_id == id);
        json["offers"] = offers
            .map(|(offer_id, offer)| {
                json!({
                    "id": offer_id,
                    "framework_id": id,
                    "allocation_info": { "role": offer.role },
                    "slave_id": offer.agent_id,
                    "resources": show::resources(&offer.resources),
                })
            })
            .collect();
        let executor = |((agent_id, _), executor): (&(String, String), &super::framework::ExecutorRecord)| {
            let mut json = show::executor(&executor.info, &executor.role, &executor.resources);
            json["slave_id"] = json!(agent_id);
            json
        };
        json["executors"] = framework.executors.iter().map(executor).collect();
        show::add(&mut json, "labels", framework.info.labels.as_ref().map(show::labels));
        let constraints = framework.offer_constraints.as_ref();
        let constraints = constraints.map(|given| show::message("mesos.v1.scheduler.OfferConstraints", given));
        json["offer_constraints"] = constraints.unwrap_or_else(|| json!({}));
        json
    }
}

fn task_json(framework_id: &str, task: &Task) -> Value {
    show::task(&show::Task {
        info: &task.info,
        framework_id,
        agent_id: &task.agent_id,
        state: task.latest,
        role: &task.role,
        resources: &task.resources,
        statuses: &task.statuses,
    })
}

/// Adds how many tasks are in each state.
fn count<'a>(json: &mut Value, tasks: impl Iterator<Item = &'a Task>) {
    let states: Vec<TaskState> = tasks.map(|task| task.state).collect();
    for state in COUNTED {
        json[state.as_str_name()] = json!(states.iter().filter(|found| **found == state).count());
    }
}

/// Sums of what is held by role, with all that messages say.
fn full_by_role<'a>(held: impl Iterator<Item = (&'a str, &'a Resources)>) -> Value {
    let mut sums: Vec<(&str, Resources)> = Vec::new();
    for (role, resources) in held {
        match sums.iter_mut().find(|(known, _)| *known == role) {
            Some((_, sum)) => sum.add(resources),
            None => sums.push((role, resources.clone())),
        }
    }
    let full = sums.iter().filter_map(|(role, sum)| match show::full(sum, Some(role)) {
        Value::Array(list) => Some(list),
        _ => None,
    });
    full.flatten().collect()
}
