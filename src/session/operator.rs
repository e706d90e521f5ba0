//! An operator's subscription to the events of the leading master, without IO.
//!
//! | state | master detected | stream opens | SUBSCRIBED | stream ends or is refused | timeout |
//! |---|---|---|---|---|---|
//! | Idle | Subscribing | - | - | - | - |
//! | Waiting | Subscribing | - | - | - | Subscribing |
//! | Subscribing | Subscribing anew | stays | Subscribed | Waiting | Waiting |
//! | Subscribed | Subscribing anew | - | - | Waiting | Waiting |
//!
//! Nothing that happened while it was not subscribed is told later: the SUBSCRIBED that comes first holds the state.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::backoff::Backoff;
use super::subscription::{HEARTBEATS_MISSED, Subscriber, Subscription, refused_authentication};
use super::{Candidates, Endpoint, Notice, Session, Unanswered};
use crate::wire::Post;
use crate::wire::duration::Period;
use crate::wire::operator::{Event, Format};
use crate::{Error, Result};

/// Until SUBSCRIBED says otherwise (`DEFAULT_HEARTBEAT_INTERVAL` in `src/master/constants.hpp`).
const HEARTBEAT_INTERVAL: Period = Period::from_secs(15);
/// No master is asked less often than so many seconds, but for chance.
const BACKOFF_MAX: Period = Period::from_secs(15);
const BACKOFF_FACTOR: Period = Period::from_secs(1);

/// The configuration of an operator's session. See [`OperatorSession`] for an example.
#[derive(Debug, Clone)]
pub struct Config {
    /// How events are written.
    pub format: Format,
    /// The SUBSCRIBE, in that format.
    pub subscribe: Bytes,
    /// Who authenticates, for messages to people, such as `principal 'alice'`.
    pub identity: Option<String>,
    /// The seed of the random delays.
    pub seed: u64,
}

/// A callback of an operator's session.
///
/// ```
/// use remesos::Error;
/// use remesos::session::Callback as _;
/// use remesos::session::operator::Callback;
///
/// assert!(Callback::of_error(Error::refused("no")).error().is_some_and(Error::is_refused));
/// assert!(Callback::Event(b"{}".as_slice().into()).error().is_none());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Callback {
    /// An event, in the format that was asked for.
    Event(Bytes),
    /// The stream ended; another is tried.
    Disconnected,
    /// The driver is aborted.
    Error(Error),
}

impl super::Callback for Callback {
    type Request = Infallible;

    fn of_error(error: Error) -> Self {
        Self::Error(error)
    }

    fn error(&self) -> Option<&Error> {
        if let Self::Error(error) = self { Some(error) } else { None }
    }

    fn when_returned(self) -> Option<Infallible> {
        None
    }

    fn size(&self) -> usize {
        const OVERHEAD: usize = 128;
        if let Self::Event(bytes) = self { bytes.len().saturating_add(OVERHEAD) } else { OVERHEAD }
    }
}

/// An operator subscribes, and makes no call on its subscription.
///
/// ```
/// use remesos::session::operator::NoCall;
///
/// let calls: Vec<NoCall> = Vec::new();
/// assert!(calls.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum NoCall {}

impl Post for NoCall {
    fn name(&self) -> &'static str {
        match *self {}
    }

    fn encoded_len(&self) -> usize {
        match *self {}
    }

    fn encode(&self, _: &mut BytesMut) {
        match *self {}
    }
}

/// An instruction from an operator's session. See [`super::Output`] for an example.
pub type Output = super::Output<NoCall, Callback>;

/// The state machine of one subscription.
///
/// ```
/// use std::time::Instant;
///
/// use remesos::session::operator::{Config, OperatorSession, Output};
/// use remesos::session::{Endpoint, Notice, Session};
/// use remesos::wire::operator::Format;
///
/// let subscribe = br#"{"type":"SUBSCRIBE"}"#.as_slice().into();
/// let mut session = OperatorSession::new(Config { format: Format::Json, subscribe, identity: None, seed: 7 });
/// let master = Endpoint::new(false, "localhost", 5050);
/// session.handle_notice(Instant::now(), Notice::Detected(master.clone().into()));
/// assert_eq!(session.poll_output(), Some(Output::Disconnect));
/// assert!(matches!(session.poll_output(), Some(Output::Subscribe(_, to, _)) if to == master));
/// ```
#[derive(Debug)]
pub struct OperatorSession {
    config: Config,
    subscription: Subscription,
    /// Whether it was neither stopped nor aborted.
    runs: bool,
    masters: Candidates,
    heartbeat: Period,
    outputs: VecDeque<Output>,
}

impl Session for OperatorSession {
    type Request = Infallible;
    type Call = NoCall;
    type Callback = Callback;

    fn handle_notice(&mut self, now: Instant, notice: Notice<NoCall>) {
        match notice {
            Notice::Detected(masters) => self.on_detected(now, masters),
            Notice::Stream(attempt, event) => self.on_stream(now, attempt, event),
            Notice::Answered { .. } | Notice::Unsent { .. } | Notice::Inquiries(_) => {}
            Notice::Stop { .. } => {
                self.end();
                self.outputs.push_back(Output::Finished { linger: false });
            }
            Notice::Abort => self.end(),
            Notice::ReadingResumed => {
                self.on_heard(now);
                self.subscription.reading_resumed(now);
            }
            Notice::Timeout => self.on_timeout(now),
        }
    }

