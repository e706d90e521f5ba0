//! What `/slave(N)/state` shows. Follows `Http::state` in `src/slave/http.cpp`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Agent, CommandTask, is_terminal};

impl Agent {
    /// `/slave(N)/state`: frameworks with their executors, of which a command task is one, and their sandboxes.
    pub fn state(&self) -> Value {
        let mut frameworks: BTreeMap<&str, (Vec<Value>, Vec<Value>)> = BTreeMap::new();
        for task in self.tasks() {
            let (running, completed) = frameworks.entry(&task.framework_id).or_default();
            if is_terminal(task.state) { completed } else { running }.push(executor(task));
        }
        let framework = |(id, (executors, completed_executors)): (&str, (Vec<Value>, Vec<Value>))| json!({ "id": id, "executors": executors, "completed_executors": completed_executors });
        json!({
            "id": self.config.id,
            "pid": format!("{}@{}", self.config.path, self.config.endpoint),
            "version": crate::local::master::MESOS_VERSION,
            "frameworks": frameworks.into_iter().map(framework).collect::<Vec<_>>(),
            "completed_frameworks": [],
        })
    }
}

fn executor(task: &CommandTask) -> Value {
    let id = &task.info.task_id.value;
    json!({
        "id": id,
        "source": id,
        "name": format!("Command Executor (Task: {id})"),
        "container": task.container,
        "directory": task.directory.display().to_string(),
        "type": "DEFAULT",
        "tasks": [{ "id": id, "name": task.info.name, "state": task.state.as_str_name() }],
    })
}
