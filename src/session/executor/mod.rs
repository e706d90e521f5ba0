//! The executor's side of the v1 executor API, without IO.
//!
//! | state | agent known | stream opens | SUBSCRIBED | stream ends or is refused | timeout |
//! |---|---|---|---|---|---|
//! | Idle | Subscribing | - | - | - | - |
//! | Waiting | - | - | - | - | Subscribing, or the agent counts as lost |
//! | Subscribing | - | stays | Subscribed | Waiting | Waiting |
//! | Subscribed | - | - | - | Waiting | HEARTBEAT |
//!
//! An agent that is lost is a SHUTDOWN, as in `src/executor/executor.cpp`. Updates are kept until the agent
//! acknowledged them and tasks until one of their updates is, and both are told of when subscribing again.
//! May touch: bytes and time given to it. Follows `src/exec/exec.cpp`, whose callbacks these are, and
//! `src/executor/executor.cpp`, whose protocol this is, of Mesos.

mod io;
mod unacknowledged;
mod updates;

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use prost::Message;

use self::unacknowledged::Unacknowledged;
use self::updates::Updates;
use super::backoff::Backoff;
use super::subscription::{self, State, Subscriber, Subscription};
use super::{Endpoint, Notice, Session, Unanswered};
use crate::proto::v1;
use crate::wire::Post;
use crate::wire::duration::Period;
use crate::wire::executor::{self as wire, Call, Envelope, Event, EventType};
use crate::wire::views::{StatusView, TaskView, Wrapped};
use crate::{Error, Result};

pub use io::{Callback, Config, Output, Request};

/// An agent destroys an executor that did not register within a minute (`EXECUTOR_REGISTRATION_TIMEOUT`).
const REGISTRATION_TIMEOUT: Period = Period::from_secs(60);
/// Without checkpointing an agent that restarted knows us no more; a connection that merely broke can be made again.
const RECONNECT_TIMEOUT: Period = Period::from_secs(2);
/// The first window of the back-off.
const BACKOFF_FACTOR: Period = Period::from_millis(50);
/// `DEFAULT_EXECUTOR_HEARTBEAT_INTERVAL`.
const HEARTBEAT_INTERVAL: Period = Period::from_secs(30 * 60);
/// A driver that is stopped waits so long for the agent to have its last updates.
const STOP_TIMEOUT: Period = Period::from_secs(5);

/// Whether the executor still takes part.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Running,
    /// SHUTDOWN came: nothing more is delivered, updates are still sent.
    ShuttingDown,
    Aborted,
    /// The driver is stopped; its last updates have until then to be acknowledged.
    Stopping {
        until: Instant,
    },
    Stopped,
}

/// The state machine of one executor driver.
///
/// ```
/// use std::time::Instant;
///
/// use remesos::session::executor::{Config, ExecutorSession, Output};
/// use remesos::session::{Endpoint, Notice, Session};
/// use remesos::wire::duration::Period;
///
/// let mut session = ExecutorSession::new(Config {
///     framework_id: "framework".to_owned(),
///     executor_id: "executor".to_owned(),
///     agent_id: "agent".to_owned(),
///     recovery_timeout: None,
///     backoff_max: Period::from_secs(2),
///     shutdown_grace_period: Period::from_secs(5),
///     seed: 7,
/// });
/// let agent = Endpoint::new(false, "localhost", 5051);
/// session.handle_notice(Instant::now(), Notice::Detected(agent.clone().into()));
/// assert!(matches!(session.poll_output(), Some(Output::Subscribe(_, to, _)) if to == agent));
/// ```
#[derive(Debug)]
pub struct ExecutorSession {
    config: Config,
    /// The serialized `ExecutorID` and `FrameworkID`.
    ids: (Bytes, Bytes),
    /// At the time of `Subscribed` the agent is told that we live.
    subscription: Subscription,
    mode: Mode,
    agent: Option<Endpoint>,
    was_registered: bool,
    /// When the agent counts as lost, while it is not subscribed to.
    lost_at: Option<Instant>,
    tasks: Unacknowledged,
    updates: Updates,
    outputs: VecDeque<Output>,
    /// Whether events are delivered for which the classic API has no callback.
    delivers_all: bool,
}

/// What a driver fills in, appended to a serialized `TaskStatus`: in protobuf the last value of a field wins.
#[derive(Clone, PartialEq, prost::Message)]
struct Filled {
    #[prost(message, optional, tag = "5")]
    agent_id: Option<v1::AgentId>,
    #[prost(double, tag = "6")]
    timestamp: f64,
    #[prost(message, optional, tag = "7")]
    executor_id: Option<v1::ExecutorId>,
    #[prost(enumeration = "v1::task_status::Source", optional, tag = "9")]
    source: Option<i32>,
    #[prost(bytes = "bytes", tag = "11")]
    uuid: Bytes,
}

