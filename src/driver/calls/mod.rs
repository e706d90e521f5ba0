//! The calls of a subscription, on a connection of their own: pipelined in order, many in one write.
//!
//! The stream of events alone is the subscription. This connection is made when there is a call to send, and made again
//! when it ends; what was not answered is sent again as far as that does no harm ([`Session::unanswered`]). One
//! acknowledgement is one POST in Mesos' API, so how calls are written decides what an update costs. The master takes
//! pipelined requests; its own client (`src/scheduler/scheduler.cpp`) sends them so.

mod authority;
mod pipeline;
mod socket;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use self::authority::Authority;
pub use self::pipeline::Left;
use self::pipeline::Pipeline;
use self::socket::Socket;
use super::http::request;
use super::transport::{Api, PROTOBUF};
use crate::clock::{Clock, Timer};
use crate::session::{Endpoint, Session};
use crate::wire::duration::Period;
use crate::{Error, Result};

/// A call that is not answered within this time shows a broken connection, if events still come. It doubles, up to
/// eight times as long, while connection after connection gives no answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The same when the driver ends and waits for its last calls.
const LAST_ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to wait before another connection is tried; it doubles up to the second.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// A quiet socket is looked at this long after a call was written, and then the less often the longer the answer takes.
const LOOK_MIN: Duration = Duration::from_millis(10);
const LOOK_MAX: Duration = Duration::from_secs(1);
/// The time between two looks is this part of the time for which an answer is waited for.
const LOOKS: u32 = 8;
/// The time between two looks while calls wait for answers to others. A master that is this busy is not waited for: as
/// long as many calls are written and not answered it does not run out of them.
const LOOK_HELD: Duration = Duration::from_millis(5);

/// What became of calls.
#[derive(Debug)]
pub enum Progress<C> {
    /// A call was answered with a status and a body, and somebody waits for that: see
    /// [`crate::session::Notice::Answered`].
    Answered(C, u16, String),
    /// Too many calls wait for a connection that gives no answers.
    Stuck(String),
}

/// The calls of one subscription, and their connection. Nothing happens unless [`Self::poll`] is called.
pub struct Calls<S: Session> {
    api: Api,
    endpoint: Endpoint,
    pipeline: Pipeline<S>,
    authority: Authority,
    connection: Connection,
    /// When the connection is to be looked at, though nothing woke us.
    timer: Timer,
    clock: Clock,
    used: Instant,
    /// The driver ends: answers are not waited for as long.
    last: bool,
}

type Connecting = Pin<Box<dyn Future<Output = Result<Socket>> + Send>>;

enum Connection {
    /// None; the next one may be made then.
    Closed {
        until: Instant,
    },
    Connecting(Connecting),
    Open(Socket),
}

impl<S: Session> Calls<S> {
    /// No call yet, and no connection. `stream_id` is what the stream's `Mesos-Stream-Id` header said.
    pub fn new(api: Api, endpoint: Endpoint, stream_id: Option<&str>, clock: Clock) -> Self {
        let authority =
            Authority::new(request::post(&endpoint, &api.path, PROTOBUF, stream_id), api.authorization.clone());
        let pipeline = Pipeline::new(authority.head());
        let now = clock.now();
        let (timer, connection) = (clock.timer(now), Connection::Closed { until: now });
        Self { api, endpoint, pipeline, authority, connection, timer, clock, used: now, last: false }
    }

    /// Adds a call behind the others.
    pub fn push(&mut self, call: S::Call) {
        self.pipeline.push(call);
    }

    /// Writes calls and reads answers until there is something to tell. May be dropped at any time. `heard` is when
    /// the stream of events last brought something.
    pub async fn progress(&mut self, heard: Instant) -> Progress<S::Call> {
        poll_fn(|context| self.poll(context, heard)).await
    }

