//! The v1 scheduler events with the messages inside left as their original bytes.
//!
//! v0 and v1 messages have the same bytes, so what arrives here goes unchanged, unknown fields included, into the
//! classic classes. Numbers are those of `proto/mesos/v1/scheduler/scheduler.proto`.

use bytes::Bytes;

pub use crate::proto::v1::scheduler::event::Type;

/// `mesos.v1.scheduler.Event`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Event {
    #[prost(enumeration = "Type", tag = "1")]
    pub kind: i32,
    #[prost(message, optional, tag = "2")]
    pub subscribed: Option<Subscribed>,
    #[prost(message, optional, tag = "3")]
    pub offers: Option<Offers>,
    #[prost(message, optional, tag = "4")]
    pub rescind: Option<Wrapped>,
    #[prost(message, optional, tag = "5")]
    pub update: Option<Wrapped>,
    #[prost(message, optional, tag = "6")]
    pub message: Option<FrameworkMessage>,
    #[prost(message, optional, tag = "7")]
    pub failure: Option<Failure>,
    #[prost(message, optional, tag = "8")]
    pub error: Option<ErrorMessage>,
}

/// A message whose only field, number 1, is a message: RESCIND, UPDATE, and the ids inside others.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Wrapped {
    /// The inner message's bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub inner: Bytes,
}

/// `Event.Subscribed`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Subscribed {
    #[prost(bytes = "bytes", tag = "1")]
    pub framework_id: Bytes,
    #[prost(double, optional, tag = "2")]
    pub heartbeat_interval_seconds: Option<f64>,
    #[prost(bytes = "bytes", tag = "3")]
    pub master_info: Bytes,
}

/// `Event.Offers`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Offers {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub offers: Vec<Bytes>,
}

/// `Event.Message` and `Call.Message`, which look alike.
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

/// `Event.Failure`: with an executor's id that executor ended, without the agent is lost.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Failure {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub agent_id: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub executor_id: Option<Bytes>,
    #[prost(int32, optional, tag = "3")]
    pub status: Option<i32>,
}

/// `Event.Error`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct ErrorMessage {
    #[prost(string, tag = "1")]
    pub message: String,
}

/// What of a `TaskStatus` an acknowledgement needs.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct StatusKeys {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub task_id: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "5")]
    pub agent_id: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "11")]
    pub uuid: Option<Bytes>,
}

/// What of a `TaskInfo` the driver needs to report it lost, or to ask for it.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct TaskKeys {
    #[prost(bytes = "bytes", tag = "2")]
    pub task_id: Bytes,
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub agent_id: Option<Bytes>,
}
