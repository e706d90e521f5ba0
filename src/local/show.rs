//! Messages as `/state` and its kin write them, which is not quite JSON of the messages. Follows `src/common/http.cpp`.

use std::collections::BTreeMap;

use prost::Message;
use serde_json::{Map, Value, json};

use super::resources::{Format, Resources};
use crate::proto::v1;
use crate::wire;

/// What an agent of Mesos 1.11.0 can do (`AGENT_CAPABILITIES`).
pub const AGENT_CAPABILITIES: [&str; 8] = [
    "MULTI_ROLE",
    "HIERARCHICAL_ROLE",
    "RESERVATION_REFINEMENT",
    "RESOURCE_PROVIDER",
    "RESIZE_VOLUME",
    "AGENT_OPERATION_FEEDBACK",
    "AGENT_DRAINING",
    "TASK_RESOURCE_LIMITS",
];

/// A task, as the master and an agent keep it.
pub struct Task<'a> {
    pub info: &'a v1::TaskInfo,
    pub framework_id: &'a str,
    pub agent_id: &'a str,
    pub state: v1::TaskState,
    pub role: &'a str,
    pub resources: &'a Resources,
    pub statuses: &'a [v1::TaskStatus],
}

/// A message in JSON.
pub fn message(name: &str, message: &impl Message) -> Value {
    serde_json::from_slice(&wire::json::to_json(name, message)).unwrap_or_default()
}

