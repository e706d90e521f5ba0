//! Takes in the calls of frameworks and operators, and notes them.

use std::time::Instant;

use super::history::{Record, Subject};
use super::machine::Machine;
use crate::local::master::{Done, OfFramework};
use crate::local::messages::ConnectionId;
use crate::local::refusal::Refusal;
use crate::proto::v1::master::Call;
use crate::proto::v1::offer::Operation;
use crate::proto::v1::scheduler::call;

impl Machine {
    /// A framework subscribes on a new stream. Returns the stream's id.
    pub fn subscribe(&mut self, now: Instant, connection: ConnectionId, subscribe: call::Subscribe) -> String {
        let info = &subscribe.framework_info;
        let subject = Subject { framework_id: info.id.as_ref().map(|id| id.value.clone()), ..Subject::default() };
        self.note_call(now, "call", "SUBSCRIBE", subject, Some(info.name.clone()));
        self.master.subscribe(now, connection, subscribe)
    }

    /// A framework asks for something. Fails if the master refuses it.
    pub fn call(
        &mut self,
        now: Instant,
        stream_id: Option<&str>,
        framework_id: &str,
        request: OfFramework,
    ) -> Result<(), Refusal> {
        let (name, subject, message) = described(&request);
        let subject = Subject { framework_id: Some(framework_id.to_owned()), ..subject };
        // What becomes of it is noted after it.
        self.note_call(now, "call", name, subject.clone(), message);
        let outcome = self.master.call(now, stream_id, framework_id, request);
        self.note_refusal(now, name, subject, &outcome);
        outcome
    }

    /// An operator asks for something. Fails if the master refuses it.
    pub fn operator_call(&mut self, now: Instant, call: Call) -> Result<Done, Refusal> {
        let name = call.r#type().as_str_name();
        if name.starts_with("GET_") {
            return self.master.operator_call(now, call);
        }
        let subject = Subject { agent_id: agent_of(&call), ..Subject::default() };
        self.note_call(now, "operator_call", name, subject.clone(), None);
        let outcome = self.master.operator_call(now, call);
        self.note_refusal(now, name, subject, &outcome);
        outcome
    }

    /// An operator asks something of the agent at `/slave(N)`, which is noted before what becomes of it.
    pub fn note_agent_call(&mut self, now: Instant, path: &str, call: &'static str) {
        if let Some(agent) = self.agents.at(path) {
            let subject = Subject::agent(&agent.config().id);
            self.note_call(now, "operator_call", call, subject, None);
        }
    }

    fn note_call(
        &mut self,
        now: Instant,
        kind: &'static str,
        call: &'static str,
        subject: Subject,
        message: Option<String>,
    ) {
        self.note(now, Record { kind, call: Some(call), subject, message, ..Record::default() });
    }

    fn note_refusal<T>(&mut self, now: Instant, call: &'static str, subject: Subject, outcome: &Result<T, Refusal>) {
        if let Err(refusal) = outcome {
            self.note_call(now, "call_refused", call, subject, Some(refusal.message.clone()));
        }
    }
}

fn agent_of(call: &Call) -> Option<String> {
    let ids = [
        call.drain_agent.as_ref().map(|call| &call.agent_id),
        call.deactivate_agent.as_ref().map(|call| &call.agent_id),
        call.reactivate_agent.as_ref().map(|call| &call.agent_id),
        call.mark_agent_gone.as_ref().map(|call| &call.agent_id),
    ];
    ids.into_iter().flatten().next().map(|id| id.value.clone())
}

/// A call's name, whom it is about if that is one, and more in words.
fn described(request: &OfFramework) -> (&'static str, Subject, Option<String>) {
    let none = Subject::default();
    match request {
        OfFramework::Accept(accept) => {
            let operations = accept.operations.iter().map(operation).collect::<Vec<_>>().join("; ");
            let tasks: Vec<_> = accept.operations.iter().flat_map(tasks).collect();
            let task_id = only(tasks.into_iter());
            let offer_id = only(accept.offer_ids.iter().map(|id| id.value.as_str()));
            ("ACCEPT", Subject { task_id, offer_id, ..none }, Some(operations))
        }
        OfFramework::Decline(decline) => {
            let ids = decline.offer_ids.iter().map(|id| id.value.as_str());
            let message = (decline.offer_ids.len() > 1).then(|| ids.clone().collect::<Vec<_>>().join(", "));
            ("DECLINE", Subject { offer_id: only(ids), ..none }, message)
        }
        OfFramework::Kill(kill) => ("KILL", Subject { task_id: Some(kill.task_id.value.clone()), ..none }, None),
        OfFramework::Acknowledge(acknowledge) => {
            let task_id = Some(acknowledge.task_id.value.clone());
            ("ACKNOWLEDGE", Subject { task_id, ..Subject::agent(&acknowledge.agent_id.value) }, None)
        }
        OfFramework::Shutdown(shutdown) => {
            let executor_id = Some(shutdown.executor_id.value.clone());
            ("SHUTDOWN", Subject { executor_id, ..Subject::agent(&shutdown.agent_id.value) }, None)
        }
        OfFramework::Message(message) => {
            let executor_id = Some(message.executor_id.value.clone());
            ("MESSAGE", Subject { executor_id, ..Subject::agent(&message.agent_id.value) }, None)
        }
        OfFramework::Reconcile(reconcile) => {
            let ids = reconcile.tasks.iter().map(|task| task.task_id.value.as_str());
            let message = (reconcile.tasks.len() != 1).then(|| format!("{} tasks", reconcile.tasks.len()));
            ("RECONCILE", Subject { task_id: only(ids), ..none }, message)
        }
        OfFramework::Revive(revive) => ("REVIVE", none, Some(revive.roles.join(", "))),
        OfFramework::Suppress(suppress) => ("SUPPRESS", none, Some(suppress.roles.join(", "))),
        OfFramework::Teardown => ("TEARDOWN", none, None),
        OfFramework::UpdateFramework(_) => ("UPDATE_FRAMEWORK", none, None),
        OfFramework::AcknowledgeOperationStatus(_) => ("ACKNOWLEDGE_OPERATION_STATUS", none, None),
        OfFramework::ReconcileOperations(_) => ("RECONCILE_OPERATIONS", none, None),
        OfFramework::AcceptInverseOffers(_) => ("ACCEPT_INVERSE_OFFERS", none, None),
        OfFramework::DeclineInverseOffers(_) => ("DECLINE_INVERSE_OFFERS", none, None),
        OfFramework::Ignored(kind) => (kind.as_str_name(), none, None),
    }
}

fn operation(operation: &Operation) -> String {
    let tasks = tasks(operation);
    let space = if tasks.is_empty() { "" } else { " " };
    format!("{}{space}{}", operation.r#type().as_str_name(), tasks.join(", "))
}

/// The ids of the tasks that an operation launches.
fn tasks(operation: &Operation) -> Vec<&str> {
    let alone = operation.launch.iter().flat_map(|launch| &launch.task_infos);
    let groups = operation.launch_group.iter().flat_map(|launch| &launch.task_group.tasks);
    alone.chain(groups).map(|task| task.task_id.value.as_str()).collect()
}

/// The one that there is, if there is one alone.
fn only<'a>(mut ids: impl Iterator<Item = &'a str>) -> Option<String> {
    let first = ids.next()?;
    ids.next().is_none().then(|| first.to_owned())
}
