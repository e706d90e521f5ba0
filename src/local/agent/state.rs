//! What `/slave(N)/state` shows. Follows `Http::state` in `src/slave/http.cpp`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Agent, AgentTask, Record, Stage};
use crate::local::backend::Sandbox;

impl Agent {
    /// `/slave(N)/state`: frameworks with their executors, of which a command task is one, and their sandboxes, whose
    /// files are where `files` says.
    pub fn state(&self, files: impl Fn(&Sandbox) -> PathBuf) -> Value {
        let mut frameworks: BTreeMap<String, (Vec<Value>, Vec<Value>)> = BTreeMap::new();
        for executor in self.executors() {
            let (running, completed) = frameworks.entry(executor.framework_id()).or_default();
            if executor.stage() == Stage::Terminated { completed } else { running }
                .push(show(executor, &files(&executor.sandbox())));
        }
        let framework = |(id, (executors, completed_executors)): (String, (Vec<Value>, Vec<Value>))| json!({ "id": id, "executors": executors, "completed_executors": completed_executors });
        json!({
            "id": self.config.id,
            "pid": format!("{}@{}", self.config.path, self.config.endpoint),
            "version": crate::local::master::MESOS_VERSION,
            "frameworks": frameworks.into_iter().map(framework).collect::<Vec<_>>(),
            "completed_frameworks": [],
        })
    }
}

#[allow(deprecated)]
fn show(executor: &Record, files: &Path) -> Value {
    let task = |task: &AgentTask| json!({ "id": task.info.task_id.value, "name": task.info.name, "state": task.state.as_str_name() });
    json!({
        "id": executor.info.executor_id.value,
        "source": executor.info.source(),
        "name": executor.info.name(),
        "container": executor.container,
        "directory": files.display().to_string(),
        "type": if executor.is_custom() { "CUSTOM" } else { "DEFAULT" },
        "tasks": executor.tasks.values().map(task).collect::<Vec<_>>(),
        "completed_tasks": executor.completed.iter().map(task).collect::<Vec<_>>(),
    })
}
