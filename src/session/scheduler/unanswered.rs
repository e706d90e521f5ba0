//! What is done about a call of which nobody knows whether the master has it.
//!
//! The master ignores what it knows already, and a decline of an offer that is gone. An ACCEPT is never sent twice: its
//! offers are declined, and whichever of the two comes first decides; then its tasks are reconciled.

use bytes::Bytes;
use prost::Message;

use crate::proto::v1;
use crate::session::Unanswered;
use crate::wire::scheduler::{Call, Envelope, call};
use crate::wire::views::TaskView;

/// What is done about this call.
pub fn outcome(envelope: Envelope) -> Unanswered<Envelope> {
    match envelope.call {
        Call::Accept(accept) => give_back(envelope.framework_id, *accept),
        Call::Message(_) => Unanswered::GiveUp,
        _ => Unanswered::Repeat(envelope),
    }
}

/// What takes the place of an ACCEPT. The framework wanted what was offered, so it is to be offered again at once.
fn give_back(framework_id: Option<Bytes>, accept: call::Accept) -> Unanswered<Envelope> {
    let tasks = accept.operations.iter().flat_map(call::tasks);
    let tasks = tasks.filter_map(|task| TaskView::decode(task).ok());
    let tasks: Vec<_> =
        tasks.map(|task| call::ReconcileTask { task_id: task.task_id, agent_id: task.agent_id }).collect();
    let filters = v1::Filters { refuse_seconds: Some(0.0) }.encode_to_vec().into();
    let decline = call::Decline { offer_ids: accept.offer_ids, filters: Some(filters) };
    let envelope = |call| Envelope { framework_id: framework_id.clone(), call };
    Unanswered::Replace {
        by: envelope(Call::Decline(decline)),
        then: (!tasks.is_empty()).then(|| envelope(Call::Reconcile(call::Reconcile { tasks }))),
    }
}
