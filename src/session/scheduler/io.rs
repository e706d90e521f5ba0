//! What goes into a scheduler's session and what comes out.

use bytes::Bytes;

use crate::Error;
use crate::session;
use crate::session::framework::Framework;
use crate::wire::duration::Period;
use crate::wire::scheduler::event::Subscribed;
use crate::wire::scheduler::{Call, Envelope};

/// The configuration of a scheduler's session. See [`SchedulerSession`](super::SchedulerSession) for an example.
#[derive(Debug)]
pub struct Config {
    /// The framework that subscribes.
    pub framework: Framework,
    /// The roles for which offers are suppressed from the start.
    pub suppressed_roles: Vec<String>,
    /// Whether an update is acknowledged when its callback has returned. Otherwise the framework
    /// acknowledges it itself.
    pub implicit_acknowledgements: bool,
    /// Who authenticates, for messages to people, such as `principal 'alice'`.
    pub identity: Option<String>,
    /// The first window of the back-off, `MESOS_REGISTRATION_BACKOFF_FACTOR`.
    pub backoff_factor: Period,
    /// The seed of the random delays.
    pub seed: u64,
}

/// A request of the framework to its session.
///
/// If no master is known, the session itself reports the tasks that the framework launches as lost:
///
/// ```
/// # use std::time::Instant;
/// # use prost::Message;
/// # use remesos::proto::v1;
/// # use remesos::session::Session;
/// # use remesos::session::framework::Framework;
/// # use remesos::session::scheduler::{Callback, Config, Output, Request, SchedulerSession};
/// # use remesos::wire::duration::Period;
/// # use remesos::wire::scheduler::{Call, call};
/// # let info = v1::FrameworkInfo { name: "example".to_owned(), ..Default::default() };
/// # let framework = Framework::new(info.encode_to_vec().into(), "user", "host")?;
/// # let mut session = SchedulerSession::new(Config {
/// #     framework,
/// #     suppressed_roles: Vec::new(),
/// #     implicit_acknowledgements: true,
/// #     identity: None,
/// #     backoff_factor: Period::from_secs(2),
/// #     seed: 7,
/// # });
/// let operations = vec![call::launch_operation(vec![v1::TaskInfo::default().encode_to_vec().into()])];
/// let call = Call::from(call::Accept { operations, ..Default::default() });
/// session.handle_request(Instant::now(), Request::Call { call, timestamp: 0.0 });
/// let Some(Output::Deliver(Callback::StatusUpdate { status, .. })) = session.poll_output() else {
///     panic!("no update")
/// };
/// assert_eq!(v1::TaskStatus::decode(status)?.state(), v1::TaskState::TaskLost);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub enum Request {
    /// A call to the master.
    Call {
        /// The call.
        call: Call,
        /// Seconds since the epoch.
        timestamp: f64,
    },
    /// A status update was processed, or the framework acknowledges it. Holds the bytes of its `TaskStatus`.
    Acknowledge(Bytes),
}

/// An instruction from a scheduler's session. See [`session::Output`] for an example.
pub type Output = session::Output<Envelope, Callback>;

/// A callback of a scheduler with its arguments, as the bytes of the messages.
///
/// ```
/// use remesos::Error;
/// use remesos::session::Callback as _;
/// use remesos::session::scheduler::Callback;
///
/// assert!(Callback::Disconnected.error().is_none());
/// let callback = Callback::of_error(Error::refused("Framework has been removed"));
/// assert!(callback.error().is_some_and(Error::is_refused));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Callback {
    Registered(Subscribed),
    Reregistered(Subscribed),
    Disconnected,
    ResourceOffers(Vec<Bytes>),
    OfferRescinded(Bytes),
    StatusUpdate {
        status: Bytes,
        /// Whether it is acknowledged when the callback has returned.
        acknowledge: bool,
    },
    FrameworkMessage {
        executor_id: Bytes,
        agent_id: Bytes,
        data: Bytes,
    },
    AgentLost(Bytes),
    ExecutorLost {
        executor_id: Bytes,
        agent_id: Bytes,
        status: i32,
    },
    /// The classic API has no callback for these three; see
    /// [`SchedulerSession::deliver_all`](super::SchedulerSession::deliver_all).
    InverseOffers(Vec<Bytes>),
    InverseOfferRescinded(Bytes),
    OperationUpdate(Bytes),
    /// The master lives; see [`SchedulerSession::deliver_heartbeats`](super::SchedulerSession::deliver_heartbeats).
    Heartbeat,
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
        match self {
            Self::StatusUpdate { status, acknowledge: true } => Some(Request::Acknowledge(status)),
            _ => None,
        }
    }

    fn summarize(&self, summary: &mut session::Summary) {
        match self {
            Self::Registered(subscribed) | Self::Reregistered(subscribed) => {
                summary.registered(&subscribed.framework_id, &subscribed.master_info);
            }
            Self::Disconnected => summary.disconnected(),
            Self::StatusUpdate { status, .. } => summary.updated(status),
            _ => {}
        }
    }

    fn size(&self) -> usize {
        let messages = match self {
            Self::Registered(subscribed) | Self::Reregistered(subscribed) => {
                subscribed.framework_id.len().saturating_add(subscribed.master_info.len())
            }
            Self::Disconnected | Self::Heartbeat => 0,
            Self::ResourceOffers(offers) | Self::InverseOffers(offers) => {
                offers.iter().fold(0, |size: usize, offer| size.saturating_add(offer.len()).saturating_add(OVERHEAD))
            }
            Self::OfferRescinded(bytes)
            | Self::InverseOfferRescinded(bytes)
            | Self::OperationUpdate(bytes)
            | Self::StatusUpdate { status: bytes, .. }
            | Self::AgentLost(bytes) => bytes.len(),
            Self::FrameworkMessage { executor_id, agent_id, data } => {
                executor_id.len().saturating_add(agent_id.len()).saturating_add(data.len())
            }
            Self::ExecutorLost { executor_id, agent_id, .. } => executor_id.len().saturating_add(agent_id.len()),
            // It is the last callback, so its size does not matter.
            Self::Error(_) => 0,
        };
        messages.saturating_add(OVERHEAD)
    }
}
