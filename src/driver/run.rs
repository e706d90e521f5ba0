//! The driver loop: one task that feeds a session with what happens and does what it says.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::calls::{Calls, Progress};
use super::commands::Receiver;
use super::queue::CallbackQueue;
use super::status::Shared;
use super::stream::EventStream;
use super::transport::Api;
use crate::Error;
use crate::clock::{Clock, Timer};
use crate::session::{Callback, Candidates, Endpoint, Notice, Output, Session, StreamEvent};

/// How long the last calls, TEARDOWN among them, may take to be answered.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// A time that is noticed this late shows that the process was paused.
const LATE: Duration = Duration::from_secs(1);
/// How often the runtime is given a turn, to find out what waits in a socket, before a time counts as over.
const TURNS: usize = 8;

/// What a driver needs to run.
pub struct Start<S> {
    pub session: S,
    /// Who is to be talked to.
    pub endpoint: watch::Receiver<Candidates>,
    pub api: Api,
    pub clock: Clock,
    /// What `Output::EndWithin` asks for.
    pub end_within: fn(Duration),
}

/// What the holder of a driver wants of it.
#[derive(Debug)]
pub enum Command<R> {
    Request(R),
    Stop { failover: bool },
    Abort,
    LetGo,
}

/// Everything a driver's task works with.
pub struct Loop<S: Session> {
    start: Start<S>,
    commands: Receiver<Command<S::Request>>,
    queue: Arc<CallbackQueue<S::Callback>>,
    shared: Arc<Shared>,
    link: Option<Link<S>>,
    /// Whether nobody uses the driver any more.
    let_go: bool,
}

/// The connections of one attempt to subscribe.
struct Link<S: Session> {
    attempt: u64,
    endpoint: Endpoint,
    stream: EventStream,
    /// When the stream last brought something.
    heard: Instant,
    /// From when the stream stands.
    calls: Option<Calls<S>>,
}

/// Whoever waits for the driver does not wait for a task that is gone with its runtime.
impl<S: Session> Drop for Loop<S> {
    fn drop(&mut self) {
        self.shared.finish();
    }
}

impl<S: Session> Loop<S> {
    /// Nothing is done yet.
    pub fn new(
        start: Start<S>,
        commands: Receiver<Command<S::Request>>,
        queue: Arc<CallbackQueue<S::Callback>>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { start, commands, queue, shared, link: None, let_go: false }
    }

    /// Runs until the session is finished and, if it lingers, the driver is gone. A panic, should there be one, ends
    /// this driver with an error, and no other.
    pub async fn run(self) {
        let (queue, shared, clock) = (self.queue.clone(), self.shared.clone(), self.start.clock.clone());
        if let Err(panic) = AssertUnwindSafe(self.run_session()).catch_unwind().await {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            tracing::error!("The driver's task panicked, which is a bug in remesos: {text}");
            deliver(&queue, &clock, bug(&text));
            shared.finish();
        }
    }

    /// What has come is read first: no time counts as over because of what waits in a socket, and no framework that is
    /// to be removed is left at a master that has just got its SUBSCRIBE.
    async fn run_session(mut self) {
        self.on_detected();
        let mut timer = None;
        loop {
            if let Some(linger) = self.flush_outputs() {
                return self.finish(linger).await;
            }
            let full = self.queue.is_full();
            self.set_timer(&mut timer, full);
            let (mut stream, mut calls) = (None, None);
            if let Some(link) = &mut self.link {
                let heard = link.heard;
                self.commands.set_turn(link.stream.turn());
                stream = Some(&mut link.stream);
                calls = link.calls.as_mut().map(|calls| (calls, heard));
            }
            tokio::select! {
                biased;
                event = async { present(stream).await.next().await }, if !full => self.on_stream(event),
                changed = self.start.endpoint.changed() => match changed {
                    Ok(()) => self.on_detected(),
                    Err(_) => return self.on_detector_lost(),
                },
                progress = async {
                    let (calls, heard) = present(calls).await;
                    calls.progress(heard).await
                } => self.on_progress(progress),
                commands = self.commands.recv(), if !self.let_go => match commands {
                    Some(commands) => self.on_commands(commands),
                    None => self.on_let_go(),
                },
                () = self.queue.taken(), if full => self.notice(Notice::ReadingResumed),
                () = async { present(timer.as_mut()).await.await } => {
                    timer = None;
                    self.on_timeout().await;
                }
            }
        }
    }

