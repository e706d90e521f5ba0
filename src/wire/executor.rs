//! The v1 executor API, with the messages inside events and calls left as their original bytes.
//!
//! Numbers are those of `proto/mesos/v1/executor/executor.proto`.

use bytes::{Bytes, BytesMut};
use prost::encoding::{self, int32, message};

use super::Post;
use super::views::{ErrorMessage, TaskGroup, Wrapped};
/// The type of a call. See [`Call`] for an example.
pub use crate::proto::v1::executor::call::Type as CallType;
/// The type of an event. See [`Event`] for an example.
pub use crate::proto::v1::executor::event::Type as EventType;

/// A call of an executor to its agent.
///
/// ```
/// use bytes::Bytes;
/// use remesos::wire::executor::{Call, CallMessage, CallType};
///
/// let call = Call::Message(CallMessage { data: Bytes::from_static(b"hello") });
/// assert_eq!(call.kind(), CallType::Message);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Call {
    Subscribe(Subscribe),
    Update(Wrapped),
    Message(CallMessage),
    Heartbeat,
}

impl Call {
    /// Its type.
    pub fn kind(&self) -> CallType {
        match self {
            Self::Subscribe(_) => CallType::Subscribe,
            Self::Update(_) => CallType::Update,
            Self::Message(_) => CallType::Message,
            Self::Heartbeat => CallType::Heartbeat,
        }
    }
}

/// `mesos.v1.executor.Call`: a call, and the executor that makes it.
///
/// ```
/// use prost::Message;
/// use remesos::proto::v1;
/// use remesos::wire::Post;
/// use remesos::wire::executor::{Call, CallType, Envelope};
///
/// let executor = v1::ExecutorId { value: "executor".to_owned() };
/// let framework = v1::FrameworkId { value: "framework".to_owned() };
/// let (executor_id, framework_id) = (executor.encode_to_vec().into(), framework.encode_to_vec().into());
/// let body = Envelope { executor_id, framework_id, call: Call::Heartbeat }.to_bytes();
/// let call = v1::executor::Call::decode(body)?;
/// assert_eq!((call.executor_id, call.framework_id), (executor, framework));
/// # Ok::<(), prost::DecodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// The serialized `ExecutorID`.
    pub executor_id: Bytes,
    /// The serialized `FrameworkID`.
    pub framework_id: Bytes,
    /// The call.
    pub call: Call,
}

impl Post for Envelope {
    fn name(&self) -> &'static str {
        self.call.kind().as_str_name()
    }

    fn answer_counts(&self) -> bool {
        matches!(self.call, Call::Update(_))
    }

    fn encoded_len(&self) -> usize {
        let ids = encoding::bytes::encoded_len(1, &self.executor_id)
            .saturating_add(encoding::bytes::encoded_len(2, &self.framework_id));
        let kind = int32::encoded_len(3, &self.call.kind().into());
        let field = match &self.call {
            Call::Subscribe(field) => message::encoded_len(4, field),
            Call::Update(field) => message::encoded_len(5, field),
            Call::Message(field) => message::encoded_len(6, field),
            Call::Heartbeat => 0,
        };
        ids.saturating_add(kind).saturating_add(field)
    }

    fn encode(&self, buffer: &mut BytesMut) {
        encoding::bytes::encode(1, &self.executor_id, buffer);
        encoding::bytes::encode(2, &self.framework_id, buffer);
        int32::encode(3, &self.call.kind().into(), buffer);
        match &self.call {
            Call::Subscribe(field) => message::encode(4, field, buffer),
            Call::Update(field) => message::encode(5, field, buffer),
            Call::Message(field) => message::encode(6, field, buffer),
            Call::Heartbeat => {}
        }
    }
}

/// `Call.Subscribe`, with the tasks and updates that the agent has not acknowledged yet, as far as this executor knows.
/// See [`Call`] for an example.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Subscribe {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub unacknowledged_tasks: Vec<Bytes>,
    #[prost(message, repeated, tag = "2")]
    pub unacknowledged_updates: Vec<Wrapped>,
}

/// `Call.Message`. See [`Call`] for an example.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct CallMessage {
    #[prost(bytes = "bytes", required, tag = "2")]
    pub data: Bytes,
}

/// `mesos.v1.executor.Event`.
///
/// ```
/// use prost::Message;
/// use remesos::proto::v1;
/// use remesos::wire::executor::{Event, EventType};
///
/// let real = v1::executor::Event {
///     r#type: Some(EventType::Message.into()),
///     message: Some(v1::executor::event::Message { data: b"hello".to_vec() }),
///     ..Default::default()
/// };
/// let event = Event::decode(real.encode_to_vec().as_slice())?;
/// assert_eq!(event.kind(), EventType::Message);
/// assert_eq!(event.message.expect("a MESSAGE").data, "hello");
/// # Ok::<(), prost::DecodeError>(())
/// ```
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

/// `Event.Subscribed`. See [`Event`] for an example.
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

/// `Event.Acknowledged`: the agent has received this update, and keeps it until the scheduler has received it. See
/// [`Event`] for an example.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Acknowledged {
    #[prost(bytes = "bytes", tag = "1")]
    pub task_id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub uuid: Bytes,
}

/// `Event.LaunchGroup`. See [`Event`] for an example.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct LaunchGroup {
    #[prost(message, optional, tag = "1")]
    pub task_group: Option<TaskGroup>,
}

/// `Event.Kill`. See [`Event`] for an example.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Kill {
    #[prost(bytes = "bytes", tag = "1")]
    pub task_id: Bytes,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub kill_policy: Option<Bytes>,
}

/// `Event.Message`. See [`Event`] for an example.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct EventMessage {
    #[prost(bytes = "bytes", required, tag = "1")]
    pub data: Bytes,
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::proto::v1;

    #[test]
    fn every_call_has_its_own_type_and_its_own_field() {
        let id = |value: &str| v1::ExecutorId { value: value.into() }.encode_to_vec().into();
        for call in [
            Call::Subscribe(Subscribe::default()),
            Call::Update(Wrapped::default()),
            Call::Message(CallMessage::default()),
            Call::Heartbeat,
        ] {
            let kind = call.kind();
            let envelope = Envelope { executor_id: id("e"), framework_id: id("f"), call };
            let bytes = envelope.to_bytes();
            assert_eq!(bytes.len(), envelope.encoded_len());
            let real = v1::executor::Call::decode(bytes).expect("a v1 call");
            assert_eq!((real.executor_id.value.as_str(), real.framework_id.value.as_str()), ("e", "f"));
            assert_eq!(real.r#type(), kind);
            let fields = [
                (CallType::Subscribe, real.subscribe.is_some()),
                (CallType::Update, real.update.is_some()),
                (CallType::Message, real.message.is_some()),
            ];
            for (field, is_set) in fields {
                assert_eq!(is_set, field == kind, "{field:?} of {kind:?}");
            }
        }
    }
}
