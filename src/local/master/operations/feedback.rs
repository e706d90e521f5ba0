//! What becomes of operations that have an id: their frameworks are told until they acknowledge it. Follows
//! `Master::updateOperationStatus`, `acknowledgeOperationStatus` and `reconcileOperations`.

use std::time::Instant;

use super::Master;
use crate::local::master::Output;
use crate::local::master::agents::Departure;
use crate::local::master::framework::OperationRecord;
use crate::local::messages::ToAgent;
use crate::local::refusal::Invalid;
use crate::proto::v1;
use crate::proto::v1::OperationState;
use crate::proto::v1::offer::Operation;
use crate::proto::v1::scheduler::{Event, call, event};

impl Master {
    /// Keeps an operation that was applied, if its framework wants to know, and lets the agent report on it.
    pub(super) fn record(&mut self, framework_id: &str, agent_id: &str, operation: Operation) {
        let Some(operation_id) = operation.id.clone() else { return };
        let uuid = self.world.uuid().into_bytes().to_vec();
        let Some(framework) = self.frameworks.get_mut(framework_id) else { return };
        let record = OperationRecord {
            info: operation.clone(),
            agent_id: agent_id.to_owned(),
            uuid: uuid.clone(),
            statuses: Vec::new(),
        };
        framework.operations.insert(operation_id.value, record);
        let framework_id = framework_id.to_owned();
        let message = ToAgent::ApplyOperation { framework_id, operation: Box::new(operation), uuid };
        self.outputs.push_back(Output::Tell(agent_id.to_owned(), message));
    }

