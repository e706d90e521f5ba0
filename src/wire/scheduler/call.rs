//! What a scheduler asks of a master, built around the bytes of the messages that the framework gave.

use bytes::{Bytes, BytesMut};
use prost::Message;
use prost::encoding::{self, int32, message};

use super::FrameworkMessage;
/// The type of a call. See [`Call`] for an example.
pub use crate::proto::v1::scheduler::call::Type as CallType;
use crate::wire::Post;
use crate::wire::views::{StatusView, TaskGroup, Wrapped};

/// A call of a scheduler to its master.
///
/// ```
/// use prost::Message;
/// use remesos::proto::v1;
/// use remesos::wire::Post;
/// use remesos::wire::scheduler::{Call, CallType, Envelope, call};
///
/// let offer = v1::OfferId { value: "offer".to_owned() };
/// let decline = call::Decline { offer_ids: vec![offer.encode_to_vec().into()], filters: None };
/// let call = Call::Decline(decline);
/// assert_eq!(call.kind(), CallType::Decline);
///
/// let body = Envelope { framework_id: None, call }.to_bytes();
/// let decline = v1::scheduler::Call::decode(body)?.decline.expect("a DECLINE");
/// assert_eq!(decline.offer_ids, [offer]);
/// # Ok::<(), prost::DecodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Call {
    Subscribe(Subscribe),
    Teardown,
    Accept(Box<Accept>),
    Decline(Decline),
    Revive(Roles),
    Suppress(Roles),
    Kill(Wrapped),
    Acknowledge(Box<Acknowledge>),
    Reconcile(Reconcile),
    Message(Box<FrameworkMessage>),
    Request(Requests),
    UpdateFramework(Subscribe),
    Other(Other),
}

/// Calls a function with the number of a call's field in `mesos.v1.scheduler.Call`, what is in the field, and more
/// arguments. The value is the default for a call without a field.
macro_rules! with_field {
    ($call:expr, $function:path $(, $argument:expr)*) => {
        match $call {
            Call::Subscribe(field) => $function(3, field $(, $argument)*),
            Call::Accept(field) => $function(4, field $(, $argument)*),
            Call::Decline(field) => $function(5, field $(, $argument)*),
            Call::Kill(field) => $function(6, field $(, $argument)*),
            Call::Acknowledge(field) => $function(8, field $(, $argument)*),
            Call::Reconcile(field) => $function(9, field $(, $argument)*),
            Call::Message(field) => $function(10, field $(, $argument)*),
            Call::Request(field) => $function(11, field $(, $argument)*),
            Call::Revive(field) => $function(15, field $(, $argument)*),
            Call::Suppress(field) => $function(16, field $(, $argument)*),
            Call::UpdateFramework(field) => $function(19, field $(, $argument)*),
            Call::Teardown | Call::Other(_) => Default::default(),
        }
    };
}

impl From<Accept> for Call {
    fn from(accept: Accept) -> Self {
        Self::Accept(Box::new(accept))
    }
}

impl From<Acknowledge> for Call {
    fn from(acknowledge: Acknowledge) -> Self {
        Self::Acknowledge(Box::new(acknowledge))
    }
}

impl From<FrameworkMessage> for Call {
    fn from(message: FrameworkMessage) -> Self {
        Self::Message(Box::new(message))
    }
}

impl Call {
    /// Its type.
    pub fn kind(&self) -> CallType {
        match self {
            Self::Subscribe(_) => CallType::Subscribe,
            Self::Teardown => CallType::Teardown,
            Self::Accept(_) => CallType::Accept,
            Self::Decline(_) => CallType::Decline,
            Self::Revive(_) => CallType::Revive,
            Self::Suppress(_) => CallType::Suppress,
            Self::Kill(_) => CallType::Kill,
            Self::Acknowledge(_) => CallType::Acknowledge,
            Self::Reconcile(_) => CallType::Reconcile,
            Self::Message(_) => CallType::Message,
            Self::Request(_) => CallType::Request,
            Self::UpdateFramework(_) => CallType::UpdateFramework,
            Self::Other(other) => other.kind,
        }
    }
}

