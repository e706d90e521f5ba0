//! What is done about a call of which nobody knows whether the master has it.
//!
//! The master ignores what it knows already, and a decline of an offer that is gone. An ACCEPT is never sent twice: its
//! offers are declined, and whichever of the two comes first decides; then its tasks are reconciled.

use bytes::Bytes;
use prost::Message;

use crate::proto::v1;
use crate::session::Unanswered;
use crate::wire::call::{self, Call, Type};
use crate::wire::envelope::TaskKeys;

/// What is done about this call.
pub fn outcome(call: Box<Call>) -> Unanswered<Call> {
    match call.kind() {
        Type::Accept => give_back(&call),
        Type::Message => Unanswered::GiveUp,
        _ => Unanswered::Repeat(call),
    }
}

/// What takes the place of an ACCEPT. The framework wanted what was offered, so it is to be offered again at once.
fn give_back(call: &Call) -> Unanswered<Call> {
    let accept = call.accept.clone().unwrap_or_default();
    let filters = v1::Filters { refuse_seconds: Some(0.0) }.encode_to_vec().into();
    let decline = call::Decline { offer_ids: accept.offer_ids, filters: Some(filters) };
    let keys = |task: Bytes| TaskKeys::decode(task).ok();
    let tasks = accept.operations.iter().flat_map(call::tasks).filter_map(keys);
    let tasks: Vec<_> =
        tasks.map(|keys| call::ReconcileTask { task_id: keys.task_id, agent_id: keys.agent_id }).collect();
    let like = |kind: Type| Call { framework_id: call.framework_id.clone(), kind: kind.into(), ..Call::default() };
    let reconcile = Call { reconcile: Some(call::Reconcile { tasks: tasks.clone() }), ..like(Type::Reconcile) };
    Unanswered::Replace {
        by: Box::new(Call { decline: Some(decline), ..like(Type::Decline) }),
        then: (!tasks.is_empty()).then(|| Box::new(reconcile)),
    }
}
