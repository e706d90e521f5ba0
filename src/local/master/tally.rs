//! What is counted of each framework. Follows `FrameworkMetrics` in `src/master/metrics.cpp`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::Framework;
use super::validation::OfFramework;
use crate::local::metrics::Metrics;
use crate::proto::v1::offer::operation::Type as Operation;
use crate::proto::v1::scheduler::call::{self, Type as Call};
use crate::proto::v1::scheduler::event::Type as Kind;
use crate::proto::v1::scheduler::{self, event};
use crate::proto::v1::{TaskState, offer};

const CALLS: [Call; 17] = [
    Call::Accept,
    Call::AcceptInverseOffers,
    Call::Acknowledge,
    Call::AcknowledgeOperationStatus,
    Call::Decline,
    Call::DeclineInverseOffers,
    Call::Kill,
    Call::Message,
    Call::Reconcile,
    Call::ReconcileOperations,
    Call::Request,
    Call::Revive,
    Call::Shutdown,
    Call::Subscribe,
    Call::Suppress,
    Call::Teardown,
    Call::UpdateFramework,
];
const EVENTS: [Kind; 11] = [
    Kind::Error,
    Kind::Failure,
    Kind::Heartbeat,
    Kind::InverseOffers,
    Kind::Message,
    Kind::Offers,
    Kind::Rescind,
    Kind::RescindInverseOffer,
    Kind::Subscribed,
    Kind::Update,
    Kind::UpdateOperationStatus,
];
const OPERATIONS: [Operation; 10] = [
    Operation::Create,
    Operation::CreateDisk,
    Operation::Destroy,
    Operation::DestroyDisk,
    Operation::GrowVolume,
    Operation::Launch,
    Operation::LaunchGroup,
    Operation::Reserve,
    Operation::ShrinkVolume,
    Operation::Unreserve,
];
const ACTIVE: [TaskState; 6] = [
    TaskState::TaskKilling,
    TaskState::TaskRunning,
    TaskState::TaskStaging,
    TaskState::TaskStarting,
    TaskState::TaskUnknown,
    TaskState::TaskUnreachable,
];
const OVER: [TaskState; 8] = [
    TaskState::TaskDropped,
    TaskState::TaskError,
    TaskState::TaskFailed,
    TaskState::TaskFinished,
    TaskState::TaskGone,
    TaskState::TaskGoneByOperator,
    TaskState::TaskKilled,
    TaskState::TaskLost,
];

/// How often what happened.
#[derive(Debug)]
struct Counts<K>(BTreeMap<K, u64>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Copy> Counts<K> {
    fn add(&mut self, what: K, number: usize) {
        let count = self.0.entry(what).or_default();
        *count = count.saturating_add(u64::try_from(number).unwrap_or(u64::MAX));
    }

    fn get(&self, what: K) -> f64 {
        self.0.get(&what).map_or(0.0, |count| *count as f64)
    }

    fn all(&self) -> f64 {
        self.0.values().map(|count| *count as f64).sum()
    }
}

/// What became of offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Offers {
    Accepted,
    Declined,
    Rescinded,
    Sent,
}

/// What a framework has done, and what was done for it.
#[derive(Debug, Default)]
pub struct Tally {
    calls: Counts<Call>,
    events: Counts<Kind>,
    offers: Counts<Offers>,
    operations: Counts<Operation>,
    over: Counts<TaskState>,
    /// The roles in which it wanted no offers when it was removed.
    suppressed: BTreeSet<String>,
}

impl Tally {
    /// It is removed, and wants no offers in these roles.
    pub fn suppressed(&mut self, roles: BTreeSet<String>) {
        self.suppressed = roles;
    }

    /// The roles in which it wanted no offers when it was removed.
    pub fn last_suppressed(&self) -> &BTreeSet<String> {
        &self.suppressed
    }

    /// It has subscribed.
    pub fn subscribed(&mut self) {
        self.calls.add(Call::Subscribe, 1);
    }

