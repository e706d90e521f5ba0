//! The scheduler's side of the v1 scheduler API, without IO.
//!
//! | state | Detected | stream opens | SUBSCRIBED | stream ends or is refused | timeout | framework's call |
//! |---|---|---|---|---|---|---|
//! | Idle | Subscribing | - | - | - | - | answered here |
//! | Waiting | Subscribing | - | - | - | Subscribing | answered here |
//! | Subscribing | Subscribing anew | stays | Subscribed | Waiting | Waiting | answered here |
//! | Subscribed | Subscribing anew | - | - | Waiting | Waiting (heartbeats missed) | sent |
//!
//! `Detected(None)` leads to Idle from anywhere. "Answered here" is what `src/sched/sched.cpp` does for a driver that is
//! not connected: launches are reported lost, suppressed roles remembered, the rest dropped.
//! May touch: bytes and time given to it. Follows `src/sched/sched.cpp` and `docs/scheduler-http-api.md` of Mesos.

mod calls;
mod ending;
mod events;
mod io;
mod offers;
mod unanswered;

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::time::Instant;

use bytes::Bytes;

use self::ending::Mode;
use self::offers::{OFFERS_TIMEOUT, Offers};
use super::backoff::Backoff;
use super::framework::Framework;
use super::subscription::{self, HEARTBEATS_MISSED, Subscriber, Subscription, refused_authentication};
use super::{Candidates, Endpoint, Notice, Session, Unanswered};
use crate::wire::Post;
use crate::wire::duration::Period;
use crate::wire::scheduler::{Call, Envelope, Event, call};
use crate::{Error, Result};

pub use io::{Callback, Config, Output, Request};

const DEFAULT_HEARTBEAT: Period = Period::from_secs(15);

/// The state machine of one scheduler driver.
///
/// ```
/// use std::time::Instant;
///
/// use prost::Message;
/// use remesos::proto::v1;
/// use remesos::session::framework::Framework;
/// use remesos::session::scheduler::{Config, Output, SchedulerSession};
/// use remesos::session::{Endpoint, Notice, Session};
/// use remesos::wire::duration::Period;
///
/// let info = v1::FrameworkInfo { name: "example".to_owned(), ..Default::default() };
/// let mut session = SchedulerSession::new(Config {
///     framework: Framework::new(info.encode_to_vec().into(), "user", "host")?,
///     suppressed_roles: Vec::new(),
///     implicit_acknowledgements: true,
///     identity: None,
///     backoff_factor: Period::from_secs(2),
///     seed: 7,
/// });
/// let master = Endpoint::new(false, "localhost", 5050);
/// session.handle_notice(Instant::now(), Notice::Detected(master.clone().into()));
/// assert_eq!(session.poll_output(), Some(Output::Disconnect));
/// assert!(matches!(session.poll_output(), Some(Output::Subscribe(_, to, _)) if to == master));
/// assert!(!session.is_subscribed());
/// # Ok::<(), remesos::Error>(())
/// ```
#[derive(Debug)]
pub struct SchedulerSession {
    framework: Framework,
    suppressed: BTreeSet<String>,
    implicit_acknowledgements: bool,
    identity: Option<String>,
    /// Without any byte until the time of `Subscribed`, the stream counts as dead.
    subscription: Subscription,
    mode: Mode,
    masters: Candidates,
    was_registered: bool,
    /// Whether the master comes from the detector and was not subscribed to since.
    newly_detected: bool,
    /// The ids of the masters at which this session was registered.
    registered_at: HashSet<String>,
    heartbeat: Period,
    offers: Offers,
    /// To be asked once subscribed again.
    inquiries: Vec<Envelope>,
    outputs: VecDeque<Output>,
    /// Whether events are delivered for which the classic API has no callback.
    delivers_all: bool,
    delivers_heartbeats: bool,
}

impl Session for SchedulerSession {
    type Request = Request;
    type Call = Envelope;
    type Callback = Callback;

