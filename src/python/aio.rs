//! `mesos._core.Events`: a driver's callbacks as events for an asyncio loop. What waits in the driver's queue is taken
//! on the loop's thread, without another thread. If nothing waits, the loop watches a file descriptor, to which the driver
//! writes: no thread of the driver's runs Python code or waits for the interpreter.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Wake, Waker};

use nix::sys::eventfd::{EfdFlags, EventFd};
use pyo3::exceptions::PyStopAsyncIteration;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::dispatcher::Callbacks;
use super::futures::{self, Future};
use super::{errors, guarded};
use crate::Error;
use crate::clock::skipping::Waiting;
use crate::driver::{Delivery, HandedOut};
use crate::per_process::PerProcess;
use crate::session::Callback;

/// The class of an event for each callback's name.
pub type Classes = HashMap<String, Py<PyAny>>;

static OPEN: PerProcess<Mutex<Vec<Weak<dyn Source>>>> = PerProcess::new();

/// The events of one driver. Those that were not asked for stay in the driver's queue.
#[pyclass(frozen, module = "mesos._core")]
pub struct Events {
    source: Arc<dyn Source>,
    alarm: Mutex<Option<Arc<Alarm>>>,
    /// Lets the time of a cluster move while its events are waited for.
    waiting: Mutex<Option<Waiting>>,
}

/// The file descriptor that becomes readable when there is something to do.
struct Alarm(EventFd);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        // It fails only if it is readable already.
        let _ = self.0.write(1);
    }
}

/// A driver, of whichever session.
trait Source: Send + Sync {
    /// See [`Events::next`].
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>>;
    /// Ends the last event. It is not acknowledged unless that is wanted.
    fn end_last(&self, acknowledge: bool);
    /// See [`Events::acknowledged`].
    fn acknowledged(&self);
    /// See [`Events::release_last`].
    fn release_last(&self);
    /// See [`Events::error`].
    fn error(&self) -> Option<String>;
    /// Whether `next` has something to say; if not, the waker is woken when it has.
    fn is_ready(&self, waker: &Waker) -> bool;
    /// See [`Events::wait`].
    fn wait(&self) -> Option<Waiting>;
    /// Waits until the driver has ended.
    fn ended(&self) -> Future;
    /// Stops the driver for the interpreter's end.
    fn leave(&self);
}

struct Stream<C: Callbacks> {
    core: Arc<C::Core>,
    callbacks: C,
    classes: Classes,
    last: Mutex<Option<HandedOut<C::Session>>>,
    error: Mutex<Option<Error>>,
}

impl Events {
    /// The events of a driver that was started.
    pub fn new<C: Callbacks>(core: Arc<C::Core>, callbacks: C, classes: Classes) -> Self {
        let stream = Stream { core, callbacks, classes, last: Mutex::default(), error: Mutex::default() };
        let source: Arc<dyn Source> = Arc::new(stream);
        let mut open = lock(OPEN.get());
        open.retain(|source| source.strong_count() > 0);
        open.push(Arc::downgrade(&source));
        Self { source, alarm: Mutex::default(), waiting: Mutex::default() }
    }
}

impl Events {
    fn alarm(&self) -> PyResult<Arc<Alarm>> {
        let mut alarm = lock(&self.alarm);
        if let Some(alarm) = &*alarm {
            return Ok(alarm.clone());
        }
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let made = EventFd::from_value_and_flags(0, flags).map_err(std::io::Error::from)?;
        Ok(alarm.insert(Arc::new(Alarm(made))).clone())
    }
}

