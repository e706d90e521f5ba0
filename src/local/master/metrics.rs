//! What `/metrics/snapshot` shows of the master. Follows `src/master/metrics.cpp`.

use std::collections::BTreeMap;
use std::time::Instant;

use super::Master;
use super::validation::OfFramework;
use crate::local::messages::is_terminal;
use crate::local::metrics::{Metrics, add_resources};
use crate::local::resources::Resources;
use crate::proto::v1::TaskState;
use crate::proto::v1::offer::operation::Type as Operation;
use crate::proto::v1::task_status::Reason;
use crate::proto::v1::{self, scheduler::call};

/// Counters that are there before anything has happened.
const COUNTERS: [&str; 58] = [
    "master/http_cache_hits",
    "master/invalid_executor_to_framework_messages",
    "master/invalid_framework_to_executor_messages",
    "master/invalid_operation_status_update_acknowledgements",
    "master/invalid_operation_status_updates",
    "master/invalid_status_update_acknowledgements",
    "master/invalid_status_updates",
    "master/messages_authenticate",
    "master/messages_deactivate_framework",
    "master/messages_decline_offers",
    "master/messages_executor_to_framework",
    "master/messages_exited_executor",
    "master/messages_framework_to_executor",
    "master/messages_kill_task",
    "master/messages_launch_tasks",
    "master/messages_operation_status_update",
    "master/messages_operation_status_update_acknowledgement",
    "master/messages_reconcile_operations",
    "master/messages_reconcile_tasks",
    "master/messages_register_framework",
    "master/messages_register_slave",
    "master/messages_reregister_framework",
    "master/messages_reregister_slave",
    "master/messages_resource_request",
    "master/messages_revive_offers",
    "master/messages_status_update",
    "master/messages_status_update_acknowledgement",
    "master/messages_suppress_offers",
    "master/messages_unregister_framework",
    "master/messages_unregister_slave",
    "master/messages_update_slave",
    "master/recovery_slave_removals",
    "master/slave_registrations",
    "master/slave_removals",
    "master/slave_removals/reason_registered",
    "master/slave_removals/reason_unhealthy",
    "master/slave_removals/reason_unregistered",
    "master/slave_reregistrations",
    "master/slave_shutdowns_canceled",
    "master/slave_shutdowns_completed",
    "master/slave_shutdowns_scheduled",
    "master/slave_unreachable_canceled",
    "master/slave_unreachable_completed",
    "master/slave_unreachable_scheduled",
    "master/tasks_dropped",
    "master/tasks_error",
    "master/tasks_failed",
    "master/tasks_finished",
    "master/tasks_gone",
    "master/tasks_gone_by_operator",
    "master/tasks_killed",
    "master/tasks_lost",
    "master/valid_executor_to_framework_messages",
    "master/valid_framework_to_executor_messages",
    "master/valid_operation_status_update_acknowledgements",
    "master/valid_operation_status_updates",
    "master/valid_status_update_acknowledgements",
    "master/valid_status_updates",
];
const OPERATIONS: &str = "master/operations";
const OPERATION_TYPES: [&str; 8] =
    ["create", "create_disk", "destroy", "destroy_disk", "grow_volume", "reserve", "shrink_volume", "unreserve"];
/// Those in which no operation is: it is applied when it is asked for.
const OPERATION_STATES: [&str; 7] =
    ["dropped", "error", "failed", "gone_by_operator", "pending", "recovering", "unreachable"];
/// States of tasks that are not over, with the names of what counts them.
const ACTIVE: [(TaskState, &str); 5] = [
    (TaskState::TaskStaging, "master/tasks_staging"),
    (TaskState::TaskStarting, "master/tasks_starting"),
    (TaskState::TaskRunning, "master/tasks_running"),
    (TaskState::TaskKilling, "master/tasks_killing"),
    (TaskState::TaskUnreachable, "master/tasks_unreachable"),
];

/// How often what happened.
#[derive(Debug)]
pub struct Counters(BTreeMap<String, u64>);

impl Default for Counters {
    fn default() -> Self {
        Self(COUNTERS.into_iter().map(|name| (name.to_owned(), 0)).collect())
    }
}

impl Counters {
    /// Something has happened.
    pub fn count(&mut self, name: &str) {
        match self.0.get_mut(name) {
            Some(counter) => *counter = counter.saturating_add(1),
            None => {
                self.0.insert(name.to_owned(), 1);
            }
        }
    }

    /// A framework has this principal. What is counted of it are messages of the protocol before HTTP, of which there are
    /// none here.
    pub fn add_principal(&mut self, principal: &str) {
        for what in ["messages_received", "messages_processed"] {
            self.0.entry(format!("frameworks/{principal}/{what}")).or_default();
        }
    }

    /// A scheduler has made this call.
    pub fn count_call(&mut self, request: &OfFramework) {
        let name = match request {
            OfFramework::Teardown => "master/messages_unregister_framework",
            OfFramework::Accept(_) => "master/messages_launch_tasks",
            OfFramework::Decline(_) => "master/messages_decline_offers",
            OfFramework::Revive(_) => "master/messages_revive_offers",
            OfFramework::Suppress(_) => "master/messages_suppress_offers",
            OfFramework::Kill(_) => "master/messages_kill_task",
            OfFramework::Acknowledge(_) => {
                self.count("master/valid_status_update_acknowledgements");
                "master/messages_status_update_acknowledgement"
            }
            OfFramework::AcknowledgeOperationStatus(_) => {
                self.count("master/valid_operation_status_update_acknowledgements");
                "master/messages_operation_status_update_acknowledgement"
            }
            OfFramework::Reconcile(_) => "master/messages_reconcile_tasks",
            OfFramework::ReconcileOperations(_) => "master/messages_reconcile_operations",
            OfFramework::Message(_) => "master/messages_framework_to_executor",
            OfFramework::Ignored(call::Type::Request) => "master/messages_resource_request",
            _ => return,
        };
        self.count(name);
    }

