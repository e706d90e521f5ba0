//! The thread that makes a driver's callbacks: one at a time, in order, attached to the interpreter while it drains
//! what has queued.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use bytes::Bytes;
use pyo3::exceptions::{PyRuntimeError, PySystemExit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCFunction, PyString, PyTuple, PyWeakrefReference};

use super::guarded;
use super::threads::{self, PythonThread};
use crate::clock::skipping::Busy;
use crate::driver::{Delivery, Handle, Status};
use crate::per_process::{self, PerProcess};
use crate::session::Session;
use crate::wire::duration::Period;
use crate::{Error, clock};

/// The name of each thread that makes callbacks.
const THREAD: &str = "mesos-callbacks";
/// `join` looks for signals this often.
pub const SIGNAL_CHECK: Duration = Duration::from_millis(50);

static THREADS: PerProcess<Mutex<Vec<Thread>>> = PerProcess::new();
/// The interpreter is about to exit: exceptions of callbacks are ignored from now on.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Whom a driver calls back, and how: a scheduler, or an executor.
pub trait Callbacks: Sized + Send + Sync + 'static {
    /// What the driver runs.
    type Session: Session;
    /// The driver in bytes and numbers.
    type Core: Deref<Target = Handle<Self::Session>> + Send + Sync;
    /// How long the process's end waits for what the driver has still to say.
    const LAST_WORDS: Duration;

    /// The driver's attribute that holds who is called back.
    const TARGET: &'static str = "_receiver";

    /// The name of a callback's method.
    fn name(callback: &CallbackOf<Self>) -> &'static str;
    /// What failed, if the method could not be called; for a framework, in the words of libmesos' extension.
    fn failure(name: &str) -> String {
        format!("the receiver's {name}")
    }
    /// The arguments after the driver.
    fn arguments<'py>(&self, py: Python<'py>, callback: &CallbackOf<Self>) -> PyResult<Vec<Bound<'py, PyAny>>>;
}

type CallbackOf<C> = <<C as Callbacks>::Session as Session>::Callback;

/// A thread that makes callbacks.
struct Thread {
    /// Stops the driver, and waits for its last words.
    end: Box<dyn Fn() + Send>,
    thread: PythonThread,
}

/// What a driver's callbacks need.
pub struct Dispatcher<C: Callbacks> {
    /// The driver's Python object, which holds the scheduler or the executor. A driver that only this thread held would
    /// never end.
    pub driver: Py<PyWeakrefReference>,
    pub core: Arc<C::Core>,
    pub exit: Arc<Exit>,
    pub callbacks: C,
    /// The `contextvars.Context` that callbacks run in, so that a notebook finds the cell that their output belongs to.
    pub context: Py<PyAny>,
    /// The names of attributes that were looked up, as Python's strings.
    names: Vec<(&'static str, Py<PyString>)>,
}

/// A copy of the caller's context, for a dispatcher.
fn copy_context(py: Python<'_>) -> PyResult<Py<PyAny>> {
    guarded::call_method(&guarded::import(py, "contextvars")?, "copy_context", ()).map(Bound::unbind)
}

/// A `SystemExit` raised in a callback, on its way to whoever waits for the driver.
#[derive(Default)]
pub struct Exit {
    state: Mutex<ExitState>,
    /// The thread that makes the driver's callbacks.
    thread: OnceLock<ThreadId>,
}

#[derive(Default)]
struct ExitState {
    raised: Option<PyErr>,
    /// How many threads wait in `join`, or are about to.
    waiting: usize,
    /// The process that the thread that makes callbacks is ending.
    ends: Option<u32>,
}

/// A thread that waits in `join`, for as long as this lives.
struct Waiter<'a>(&'a Exit);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.remove_waiter();
    }
}

impl Exit {
    fn lock(&self) -> MutexGuard<'_, ExitState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread is about to wait in `join`, as `run` does: an exception that is raised from now on is for it.
    pub fn begin_run(&self) {
        self.add_waiter();
    }

    /// `run` has ended. Raises what nobody has raised yet.
    pub fn end_run(&self) -> PyResult<()> {
        self.remove_waiter();
        self.take().map_or(Ok(()), Err)
    }

