//! The executor's side of the v1 executor API, without IO.
//!
//! | state | agent known | stream opens | SUBSCRIBED | stream ends or is refused | timeout |
//! |---|---|---|---|---|---|
//! | Idle | Subscribing | - | - | - | - |
//! | Waiting | - | - | - | - | Subscribing, or the agent is given up |
//! | Subscribing | - | stays | Subscribed | Waiting | Waiting |
//! | Subscribed | - | - | - | Waiting | HEARTBEAT |
//!
//! An agent that is given up is a SHUTDOWN, as in `src/executor/executor.cpp`. Updates are kept until the agent
//! acknowledged them and tasks until one of their updates is, and both are told of when subscribing again.
//! May touch: bytes and time given to it. Follows `src/exec/exec.cpp`, whose callbacks these are, and
//! `src/executor/executor.cpp`, whose protocol this is, of Mesos.

mod io;
mod unacknowledged;
mod updates;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;

use self::unacknowledged::Unacknowledged;
use self::updates::Updates;
use super::backoff::Backoff;
use super::{Endpoint, Session, Unanswered};
use crate::proto::v1;
use crate::wire::duration::Period;
use crate::wire::envelope::{TaskKeys, Wrapped};
use crate::wire::executor::{self as wire, Call, CallType, Event, EventType};
use crate::wire::recordio::Decoder;

pub use io::{Config, Delivery, Input, Output, StreamEvent};

/// SUBSCRIBE has to be answered within this, connecting included.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(15);
/// An agent destroys an executor that did not register within a minute (`EXECUTOR_REGISTRATION_TIMEOUT`).
const REGISTRATION_TIMEOUT: Period = Period::from_secs(60);
/// Without checkpointing an agent that restarted knows us no more; a connection that merely broke can be made again.
const RECONNECT_TIMEOUT: Period = Period::from_secs(2);
/// The first window of the back-off.
const BACKOFF_FACTOR: Period = Period::from_millis(50);
/// `DEFAULT_EXECUTOR_HEARTBEAT_INTERVAL`.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(30 * 60);
/// A driver that is stopped waits so long for the agent to have its last updates.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the session stands towards the agent.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Nothing is tried: not started, or given up.
    Idle,
    /// The last attempt failed; the next is due then.
    Waiting { until: Instant },
    /// SUBSCRIBE is on its way; it has to be answered by then.
    Subscribing { until: Instant },
    /// SUBSCRIBED came; the agent is told that we live by then.
    Subscribed { heartbeat: Instant },
}

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
#[derive(Debug)]
pub struct ExecutorSession {
    config: Config,
    state: State,
    mode: Mode,
    agent: Option<Endpoint>,
    attempt: u64,
    was_registered: bool,
    /// When the agent is given up, while it is not subscribed to.
    given_up: Option<Instant>,
    tasks: Unacknowledged,
    updates: Updates,
    backoff: Backoff,
    random: fastrand::Rng,
    decoder: Decoder,
    outputs: VecDeque<Output>,
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

/// What of a `TaskStatus` the driver looks at.
#[derive(Clone, PartialEq, prost::Message)]
struct StatusState {
    #[prost(enumeration = "v1::TaskState", tag = "2")]
    state: i32,
}

/// What of a `TaskStatus` names an update.
#[derive(Clone, PartialEq, prost::Message)]
struct StatusUuid {
    #[prost(bytes = "bytes", tag = "11")]
    uuid: Bytes,
}

impl Session for ExecutorSession {
    type Input = Input;
    type Call = Call;
    type Delivery = Delivery;

    fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Agent(agent) => self.on_agent(now, agent),
            Input::Stream(attempt, event) if attempt == self.attempt => self.on_stream(now, event),
            Input::Stream(..) | Input::Nothing => {}
            Input::Update { status, timestamp } => self.on_update(status, timestamp),
            Input::Message(data) => self.on_message(data),
            Input::Answered { call, status, body } => self.on_answered(now, &call, status, &body),
            Input::Stop => self.on_stop(now),
            Input::Abort => self.on_abort(),
            Input::Held => self.on_held(now),
            Input::Timeout => self.on_timeout(now),
        }
        if matches!(self.mode, Mode::Stopping { .. }) && self.updates.is_empty() {
            self.finish();
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let of_state = match self.state {
            State::Idle => None,
            State::Waiting { until } | State::Subscribing { until } => Some(until),
            State::Subscribed { heartbeat } => Some(heartbeat),
        };
        let of_mode = if let Mode::Stopping { until } = self.mode { Some(until) } else { None };
        [of_state, of_mode, self.given_up].into_iter().flatten().min()
    }

