//! Tokio's runtimes, which all of this crate's IO runs on.

use std::fs::File;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Builder, Runtime};

/// What the first runtime of a process opens, a socket pair for signals included, and two for its first connections.
const DESCRIPTORS: usize = 8;

/// Makes a runtime that runs on the thread that blocks on it.
///
/// Fails if the operating system gives too few file descriptors, for which Tokio would panic.
pub fn build() -> std::io::Result<Runtime> {
    build_from(&mut Builder::new_current_thread())
}

/// Makes a runtime as [`build`] does, which calls a function whenever it is about to sleep.
///
/// Fails as `build` does.
pub fn build_with(on_idle: impl Fn() + Send + Sync + 'static) -> std::io::Result<Runtime> {
    build_from(Builder::new_current_thread().on_thread_park(on_idle))
}

fn build_from(builder: &mut Builder) -> std::io::Result<Runtime> {
    // Two at a time would each see the descriptors that the other is about to take.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let reserved = (0..DESCRIPTORS).map(|_| File::open("/dev/null")).collect::<std::io::Result<Vec<_>>>()?;
    drop(reserved);
    builder.enable_all().build()
}
