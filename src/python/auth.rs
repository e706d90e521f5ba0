//! `mesos._core.Authentication`: how a driver authenticates. What is Python code runs on a thread of its own, which exists
//! while it is asked for a header.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;
use tokio::sync::oneshot;

use super::dispatcher::SIGNAL_CHECK;
use super::guarded;
use super::threads::{self, PythonThread};
use crate::driver::{self, Authenticate, Credential, Header, ServiceAccount, TokenFile, Trust};
use crate::per_process::PerProcess;
use crate::{Error, Result};

const THREAD: &str = "mesos-auth";

static THREADS: PerProcess<Mutex<Vec<PythonThread>>> = PerProcess::new();
/// The interpreter is about to exit: nothing is asked from now on.
static ENDING: AtomicBool = AtomicBool::new(false);

/// How a driver authenticates. Several drivers may share one.
#[pyclass(frozen, module = "mesos._core")]
pub struct Authentication {
    pub inner: driver::Authentication,
}

#[pymethods]
impl Authentication {
    #[staticmethod]
    fn basic(principal: String, secret: String) -> Self {
        Self { inner: driver::Authentication::Basic(Credential { principal, secret }) }
    }

    /// This value of the header.
    #[staticmethod]
    fn header(value: String) -> Self {
        Self { inner: driver::Authentication::Header(value) }
    }

    #[staticmethod]
    fn token_file(path: PathBuf) -> Self {
        renewed(TokenFile::new(path))
    }

    /// Raises ArgumentValueError if the key or the URL cannot be used.
    #[staticmethod]
    #[pyo3(signature = (uid, private_key, login_endpoint, ca_file, verify))]
    fn service_account(
        uid: &str,
        private_key: &str,
        login_endpoint: &str,
        ca_file: Option<PathBuf>,
        verify: Option<bool>,
    ) -> PyResult<Self> {
        Ok(renewed(ServiceAccount::new(uid, private_key, login_endpoint, Trust { ca_file, verify })?))
    }

    /// Whatever an object's method `_answer` answers: a value and when it expires, or what was raised. The object is
    /// referenced weakly: whoever has the driver holds it, so that the garbage collector sees it.
    #[staticmethod]
    #[pyo3(signature = (object, identity, principal))]
    fn provider(object: &Bound<'_, PyAny>, identity: String, principal: Option<String>) -> PyResult<Self> {
        let object = Arc::new(PyWeakrefReference::new(object)?.unbind());
        Ok(renewed(Provider { object, identity, principal }))
    }

    /// Asks for a header at once, and waits for it: its value, and when it expires. Signals are handled meanwhile.
    ///
    /// Raises MesosError if none is given. Not for what is Python code, or never changes.
    fn header_now(&self, py: Python<'_>) -> PyResult<(String, Option<f64>)> {
        let driver::Authentication::Renewed(source) = self.inner.clone() else {
            return Err(Error::invalid("it gives the same header always").into());
        };
        let (answer, mut answers) = channel();
        let asked = driver::runtime::handle()?.spawn(async move {
            // Nobody listens any more if a signal ended the wait.
            drop(answer.send(source.header(false).await));
        });
        loop {
            let answers = &mut answers;
            match py.detach(move || answers.recv_timeout(SIGNAL_CHECK)) {
                Ok(header) => {
                    let header = header?;
                    return Ok((header.value().to_owned(), header.expires()));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Error::connection("its thread has ended").into()),
                Err(RecvTimeoutError::Timeout) => py.check_signals().inspect_err(|_| asked.abort())?,
            }
        }
    }

    fn __repr__(&self) -> String {
        format!("<Authentication: {}>", self.inner.identity())
    }
}

fn renewed(source: impl Authenticate) -> Authentication {
    Authentication { inner: driver::Authentication::Renewed(Arc::new(source)) }
}

/// Python code that makes headers.
struct Provider {
    object: Arc<Py<PyWeakrefReference>>,
    identity: String,
    principal: Option<String>,
}

impl Authenticate for Provider {
    fn identity(&self) -> String {
        self.identity.clone()
    }

    fn principal(&self) -> Option<&str> {
        self.principal.as_deref()
    }

    fn header(&self, refused: bool) -> BoxFuture<'_, Result<Header>> {
        let (answer, answered) = oneshot::channel();
        let asked = ask(self.object.clone(), refused, answer);
        Box::pin(async move {
            asked.map_err(|e| Error::connection("there is no thread to ask it on").caused_by(e))?;
            answered.await.unwrap_or_else(|_| Err(Error::connection("the interpreter is about to end")))
        })
    }
}

/// Asks on a thread of its own, so that neither IO nor another driver waits for it.
fn ask(
    object: Arc<Py<PyWeakrefReference>>,
    refused: bool,
    answer: oneshot::Sender<Result<Header>>,
) -> std::io::Result<()> {
    let mut threads = THREADS.get().lock().unwrap_or_else(PoisonError::into_inner);
    // `shutdown` says so before it takes this lock, so it misses no thread.
    if ENDING.load(Ordering::SeqCst) {
        return Err(std::io::Error::other("the interpreter is about to end"));
    }
    let thread = PythonThread::spawn(THREAD, move || {
        if let Some(made) = Python::try_attach(|py| {
            let made = header(py, object.bind(py), refused);
            made.unwrap_or_else(|error| Err(Error::connection(error.get_type(py).to_string())))
        }) {
            // Nobody listens if the driver has ended.
            drop(answer.send(made));
        }
    })?;
    threads.retain(|thread| !thread.is_finished());
    threads.push(thread);
    Ok(())
}

fn header(py: Python<'_>, object: &Bound<'_, PyWeakrefReference>, refused: bool) -> PyResult<Result<Header>> {
    let Some(object) = object.upgrade() else { return Ok(Err(Error::connection("it exists no longer"))) };
    let answer = guarded::call_method(&object, "_answer", (refused,));
    guarded::release(py, object.unbind());
    let (value, expires, failure): (Option<String>, Option<f64>, Option<String>) = answer?.extract()?;
    Ok(match value {
        Some(value) => Ok(Header::new(value).expiring(expires)),
        None => Err(Error::connection(failure.unwrap_or_default())),
    })
}

/// Asks nothing any more, and waits, not for long, for answers in progress. What gives none is interrupted.
pub fn shutdown() {
    ENDING.store(true, Ordering::SeqCst);
    let threads = std::mem::take(&mut *THREADS.get().lock().unwrap_or_else(PoisonError::into_inner));
    threads::end(&threads.iter().collect::<Vec<_>>());
}
