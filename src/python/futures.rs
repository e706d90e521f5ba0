//! Futures of an asyncio loop that wait for a driver or an answer, made by pyo3-async-runtimes on the runtime that the drivers of this
//! process share. That runtime belongs to a process: a forked child has its own.
//!
//! What completes a future runs Python code. It does so on one thread of its own, so that no IO waits for the
//! interpreter, and so that it can be ended before the interpreter does.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3_async_runtimes::generic::{self, ContextExt, Runtime};
use pyo3_async_runtimes::{TaskLocals, get_running_loop};
use tokio::task::JoinError;

use super::guarded::guarded;
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
type Job = Box<dyn FnOnce() + Send>;

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
    made.transpose()
}

fn make<W>(py: Python<'_>, waiting: W) -> PyResult<Bound<'_, PyAny>>
where
    W: std::future::Future<Output: for<'py> IntoPyObject<'py> + Send + 'static> + Send + 'static,
{
    let locals = TaskLocals::new(get_running_loop(py)?);
    runtime::handle()?;
    start_completer().map_err(|e| PyRuntimeError::new_err(format!("no thread to complete futures: {e}")))?;
    generic::future_into_py_with_locals::<Shared, _, _>(py, locals, async move { Ok(waiting.await) })
}

/// The runtime that the drivers of this process share.
struct Shared;

/// Why a task of it ended early.
struct Failed(JoinError);

impl generic::JoinError for Failed {
    fn is_panic(&self) -> bool {
        self.0.is_panic()
    }

    fn into_panic(self) -> Box<dyn std::any::Any + Send + 'static> {
        self.0.into_panic()
    }
}

impl Runtime for Shared {
    type JoinError = Failed;
    type JoinHandle = Pin<Box<dyn std::future::Future<Output = Result<(), Failed>> + Send>>;

    fn spawn<F>(future: F) -> Self::JoinHandle
    where
        F: std::future::Future<Output = ()> + Send + 'static,
    {
        match runtime::handle() {
            Ok(runtime) => {
                let task = runtime.spawn(future);
                Box::pin(async { task.await.map_err(Failed) })
            }
            // `make` has started it, and it does not end.
            Err(_) => Box::pin(std::future::pending()),
        }
    }

    fn spawn_blocking<F>(job: F) -> Self::JoinHandle
    where
        F: FnOnce() + Send + 'static,
    {
        if let Some(completer) = &*lock_completer() {
            // After `shutdown` nobody completes it.
            drop(completer.jobs.send(Box::new(job)));
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

impl ContextExt for Shared {
    fn scope<F, R>(_locals: TaskLocals, future: F) -> Pin<Box<dyn std::future::Future<Output = R> + Send>>
    where
        F: std::future::Future<Output = R> + Send + 'static,
    {
        Box::pin(future)
    }

    fn get_task_locals() -> Option<TaskLocals> {
        None
    }
}

fn start_completer() -> std::io::Result<()> {
    let mut completer = lock_completer();
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
                guarded(job);
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
