//! The v1 scheduler calls, built around the bytes of the messages that the framework gave.
//!
//! Numbers are those of `proto/mesos/v1/scheduler/scheduler.proto`.

use bytes::Bytes;
use prost::Message;

use super::envelope::{FrameworkMessage, StatusKeys, Wrapped};
use super::executor::TaskGroup;
pub use crate::proto::v1::scheduler::call::Type;

/// `mesos.v1.scheduler.Call`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Call {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub framework_id: Option<Bytes>,
    #[prost(enumeration = "Type", tag = "2")]
    pub kind: i32,
    #[prost(message, optional, tag = "3")]
    pub subscribe: Option<Subscribe>,
    #[prost(message, optional, tag = "4")]
    pub accept: Option<Accept>,
    #[prost(message, optional, tag = "5")]
    pub decline: Option<Decline>,
    #[prost(message, optional, tag = "15")]
    pub revive: Option<Roles>,
    #[prost(message, optional, tag = "6")]
    pub kill: Option<Wrapped>,
    #[prost(message, optional, tag = "8")]
    pub acknowledge: Option<Acknowledge>,
    #[prost(message, optional, tag = "9")]
    pub reconcile: Option<Reconcile>,
    #[prost(message, optional, tag = "10")]
    pub message: Option<FrameworkMessage>,
    #[prost(message, optional, tag = "11")]
    pub request: Option<Requests>,
    #[prost(message, optional, tag = "16")]
    pub suppress: Option<Roles>,
    #[prost(message, optional, tag = "19")]
    pub update_framework: Option<Subscribe>,
}

impl super::Post for Call {
    fn name(&self) -> &'static str {
        self.kind().as_str_name()
    }
}

/// `Call.Subscribe`, and `Call.UpdateFramework`, which looks alike.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Subscribe {
    #[prost(bytes = "bytes", tag = "1")]
    pub framework_info: Bytes,
    #[prost(string, repeated, tag = "2")]
    pub suppressed_roles: Vec<String>,
}

/// `Call.Accept`.
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

/// `Call.Decline`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Decline {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub offer_ids: Vec<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub filters: Option<Bytes>,
}

/// `Call.Revive` and `Call.Suppress`; no role means all of them.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Roles {
    #[prost(string, repeated, tag = "1")]
    pub roles: Vec<String>,
}

/// `Call.Acknowledge`.
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
    /// The acknowledgement that a `TaskStatus` asks for; `None` where it has no uuid or no agent, as with updates
    /// that the master made itself. Follows `SchedulerProcess::acknowledgeStatusUpdate` in `src/sched/sched.cpp`.
    pub fn of(status: &Bytes) -> Option<Self> {
        let keys = StatusKeys::decode(status.clone()).ok()?;
        let uuid = keys.uuid.filter(|u| !u.is_empty())?;
        Some(Self { agent_id: keys.agent_id?, task_id: keys.task_id?, uuid })
    }
}

/// `Call.Reconcile`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Reconcile {
    #[prost(message, repeated, tag = "1")]
    pub tasks: Vec<ReconcileTask>,
}

/// `Call.Reconcile.Task`.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct ReconcileTask {
    #[prost(bytes = "bytes", tag = "1")]
    pub task_id: Bytes,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub agent_id: Option<Bytes>,
}

/// `Call.Request`.
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

    #[test]
    fn envelopes_are_the_calls_that_mesos_knows() {
        let task = v1::TaskInfo { name: "t".into(), ..Default::default() }.encode_to_vec();
        let call = Call {
            framework_id: Some(v1::FrameworkId { value: "f".into() }.encode_to_vec().into()),
            kind: Type::Accept.into(),
            accept: Some(Accept {
                offer_ids: vec![v1::OfferId { value: "o".into() }.encode_to_vec().into()],
                operations: vec![launch_operation(vec![task.into()])],
                filters: Some(v1::Filters { refuse_seconds: Some(1.5) }.encode_to_vec().into()),
            }),
            ..Default::default()
        };
        let real = v1::scheduler::Call::decode(call.encode_to_vec().as_slice()).expect("a v1 call");
        assert_eq!(real.r#type(), Type::Accept);
        let accept = real.accept.expect("an accept");
        assert_eq!(accept.offer_ids[0].value, "o");
        assert_eq!(accept.filters.expect("filters").refuse_seconds, Some(1.5));
        let operation = &accept.operations[0];
        assert_eq!(operation.r#type(), v1::offer::operation::Type::Launch);
        assert_eq!(operation.launch.as_ref().expect("a launch").task_infos[0].name, "t");
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