    fn register_waiter(&self) -> Waiter<'_> {
        self.add_waiter();
        Waiter(self)
    }

    fn add_waiter(&self) {
        self.lock().waiting += 1;
    }

    fn remove_waiter(&self) {
        let mut state = self.lock();
        state.waiting = state.waiting.saturating_sub(1);
    }

    /// The exception, for the first who asks. One that was handed over to a waiter is here when it waits no more.
    fn take(&self) -> Option<PyErr> {
        self.lock().raised.take()
    }

    /// Hands the exception to a thread that waits; if none does, returns it, and this thread is to end the process.
    fn hand_over(&self, error: PyErr) -> Option<PyErr> {
        let mut state = self.lock();
        if state.waiting > 0 {
            state.raised = Some(error);
            return None;
        }
        state.ends = Some(per_process::id());
        Some(error)
    }

    /// Whether the thread that makes callbacks ends the process. If the main thread went on, the interpreter could end
    /// with another exit code before that.
    fn ends_process(&self) -> bool {
        self.lock().ends == Some(per_process::id()) && self.thread.get() != Some(&std::thread::current().id())
    }

    /// Whether who waits for this driver in its own callback would wait for ever.
    pub fn waits_for_itself<S: Session>(&self, core: &Handle<S>) -> bool {
        self.thread.get() == Some(&std::thread::current().id()) && core.is_running()
    }
}

/// Makes a message of its bytes, with the `FromString` of its class.
pub fn parse<'py>(py: Python<'py>, from_string: &Py<PyAny>, bytes: &Bytes) -> PyResult<Bound<'py, PyAny>> {
    guarded::call(from_string.bind(py), (PyBytes::new(py, bytes),))
}

/// Where the messages are that callbacks get, and what is called differently in the v0 and the v1 API.
pub struct Names {
    /// Whether they are those of the v1 API.
    pub is_v1: bool,
    /// The module of the message classes.
    pub messages: &'static str,
    /// `SlaveID`, or `AgentID`.
    pub agent_id: &'static str,
    /// `SlaveInfo`, or `AgentInfo`.
    pub agent_info: &'static str,
    /// Converts a message's payload to the type that callbacks receive.
    pub received: Py<PyAny>,
}

impl Names {
    /// For the classic drivers. Payloads are text and bytes at once, unless bytes are strict.
    pub fn v0(py: Python<'_>) -> PyResult<Self> {
        let received = guarded::attribute(&guarded::import(py, "mesos._text")?, "received")?.unbind();
        let messages = "mesos.interface.mesos_pb2";
        Ok(Self { is_v1: false, messages, agent_id: "SlaveID", agent_info: "SlaveInfo", received })
    }

    /// For `mesos.aio`. Payloads are bytes.
    pub fn v1(py: Python<'_>) -> PyResult<Self> {
        let received = py.get_type::<PyBytes>().into_any().unbind();
        let messages = "mesos.v1.interface.mesos_pb2";
        Ok(Self { is_v1: true, messages, agent_id: "AgentID", agent_info: "AgentInfo", received })
    }
}

impl<C: Callbacks> Dispatcher<C> {
    /// What makes the callbacks of `driver`, in a copy of the caller's context.
    pub fn new(driver: &Bound<'_, PyAny>, core: &Arc<C::Core>, exit: &Arc<Exit>, callbacks: C) -> PyResult<Self> {
        let context = copy_context(driver.py())?;
        let driver = PyWeakrefReference::new(driver)?.unbind();
        Ok(Self { driver, core: core.clone(), exit: exit.clone(), callbacks, context, names: Vec::new() })
    }

    /// Starts the thread. It holds the driver, and who is called back, only while it makes callbacks.
    ///
    /// Fails, and stops the driver, if the operating system gives no thread, or the interpreter is about to end.
    pub fn spawn(self) -> PyResult<()> {
        let core = self.core.clone();
        self.spawn_thread().map_err(|error| {
            core.stop(false);
            PyRuntimeError::new_err(format!("no thread for callbacks: {error}"))
        })
    }

