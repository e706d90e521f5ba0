//! Who makes requests: they are sent by the runtime, and may be waited for in any thread.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::Options;
use super::exchange::Exchange;
use super::request::{Answer, Request, Within};
use crate::clock::Clock;
use crate::clock::places::Place;
use crate::clock::skipping::{Busy, Waiting};
use crate::driver::detector::{self, MasterUri};
use crate::driver::runtime;
use crate::driver::scheduler::place;
use crate::driver::tls::{self, Trust};
use crate::driver::transport::{Api, PROTOBUF};
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
/// let pending = operator.request(request, Within::default())?;
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

/// What requests share.
#[derive(Clone)]
struct Link {
    runtime: Handle,
    clock: Clock,
    place: Option<Arc<Place>>,
    api: Api,
    detected: watch::Receiver<Candidates>,
}

impl Operator {
    /// Nothing is connected to yet.
    ///
    /// Fails if the address cannot be used.
    pub fn new(options: Options) -> Result<Self> {
        let uri = MasterUri::parse(&options.daemon, tls::by_default())?;
        let (leader, _) = watch::channel(None);
        Ok(Self { process: std::process::id(), uri, options, leader, link: Mutex::new(None) })
    }

    /// Whether it belongs to this process.
    pub fn is_of_this_process(&self) -> bool {
        self.process == std::process::id()
    }

    /// Sends a request. Dropping what is returned gives it up.
    ///
    /// Fails if the operator belongs to another process, its authentication cannot be used, or the operating system gives
    /// no thread.
    pub fn request(&self, request: Request, within: Within) -> Result<Pending> {
        if !self.is_of_this_process() {
            return Err(Error::invalid("the operator was made in the process that forked this one: make another here"));
        }
        let link = self.link()?;
        let (sender, answers) = channel();
        let clock = link.clock.as_skipping().cloned();
        // What a callback asks belongs to it, and is answered before it is over.
        let at_once = clock.as_ref().is_none_or(|clock| clock.is_in_callback());
        let exchange = Exchange { api: link.api, detected: link.detected, leader: self.leader.clone(), within };
        let answered = clock.clone().filter(|_| !at_once);
        let work = async move {
            let outcome = exchange.run(request).await;
            // Nobody listens any more if the request was given up.
            let send = move |busy| drop(sender.send((outcome, busy)));
            match answered {
                None => send(None),
                Some(clock) => clock.callback(move |busy| send(Some(busy))),
            }
        };
        let waiting = clock.as_ref().map(|clock| clock.wait());
        let task = match clock {
            None => Task::Spawned(link.runtime.spawn(work).abort_handle()),
            Some(clock) => {
                let (give_up, given_up) = watch::channel(());
                let runtime = link.runtime;
                clock.input(move || drop(runtime.spawn(until_dropped(work, given_up))));
                Task::Input(give_up)
            }
        };
        Ok(Pending { answers: Mutex::new(answers), task, _waiting: waiting })
    }

    fn link(&self) -> Result<Link> {
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

async fn until_dropped(work: impl Future<Output = ()>, mut given_up: watch::Receiver<()>) {
    tokio::select! {
        () = work => {}
        // It is an error if the other end is gone, which is what is waited for.
        _ = given_up.changed() => {}
    }
}

enum Task {
    Spawned(AbortHandle),
    /// Dropping it ends the task.
    #[allow(dead_code)]
    Input(watch::Sender<()>),
}

/// A request that was sent. See [`Operator`] for an example.
pub struct Pending {
    answers: Mutex<Receiver<(Result<Answer>, Option<Busy>)>>,
    task: Task,
    _waiting: Option<Waiting>,
}

impl Pending {
    /// Waits at most so long; `None` if there is no outcome yet. Returns it once.
    pub fn wait(&self, at_most: Duration) -> Option<Result<Answer>> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        match answers.recv_timeout(at_most) {
            Ok((outcome, _busy)) => Some(outcome),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(Error::connection("the cluster has ended"))),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Task::Spawned(task) = &self.task {
            task.abort();
        }
    }
}
