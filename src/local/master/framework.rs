//! A framework and its tasks, as the master keeps them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::placed::{Task, Tasks};
use super::tally::Tally;
use crate::local::messages::{ConnectionId, is_terminal};
use crate::local::resources::{Format, Resources};
use crate::proto::v1::framework_info::capability::Type as Capability;
use crate::proto::v1::offer::Operation;
use crate::proto::v1::scheduler::OfferConstraints;
use crate::proto::{self, v1};
use crate::wire::duration::Period;

/// The stream to a subscribed scheduler.
#[derive(Debug)]
pub struct Connection {
    pub id: ConnectionId,
    pub stream_id: String,
    pub next_heartbeat: Instant,
}

/// A framework, subscribed, gone for a while, or completed.
#[derive(Debug)]
pub struct Framework {
    pub info: v1::FrameworkInfo,
    pub connection: Option<Connection>,
    pub tasks: Tasks,
    /// By agent and id.
    pub executors: BTreeMap<(String, String), ExecutorRecord>,
    pub completed_tasks: VecDeque<Arc<Task>>,
    /// Tasks of unreachable agents, which may come back.
    pub unreachable_tasks: BTreeMap<String, Arc<Task>>,
    pub offer_constraints: Option<OfferConstraints>,
    /// By id, those that are not acknowledged.
    pub operations: BTreeMap<String, OperationRecord>,
    pub removal_due: Option<Instant>,
    pub registered_time: f64,
    pub reregistered_time: Option<f64>,
    pub unregistered_time: Option<f64>,
    /// Whether it is known from an agent alone, and has not subscribed to this master yet.
    pub recovered: bool,
    pub tally: Tally,
}

/// An executor of the framework's own, as long as it lives.
#[derive(Debug)]
pub struct ExecutorRecord {
    pub info: v1::ExecutorInfo,
    pub role: String,
    pub resources: Resources,
}

/// An operation whose framework has not acknowledged yet what became of it.
#[derive(Debug)]
pub struct OperationRecord {
    pub info: Operation,
    pub agent_id: String,
    /// The master's own name for it.
    pub uuid: Vec<u8>,
    pub statuses: Vec<v1::OperationStatus>,
}

impl OperationRecord {
    /// The last status that the framework was told; the operation is pending if there is none.
    pub fn latest(&self) -> v1::OperationStatus {
        // It is sent once, so there is nothing to acknowledge.
        let last = self.statuses.last().cloned().map(|status| v1::OperationStatus { uuid: None, ..status });
        last.unwrap_or_else(|| v1::OperationStatus {
            operation_id: self.info.id.clone(),
            state: v1::OperationState::OperationPending.into(),
            agent_id: Some(v1::AgentId { value: self.agent_id.clone() }),
            ..Default::default()
        })
    }
}

impl Framework {
    /// A framework that just subscribed, at this wall time; its info has an id.
    pub fn new(info: v1::FrameworkInfo, registered_time: f64) -> Self {
        Self {
            info,
            connection: None,
            tasks: Tasks::default(),
            executors: BTreeMap::new(),
            completed_tasks: VecDeque::new(),
            unreachable_tasks: BTreeMap::new(),
            offer_constraints: None,
            operations: BTreeMap::new(),
            removal_due: None,
            registered_time,
            reregistered_time: None,
            unregistered_time: None,
            recovered: false,
            tally: Tally::default(),
        }
    }

    /// What it holds: tasks that are not over, and executors. Each with its role.
    pub fn held(&self) -> impl Iterator<Item = (&str, &Resources)> {
        let tasks = self.tasks.values().filter(|task| !task.released);
        let of_tasks = tasks.map(|task| (task.role.as_str(), &task.resources));
        of_tasks.chain(self.executors.values().map(|executor| (executor.role.as_str(), &executor.resources)))
    }

    /// The places of its executors on an agent: the agent's id and theirs.
    pub fn executors_on(&self, agent_id: &str) -> impl Iterator<Item = &(String, String)> {
        let first = (agent_id.to_owned(), String::new());
        self.executors.range(first..).map(|(place, _)| place).take_while(move |(agent, _)| agent == agent_id)
    }

    /// Its tasks that are not completed.
    pub fn live_tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values().map(Arc::as_ref)
    }

    /// Its tasks, those that are over last.
    pub fn all_tasks(&self) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks.values().chain(self.unreachable_tasks.values()).chain(&self.completed_tasks)
    }

    /// Its id.
    pub fn id(&self) -> String {
        self.info.id.as_ref().map(|id| id.value.clone()).unwrap_or_default()
    }

    /// Whether it has a capability.
    pub fn has(&self, capability: Capability) -> bool {
        proto::has_capability(&self.info, capability)
    }

    /// The roles it is in.
    pub fn roles(&self) -> Vec<String> {
        proto::roles(&self.info)
    }

    /// How its resources are written.
    pub fn format(&self, role: &str) -> Format {
        Format {
            reservation_refinement: self.has(Capability::ReservationRefinement),
            allocated_to: self.has(Capability::MultiRole).then(|| role.to_owned()),
        }
    }

    /// When a heartbeat is due, or its removal.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let heartbeat = self.connection.as_ref().map(|connection| connection.next_heartbeat);
        heartbeat.into_iter().chain(self.removal_due).min()
    }

    /// Whether it has not come back in time.
    pub fn is_gone(&self, now: Instant) -> bool {
        self.removal_due.is_some_and(|due| due <= now)
    }

    /// The stream is gone.
    pub fn disconnect(&mut self, now: Instant) {
        self.connection = None;
        self.removal_due = Some(now + Period::from_seconds(self.info.failover_timeout()).unwrap_or_default());
    }

    /// A terminal update was acknowledged: the task is over. So many that are over are remembered at most.
    pub fn complete_task(&mut self, task_id: &str, most: usize) {
        if let Some(task) = self.tasks.remove(task_id) {
            self.add_completed(task, most);
        }
    }

    /// A task is over, so many of which are remembered at most.
    pub fn add_completed(&mut self, task: Arc<Task>, most: usize) {
        self.completed_tasks.push_back(task);
        if self.completed_tasks.len() > most {
            self.completed_tasks.pop_front();
        }
    }

    /// The framework is removed, at this wall time: what still runs counts as killed (`Master::removeFramework`).
    /// Returns what is said of these tasks, of which so many are remembered at most.
    pub fn complete(&mut self, timestamp: f64, most: usize) -> Vec<v1::TaskStatus> {
        let mut said = Vec::new();
        let id = self.id();
        self.unregistered_time = Some(timestamp);
        self.executors.clear();
        self.operations.clear();
        let unreachable = std::mem::take(&mut self.unreachable_tasks);
        unreachable.into_values().for_each(|task| self.add_completed(task, most));
        for mut task in self.tasks.take() {
            if !is_terminal(task.state) {
                let status = v1::TaskStatus {
                    task_id: task.info.task_id.clone(),
                    agent_id: Some(v1::AgentId { value: task.agent_id.clone() }),
                    state: v1::TaskState::TaskKilled.into(),
                    source: Some(v1::task_status::Source::Master.into()),
                    reason: Some(v1::task_status::Reason::FrameworkRemoved.into()),
                    message: Some(format!("Framework {id} removed")),
                    timestamp: Some(timestamp),
                    ..Default::default()
                };
                self.tally.ended(v1::TaskState::TaskKilled);
                if Arc::make_mut(&mut task).update(&status, v1::TaskState::TaskKilled) {
                    said.push(status);
                }
            }
            self.add_completed(task, most);
        }
        said
    }
}
