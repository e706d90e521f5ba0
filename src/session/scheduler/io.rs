//! What goes into a scheduler's session and what comes out.

use bytes::Bytes;

use crate::Error;
use crate::session;
use crate::session::framework::Framework;
use crate::wire::duration::Period;
use crate::wire::scheduler::{Call, Envelope};

/// What a session is made of.
#[derive(Debug)]
pub struct Config {
    /// Who subscribes.
    pub framework: Framework,
    /// Roles that want no offers from the start.
    pub suppressed_roles: Vec<String>,
    /// Whether an update is acknowledged when its callback has returned; else the framework acknowledges it itself.
    pub implicit_acknowledgements: bool,
    /// The principal of the credential, for messages to people.
    pub principal: Option<String>,
    /// The first window of the back-off, `MESOS_REGISTRATION_BACKOFF_FACTOR`.
    pub backoff_factor: Period,
    /// Where the random delays start from.
    pub seed: u64,
}

/// What a framework asks.
#[derive(Debug)]
pub enum Request {
    /// Something of the master.
    Call {
        /// What.
        call: Call,
        /// Seconds since the epoch.
        timestamp: f64,
    },
    /// A status update was processed, or the framework acknowledges it: the bytes of its `TaskStatus`.
    Acknowledge(Bytes),
}

/// What to do.
pub type Output = session::Output<Envelope, Callback>;

/// A callback with its arguments, as the bytes of the messages.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Callback {
    Registered {
        framework_id: Bytes,
        master_info: Bytes,
    },
    Reregistered {
        master_info: Bytes,
    },
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

    fn size(&self) -> usize {
        let messages = match self {
            Self::Registered { framework_id, master_info } => framework_id.len().saturating_add(master_info.len()),
            Self::Disconnected => 0,
            Self::ResourceOffers(offers) => {
                offers.iter().fold(0, |size: usize, offer| size.saturating_add(offer.len()).saturating_add(OVERHEAD))
            }
            Self::Reregistered { master_info: bytes }
            | Self::OfferRescinded(bytes)
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
