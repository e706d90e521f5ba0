//! Threads of this crate that run Python code, and how they end before the interpreter does.

use std::ffi::{c_long, c_ulong};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use pyo3::exceptions::PySystemExit;
use pyo3::ffi;
use pyo3::prelude::*;

use super::guarded;
use crate::clock;

/// How long the interpreter's exit waits for Python code in progress; as long again once it was interrupted.
pub const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether this thread is Python's main thread. If gevent has replaced the threads, none is.
pub fn is_main(py: Python<'_>) -> PyResult<bool> {
    let main = guarded::call_method(&guarded::import(py, "threading")?, "main_thread", ())?;
    guarded::attribute(&main, "ident")?.eq(current_ident())
}

/// This thread, as the interpreter knows it. Asked for in C: `threading.get_ident` is what gevent replaces.
fn current_ident() -> c_ulong {
    // SAFETY: may be called in any thread, attached or not.
    unsafe { ffi::PyThread_get_thread_ident() }
}

/// A thread that runs Python code at times.
pub struct PythonThread {
    thread: JoinHandle<()>,
    ident: Arc<OnceLock<c_ulong>>,
}

impl PythonThread {
    /// Starts a thread. The body attaches to the interpreter when it needs to.
    ///
    /// Fails if the operating system gives no thread.
    pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        let ident = Arc::<OnceLock<c_ulong>>::default();
        let own = ident.clone();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            own.get_or_init(current_ident);
            body();
        })?;
        Ok(Self { thread, ident })
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Whether there is nothing to wait for: it has ended, or is the thread that asks.
    pub fn is_over(&self) -> bool {
        self.is_finished() || self.thread.thread().id() == std::thread::current().id()
    }

    /// Raises `SystemExit` in it when it next runs Python code.
    fn interrupt(&self) {
        let Some(ident) = self.ident.get() else { return };
        Python::attach(|py| {
            let exception = py.get_type::<PySystemExit>();
            // SAFETY: the interpreter is attached, and the exception is a class that lives. The thread is not joined,
            // so no other one has its number. The type differs in the ffi crate only.
            unsafe { ffi::PyThreadState_SetAsyncExc(ident.cast_signed() as c_long, exception.as_ptr()) };
        });
    }
}

/// Waits until these threads have ended, and interrupts those that take too long; whether all have ended. One that still
/// has not is parked when it next wants the interpreter (`guarded.rs`).
pub fn end(threads: &[&PythonThread]) -> bool {
    if wait(threads) {
        return true;
    }
    threads.iter().filter(|thread| !thread.is_over()).for_each(|thread| thread.interrupt());
    wait(threads)
}

fn wait(threads: &[&PythonThread]) -> bool {
    let until = clock::now() + EXIT_TIMEOUT;
    while !threads.iter().all(|thread| thread.is_over()) {
        if clock::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}
