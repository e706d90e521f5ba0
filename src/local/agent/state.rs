//! What `/slave(N)/state` shows. Follows `Http::state` in `src/slave/http.cpp`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Agent, AgentTask, Record, Stage};
use crate::local::backend::Sandbox;
use crate::local::master::MESOS_VERSION;
use crate::local::messages::is_terminal;
use crate::local::resources::Resources;
use crate::local::show;
use crate::proto::v1;

impl Agent {
    /// `/slave(N)/state`: frameworks with their executors, of which a command task is one, and their sandboxes, whose
    /// files are where `files` says.
    pub fn state(&self, files: impl Fn(&Sandbox) -> PathBuf) -> Value {
        let info = &self.config.info;
        let total = &self.total;
        let mut used = Resources::default();
        self.executors.values().for_each(|executor| used.add(&held(&executor.record)));
        let (live, over): (Vec<_>, Vec<_>) = self.frameworks().into_iter().partition(|(live, _)| !live.is_empty());
        let show = |frameworks: Vec<Executors>| {
            frameworks.iter().filter_map(|executors| framework(executors, &files)).collect::<Value>()
        };
        let mut json = json!({
            "version": MESOS_VERSION,
            "build_date": "",
            "build_time": 0.0,
            "build_user": "remesos",
            "start_time": self.config.start_time,
            "id": self.config.id,
            "pid": format!("{}@{}", self.config.path, self.config.endpoint),
            "hostname": info.hostname,
            "capabilities": show::AGENT_CAPABILITIES,
        });
        show::add(&mut json, "domain", info.domain.as_ref().map(show::domain));
        let rest = [
            ("resources", show::resources(total)),
            ("reserved_resources", show::reserved(total)),
            ("unreserved_resources", show::resources(&total.not_reserved())),
            ("reserved_resources_full", show::reserved_full(total)),
            ("unreserved_resources_full", show::full(&total.not_reserved(), None)),
            ("reserved_resources_allocated", show::reserved(&used)),
            ("unreserved_resources_allocated", show::resources(&used.not_reserved())),
            ("resource_providers", json!([])),
            ("attributes", show::attributes(&info.attributes)),
            ("master_hostname", json!(info.hostname)),
            ("flags", json!(self.config.flags)),
            ("frameworks", show(live)),
            ("completed_frameworks", show(over)),
        ];
        rest.into_iter().for_each(|(name, value)| json[name] = value);
        json
    }

    /// `/slave(N)/flags`.
    pub fn flags(&self) -> Value {
        json!({ "flags": self.config.flags })
    }

    /// The executors of each framework.
    fn frameworks(&self) -> Vec<Executors<'_>> {
        let mut frameworks: BTreeMap<String, Executors> = BTreeMap::new();
        for executor in self.executors.values().map(|executor| &executor.record) {
            frameworks.entry(executor.framework_id()).or_default().0.push(executor);
        }
        for executor in &self.completed {
            frameworks.entry(executor.framework_id()).or_default().1.push(executor);
        }
        frameworks.into_values().collect()
    }
}

/// Those of a framework that live, and those that are over.
type Executors<'a> = (Vec<&'a Record>, Vec<&'a Record>);

fn framework((live, over): &Executors, files: &impl Fn(&Sandbox) -> PathBuf) -> Option<Value> {
    let info = &live.last().or(over.last())?.framework;
    let show =
        |executors: &[&Record]| executors.iter().map(|each| executor(each, &files(&each.sandbox()))).collect::<Value>();
    let mut json = json!({
        "id": info.id.as_ref().map(|id| id.value.as_str()).unwrap_or_default(),
        "name": info.name,
        "user": info.user,
        "failover_timeout": info.failover_timeout(),
        "checkpoint": info.checkpoint(),
        "hostname": info.hostname(),
    });
    show::add(&mut json, "principal", info.principal.as_deref().map(Value::from));
    let (name, roles) = show::roles(info);
    json[name] = roles;
    json["executors"] = show(live);
    json["completed_executors"] = show(over);
    Some(json)
}

#[allow(deprecated)]
fn executor(record: &Record, directory: &Path) -> Value {
    let info = &record.info;
    let (over, live): (Vec<&AgentTask>, Vec<&AgentTask>) =
        record.tasks.values().map(Box::as_ref).partition(|task| is_terminal(task.state));
    let (queued, launched): (Vec<&AgentTask>, Vec<&AgentTask>) =
        live.into_iter().partition(|_| record.stage() == Stage::Registering);
    let show = |tasks: &mut dyn Iterator<Item = &AgentTask>| tasks.map(|each| task(record, each)).collect::<Value>();
    let mut json = json!({
        "id": info.executor_id.value,
        "name": info.name(),
        "source": info.source(),
        "container": record.container,
        "directory": directory.display().to_string(),
        "resources": show::resources(&held(record)),
        "role": record.role,
    });
    show::add(&mut json, "labels", info.labels.as_ref().map(show::labels));
    show::add(&mut json, "type", info.r#type.map(|_| json!(info.r#type().as_str_name())));
    json["tasks"] = show(&mut launched.into_iter());
    json["queued_tasks"] = queued.into_iter().map(|each| queued_task(record, each)).collect();
    json["completed_tasks"] = show(&mut record.completed.iter().map(Box::as_ref).chain(over));
    json
}

fn task(record: &Record, task: &AgentTask) -> Value {
    show::task(&show::Task {
        info: &task.info,
        framework_id: &record.framework_id(),
        agent_id: &task.info.agent_id.value,
        state: task.state,
        role: &record.role,
        resources: &resources(&task.info.resources),
        statuses: &task.statuses,
    })
}

fn queued_task(record: &Record, task: &AgentTask) -> Value {
    let info = &task.info;
    let mut json = json!({
        "id": info.task_id.value,
        "name": info.name,
        "slave_id": info.agent_id.value,
        "resources": show::resources(&resources(&info.resources)),
        "role": record.role,
    });
    show::add(&mut json, "command", info.command.as_ref().map(show::command));
    show::add(&mut json, "executor_id", info.executor.as_ref().map(|e| json!(e.executor_id.value)));
    json
}

/// What an executor and its tasks that are not over hold (`Executor::allocatedResources`).
pub(super) fn held(record: &Record) -> Resources {
    let mut held = resources(&record.info.resources);
    let live = record.tasks.values().filter(|task| !is_terminal(task.state));
    live.for_each(|task| held.add(&resources(&task.info.resources)));
    held
}

/// The master has checked them.
pub(super) fn resources(list: &[v1::Resource]) -> Resources {
    Resources::from_proto(list).unwrap_or_default()
}
