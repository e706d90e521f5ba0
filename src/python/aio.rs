//! `mesos._core.Events`: a driver's callbacks as events for an asyncio loop. What waits in the driver's queue is taken
//! on the loop's thread, without another thread; only if nothing waits is there a future, which `waiting.rs` completes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use pyo3::exceptions::PyStopAsyncIteration;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::dispatcher::Callbacks;
use super::waiting::{self, Waiting};
use super::{errors, guarded};
use crate::Error;
use crate::driver::{Delivery, HandedOut};
use crate::per_process::PerProcess;
use crate::session::Callback;

/// The class of an event for each callback's name.
pub type Classes = HashMap<String, Py<PyAny>>;

static OPEN: PerProcess<Mutex<Vec<Weak<dyn Source>>>> = PerProcess::new();

/// The events of one driver. Those that were not asked for stay in the driver's queue.
#[pyclass(frozen, module = "mesos._core")]
pub struct Events(Arc<dyn Source>);

/// A driver, of whichever session.
trait Source: Send + Sync {
    /// See [`Events::next`].
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>>;
    /// Ends the last event. It is not acknowledged unless that is wanted.
    fn end_last(&self, acknowledge: bool);
    /// See [`Events::acknowledged`].
    fn acknowledged(&self);
    /// See [`Events::error`].
    fn error(&self) -> Option<String>;
    /// Waits until `next` has something to say.
    fn ready(&self) -> Waiting;
    /// Waits until the driver has ended.
    fn ended(&self) -> Waiting;
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
        Self(source)
    }
}

#[pymethods]
impl Events {
    /// Ends the last event, acknowledges it if that is its turn, and returns the next one; `None` if none waits.
    ///
    /// Raises `StopAsyncIteration` once the driver is stopped or aborted, and `DriverAbortedError` if it was aborted
    /// with an error.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.end_last(true);
        self.0.next(py)
    }

    /// Ends the last event, and acknowledges it if that is its turn.
    fn end_last(&self) {
        self.0.end_last(true);
    }

    /// The last event has been acknowledged.
    fn acknowledged(&self) {
        self.0.acknowledged();
    }

    /// Ends the last event without an acknowledgement.
    fn drop_last(&self) {
        self.0.end_last(false);
    }

    /// The error that aborted the driver, once `next` has raised it.
    fn error(&self) -> Option<String> {
        self.0.error()
    }

    /// A future of the running loop that is done when `next` has something to say.
    fn ready<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        waiting::future(py, self.0.ready())
    }

    /// A future of the running loop that is done when the driver is stopped or aborted and has sent its last call.
    fn ended<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        waiting::future(py, self.0.ended())
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

    fn error(&self) -> Option<String> {
        lock(&self.error).as_ref().map(ToString::to_string)
    }

    fn ready(&self) -> Waiting {
        let core = self.core.clone();
        Box::pin(async move { core.ready().await })
    }

    fn ended(&self) -> Waiting {
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
    waiting::shutdown();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
