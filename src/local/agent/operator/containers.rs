//! The containers of an agent, and what is told of them. Follows `Http::__containers` in `src/slave/http.cpp` and `usage`
//! in `src/slave/containerizer/mesos/containerizer.cpp`.

use serde_json::{Value, json};

use crate::local::agent::state::{held, resources};
use crate::local::agent::{Agent, Record, Stage};
use crate::local::backend::Usage;
use crate::local::resources::Resources;
use crate::local::show;
use crate::proto::v1;
use crate::proto::v1::agent::response::get_containers;

/// Bytes of what Mesos calls a megabyte.
const MEGABYTE: f64 = 1_048_576.0;

/// Which containers are listed beside those of executors.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown {
    pub nested: bool,
    pub standalone: bool,
}

/// A container that runs.
#[derive(Debug)]
pub struct Listed {
    id: v1::ContainerId,
    pid: Option<u32>,
    executor: Option<Owner>,
    /// What it may use.
    resources: Resources,
    /// The containers whose processes count as its own, by their backend's names.
    pub measured: Vec<String>,
}

/// The executor whose container it is.
#[derive(Debug)]
struct Owner {
    framework_id: String,
    executor_id: String,
    name: String,
    source: String,
}

impl Agent {
    /// The containers that run.
    pub fn listed(&self, shown: Shown) -> Vec<Listed> {
        let live = self.executors.values().map(|executor| &executor.record);
        let live: Vec<_> = live.filter(|record| record.stage() != Stage::Terminated).collect();
        let executors = live.iter().map(|record| of_executor(record));
        let tasks = live.iter().filter(|_| shown.nested).flat_map(|record| of_tasks(record));
        let is_shown = |id: &v1::ContainerId| if id.parent.is_some() { shown.nested } else { shown.standalone };
        let nested = self.nested.values().filter(|nested| nested.lives() && is_shown(&nested.id));
        let nested = nested.map(|nested| Listed {
            id: nested.id.clone(),
            pid: nested.pid,
            executor: None,
            resources: resources(&nested.resources),
            measured: Vec::new(),
        });
        executors.chain(tasks).chain(nested).collect()
    }
}

#[allow(deprecated)]
fn of_executor(record: &Record) -> Listed {
    let ended = |container: &&String| !record.exits.iter().any(|(ended, _)| ended == *container);
    Listed {
        id: v1::ContainerId { value: record.container.clone(), parent: None },
        pid: record.pid(),
        executor: Some(Owner {
            framework_id: record.framework_id(),
            executor_id: record.info.executor_id.value.clone(),
            name: record.info.name().to_owned(),
            source: record.info.source().to_owned(),
        }),
        resources: held(record),
        measured: record.containers.iter().filter(ended).cloned().collect(),
    }
}

/// The tasks of a group, each in a container of its own.
fn of_tasks(record: &Record) -> impl Iterator<Item = Listed> {
    let parent = v1::ContainerId { value: record.container.clone(), parent: None };
    let live = record.tasks.values().filter(|task| !crate::local::messages::is_terminal(task.state));
    live.filter_map(move |task| {
        let id = v1::ContainerId { value: task.container.clone()?, parent: Some(Box::new(parent.clone())) };
        let resources = resources(&task.info.resources);
        Some(Listed { id, pid: None, executor: None, resources, measured: Vec::new() })
    })
}

/// What a container uses and may use at a time, in seconds since 1970.
pub fn statistics(of: &Listed, usage: Option<Usage>, timestamp: f64) -> v1::ResourceStatistics {
    let given = |name: &str| Some(of.resources.scalar(name)).filter(|amount| *amount > 0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "of memory, above zero")]
    let memory = given("mem").map(|megabytes| (megabytes * MEGABYTE) as u64);
    v1::ResourceStatistics {
        timestamp,
        cpus_user_time_secs: usage.map(|usage| usage.user),
        cpus_system_time_secs: usage.map(|usage| usage.system),
        cpus_soft_limit: given("cpus"),
        mem_limit_bytes: memory,
        mem_soft_limit_bytes: memory,
        mem_rss_bytes: usage.map(|usage| usage.resident),
        ..Default::default()
    }
}

impl Listed {
    /// As the operator API tells it. That of a nested container has the last part of its id alone.
    pub fn message(&self, statistics: v1::ResourceStatistics) -> get_containers::Container {
        let executor = self.executor.as_ref();
        get_containers::Container {
            framework_id: executor.map(|of| v1::FrameworkId { value: of.framework_id.clone() }),
            executor_id: executor.map(|of| v1::ExecutorId { value: of.executor_id.clone() }),
            executor_name: executor.map(|of| of.name.clone()),
            container_id: v1::ContainerId { value: self.id.value.clone(), parent: None },
            container_status: Some(self.status()),
            resource_statistics: Some(statistics),
        }
    }

    /// As `/containers` shows it if `status`, and as `/monitor/statistics` if not; both show executors' alone.
    pub fn shown(&self, statistics: &v1::ResourceStatistics, status: bool) -> Option<Value> {
        let executor = self.executor.as_ref()?;
        let mut json = json!({
            "executor_id": executor.executor_id,
            "executor_name": executor.name,
            "framework_id": executor.framework_id,
            "source": executor.source,
            "statistics": show::sorted(show::message("mesos.v1.ResourceStatistics", statistics)),
        });
        if status {
            json["container_id"] = json!(self.id.value);
            json["status"] = show::sorted(show::message("mesos.v1.ContainerStatus", &self.status()));
        }
        Some(show::sorted(json))
    }

    /// Its id, if it is not nested.
    pub fn is(&self, container: &str) -> bool {
        self.id.parent.is_none() && self.id.value == container
    }

    fn status(&self) -> v1::ContainerStatus {
        v1::ContainerStatus { container_id: Some(self.id.clone()), executor_pid: self.pid, ..Default::default() }
    }
}
