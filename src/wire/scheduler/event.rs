//! What a master tells a scheduler.

use bytes::Bytes;

use super::FrameworkMessage;
pub use crate::proto::v1::scheduler::event::Type as EventType;
use crate::wire::views::{ErrorMessage, Wrapped};

/// `mesos.v1.scheduler.Event`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Event {
    #[prost(enumeration = "EventType", tag = "1")]
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