    /// It has made this call.
    pub fn call(&mut self, request: &OfFramework) {
        let kind = match request {
            OfFramework::Teardown => Call::Teardown,
            OfFramework::Accept(call::Accept { offer_ids, .. }) => {
                self.offers.add(Offers::Accepted, offer_ids.len());
                Call::Accept
            }
            OfFramework::Decline(call::Decline { offer_ids, .. }) => {
                self.offers.add(Offers::Declined, offer_ids.len());
                Call::Decline
            }
            OfFramework::Revive(_) => Call::Revive,
            OfFramework::Suppress(_) => Call::Suppress,
            OfFramework::Kill(_) => Call::Kill,
            OfFramework::Shutdown(_) => Call::Shutdown,
            OfFramework::Acknowledge(_) => Call::Acknowledge,
            OfFramework::AcknowledgeOperationStatus(_) => Call::AcknowledgeOperationStatus,
            OfFramework::AcceptInverseOffers(_) => Call::AcceptInverseOffers,
            OfFramework::DeclineInverseOffers(_) => Call::DeclineInverseOffers,
            OfFramework::Reconcile(_) => Call::Reconcile,
            OfFramework::ReconcileOperations(_) => Call::ReconcileOperations,
            OfFramework::Message(_) => Call::Message,
            OfFramework::UpdateFramework(_) => Call::UpdateFramework,
            OfFramework::Ignored(kind) => *kind,
        };
        self.calls.add(kind, 1);
    }

    /// It is told this.
    pub fn event(&mut self, event: &scheduler::Event) {
        self.events.add(event.r#type(), 1);
        if let Some(event::Offers { offers }) = &event.offers {
            self.offers.add(Offers::Sent, offers.len());
        }
        if event.rescind.is_some() {
            self.offers.add(Offers::Rescinded, 1);
        }
    }

    /// An operation of it was applied, or so many tasks were launched.
    pub fn operation(&mut self, kind: offer::operation::Type, number: usize) {
        self.operations.add(kind, number);
    }

    /// A task of it has ended.
    pub fn ended(&mut self, state: TaskState) {
        self.over.add(state, 1);
    }
}

impl Framework {
    /// Adds what was counted, with the roles in which it wants no offers.
    pub(super) fn measure(&self, metrics: &mut Metrics, suppressed: &BTreeSet<String>) {
        let (tally, id) = (&self.tally, self.id());
        let prefix = format!("master/frameworks/{}/{id}", encoded(&self.info.name));
        let mut set = |name: &str, value: f64| {
            metrics.insert(format!("{prefix}/{name}"), value);
        };
        set("subscribed", f64::from(u8::from(self.connection.is_some())));
        set("calls", tally.calls.all());
        CALLS.iter().for_each(|kind| set(&lower("calls/", kind.as_str_name()), tally.calls.get(*kind)));
        set("events", tally.events.all());
        EVENTS.iter().for_each(|kind| set(&lower("events/", kind.as_str_name()), tally.events.get(*kind)));
        set("operations", tally.operations.all());
        for kind in OPERATIONS {
            set(&lower("operations/", kind.as_str_name()), tally.operations.get(kind));
        }
        set("offers/accepted", tally.offers.get(Offers::Accepted));
        set("offers/declined", tally.offers.get(Offers::Declined));
        set("offers/rescinded", tally.offers.get(Offers::Rescinded));
        set("offers/sent", tally.offers.get(Offers::Sent));
        for role in self.roles() {
            set(&format!("roles/{role}/suppressed"), f64::from(u8::from(suppressed.contains(&role))));
        }
        for state in ACTIVE {
            let tasks = self.tasks.values().chain(self.unreachable_tasks.values());
            let number = tasks.filter(|task| task.state == state).count();
            set(&lower("tasks/active/", state.as_str_name()), number as f64);
        }
        OVER.iter().for_each(|state| set(&lower("tasks/terminal/", state.as_str_name()), tally.over.get(*state)));
    }
}

fn lower(before: &str, name: &str) -> String {
    format!("{before}{}", name.to_ascii_lowercase())
}

/// A name as a part of a path (`process::http::encode`).
fn encoded(name: &str) -> String {
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_graphic() && !b"$&+,/:;=?@\"<>#%{}|\\^~[]`".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parts_of_paths() {
        assert_eq!(encoded("a b/c-1_x.y"), "a%20b%2Fc-1_x.y");
        assert_eq!(encoded("ä"), "%C3%A4");
    }
}
