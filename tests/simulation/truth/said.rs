//! What is said on a connection, in the words of the two APIs.

use std::fmt;

use remesos::proto::v1;
use remesos::proto::v1::offer::Operation;
use remesos::proto::v1::{executor, scheduler};

use crate::plan::Moment;

/// Something that was said.
#[derive(Debug, Clone)]
pub enum Said {
    Call(Box<scheduler::Call>),
    Event(Box<scheduler::Event>),
    OfExecutor(Box<executor::Call>),
    ToExecutor(Box<executor::Event>),
    Answer(u16),
    End,
}

impl Said {
    /// The moment that it is, for whoever lies in wait.
    pub fn moment(&self) -> Option<Moment> {
        Some(match self {
            Self::Call(call) => match call.r#type() {
                scheduler::call::Type::Subscribe => Moment::Subscribe,
                scheduler::call::Type::Accept => Moment::Accept,
                scheduler::call::Type::Acknowledge => Moment::Acknowledge,
                scheduler::call::Type::Teardown => Moment::Teardown,
                _ => return None,
            },
            Self::Event(event) => match event.r#type() {
                scheduler::event::Type::Subscribed => Moment::Subscribed,
                scheduler::event::Type::Offers => Moment::Offers,
                scheduler::event::Type::Rescind => Moment::Rescind,
                scheduler::event::Type::Update => Moment::Update,
                _ => return None,
            },
            Self::OfExecutor(call) => match call.r#type() {
                executor::call::Type::Subscribe => Moment::Subscribe,
                executor::call::Type::Update => Moment::Update,
                _ => return None,
            },
            Self::ToExecutor(event) => match event.r#type() {
                executor::event::Type::Subscribed => Moment::Subscribed,
                executor::event::Type::Launch => Moment::Launch,
                executor::event::Type::Acknowledged => Moment::Acknowledge,
                _ => return None,
            },
            Self::Answer(_) => Moment::Answer,
            Self::End => return None,
        })
    }

    /// Whether it only says that somebody lives.
    pub fn is_heartbeat(&self) -> bool {
        match self {
            Self::Event(event) => event.r#type() == scheduler::event::Type::Heartbeat,
            Self::OfExecutor(call) => call.r#type() == executor::call::Type::Heartbeat,
            Self::ToExecutor(event) => event.r#type() == executor::event::Type::Heartbeat,
            Self::Answer(_) | Self::End => true,
            Self::Call(_) => false,
        }
    }
}

/// The tasks that operations launch.
pub fn launched(operations: &[Operation]) -> impl Iterator<Item = &v1::TaskInfo> {
    operations.iter().flat_map(|operation| operation.launch.iter().flat_map(|launch| &launch.task_infos))
}

/// The first digits of a UUID.
pub fn short(uuid: &[u8]) -> String {
    uuid.iter().take(3).map(|byte| format!("{byte:02x}")).collect()
}

/// A status in a few words.
pub fn status(status: &v1::TaskStatus) -> String {
    let (task, state) = (&status.task_id.value, status.state().as_str_name());
    let reason = status.reason.map(|_| format!(" {}", status.reason().as_str_name())).unwrap_or_default();
    let uuid = status.uuid.as_ref().map(|uuid| format!(" {}", short(uuid))).unwrap_or_default();
    format!("{task} {state}{reason}{uuid}")
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(code) => write!(f, "HTTP {code}"),
            Self::End => write!(f, "the end of the stream"),
            Self::Call(call) => write!(f, "{}{}", call.r#type().as_str_name(), details_of_call(call)),
            Self::Event(event) => write!(f, "{}{}", event.r#type().as_str_name(), details_of_event(event)),
            Self::OfExecutor(call) => {
                let update = call.update.as_ref().map(|update| format!(" {}", status(&update.status)));
                write!(f, "{}{}", call.r#type().as_str_name(), update.unwrap_or_default())
            }
            Self::ToExecutor(event) => {
                let launch = event.launch.as_ref().map(|launch| format!(" {}", launch.task.task_id.value));
                let kill = event.kill.as_ref().map(|kill| format!(" {}", kill.task_id.value));
                let uuid = event.acknowledged.as_ref().map(|of| format!(" {}", short(&of.uuid)));
                write!(f, "{}{}", event.r#type().as_str_name(), launch.or(kill).or(uuid).unwrap_or_default())
            }
        }
    }
}

fn details_of_call(call: &scheduler::Call) -> String {
    let ids = |ids: &[v1::OfferId]| ids.iter().map(|id| tail(&id.value)).collect::<Vec<_>>().join(",");
    if let Some(accept) = &call.accept {
        let tasks: Vec<_> = launched(&accept.operations).map(|task| task.task_id.value.as_str()).collect();
        return format!(" {} for {}", ids(&accept.offer_ids), tasks.join(","));
    }
    let decline = call.decline.as_ref().map(|decline| format!(" {}", ids(&decline.offer_ids)));
    let acknowledge = call.acknowledge.as_ref().map(|of| format!(" {} {}", of.task_id.value, short(&of.uuid)));
    let kill = call.kill.as_ref().map(|kill| format!(" {}", kill.task_id.value));
    let message = call.message.as_ref().map(|of| format!(" {}", String::from_utf8_lossy(&of.data)));
    let reconcile = call.reconcile.as_ref().map(|of| {
        let tasks: Vec<_> = of.tasks.iter().map(|task| task.task_id.value.as_str()).collect();
        format!(" {}", tasks.join(","))
    });
    let id = || call.framework_id.as_ref().map(|id| format!(" {}", tail(&id.value)));
    decline.or(acknowledge).or(kill).or(message).or(reconcile).or_else(id).unwrap_or_default()
}

fn details_of_event(event: &scheduler::Event) -> String {
    let offers = event.offers.as_ref().map(|of| {
        let offers: Vec<_> = of.offers.iter().map(|offer| tail(&offer.id.value)).collect();
        format!(" {}", offers.join(","))
    });
    let rescind = event.rescind.as_ref().map(|of| format!(" {}", tail(&of.offer_id.value)));
    let update = event.update.as_ref().map(|of| format!(" {}", status(&of.status)));
    let subscribed = event.subscribed.as_ref().map(|of| format!(" {}", tail(&of.framework_id.value)));
    let error = event.error.as_ref().map(|of| format!(" {}", of.message));
    let message = event.message.as_ref().map(|of| format!(" {}", String::from_utf8_lossy(&of.data)));
    let failure = event.failure.as_ref().map(|of| {
        let id = of.executor_id.as_ref().map(|id| id.value.clone());
        let id = id.or_else(|| of.agent_id.as_ref().map(|id| tail(&id.value).to_owned()));
        format!(" {}", id.unwrap_or_default())
    });
    offers.or(rescind).or(update).or(subscribed).or(error).or(message).or(failure).unwrap_or_default()
}

/// The end of an id, by which those of one cluster differ.
pub fn tail(id: &str) -> &str {
    id.rsplit_once('-').map_or(id, |(_, tail)| tail)
}