impl Session for ExecutorSession {
    type Request = Request;
    type Call = Envelope;
    type Callback = Callback;

    fn handle_notice(&mut self, now: Instant, notice: Notice<Envelope>) {
        match notice {
            Notice::Detected(agent) => self.on_agent(now, agent.current()),
            Notice::Stream(attempt, event) => self.on_stream(now, attempt, event),
            Notice::Answered { call, status, body } => self.on_answered(now, &call.call, status, &body),
            // Updates are kept until they are acknowledged, messages are best effort.
            Notice::Unsent { .. } | Notice::Inquiries(_) => {}
            Notice::Stop { .. } => self.on_stop(now),
            Notice::Abort => self.on_abort(),
            Notice::ReadingResumed => self.on_reading_resumed(now),
            Notice::Timeout => self.on_timeout(now),
        }
        if matches!(self.mode, Mode::Stopping { .. }) && self.updates.is_empty() {
            self.finish();
        }
    }

    fn handle_request(&mut self, _now: Instant, request: Request) {
        match request {
            Request::Update { status, timestamp, uuid } => self.on_update(status, timestamp, uuid),
            Request::Message(data) => self.transmit(Call::Message(wire::CallMessage { data })),
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let of_mode = if let Mode::Stopping { until } = self.mode { Some(until) } else { None };
        [self.subscription.poll_timeout(), of_mode, self.lost_at].into_iter().flatten().min()
    }

    /// The agent knows an update that it has by its uuid.
    fn unanswered(call: Envelope) -> Unanswered<Envelope> {
        match call.call {
            Call::Update(_) => Unanswered::Repeat(call),
            _ => Unanswered::GiveUp,
        }
    }
}

impl Subscriber for ExecutorSession {
    type Event = Event;
    const PEER: &'static str = "agent";

    fn subscription(&mut self) -> &mut Subscription {
        &mut self.subscription
    }

    fn decode(&self, record: Bytes) -> Result<Event> {
        subscription::decode(record)
    }

    fn on_heard(&mut self, _now: Instant) {}

    fn on_event(&mut self, now: Instant, event: Event) {
        self.handle_event(now, event);
    }

    fn on_redirected(&mut self, now: Instant, to: Endpoint) {
        self.on_closed(now, &format!("redirected to {to}, which agents do not do"));
    }

    fn on_refused(&mut self, now: Instant, status: u16, body: &str) {
        match status {
            // Recovering, or not yet listening on this path (`src/executor/executor.cpp`).
            404 | 500.. => self.on_closed(now, &format!("HTTP {status}: {body}")),
            // Without checkpointing an agent that restarted does not know us: as if it had not come back.
            _ if self.was_registered && self.config.recovery_timeout.is_none() => self.on_agent_lost(),
            _ => {
                self.leave_stream();
                let why = format!("Received unexpected '{status}' ({body}) for SUBSCRIBE");
                let error = if status == 401 { Error::authentication(why) } else { Error::refused(why) };
                self.deliver(Callback::Error(error));
            }
        }
    }

    fn on_closed(&mut self, now: Instant, reason: &str) {
        let (agent, agent_id) = (self.agent.as_ref().map(ToString::to_string), &self.config.agent_id);
        let delay = self.subscription.next_delay();
        let seconds = delay.as_secs_f64();
        tracing::warn!(
            "Not connected to agent {agent_id} at {}: {reason}; trying again in {seconds:.1} s",
            agent.unwrap_or_default()
        );
        self.leave_stream();
        let patience = self.config.recovery_timeout.unwrap_or(RECONNECT_TIMEOUT);
        let lost_at = *self.lost_at.get_or_insert(now + patience);
        let over = matches!(self.mode, Mode::Aborted | Mode::Stopped)
            || (self.mode == Mode::ShuttingDown && self.updates.is_empty());
        if !over {
            self.subscription.wait((now + delay).min(lost_at));
        }
    }

    /// The agent is told that the executor lives.
    fn on_quiet(&mut self, now: Instant) {
        self.subscription.extend(now + HEARTBEAT_INTERVAL);
        self.transmit(Call::Heartbeat);
    }

