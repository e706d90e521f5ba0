//! The thread that makes a driver's callbacks: one at a time, in order, attached to the interpreter while it drains
//! what has queued.

use std::ffi::c_long;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::driver::{Handle, Status};
use crate::session::Session;

/// `join` looks for signals this often.
const SIGNAL_CHECK: Duration = Duration::from_millis(50);
/// How long the interpreter's exit waits for a callback in progress.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

static THREADS: Mutex<Vec<Thread>> = Mutex::new(Vec::new());
/// The interpreter is about to end: what callbacks raise now is nobody's business.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Whom a driver calls back, and how: a scheduler, or an executor.
pub trait Callbacks: Sized + Send + Sync + 'static {
    /// What the driver runs.
    type Session: Session;
    /// The driver in bytes and numbers.
    type Core: Deref<Target = Handle<Self::Session>> + Send + Sync;
    /// How long the process's end waits for what the driver has still to say.
    const LAST_WORDS: Duration;

    /// The name of a callback's method.
    fn name(delivery: &DeliveryOf<Self>) -> &'static str;
    /// What failed, in the words of libmesos' extension, where the method could not be called.
    fn failure(name: &str) -> String;
    /// The arguments after the driver.
    fn arguments<'py>(&self, py: Python<'py>, delivery: &DeliveryOf<Self>) -> PyResult<Vec<Bound<'py, PyAny>>>;
    /// Whether the driver is aborted before the callback is made.
    fn is_error(delivery: &DeliveryOf<Self>) -> bool;
    /// The callback returned.
    fn returned(&self, core: &Self::Core, delivery: DeliveryOf<Self>);
}

type DeliveryOf<C> = <<C as Callbacks>::Session as Session>::Delivery;

/// A thread that makes callbacks.
struct Thread {
    /// Stops the driver, and waits for its last words.
    end: Box<dyn Fn() + Send>,
    thread: JoinHandle<()>,
    /// The process it is in: a forked child inherits what is noted here, and not the thread.
    process: u32,
    /// `threading.get_ident()` of it, once it is attached.
    ident: Arc<OnceLock<c_long>>,
}

/// What a driver's callbacks need.
pub struct Dispatcher<C: Callbacks> {
    /// The scheduler, or the executor.
    pub target: Py<PyAny>,
    pub driver: Py<PyAny>,
    pub core: Arc<C::Core>,
    pub exit: Arc<Exit>,
    pub callbacks: C,
}

/// A `SystemExit` raised in a callback, on its way to whoever waits for the driver.
#[derive(Default)]
pub struct Exit {
    raised: Mutex<Option<PyErr>>,
    waiting: AtomicUsize,
}

impl Exit {
    /// Notes one more thread in `join`, for as long as the returned guard lives.
    pub fn wait(&self) -> impl Drop + '_ {
        struct Guard<'a>(&'a AtomicUsize);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Guard(&self.waiting)
    }

    /// The exception, for the first who asks.
    pub fn take(&self) -> Option<PyErr> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Makes a message of its bytes, with the `FromString` of its class.
pub fn parse<'py>(py: Python<'py>, from_string: &Py<PyAny>, bytes: &Bytes) -> PyResult<Bound<'py, PyAny>> {
    from_string.bind(py).call1((PyBytes::new(py, bytes),))
}

/// What makes of bytes what a framework message is told as: text and bytes at once, unless bytes are to be strict.
pub fn received(py: Python<'_>) -> PyResult<Py<PyAny>> {
    py.import("mesos._text")?.getattr("received").map(Bound::unbind)
}

