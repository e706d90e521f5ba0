//! What every session has of its subscription: where it stands, which attempt it is, the bytes of its stream that are
//! not a whole event yet, and how long to wait before the next attempt.
//!
//! | state | [`Subscription::begin`] | [`Subscription::subscribed`] | [`Subscription::leave`] | [`Subscription::wait`] |
//! |---|---|---|---|---|
//! | Idle | Subscribing | - | Idle | Waiting |
//! | Waiting | Subscribing | - | Idle | Waiting |
//! | Subscribing | Subscribing anew | Subscribed | Idle | Waiting |
//! | Subscribed | Subscribing anew | Subscribed | Idle | Waiting |

use std::time::Instant;

use bytes::Bytes;
use prost::Message;

use super::backoff::Backoff;
use super::{Endpoint, StreamEvent};
use crate::wire::duration::Period;
use crate::wire::recordio::Decoder;
use crate::{Error, Result};

/// SUBSCRIBE has to be answered within this, connecting included.
const SUBSCRIBE_TIMEOUT: Period = Period::from_secs(15);

/// Where a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum State {
    /// Nothing is tried: nobody is known to subscribe to, or there is no point.
    Idle,
    /// The last attempt failed; the next is due then.
    Waiting { until: Instant },
    /// SUBSCRIBE is on its way; it has to be answered by then. Before it is `sent` the other side cannot have it.
    Subscribing { until: Instant, sent: bool },
    /// SUBSCRIBED came; something is due then.
    Subscribed { until: Instant },
}

/// The subscription of one session.
#[derive(Debug)]
pub struct Subscription {
    state: State,
    attempt: u64,
    decoder: Decoder,
    backoff: Backoff,
    /// Whether the back-off begins anew when the stream ends.
    settled: bool,
}

impl Subscription {
    /// Nothing is tried yet.
    pub fn new(backoff: Backoff) -> Self {
        Self { state: State::Idle, attempt: 0, decoder: Decoder::default(), backoff, settled: false }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether SUBSCRIBED came and the stream stands.
    pub fn is_subscribed(&self) -> bool {
        matches!(self.state, State::Subscribed { .. })
    }

    /// Whether the other side may have the SUBSCRIBE, and has not answered it.
    pub fn is_sent(&self) -> bool {
        matches!(self.state, State::Subscribing { sent: true, .. })
    }

    /// When something is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Idle => None,
            State::Waiting { until } | State::Subscribing { until, .. } | State::Subscribed { until } => Some(until),
        }
    }

    /// Begins an attempt; returns its number. The stream of the one before it counts no more.
    pub fn begin(&mut self, now: Instant) -> u64 {
        self.start_over(State::Subscribing { until: now + SUBSCRIBE_TIMEOUT, sent: false });
        self.attempt
    }

    /// SUBSCRIBED came; something is due then.
    pub fn subscribed(&mut self, until: Instant) {
        self.state = State::Subscribed { until };
        self.settled = true;
    }

    /// What is due once subscribed is due then.
    pub fn extend(&mut self, due: Instant) {
        if let State::Subscribed { until } = &mut self.state {
            *until = due;
        }
    }

    /// Nothing was read until now: an answer to SUBSCRIBE gets its time anew.
    pub fn reading_resumed(&mut self, now: Instant) {
        if let State::Subscribing { until, .. } = &mut self.state {
            *until = now + SUBSCRIBE_TIMEOUT;
        }
    }

    /// Leaves the stream, or the attempt; returns whether it was subscribed.
    pub fn leave(&mut self) -> bool {
        let was_subscribed = self.is_subscribed();
        self.start_over(State::Idle);
        was_subscribed
    }

    /// The next attempt is due then.
    pub fn wait(&mut self, until: Instant) {
        self.state = State::Waiting { until };
    }

    /// How long to wait before the next attempt: longer and longer, until one is answered.
    pub fn next_delay(&mut self) -> Period {
        if std::mem::take(&mut self.settled) {
            self.backoff.reset();
        }
        self.backoff.next_delay()
    }

    /// The next delay is a short one again.
    pub fn reset_backoff(&mut self) {
        self.backoff.reset();
    }

    fn start_over(&mut self, state: State) {
        self.state = state;
        self.attempt = self.attempt.wrapping_add(1);
        self.decoder = Decoder::default();
    }
}

