//! What a framework or an executor holds of its driver: statuses, calls, waiting. The work is done by the loop on the
//! IO thread.
//!
//! Statuses follow `MesosSchedulerDriver` in `src/sched/sched.cpp` and `MesosExecutorDriver` in `src/exec/exec.cpp`.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::queue::CallbackQueue;
use super::run::Loop;
use super::transport::Api;
use crate::Result;
use crate::session::{Endpoint, Notice, Session};

/// `mesos.Status`, with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Status {
    NotStarted = 1,
    Running = 2,
    Aborted = 3,
    Stopped = 4,
}

/// The driver of a session: every method may be called from any thread.
///
/// For a child that was forked after the start it is stopped: the threads that do the work are its parent's, and so are
/// the locks, which may have been held when it forked.
#[derive(Debug)]
pub struct Handle<S: Session> {
    /// The process that started it.
    process: OnceLock<u32>,
    inputs: OnceLock<mpsc::UnboundedSender<S::Input>>,
    shared: Arc<Shared>,
    queue: Arc<CallbackQueue<S::Delivery>>,
}

impl<S: Session> Default for Handle<S> {
    fn default() -> Self {
        let state = State { status: Status::NotStarted, finished: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        Self { process: OnceLock::new(), inputs: OnceLock::new(), shared, queue: Arc::default() }
    }
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    status: Status,
    finished: bool,
}

/// What a driver needs to run.
pub struct Start<S> {
    pub session: S,
    pub endpoint: watch::Receiver<Option<Endpoint>>,
    pub api: Api,
    pub end_within: fn(Duration),
}

/// Tells those who wait that the last calls are out.
#[derive(Clone)]
pub struct Finish(Arc<Shared>);

impl Finish {
    /// The session is finished.
    pub fn set(&self) {
        self.0.lock().finished = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Session> Handle<S> {
    /// Starts the driver where it was not started before; whether this call did. `prepare` is called in that case,
    /// within the runtime.
    ///
    /// Fails, and is aborted then, where `prepare` does.
    pub(super) fn start(&self, prepare: impl FnOnce() -> Result<Start<S>>) -> Result<bool> {
        if self.is_another_s() {
            return Ok(false);
        }
        let mut state = self.shared.lock();
        if state.status != Status::NotStarted {
            return Ok(false);
        }
        // Only here, once: the lock on the status is held.
        let _ = self.process.set(std::process::id());
        let spawned = self.spawn(prepare);
        state.status = if spawned.is_ok() { Status::Running } else { Status::Aborted };
        spawned.map(|()| true)
    }

    /// Stops the driver. Returns `Stopped`, or `Aborted` where it was aborted before. A scheduler's framework is
    /// removed unless `failover`.
    pub fn stop(&self, failover: bool) -> Status {
        if self.is_another_s() {
            return Status::Stopped;
        }
        let mut state = self.shared.lock();
        let before = state.status;
        if matches!(before, Status::Running | Status::Aborted) {
            state.status = Status::Stopped;
            drop(state);
            self.queue.close();
            if !self.input(Notice::Stop { failover }.into()) {
                self.shared.lock().finished = true;
            }
            self.shared.changed.notify_all();
        }
        if before == Status::Running { Status::Stopped } else { before }
    }

    /// Aborts the driver where it runs: no callback is made any more. Returns its status.
    pub fn abort(&self) -> Status {
        if self.is_another_s() {
            return Status::Stopped;
        }
        let mut state = self.shared.lock();
        if state.status == Status::Running {
            state.status = Status::Aborted;
            drop(state);
            self.input(Notice::Abort.into());
            self.queue.close();
            self.shared.changed.notify_all();
            return Status::Aborted;
        }
        state.status
    }

    /// Ends the driver, if it runs, with an error that its owner is told.
    pub fn fail(&self, message: String) {
        if self.status() == Status::Running {
            self.queue.push(S::error(message), 0);
        }
    }

    /// Waits at most so long for the driver to end; `None` while it runs. A stopped driver has ended once its last
    /// calls are out.
    pub fn wait(&self, at_most: Duration) -> Option<Status> {
        if self.is_another_s() {
            return Some(Status::Stopped);
        }
        let until = Instant::now() + at_most;
        let mut state = self.shared.lock();
        loop {
            let ended = match state.status {
                Status::Running => false,
                Status::Stopped => state.finished,
                Status::NotStarted | Status::Aborted => true,
            };
            if ended {
                return Some(state.status);
            }
            let left = until.checked_duration_since(Instant::now())?;
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The driver's status now.
    pub fn status(&self) -> Status {
        if self.is_another_s() { Status::Stopped } else { self.shared.lock().status }
    }

    fn is_another_s(&self) -> bool {
        self.process.get().is_some_and(|&process| process != std::process::id())
    }

    /// The callbacks to make.
    pub fn queue(&self) -> &Arc<CallbackQueue<S::Delivery>> {
        &self.queue
    }

    /// Hands something on, in order, where the driver runs. Returns its status.
    pub(super) fn when_running(&self, input: S::Input) -> Status {
        let status = self.status();
        if status == Status::Running {
            self.input(input);
        }
        status
    }

    fn input(&self, input: S::Input) -> bool {
        self.inputs.get().is_some_and(|inputs| inputs.send(input).is_ok())
    }

    fn spawn(&self, prepare: impl FnOnce() -> Result<Start<S>>) -> Result<()> {
        let runtime = super::runtime::handle()?;
        let _context = runtime.enter();
        let Start { session, endpoint, api, end_within } = prepare()?;
        let (sender, inputs) = mpsc::unbounded_channel();
        let (queue, finish) = (self.queue.clone(), Finish(self.shared.clone()));
        runtime.spawn(Loop { session, inputs, endpoint, queue, api, finish, end_within, let_go: false }.run());
        // Only `start` comes here, once: the lock on the status is held.
        let _ = self.inputs.set(sender);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Output, Unanswered};
    use crate::wire::call::Call;

    /// Panics at the first thing it is told.
    struct Broken;

    impl Session for Broken {
        type Input = Notice<Call>;
        type Call = Call;
        type Delivery = String;

        fn handle_input(&mut self, _: Instant, _: Notice<Call>) {
            panic!("on purpose");
        }

        fn poll_output(&mut self) -> Option<Output<Call, String>> {
            None
        }

        fn poll_timeout(&self) -> Option<Instant> {
            None
        }

        fn unanswered(call: Box<Call>) -> Unanswered<Call> {
            Unanswered::Repeat(call)
        }

        fn error(message: String) -> String {
            message
        }

        fn size(delivery: &String) -> usize {
            delivery.len()
        }
    }

    fn start(handle: &Handle<Broken>) -> watch::Sender<Option<Endpoint>> {
        let (detector, endpoint) = watch::channel(None);
        let api = Api { path: "/".to_owned(), authorization: None, socket: None };
        let started = handle.start(|| Ok(Start { session: Broken, endpoint, api, end_within: |_| {} }));
        assert!(started.expect("an IO thread"));
        detector
    }

    #[test]
    fn a_panic_ends_its_driver_with_an_error_and_no_other_driver() {
        for _ in 0..2 {
            let handle = Handle::<Broken>::default();
            let _detector = start(&handle);
            let told = handle.queue().take().expect("an error");
            assert!(told[0].contains("a bug in remesos: on purpose"), "{told:?}");
            assert_eq!(handle.stop(false), Status::Stopped);
            assert_eq!(handle.wait(Duration::from_secs(10)), Some(Status::Stopped));
        }
    }
}
