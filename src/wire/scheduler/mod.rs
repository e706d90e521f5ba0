//! The v1 scheduler API, with the messages inside events and calls left as their original bytes.
//!
//! Numbers are those of `proto/mesos/v1/scheduler/scheduler.proto`.

pub mod call;
pub mod event;
mod reading;

use bytes::Bytes;

pub use call::{Call, CallType, Envelope};
pub use event::{Event, EventType};

/// `Event.Message` and `Call.Message`, which have the same fields. See [`Call`] and [`Event`] for examples.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct FrameworkMessage {
    #[prost(bytes = "bytes", tag = "1")]
    pub agent_id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub executor_id: Bytes,
    #[prost(bytes = "bytes", required, tag = "3")]
    pub data: Bytes,
}
