//! The protocol as state machines without IO: no socket, no clock, no thread.
//!
//! `handle_notice(now, notice)` and `handle_request(now, request)` take in what happened and what the owner asks,
//! `poll_output()` gives out what to do, `poll_timeout()` says when to call again at the latest. Times, ids and seeds are
//! handed in, so every failure can be replayed in virtual time. The shape is that of `quinn-proto`'s `Connection`.
#![warn(clippy::arithmetic_side_effects)]

pub mod backoff;
pub mod candidates;
pub mod executor;
pub mod framework;
pub mod operator;
pub mod scheduler;
mod subscription;
mod summary;

pub use candidates::Candidates;
pub use summary::{Connection, Summary};

use std::fmt;
use std::time::Instant;

use bytes::Bytes;

use crate::Error;
use crate::wire::Post;

/// Tells a session what has happened.
///
/// ```
/// # use std::time::Instant;
/// # use remesos::session::executor::{Config, ExecutorSession, Output};
/// # use remesos::session::{Endpoint, Notice, Session};
/// # use remesos::wire::duration::Period;
/// # let mut session = ExecutorSession::new(Config {
/// #     framework_id: "framework".to_owned(),
/// #     executor_id: "executor".to_owned(),
/// #     agent_id: "agent".to_owned(),
/// #     recovery_timeout: None,
/// #     backoff_max: Period::from_secs(2),
/// #     shutdown_grace_period: Period::from_secs(5),
/// #     seed: 7,
/// # });
/// let agent = Endpoint::new(false, "localhost", 5051);
/// session.handle_notice(Instant::now(), Notice::Detected(agent.clone().into()));
/// assert!(matches!(session.poll_output(), Some(Output::Subscribe(_, to, _)) if to == agent));
///
/// session.handle_notice(Instant::now(), Notice::Stop { failover: false });
/// session.handle_notice(session.poll_timeout().expect("a deadline"), Notice::Timeout);
/// assert_eq!(session.poll_output(), Some(Output::Finished { linger: false }));
/// ```
#[derive(Debug)]
pub enum Notice<C> {
    /// The leading master or the agent was detected, or several masters of which any may lead; empty if none is known.
    Detected(Candidates),
    /// Something happened to the stream of the attempt with this number.
    Stream(u64, StreamEvent),
    /// A call was answered. Sent for errors, and for calls whose answer counts ([`Post::answer_counts`]).
    Answered {
        /// The call.
        call: C,
        /// The HTTP status.
        status: u16,
        /// The body of the response.
        body: String,
    },
    /// The driver accepted these calls, and the other side has certainly not processed them.
    Unsent {
        /// The calls.
        calls: Vec<C>,
        /// Seconds since the epoch.
        timestamp: f64,
    },
    /// These calls find out whether others were processed. They are sent when the session is subscribed again.
    Inquiries(Vec<C>),
    /// The driver is stopped.
    Stop {
        /// Whether the framework and its tasks stay at the master. Executors ignore it.
        failover: bool,
    },
    /// The driver is aborted: no more callbacks are to be delivered.
    Abort,
    /// Reading has resumed after a pause, because the owner was slow or the process was suspended. That nothing arrived
    /// during the pause does not mean that the connection is dead.
    ReadingResumed,
    /// The time that [`Session::poll_timeout`] returned has come.
    Timeout,
}

/// What can happen to a stream of events.
///
/// If the stream closes, the session drops its connections and schedules the next attempt:
///
/// ```
/// # use std::time::Instant;
/// # use remesos::session::executor::{Config, ExecutorSession, Output};
/// # use remesos::session::{Endpoint, Notice, Session, StreamEvent};
/// # use remesos::wire::duration::Period;
/// # let mut session = ExecutorSession::new(Config {
/// #     framework_id: "framework".to_owned(),
/// #     executor_id: "executor".to_owned(),
/// #     agent_id: "agent".to_owned(),
/// #     recovery_timeout: None,
/// #     backoff_max: Period::from_secs(2),
/// #     shutdown_grace_period: Period::from_secs(5),
/// #     seed: 7,
/// # });
/// let now = Instant::now();
/// session.handle_notice(now, Notice::Detected(Endpoint::new(false, "localhost", 5051).into()));
/// let Some(Output::Subscribe(attempt, ..)) = session.poll_output() else { panic!("no SUBSCRIBE") };
///
/// session.handle_notice(now, Notice::Stream(attempt, StreamEvent::Closed("connection refused".to_owned())));
/// assert_eq!(session.poll_output(), Some(Output::Disconnect));
/// session.handle_notice(session.poll_timeout().expect("a next attempt"), Notice::Timeout);
/// assert!(matches!(session.poll_output(), Some(Output::Subscribe(again, ..)) if again > attempt));
/// ```
#[derive(Debug)]
pub enum StreamEvent {
    /// The connection is established, and the SUBSCRIBE is about to be written to it.
    Connected,
    /// The response is 200, and events follow. Holds the id that calls have to carry, if there is one.
    Opened(Option<String>),
    /// The next bytes of the body.
    Data(Bytes),
    /// The response is 307, a redirect to this endpoint.
    Redirected(Endpoint),
    /// The response has another HTTP status than 200 and 307. Holds the status and the body.
    Refused(u16, String),
    /// The response is 401, and the next attempt may carry another authorization.
    Unauthorized,
    /// There is no authorization, and there will be none. Nothing was sent.
    Denied(Error),
    /// The connection could not be established, or it ended. Holds the reason.
    Closed(String),
}