/// `mesos.v1.scheduler.Call`: a call, and the framework that makes it.
///
/// ```
/// use prost::Message;
/// use remesos::proto::v1;
/// use remesos::wire::Post;
/// use remesos::wire::scheduler::{Call, Envelope};
///
/// let id = v1::FrameworkId { value: "framework".to_owned() };
/// let envelope = Envelope { framework_id: Some(id.encode_to_vec().into()), call: Call::Teardown };
/// let mut body = bytes::BytesMut::new();
/// envelope.encode(&mut body);
/// let call = v1::scheduler::Call::decode(body)?;
/// assert_eq!(call.framework_id, Some(id));
/// assert_eq!(call.r#type(), v1::scheduler::call::Type::Teardown);
/// # Ok::<(), prost::DecodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// The serialized `FrameworkID`; a framework that subscribes for the first time has none.
    pub framework_id: Option<Bytes>,
    /// The call.
    pub call: Call,
}

impl Post for Envelope {
    fn name(&self) -> &'static str {
        self.call.kind().as_str_name()
    }

    fn encoded_len(&self) -> usize {
        let id = self.framework_id.as_ref().map_or(0, |id| encoding::bytes::encoded_len(1, id));
        let kind = int32::encoded_len(2, &self.call.kind().into());
        let other = self.other().map_or(0, |(number, message)| encoding::bytes::encoded_len(number, message));
        id.saturating_add(kind).saturating_add(with_field!(&self.call, message::encoded_len)).saturating_add(other)
    }

    fn encode(&self, buffer: &mut BytesMut) {
        if let Some(id) = &self.framework_id {
            encoding::bytes::encode(1, id, buffer);
        }
        int32::encode(2, &self.call.kind().into(), buffer);
        with_field!(&self.call, message::encode, buffer);
        if let Some((number, message)) = self.other() {
            encoding::bytes::encode(number, message, buffer);
        }
    }
}

impl Envelope {
    /// The number of the field of a call that the classic API does not have, and what is in it.
    fn other(&self) -> Option<(u32, &Bytes)> {
        match &self.call {
            Call::Other(other) => Some((other.field()?, &other.message)),
            _ => None,
        }
    }
}

/// A call that the classic API does not have: SHUTDOWN, those about inverse offers and operations, and KILL with more
/// than a task's id.
///
/// ```
/// use prost::Message;
/// use remesos::proto::v1;
/// use remesos::wire::Post;
/// use remesos::wire::scheduler::call::Other;
/// use remesos::wire::scheduler::{Call, CallType, Envelope};
///
/// let shutdown = v1::scheduler::call::Shutdown {
///     executor_id: v1::ExecutorId { value: "executor".to_owned() },
///     agent_id: v1::AgentId { value: "agent".to_owned() },
/// };
/// let other = Other::new(CallType::Shutdown, shutdown.encode_to_vec().into()).expect("a call of its own");
/// let body = Envelope { framework_id: None, call: Call::Other(other) }.to_bytes();
/// assert_eq!(v1::scheduler::Call::decode(body)?.shutdown, Some(shutdown));
/// assert_eq!(Other::new(CallType::Decline, Default::default()), None);
/// # Ok::<(), prost::DecodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Other {
    kind: CallType,
    message: Bytes,
}

impl Other {
    /// A call of this type with the bytes of its message; `None` if only another variant of [`Call`] can be this.
    pub fn new(kind: CallType, message: Bytes) -> Option<Self> {
        let call = Self { kind, message };
        call.field().is_some().then_some(call)
    }

    fn field(&self) -> Option<u32> {
        match self.kind {
            CallType::Kill => Some(6),
            CallType::Shutdown => Some(7),
            CallType::AcceptInverseOffers => Some(13),
            CallType::DeclineInverseOffers => Some(14),
            CallType::AcknowledgeOperationStatus => Some(17),
            CallType::ReconcileOperations => Some(18),
            _ => None,
        }
    }
}

/// `Call.Subscribe`, and `Call.UpdateFramework`, which has the same fields. See [`Call`] for an example.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Subscribe {
    #[prost(bytes = "bytes", tag = "1")]
    pub framework_info: Bytes,
    #[prost(string, repeated, tag = "2")]
    pub suppressed_roles: Vec<String>,
}

/// `Call.Accept`.
///
/// ```
/// use bytes::Bytes;
/// use remesos::wire::scheduler::call::{Accept, launch_operation, tasks};
///
/// let task = Bytes::from_static(b"the bytes of a TaskInfo");
/// let accept = Accept { operations: vec![launch_operation(vec![task.clone()])], ..Default::default() };
/// assert_eq!(tasks(&accept.operations[0]), [task]);
/// ```
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Accept {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub offer_ids: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub operations: Vec<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub filters: Option<Bytes>,
}

/// `Call.Decline`. See [`Call`] for an example.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Decline {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub offer_ids: Vec<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub filters: Option<Bytes>,
}

