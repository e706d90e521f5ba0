//! What is read of messages that otherwise stay the bytes that they are.
//!
//! v0 and v1 messages have the same bytes, so what arrives goes unchanged, unknown fields included, into the classic
//! classes. Numbers are those of `proto/mesos/v1/mesos.proto`.

use bytes::Bytes;

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

/// The fields of a `TaskStatus` that tell which task it belongs to and which update it is.
///
/// ```
/// use prost::Message;
/// use remesos::proto::v1;
/// use remesos::wire::views::StatusView;
///
/// let state = v1::TaskState::TaskRunning;
/// let status = v1::TaskStatus { state: state.into(), uuid: Some(vec![7; 16]), ..Default::default() };
/// let view = StatusView::decode(status.encode_to_vec().as_slice())?;
/// assert_eq!((view.state(), view.uuid.as_deref()), (state, Some(&[7; 16][..])));
/// # Ok::<(), prost::DecodeError>(())
/// ```
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
