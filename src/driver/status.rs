//! Where a driver stands, for those who ask and those who wait.
//!
//! Statuses follow `MesosSchedulerDriver` in `src/sched/sched.cpp` and `MesosExecutorDriver` in `src/exec/exec.cpp`.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock;
use crate::session::Summary;

/// `mesos.Status`, with its numbers.
///
/// ```
/// use remesos::driver::{ExecutorDriver, Status};
///
/// assert_eq!(ExecutorDriver::default().status(), Status::NotStarted);
/// assert_eq!(Status::Stopped as i32, 4);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Status {
    NotStarted = 1,
    Running = 2,
    Aborted = 3,
    Stopped = 4,
}

/// A status that threads share.
#[derive(Debug)]
pub struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    changed_for_tasks: Notify,
    summary: Mutex<Summary>,
}

/// What is shared.
#[derive(Debug)]
pub struct State {
    pub status: Status,
    /// Whether the last calls are out.
    pub finished: bool,
}

impl Default for Shared {
    fn default() -> Self {
        let state = State { status: Status::NotStarted, finished: false };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            changed_for_tasks: Notify::new(),
            summary: Mutex::default(),
        }
    }
}

impl Shared {
    /// Locks it.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks what the driver was told so far.
    pub fn summary(&self) -> MutexGuard<'_, Summary> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who wait, after a change.
    pub fn changed(&self) {
        self.changed.notify_all();
        self.changed_for_tasks.notify_waiters();
    }

    /// The last calls are out.
    pub fn finish(&self) {
        self.lock().finished = true;
        self.changed();
    }

    /// Waits at most so long for the driver to end; `None` while it runs. A stopped driver has ended once its last
    /// calls are out.
    pub fn wait(&self, at_most: Duration) -> Option<Status> {
        let begin = clock::now();
        let mut state = self.lock();
        loop {
            if state.has_ended() {
                return Some(state.status);
            }
            let left = at_most.checked_sub(clock::now().saturating_duration_since(begin))?;
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for the driver to end, as [`Shared::wait`] does.
    pub async fn ended(&self) {
        loop {
            // Created first: it is woken by every change from here on.
            let changed = self.changed_for_tasks.notified();
            if self.lock().has_ended() {
                return;
            }
            changed.await;
        }
    }
}

impl State {
    fn has_ended(&self) -> bool {
        match self.status {
            Status::Running => false,
            Status::Stopped => self.finished,
            Status::NotStarted | Status::Aborted => true,
        }
    }
}
