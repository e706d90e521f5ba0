//! What belongs to one process. A forked child inherits its parent's memory without the threads that use it, and with
//! the locks that they may have held, so it begins with something new.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// The id of this process, or 0 if it was not asked for since the process began.
static ID: AtomicU32 = AtomicU32::new(0);

/// The id of this process. The operating system is asked once in each process, because a driver asks at each call.
pub fn id() -> u32 {
    match ID.load(Ordering::Relaxed) {
        0 => ask(),
        id => id,
    }
}

#[cold]
fn ask() -> u32 {
    /// Whether a child forgets the id of its parent.
    static FORGETS: OnceLock<bool> = OnceLock::new();
    extern "C" fn forget() {
        ID.store(0, Ordering::Relaxed);
    }
    // SAFETY: what is called in the child only stores a number.
    let forgets = *FORGETS.get_or_init(|| unsafe { libc::pthread_atfork(None, None, Some(forget)) } == 0);
    let id = std::process::id();
    if forgets {
        ID.store(id, Ordering::Relaxed);
    }
    id
}

/// A value for each process, made when it is first asked for.
pub struct PerProcess<T>(AtomicPtr<(u32, T)>);

impl<T: Default + Send + Sync + 'static> PerProcess<T> {
    /// For a `static`; nothing is made yet.
    pub const fn new() -> Self {
        Self(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// This process's value. A parent's is never dropped: its threads are not here to let go of it.
    pub fn get(&self) -> &'static T {
        let process = id();
        loop {
            let current = self.0.load(Ordering::Acquire);
            // SAFETY: what was stored is never freed.
            if let Some((owner, value)) = unsafe { current.as_ref() }
                && *owner == process
            {
                return value;
            }
            let made = Box::into_raw(Box::new((process, T::default())));
            if self.0.compare_exchange(current, made, Ordering::AcqRel, Ordering::Acquire).is_err() {
                // SAFETY: another thread was first, so nobody else has seen this one.
                drop(unsafe { Box::from_raw(made) });
            }
        }
    }
}