/// An instruction from a session to the loop that runs it.
///
/// ```
/// # use std::time::Instant;
/// # use prost::Message;
/// # use remesos::proto::v1;
/// # use remesos::session::framework::Framework;
/// # use remesos::session::scheduler::{Config, SchedulerSession};
/// # use remesos::session::{Endpoint, Notice, Output, Session};
/// # use remesos::wire::duration::Period;
/// # let info = v1::FrameworkInfo { name: "example".to_owned(), ..Default::default() };
/// # let framework = Framework::new(info.encode_to_vec().into(), "user", "host")?;
/// # let mut session = SchedulerSession::new(Config {
/// #     framework,
/// #     suppressed_roles: Vec::new(),
/// #     implicit_acknowledgements: true,
/// #     identity: None,
/// #     backoff_factor: Period::from_secs(2),
/// #     seed: 7,
/// # });
/// let master = Endpoint::new(false, "localhost", 5050);
/// session.handle_notice(Instant::now(), Notice::Detected(master.clone().into()));
/// assert_eq!(session.poll_output(), Some(Output::Disconnect));
/// let Some(Output::Subscribe(_, to, body)) = session.poll_output() else { panic!("no SUBSCRIBE") };
/// assert_eq!(to, master);
/// assert_eq!(v1::scheduler::Call::decode(body)?.r#type(), v1::scheduler::call::Type::Subscribe);
/// assert_eq!(session.poll_output(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, PartialEq)]
pub enum Output<C, D> {
    /// Drop all connections, connect to the endpoint and POST this SUBSCRIBE. The number is that of the attempt, which
    /// every [`Notice::Stream`] about it carries.
    Subscribe(u64, Endpoint, Bytes),
    /// POST this call after the calls before it, on another connection than the stream's.
    Transmit(C),
    /// Drop all connections.
    Disconnect,
    /// Make a callback.
    Deliver(D),
    /// Kill this process and all processes that it started, if it still runs after this time.
    EndWithin(std::time::Duration),
    /// The session has ended: no more instructions follow. Send the calls that are still to be transmitted.
    Finished {
        /// Whether to keep the stream open and discard its data. libmesos stays connected after `stop(failover=True)`
        /// until its process ends.
        linger: bool,
    },
}

/// What happens to a call that was written, if its connection ended before the call was answered. It is not known
/// whether the other side has processed such a call.
///
/// ```
/// use remesos::session::scheduler::SchedulerSession;
/// use remesos::session::{Session, Unanswered};
/// use remesos::wire::scheduler::{Call, Envelope, FrameworkMessage};
///
/// let envelope = |call| Envelope { framework_id: None, call };
/// let teardown = envelope(Call::Teardown);
/// assert_eq!(SchedulerSession::unanswered(teardown.clone()), Unanswered::Repeat(teardown));
/// let message = envelope(Call::Message(Box::default()));
/// assert_eq!(SchedulerSession::unanswered(message), Unanswered::GiveUp);
/// ```
#[derive(Debug, PartialEq)]
pub enum Unanswered<C> {
    /// The call is sent again in its place, because processing it twice does no harm.
    Repeat(C),
    /// The call must not be processed twice: another call takes its place, and one more follows when that is answered.
    Replace {
        /// The call that keeps the other side from processing the first one from now on.
        by: C,
        /// The call that finds out whether the first one was processed.
        then: Option<C>,
    },
    /// The call is best effort, and is not sent again.
    GiveUp,
}

