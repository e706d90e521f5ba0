//! What is read of messages that otherwise stay the bytes that they are.
//!
//! v0 and v1 messages have the same bytes, so what arrives goes unchanged, unknown fields included, into the classic
//! classes. Numbers are those of `proto/mesos/v1/mesos.proto`.

use bytes::Bytes;

use crate::proto::v1;

/// A message whose only field, number 1, is a message: RESCIND, UPDATE, and the ids inside others.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Wrapped {
    /// The inner message's bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub inner: Bytes,
}

/// Of a `TaskInfo`: which task it is, and where.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct TaskView {
    #[prost(bytes = "bytes", tag = "2")]
    pub task_id: Bytes,
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub agent_id: Option<Bytes>,
}

/// Of a `TaskStatus`: which task it is of, and what names the update.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct StatusView {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub task_id: Option<Bytes>,
    #[prost(enumeration = "v1::TaskState", tag = "2")]
    pub state: i32,
    #[prost(bytes = "bytes", optional, tag = "5")]
    pub agent_id: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "11")]
    pub uuid: Option<Bytes>,
}

/// `TaskGroupInfo`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct TaskGroup {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub tasks: Vec<Bytes>,
}

/// `Event.Error`, of schedulers and of executors.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct ErrorMessage {
    #[prost(string, tag = "1")]
    pub message: String,
}
