//! What `/state` and its kin show. Follows `src/master/http.cpp` and `src/common/http.cpp`.

use serde_json::{Value, json};

use super::framework::{ExecutorRecord, Framework, Task};
use super::{MESOS_VERSION, Master};
use crate::local::messages::is_terminal;
use crate::local::resources::Resources;
use crate::proto::v1;

impl Master {
    /// `/state`.
    pub fn state(&self) -> Value {
        let frameworks = self.frameworks.values().map(|f| self.framework_json(f));
        let mut state = json!({
            "version": MESOS_VERSION,
            "build_time": 0.0,
            "build_user": "remesos",
            "start_time": self.start_time,
            "elected_time": self.start_time,
            "id": self.id,
            "pid": self.pid(),
            "hostname": self.config.hostname,
            "activated_slaves": self.agents.len(),
            "deactivated_slaves": 0,
            "unreachable_slaves": 0,
            "leader": self.pid(),
            "leader_info": {
                "id": self.id, "pid": self.pid(), "port": self.config.address.port(), "hostname": self.config.hostname,
            },
            "flags": {
                "port": self.config.address.port().to_string(),
                "allocation_interval": format!("{}ms", self.config.allocation_interval.get().as_millis()),
            },
            "slaves": self.slaves(),
            "recovered_slaves": [],
            "frameworks": frameworks.collect::<Vec<_>>(),
            "completed_frameworks": self.completed.iter().map(|f| self.framework_json(f)).collect::<Vec<_>>(),
            "orphan_tasks": [],
            "unregistered_frameworks": [],
        });
        if let Some(cluster) = &self.config.cluster {
            state["cluster"] = json!(cluster);
        }
        state
    }

    /// The list in `/slaves`.
    pub fn slaves(&self) -> Value {
        let slave = |(id, agent): (&String, &super::AgentRecord)| {
            json!({
                "id": id,
                "hostname": agent.info.hostname,
                "port": self.config.address.port(),
                "pid": format!("{}@{}", agent.path, self.config.address),
                "attributes": {},
                "registered_time": agent.registered_time,
                "resources": resources_json(&agent.total),
                "used_resources": resources_json(&self.used(id)),
                "offered_resources": resources_json(&self.offered(id)),
                "reserved_resources": {},
                "unreserved_resources": resources_json(&agent.total),
                "active": true,
                "deactivated": false,
                "version": MESOS_VERSION,
                "capabilities": [],
            })
        };
        self.agents.iter().map(slave).collect()
    }

    /// The list in `/frameworks`, active ones.
    pub fn frameworks_json(&self) -> Value {
        json!({
            "frameworks": self.frameworks.values().map(|f| self.framework_json(f)).collect::<Vec<_>>(),
            "completed_frameworks": self.completed.iter().map(|f| self.framework_json(f)).collect::<Vec<_>>(),
            "unregistered_frameworks": [],
        })
    }

    /// The list in `/tasks`, newest first.
    pub fn tasks_json(&self) -> Value {
        let of = |f: &Framework| {
            f.tasks.values().chain(&f.completed_tasks).map(|t| task_json(&f.id(), t)).collect::<Vec<_>>()
        };
        json!({ "tasks": self.frameworks().flat_map(of).collect::<Vec<_>>() })
    }

    fn framework_json(&self, framework: &Framework) -> Value {
        let id = framework.id();
        let (mut used, mut offered) = (Resources::default(), Resources::default());
        framework.held(None).for_each(|(_, resources)| used.add(resources));
        let offers = self.offers.iter().filter(|(_, o)| o.framework_id == id);
        offers.clone().for_each(|(_, o)| offered.add(&o.resources));
        let tasks = |tasks: &mut dyn Iterator<Item = &Task>| tasks.map(|t| task_json(&id, t)).collect::<Vec<_>>();
        let (done, live): (Vec<_>, Vec<_>) = framework.tasks.values().partition(|t| is_terminal(t.state));
        let mut json = json!({
            "id": id,
            "name": framework.info.name,
            "user": framework.info.user,
            "hostname": framework.info.hostname(),
            "webui_url": framework.info.webui_url(),
            "principal": framework.info.principal(),
            "active": framework.connection.is_some(),
            "connected": framework.connection.is_some(),
            "recovered": false,
            "checkpoint": framework.info.checkpoint(),
            "failover_timeout": framework.info.failover_timeout(),
            "capabilities": framework.info.capabilities.iter().map(|c| c.r#type().as_str_name()).collect::<Vec<_>>(),
            "registered_time": framework.registered_time,
            "reregistered_time": framework.reregistered_time.unwrap_or(framework.registered_time),
            "unregistered_time": framework.unregistered_time.unwrap_or(0.0),
            "resources": resources_json(&used),
            "used_resources": resources_json(&used),
            "offered_resources": resources_json(&offered),
            "tasks": tasks(&mut live.into_iter().chain(done)),
            "unreachable_tasks": [],
            "completed_tasks": tasks(&mut framework.completed_tasks.iter()),
            "executors": framework.executors.iter().map(|((agent, id), e)| executor_json(agent, id, e)).collect::<Vec<_>>(),
            "offers": offers.map(|(offer_id, offer)| json!({
                "id": offer_id, "framework_id": id, "slave_id": offer.agent_id, "resources": resources_json(&offer.resources),
            })).collect::<Vec<_>>(),
        });
        let roles = framework.roles();
        if framework.has(v1::framework_info::capability::Type::MultiRole) {
            json["roles"] = json!(roles);
        } else {
            json["role"] = json!(roles.first());
        }
        json
    }
}

fn task_json(framework_id: &str, task: &Task) -> Value {
    let status = |status: &v1::TaskStatus| {
        let mut json = json!({ "state": status.state().as_str_name(), "timestamp": status.timestamp() });
        if let Some(message) = &status.message {
            json["message"] = json!(message);
        }
        json
    };
    let labels = task.info.labels.iter().flat_map(|l| &l.labels);
    json!({
        "id": task.info.task_id.value,
        "name": task.info.name,
        "framework_id": framework_id,
        "executor_id": task.info.executor.as_ref().map(|e| e.executor_id.value.as_str()).unwrap_or_default(),
        "slave_id": task.agent_id,
        "state": task.state.as_str_name(),
        "role": task.role,
        "resources": resources_json(&task.resources),
        "statuses": task.statuses.iter().map(status).collect::<Vec<_>>(),
        "labels": labels.map(|l| json!({ "key": l.key, "value": l.value() })).collect::<Vec<_>>(),
    })
}

#[allow(deprecated)]
fn executor_json(agent_id: &str, id: &str, executor: &ExecutorRecord) -> Value {
    let framework_id = executor.info.framework_id.as_ref().map(|id| id.value.as_str());
    json!({
        "executor_id": id,
        "name": executor.info.name(),
        "framework_id": framework_id,
        "slave_id": agent_id,
        "source": executor.info.source(),
        "resources": resources_json(&executor.resources),
    })
}

/// Resources as `/state` flattens them: numbers by name, ranges and sets as text.
fn resources_json(resources: &Resources) -> Value {
    let mut json = json!({ "cpus": 0.0, "gpus": 0.0, "mem": 0.0, "disk": 0.0 });
    for (name, amount) in resources.by_name() {
        json[name] = amount.scalar().map_or_else(|| json!(amount.to_string()), |number| json!(number));
    }
    json
}
