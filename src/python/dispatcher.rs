//! The thread that makes a driver's callbacks: one at a time, in order, attached to the interpreter while it drains
//! what has queued.

use std::ffi::c_long;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::driver::{self, Status};
use crate::session::scheduler::Delivery;

/// How long the interpreter's exit waits for a callback in progress.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

static THREADS: Mutex<Vec<Callbacks>> = Mutex::new(Vec::new());
/// The interpreter is about to end: what callbacks raise now is nobody's business.
static ENDING: AtomicBool = AtomicBool::new(false);

/// A thread that makes callbacks.
struct Callbacks {
    driver: Weak<driver::SchedulerDriver>,
    thread: JoinHandle<()>,
    /// `threading.get_ident()` of it, once it is attached.
    ident: Arc<OnceLock<c_long>>,
}

/// What a driver's callbacks need.
pub struct Dispatcher {
    pub scheduler: Py<PyAny>,
    pub driver: Py<PyAny>,
    pub core: Arc<driver::SchedulerDriver>,
    pub implicit_acknowledgements: bool,
    pub exit: Arc<Exit>,
    classes: Classes,
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

/// The `FromString` of each message class that callbacks get.
struct Classes {
    framework_id: Py<PyAny>,
    master_info: Py<PyAny>,
    offer: Py<PyAny>,
    offer_id: Py<PyAny>,
    task_status: Py<PyAny>,
    executor_id: Py<PyAny>,
    slave_id: Py<PyAny>,
}

impl Classes {
    fn import(py: Python<'_>) -> PyResult<Self> {
        let module = py.import("mesos.interface.mesos_pb2")?;
        let parser = |name: &str| module.getattr(name)?.getattr("FromString").map(Bound::unbind);
        Ok(Self {
            framework_id: parser("FrameworkID")?,
            master_info: parser("MasterInfo")?,
            offer: parser("Offer")?,
            offer_id: parser("OfferID")?,
            task_status: parser("TaskStatus")?,
            executor_id: parser("ExecutorID")?,
            slave_id: parser("SlaveID")?,
        })
    }
}

fn parse<'py>(py: Python<'py>, from_string: &Py<PyAny>, bytes: &Bytes) -> PyResult<Bound<'py, PyAny>> {
    from_string.bind(py).call1((PyBytes::new(py, bytes),))
}

impl Dispatcher {
    /// What callbacks of this scheduler need. Raises ImportError where the message classes are missing.
    pub fn new(
        py: Python<'_>,
        scheduler: Py<PyAny>,
        driver: Py<PyAny>,
        core: Arc<driver::SchedulerDriver>,
        implicit_acknowledgements: bool,
        exit: Arc<Exit>,
    ) -> PyResult<Self> {
        Ok(Self { scheduler, driver, core, implicit_acknowledgements, exit, classes: Classes::import(py)? })
    }

    /// Starts the thread. It keeps the scheduler and the driver alive until the driver is stopped or aborted.
    pub fn spawn(self) -> std::io::Result<()> {
        let (driver, ident) = (Arc::downgrade(&self.core), Arc::<OnceLock<c_long>>::default());
        let own_ident = ident.clone();
        let builder = std::thread::Builder::new().name("mesos-callbacks".to_owned());
        let thread = builder.spawn(move || self.run(&own_ident))?;
        let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|callbacks| !callbacks.thread.is_finished());
        threads.push(Callbacks { driver, thread, ident });
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

    fn deliver(&self, py: Python<'_>, delivery: Delivery) {
        if matches!(delivery, Delivery::Error(_)) {
            self.core.abort();
        }
        let name = name(&delivery);
        let called = self.call(py, name, &delivery);
        if let Err(error) = called {
            self.failed(py, name, error);
        } else if let (Delivery::StatusUpdate(status), true) = (delivery, self.implicit_acknowledgements) {
            self.core.acknowledge(status);
        }
    }

