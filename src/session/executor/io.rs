//! What goes into an executor's session and what comes out.

use bytes::Bytes;

pub use crate::session::StreamEvent;
use crate::session::{Endpoint, Notice};
use crate::wire::duration::Period;
use crate::wire::executor::Call;

/// What a session is made of: what the agent told the executor in its environment.
#[derive(Debug, Clone)]
pub struct Config {
    /// `MESOS_FRAMEWORK_ID`.
    pub framework_id: String,
    /// `MESOS_EXECUTOR_ID`.
    pub executor_id: String,
    /// `MESOS_SLAVE_ID`.
    pub slave_id: String,
    /// How long an agent that restarts is waited for, `MESOS_RECOVERY_TIMEOUT`; `None` without checkpointing, where an
    /// agent that restarts knows its executors no more.
    pub recovery_timeout: Option<Period>,
    /// Attempts to subscribe again are at most so far apart, `MESOS_SUBSCRIPTION_BACKOFF_MAX`.
    pub backoff_max: Period,
    /// `MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD`.
    pub shutdown_grace_period: Period,
    /// Where random delays and uuids start from.
    pub seed: u64,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// Where the agent is.
    Agent(Option<Endpoint>),
    /// Something about the stream of the attempt with this number.
    Stream(u64, StreamEvent),
    /// The executor reports on a task.
    Update {
        /// The bytes of a `TaskStatus`; what an agent wants to see in it is filled in here.
        status: Bytes,
        /// Seconds since the epoch.
        timestamp: f64,
    },
    /// The executor sends bytes to its scheduler.
    Message(Bytes),
    /// The agent answered a call: any with an error, an update in any case.
    Answered {
        /// Which call.
        call: Box<Call>,
        /// The HTTP status.
        status: u16,
        /// The agent's words.
        body: String,
    },
    /// The executor stops: what it reported is seen to, nothing more is delivered.
    Stop,
    /// Nothing more is to be delivered.
    Abort,
    /// Nothing was read until now, because the executor is slow or the process was paused: the silence meanwhile says
    /// nothing.
    Held,
    /// `poll_timeout` has passed.
    Timeout,
    /// Nothing that concerns an executor.
    Nothing,
}

impl From<Notice<Call>> for Input {
    fn from(notice: Notice<Call>) -> Self {
        match notice {
            Notice::Detected(agent) => Self::Agent(agent),
            Notice::Stream(attempt, event) => Self::Stream(attempt, event),
            Notice::Answered(call, status, body) => Self::Answered { call, status, body },
            Notice::Stop { .. } => Self::Stop,
            Notice::Abort => Self::Abort,
            Notice::Timeout => Self::Timeout,
            Notice::Held => Self::Held,
            // Updates are kept until they are acknowledged, messages are best effort.
            Notice::Unsent(_) | Notice::Inquiries(_) => Self::Nothing,
        }
    }
}

/// What to do.
pub type Output = crate::session::Output<Call, Delivery>;

/// A callback with its arguments, as the bytes of the messages.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Delivery {
    Registered { executor_info: Bytes, framework_info: Bytes, slave_info: Bytes },
    Reregistered { slave_info: Bytes },
    Disconnected,
    LaunchTask(Bytes),
    KillTask { task_id: Bytes, kill_policy: Option<Bytes> },
    FrameworkMessage(Bytes),
    Shutdown,
    Error(String),
}

/// What a delivery takes in memory beside the bytes of its messages, about.
const OVERHEAD: usize = 128;

impl Delivery {
    /// How many bytes it keeps, about.
    pub fn size(&self) -> usize {
        OVERHEAD
            + match self {
                Self::Registered { executor_info, framework_info, slave_info } => {
                    executor_info.len() + framework_info.len() + slave_info.len()
                }
                Self::Reregistered { slave_info: bytes } | Self::LaunchTask(bytes) | Self::FrameworkMessage(bytes) => {
                    bytes.len()
                }
                Self::KillTask { task_id, kill_policy } => task_id.len() + kill_policy.as_ref().map_or(0, Bytes::len),
                Self::Disconnected | Self::Shutdown => 0,
                Self::Error(message) => message.len(),
            }
    }
}
