//! What a framework or an executor holds of its driver: its status, requests, waiting. The work is done by the loop on
//! the IO thread.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::commands::{self, Sender};
use super::queue::CallbackQueue;
use super::run::{Command, Loop, Start};
use super::status::{Shared, Status};
use crate::Result;
use crate::clock::Clock;
use crate::clock::places::Place;
use crate::clock::skipping::{Skipping, Waiting};
use crate::per_process;
use crate::session::{Session, Summary};

/// The driver of a session. Every method may be called from any thread.
///
/// ```
/// use remesos::driver::{Handle, Status};
/// use remesos::session::scheduler::SchedulerSession;
///
/// let driver = Handle::<SchedulerSession>::default();
/// assert_eq!(driver.status(), Status::NotStarted);
/// assert_eq!(driver.stop(false), Status::NotStarted);
/// ```
///
/// In a child process that was forked after the start, the driver is stopped: the threads that do the work belong to
/// the parent, and so do the locks, which may have been held at the time of the fork.
#[derive(Debug)]
pub struct Handle<S: Session> {
    /// The process that started it.
    process: OnceLock<u32>,
    commands: OnceLock<Sender<Command<S::Request>>>,
    /// What it asks for the time, from its start.
    clock: OnceLock<Clock>,
    shared: Arc<Shared>,
    queue: Arc<CallbackQueue<S::Callback>>,
}

impl<S: Session> Default for Handle<S> {
    fn default() -> Self {
        Self {
            process: OnceLock::new(),
            commands: OnceLock::new(),
            clock: OnceLock::new(),
            shared: Arc::default(),
            queue: Arc::default(),
        }
    }
}

impl<S: Session> Handle<S> {
    /// Starts the driver if it was not started before; returns whether this call did. `prepare` is called in that case,
    /// within the runtime: that of the cluster at `place`, or the one that all others share.
    ///
    /// Fails, and is aborted then, if `prepare` does.
    pub(super) fn start(&self, place: Option<&Place>, prepare: impl FnOnce() -> Result<Start<S>>) -> Result<bool> {
        if self.is_inherited() {
            return Ok(false);
        }
        let mut state = self.shared.lock();
        if state.status != Status::NotStarted {
            return Ok(false);
        }
        // Only here, once: the lock on the status is held.
        let _ = self.process.set(per_process::id());
        let prepared = self.prepare(place, prepare);
        state.status = if prepared.is_ok() { Status::Running } else { Status::Aborted };
        // A task that cannot be spawned any more says that it is finished.
        drop(state);
        prepared.map(|spawn| {
            spawn();
            true
        })
    }

    /// Stops the driver. Returns `Stopped`, or `Aborted` if it was aborted before. A scheduler's framework is removed
    /// unless `failover`.
    pub fn stop(&self, failover: bool) -> Status {
        if self.is_inherited() {
            return Status::Stopped;
        }
        let mut state = self.shared.lock();
        let before = state.status;
        if matches!(before, Status::Running | Status::Aborted) {
            state.status = Status::Stopped;
            drop(state);
            self.queue.close();
            if !self.send(Command::Stop { failover }) {
                self.shared.lock().finished = true;
            }
            self.shared.changed();
        }
        if before == Status::Running { Status::Stopped } else { before }
    }

    /// Aborts the driver if it runs: no callback is made any more. Returns its status.
    pub fn abort(&self) -> Status {
        if self.is_inherited() {
            return Status::Stopped;
        }
        let mut state = self.shared.lock();
        if state.status == Status::Running {
            state.status = Status::Aborted;
            drop(state);
            self.send(Command::Abort);
            self.queue.close();
            self.shared.changed();
            return Status::Aborted;
        }
        state.status
    }

    /// Ends the driver as dropping it does, although others still hold it: it leaves its master as it is, and disconnects
    /// from it.
    pub fn let_go(&self) {
        self.stop(true);
        if !self.is_inherited() {
            self.send(Command::LetGo);
        }
    }

    /// Waits at most so long for the driver to end; `None` while it runs. A stopped driver has ended once its last
    /// calls are out.
    pub fn wait(&self, at_most: Duration) -> Option<Status> {
        if self.is_inherited() {
            return Some(Status::Stopped);
        }
        let _waiting = self.waiting();
        self.shared.wait(at_most)
    }

    /// Waits until the driver has ended, as [`Handle::wait`] does.
    pub async fn ended(&self) {
        if !self.is_inherited() {
            let _waiting = self.waiting();
            self.shared.ended().await;
        }
    }

    /// The driver's status now.
    pub fn status(&self) -> Status {
        if self.is_inherited() { Status::Stopped } else { self.shared.lock().status }
    }

    /// Whether the driver runs.
    pub fn is_running(&self) -> bool {
        self.status() == Status::Running
    }

    /// Returns something of what the driver was told so far; `None` in a forked child.
    pub fn summary<T>(&self, look: impl FnOnce(&Summary) -> T) -> Option<T> {
        (!self.is_inherited()).then(|| look(&self.shared.summary()))
    }

    /// What the driver asks for the time: the world's clock until it is started.
    pub fn clock(&self) -> &Clock {
        static REAL: Clock = Clock::real();
        self.clock.get().unwrap_or(&REAL)
    }

