//! What is read of messages that otherwise stay the bytes that they are.
//!
//! v0 and v1 messages have the same bytes, so what arrives goes unchanged, unknown fields included, into the classic
//! classes. Numbers are those of `proto/mesos/v1/mesos.proto`.

use bytes::Bytes;
use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, int32, skip_field};

use crate::proto::v1;

/// A message whose only field, number 1, is another message: RESCIND, UPDATE, and the ids inside others.
///
/// ```
/// use prost::Message;
/// use remesos::proto::v1;
/// use remesos::wire::views::Wrapped;
///
/// let task_id = v1::TaskId { value: "task".to_owned() };
/// let kill = v1::scheduler::call::Kill { task_id: task_id.clone(), ..Default::default() };
/// let wrapped = Wrapped::decode(kill.encode_to_vec().as_slice())?;
/// assert_eq!(wrapped.inner, task_id.encode_to_vec());
/// # Ok::<(), prost::DecodeError>(())
/// ```
#[derive(Clone, PartialEq, prost::Message)]
pub struct Wrapped {
    /// The inner message's bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub inner: Bytes,
}

/// The fields of a `TaskInfo` that tell which task it is and on which agent it runs.
///
/// ```
/// use prost::Message;
/// use remesos::proto::v1;
/// use remesos::wire::views::TaskView;
///
/// let task_id = v1::TaskId { value: "task".to_owned() };
/// let task = v1::TaskInfo { task_id: task_id.clone(), ..Default::default() };
/// let view = TaskView::decode(task.encode_to_vec().as_slice())?;
/// assert_eq!(view.task_id, task_id.encode_to_vec());
/// # Ok::<(), prost::DecodeError>(())
/// ```
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct TaskView {
    #[prost(bytes = "bytes", tag = "2")]
    pub task_id: Bytes,
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub agent_id: Option<Bytes>,
}

/// The fields of a `TaskStatus` that tell which task it belongs to and which update it is. Nothing is copied.
///
/// ```
/// use prost::Message;
/// use remesos::proto::v1;
/// use remesos::wire::views::StatusView;
///
/// let state = v1::TaskState::TaskRunning;
/// let status = v1::TaskStatus { state: state.into(), uuid: Some(vec![7; 16]), ..Default::default() };
/// let bytes = status.encode_to_vec();
/// let view = StatusView::read(&bytes)?;
/// assert_eq!((view.state(), view.uuid), (state, Some(&[7; 16][..])));
/// # Ok::<(), prost::DecodeError>(())
/// ```
#[derive(Debug, Default, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub struct StatusView<'a> {
    pub task_id: Option<&'a [u8]>,
    /// The number of its `TaskState`.
    pub state: i32,
    pub agent_id: Option<&'a [u8]>,
    pub uuid: Option<&'a [u8]>,
}

impl<'a> StatusView<'a> {
    /// Reads the fields of a serialized `TaskStatus`.
    ///
    /// Fails if the bytes are not a message.
    pub fn read(mut status: &'a [u8]) -> Result<Self, DecodeError> {
        let mut view = Self::default();
        while !status.is_empty() {
            let (tag, kind) = decode_key(&mut status)?;
            match (tag, kind) {
                (1, WireType::LengthDelimited) => view.task_id = Some(take(&mut status)?),
                (2, WireType::Varint) => int32::merge(kind, &mut view.state, &mut status, DecodeContext::default())?,
                (5, WireType::LengthDelimited) => view.agent_id = Some(take(&mut status)?),
                (11, WireType::LengthDelimited) => view.uuid = Some(take(&mut status)?),
                _ => skip_field(kind, tag, &mut status, DecodeContext::default())?,
            }
        }
        Ok(view)
    }

    /// Returns the state; TASK_STAGING if there is none, or one that is not known.
    pub fn state(&self) -> v1::TaskState {
        v1::TaskState::try_from(self.state).unwrap_or_default()
    }
}

/// Cuts a field of bytes off a message.
fn take<'a>(message: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let before = *message;
    skip_field(WireType::LengthDelimited, 0, message, DecodeContext::default())?;
    let mut field = &before[..before.len().saturating_sub(message.len())];
    decode_varint(&mut field)?;
    Ok(field)
}

/// `TaskGroupInfo`.
///
/// ```
/// use prost::Message;
/// use remesos::proto::v1;
/// use remesos::wire::views::TaskGroup;
///
/// let task = v1::TaskInfo { name: "task".to_owned(), ..Default::default() };
/// let group = v1::TaskGroupInfo { tasks: vec![task.clone()] };
/// let view = TaskGroup::decode(group.encode_to_vec().as_slice())?;
/// assert_eq!(view.tasks, [task.encode_to_vec()]);
/// # Ok::<(), prost::DecodeError>(())
/// ```
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct TaskGroup {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub tasks: Vec<Bytes>,
}

/// `Event.Error` of the scheduler API and of the executor API.
///
/// ```
/// use prost::Message;
/// use remesos::proto::v1;
/// use remesos::wire::views::ErrorMessage;
///
/// let error = v1::scheduler::event::Error { message: "Framework has been removed".to_owned() };
/// let view = ErrorMessage::decode(error.encode_to_vec().as_slice())?;
/// assert_eq!(view.message, "Framework has been removed");
/// # Ok::<(), prost::DecodeError>(())
/// ```
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct ErrorMessage {
    #[prost(string, tag = "1")]
    pub message: String,
}