impl<C: Callbacks> Dispatcher<C> {
    /// Starts the thread. It keeps its target and the driver alive until the driver is stopped or aborted.
    pub fn spawn(self) -> std::io::Result<()> {
        let (driver, ident) = (Arc::downgrade(&self.core), Arc::<OnceLock<c_long>>::default());
        let end = Box::new(move || {
            if let Some(core) = driver.upgrade() {
                core.stop(true);
                core.wait(C::LAST_WORDS);
            }
        });
        let own_ident = ident.clone();
        let builder = std::thread::Builder::new().name("mesos-callbacks".to_owned());
        let thread = builder.spawn(move || self.run(&own_ident))?;
        let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| !thread.thread.is_finished());
        threads.push(Thread { end, thread, process: std::process::id(), ident });
        Ok(())
    }

    /// Attaches once, for as long as the thread lives: making a thread state for every callback costs more than most
    /// callbacks do.
    fn run(self, ident: &OnceLock<c_long>) {
        let mut held = Some(self);
        let attached = Python::try_attach(|py| {
            if let Ok(own) = py.import("threading").and_then(|t| t.call_method0("get_ident")?.extract()) {
                ident.get_or_init(|| own);
            }
            if let Some(dispatcher) = held.take() {
                dispatcher.drain(py);
            }
        });
        if attached.is_none() {
            // The interpreter is gone, and with it what could let Python's objects go.
            std::mem::forget(held);
        }
    }

    fn drain(&self, py: Python<'_>) {
        let queue = self.core.queue().clone();
        while let Some(batch) = py.detach(|| queue.take()) {
            for delivery in batch {
                if self.core.status() != Status::Running {
                    break;
                }
                self.deliver(py, delivery);
            }
        }
    }

    fn deliver(&self, py: Python<'_>, delivery: DeliveryOf<C>) {
        if C::is_error(&delivery) {
            self.core.abort();
        }
        let name = C::name(&delivery);
        match self.call(py, name, &delivery) {
            Ok(()) => self.callbacks.returned(&self.core, delivery),
            Err(error) => self.failed(py, name, error),
        }
    }

    fn call(&self, py: Python<'_>, name: &str, delivery: &DeliveryOf<C>) -> PyResult<()> {
        let arguments = self.callbacks.arguments(py, delivery)?;
        let driver = self.driver.bind(py).clone();
        let arguments = std::iter::once(driver).chain(arguments).collect::<Vec<_>>();
        self.target.bind(py).call_method1(name, PyTuple::new(py, arguments)?).map(drop)
    }

    /// Reports as the C++ extension does (`src/python/scheduler/src/mesos/scheduler/proxy_scheduler.cpp`), and aborts.
    fn failed(&self, py: Python<'_>, name: &str, error: PyErr) {
        if ENDING.load(Ordering::SeqCst) {
            self.core.abort();
        } else if error.is_instance_of::<PySystemExit>(py) {
            self.leave(py, error);
        } else {
            report(py, &format!("Failed to call {}\n", C::failure(name)), &error);
            self.core.abort();
        }
    }

    /// Ends the process as `SystemExit` asks: in the thread that waits for the driver, else from here.
    fn leave(&self, py: Python<'_>, error: PyErr) {
        if self.exit.waiting.load(Ordering::SeqCst) > 0 {
            *self.exit.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            self.core.abort();
        } else {
            self.core.abort();
            let left = py.import("mesos._exit").and_then(|m| m.call_method1("leave", (error.value(py),)));
            left.map_or_else(|error| report(py, "Failed to end the process\n", &error), drop);
        }
    }
}

/// Waits until the driver ended; signals are handled meanwhile. Raises the `SystemExit` of a callback.
pub fn join<S: Session>(py: Python<'_>, core: &Handle<S>, exit: &Exit) -> PyResult<i32> {
    let waiting = exit.wait();
    let status = loop {
        if let Some(status) = py.detach(|| core.wait(SIGNAL_CHECK)) {
            break status;
        }
        py.check_signals()?;
    };
    drop(waiting);
    exit.take().map_or(Ok(status as i32), Err)
}

/// Writes what failed and the exception with its traceback to `sys.stderr`, which tests and notebooks replace.
pub fn report(py: Python<'_>, what: &str, error: &PyErr) {
    let written =
        py.import("sys").and_then(|sys| sys.getattr("stderr")?.call_method1("write", (what,))).and_then(|_| {
            // Up to Python 3.11 an exception does not carry its traceback by itself.
            let exception = (error.get_type(py), error.value(py), error.traceback(py));
            py.import("traceback")?.call_method1("print_exception", exception)
        });
    // There is no better place to tell that stderr is gone.
    drop(written);
}

/// Lets no further callback begin, and waits, not for long, for those in progress. One that does not end is
/// interrupted: a thread that still runs Python code when the interpreter is gone takes the process down.
pub fn shutdown() {
    ENDING.store(true, Ordering::SeqCst);
    let mut threads = std::mem::take(&mut *THREADS.lock().unwrap_or_else(PoisonError::into_inner));
    threads.extract_if(.., |thread| thread.process != std::process::id()).for_each(std::mem::forget);
    threads.iter().for_each(|thread| (thread.end)());
    if !wait(&threads) {
        let left = threads.iter().filter(|thread| !thread.thread.is_finished());
        left.filter_map(|thread| thread.ident.get()).for_each(|&ident| interrupt(ident));
        wait(&threads);
    }
}

fn wait(threads: &[Thread]) -> bool {
    let until = Instant::now() + EXIT_TIMEOUT;
    let me = std::thread::current().id();
    let over = |thread: &Thread| thread.thread.is_finished() || thread.thread.thread().id() == me;
    while !threads.iter().all(over) {
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

fn interrupt(ident: c_long) {
    Python::attach(|py| {
        let exception = py.get_type::<PySystemExit>();
        // SAFETY: the interpreter is attached, and the exception is a class that lives.
        unsafe { pyo3::ffi::PyThreadState_SetAsyncExc(ident, exception.as_ptr()) };
    });
}
