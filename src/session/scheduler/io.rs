//! What goes into a scheduler's session and what comes out.

use bytes::Bytes;

pub use crate::session::StreamEvent;
use crate::session::framework::Framework;
use crate::session::{Endpoint, Notice};
use crate::wire::call::{Call, Type};
use crate::wire::duration::Period;

/// What a session is made of.
#[derive(Debug)]
pub struct Config {
    /// Who subscribes.
    pub framework: Framework,
    /// Roles that want no offers from the start.
    pub suppressed_roles: Vec<String>,
    /// The principal of the credential, for messages to people.
    pub principal: Option<String>,
    /// The first window of the back-off, `MESOS_REGISTRATION_BACKOFF_FACTOR`.
    pub backoff_factor: Period,
    /// Where the random delays start from.
    pub seed: u64,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The detector found a leading master, or lost it.
    MasterDetected(Option<Endpoint>),
    /// Something about the stream of the attempt with this number.
    Stream(u64, StreamEvent),
    /// The framework asks something of the master. `framework_id` is filled in here.
    Call(Box<Call>),
    /// A status update was processed, or the framework acknowledges it: the bytes of its `TaskStatus`.
    Acknowledge(Bytes),
    /// The master answered a call with an error.
    Refused {
        /// Which call.
        kind: Type,
        /// The HTTP status.
        status: u16,
        /// The master's words.
        body: String,
    },
    /// These calls were accepted, and the master has certainly not processed them.
    Unsent(Vec<Call>),
    /// These calls find out what became of others; they are made once subscribed again.
    Inquiries(Vec<Call>),
    /// The framework stops; without `failover` it is to be removed from the master.
    Stop {
        /// Leave framework and tasks at the master.
        failover: bool,
    },
    /// Nothing more is to be delivered; framework and tasks stay at the master.
    Abort,
    /// Nothing was read until now, because the framework is slow or the process was paused: the silence meanwhile says
    /// nothing.
    Held,
    /// `poll_timeout` has passed.
    Timeout,
}

/// What to do.
pub type Output = crate::session::Output<Call, Delivery>;

impl From<Notice<Call>> for Input {
    fn from(notice: Notice<Call>) -> Self {
        match notice {
            Notice::Detected(master) => Self::MasterDetected(master),
            Notice::Stream(attempt, event) => Self::Stream(attempt, event),
            Notice::Answered(call, status, body) => Self::Refused { kind: call.kind(), status, body },
            Notice::Unsent(calls) => Self::Unsent(calls),
            Notice::Inquiries(calls) => Self::Inquiries(calls),
            Notice::Stop { failover } => Self::Stop { failover },
            Notice::Abort => Self::Abort,
            Notice::Held => Self::Held,
            Notice::Timeout => Self::Timeout,
        }
    }
}

/// A callback with its arguments, as the bytes of the messages.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Delivery {
    Registered { framework_id: Bytes, master_info: Bytes },
    Reregistered { master_info: Bytes },
    Disconnected,
    ResourceOffers(Vec<Bytes>),
    OfferRescinded(Bytes),
    StatusUpdate(Bytes),
    FrameworkMessage { executor_id: Bytes, slave_id: Bytes, data: Bytes },
    SlaveLost(Bytes),
    ExecutorLost { executor_id: Bytes, slave_id: Bytes, status: i32 },
    Error(String),
}

/// What a delivery takes in memory beside the bytes of its messages, about.
const OVERHEAD: usize = 128;

impl Delivery {
    /// How many bytes it keeps, about.
    pub fn size(&self) -> usize {
        OVERHEAD
            + match self {
                Self::Registered { framework_id, master_info } => framework_id.len() + master_info.len(),
                Self::Disconnected => 0,
                Self::ResourceOffers(offers) => offers.iter().map(|offer| offer.len() + OVERHEAD).sum(),
                Self::Reregistered { master_info: bytes }
                | Self::OfferRescinded(bytes)
                | Self::StatusUpdate(bytes)
                | Self::SlaveLost(bytes) => bytes.len(),
                Self::FrameworkMessage { executor_id, slave_id, data } => {
                    executor_id.len() + slave_id.len() + data.len()
                }
                Self::ExecutorLost { executor_id, slave_id, .. } => executor_id.len() + slave_id.len(),
                Self::Error(message) => message.len(),
            }
    }
}