    /// Whoever holds this waits for the driver: the time may move, if the driver's clock moves only when it is told to.
    pub fn waiting(&self) -> Option<Waiting> {
        self.clock().as_skipping().map(Skipping::wait)
    }

    /// Whether another process started it, of which this one is a fork.
    fn is_inherited(&self) -> bool {
        self.process.get().is_some_and(|&process| process != per_process::id())
    }

    /// The callbacks to make.
    pub(super) fn queue(&self) -> &CallbackQueue<S::Callback> {
        &self.queue
    }

    /// Hands a request on, in order, if the driver runs. Returns its status.
    pub(super) fn request(&self, request: S::Request) -> Status {
        let status = self.status();
        if status == Status::Running {
            self.send(Command::Request(request));
        }
        status
    }

    fn send(&self, command: Command<S::Request>) -> bool {
        let Some(commands) = self.commands.get() else { return false };
        let patient = matches!(&command, Command::Request(request) if S::may_wait(request));
        let Some(clock) = self.clock().as_skipping() else { return commands.send(command, patient) };
        let commands = commands.clone();
        // If the task is gone it has said that it is finished.
        clock.input(move || {
            commands.send(command, patient);
        });
        true
    }

    /// Makes everything ready for the driver's task; what is returned spawns it.
    fn prepare(&self, place: Option<&Place>, prepare: impl FnOnce() -> Result<Start<S>>) -> Result<Box<dyn FnOnce()>> {
        let runtime = match place {
            Some(place) => place.runtime.clone(),
            None => super::runtime::handle()?,
        };
        let _context = runtime.enter();
        let start = prepare()?;
        let clock = start.clock.clone();
        let (sender, commands) = commands::queue(clock.clone());
        let running = Loop::new(start, commands, self.queue.clone(), self.shared.clone()).run();
        let _ = self.clock.set(clock.clone());
        // Only `start` comes here, once: the lock on the status is held.
        let _ = self.commands.set(sender);
        let runtime = runtime.clone();
        Ok(Box::new(move || match clock.as_skipping() {
            None => drop(runtime.spawn(running)),
            Some(clock) => clock.input(move || drop(runtime.spawn(running))),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::sync::watch;

    use super::*;
    use crate::driver::transport::Api;
    use crate::session::executor::{Callback, ExecutorSession, Request};
    use crate::session::{Candidates, Notice, Output, Unanswered};
    use crate::wire::executor::Envelope;

    /// Panics at the first thing it is told.
    struct Broken;

    impl Session for Broken {
        type Request = Request;
        type Call = Envelope;
        type Callback = Callback;

        fn handle_notice(&mut self, _: Instant, _: Notice<Envelope>) {
            panic!("on purpose");
        }

        fn handle_request(&mut self, _: Instant, _: Request) {}

        fn poll_output(&mut self) -> Option<Output<Envelope, Callback>> {
            None
        }

        fn poll_timeout(&self) -> Option<Instant> {
            None
        }

        fn unanswered(call: Envelope) -> Unanswered<Envelope> {
            ExecutorSession::unanswered(call)
        }
    }

    fn start(handle: &Handle<Broken>) -> watch::Sender<Candidates> {
        let (detector, endpoint) = watch::channel(Candidates::default());
        let trust = Default::default();
        let api = Api { path: "/".to_owned(), media_type: "", authorization: None, trust, socket: None, place: None };
        let started = handle
            .start(None, || Ok(Start { session: Broken, endpoint, api, clock: Clock::real(), end_within: |_| {} }));
        assert!(started.expect("an IO thread"));
        detector
    }

    #[tokio::test]
    async fn a_task_takes_deliveries_as_a_thread_does() {
        let handle = Handle::<Broken>::default();
        let _detector = start(&handle);
        let mut told = handle.recv().await.expect("an error");
        let delivery = told.next().expect("an error");
        assert!(delivery.begin(|error| assert!(error.is_bug(), "{error}")));
        assert!(matches!(delivery.callback(), Callback::Error(_)));
        assert_eq!(handle.status(), Status::Aborted);
        assert!(!delivery.begin(|_| panic!("told already")), "an aborted driver makes no callback");
        assert!(handle.recv().await.is_none());
    }

    #[test]
    fn a_panic_ends_its_driver_with_an_error_and_no_other_driver() {
        for _ in 0..2 {
            let handle = Handle::<Broken>::default();
            let _detector = start(&handle);
            let mut told = handle.blocking_recv().expect("an error");
            let delivery = told.next().expect("an error");
            assert!(delivery.begin(|error| {
                assert!(error.is_bug() && error.to_string().contains("a bug in remesos: on purpose"), "{error}");
                assert_eq!(handle.status(), Status::Running, "told before the driver is aborted");
            }));
            assert_eq!(handle.status(), Status::Aborted);
            delivery.ack();
            assert!(handle.blocking_recv().is_none());
            assert_eq!(handle.stop(false), Status::Aborted);
            assert_eq!(handle.wait(Duration::from_secs(10)), Some(Status::Stopped));
        }
    }
}