    /// Sets the timer for the time that the session waits for, if it is to be noticed. The timer may be early, since that
    /// time moves with each event: then it is set again when it is over. A clock that is told to move would stop there.
    fn set_timer(&self, timer: &mut Option<Timer>, full: bool) {
        let clock = &self.start.clock;
        match (self.start.session.poll_timeout().filter(|_| !full), timer) {
            (None, timer) => *timer = None,
            (Some(due), Some(timer)) if timer.deadline() <= due && clock.as_skipping().is_none() => {}
            (Some(due), Some(timer)) => timer.reset(due),
            (Some(due), timer) => *timer = Some(clock.timer(due)),
        }
    }

    fn notice(&mut self, notice: Notice<S::Call>) {
        self.start.session.handle_notice(self.start.clock.now(), notice);
    }

    fn on_detected(&mut self) {
        let detected = self.start.endpoint.borrow_and_update().clone();
        self.notice(Notice::Detected(detected));
    }

    /// Nobody is left who could stop the driver: it leaves its master as it is.
    fn on_let_go(&mut self) {
        self.let_go = true;
        self.notice(Notice::Stop { failover: true });
    }

    fn on_detector_lost(&mut self) {
        deliver(&self.queue, &self.start.clock, bug("the detector of masters ended"));
        self.shared.finish();
    }

    /// Takes in all that waits, so that many calls share one write.
    fn on_commands(&mut self, mut commands: VecDeque<Command<S::Request>>) {
        while let Some(command) = commands.pop_front() {
            self.on_command(command);
        }
        self.commands.reuse(commands);
    }

    fn on_command(&mut self, command: Command<S::Request>) {
        match command {
            Command::Request(request) => self.start.session.handle_request(self.start.clock.now(), request),
            Command::Stop { failover } => self.notice(Notice::Stop { failover }),
            Command::Abort => self.notice(Notice::Abort),
            Command::LetGo => self.on_let_go(),
        }
    }

    fn on_stream(&mut self, event: StreamEvent) {
        let Some(link) = &mut self.link else { return };
        if let StreamEvent::Opened(id) = &event {
            self.shared.summary().opened(link.endpoint.to_string(), id.as_deref());
            link.calls = Some(Calls::new(
                self.start.api.clone(),
                link.endpoint.clone(),
                id.as_deref(),
                self.start.clock.clone(),
            ));
        }
        link.heard = self.start.clock.now();
        self.start.session.handle_notice(link.heard, Notice::Stream(link.attempt, event));
    }

    fn on_progress(&mut self, progress: Progress<S::Call>) {
        match (progress, &self.link) {
            (Progress::Answered(call, status, body), _) => self.notice(Notice::Answered { call, status, body }),
            (Progress::Stuck(why), Some(link)) => {
                self.notice(Notice::Stream(link.attempt, StreamEvent::Closed(why)));
            }
            (Progress::Stuck(_), None) => {}
        }
    }

    /// A time is over, unless something came that waits to be read.
    async fn on_timeout(&mut self) {
        if self.start.session.poll_timeout().is_none_or(|due| self.start.clock.now() < due) {
            return;
        }
        for _ in 0..TURNS {
            if let Some(event) = self.link.as_mut().and_then(|link| link.stream.next().now_or_never()) {
                return self.on_stream(event);
            }
            yield_now().await;
        }
        let now = self.start.clock.now();
        if self.start.session.poll_timeout().is_some_and(|due| now.saturating_duration_since(due) > LATE) {
            tracing::info!("This process was paused; reading what arrived in the meantime");
            self.notice(Notice::ReadingResumed);
        }
        self.notice(Notice::Timeout);
    }