    fn handle_request(&mut self, _: Instant, request: Infallible) {
        match request {}
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.subscription.poll_timeout()
    }

    fn unanswered(call: NoCall) -> Unanswered<NoCall> {
        match call {}
    }
}

impl Subscriber for OperatorSession {
    type Event = Event;
    const PEER: &'static str = "master";

    fn subscription(&mut self) -> &mut Subscription {
        &mut self.subscription
    }

    fn decode(&self, record: Bytes) -> Result<Event> {
        Event::read(self.config.format, record)
    }

    fn on_heard(&mut self, now: Instant) {
        self.subscription.extend(now + self.heartbeat * HEARTBEATS_MISSED);
    }

    fn on_event(&mut self, now: Instant, event: Event) {
        if event.is_subscribed {
            let told = event.heartbeat_seconds.and_then(Period::from_seconds);
            self.heartbeat = told.filter(|told| !told.is_zero()).unwrap_or(HEARTBEAT_INTERVAL);
            self.masters.subscribed();
            self.subscription.subscribed(now + self.heartbeat * HEARTBEATS_MISSED);
            tracing::info!("Subscribed to the events of {}", self.master());
        }
        self.deliver(Callback::Event(event.bytes));
    }

    fn on_redirected(&mut self, now: Instant, to: Endpoint) {
        if let Err(reason) = self.masters.redirected(to.clone()) {
            return self.on_closed(now, &reason);
        }
        tracing::info!("Redirected to the leading master at {to}");
        self.subscribe(now);
    }

    fn on_refused(&mut self, now: Instant, status: u16, body: &str) {
        match status {
            401 => self.fail(refused_authentication(self.config.identity.as_deref())),
            501 => self.fail(Error::refused(body)),
            // Recovering, no leader elected, or not yet listening on this path.
            404 | 500.. => self.on_closed(now, &format!("HTTP {status}: {body}")),
            _ => self.fail(Error::refused(format!("Received unexpected '{status}' ({body}) for SUBSCRIBE"))),
        }
    }

    fn on_unauthorized(&mut self, now: Instant) {
        tracing::info!("The master answered SUBSCRIBE with 401; trying again with another authorization");
        self.subscribe(now);
    }

    fn on_denied(&mut self, _: Instant, error: Error) {
        self.fail(error);
    }

    fn on_closed(&mut self, now: Instant, reason: &str) {
        let master = self.master();
        let at_once = self.masters.give_up(self.subscription.is_subscribed());
        let next = self.masters.who_is_next();
        self.leave_stream();
        if !self.runs {
            return;
        }
        if at_once {
            tracing::warn!("Not subscribed to the events of {master}: {reason}; trying {next}");
            return self.subscribe(now);
        }
        let delay = self.subscription.next_delay();
        let seconds = delay.as_secs_f64();
        tracing::warn!("Not subscribed to the events of {master}: {reason}; trying {next} in {seconds:.1} s");
        self.subscription.wait(now + delay);
    }

    fn subscribe(&mut self, now: Instant) {
        let Some(master) = self.masters.current().cloned().filter(|_| self.runs) else {
            self.subscription.leave();
            return;
        };
        let attempt = self.subscription.begin(now);
        self.outputs.push_back(Output::Subscribe(attempt, master, self.config.subscribe.clone()));
    }
}

impl OperatorSession {
    /// A session that knows no master yet.
    pub fn new(config: Config) -> Self {
        Self {
            subscription: Subscription::new(Backoff::new(BACKOFF_FACTOR, BACKOFF_MAX * 10, config.seed)),
            runs: true,
            masters: Candidates::default(),
            heartbeat: HEARTBEAT_INTERVAL,
            outputs: VecDeque::new(),
            config,
        }
    }

    fn on_detected(&mut self, now: Instant, masters: Candidates) {
        if !self.runs || (!masters.is_empty() && masters.are(&self.masters)) {
            return;
        }
        if masters.is_empty() {
            tracing::info!("No leading master is known; waiting for one");
        }
        self.leave_stream();
        self.masters = masters;
        self.subscription.reset_backoff();
        self.subscribe(now);
    }

    fn on_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|until| now < until) {
            return;
        }
        self.on_due(now);
    }

    fn leave_stream(&mut self) {
        let was_subscribed = self.subscription.leave();
        self.outputs.push_back(Output::Disconnect);
        if was_subscribed {
            self.deliver(Callback::Disconnected);
        }
    }

    fn fail(&mut self, error: Error) {
        self.leave_stream();
        self.deliver(Callback::Error(error));
    }

    /// Nothing is delivered any more.
    fn end(&mut self) {
        self.runs = false;
        self.leave_stream();
    }

    fn deliver(&mut self, callback: Callback) {
        if self.runs {
            self.outputs.push_back(Output::Deliver(callback));
        }
    }

    fn master(&self) -> String {
        self.masters.current().map_or_else(|| "the master".to_owned(), |master| format!("the master at {master}"))
    }
}