    /// Writes every call that waits and reads the answers, however often the connection has to be made again.
    pub async fn flush(&mut self) {
        self.last = true;
        poll_fn(|context| {
            while self.poll(context, self.clock.now()).is_ready() && !self.pipeline.is_overfull() {}
            if self.pipeline.is_idle() || self.pipeline.is_overfull() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Gives up; returns what was not sent or not answered.
    pub fn leave(self) -> Left<S::Call> {
        self.pipeline.leave()
    }

    fn poll(&mut self, context: &mut Context<'_>, heard: Instant) -> Poll<Progress<S::Call>> {
        loop {
            if let Some((call, status, body)) = self.pipeline.next_answer() {
                return Poll::Ready(Progress::Answered(call, status, body));
            }
            if self.pipeline.is_overfull() {
                return Poll::Ready(Progress::Stuck("no call is answered, and too many wait".to_owned()));
            }
            let refused = self.pipeline.refused();
            if let Some(head) = refused
                && self.authorize(context, head).is_ready()
            {
                continue;
            }
            match &mut self.connection {
                Connection::Closed { until } => {
                    let until = *until;
                    if !self.pipeline.has_work() || refused.is_some() {
                        return Poll::Pending;
                    }
                    ready!(self.wait(context, until));
                    self.connection =
                        Connection::Connecting(Box::pin(socket::connect(self.api.clone(), self.endpoint.clone())));
                }
                Connection::Connecting(connecting) => match ready!(connecting.as_mut().poll(context)) {
                    Ok(socket) => self.opened(socket),
                    Err(error) => self.not_opened(&error),
                },
                Connection::Open(_) => match ready!(self.poll_open(context, heard)) {
                    Ok(true) => {}
                    Ok(false) => self.closed(None),
                    Err(error) => self.closed(Some(&error)),
                },
            }
        }
    }

    /// Every call that was written has been answered, some with 401. Ready when they are to be sent again, or there is
    /// nothing to send them with.
    fn authorize(&mut self, context: &mut Context<'_>, refused: u64) -> Poll<()> {
        match ready!(self.authority.renew(context, refused)) {
            Some(Ok(head)) => {
                self.pipeline.set_head(head);
                self.pipeline.resume();
            }
            Some(Err(error)) => {
                self.pipeline.failed();
                let delay = self.retry_delay();
                tracing::warn!("Calls to {} wait: {error}; asking again in {delay:?}", self.endpoint);
                self.authority.renew_later(&self.clock, delay);
            }
            None => self.pipeline.give_up(),
        }
        Poll::Ready(())
    }

    /// Waits until it is later than this; the timer is the only one there is.
    fn wait(&mut self, context: &mut Context<'_>, until: Instant) -> Poll<()> {
        if self.clock.now() >= until {
            return Poll::Ready(());
        }
        self.timer.reset(until);
        Pin::new(&mut self.timer).poll(context)
    }

    fn opened(&mut self, socket: Socket) {
        tracing::debug!("Connected to {} for calls", self.endpoint);
        self.connection = Connection::Open(socket);
        self.used = self.clock.now();
        self.timer.reset(self.used);
    }

    fn not_opened(&mut self, error: &Error) {
        self.pipeline.failed();
        let delay = self.retry_delay();
        tracing::warn!("{} cannot be reached for calls: {error}; trying again in {delay:?}", self.endpoint);
        self.connection = Connection::Closed { until: self.clock.now() + Period::from(delay) };
    }

    /// The connection ended, on purpose if without an error.
    fn closed(&mut self, error: Option<&Error>) {
        let unknown = self.pipeline.disconnected();
        match error {
            Some(error) if unknown > 0 => tracing::warn!(
                "The connection to {} for calls ended, {unknown} calls were not answered: {error}",
                self.endpoint
            ),
            Some(error) => tracing::debug!("The connection to {} for calls ended: {error}", self.endpoint),
            None => tracing::debug!("The connection to {} for calls is closed", self.endpoint),
        }
        self.connection = Connection::Closed { until: self.clock.now() + Period::from(self.retry_delay()) };
    }

    fn retry_delay(&self) -> Duration {
        match self.pipeline.failures() {
            0 => Duration::ZERO,
            failures => RETRY_MAX.min(RETRY_MIN.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)))),
        }
    }

