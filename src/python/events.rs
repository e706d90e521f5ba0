//! The callbacks of a driver as events that an event loop takes one by one, for `mesos.aio`. No thread makes them: the
//! loop watches the descriptor of a [`Bell`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;

use super::dispatcher::{self, Callbacks};
use crate::clock::skipping::{Busy, Skipping, Waiting};
use crate::driver::{Bell, Handle};
use crate::session::Session;

type Held<C> = (<<C as Callbacks>::Session as Session>::Callback, Option<Busy>);

/// An event: the name of the classic callback, and its arguments.
pub type Event<'py> = (&'static str, Vec<Bound<'py, PyAny>>);

/// The events of one driver.
pub struct Events<C: Callbacks> {
    core: Arc<C::Core>,
    callbacks: C,
    bell: Arc<Bell>,
    taken: Mutex<Taken<C>>,
}

struct Taken<C: Callbacks> {
    waiting: VecDeque<Held<C>>,
    /// The event that the loop works on: it is acknowledged when the next one is asked for.
    current: Option<Held<C>>,
    /// While the loop waits for this driver.
    awaiting: Option<Waiting>,
}

impl<C: Callbacks> Events<C> {
    /// The events of a driver that is not started yet. They are given up when the interpreter exits.
    ///
    /// Fails if there are too few file descriptors, or the interpreter is about to exit.
    pub fn new(core: Arc<C::Core>, callbacks: C) -> PyResult<Self> {
        let bell = Arc::new(Bell::new().map_err(|e| PyOSError::new_err(format!("cannot make a pipe: {e}")))?);
        core.ring_for_loop(&bell);
        dispatcher::end_at_exit::<C>(&core)
            .map_err(|e| PyRuntimeError::new_err(format!("the driver cannot be started: {e}")))?;
        let taken = Taken { waiting: VecDeque::new(), current: None, awaiting: None };
        Ok(Self { core, callbacks, bell, taken: Mutex::new(taken) })
    }

    /// What the loop watches for reading while it waits.
    pub fn descriptor(&self) -> i32 {
        self.bell.descriptor()
    }

    /// The next event, if one waits. The one before is acknowledged, unless the framework does that itself.
    pub fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<Event<'py>>> {
        let core: &Handle<C::Session> = &self.core;
        self.acknowledge();
        let Some((callback, busy)) = self.take() else { return Ok(None) };
        if !core.begin(&callback, |_| {}) {
            self.lock().waiting.clear();
            return Ok(None);
        }
        if let Some(busy) = &busy {
            busy.enter();
        }
        let arguments = self.callbacks.arguments(py, &callback);
        let name = C::name(&callback);
        self.lock().current = Some((callback, busy));
        arguments.map(|arguments| Some((name, arguments)))
    }

    /// The event that was taken last has been dealt with.
    fn acknowledge(&self) {
        let current = self.lock().current.take();
        if let Some((callback, _busy)) = current {
            self.core.ack(callback);
        }
    }

    fn take(&self) -> Option<Held<C>> {
        let mut taken = self.lock();
        if taken.waiting.is_empty() {
            taken.waiting = self.core.try_recv();
        }
        taken.waiting.pop_front()
    }

    /// The event that was taken last is not acknowledged.
    pub fn forget(&self) {
        let mut taken = self.lock();
        let (current, waiting) = (taken.current.take(), std::mem::take(&mut taken.waiting));
        drop(taken);
        drop((current, waiting));
    }

    /// Begins to wait for an event, or for the end of the driver if `for_end`. Returns false if there is nothing to wait
    /// for: there is one already.
    pub fn arm(&self, for_end: bool) -> bool {
        self.bell.arm();
        let is_ready = if for_end { self.has_ended() } else { self.core.is_ready() || !self.lock().waiting.is_empty() };
        if is_ready {
            self.disarm();
        } else {
            let awaiting = self.core.clock().as_skipping().map(Skipping::wait);
            self.lock().awaiting = awaiting;
        }
        !is_ready
    }

    /// Ends to wait.
    pub fn disarm(&self) {
        self.bell.silence();
        let awaiting = self.lock().awaiting.take();
        drop(awaiting);
    }

    /// Whether the driver has ended and its last calls are out.
    pub fn has_ended(&self) -> bool {
        self.core.wait(std::time::Duration::ZERO).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Taken<C>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
