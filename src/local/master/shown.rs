//! What an endpoint shows, before it is written: the tasks in it are shared with the master, which need not wait until
//! all of them are written.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::placed::Task;
use crate::local::show;

/// More are not written while others wait.
const MANY_TASKS: usize = 100;

/// Something that can be written as JSON, on any thread.
#[derive(Debug)]
pub enum Shown {
    /// A value that is ready.
    Made(Value),
    /// Members in this order.
    Object(Vec<(&'static str, Shown)>),
    /// A list.
    List(Vec<Shown>),
    /// Tasks, each with the id of its framework.
    Tasks(Vec<(Arc<str>, Arc<Task>)>),
}

impl From<Value> for Shown {
    fn from(value: Value) -> Self {
        Self::Made(value)
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Made(value) => value.serialize(serializer),
            Self::List(items) => serializer.collect_seq(items),
            Self::Tasks(tasks) => serializer.collect_seq(tasks.iter().map(|(id, task)| task_json(id, task))),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                members.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
        }
    }
}

impl Shown {
    /// Whether it takes a while to write.
    pub fn is_large(&self) -> bool {
        self.tasks() > MANY_TASKS
    }

    fn tasks(&self) -> usize {
        match self {
            Self::Made(_) => 0,
            Self::Object(members) => members.iter().map(|(_, member)| member.tasks()).sum(),
            Self::List(items) => items.iter().map(Self::tasks).sum(),
            Self::Tasks(tasks) => tasks.len(),
        }
    }

    /// Writes it.
    pub fn to_json(&self) -> Vec<u8> {
        // Neither a value nor a string fails to be written, and keys are text.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

fn task_json(framework_id: &str, task: &Task) -> Value {
    show::task(&show::Task {
        info: &task.info,
        framework_id,
        agent_id: &task.agent_id,
        state: task.state,
        role: &task.role,
        resources: &task.resources,
        statuses: &task.statuses,
    })
}