    /// Reads and writes what can be; false if the connection is to be closed.
    ///
    /// What has come is read before anything is written, and before a time counts as over: an answer may say that this
    /// connection takes no more calls, and a process that was paused finds its answers late.
    fn poll_open(&mut self, context: &mut Context<'_>, heard: Instant) -> Poll<Result<bool>> {
        let due = Pin::new(&mut self.timer).poll(context).is_ready();
        let look = due || self.pipeline.has_to_write();
        if !self.read(context, look)? {
            return Poll::Ready(Ok(false));
        }
        if self.pipeline.has_answer() || (self.pipeline.refused().is_some() && !self.authority.is_renewing()) {
            return Poll::Ready(Ok(true));
        }
        if !due && !self.pipeline.has_to_write() {
            return Poll::Pending;
        }
        let now = self.clock.now();
        if self.is_stale(now) {
            return Poll::Ready(Ok(false));
        }
        if let Err(error) = self.write(context, now) {
            // What came before it broke still counts.
            self.read(context, true)?;
            return Poll::Ready(Err(error));
        }
        self.check_deadline(now, heard)?;
        self.look_again(context, now, due);
        Poll::Pending
    }

    /// Takes in what has come; false if the connection takes no more calls. A quiet socket is read only to `look`.
    fn read(&mut self, context: &mut Context<'_>, look: bool) -> Result<bool> {
        let Connection::Open(socket) = &mut self.connection else { return Ok(false) };
        while let Poll::Ready(read) = socket.poll_read(context, &mut self.pipeline.input, look) {
            let ended = read.map_err(broke)? == 0;
            self.used = self.clock.now();
            let goes_on = self.pipeline.take_replies(self.used, ended);
            if self.pipeline.take_accepted() {
                self.authority.accepted();
            }
            if !goes_on? {
                return if ended { Err(Error::connection("the other side closed it")) } else { Ok(false) };
            }
        }
        Ok(true)
    }

    fn write(&mut self, context: &mut Context<'_>, now: Instant) -> Result<()> {
        let Connection::Open(socket) = &mut self.connection else { return Ok(()) };
        if let Some(head) = self.authority.newer(self.pipeline.head()) {
            self.pipeline.set_head(head);
        }
        loop {
            let output = self.pipeline.output(now);
            if output.is_empty() {
                break;
            }
            let Poll::Ready(written) = socket.poll_write(context, output) else { break };
            self.pipeline.written(written.map_err(broke)?);
            self.used = now;
        }
        match socket.poll_flush(context) {
            Poll::Ready(flushed) => flushed.map_err(broke),
            Poll::Pending => Ok(()),
        }
    }

    /// Whether the connection was idle for too long to be trusted with another call.
    fn is_stale(&self, now: Instant) -> bool {
        !self.pipeline.expects() && now.saturating_duration_since(self.used) >= self.pipeline.idle_max()
    }

    /// Fails if an answer is overdue. A silent stream of events says that nothing comes through at all, which is for
    /// the missing heartbeats to judge.
    fn check_deadline(&self, now: Instant, heard: Instant) -> Result<()> {
        let Some(since) = self.pipeline.since() else { return Ok(()) };
        let timeout = if self.last {
            LAST_ANSWER_TIMEOUT
        } else {
            ANSWER_TIMEOUT.saturating_mul(1 << self.pipeline.failures().min(3))
        };
        if now.saturating_duration_since(since) >= timeout && (self.last || heard > since) {
            return Err(Error::connection(format!("a call was not answered within {timeout:?}")));
        }
        Ok(())
    }

    /// Sets the timer for the next look, unless it is set for an earlier one.
    fn look_again(&mut self, context: &mut Context<'_>, now: Instant, due: bool) {
        let next = now + Period::from(self.next_look(now));
        if due || next < self.timer.deadline() {
            self.timer.reset(next);
            if Pin::new(&mut self.timer).poll(context).is_ready() {
                context.waker().wake_by_ref();
            }
        }
    }

    fn next_look(&self, now: Instant) -> Duration {
        let Connection::Open(socket) = &self.connection else { return LOOK_MAX };
        match self.pipeline.since() {
            None => self.pipeline.idle_max().saturating_sub(now.saturating_duration_since(self.used)).max(LOOK_MIN),
            Some(_) if !socket.is_quiet() => LOOK_MAX,
            Some(_) if self.pipeline.is_held() => LOOK_HELD,
            Some(since) => {
                let waited = now.saturating_duration_since(since);
                waited.checked_div(LOOKS).unwrap_or_default().clamp(LOOK_MIN, LOOK_MAX)
            }
        }
    }
}

fn broke(error: std::io::Error) -> Error {
    Error::connection("it broke").caused_by(error)
}