    fn spawn_thread(self) -> std::io::Result<()> {
        let driver = Arc::downgrade(&self.core);
        let end = Box::new(move || {
            if let Some(core) = driver.upgrade() {
                core.stop(true);
                core.wait(C::LAST_WORDS);
            }
        });
        let mut threads = THREADS.get().lock().unwrap_or_else(PoisonError::into_inner);
        // `shutdown` says so before it takes this lock, so it misses no thread.
        if ENDING.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("the interpreter is about to end"));
        }
        let thread = PythonThread::spawn(THREAD, move || self.run())?;
        threads.retain(|thread| !thread.thread.is_finished());
        threads.push(Thread { end, thread });
        Ok(())
    }

    /// Attaches once, for as long as the thread lives: making a thread state for every callback costs more than most
    /// callbacks do.
    fn run(self) {
        self.exit.thread.get_or_init(|| std::thread::current().id());
        let mut held = Some(self);
        let attached = Python::try_attach(|py| {
            if let Some(dispatcher) = held.take() {
                dispatcher.run_in_context(py);
            }
        });
        if attached.is_none() {
            // The interpreter is gone, and with it what could let Python's objects go.
            std::mem::forget(held);
        }
    }

    /// Enters the context once, not for each callback. The stable ABI has no other way than a call.
    fn run_in_context(self, py: Python<'_>) {
        let context = self.context.clone_ref(py);
        let held = Mutex::new(Some(self));
        let drain = PyCFunction::new_closure(py, None, None, move |arguments, _| {
            let py = arguments.py();
            if let Some(mut dispatcher) = held.lock().unwrap_or_else(PoisonError::into_inner).take() {
                dispatcher.drain(py);
                guarded::release(py, dispatcher.driver.into_any());
                guarded::release(py, dispatcher.context);
            }
        });
        let run = drain.and_then(|drain| guarded::call_method(context.bind(py), "run", (drain,)));
        if let Err(error) = run {
            report(py, "Failed to make callbacks\n", &error);
        }
        guarded::release(py, context);
    }

    fn drain(&mut self, py: Python<'_>) {
        let core = self.core.clone();
        while let Some(batch) = py.detach(|| core.blocking_recv()) {
            // Nobody holds the driver any more: it is stopped by its end.
            let Some(driver) = self.driver.bind(py).upgrade() else { return };
            let target = match guarded::attribute(&driver, C::TARGET) {
                Ok(target) => target,
                Err(error) => return self.failed(&driver, C::TARGET, error),
            };
            // With a clock that is told to move, a batch is one callback. The time moves when the driver is released: who
            // lets it go after the callback is then the last who held it.
            let mut busy = None;
            for delivery in batch {
                if !delivery.begin(|error| aborted(&driver, error)) {
                    break;
                }
                busy = self.deliver(&driver, &target, delivery);
            }
            guarded::release(py, target.unbind());
            guarded::release(py, driver.unbind());
            drop(busy);
        }
    }

    fn deliver(
        &mut self,
        driver: &Bound<'_, PyAny>,
        target: &Bound<'_, PyAny>,
        delivery: Delivery<'_, C::Session>,
    ) -> Option<Busy> {
        let name = C::name(delivery.callback());
        match self.call(driver, target, name, delivery.callback()) {
            Ok(()) => delivery.ack_and_hold(),
            Err(error) => {
                self.failed(driver, name, error);
                None
            }
        }
    }

    fn call(
        &mut self,
        driver: &Bound<'_, PyAny>,
        target: &Bound<'_, PyAny>,
        name: &'static str,
        callback: &CallbackOf<C>,
    ) -> PyResult<()> {
        let py = driver.py();
        let mut arguments = self.callbacks.arguments(py, callback)?;
        arguments.insert(0, driver.clone());
        call_back(target, &self.name(py, name), PyTuple::new(py, arguments)?)
    }

    /// A name as Python's string. Making and hashing one for each callback costs as much as making the callback.
    fn name<'py>(&mut self, py: Python<'py>, name: &'static str) -> Bound<'py, PyString> {
        let known = self.names.iter().find(|(known, _)| std::ptr::eq(*known, name));
        let known = known.map(|(_, text)| text.bind(py).clone());
        known.unwrap_or_else(|| {
            let text = PyString::intern(py, name);
            self.names.push((name, text.clone().unbind()));
            text
        })
    }

    /// Reports as the C++ extension does (`src/python/scheduler/src/mesos/scheduler/proxy_scheduler.cpp`), and aborts.
    fn failed(&self, driver: &Bound<'_, PyAny>, name: &str, error: PyErr) {
        let py = driver.py();
        if ENDING.load(Ordering::SeqCst) {
            self.core.abort();
        } else if error.is_instance_of::<PySystemExit>(py) {
            self.leave(py, error);
        } else {
            failed(driver, &format!("Failed to call {}\n", C::failure(name)), error);
            self.core.abort();
        }
    }

    /// Ends the process as `SystemExit` asks: in the thread that waits for the driver, else from here.
    fn leave(&self, py: Python<'_>, error: PyErr) {
        let unclaimed = self.exit.hand_over(error);
        self.core.abort();
        if let Some(error) = unclaimed {
            let exit = guarded::import(py, "mesos._exit");
            let left = exit.and_then(|exit| guarded::call_method(&exit, "leave", (error.value(py),)));
            if let Err(error) = left {
                self.exit.lock().ends = None;
                report(py, "Failed to end the process\n", &error);
            }
        }
    }
}

