//! The v1 executor calls and events with the messages inside left as their original bytes.
//!
//! Numbers are those of `proto/mesos/v1/executor/executor.proto`.

use bytes::Bytes;

use super::envelope::{ErrorMessage, Wrapped};
pub use crate::proto::v1::executor::call::Type as CallType;
pub use crate::proto::v1::executor::event::Type as EventType;

/// `mesos.v1.executor.Call`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Call {
    #[prost(bytes = "bytes", tag = "1")]
    pub executor_id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub framework_id: Bytes,
    #[prost(enumeration = "CallType", tag = "3")]
    pub kind: i32,
    #[prost(message, optional, tag = "4")]
    pub subscribe: Option<Subscribe>,
    #[prost(message, optional, tag = "5")]
    pub update: Option<Wrapped>,
    #[prost(message, optional, tag = "6")]
    pub message: Option<CallMessage>,
}

impl super::Post for Call {
    fn name(&self) -> &'static str {
        self.kind().as_str_name()
    }

    fn answer_counts(&self) -> bool {
        self.kind() == CallType::Update
    }
}

/// `Call.Subscribe`: what the agent has not acknowledged yet, as far as this executor knows.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Subscribe {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub unacknowledged_tasks: Vec<Bytes>,
    #[prost(message, repeated, tag = "2")]
    pub unacknowledged_updates: Vec<Wrapped>,
}

/// `Call.Message`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct CallMessage {
    #[prost(bytes = "bytes", required, tag = "2")]
    pub data: Bytes,
}

/// `mesos.v1.executor.Event`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Event {
    #[prost(enumeration = "EventType", tag = "1")]
    pub kind: i32,
    #[prost(message, optional, tag = "2")]
    pub subscribed: Option<Subscribed>,
    #[prost(message, optional, tag = "3")]
    pub acknowledged: Option<Acknowledged>,
    #[prost(message, optional, tag = "4")]
    pub launch: Option<Wrapped>,
    #[prost(message, optional, tag = "8")]
    pub launch_group: Option<LaunchGroup>,
    #[prost(message, optional, tag = "5")]
    pub kill: Option<Kill>,
    #[prost(message, optional, tag = "6")]
    pub message: Option<EventMessage>,
    #[prost(message, optional, tag = "7")]
    pub error: Option<ErrorMessage>,
}

/// `Event.Subscribed`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Subscribed {
    #[prost(bytes = "bytes", tag = "1")]
    pub executor_info: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub framework_info: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub agent_info: Bytes,
}

/// `Event.Acknowledged`: the agent has this update, and keeps it until the scheduler has it.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Acknowledged {
    #[prost(bytes = "bytes", tag = "1")]
    pub task_id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub uuid: Bytes,
}

/// `Event.LaunchGroup`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct LaunchGroup {
    #[prost(message, optional, tag = "1")]
    pub task_group: Option<TaskGroup>,
}

/// `TaskGroupInfo`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct TaskGroup {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub tasks: Vec<Bytes>,
}

/// `Event.Kill`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Kill {
    #[prost(bytes = "bytes", tag = "1")]
    pub task_id: Bytes,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub kill_policy: Option<Bytes>,
}

/// `Event.Message`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct EventMessage {
    #[prost(bytes = "bytes", required, tag = "1")]
    pub data: Bytes,
}
