//! The one thread that does the client's IO, started with the first driver of a process.
//!
//! A forked child has no threads but the one that forked, so the runtime belongs to a process id: a child makes its
//! own at its first driver.

use std::sync::Mutex;

use tokio::runtime::{Builder, Handle};

use crate::{Error, Result};

static CURRENT: Mutex<Option<(u32, Handle)>> = Mutex::new(None);

/// The process's runtime; starts its thread where it has none yet.
///
/// Fails where the operating system gives no thread or no event queue.
pub fn handle() -> Result<Handle> {
    let mut current = CURRENT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let pid = std::process::id();
    match &*current {
        Some((owner, handle)) if *owner == pid => Ok(handle.clone()),
        _ => {
            let handle = spawn()?;
            *current = Some((pid, handle.clone()));
            Ok(handle)
        }
    }
}

fn spawn() -> Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::connection(format!("cannot start the IO runtime: {e}")))?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("mesos-io".to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))
        .map_err(|e| Error::connection(format!("cannot start the IO thread: {e}")))?;
    Ok(handle)
}