    fn handle_notice(&mut self, now: Instant, notice: Notice<Envelope>) {
        match notice {
            Notice::Detected(masters) => self.on_detected(now, masters),
            Notice::Stream(attempt, event) => self.on_stream(now, attempt, event),
            Notice::Answered { call, status, body } => self.on_call_refused(&call.call, status, body),
            Notice::Unsent { calls, timestamp } => {
                calls.iter().for_each(|call| self.answer_here(&call.call, timestamp))
            }
            Notice::Inquiries(calls) => self.on_inquiries(calls),
            Notice::Stop { failover } => self.on_stop(now, failover),
            Notice::Abort => self.on_abort(),
            Notice::ReadingResumed => self.on_reading_resumed(now),
            Notice::Timeout => self.on_timeout(now),
        }
    }

    fn handle_request(&mut self, _now: Instant, request: Request) {
        match request {
            Request::Call { call, timestamp } => self.on_call(call, timestamp),
            Request::Acknowledge(status) => self.on_acknowledge(&status),
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let of_mode = if let Mode::Stopping { until, .. } = self.mode { Some(until) } else { None };
        [self.subscription.poll_timeout(), of_mode, self.offers.due()].into_iter().flatten().min()
    }

    fn may_wait(request: &Request) -> bool {
        matches!(request, Request::Acknowledge(_))
    }

    fn unanswered(call: Envelope) -> Unanswered<Envelope> {
        unanswered::outcome(call)
    }
}

impl Subscriber for SchedulerSession {
    type Event = Event;
    const PEER: &'static str = "master";

    fn subscription(&mut self) -> &mut Subscription {
        &mut self.subscription
    }

    fn decode(&self, record: Bytes) -> Result<Event> {
        subscription::decode(record)
    }

    fn on_heard(&mut self, now: Instant) {
        self.subscription.extend(now + self.heartbeat * HEARTBEATS_MISSED);
    }

    fn on_event(&mut self, now: Instant, event: Event) {
        self.handle_event(now, event);
    }

    fn on_redirected(&mut self, now: Instant, master: Endpoint) {
        if self.mode != Mode::Running {
            return self.on_closed(now, "redirected");
        }
        if let Err(reason) = self.masters.redirected(master.clone()) {
            return self.on_closed(now, &reason);
        }
        match &self.identity {
            None => tracing::info!("Redirected to the leading master at {master}"),
            Some(identity) => {
                tracing::info!(
                    "Redirected to the leading master at {master}, which gets the credential too: {identity}"
                );
            }
        }
        self.subscribe(now);
    }

    fn on_refused(&mut self, now: Instant, status: u16, body: &str) {
        match status {
            401 => self.end_by_master(refused_authentication(self.identity.as_deref())),
            // Recovering, no leader elected, or not yet listening on this path (`src/scheduler/scheduler.cpp`).
            404 | 500.. => self.on_closed(now, &format!("HTTP {status}: {body}")),
            _ => {
                let why = format!("Received unexpected '{status}' ({body}) for SUBSCRIBE");
                self.end_by_master(Error::refused(why));
            }
        }
    }

    fn on_unauthorized(&mut self, now: Instant) {
        if self.mode != Mode::Running {
            return self.on_closed(now, "HTTP 401");
        }
        tracing::info!("The master answered SUBSCRIBE with 401; trying again with another authorization");
        self.subscribe(now);
    }

    fn on_denied(&mut self, _now: Instant, error: Error) {
        self.end_by_master(error);
    }

    fn on_closed(&mut self, now: Instant, reason: &str) {
        if self.mode != Mode::Running {
            self.leave_stream();
            return self.finish_if_stopping();
        }
        let master = self.masters.current().map(ToString::to_string).unwrap_or_default();
        let at_once = self.masters.give_up(self.is_subscribed());
        let next = self.masters.who_is_next();
        self.newly_detected |= self.masters.are_several();
        self.leave_stream();
        if at_once {
            tracing::warn!("Not connected to the master at {master}: {reason}; trying {next}");
            return self.subscribe(now);
        }
        let delay = self.subscription.next_delay();
        let seconds = delay.as_secs_f64();
        tracing::warn!("Not connected to the master at {master}: {reason}; trying {next} in {seconds:.1} s");
        self.subscription.wait(now + delay);
    }

