//! Those who watch the cluster by the operator API's stream of events. Follows `Master::Subscribers` in
//! `src/master/master.cpp` and the events of `src/common/protobuf_utils.cpp`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::messages::{framework_outline, task_message};
use crate::local::master::framework::Framework;
use crate::local::master::placed::Task;
use crate::local::master::{HEARTBEAT_INTERVAL, Master, Output};
use crate::local::messages::ConnectionId;
use crate::proto::v1;
use crate::proto::v1::master::{Event, event, event::Type};

/// `DEFAULT_MAX_OPERATOR_EVENT_STREAM_SUBSCRIBERS`: one more, and the oldest stream ends.
const MAX: usize = 1000;

/// The streams, each with the time of its next heartbeat.
#[derive(Debug, Default)]
pub struct Subscribers(BTreeMap<ConnectionId, Instant>);

impl Subscribers {
    /// The streams.
    pub fn connections(&self) -> impl Iterator<Item = ConnectionId> {
        self.0.keys().copied()
    }

    /// Tells all of an event, which is made only if there is somebody to tell.
    pub fn publish(&self, outputs: &mut VecDeque<Output>, event: impl FnOnce() -> Event) {
        if !self.0.is_empty() {
            outputs.push_back(Output::Publish(self.connections().collect(), Box::new(event())));
        }
    }

    /// When the next heartbeat is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }

    /// Sends the heartbeats that are due.
    pub fn handle_timeout(&mut self, now: Instant, outputs: &mut VecDeque<Output>) {
        let due: Vec<_> = self.0.iter().filter(|(_, due)| **due <= now).map(|(id, _)| *id).collect();
        if !due.is_empty() {
            self.0.extend(due.iter().map(|id| (*id, now + HEARTBEAT_INTERVAL)));
            outputs.push_back(Output::Publish(due, Box::new(of(Type::Heartbeat))));
        }
    }
}

impl Master {
    /// SUBSCRIBE on a new stream: tells what there is, and from now on what happens.
    pub fn watch(&mut self, now: Instant, connection: ConnectionId) {
        let subscribed = event::Subscribed {
            get_state: Some(self.whole_state()),
            heartbeat_interval_seconds: Some(HEARTBEAT_INTERVAL.as_secs_f64()),
        };
        let subscribed = Event { subscribed: Some(subscribed), ..of(Type::Subscribed) };
        for event in [subscribed, of(Type::Heartbeat)] {
            self.outputs.push_back(Output::Publish(vec![connection], Box::new(event)));
        }
        if self.subscribers.0.len() >= MAX
            && let Some((oldest, _)) = self.subscribers.0.pop_first()
        {
            tracing::info!("More than {MAX} subscribers of the operator API: the oldest stream ends");
            self.outputs.push_back(Output::Close(oldest));
        }
        self.subscribers.0.insert(connection, now + HEARTBEAT_INTERVAL);
    }

    /// A subscriber of the operator API has left.
    pub fn unwatch(&mut self, connection: ConnectionId) {
        self.subscribers.0.remove(&connection);
    }

    pub(in crate::local::master) fn publish_agent_added(&mut self, id: &str) {
        let Some(agent) = self.agents.get(id).filter(|_| !self.subscribers.0.is_empty()) else { return };
        let agent = self.agent_message(id, agent);
        let event = Event { agent_added: Some(event::AgentAdded { agent }), ..of(Type::AgentAdded) };
        self.subscribers.publish(&mut self.outputs, || event);
    }

    pub(in crate::local::master) fn publish_framework(&mut self, id: &str, event: impl FnOnce(&Framework) -> Event) {
        if let Some(framework) = self.frameworks.get(id) {
            self.subscribers.publish(&mut self.outputs, || event(framework));
        }
    }

    pub(in crate::local::master) fn publish_task_updated(
        &mut self,
        framework_id: &str,
        status: &v1::TaskStatus,
        latest: v1::TaskState,
    ) {
        self.subscribers.publish(&mut self.outputs, || task_updated(framework_id, status, latest));
    }
}

/// A task is on its way to an agent, or came with one.
pub fn task_added(framework_id: &str, task: &Task) -> Event {
    let task = task_message(framework_id, task);
    Event { task_added: Some(event::TaskAdded { task }), ..of(Type::TaskAdded) }
}

/// Something else is known of a task.
pub fn task_updated(framework_id: &str, status: &v1::TaskStatus, latest: v1::TaskState) -> Event {
    let framework_id = v1::FrameworkId { value: framework_id.to_owned() };
    let updated = event::TaskUpdated { framework_id, status: status.clone(), state: latest.into() };
    Event { task_updated: Some(updated), ..of(Type::TaskUpdated) }
}

/// A framework subscribed for the first time, or came with an agent.
pub fn framework_added(framework: &Framework) -> Event {
    let framework = framework_outline(framework);
    Event { framework_added: Some(event::FrameworkAdded { framework }), ..of(Type::FrameworkAdded) }
}

/// A framework subscribed again, or changed what it says of itself.
pub fn framework_updated(framework: &Framework) -> Event {
    let framework = framework_outline(framework);
    Event { framework_updated: Some(event::FrameworkUpdated { framework }), ..of(Type::FrameworkUpdated) }
}

/// A framework is over.
pub fn framework_removed(framework: &Framework) -> Event {
    let removed = event::FrameworkRemoved { framework_info: framework.info.clone() };
    Event { framework_removed: Some(removed), ..of(Type::FrameworkRemoved) }
}

/// An agent is no longer registered.
pub fn agent_removed(id: &str) -> Event {
    let agent_id = v1::AgentId { value: id.to_owned() };
    Event { agent_removed: Some(event::AgentRemoved { agent_id }), ..of(Type::AgentRemoved) }
}

fn of(kind: Type) -> Event {
    Event { r#type: Some(kind.into()), ..Default::default() }
}