/// Makes a callback, whose first argument is its driver. What it returned counts for nothing, unless it shows that the
/// callback has not run yet: a coroutine is run in the driver's loop, if it has one.
pub fn call_back(target: &Bound<'_, PyAny>, name: &Bound<'_, PyString>, arguments: Bound<'_, PyTuple>) -> PyResult<()> {
    let returned = guarded::call(&guarded::attribute(target, name)?, arguments.clone())?;
    if returned.is_none() {
        return Ok(());
    }
    let driver = arguments.get_item(0)?;
    let callbacks = guarded::import(target.py(), "mesos._callbacks")?;
    guarded::call_method(&callbacks, "take_returned", (driver, name, returned)).map(drop)
}

/// Reports what a callback raised, `what` in libmesos' words, to whoever is to be told. Comes before the driver is
/// aborted, which wakes those who wait for it.
pub fn failed(driver: &Bound<'_, PyAny>, what: &str, error: PyErr) {
    let py = driver.py();
    let raised = error.clone_ref(py).into_value(py);
    let failures = guarded::import(py, "mesos._failures");
    if let Err(broken) = failures.and_then(|f| guarded::call_method(&f, "failed", (driver, what, raised))) {
        report(py, &format!("Failed to report an exception, {error}\n"), &broken);
    }
}

/// Notes what a driver is about to be aborted with, for those who wait for it.
pub fn aborted(driver: &Bound<'_, PyAny>, error: &Error) {
    let py = driver.py();
    let failures = guarded::import(py, "mesos._failures");
    if let Err(broken) = failures.and_then(|f| guarded::call_method(&f, "aborted", (driver, error.to_string()))) {
        report(py, "Failed to note an error\n", &broken);
    }
}

/// Whether this thread makes callbacks, of whichever driver.
pub fn in_callback() -> bool {
    std::thread::current().name() == Some(THREAD)
}

/// Waits until the driver ended, at most so many seconds, after which the status is `Running`. Signals are handled
/// meanwhile. Raises the `SystemExit` of a callback. Does not return in the main thread if the callbacks' thread ends the
/// process because of one that was raised when nobody waited.
pub fn join<S: Session>(py: Python<'_>, core: &Handle<S>, exit: &Exit, seconds: Option<f64>) -> PyResult<i32> {
    let until = seconds.map(|seconds| clock::now() + Period::from_seconds(seconds).unwrap_or_default());
    let waiting = exit.register_waiter();
    let status = loop {
        let left = until.map_or(SIGNAL_CHECK, |until| until.saturating_duration_since(clock::now()));
        if let Some(status) = py.detach(|| core.wait(left.min(SIGNAL_CHECK))) {
            break status;
        }
        py.check_signals()?;
        if left.is_zero() {
            break Status::Running;
        }
    };
    drop(waiting);
    if let Some(error) = exit.take() {
        return Err(error);
    }
    while exit.ends_process() && until.is_none_or(|until| clock::now() < until) && threads::is_main(py)? {
        py.detach(|| std::thread::sleep(SIGNAL_CHECK));
        py.check_signals()?;
    }
    Ok(status as i32)
}

/// Writes what failed and the exception with its traceback to `sys.stderr`, which tests and notebooks replace.
pub fn report(py: Python<'_>, what: &str, error: &PyErr) {
    let written = guarded::import(py, "sys")
        .and_then(|sys| guarded::call_method(&guarded::attribute(&sys, "stderr")?, "write", (what,)))
        .and_then(|_| {
            // Up to Python 3.11 an exception does not carry its traceback by itself.
            let exception = (error.get_type(py), error.value(py), error.traceback(py));
            guarded::call_method(&guarded::import(py, "traceback")?, "print_exception", exception)
        });
    // If stderr is closed, there is nowhere else to report to.
    drop(written);
}

/// Lets no further callback begin, and waits, not for long, for those in progress. One that does not end is
/// interrupted.
pub fn shutdown() {
    ENDING.store(true, Ordering::SeqCst);
    let threads = std::mem::take(&mut *THREADS.get().lock().unwrap_or_else(PoisonError::into_inner));
    threads.iter().for_each(|thread| (thread.end)());
    threads::end(&threads.iter().map(|thread| &thread.thread).collect::<Vec<_>>());
}
