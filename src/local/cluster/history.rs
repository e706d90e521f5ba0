//! What happened in a cluster, in order: what frameworks and operators asked for, what they were told, which agents came and
//! went, and which faults were caused.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::local::messages::ConnectionId;
use crate::proto::v1;
use crate::proto::v1::scheduler::{Event, event};

/// So many records are kept; the oldest go first.
const MOST: usize = 100_000;

/// Something that happened.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// In seconds since the epoch.
    pub time: f64,
    /// What it is.
    pub kind: &'static str,
    /// What was called.
    pub call: Option<&'static str>,
    /// Whom or what it is about.
    pub subject: Subject,
    /// A task's state, or an operation's.
    pub state: Option<&'static str>,
    /// Why a task is in its state.
    pub reason: Option<&'static str>,
    /// Who says so.
    pub source: Option<&'static str>,
    /// More in words.
    pub message: Option<String>,
}

/// The ids of what a record is about.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// A framework's.
    pub framework_id: Option<String>,
    /// An agent's.
    pub agent_id: Option<String>,
    /// An executor's.
    pub executor_id: Option<String>,
    /// A task's.
    pub task_id: Option<String>,
    /// An offer's.
    pub offer_id: Option<String>,
}

impl Subject {
    /// A framework.
    pub fn framework(id: &str) -> Self {
        Self { framework_id: Some(id.to_owned()), ..Self::default() }
    }

    /// An agent.
    pub fn agent(id: &str) -> Self {
        Self { agent_id: Some(id.to_owned()), ..Self::default() }
    }

    /// A task of a framework on an agent.
    pub fn task(framework_id: &str, agent_id: &str, task_id: &str) -> Self {
        Self { task_id: Some(task_id.to_owned()), agent_id: Some(agent_id.to_owned()), ..Self::framework(framework_id) }
    }

    /// An offer.
    pub fn offer(id: &str) -> Self {
        Self { offer_id: Some(id.to_owned()), ..Self::default() }
    }
}

/// The last things that happened.
#[derive(Debug, Default)]
pub struct History {
    records: VecDeque<Record>,
    /// How many records there were.
    count: Arc<AtomicU64>,
    /// The frameworks that are subscribed, by their connections.
    subscribers: HashMap<ConnectionId, String>,
    /// How much is logged, and until when, in seconds since the epoch.
    level: (u32, f64),
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, call, subject, state, reason, source, message, .. } = self;
        let Subject { framework_id, agent_id, executor_id, task_id, offer_id } = subject;
        write!(f, "{kind}")?;
        for (name, value) in [
            ("call", *call),
            ("framework", framework_id.as_deref()),
            ("agent", agent_id.as_deref()),
            ("executor", executor_id.as_deref()),
            ("task", task_id.as_deref()),
            ("offer", offer_id.as_deref()),
            ("state", *state),
            ("reason", *reason),
            ("source", *source),
            ("message", message.as_deref()),
        ] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                write!(f, " {name}={value}")?;
            }
        }
        Ok(())
    }
}

impl History {
    /// An empty history, which counts its records there.
    pub fn new(count: Arc<AtomicU64>) -> Self {
        count.store(0, Ordering::Release);
        Self { count, ..Self::default() }
    }

    /// The empty history of a cluster that begins again.
    pub fn anew(&self) -> Self {
        Self::new(self.count.clone())
    }

    /// Logs every record from now on for so many seconds, unless the level is 0.
    pub fn set_level(&mut self, time: f64, level: u32, seconds: f64) {
        self.level = (level, time + seconds);
    }

    /// The level that holds at a time.
    pub fn level(&self, time: f64) -> u32 {
        let (level, until) = self.level;
        if time < until { level } else { 0 }
    }

    /// Adds a record.
    pub fn add(&mut self, record: Record) {
        if self.level(record.time) > 0 {
            tracing::info!("{record}");
        }
        if self.records.len() >= MOST {
            self.records.pop_front();
        }
        self.records.push_back(record);
        self.count.fetch_add(1, Ordering::Release);
    }

    /// Every record, the oldest first.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    /// Forgets what happened, but not who is subscribed.
    pub fn clear(&mut self) {
        self.records.clear();
        self.count.store(0, Ordering::Release);
    }