    fn call(&self, py: Python<'_>, name: &str, delivery: &Delivery) -> PyResult<()> {
        let arguments = self.arguments(py, delivery)?;
        let driver = self.driver.bind(py).clone();
        let arguments = std::iter::once(driver).chain(arguments).collect::<Vec<_>>();
        self.scheduler.bind(py).call_method1(name, PyTuple::new(py, arguments)?).map(drop)
    }

    fn arguments<'py>(&self, py: Python<'py>, delivery: &Delivery) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let c = &self.classes;
        Ok(match delivery {
            Delivery::Registered { framework_id, master_info } => {
                vec![parse(py, &c.framework_id, framework_id)?, parse(py, &c.master_info, master_info)?]
            }
            Delivery::Reregistered { master_info } => vec![parse(py, &c.master_info, master_info)?],
            Delivery::Disconnected => vec![],
            Delivery::ResourceOffers(offers) => {
                let offers = offers.iter().map(|offer| parse(py, &c.offer, offer)).collect::<PyResult<Vec<_>>>()?;
                vec![PyList::new(py, offers)?.into_any()]
            }
            Delivery::OfferRescinded(id) => vec![parse(py, &c.offer_id, id)?],
            Delivery::StatusUpdate(status) => vec![parse(py, &c.task_status, status)?],
            Delivery::FrameworkMessage { executor_id, slave_id, data } => vec![
                parse(py, &c.executor_id, executor_id)?,
                parse(py, &c.slave_id, slave_id)?,
                PyBytes::new(py, data).into_any(),
            ],
            Delivery::SlaveLost(slave_id) => vec![parse(py, &c.slave_id, slave_id)?],
            Delivery::ExecutorLost { executor_id, slave_id, status } => vec![
                parse(py, &c.executor_id, executor_id)?,
                parse(py, &c.slave_id, slave_id)?,
                status.into_pyobject(py)?.into_any(),
            ],
            Delivery::Error(message) => vec![message.into_pyobject(py)?.into_any()],
        })
    }

    /// Reports as the C++ extension does (`src/python/scheduler/src/mesos/scheduler/proxy_scheduler.cpp`), and aborts.
    fn failed(&self, py: Python<'_>, name: &str, error: PyErr) {
        if ENDING.load(Ordering::SeqCst) {
            self.core.abort();
        } else if error.is_instance_of::<PySystemExit>(py) {
            self.leave(py, error);
        } else {
            let shown = if name == "resourceOffers" { "resourceOffer" } else { name };
            report(py, &format!("Failed to call scheduler's {shown}\n"), &error);
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

fn name(delivery: &Delivery) -> &'static str {
    match delivery {
        Delivery::Registered { .. } => "registered",
        Delivery::Reregistered { .. } => "reregistered",
        Delivery::Disconnected => "disconnected",
        Delivery::ResourceOffers(_) => "resourceOffers",
        Delivery::OfferRescinded(_) => "offerRescinded",
        Delivery::StatusUpdate(_) => "statusUpdate",
        Delivery::FrameworkMessage { .. } => "frameworkMessage",
        Delivery::SlaveLost(_) => "slaveLost",
        Delivery::ExecutorLost { .. } => "executorLost",
        Delivery::Error(_) => "error",
    }
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
    let threads = std::mem::take(&mut *THREADS.lock().unwrap_or_else(PoisonError::into_inner));
    for driver in threads.iter().filter_map(|callbacks| callbacks.driver.upgrade()) {
        driver.stop(true);
    }
    if !wait(&threads) {
        let left = threads.iter().filter(|callbacks| !callbacks.thread.is_finished());
        left.filter_map(|callbacks| callbacks.ident.get()).for_each(|&ident| interrupt(ident));
        wait(&threads);
    }
}

fn wait(threads: &[Callbacks]) -> bool {
    let until = Instant::now() + EXIT_TIMEOUT;
    let me = std::thread::current().id();
    let over = |callbacks: &Callbacks| callbacks.thread.is_finished() || callbacks.thread.thread().id() == me;
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
