//! What goes into an executor's session and what comes out.

use bytes::Bytes;

use crate::Error;
use crate::session;
use crate::wire::duration::Period;
use crate::wire::executor::{Acknowledged, Envelope, Subscribed};

/// The configuration of an executor's session, which the agent sets in the executor's environment. See
/// [`ExecutorSession`](super::ExecutorSession) for an example.
#[derive(Debug, Clone)]
pub struct Config {
    /// `MESOS_FRAMEWORK_ID`.
    pub framework_id: String,
    /// `MESOS_EXECUTOR_ID`.
    pub executor_id: String,
    /// `MESOS_SLAVE_ID`.
    pub agent_id: String,
    /// How long the session waits for an agent that restarts, `MESOS_RECOVERY_TIMEOUT`; `None` without checkpointing,
    /// because the agent does not recognize its executors then.
    pub recovery_timeout: Option<Period>,
    /// The longest delay between attempts to subscribe, `MESOS_SUBSCRIPTION_BACKOFF_MAX`.
    pub backoff_max: Period,
    /// `MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD`.
    pub shutdown_grace_period: Period,
    /// The seed of the random delays.
    pub seed: u64,
}

/// A request of the executor to its session.
///
/// An update that is not acknowledged yet is part of the next SUBSCRIBE:
///
/// ```
/// # use std::time::Instant;
/// # use bytes::Bytes;
/// # use prost::Message;
/// # use remesos::proto::v1;
/// # use remesos::session::executor::{Config, ExecutorSession, Output, Request};
/// # use remesos::session::{Endpoint, Notice, Session};
/// # use remesos::wire::duration::Period;
/// # let mut session = ExecutorSession::new(Config {
/// #     framework_id: "framework".to_owned(),
/// #     executor_id: "executor".to_owned(),
/// #     agent_id: "agent".to_owned(),
/// #     recovery_timeout: None,
/// #     backoff_max: Period::from_secs(2),
/// #     shutdown_grace_period: Period::from_secs(5),
/// #     seed: 7,
/// # });
/// let status = v1::TaskStatus { state: v1::TaskState::TaskRunning.into(), ..Default::default() };
/// let uuid = Bytes::from_static(&[7; 16]);
/// let update = Request::Update { status: status.encode_to_vec().into(), timestamp: 0.0, uuid };
/// session.handle_request(Instant::now(), update);
/// session.handle_notice(Instant::now(), Notice::Detected(Endpoint::new(false, "localhost", 5051).into()));
/// let Some(Output::Subscribe(_, _, body)) = session.poll_output() else { panic!("no SUBSCRIBE") };
/// let subscribe = v1::executor::Call::decode(body)?.subscribe.expect("a SUBSCRIBE");
/// assert_eq!(subscribe.unacknowledged_updates[0].status.uuid(), [7; 16]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub enum Request {
    /// The executor reports on a task.
    Update {
        /// The bytes of a `TaskStatus`; what an agent wants to see in it is filled in here.
        status: Bytes,
        /// Seconds since the epoch.
        timestamp: f64,
        /// The 16 bytes of a random UUID, which names the update.
        uuid: Bytes,
    },
    /// The executor sends bytes to its scheduler.
    Message(Bytes),
}

/// An instruction from an executor's session. See [`session::Output`] for an example.
pub type Output = session::Output<Envelope, Callback>;

/// A callback of an executor with its arguments, as the bytes of the messages.
///
/// ```
/// use bytes::Bytes;
/// use remesos::session::Callback as _;
/// use remesos::session::executor::Callback;
///
/// let task = Bytes::from_static(b"the bytes of a TaskInfo");
/// let callback = Callback::LaunchTask(task.clone());
/// assert!(callback.size() > task.len());
/// assert!(callback.when_returned().is_none());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Callback {
    Registered(Subscribed),
    Reregistered(Subscribed),
    Disconnected,
    LaunchTask(Bytes),
    KillTask {
        task_id: Bytes,
        kill_policy: Option<Bytes>,
    },
    FrameworkMessage(Bytes),
    Shutdown,
    /// The classic API has no callback for these two; see
    /// [`ExecutorSession::deliver_all`](super::ExecutorSession::deliver_all).
    LaunchGroup(Vec<Bytes>),
    Acknowledged(Acknowledged),
    Error(Error),
}

/// What a callback takes in memory beside the bytes of its messages, about.
const OVERHEAD: usize = 128;

impl session::Callback for Callback {
    type Request = Request;

    fn of_error(error: Error) -> Self {
        Self::Error(error)
    }

    fn error(&self) -> Option<&Error> {
        if let Self::Error(error) = self { Some(error) } else { None }
    }

    fn when_returned(self) -> Option<Request> {
        None
    }

    fn size(&self) -> usize {
        let messages = match self {
            Self::Registered(of) | Self::Reregistered(of) => {
                of.executor_info.len().saturating_add(of.framework_info.len()).saturating_add(of.agent_info.len())
            }
            Self::LaunchTask(bytes) | Self::FrameworkMessage(bytes) => bytes.len(),
            Self::LaunchGroup(tasks) => {
                tasks.iter().fold(0, |size: usize, task| size.saturating_add(task.len()).saturating_add(OVERHEAD))
            }
            Self::Acknowledged(of) => of.task_id.len().saturating_add(of.uuid.len()),
            Self::KillTask { task_id, kill_policy } => {
                task_id.len().saturating_add(kill_policy.as_ref().map_or(0, Bytes::len))
            }
            // An error is the last callback, so its size does not matter.
            Self::Disconnected | Self::Shutdown | Self::Error(_) => 0,
        };
        messages.saturating_add(OVERHEAD)
    }
}