    /// Does what the session says; `Some` when it is finished, with whether to linger.
    fn flush_outputs(&mut self) -> Option<bool> {
        let finished = self.take_outputs();
        self.queue.tell();
        finished
    }

    fn take_outputs(&mut self) -> Option<bool> {
        while let Some(output) = self.start.session.poll_output() {
            match output {
                Output::Subscribe(attempt, endpoint, call) => {
                    self.leave();
                    self.link = Some(self.open(attempt, endpoint, call));
                }
                Output::Transmit(call) => self.transmit(call),
                Output::Disconnect => self.leave(),
                Output::Deliver(callback) => {
                    callback.summarize(&mut self.shared.summary());
                    push(&self.queue, &self.start.clock, callback);
                }
                Output::EndWithin(grace) => (self.start.end_within)(grace),
                Output::Finished { linger } => return Some(linger),
            }
        }
        None
    }

    fn open(&self, attempt: u64, endpoint: Endpoint, call: bytes::Bytes) -> Link<S> {
        tracing::debug!("Subscribing at {endpoint}, attempt {attempt}");
        let stream = EventStream::new(self.start.api.clone(), endpoint.clone(), call);
        Link { attempt, endpoint, stream, heard: self.start.clock.now(), calls: None }
    }

    /// Drops the connections; calls that were accepted and not processed are answered by the session.
    fn leave(&mut self) {
        if let Some(calls) = self.link.take().and_then(|mut link| link.calls.take()) {
            let left = calls.leave();
            self.notice(Notice::Unsent { calls: left.unsent, timestamp: self.start.clock.timestamp() });
            self.notice(Notice::Inquiries(left.inquiries));
        }
    }

    fn transmit(&mut self, call: S::Call) {
        match self.link.as_mut().and_then(|link| link.calls.as_mut()) {
            Some(calls) => calls.push(call),
            None => self.notice(Notice::Unsent { calls: vec![call], timestamp: self.start.clock.timestamp() }),
        }
    }

    async fn finish(mut self, linger: bool) {
        let Some(mut link) = self.link.take() else {
            return self.shared.finish();
        };
        if let Some(calls) = &mut link.calls
            && timeout(FLUSH_TIMEOUT, calls.flush()).await.is_err()
        {
            tracing::warn!("The last calls were not answered within {FLUSH_TIMEOUT:?}");
        }
        self.shared.finish();
        if linger && !self.let_go {
            self.drain(&mut link).await;
        }
    }

    /// Keeps the stream open and reads it, until the master closes it or nobody uses the driver any more.
    async fn drain(&mut self, link: &mut Link<S>) {
        loop {
            tokio::select! {
                biased;
                event = link.stream.next() => {
                    if matches!(event, StreamEvent::Closed(_)) {
                        return;
                    }
                }
                commands = self.commands.recv() => {
                    let Some(mut commands) = commands else { return };
                    if commands.drain(..).any(|command| matches!(command, Command::LetGo)) {
                        return;
                    }
                    self.commands.reuse(commands);
                }
            }
        }
    }
}

/// Has a callback made: at once, or when its turn comes.
pub fn deliver<C: Callback>(queue: &Arc<CallbackQueue<C>>, clock: &Clock, callback: C) {
    push(queue, clock, callback);
    queue.tell();
}

/// Adds a callback to those that are made when the queue is told, or, with a clock that is told to move, when its turn
/// comes.
fn push<C: Callback>(queue: &Arc<CallbackQueue<C>>, clock: &Clock, callback: C) {
    match clock.as_skipping() {
        None => queue.push(callback, None),
        Some(clock) => {
            let queue = queue.clone();
            clock.callback(move |busy| {
                queue.push(callback, Some(busy));
                queue.tell();
            });
        }
    }
}

fn bug<C: Callback>(what: &str) -> C {
    C::of_error(Error::bug(format!("Internal error of the driver, a bug in remesos: {what}")))
}

/// What is there; for ever pending if nothing is, so that a branch of `select!` never fires.
async fn present<T>(thing: Option<T>) -> T {
    match thing {
        Some(thing) => thing,
        None => std::future::pending().await,
    }
}