    /// A task has ended, or never began.
    pub fn count_end(&mut self, status: &v1::TaskStatus) {
        self.count(match status.state() {
            TaskState::TaskFinished => "master/tasks_finished",
            TaskState::TaskFailed => "master/tasks_failed",
            TaskState::TaskKilled => "master/tasks_killed",
            TaskState::TaskLost => "master/tasks_lost",
            TaskState::TaskError => "master/tasks_error",
            TaskState::TaskDropped => "master/tasks_dropped",
            TaskState::TaskGone => "master/tasks_gone",
            TaskState::TaskGoneByOperator => "master/tasks_gone_by_operator",
            _ => return,
        });
        if status.reason.is_some() {
            let names = [status.state().as_str_name(), status.source().as_str_name(), status.reason().as_str_name()];
            self.count(&format!("master/{}", names.join("/").to_ascii_lowercase()));
        }
    }

    /// An operation was applied.
    pub fn count_operation(&mut self, kind: Operation) {
        self.count(&format!("{OPERATIONS}/{}/finished", kind.as_str_name().to_ascii_lowercase()));
    }

    /// How many operations of each type are in each state: those that were applied are finished.
    fn operations(&self, metrics: &mut Metrics) {
        let mut all = 0.0;
        for kind in OPERATION_TYPES {
            let of_type = format!("{OPERATIONS}/{kind}");
            let finished = self.0.get(&format!("{of_type}/finished")).map_or(0.0, |count| *count as f64);
            all += finished;
            metrics.insert(format!("{of_type}/total"), finished);
            metrics.insert(format!("{of_type}/finished"), finished);
            metrics.extend(OPERATION_STATES.iter().map(|state| (format!("{of_type}/{state}"), 0.0)));
        }
        metrics.insert(format!("{OPERATIONS}/total"), all);
        metrics.insert(format!("{OPERATIONS}/finished"), all);
        metrics.extend(OPERATION_STATES.iter().map(|state| (format!("{OPERATIONS}/{state}"), 0.0)));
    }

    /// An update of the master's own goes to a framework.
    pub fn count_made_up(&mut self, status: &v1::TaskStatus) {
        let is_answer = status.reason == Some(Reason::Reconciliation.into());
        if status.uuid.is_none() && !is_answer && is_terminal(status.state()) {
            self.count_end(status);
        }
    }
}

impl Master {
    /// What is counted, and how much there is of what.
    pub fn metrics(&self, now: Instant) -> Metrics {
        let mut metrics: Metrics = self.counters.0.iter().map(|(name, count)| (name.clone(), *count as f64)).collect();
        let mut set = |name: &str, value: f64| {
            metrics.insert(format!("master/{name}"), value);
        };
        let connected = self.frameworks.values().filter(|framework| framework.connection.is_some()).count() as f64;
        let agents = self.agents.len() as f64;
        set("elected", 1.0);
        set("uptime_secs", self.world.timestamp(now) - self.start_time);
        set("frameworks_active", connected);
        set("frameworks_connected", connected);
        set("frameworks_disconnected", self.frameworks.len() as f64 - connected);
        set("frameworks_inactive", self.frameworks.len() as f64 - connected);
        let inactive = self.agents.values().filter(|agent| !agent.is_active()).count() as f64;
        set("slaves_active", agents - inactive);
        set("slaves_inactive", inactive);
        let disconnected = self.agents.values().filter(|agent| !agent.connected).count() as f64;
        set("slaves_connected", agents - disconnected);
        set("slaves_disconnected", disconnected);
        set("slaves_unreachable", self.absent.unreachable.len() as f64);
        set("dropped_messages", 0.0);
        for name in ["event_queue_dispatches", "event_queue_http_requests", "event_queue_messages"] {
            set(name, 0.0);
        }
        set("outstanding_offers", self.offers.len() as f64);
        set("operator_event_stream_subscribers", self.subscribers.connections().count() as f64);
        let tasks = || self.frameworks.values().flat_map(|f| f.tasks.values().chain(f.unreachable_tasks.values()));
        for (state, name) in ACTIVE {
            metrics.insert(name.to_owned(), tasks().filter(|task| task.state == state).count() as f64);
        }
        let (mut total, mut used) = (Resources::default(), Resources::default());
        self.agents.values().for_each(|agent| total.add(&agent.total));
        self.frameworks.values().flat_map(|f| f.held()).for_each(|(_, resources)| used.add(resources));
        add_resources(&mut metrics, "master", &total, &used);
        self.counters.operations(&mut metrics);
        metrics.extend(self.allocator.metrics(&self.known_roles()));
        for framework in self.frameworks.values() {
            framework.measure(&mut metrics, &self.allocator.suppressed(&framework.id()));
        }
        self.completed.iter().for_each(|framework| framework.measure(&mut metrics, framework.tally.last_suppressed()));
        metrics
    }
}