    /// An operation is not done. Its framework is told once, if the operation has an id.
    pub(super) fn drop_operation(&mut self, framework_id: &str, operation: &Operation, why: &Invalid) {
        tracing::warn!("Dropping {} operation of framework {framework_id}: {why}", operation.r#type().as_str_name());
        if let Some(operation_id) = operation.id.clone() {
            let state = OperationState::OperationError;
            self.tell_operation(framework_id, status(operation_id, state, None, &why.to_string()));
        }
    }

    /// An agent reports what became of an operation.
    pub(in crate::local::master) fn operation_updated(
        &mut self,
        framework_id: &str,
        uuid: &[u8],
        status: v1::OperationStatus,
    ) {
        let Some(framework) = self.frameworks.get_mut(framework_id) else { return };
        let Some(record) = framework.operations.values_mut().find(|record| record.uuid == uuid) else { return };
        if record.statuses.last() != Some(&status) {
            record.statuses.push(status.clone());
        }
        self.tell_operation(framework_id, status);
    }

    /// ACKNOWLEDGE_OPERATION_STATUS.
    pub(in crate::local::master) fn acknowledge_operation(
        &mut self,
        now: Instant,
        framework_id: &str,
        acknowledge: call::AcknowledgeOperationStatus,
    ) {
        let agent_id = acknowledge.agent_id.unwrap_or_default().value;
        let operation_id = acknowledge.operation_id.value;
        let Some(framework) = self.frameworks.get_mut(framework_id).filter(|_| self.agents.contains_key(&agent_id))
        else {
            return tracing::warn!(
                "Ignoring an acknowledgement of '{operation_id}': agent {agent_id} is not registered"
            );
        };
        let Some(record) = framework.operations.get(&operation_id) else {
            return tracing::warn!("Ignoring an acknowledgement of '{operation_id}': the operation is unknown");
        };
        let acknowledged =
            |status: &v1::OperationStatus| status.uuid.as_ref().is_some_and(|uuid| uuid.value == acknowledge.uuid);
        let Some(status) = record.statuses.iter().find(|status| acknowledged(status)) else {
            return tracing::warn!("Ignoring an acknowledgement of '{operation_id}': the status is unknown");
        };
        let uuid = record.uuid.clone();
        if is_terminal(status.state()) {
            framework.operations.remove(&operation_id);
        }
        let message = ToAgent::AcknowledgeOperation { uuid, status_uuid: acknowledge.uuid };
        self.outputs.push_back(Output::Tell(agent_id.clone(), message));
        self.check_drained(now, &agent_id);
    }

    /// RECONCILE_OPERATIONS, implicit and explicit.
    pub(in crate::local::master) fn reconcile_operations(
        &mut self,
        framework_id: &str,
        reconcile: &call::ReconcileOperations,
    ) {
        let Some(framework) = self.frameworks.get(framework_id) else { return };
        let answers: Vec<v1::OperationStatus> = if reconcile.operations.is_empty() {
            framework.operations.values().map(OperationRecord::latest).collect()
        } else {
            let known = |id: &v1::OperationId| framework.operations.get(&id.value).map(OperationRecord::latest);
            let operations = reconcile.operations.iter();
            operations
                .map(|operation| known(&operation.operation_id).unwrap_or_else(|| self.unknown_operation(operation)))
                .collect()
        };
        for status in answers {
            self.tell_operation(framework_id, status);
        }
    }

    fn unknown_operation(&self, operation: &call::reconcile_operations::Operation) -> v1::OperationStatus {
        let absent = &self.absent;
        let agent_id = operation.agent_id.as_ref().map(|id| id.value.as_str());
        let is = |known: &dyn Fn(&str) -> bool| agent_id.is_some_and(known);
        let (state, why) = if is(&|id| absent.recovered.contains_key(id)) {
            (OperationState::OperationRecovering, "Reconciliation: Agent is recovered but has not re-registered")
        } else if is(&|id| absent.unreachable.contains_key(id)) {
            (OperationState::OperationUnreachable, "Reconciliation: Agent is unreachable")
        } else if is(&|id| absent.gone.contains(id)) {
            (OperationState::OperationGoneByOperator, "Reconciliation: Agent marked gone by operator")
        } else if agent_id.is_none() {
            (OperationState::OperationUnknown, "Reconciliation: Operation is unknown and no 'agent_id' was provided")
        } else if is(&|id| !self.agents.contains_key(id)) {
            (OperationState::OperationUnknown, "Reconciliation: Both operation and agent are unknown")
        } else {
            (OperationState::OperationUnknown, "Reconciliation: Operation is unknown")
        };
        let status = status(operation.operation_id.clone(), state, operation.agent_id.clone(), why);
        v1::OperationStatus { resource_provider_id: operation.resource_provider_id.clone(), ..status }
    }

    /// Tells frameworks once that their operations on an agent went with it (`sendBulkOperationFeedback`).
    pub(in crate::local::master) fn tell_of_operations(&mut self, agent_id: &str, how: Departure) {
        let (state, why) = match how {
            Departure::Unreachable => (OperationState::OperationUnreachable, "Agent was marked unreachable"),
            Departure::Gone => (OperationState::OperationGoneByOperator, "Agent has been marked gone"),
            Departure::Removed => return,
        };
        let mut told = Vec::new();
        for (framework_id, framework) in &self.frameworks {
            let here = framework.operations.iter().filter(|(_, operation)| operation.agent_id == agent_id);
            told.extend(here.map(|(id, _)| (framework_id.clone(), id.clone())));
        }
        for (framework_id, operation_id) in told {
            let agent_id = Some(v1::AgentId { value: agent_id.to_owned() });
            self.tell_operation(&framework_id, status(v1::OperationId { value: operation_id }, state, agent_id, why));
        }
    }

    fn tell_operation(&mut self, framework_id: &str, status: v1::OperationStatus) {
        let update_operation_status = Some(event::UpdateOperationStatus { status });
        let event = Event { update_operation_status, ..Event::of(event::Type::UpdateOperationStatus) };
        self.send(framework_id, event);
    }
}

fn status(
    operation_id: v1::OperationId,
    state: OperationState,
    agent_id: Option<v1::AgentId>,
    message: &str,
) -> v1::OperationStatus {
    v1::OperationStatus {
        operation_id: Some(operation_id),
        state: state.into(),
        message: Some(message.to_owned()),
        agent_id,
        ..Default::default()
    }
}

/// Whether an operation in this state is over (`protobuf::isTerminalState`).
fn is_terminal(state: OperationState) -> bool {
    use OperationState::*;
    matches!(state, OperationFinished | OperationFailed | OperationError | OperationDropped | OperationGoneByOperator)
}
