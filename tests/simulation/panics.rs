//! Panics of tasks, which Tokio catches.

use std::cell::RefCell;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Has panics of all threads noted instead of printed.
pub fn note() {
    std::panic::set_hook(Box::new(|panic| LAST.set(Some(panic.to_string()))));
}

/// The last panic on this thread.
pub fn take() -> Option<String> {
    LAST.take()
}
