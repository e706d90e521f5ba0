//! Futures of an asyncio loop that wait for a driver or an answer, on the runtime that the drivers of this process share.
//! That runtime belongs to a process: a forked child has its own.
//!
//! What completes a future runs Python code. It does so on one thread of its own, so that no IO waits for the
//! interpreter, and so that it can be ended before the interpreter does.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::sync::oneshot;

use super::guarded::{self, guarded};
use super::threads::{self, EXIT_TIMEOUT, PythonThread};
use crate::clock;
use crate::driver::runtime;
use crate::per_process::PerProcess;

/// The name of the thread that completes futures.
const THREAD: &str = "mesos-asyncio";

static COMPLETER: PerProcess<Mutex<Option<Completer>>> = PerProcess::new();
/// The interpreter is about to exit: no future is made and none is completed from now on.
static ENDING: AtomicBool = AtomicBool::new(false);
/// How many futures are being made at this moment.
static BEING_MADE: AtomicUsize = AtomicUsize::new(0);

/// The end of a driver, for which a future waits.
pub type Future = Pin<Box<dyn std::future::Future<Output = ()> + Send>>;
type Job = Box<dyn FnOnce(Python<'_>) + Send>;

/// The thread that completes futures. It ends when its jobs do.
struct Completer {
    jobs: Sender<Job>,
    thread: PythonThread,
}

/// Makes a future of the running loop that is done when something is, with its outcome as result. Cancelling it ends the
/// wait. `None` if the interpreter is about to end: nothing is waited for any more.
///
/// Fails if no loop runs in this thread, or the operating system gives no thread.
pub fn future<W>(py: Python<'_>, waiting: W) -> PyResult<Option<Bound<'_, PyAny>>>
where
    W: std::future::Future<Output: for<'py> IntoPyObject<'py> + Send + 'static> + Send + 'static,
{
    BEING_MADE.fetch_add(1, Ordering::SeqCst);
    let made = (!ENDING.load(Ordering::SeqCst)).then(|| guarded(|| make(py, waiting)));
    BEING_MADE.fetch_sub(1, Ordering::SeqCst);
    // One that failed because of that is none either.
    made.transpose().or_else(|error| if ENDING.load(Ordering::SeqCst) { Ok(None) } else { Err(error) })
}

fn make<W>(py: Python<'_>, waiting: W) -> PyResult<Bound<'_, PyAny>>
where
    W: std::future::Future<Output: for<'py> IntoPyObject<'py> + Send + 'static> + Send + 'static,
{
    let event_loop = running_loop(py)?;
    let runtime = runtime::handle()?;
    start_completer().map_err(|e| PyRuntimeError::new_err(format!("no thread to complete futures: {e}")))?;
    let future = guarded::call_method(&event_loop, "create_future", ())?;
    let (give_up, given_up) = oneshot::channel();
    guarded::call_method(&future, "add_done_callback", (Done(Mutex::new(Some(give_up))),))?;
    let promise = Promise { event_loop: event_loop.unbind(), future: future.clone().unbind() };
    runtime.spawn(async move {
        let outcome = tokio::select! {
            biased;
            _ = given_up => None,
            outcome = waiting => Some(outcome),
        };
        if let Some(completer) = &*lock_completer() {
            // After `shutdown` nobody completes it.
            drop(completer.jobs.send(Box::new(move |py| promise.settle(py, outcome))));
        }
    });
    Ok(future)
}

/// Whoever runs a loop has imported asyncio, which nobody else has to wait for.
fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let imported = guarded::attribute(&guarded::import(py, "sys")?, "modules")?;
    let asyncio = imported.get_item("asyncio").map_err(|_| PyRuntimeError::new_err("no running event loop"))?;
    guarded::call_method(&asyncio, "get_running_loop", ())
}

/// Called by the loop when a future is done, most of all if it was cancelled: nothing is waited for any more.
#[pyclass(frozen, module = "mesos._core")]
struct Done(Mutex<Option<oneshot::Sender<()>>>);

#[pymethods]
impl Done {
    fn __call__(&self, _future: &Bound<'_, PyAny>) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// A future that is to be completed.
struct Promise {
    event_loop: Py<PyAny>,
    future: Py<PyAny>,
}

impl Promise {
    /// Has the loop complete the future, unless it was given up.
    fn settle<'py>(self, py: Python<'py>, outcome: Option<impl IntoPyObject<'py>>) {
        let Some(outcome) = outcome else { return };
        let (set, value) = match outcome.into_bound_py_any(py) {
            Ok(result) => ("set_result", result),
            Err(error) => ("set_exception", error.into_value(py).into_bound(py).into_any()),
        };
        let arguments = (Settle, self.future, set, value);
        // It fails if the loop is closed: nobody waits any more.
        drop(guarded::call_method(self.event_loop.bind(py), "call_soon_threadsafe", arguments));
    }
}

/// Called by the loop to complete a future.
#[pyclass(frozen, module = "mesos._core")]
struct Settle;

#[pymethods]
impl Settle {
    fn __call__<'py>(&self, future: &Bound<'py, PyAny>, set: &str, value: Bound<'py, PyAny>) -> PyResult<()> {
        // It may have been cancelled since.
        if !guarded::call_method(future, "done", ())?.is_truthy()? {
            guarded::call_method(future, set, (value,))?;
        }
        Ok(())
    }
}

fn start_completer() -> std::io::Result<()> {
    let mut completer = lock_completer();
    // `shutdown` says so before it takes this lock, so it misses no thread.
    if ENDING.load(Ordering::SeqCst) {
        return Err(std::io::Error::other("the interpreter is about to end"));
    }
    if completer.is_none() {
        let (jobs, to_do) = mpsc::channel();
        let thread = PythonThread::spawn(THREAD, move || complete(to_do))?;
        *completer = Some(Completer { jobs, thread });
    }
    Ok(())
}

fn complete(jobs: Receiver<Job>) {
    let mut held = Some(jobs);
    let attached = Python::try_attach(|py| {
        let Some(jobs) = held.take().map(Mutex::new) else { return };
        let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        while let Ok(job) = py.detach(next) {
            if !ENDING.load(Ordering::SeqCst) {
                guarded(|| job(py));
            }
        }
    });
    if attached.is_none() {
        // The interpreter is gone, and with it what could let Python's objects go.
        std::mem::forget(held);
    }
}

/// Makes no future and completes none after this; waits, not for long, for what is in progress.
pub fn shutdown() {
    ENDING.store(true, Ordering::SeqCst);
    if let Some(Completer { jobs, thread }) = lock_completer().take() {
        drop(jobs);
        threads::end(&[&thread]);
    }
    let until = clock::now() + EXIT_TIMEOUT;
    while BEING_MADE.load(Ordering::SeqCst) > 0 && clock::now() < until {
        std::thread::yield_now();
    }
}

fn lock_completer() -> std::sync::MutexGuard<'static, Option<Completer>> {
    COMPLETER.get().lock().unwrap_or_else(PoisonError::into_inner)
}
