//! The extension module `mesos._core`: the only PyO3 of the crate. Thin: bytes and numbers cross, Python code in
//! `python/mesos` turns messages into bytes and checks arguments.

mod aio;
mod auth;
mod connection;
mod dicts;
mod dispatcher;
mod errors;
mod executor;
mod faults;
mod futures;
mod guarded;
mod local;
mod logging;
mod operator;
mod scheduler;
mod script;
mod simulation;
mod text;
mod threads;
mod time;

use pyo3::prelude::*;

/// What `python/mesos` builds on. Private: no stability is promised.
#[pymodule]
mod _core {
    use pyo3::exceptions::PyKeyError;
    use pyo3::prelude::*;
    use pyo3::types::PyBytes;

    #[pymodule_export]
    use super::aio::Events;
    #[pymodule_export]
    use super::auth::Authentication;
    #[pymodule_export]
    use super::connection::Connection;
    #[pymodule_export]
    use super::dicts::{from_dict, to_dict};
    #[pymodule_export]
    use super::executor::ExecutorDriver;
    #[pymodule_export]
    use super::faults::Faults;
    #[pymodule_export]
    use super::local::LocalCluster;
    #[pymodule_export]
    use super::logging::set_log_level;
    #[pymodule_export]
    use super::operator::{Operator, Stream, Subscription};
    #[pymodule_export]
    use super::scheduler::SchedulerDriver;
    #[pymodule_export]
    use super::script::Script;
    #[pymodule_export]
    use super::simulation::Run;
    #[pymodule_export]
    use super::text::{RawBuffer, set_text, wrap_attributes, wrap_init};
    #[pymodule_export]
    use super::time::Time;

    /// The `PATH` that an agent gives executors and tasks.
    #[pymodule_export]
    const AGENT_PATH: &str = crate::local::AGENT_PATH;

    /// Whether this is a build for development, whose speed says nothing.
    #[pymodule_export]
    const DEBUG_BUILD: bool = cfg!(debug_assertions);

    /// The serialized `FileDescriptorProto` of an embedded proto file. Raises KeyError for an unknown name.
    #[pyfunction]
    fn file_descriptor<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyBytes>> {
        let file = crate::proto::file_descriptor(name);
        file.map(|file| PyBytes::new(py, &file)).ok_or_else(|| PyKeyError::new_err(name.to_owned()))
    }

    /// Whether this is a thread that makes callbacks.
    #[pyfunction]
    fn in_callback() -> bool {
        super::dispatcher::in_callback()
    }

    /// A master string, or a text that holds one, without its password.
    #[pyfunction]
    fn redacted(text: &str) -> String {
        crate::driver::detector::redacted(text)
    }

    /// Runs one command task for the agent that these variables are from. Raises ArgumentValueError if one is missing.
    #[pyfunction]
    fn run_command_executor(py: Python<'_>, variables: crate::environment::Variables) -> PyResult<()> {
        Ok(py.detach(|| crate::command_executor::run(&variables))?)
    }

    /// Ends what runs in the background, for the interpreter's exit: no callback and no log record is made after this.
    #[pyfunction]
    fn shutdown(py: Python<'_>) -> PyResult<()> {
        let logged = py.detach(|| {
            super::dispatcher::shutdown();
            super::aio::shutdown();
            super::auth::shutdown();
            super::local::shutdown();
            super::logging::shutdown()
        });
        if logged {
            return Ok(());
        }
        let logging = super::guarded::import(py, "mesos._logging")?;
        super::guarded::call_method(&logging, "free_handlers", ()).map(drop)
    }
}