/// `Call.Revive` and `Call.Suppress`. An empty list means all roles. See [`Call`] for an example.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Roles {
    #[prost(string, repeated, tag = "1")]
    pub roles: Vec<String>,
}

/// `Call.Acknowledge`.
///
/// ```
/// use prost::Message;
/// use remesos::proto::v1;
/// use remesos::wire::scheduler::call::Acknowledge;
///
/// let agent_id = Some(v1::AgentId { value: "agent".to_owned() });
/// let mut status = v1::TaskStatus { agent_id, uuid: Some(vec![7; 16]), ..Default::default() };
/// assert_eq!(Acknowledge::of(&status.encode_to_vec().into()).expect("to be acknowledged").uuid, [7; 16][..]);
/// status.uuid = None;
/// assert_eq!(Acknowledge::of(&status.encode_to_vec().into()), None);
/// ```
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Acknowledge {
    #[prost(bytes = "bytes", tag = "1")]
    pub agent_id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub task_id: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub uuid: Bytes,
}

impl Acknowledge {
    /// The acknowledgement that a `TaskStatus` asks for; `None` if it has no uuid or no agent, as with updates
    /// that the master made itself. Follows `SchedulerProcess::acknowledgeStatusUpdate` in `src/sched/sched.cpp`.
    pub fn of(status: &Bytes) -> Option<Self> {
        let keys = StatusView::read(status).ok()?;
        let uuid = keys.uuid.filter(|u| !u.is_empty())?;
        let [agent_id, task_id, uuid] = [keys.agent_id?, keys.task_id?, uuid].map(|key| status.slice_ref(key));
        Some(Self { agent_id, task_id, uuid })
    }
}

/// `Call.Reconcile`. See [`Call`] for an example.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Reconcile {
    #[prost(message, repeated, tag = "1")]
    pub tasks: Vec<ReconcileTask>,
}

/// `Call.Reconcile.Task`, an element of [`Reconcile`]. See [`Call`] for an example.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct ReconcileTask {
    #[prost(bytes = "bytes", tag = "1")]
    pub task_id: Bytes,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub agent_id: Option<Bytes>,
}

/// `Call.Request`. See [`Call`] for an example.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Requests {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub requests: Vec<Bytes>,
}

/// The bytes of an `Offer.Operation` of type LAUNCH (`Operation.launch` is number 2, LAUNCH is 1).
pub fn launch_operation(tasks: Vec<Bytes>) -> Bytes {
    let launch = Some(Launch { task_infos: tasks });
    Operation { kind: Operation::LAUNCH, launch, launch_group: None }.encode_to_vec().into()
}

/// The `TaskInfo`s that an operation of type LAUNCH launches; none for other operations.
pub fn launched_tasks(operation: &Bytes) -> Vec<Bytes> {
    match Operation::decode(operation.clone()) {
        Ok(Operation { kind: Operation::LAUNCH, launch: Some(launch), .. }) => launch.task_infos,
        _ => Vec::new(),
    }
}