    fn subscribe(&mut self, now: Instant) {
        let Some(master) = self.masters.current().cloned() else {
            self.subscription.leave();
            return;
        };
        let attempt = self.subscription.begin(now);
        let subscribe = self.envelope(Call::Subscribe(call::Subscribe {
            framework_info: self.framework.info(),
            suppressed_roles: self.suppressed.iter().cloned().collect(),
        }));
        self.outputs.push_back(Output::Subscribe(attempt, master, subscribe.to_bytes()));
    }
}

impl SchedulerSession {
    /// A session that knows no master yet.
    pub fn new(config: Config) -> Self {
        let backoff = Backoff::new(config.backoff_factor, config.framework.failover_timeout(), config.seed);
        Self {
            framework: config.framework,
            suppressed: config.suppressed_roles.into_iter().collect(),
            implicit_acknowledgements: config.implicit_acknowledgements,
            identity: config.identity,
            subscription: Subscription::new(backoff),
            mode: Mode::Running,
            masters: Candidates::default(),
            was_registered: false,
            newly_detected: false,
            registered_at: HashSet::new(),
            heartbeat: DEFAULT_HEARTBEAT,
            offers: Offers::default(),
            inquiries: Vec::new(),
            outputs: VecDeque::new(),
            delivers_all: false,
            delivers_heartbeats: false,
        }
    }

    /// Has inverse offers and updates of operations delivered, for which the classic API has no callback.
    pub fn deliver_all(&mut self) {
        self.delivers_all = true;
    }

    /// Has the master's heartbeats delivered.
    pub fn deliver_heartbeats(&mut self) {
        self.delivers_heartbeats = true;
    }

    /// Whether SUBSCRIBED came and the stream stands.
    pub fn is_subscribed(&self) -> bool {
        self.subscription.is_subscribed()
    }

    fn on_detected(&mut self, now: Instant, masters: Candidates) {
        if self.mode != Mode::Running || (!masters.is_empty() && masters.are(&self.masters)) {
            return;
        }
        if masters.is_empty() {
            tracing::info!("No leading master is known; waiting for one");
        } else if masters.are_several() {
            tracing::info!("Looking for the leading master at {masters}");
        } else {
            tracing::info!("New master detected at {masters}");
        }
        self.leave_stream();
        self.masters = masters;
        self.newly_detected = true;
        self.subscription.reset_backoff();
        self.subscribe(now);
    }

    /// What was not read until now may have been there for long; and nobody could answer.
    fn on_reading_resumed(&mut self, now: Instant) {
        self.on_heard(now);
        self.offers.reading_resumed(now);
        self.subscription.reading_resumed(now);
    }

    fn on_timeout(&mut self, now: Instant) {
        self.look_for_offers(now);
        if self.poll_timeout().is_none_or(|until| now < until) {
            return;
        }
        if matches!(self.mode, Mode::Stopping { until, .. } if until <= now) {
            tracing::warn!("Stopping before the master answered SUBSCRIBE");
            return self.finish_if_stopping();
        }
        self.on_due(now);
    }

    /// Tells the framework, once, of offers that it has neither accepted nor declined: nobody else is offered what they
    /// hold.
    fn look_for_offers(&mut self, now: Instant) {
        if let Some(late) = self.offers.look(now)
            && self.mode == Mode::Running
        {
            let (name, id) = (self.framework.name(), self.framework.id().unwrap_or_default());
            tracing::warn!(
                "Framework '{name}' ({id}) has neither accepted nor declined {late} offers within {OFFERS_TIMEOUT:?}; \
                 their resources are offered to nobody else until it does"
            );
        }
    }

    fn leave_stream(&mut self) {
        let was_subscribed = self.subscription.leave();
        self.offers.take();
        self.outputs.push_back(Output::Disconnect);
        if was_subscribed {
            self.deliver(Callback::Disconnected);
        }
    }

    fn envelope(&self, call: Call) -> Envelope {
        Envelope { framework_id: self.framework.id_bytes(), call }
    }

    fn transmit(&mut self, call: Call) {
        let envelope = self.envelope(call);
        self.outputs.push_back(Output::Transmit(envelope));
    }

    fn deliver(&mut self, callback: Callback) {
        if self.mode == Mode::Running {
            self.outputs.push_back(Output::Deliver(callback));
        }
    }
}