    fn subscribe(&mut self, now: Instant) {
        let Some(agent) = self.agent.clone() else {
            return;
        };
        let attempt = self.subscription.begin(now);
        let subscribe = wire::Subscribe {
            unacknowledged_tasks: self.tasks.messages().collect(),
            unacknowledged_updates: self.updates.tell_all().into_iter().map(|inner| Wrapped { inner }).collect(),
        };
        let subscribe = self.envelope(Call::Subscribe(subscribe));
        self.outputs.push_back(Output::Subscribe(attempt, agent, subscribe.to_bytes()));
    }
}

impl ExecutorSession {
    /// A session that knows no agent yet.
    pub fn new(config: Config) -> Self {
        // The ids of executors and frameworks look alike.
        let id = |value: &str| v1::ExecutorId { value: value.to_owned() }.encode_to_vec().into();
        Self {
            ids: (id(&config.executor_id), id(&config.framework_id)),
            subscription: Subscription::new(Backoff::new(BACKOFF_FACTOR, config.backoff_max * 10, config.seed)),
            mode: Mode::Running,
            agent: None,
            was_registered: false,
            lost_at: None,
            tasks: Unacknowledged::default(),
            updates: Updates::default(),
            outputs: VecDeque::new(),
            delivers_all: false,
            config,
        }
    }

    /// Has acknowledgements delivered, and the tasks of a group together.
    pub fn deliver_all(&mut self) {
        self.delivers_all = true;
    }

    fn on_agent(&mut self, now: Instant, agent: Option<&Endpoint>) {
        if self.agent.is_none() && agent.is_some() {
            self.agent = agent.cloned();
            self.lost_at = Some(now + self.config.recovery_timeout.unwrap_or(REGISTRATION_TIMEOUT));
            self.subscribe(now);
        }
    }

    fn handle_event(&mut self, now: Instant, event: Event) {
        tracing::debug!("Received {}", event.kind().as_str_name());
        match event.kind() {
            EventType::Subscribed => self.on_subscribed(now, event.subscribed.unwrap_or_default()),
            EventType::Launch => self.on_launch(event.launch.unwrap_or_default().inner),
            EventType::LaunchGroup => {
                self.on_launch_group(event.launch_group.and_then(|g| g.task_group).unwrap_or_default().tasks);
            }
            EventType::Kill => {
                let kill = event.kill.unwrap_or_default();
                self.deliver(Callback::KillTask { task_id: kill.task_id, kill_policy: kill.kill_policy });
            }
            EventType::Acknowledged => {
                let acknowledged = event.acknowledged.unwrap_or_default();
                self.updates.remove(&acknowledged.uuid);
                self.tell_next_update();
                self.tasks.remove(&acknowledged.task_id);
                if self.delivers_all {
                    self.deliver(Callback::Acknowledged(acknowledged));
                }
            }
            EventType::Message => self.deliver(Callback::FrameworkMessage(event.message.unwrap_or_default().data)),
            EventType::Shutdown => self.shut_down(),
            EventType::Error => self.deliver(Callback::Error(Error::refused(event.error.unwrap_or_default().message))),
            EventType::Heartbeat | EventType::Unknown => {}
        }
    }

    fn on_subscribed(&mut self, now: Instant, subscribed: wire::Subscribed) {
        self.subscription.subscribed(now + HEARTBEAT_INTERVAL);
        self.lost_at = None;
        // What was reported while SUBSCRIBE was on its way comes after what that told of.
        self.tell_next_update();
        if std::mem::replace(&mut self.was_registered, true) {
            tracing::info!("Executor reregistered on agent {}", self.config.agent_id);
            self.deliver(Callback::Reregistered(subscribed));
        } else {
            tracing::info!("Executor registered on agent {}", self.config.agent_id);
            self.deliver(Callback::Registered(subscribed));
        }
    }

    fn on_launch(&mut self, task: Bytes) {
        if self.note_task(&task) {
            self.deliver(Callback::LaunchTask(task));
        }
    }

    /// The classic API launches the tasks of a group one by one.
    fn on_launch_group(&mut self, mut tasks: Vec<Bytes>) {
        if self.delivers_all {
            tasks.retain(|task| self.note_task(task));
            self.deliver(Callback::LaunchGroup(tasks));
        } else {
            tasks.into_iter().for_each(|task| self.on_launch(task));
        }
    }

    /// Notes a task until one of its updates is acknowledged; false if none is to be launched.
    fn note_task(&mut self, task: &Bytes) -> bool {
        let view = TaskView::decode(task.clone()).ok().filter(|_| self.mode == Mode::Running);
        let is_launched = view.is_some();
        if let Some(view) = view {
            self.tasks.insert(view.task_id, task.clone());
        }
        is_launched
    }