/// The `TaskInfo`s that an operation launches, one by one or as a group.
pub fn tasks(operation: &Bytes) -> Vec<Bytes> {
    match Operation::decode(operation.clone()) {
        Ok(Operation { kind: Operation::LAUNCH_GROUP, launch_group: Some(launch), .. }) => {
            launch.task_group.unwrap_or_default().tasks
        }
        _ => launched_tasks(operation),
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct Operation {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(message, optional, tag = "2")]
    launch: Option<Launch>,
    #[prost(message, optional, tag = "7")]
    launch_group: Option<LaunchGroup>,
}

impl Operation {
    const LAUNCH: i32 = 1;
    const LAUNCH_GROUP: i32 = 6;
}

#[derive(Clone, PartialEq, prost::Message)]
struct Launch {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    task_infos: Vec<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LaunchGroup {
    #[prost(message, optional, tag = "2")]
    task_group: Option<TaskGroup>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1;

    fn sent(call: Call) -> v1::scheduler::Call {
        let framework_id = Some(v1::FrameworkId { value: "f".into() }.encode_to_vec().into());
        let envelope = Envelope { framework_id, call };
        let bytes = envelope.to_bytes();
        assert_eq!(bytes.len(), envelope.encoded_len());
        v1::scheduler::Call::decode(bytes).expect("a v1 call")
    }

    #[test]
    fn an_accept_is_the_call_that_mesos_knows() {
        let task = v1::TaskInfo { name: "t".into(), ..Default::default() }.encode_to_vec();
        let real = sent(Call::from(Accept {
            offer_ids: vec![v1::OfferId { value: "o".into() }.encode_to_vec().into()],
            operations: vec![launch_operation(vec![task.into()])],
            filters: Some(v1::Filters { refuse_seconds: Some(1.5) }.encode_to_vec().into()),
        }));
        assert_eq!((real.r#type(), real.framework_id.expect("an id").value.as_str()), (CallType::Accept, "f"));
        let accept = real.accept.expect("an accept");
        assert_eq!(accept.offer_ids[0].value, "o");
        assert_eq!(accept.filters.expect("filters").refuse_seconds, Some(1.5));
        let operation = &accept.operations[0];
        assert_eq!(operation.r#type(), v1::offer::operation::Type::Launch);
        assert_eq!(operation.launch.as_ref().expect("a launch").task_infos[0].name, "t");
    }

    #[test]
    fn every_call_has_its_own_type_and_its_own_field() {
        let roles = Roles { roles: vec!["r".into()] };
        let subscribe = Subscribe { suppressed_roles: vec!["r".into()], ..Default::default() };
        for call in [
            Call::Subscribe(subscribe.clone()),
            Call::Teardown,
            Call::Accept(Box::default()),
            Call::Decline(Decline::default()),
            Call::Revive(roles.clone()),
            Call::Suppress(roles),
            Call::Kill(Wrapped::default()),
            Call::Acknowledge(Box::default()),
            Call::Reconcile(Reconcile::default()),
            Call::Message(Box::default()),
            Call::Request(Requests::default()),
            Call::UpdateFramework(subscribe),
        ] {
            let kind = call.kind();
            let envelope = Envelope { framework_id: None, call: call.clone() };
            let read = Call::decode(envelope.to_bytes()).expect("a call");
            let again = Envelope { framework_id: None, call: read };
            assert_eq!(again.to_bytes(), envelope.to_bytes(), "{kind:?} is read as it was written");
            let real = sent(call);
            assert_eq!(real.r#type(), kind);
            let fields = [
                (CallType::Subscribe, real.subscribe.is_some()),
                (CallType::Accept, real.accept.is_some()),
                (CallType::Decline, real.decline.is_some()),
                (CallType::Revive, real.revive.is_some()),
                (CallType::Suppress, real.suppress.is_some()),
                (CallType::Kill, real.kill.is_some()),
                (CallType::Acknowledge, real.acknowledge.is_some()),
                (CallType::Reconcile, real.reconcile.is_some()),
                (CallType::Message, real.message.is_some()),
                (CallType::Request, real.request.is_some()),
                (CallType::UpdateFramework, real.update_framework.is_some()),
            ];
            for (field, is_set) in fields {
                assert_eq!(is_set, field == kind, "{field:?} of {kind:?}");
            }
        }
    }

    #[test]
    fn the_tasks_of_an_operation_are_found_in_a_launch_and_in_a_group() {
        let task = |id: &str| v1::TaskInfo { task_id: v1::TaskId { value: id.into() }, ..Default::default() };
        let found = |operation: v1::offer::Operation| {
            let tasks = tasks(&operation.encode_to_vec().into()).into_iter();
            tasks.map(|t| v1::TaskInfo::decode(t).expect("a task").task_id.value).collect::<Vec<_>>()
        };
        let mut operation = v1::offer::Operation::default();
        operation.set_type(v1::offer::operation::Type::Launch);
        operation.launch = Some(v1::offer::operation::Launch { task_infos: vec![task("a"), task("b")] });
        assert_eq!(found(operation.clone()), ["a", "b"]);
        operation.set_type(v1::offer::operation::Type::LaunchGroup);
        let task_group = v1::TaskGroupInfo { tasks: vec![task("c")] };
        operation.launch_group = Some(v1::offer::operation::LaunchGroup { task_group, ..Default::default() });
        assert_eq!(found(operation.clone()), ["c"]);
        operation.set_type(v1::offer::operation::Type::Reserve);
        assert_eq!(found(operation), [""; 0]);
    }

    #[test]
    fn a_status_without_uuid_or_agent_is_not_acknowledged() {
        let mut status = v1::TaskStatus { task_id: v1::TaskId { value: "t".into() }, ..Default::default() };
        assert_eq!(Acknowledge::of(&status.encode_to_vec().into()), None);
        status.uuid = Some(vec![7; 16]);
        assert_eq!(Acknowledge::of(&status.encode_to_vec().into()), None);
        status.agent_id = Some(v1::AgentId { value: "a".into() });
        let ack = Acknowledge::of(&status.encode_to_vec().into()).expect("both are set");
        assert_eq!(ack.uuid.as_ref(), [7; 16]);
    }
}