/// A state machine that a driver's loop can run.
///
/// A test runs a session in virtual time with a loop of its own:
///
/// ```
/// # use std::time::Instant;
/// # use remesos::session::executor::{Config, ExecutorSession};
/// # use remesos::session::{Endpoint, Notice, Output, Session};
/// # use remesos::wire::duration::Period;
/// fn outputs<S: Session>(
///     session: &mut S,
///     now: Instant,
///     notice: Notice<S::Call>,
/// ) -> Vec<Output<S::Call, S::Callback>> {
///     session.handle_notice(now, notice);
///     std::iter::from_fn(|| session.poll_output()).collect()
/// }
///
/// # let mut session = ExecutorSession::new(Config {
/// #     framework_id: "framework".to_owned(),
/// #     executor_id: "executor".to_owned(),
/// #     agent_id: "agent".to_owned(),
/// #     recovery_timeout: None,
/// #     backoff_max: Period::from_secs(2),
/// #     shutdown_grace_period: Period::from_secs(5),
/// #     seed: 7,
/// # });
/// let agent = Endpoint::new(false, "localhost", 5051);
/// let first = outputs(&mut session, Instant::now(), Notice::Detected(agent.into()));
/// assert!(matches!(first[..], [Output::Subscribe(..)]));
/// let unanswered_until = session.poll_timeout().expect("SUBSCRIBE has to be answered");
/// assert_eq!(outputs(&mut session, unanswered_until, Notice::Timeout), [Output::Disconnect]);
/// ```
pub trait Session: Send + 'static {
    /// A request of the owner.
    type Request: Send;
    /// A call that is POSTed.
    type Call: Post;
    /// A callback to the owner.
    type Callback: Callback<Request = Self::Request>;

    /// Handles what happened at `now`.
    fn handle_notice(&mut self, now: Instant, notice: Notice<Self::Call>);
    /// Handles a request that the owner makes at `now`.
    fn handle_request(&mut self, now: Instant, request: Self::Request);
    /// Returns the next instruction, in order, or `None` if there is none at present.
    fn poll_output(&mut self) -> Option<Output<Self::Call, Self::Callback>>;
    /// Returns when [`Notice::Timeout`] is due; `None` if the session waits for no time.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Returns whether nobody waits for a request, so that in a burst of them it may wait a moment for others.
    fn may_wait(_: &Self::Request) -> bool {
        false
    }

    /// Returns what happens to a call whose connection ended before it was answered while the event stream is open.
    fn unanswered(call: Self::Call) -> Unanswered<Self::Call>;
}

/// A callback with its arguments, as the bytes of the messages.
///
/// ```
/// use bytes::Bytes;
/// use remesos::session::Callback as _;
/// use remesos::session::scheduler::{Callback, Request};
///
/// let status = Bytes::from_static(b"the bytes of a TaskStatus");
/// let callback = Callback::StatusUpdate { status: status.clone(), acknowledge: true };
/// assert!(callback.error().is_none());
/// assert!(callback.size() > status.len());
/// assert!(matches!(callback.when_returned(), Some(Request::Acknowledge(of)) if of == status));
/// ```
pub trait Callback: Send + 'static {
    /// A request of the owner.
    type Request;

    /// Returns the callback that reports an error to the owner. An error ends the driver.
    fn of_error(error: Error) -> Self;
    /// Returns the error that it reports, if it reports one.
    fn error(&self) -> Option<&Error>;
    /// Returns the request to make when the callback has returned, if any.
    fn when_returned(self) -> Option<Self::Request>;
    /// Adds what it says to a summary.
    fn summarize(&self, _: &mut Summary) {}
    /// Returns about how many bytes it occupies in memory.
    fn size(&self) -> usize;
}

/// The address of a master or an agent.
///
/// ```
/// use remesos::session::Endpoint;
///
/// let master = Endpoint::new(true, "::1", 5050);
/// assert_eq!(master.authority(), "[::1]:5050");
/// assert_eq!(master.to_string(), "https://[::1]:5050");
///
/// let behind_a_proxy = Endpoint { path: "/mesos".to_owned(), ..Endpoint::new(true, "example.org", 443) };
/// assert_eq!(behind_a_proxy.to_string(), "https://example.org:443/mesos");
/// assert_eq!(behind_a_proxy.host_header(), "example.org");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Whether it is reached over TLS.
    pub tls: bool,
    /// Host name or address; IPv6 without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// What the paths of its API begin with, `/mesos`; empty unless it is behind a proxy. Ends with no slash.
    pub path: String,
    /// The name that its certificate may be for instead of `host`, if another one is known.
    pub name: Option<String>,
}

impl Endpoint {
    /// Creates an endpoint whose API is at the root, and whose certificate is expected to be for `host`.
    pub fn new(tls: bool, host: impl Into<String>, port: u16) -> Self {
        Self { tls, host: host.into(), port, path: String::new(), name: None }
    }

    /// `host:port`, as logs write it.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.bracketed(), self.port)
    }

    /// What the Host header is: without the port that the scheme implies, by which some proxies would not know it.
    pub fn host_header(&self) -> String {
        if self.port == default_port(self.tls) { self.bracketed() } else { self.authority() }
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

/// The port of `https` or `http` URLs that have none.
pub fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.tls { "https" } else { "http" }, self.authority(), self.path)
    }
}