    /// Follows `ExecutorProcess::sendStatusUpdate`; what an agent adds for libmesos' executors is added here.
    fn on_update(&mut self, status: Bytes, timestamp: f64, uuid: Bytes) {
        let state = StatusView::read(&status).unwrap_or_default().state();
        if state == v1::TaskState::TaskStaging {
            let why = "Attempted to send TASK_STAGING status update";
            return self.deliver(Callback::Error(Error::invalid(why)));
        }
        let filled = Filled {
            agent_id: Some(v1::AgentId { value: self.config.agent_id.clone() }),
            timestamp,
            executor_id: Some(v1::ExecutorId { value: self.config.executor_id.clone() }),
            source: Some(v1::task_status::Source::Executor.into()),
            uuid: uuid.clone(),
        };
        let status = Bytes::from([status.as_ref(), &filled.encode_to_vec()].concat());
        self.updates.insert(uuid, status);
        self.tell_next_update();
    }

    fn tell_next_update(&mut self) {
        if self.subscription.is_subscribed()
            && let Some(inner) = self.updates.tell()
        {
            self.transmit(Call::Update(Wrapped { inner }));
        }
    }

    fn on_answered(&mut self, now: Instant, call: &Call, status: u16, body: &str) {
        let uuid = match call {
            Call::Update(update) => StatusView::read(&update.inner).unwrap_or_default().uuid,
            _ => None,
        };
        if !(200..300).contains(&status) {
            tracing::warn!("The agent refused {}: HTTP {status}: {body}", call.kind().as_str_name());
        }
        match (status, uuid) {
            (200..300, Some(uuid)) => self.updates.answered(uuid),
            // It takes us for not subscribed.
            (403, _) => self.on_closed(now, body),
            // Sent again it would be refused again.
            (400..=499, Some(uuid)) => self.updates.remove(uuid),
            _ => {}
        }
        self.tell_next_update();
    }

    /// Nothing could be read, nor done, until now: what is waited for gets another chance.
    fn on_reading_resumed(&mut self, now: Instant) {
        self.subscription.reading_resumed(now);
        if let Mode::Stopping { until } = &mut self.mode {
            *until = now + STOP_TIMEOUT;
        }
        if let Some(lost_at) = &mut self.lost_at {
            *lost_at = (*lost_at).max(now + RECONNECT_TIMEOUT);
        }
    }

    fn on_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|until| now < until) {
            return;
        }
        if matches!(self.mode, Mode::Stopping { until } if until <= now) {
            tracing::warn!("Stopping with updates that agent {} did not acknowledge", self.config.agent_id);
            return self.finish();
        }
        if self.lost_at.is_some_and(|lost_at| lost_at <= now) && !self.subscription.is_subscribed() {
            return self.on_agent_lost();
        }
        self.on_due(now);
    }

    /// The agent did not come back: the executor is to end, as if the agent had said so.
    fn on_agent_lost(&mut self) {
        tracing::warn!("Agent {} did not come back; shutting down", self.config.agent_id);
        self.leave_stream();
        self.lost_at = None;
        self.shut_down();
    }

    fn shut_down(&mut self) {
        if self.mode == Mode::Running {
            tracing::info!("Executor asked to shut down");
            self.outputs.push_back(Output::EndWithin(self.config.shutdown_grace_period.get()));
            self.deliver(Callback::Shutdown);
            self.mode = Mode::ShuttingDown;
        }
    }

    fn on_stop(&mut self, now: Instant) {
        match self.mode {
            // The agent ends us, and does not always acknowledge any more.
            Mode::ShuttingDown | Mode::Aborted => self.finish(),
            Mode::Running => self.mode = Mode::Stopping { until: now + STOP_TIMEOUT },
            Mode::Stopping { .. } | Mode::Stopped => {}
        }
        if self.subscription.state() == State::Idle {
            self.finish();
        }
    }

    fn on_abort(&mut self) {
        if matches!(self.mode, Mode::Running | Mode::ShuttingDown) {
            self.mode = Mode::Aborted;
        }
    }

    fn finish(&mut self) {
        if self.mode != Mode::Stopped {
            self.mode = Mode::Stopped;
            self.outputs.push_back(Output::Finished { linger: false });
        }
    }

    fn leave_stream(&mut self) {
        let was_subscribed = self.subscription.leave();
        self.outputs.push_back(Output::Disconnect);
        if was_subscribed {
            self.deliver(Callback::Disconnected);
        }
    }

    fn envelope(&self, call: Call) -> Envelope {
        let (executor_id, framework_id) = self.ids.clone();
        Envelope { executor_id, framework_id, call }
    }

    fn transmit(&mut self, call: Call) {
        if self.subscription.is_subscribed() {
            let envelope = self.envelope(call);
            self.outputs.push_back(Output::Transmit(envelope));
        } else {
            tracing::debug!("Not sending {}: not connected to the agent", call.kind().as_str_name());
        }
    }

    fn deliver(&mut self, callback: Callback) {
        if self.mode == Mode::Running {
            self.outputs.push_back(Output::Deliver(callback));
        }
    }
}