    /// The agent knows an update that it has by its uuid.
    fn unanswered(call: Box<Call>) -> Unanswered<Call> {
        match call.kind() {
            CallType::Update => Unanswered::Repeat(call),
            _ => Unanswered::GiveUp,
        }
    }

    fn error(message: String) -> Delivery {
        Delivery::Error(message)
    }

    fn size(delivery: &Delivery) -> usize {
        delivery.size()
    }
}

impl ExecutorSession {
    /// A session that knows no agent yet.
    pub fn new(config: Config) -> Self {
        let backoff = Backoff::new(BACKOFF_FACTOR, config.backoff_max * 10, config.seed);
        Self {
            state: State::Idle,
            mode: Mode::Running,
            agent: None,
            attempt: 0,
            was_registered: false,
            given_up: None,
            tasks: Unacknowledged::default(),
            updates: Updates::default(),
            backoff,
            random: fastrand::Rng::with_seed(config.seed),
            decoder: Decoder::default(),
            outputs: VecDeque::new(),
            config,
        }
    }

    fn is_subscribed(&self) -> bool {
        matches!(self.state, State::Subscribed { .. })
    }

    fn on_agent(&mut self, now: Instant, agent: Option<Endpoint>) {
        if self.agent.is_none() && agent.is_some() {
            self.agent = agent;
            self.given_up = Some(now + self.config.recovery_timeout.unwrap_or(REGISTRATION_TIMEOUT));
            self.subscribe(now);
        }
    }

    fn on_stream(&mut self, now: Instant, event: StreamEvent) {
        match event {
            StreamEvent::Connected => {}
            StreamEvent::Opened => tracing::debug!("The agent opened the stream of events"),
            StreamEvent::Data(bytes) => self.on_data(now, &bytes),
            StreamEvent::Redirected(to) => self.on_closed(now, &format!("redirected to {to}, which agents do not do")),
            // Recovering, or not yet listening on this path (`src/executor/executor.cpp`).
            StreamEvent::Refused(status @ (404 | 500..), body) => {
                self.on_closed(now, &format!("HTTP {status}: {body}"));
            }
            // Without checkpointing an agent that restarted does not know us: as if it had not come back.
            StreamEvent::Refused(..) if self.was_registered && self.config.recovery_timeout.is_none() => {
                self.give_up();
            }
            StreamEvent::Refused(status, body) => {
                self.leave_stream();
                self.deliver(Delivery::Error(format!("Received unexpected '{status}' ({body}) for SUBSCRIBE")));
            }
            StreamEvent::Closed(reason) => self.on_closed(now, &reason),
        }
    }

    fn on_data(&mut self, now: Instant, bytes: &[u8]) {
        self.decoder.feed(bytes);
        loop {
            match self.decoder.next_record().map(|r| r.map(Event::decode)) {
                Ok(None) => return,
                Ok(Some(Ok(event))) => self.on_event(now, event),
                Ok(Some(Err(error))) => {
                    return self.on_closed(now, &format!("the event is no v1 event: {error}"));
                }
                Err(error) => return self.on_closed(now, &error.to_string()),
            }
        }
    }

