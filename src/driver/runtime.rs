//! The one thread that does the client's IO, started with the first driver of a process.
//!
//! A forked child has no threads but the one that forked, so the runtime belongs to a process id: a child makes its
//! own at its first driver.

use std::sync::{Mutex, PoisonError};

use tokio::runtime::Handle;

use crate::per_process::PerProcess;
use crate::{Error, Result, runtime};

static CURRENT: PerProcess<Mutex<Option<Handle>>> = PerProcess::new();

/// The process's runtime; starts its thread if it has none yet.
///
/// Fails if the operating system gives no thread or too few file descriptors.
pub fn handle() -> Result<Handle> {
    let mut current = CURRENT.get().lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*current {
        return Ok(handle.clone());
    }
    let handle = spawn()?;
    *current = Some(handle.clone());
    Ok(handle)
}

fn spawn() -> Result<Handle> {
    let runtime = runtime::build().map_err(|e| Error::connection("cannot start the IO runtime").caused_by(e))?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("mesos-io".to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))
        .map_err(|e| Error::connection("cannot start the IO thread").caused_by(e))?;
    Ok(handle)
}