#[pymethods]
impl Events {
    /// Ends the last event, acknowledges it if that is its turn, and returns the next one; `None` if none waits.
    ///
    /// Raises `StopAsyncIteration` once the driver is stopped or aborted, and `DriverAbortedError` if it was aborted
    /// with an error.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.source.end_last(true);
        self.source.next(py)
    }

    /// Ends the last event, and acknowledges it if that is its turn.
    fn end_last(&self) {
        self.source.end_last(true);
    }

    /// The last event has been acknowledged.
    fn acknowledged(&self) {
        self.source.acknowledged();
    }

    /// Nobody works on the last event any more, though it has not ended: the time of its cluster moves.
    fn release_last(&self) {
        self.source.release_last();
    }

    /// Ends the last event without an acknowledgement.
    fn drop_last(&self) {
        self.source.end_last(false);
    }

    /// The error that aborted the driver, once `next` has raised it.
    fn error(&self) -> Option<String> {
        self.source.error()
    }

    /// The file descriptor that becomes readable when there is something to do.
    ///
    /// Fails if the operating system gives none.
    fn descriptor(&self) -> PyResult<RawFd> {
        Ok(self.alarm()?.0.as_raw_fd())
    }

    /// Begins to wait until `next` has something to say, and returns true; returns false if it has already.
    fn wait(&self) -> PyResult<bool> {
        let is_ready = self.source.is_ready(&Waker::from(self.alarm()?));
        if !is_ready {
            *lock(&self.waiting) = self.source.wait();
        }
        Ok(!is_ready)
    }

    /// Makes the file descriptor unreadable until there is something to do again.
    fn clear(&self) {
        if let Some(alarm) = &*lock(&self.alarm) {
            // It fails only if it is not readable.
            let _ = alarm.0.read();
        }
    }

    /// Ends the wait.
    fn waited(&self) {
        lock(&self.waiting).take();
    }

    /// A future of the running loop that is done when the driver is stopped or aborted and has sent its last call; `None`
    /// if the interpreter is about to end.
    fn ended<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        futures::future(py, self.source.ended())
    }
}

impl<C: Callbacks> Source for Stream<C> {
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(error) = &*lock(&self.error) {
            return Err(errors::driver_aborted(py, error));
        }
        let Some(delivery) = self.core.try_recv() else {
            return if self.core.is_running() { Ok(None) } else { Err(PyStopAsyncIteration::new_err(())) };
        };
        if !delivery.begin(|error| *lock(&self.error) = Some(error.clone())) {
            return Err(PyStopAsyncIteration::new_err(()));
        }
        if let Some(error) = delivery.callback().error() {
            return Err(errors::driver_aborted(py, error));
        }
        let event = self.event(py, &delivery)?;
        *lock(&self.last) = Some(delivery.hand_out());
        Ok(Some(event))
    }

    fn end_last(&self, acknowledge: bool) {
        let last = lock(&self.last).take();
        if let Some(last) = last.filter(|_| acknowledge) {
            self.core.ack(last);
        }
    }

    fn acknowledged(&self) {
        let mut last = lock(&self.last);
        *last = last.take().map(HandedOut::without_request);
    }

    fn release_last(&self) {
        let mut last = lock(&self.last);
        *last = last.take().map(HandedOut::without_busy);
    }

    fn error(&self) -> Option<String> {
        lock(&self.error).as_ref().map(ToString::to_string)
    }

    fn is_ready(&self, waker: &Waker) -> bool {
        self.core.poll_ready(waker).is_ready()
    }

    fn wait(&self) -> Option<Waiting> {
        self.core.waiting()
    }

    fn ended(&self) -> Future {
        let core = self.core.clone();
        Box::pin(async move { core.ended().await })
    }

    fn leave(&self) {
        self.core.stop(true);
        self.end_last(false);
        self.core.wait(C::LAST_WORDS);
    }
}

impl<C: Callbacks> Stream<C> {
    fn event<'py>(&self, py: Python<'py>, delivery: &Delivery<'_, C::Session>) -> PyResult<Bound<'py, PyAny>> {
        let name = C::name(delivery.callback());
        let arguments = PyTuple::new(py, self.callbacks.arguments(py, delivery.callback())?)?;
        match self.classes.get(name) {
            Some(class) => guarded::call(class.bind(py), arguments),
            None => Err(errors::driver(py, &format!("no event for {name}, a bug in remesos"))),
        }
    }
}

/// Stops the drivers that are still open, for the interpreter's exit, and completes no future any more.
pub fn shutdown() {
    let open = std::mem::take(&mut *lock(OPEN.get()));
    open.iter().filter_map(Weak::upgrade).for_each(|source| source.leave());
    futures::shutdown();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
