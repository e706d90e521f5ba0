//! What is shown of a cluster outside of its thread: plain data, which stays when the cluster has stopped.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::proto::v1;

/// An agent.
#[derive(Debug, Clone)]
pub struct AgentView {
    /// Its id.
    pub id: String,
    /// Its host name.
    pub hostname: String,
    /// The last part of its URL, such as `slave(1)`, which the agent that takes its place has too.
    pub path: String,
    /// All its resources by name, as `/state` shows them.
    pub resources: Value,
    /// What tasks and executors use of them.
    pub used: Value,
    /// Its attributes by name.
    pub attributes: Value,
    /// `active`, or else what keeps it from being offered.
    pub state: &'static str,
}

/// A framework.
#[derive(Debug, Clone)]
pub struct FrameworkView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its roles.
    pub roles: Vec<String>,
    /// Its principal, if it has one.
    pub principal: Option<String>,
    /// Whether its scheduler is connected.
    pub connected: bool,
    /// Whether it was removed.
    pub completed: bool,
}

/// A task.
#[derive(Debug, Clone)]
pub struct TaskView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The framework's name.
    pub framework: String,
    /// The framework's id.
    pub framework_id: String,
    /// The agent's id.
    pub agent_id: String,
    /// The id of its executor, which is its own for a command task.
    pub executor_id: String,
    /// The last state that its executor reported, or what the master says if it cannot reach the agent.
    pub state: v1::TaskState,
    /// The states that its executor reported, in order.
    pub states: Vec<v1::TaskState>,
    /// Its resources by name.
    pub resources: Value,
    /// Where its `stdout` and `stderr` are.
    pub sandbox: PathBuf,
}

/// An offer that a framework has.
#[derive(Debug, Clone)]
pub struct OfferView {
    /// Its id.
    pub id: String,
    /// The framework's id.
    pub framework_id: String,
    /// The agent's id.
    pub agent_id: String,
    /// The role that it is for.
    pub role: String,
    /// Its resources by name.
    pub resources: Value,
}

/// Which task: its framework's id, its agent's, its executor's and its own.
#[derive(Debug, Clone)]
pub struct TaskKey {
    /// The framework's id.
    pub framework_id: String,
    /// The agent's id.
    pub agent_id: String,
    /// The executor's id.
    pub executor_id: String,
    /// The task's id.
    pub id: String,
}

impl TaskView {
    /// Which task it is.
    pub fn is(&self, key: &TaskKey) -> bool {
        self.id == key.id
            && self.framework_id == key.framework_id
            && self.agent_id == key.agent_id
            && self.executor_id == key.executor_id
    }
}

/// How a cluster is as a whole, without its single tasks.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// Every agent, those that are gone last.
    pub agents: Vec<AgentView>,
    /// Every framework, the completed ones last.
    pub frameworks: Vec<FrameworkView>,
    /// How many tasks each framework has in each state.
    pub counts: Counts,
    /// Whether the cluster has stopped.
    pub stopped: bool,
}

/// How many tasks there are in each state, by their framework's id.
pub type Counts = BTreeMap<(String, v1::TaskState), usize>;

impl View {
    /// Returns the cluster as a whole, if this is the last that could be seen of it.
    pub fn overview(&self) -> Overview {
        let mut counts = Counts::new();
        for task in &self.tasks {
            let count = counts.entry((task.framework_id.clone(), task.state)).or_default();
            *count = count.saturating_add(1);
        }
        Overview { agents: self.agents.clone(), frameworks: self.frameworks.clone(), counts, stopped: true }
    }
}

/// All that is shown of a cluster at some moment.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Every agent, those that are gone last.
    pub agents: Vec<AgentView>,
    /// Every framework, the completed ones last.
    pub frameworks: Vec<FrameworkView>,
    /// Every task that an agent remembers.
    pub tasks: Vec<TaskView>,
    /// Every offer that is not answered.
    pub offers: Vec<OfferView>,
}