/// JSON with the members of each object in the order of their names, as Mesos' older endpoints write some.
pub fn sorted(json: Value) -> Value {
    match json {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

/// Numbers by name, and ranges and sets as text.
pub fn resources(resources: &Resources) -> Value {
    let mut json = json!({ "disk": 0.0, "mem": 0.0, "gpus": 0.0, "cpus": 0.0 });
    for (name, amount) in resources.by_name() {
        json[name] = amount.scalar().map_or_else(|| json!(amount.to_string()), |number| json!(number));
    }
    json
}

/// What is reserved, by role.
pub fn reserved(of: &Resources) -> Value {
    of.reservations().iter().map(|(role, reserved)| (role.clone(), resources(reserved))).collect()
}

/// What is reserved, by role, with all that a message says.
pub fn reserved_full(of: &Resources) -> Value {
    of.reservations().iter().map(|(role, reserved)| (role.clone(), full(reserved, None))).collect()
}

/// Resources with all that a message says, in the formats before and since RESERVATION_REFINEMENT.
pub fn full(resources: &Resources, allocated_to: Option<&str>) -> Value {
    full_list(resources, allocated_to).into()
}

/// As [`full`], each by itself.
pub fn full_list(resources: &Resources, allocated_to: Option<&str>) -> Vec<Value> {
    endpoint(resources, allocated_to).iter().map(|resource| message("mesos.v1.Resource", resource)).collect()
}

/// Messages of resources that are in the formats before and since RESERVATION_REFINEMENT at once, as far as they can be
/// (`convertResourceFormat` to `ENDPOINT` in `src/common/resources_utils.cpp`).
#[allow(deprecated)]
pub fn endpoint(resources: &Resources, allocated_to: Option<&str>) -> Vec<v1::Resource> {
    let format =
        |reservation_refinement| Format { reservation_refinement, allocated_to: allocated_to.map(str::to_owned) };
    let (old, new) = (resources.to_proto(&format(false)), resources.to_proto(&format(true)));
    let both = |(old, new): (v1::Resource, v1::Resource)| {
        let refined = new.reservations.len() > 1;
        let (role, reservation) = if refined { (None, None) } else { (old.role, old.reservation) };
        v1::Resource { role, reservation, ..new }
    };
    old.into_iter().zip(new).map(both).collect()
}

/// Values by name.
pub fn attributes(attributes: &[v1::Attribute]) -> Value {
    let ranges = |ranges: &v1::value::Ranges| {
        let shown: Vec<_> = ranges.range.iter().map(|range| format!("{}-{}", range.begin, range.end)).collect();
        json!(format!("[{}]", shown.join(", ")))
    };
    let value = |attribute: &v1::Attribute| {
        let number = attribute.scalar.as_ref().map(|scalar| json!(scalar.value));
        let text = attribute.text.as_ref().map(|text| json!(text.value));
        let value = number.or(text).or_else(|| attribute.ranges.as_ref().map(ranges)).unwrap_or_default();
        (attribute.name.clone(), value)
    };
    attributes.iter().map(value).collect()
}

/// Adds a field, if there is a value.
pub fn add(json: &mut Value, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        json[name] = value;
    }
}

/// A list of keys and values.
pub fn labels(labels: &v1::Labels) -> Value {
    // By hand, as all that every task has: a message takes ten times as long.
    let shown = |label: &v1::Label| {
        let mut json = json!({ "key": label.key });
        add(&mut json, "value", label.value.as_deref().map(Value::from));
        json
    };
    labels.labels.iter().map(shown).collect()
}

/// A region and a zone.
pub fn domain(domain: &v1::DomainInfo) -> Value {
    message("mesos.v1.DomainInfo", domain)
}

/// What is run, and where its files come from.
pub fn command(command: &v1::CommandInfo) -> Value {
    let mut json = Value::Object(Map::new());
    add(&mut json, "shell", command.shell.map(Value::from));
    add(&mut json, "value", command.value.as_deref().map(Value::from));
    json["argv"] = json!(command.arguments);
    let environment = command.environment.as_ref();
    add(&mut json, "environment", environment.map(|all| message("mesos.v1.Environment", all)));
    let uris = command.uris.iter().map(|uri| json!({ "value": uri.value, "executable": uri.executable() }));
    json["uris"] = uris.collect();
    json
}

/// What a task's message says that its launch said (`createTask` in `src/common/protobuf_utils.cpp`). Its state, its
/// resources and its statuses are for who keeps it to fill in.
pub fn task_message(info: &v1::TaskInfo, framework_id: &str) -> v1::Task {
    let executor = info.executor.as_deref();
    v1::Task {
        name: info.name.clone(),
        task_id: info.task_id.clone(),
        framework_id: v1::FrameworkId { value: framework_id.to_owned() },
        executor_id: executor.map(|executor| executor.executor_id.clone()),
        agent_id: info.agent_id.clone(),
        labels: info.labels.clone(),
        discovery: info.discovery.clone(),
        container: info.container.as_deref().cloned(),
        health_check: info.health_check.as_deref().cloned(),
        kill_policy: info.kill_policy,
        user: user(info).map(str::to_owned),
        limits: info.limits.clone(),
        ..Default::default()
    }
}

/// The user that a task's command runs as, or that of its executor.
fn user(info: &v1::TaskInfo) -> Option<&str> {
    let of_executor = || info.executor.as_ref()?.command.as_ref()?.user.as_deref();
    info.command.as_ref().and_then(|command| command.user.as_deref()).or_else(of_executor)
}

/// A task, wherever it is kept.
pub fn task(task: &Task) -> Value {
    let info = task.info;
    let executor = info.executor.as_ref();
    let mut json = json!({
        "id": info.task_id.value,
        "name": info.name,
        "framework_id": task.framework_id,
        "executor_id": executor.map(|executor| executor.executor_id.value.as_str()).unwrap_or_default(),
        "slave_id": task.agent_id,
        "state": task.state.as_str_name(),
        "resources": resources(task.resources),
    });
    if !info.limits.is_empty() {
        let limits: BTreeMap<_, _> = info.limits.iter().map(|(name, limit)| (name, limit.value)).collect();
        json["limits"] = json!(limits);
    }
    json["role"] = json!(task.role);
    json["statuses"] = task.statuses.iter().map(status).collect();
    add(&mut json, "user", user(info).map(Value::from));
    add(&mut json, "labels", info.labels.as_ref().map(labels));
    let discovery = info.discovery.as_ref();
    add(&mut json, "discovery", discovery.map(|all| message("mesos.v1.DiscoveryInfo", all)));
    add(&mut json, "container", info.container.as_ref().map(|all| message("mesos.v1.ContainerInfo", all)));
    add(&mut json, "health_check", info.health_check.as_ref().map(|all| message("mesos.v1.HealthCheck", all)));
    json
}

/// An update. Its message is an addition of ours, for the web page.
fn status(status: &v1::TaskStatus) -> Value {
    let mut json = json!({ "state": status.state().as_str_name(), "timestamp": status.timestamp() });
    add(&mut json, "labels", status.labels.as_ref().map(labels));
    add(&mut json, "container_status", status.container_status.as_ref().map(container_status));
    add(&mut json, "healthy", status.healthy.map(Value::from));
    add(&mut json, "message", status.message.as_deref().map(Value::from));
    json
}

fn container_status(status: &v1::ContainerStatus) -> Value {
    let mut json = Value::Object(Map::new());
    add(&mut json, "container_id", status.container_id.as_ref().map(container_id));
    let networks: Vec<_> = status.network_infos.iter().map(network_info).collect();
    add(&mut json, "network_infos", (!networks.is_empty()).then_some(Value::Array(networks)));
    let cgroup = status.cgroup_info.as_ref();
    add(&mut json, "cgroup_info", cgroup.map(|info| message("mesos.v1.CgroupInfo", info)));
    json
}

fn container_id(id: &v1::ContainerId) -> Value {
    let mut json = json!({ "value": id.value });
    add(&mut json, "parent", id.parent.as_deref().map(container_id));
    json
}

fn network_info(info: &v1::NetworkInfo) -> Value {
    let address = |address: &v1::network_info::IpAddress| {
        let mut json = Value::Object(Map::new());
        json["protocol"] = json!(address.protocol().as_str_name());
        add(&mut json, "ip_address", address.ip_address.as_deref().map(Value::from));
        json
    };
    let mut json = Value::Object(Map::new());
    add(&mut json, "groups", (!info.groups.is_empty()).then(|| json!(info.groups)));
    add(&mut json, "labels", info.labels.as_ref().map(labels));
    let addresses: Vec<_> = info.ip_addresses.iter().map(address).collect();
    add(&mut json, "ip_addresses", (!addresses.is_empty()).then_some(Value::Array(addresses)));
    add(&mut json, "name", info.name.as_deref().map(Value::from));
    let mapping = |mapping| message("mesos.v1.NetworkInfo.PortMapping", mapping);
    let mappings: Vec<_> = info.port_mappings.iter().map(mapping).collect();
    add(&mut json, "port_mappings", (!mappings.is_empty()).then_some(Value::Array(mappings)));
    json
}

/// What the master shows of an executor.
pub fn executor(info: &v1::ExecutorInfo, role: &str, of: &Resources) -> Value {
    let mut json = json!({
        "executor_id": info.executor_id.value,
        "name": info.name(),
        "framework_id": info.framework_id.as_ref().map(|id| id.value.as_str()).unwrap_or_default(),
        "command": command(info.command.as_ref().unwrap_or(&v1::CommandInfo::default())),
        "resources": resources(of),
    });
    add(&mut json, "role", (!of.is_empty()).then(|| json!(role)));
    add(&mut json, "labels", info.labels.as_ref().map(labels));
    add(&mut json, "type", info.r#type.map(|_| json!(info.r#type().as_str_name())));
    json
}

/// `roles` of a framework that may have several, or the `role` of one that has one.
pub fn roles(info: &v1::FrameworkInfo) -> (&'static str, Value) {
    let roles = crate::proto::roles(info);
    if crate::proto::has_capability(info, v1::framework_info::capability::Type::MultiRole) {
        return ("roles", json!(roles));
    }
    ("role", json!(roles.first()))
}