/// Reads an event in protobuf.
pub fn decode<E: Message + Default>(record: Bytes) -> Result<E> {
    E::decode(record).map_err(|e| Error::protocol("the event is not a v1 event").caused_by(e))
}

/// So many heartbeats of a master may be missing before its stream counts as dead (`docs/scheduler-http-api.md`).
pub const HEARTBEATS_MISSED: u32 = 5;

/// The master has answered 401, and `identity` has no other authorization.
pub fn refused_authentication(identity: Option<&str>) -> Error {
    let who = identity.unwrap_or("no principal was given");
    Error::authentication(format!("Master refused authentication: {who}"))
}

/// A session, as far as its stream of events goes.
pub trait Subscriber {
    /// What comes on the stream.
    type Event;
    /// Who sends it, for logs.
    const PEER: &'static str;

    /// Its subscription.
    fn subscription(&mut self) -> &mut Subscription;
    /// Reads an event.
    fn decode(&self, record: Bytes) -> Result<Self::Event>;
    /// Bytes came.
    fn on_heard(&mut self, now: Instant);
    /// An event came.
    fn on_event(&mut self, now: Instant, event: Self::Event);
    /// Another endpoint is to be subscribed to.
    fn on_redirected(&mut self, now: Instant, to: Endpoint);
    /// SUBSCRIBE was answered with an error's status.
    fn on_refused(&mut self, now: Instant, status: u16, body: &str);
    /// SUBSCRIBE was answered with 401, and the next one carries another authorization.
    fn on_unauthorized(&mut self, now: Instant) {
        self.on_refused(now, 401, "");
    }
    /// There is no authorization to subscribe with.
    fn on_denied(&mut self, now: Instant, error: Error) {
        self.on_closed(now, &error.to_string());
    }
    /// The connection could not be made, or is to be left; and why.
    fn on_closed(&mut self, now: Instant, reason: &str);
    /// Sends SUBSCRIBE to whom it is to be sent to.
    fn subscribe(&mut self, now: Instant);
    /// What is due once subscribed is due: the other side's heartbeats are missing, unless the session sends them.
    fn on_quiet(&mut self, now: Instant) {
        self.on_closed(now, &format!("{HEARTBEATS_MISSED} heartbeats are missing"));
    }

    /// Does what the subscription waited for.
    fn on_due(&mut self, now: Instant) {
        match self.subscription().state() {
            State::Idle => {}
            State::Waiting { .. } => self.subscribe(now),
            State::Subscribing { .. } => self.on_closed(now, "no answer to SUBSCRIBE"),
            State::Subscribed { .. } => self.on_quiet(now),
        }
    }

    /// Takes in what happened to the stream of an attempt.
    fn on_stream(&mut self, now: Instant, attempt: u64, event: StreamEvent) {
        if attempt != self.subscription().attempt {
            return;
        }
        match event {
            StreamEvent::Connected => {
                if let State::Subscribing { sent, .. } = &mut self.subscription().state {
                    *sent = true;
                }
            }
            StreamEvent::Opened(_) => tracing::debug!("The {} opened the stream of events", Self::PEER),
            StreamEvent::Data(bytes) => self.on_data(now, &bytes),
            StreamEvent::Redirected(to) => self.on_redirected(now, to),
            StreamEvent::Refused(status, body) => self.on_refused(now, status, &body),
            StreamEvent::Unauthorized => self.on_unauthorized(now),
            StreamEvent::Denied(error) => self.on_denied(now, error),
            StreamEvent::Closed(reason) => self.on_closed(now, &reason),
        }
    }

    /// Takes in the next bytes of the stream. Another side that cannot be understood is tried less and less often,
    /// however often it answers SUBSCRIBE.
    fn on_data(&mut self, now: Instant, bytes: &[u8]) {
        self.subscription().decoder.feed(bytes);
        self.on_heard(now);
        loop {
            let record = self.subscription().decoder.next_record();
            let event = record.and_then(|record| record.map(|record| self.decode(record)).transpose());
            match event {
                Ok(Some(event)) => self.on_event(now, event),
                Ok(None) => return,
                Err(error) => {
                    self.subscription().settled = false;
                    return self.on_closed(now, &error.to_string());
                }
            }
        }
    }
}