    fn on_event(&mut self, now: Instant, event: Event) {
        tracing::debug!("Received {}", event.kind().as_str_name());
        match event.kind() {
            EventType::Subscribed => self.on_subscribed(now, event.subscribed.unwrap_or_default()),
            EventType::Launch => self.on_launch(event.launch.unwrap_or_default().inner),
            EventType::LaunchGroup => {
                let group = event.launch_group.and_then(|g| g.task_group).unwrap_or_default();
                group.tasks.into_iter().for_each(|task| self.on_launch(task));
            }
            EventType::Kill => {
                let kill = event.kill.unwrap_or_default();
                self.deliver(Delivery::KillTask { task_id: kill.task_id, kill_policy: kill.kill_policy });
            }
            EventType::Acknowledged => {
                let acknowledged = event.acknowledged.unwrap_or_default();
                self.updates.remove(&acknowledged.uuid);
                self.tell_next_update();
                self.tasks.remove(&acknowledged.task_id);
            }
            EventType::Message => self.deliver(Delivery::FrameworkMessage(event.message.unwrap_or_default().data)),
            EventType::Shutdown => self.shut_down(),
            EventType::Error => self.deliver(Delivery::Error(event.error.unwrap_or_default().message)),
            EventType::Heartbeat | EventType::Unknown => {}
        }
    }

    fn on_subscribed(&mut self, now: Instant, subscribed: wire::Subscribed) {
        self.state = State::Subscribed { heartbeat: now + HEARTBEAT_INTERVAL };
        self.given_up = None;
        self.backoff.reset();
        // What was reported while SUBSCRIBE was on its way comes after what that told of.
        self.tell_next_update();
        let slave_info = subscribed.agent_info;
        if std::mem::replace(&mut self.was_registered, true) {
            tracing::info!("Executor reregistered on agent {}", self.config.slave_id);
            self.deliver(Delivery::Reregistered { slave_info });
        } else {
            tracing::info!("Executor registered on agent {}", self.config.slave_id);
            let (executor_info, framework_info) = (subscribed.executor_info, subscribed.framework_info);
            self.deliver(Delivery::Registered { executor_info, framework_info, slave_info });
        }
    }

    fn on_launch(&mut self, task: Bytes) {
        if self.mode == Mode::Running
            && let Ok(keys) = TaskKeys::decode(task.clone())
        {
            self.tasks.insert(keys.task_id, task.clone());
            self.deliver(Delivery::LaunchTask(task));
        }
    }

