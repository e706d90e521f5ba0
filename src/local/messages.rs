//! What the embedded master and its agents say to one another: the messages of `src/messages/messages.proto`, inside
//! one process.

use std::sync::Arc;

use super::backend::Run;
use super::resources::Resources;
use crate::proto::v1;
pub use crate::wire::states::is_terminal;

/// The number of a stream that a scheduler or an executor subscribed with, given by the server.
pub type ConnectionId = u64;

/// From the master to an agent.
#[derive(Debug, Clone)]
pub enum ToAgent {
    /// Run a task, or the tasks of a group, on an executor; without one the task is a command's.
    Run {
        framework: Box<v1::FrameworkInfo>,
        executor: Option<Box<v1::ExecutorInfo>>,
        tasks: Vec<v1::TaskInfo>,
        group: bool,
        role: String,
        /// The persistent volumes among their resources, with their roles.
        volumes: Vec<(String, v1::resource::DiskInfo)>,
        /// What is pretended of each task in place of running it; none if the list is shorter.
        runs: Vec<Option<Arc<Run>>>,
    },
    /// An operation whose framework wants to know what became of it (`ApplyOperationMessage`).
    ApplyOperation {
        framework_id: String,
        operation: Box<v1::offer::Operation>,
        uuid: Vec<u8>,
    },
    AcknowledgeOperation {
        uuid: Vec<u8>,
        status_uuid: Vec<u8>,
    },
    /// Kill all tasks, each within the grace period at most (`DrainSlaveMessage`).
    Drain {
        max_grace_period: Option<v1::DurationInfo>,
        mark_gone: bool,
    },
    /// Persistent volumes are given up, with what is in them.
    DestroyVolumes {
        volumes: Vec<(String, v1::resource::DiskInfo)>,
    },
    KillTask {
        framework_id: String,
        task_id: String,
        kill_policy: Option<v1::KillPolicy>,
    },
    Acknowledge {
        framework_id: String,
        task_id: String,
        uuid: Vec<u8>,
    },
    /// The framework is subscribed anew: what is outstanding goes out again (`UpdateFrameworkMessage`).
    UpdateFramework {
        framework: Box<v1::FrameworkInfo>,
    },
    ShutdownFramework {
        framework_id: String,
    },
    ShutdownExecutor {
        framework_id: String,
        executor_id: String,
    },
    /// Bytes for an executor; best effort.
    Message {
        framework_id: String,
        executor_id: String,
        data: Vec<u8>,
    },
    /// What the agent has after operations on its resources, which it is to remember (`CheckpointResourcesMessage`).
    Checkpoint {
        total: Box<Resources>,
    },
    /// The agent is registered again. It is to answer for tasks that it did not name (`SlaveReregisteredMessage`).
    Reregistered {
        unknown: Vec<UnknownTask>,
    },
    /// The agent is to end, with all its executors (`ShutdownMessage`).
    Shutdown,
}

/// A task that the master knows and the agent did not name when it registered again.
#[derive(Debug, Clone)]
pub struct UnknownTask {
    pub framework_id: String,
    pub task_id: String,
    /// Whether the framework has the capability PARTITION_AWARE.
    pub partition_aware: bool,
}

/// What an agent that was registered before has and runs (`ReregisterSlaveMessage`).
#[derive(Debug, Clone)]
pub struct Reregistration {
    pub info: v1::AgentInfo,
    /// The last part of its URL, `slave(1)`.
    pub path: String,
    pub total: Resources,
    /// The frameworks of its executors.
    pub frameworks: Vec<v1::FrameworkInfo>,
    /// The executors that the frameworks launched.
    pub executors: Vec<KnownExecutor>,
    pub tasks: Vec<KnownTask>,
}

/// An executor that an agent runs.
#[derive(Debug, Clone)]
pub struct KnownExecutor {
    pub framework_id: String,
    pub info: v1::ExecutorInfo,
    pub role: String,
}

/// A task that an agent runs, or whose last update is not acknowledged.
#[derive(Debug, Clone)]
pub struct KnownTask {
    pub framework_id: String,
    pub info: v1::TaskInfo,
    pub role: String,
    /// The state of the last update that was sent.
    pub told: v1::TaskState,
    /// The state that it has reached.
    pub state: v1::TaskState,
    pub statuses: Vec<v1::TaskStatus>,
}

/// From an agent to the master.
#[derive(Debug, Clone)]
pub enum ToMaster {
    /// An update that wants to be acknowledged, and the state that the task has reached meanwhile.
    StatusUpdate { framework_id: String, status: Box<v1::TaskStatus>, latest_state: v1::TaskState },
    /// What became of an operation, which wants to be acknowledged.
    OperationStatus { framework_id: String, uuid: Vec<u8>, status: Box<v1::OperationStatus> },
    /// An executor ended, with a status as Mesos tells it: as wait(2) gives it, -1 if it is not known.
    ExitedExecutor { framework_id: String, executor_id: String, agent_id: String, status: i32 },
    /// Bytes from an executor; best effort.
    Message { framework_id: String, executor_id: String, agent_id: String, data: Vec<u8> },
    /// An agent that was registered before wants to be again.
    Reregister(Box<Reregistration>),
    /// An agent ends in order, and its tasks with it (`UnregisterSlaveMessage`).
    Unregister { agent_id: String },
}
