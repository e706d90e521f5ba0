//! Who makes requests: they are sent by the runtime, and may be waited for in any thread.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::Options;
use super::exchange::Exchange;
use super::pending::{Link, Pending};
use super::request::{Answer, Request, Within};
use super::stream::Stream;
use crate::clock::Clock;
use crate::driver::detector::{self, MasterUri};
use crate::driver::runtime;
use crate::driver::scheduler::place;
use crate::driver::tls::{self, Trust};
use crate::driver::transport::{Api, PROTOBUF};
use crate::per_process;
use crate::session::{Candidates, Endpoint};
use crate::{Error, Result};

/// Sends requests to a master, the leading one if there are several, or to an agent.
///
/// ```
/// use std::time::Duration;
///
/// use remesos::driver::operator::{Operator, Options, Request, Within};
///
/// let operator = Operator::new(Options { daemon: "localhost:1".to_owned(), authentication: None })?;
/// let request = Request {
///     method: "GET".to_owned(),
///     path: "/health".to_owned(),
///     headers: Vec::new(),
///     body: Default::default(),
/// };
/// let mut pending = operator.request(request, Within::default())?;
/// let outcome = pending.wait(Duration::from_secs(20)).expect("an outcome");
/// assert!(outcome.expect_err("nobody listens there").is_connection());
/// # Ok::<(), remesos::Error>(())
/// ```
///
/// It belongs to the process that made it: the runtime that does its work is no part of a forked child.
pub struct Operator {
    process: u32,
    uri: MasterUri,
    options: Options,
    leader: watch::Sender<Option<(Candidates, Endpoint)>>,
    /// Made with the first request.
    link: Mutex<Option<Link>>,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Operator {
    /// Nothing is connected to yet.
    ///
    /// Fails if the address cannot be used.
    pub fn new(options: Options) -> Result<Self> {
        let uri = MasterUri::parse(&options.daemon, tls::by_default())?;
        let (leader, _) = watch::channel(None);
        Ok(Self { process: per_process::id(), uri, options, leader, link: Mutex::new(None) })
    }

    /// Whether it belongs to this process.
    pub fn is_of_this_process(&self) -> bool {
        self.process == per_process::id()
    }

    /// Sends a request. Dropping what is returned gives it up.
    ///
    /// Fails if the operator belongs to another process, its authentication cannot be used, or the operating system gives
    /// no thread.
    pub fn request(&self, request: Request, within: Within) -> Result<Pending<Answer>> {
        let link = self.link()?;
        Ok(link.run(|given_up| self.exchange(&link, within, given_up).run(request)))
    }

    /// Begins a request whose answer is a stream of records, and does not wait for anything. If it is fed, its body is what
    /// [`Stream::send`] adds to it, also as records.
    ///
    /// Fails as [`Operator::request`] does.
    pub fn open(&self, request: Request, is_fed: bool, within: Within) -> Result<Stream> {
        let link = self.link()?;
        let (give_up, given_up) = watch::channel(());
        let exchange = self.exchange(&link, within, given_up);
        Ok(Stream::begin(link, exchange, give_up, request, is_fed))
    }

    /// An exchange that ends when the other end of `given_up` is dropped.
    fn exchange(&self, link: &Link, within: Within, given_up: watch::Receiver<()>) -> Exchange {
        let (api, detected) = (link.api.clone(), link.detected.clone());
        Exchange { api, detected, leader: self.leader.clone(), within, given_up }
    }

    fn link(&self) -> Result<Link> {
        if !self.is_of_this_process() {
            return Err(Error::invalid("the operator was made in the process that forked this one: make another here"));
        }
        let here = place(&self.uri);
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |link: &&Link| match (&link.place, &here) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        if let Some(link) = link.as_ref().filter(same) {
            return Ok(link.clone());
        }
        let runtime = here.as_ref().map_or_else(runtime::handle, |place| Ok(place.runtime.clone()))?;
        let clock = here.as_ref().map_or_else(Clock::real, |place| place.clock.clone());
        let authentication = self.options.authentication.as_ref();
        let authorization = authentication.map(|a| a.authorization(clock.clone())).transpose()?;
        let trust = Trust::default();
        let api =
            Api { path: String::new(), media_type: PROTOBUF, authorization, trust, socket: None, place: here.clone() };
        let detected = {
            let _within = runtime.enter();
            detector::detect(self.uri.clone())?
        };
        Ok(link.insert(Link { runtime, clock, place: here, api, detected }).clone())
    }
}