    /// Follows `ExecutorProcess::sendStatusUpdate`; what an agent adds for libmesos' executors is added here.
    fn on_update(&mut self, status: Bytes, timestamp: f64) {
        let state = StatusState::decode(status.clone()).unwrap_or_default().state();
        if state == v1::TaskState::TaskStaging {
            return self.deliver(Delivery::Error("Attempted to send TASK_STAGING status update".to_owned()));
        }
        let uuid = uuid::Builder::from_random_bytes(self.random.u128(..).to_le_bytes()).into_uuid();
        let uuid = Bytes::copy_from_slice(uuid.as_bytes());
        let filled = Filled {
            agent_id: Some(v1::AgentId { value: self.config.slave_id.clone() }),
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
        if self.is_subscribed()
            && let Some(inner) = self.updates.tell()
        {
            let update = Some(Wrapped { inner });
            self.transmit(Call { kind: CallType::Update.into(), update, ..Call::default() });
        }
    }

    fn on_message(&mut self, data: Bytes) {
        let message = Some(wire::CallMessage { data });
        self.transmit(Call { kind: CallType::Message.into(), message, ..Call::default() });
    }

    fn on_answered(&mut self, now: Instant, call: &Call, status: u16, body: &str) {
        let uuid = call.update.as_ref().map(|update| StatusUuid::decode(update.inner.clone()).unwrap_or_default().uuid);
        if !(200..300).contains(&status) {
            tracing::warn!("The agent refused {}: HTTP {status}: {body}", call.kind().as_str_name());
        }
        match (status, uuid) {
            (200..300, Some(uuid)) => self.updates.answered(&uuid),
            // It takes us for not subscribed.
            (403, _) => self.on_closed(now, body),
            // Sent again it would be refused again.
            (400..=499, Some(uuid)) => self.updates.remove(&uuid),
            _ => {}
        }
        self.tell_next_update();
    }

    fn on_closed(&mut self, now: Instant, reason: &str) {
        let (agent, slave_id) = (self.agent.as_ref().map(ToString::to_string), &self.config.slave_id);
        let delay = self.backoff.next_delay();
        let seconds = delay.as_secs_f64();
        tracing::warn!(
            "Not connected to agent {slave_id} at {}: {reason}; trying again in {seconds:.1} s",
            agent.unwrap_or_default()
        );
        self.leave_stream();
        let patience = self.config.recovery_timeout.unwrap_or(RECONNECT_TIMEOUT);
        let given_up = *self.given_up.get_or_insert(now + patience);
        let over = matches!(self.mode, Mode::Aborted | Mode::Stopped)
            || (self.mode == Mode::ShuttingDown && self.updates.is_empty());
        if !over {
            self.state = State::Waiting { until: (now + delay).min(given_up) };
        }
    }

    /// Nothing could be read, nor done, until now: what is waited for gets another chance.
    fn on_held(&mut self, now: Instant) {
        if let State::Subscribing { until } = &mut self.state {
            *until = now + SUBSCRIBE_TIMEOUT;
        }
        if let Mode::Stopping { until } = &mut self.mode {
            *until = now + STOP_TIMEOUT;
        }
        if let Some(given_up) = &mut self.given_up {
            *given_up = (*given_up).max(now + RECONNECT_TIMEOUT);
        }
    }

    fn on_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|until| now < until) {
            return;
        }
        if matches!(self.mode, Mode::Stopping { until } if until <= now) {
            tracing::warn!("Stopping with updates that agent {} did not acknowledge", self.config.slave_id);
            return self.finish();
        }
        if self.given_up.is_some_and(|until| until <= now) && !self.is_subscribed() {
            return self.give_up();
        }
        match self.state {
            State::Idle => {}
            State::Waiting { .. } => self.subscribe(now),
            State::Subscribing { .. } => self.on_closed(now, "no answer to SUBSCRIBE"),
            State::Subscribed { .. } => {
                self.state = State::Subscribed { heartbeat: now + HEARTBEAT_INTERVAL };
                self.transmit(Call { kind: CallType::Heartbeat.into(), ..Call::default() });
            }
        }
    }

    /// The agent did not come back: the executor is to end, as if the agent had said so.
    fn give_up(&mut self) {
        tracing::warn!("Agent {} did not come back; shutting down", self.config.slave_id);
        self.leave_stream();
        self.given_up = None;
        self.shut_down();
    }

    fn shut_down(&mut self) {
        if self.mode == Mode::Running {
            tracing::info!("Executor asked to shut down");
            self.outputs.push_back(Output::EndWithin(self.config.shutdown_grace_period.get()));
            self.deliver(Delivery::Shutdown);
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
        if self.state == State::Idle {
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

    fn subscribe(&mut self, now: Instant) {
        let Some(agent) = self.agent.clone() else {
            return;
        };
        self.attempt += 1;
        self.decoder = Decoder::default();
        self.state = State::Subscribing { until: now + SUBSCRIBE_TIMEOUT };
        let subscribe = wire::Subscribe {
            unacknowledged_tasks: self.tasks.messages().collect(),
            unacknowledged_updates: self.updates.tell_all().into_iter().map(|inner| Wrapped { inner }).collect(),
        };
        let call = Call { kind: CallType::Subscribe.into(), subscribe: Some(subscribe), ..Call::default() };
        let call = self.signed(call).encode_to_vec().into();
        self.outputs.push_back(Output::Subscribe(self.attempt, agent, call));
    }

    fn leave_stream(&mut self) {
        let was_subscribed = self.is_subscribed();
        self.state = State::Idle;
        self.attempt += 1;
        self.outputs.push_back(Output::Disconnect);
        if was_subscribed {
            self.deliver(Delivery::Disconnected);
        }
    }

    fn signed(&self, call: Call) -> Call {
        let id = |value: &str| v1::ExecutorId { value: value.to_owned() }.encode_to_vec().into();
        // The ids of executors and frameworks look alike.
        Call { executor_id: id(&self.config.executor_id), framework_id: id(&self.config.framework_id), ..call }
    }

    fn transmit(&mut self, call: Call) {
        if self.is_subscribed() {
            self.outputs.push_back(Output::Transmit(Box::new(self.signed(call))));
        } else {
            tracing::debug!("Not sending {}: not connected to the agent", call.kind().as_str_name());
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        if self.mode == Mode::Running {
            self.outputs.push_back(Output::Deliver(delivery));
        }
    }
}