    /// A stream has ended.
    pub fn ended(&mut self, time: f64, connection: ConnectionId) {
        if let Some(id) = self.subscribers.remove(&connection) {
            let subject = Subject { framework_id: Some(id), ..Subject::default() };
            self.add(Record { time, kind: "framework_disconnected", subject, ..Record::default() });
        }
    }

    /// An event goes to a framework.
    pub fn sent(&mut self, time: f64, connection: ConnectionId, event: &Event) {
        if event.r#type() == event::Type::Heartbeat {
            return;
        }
        if let Some(subscribed) = &event.subscribed {
            self.subscribers.insert(connection, subscribed.framework_id.value.clone());
        }
        let framework_id = self.subscribers.get(&connection).cloned();
        let offers = event.offers.iter().flat_map(|event| &event.offers);
        for offer in offers {
            let subject = Subject {
                framework_id: framework_id.clone(),
                agent_id: Some(offer.agent_id.value.clone()),
                offer_id: Some(offer.id.value.clone()),
                ..Subject::default()
            };
            self.add(Record { time, kind: "offer_sent", subject, ..Record::default() });
        }
        if let Some((kind, subject)) = described(event) {
            let status = event.update.as_ref().map(|update| &update.status);
            let reason = status.filter(|status| status.reason.is_some()).map(v1::TaskStatus::reason);
            let source = status.filter(|status| status.source.is_some()).map(v1::TaskStatus::source);
            let operation = event.update_operation_status.as_ref().map(|update| &update.status);
            let states = [
                status.map(|status| status.state().as_str_name()),
                operation.map(|status| status.state().as_str_name()),
            ];
            let error = event.error.as_ref().map(|error| error.message.clone());
            self.add(Record {
                time,
                kind,
                call: None,
                subject: Subject { framework_id, ..subject },
                state: states.into_iter().flatten().next(),
                reason: reason.map(|reason| reason.as_str_name()),
                source: source.map(|source| source.as_str_name()),
                message: error.or_else(|| status.and_then(|status| status.message.clone())),
            });
        }
    }
}

/// What an event is, and whom it is about; nothing for offers, each of which has a record of its own.
fn described(event: &Event) -> Option<(&'static str, Subject)> {
    let subject = Subject::default();
    Some(match event.r#type() {
        event::Type::Subscribed => ("framework_subscribed", subject),
        event::Type::InverseOffers => ("inverse_offers_sent", subject),
        event::Type::Rescind => ("offer_rescinded", Subject::offer(&event.rescind.as_ref()?.offer_id.value)),
        event::Type::RescindInverseOffer => ("inverse_offer_rescinded", subject),
        event::Type::Update => {
            let status = &event.update.as_ref()?.status;
            let subject = Subject {
                agent_id: status.agent_id.as_ref().map(|id| id.value.clone()),
                executor_id: status.executor_id.as_ref().map(|id| id.value.clone()),
                task_id: Some(status.task_id.value.clone()),
                ..subject
            };
            ("task_status", subject)
        }
        event::Type::UpdateOperationStatus => {
            let status = &event.update_operation_status.as_ref()?.status;
            let agent_id = status.agent_id.as_ref().map(|id| id.value.clone());
            ("operation_status", Subject { agent_id, ..subject })
        }
        event::Type::Message => {
            let message = event.message.as_ref()?;
            let executor_id = Some(message.executor_id.value.clone());
            ("framework_message", Subject { executor_id, ..Subject::agent(&message.agent_id.value) })
        }
        event::Type::Failure => {
            let failure = event.failure.as_ref()?;
            let agent_id = failure.agent_id.as_ref().map(|id| id.value.clone());
            let executor_id = failure.executor_id.as_ref().map(|id| id.value.clone());
            let kind = if executor_id.is_some() { "executor_lost" } else { "agent_lost" };
            (kind, Subject { agent_id, executor_id, ..subject })
        }
        event::Type::Error => ("framework_error", subject),
        event::Type::Offers | event::Type::Heartbeat | event::Type::Unknown => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_records_go_first() {
        let mut history = History::default();
        for number in 0..=MOST {
            history.add(Record { time: number as f64, kind: "fault", ..Record::default() });
        }
        assert_eq!(history.records().count(), MOST);
        assert_eq!(history.records().next().map(|record| record.time), Some(1.0));
    }
}
