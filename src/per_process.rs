//! What belongs to one process. A forked child inherits its parent's memory without the threads that use it, and with
//! the locks that they may have held, so it begins with something new.

use std::sync::OnceLock;
#[cfg(not(loom))]
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(loom)]
use loom::sync::atomic::AtomicPtr;

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
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// Nothing is made yet.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// This process's value. A parent's is never dropped: its threads are not here to let go of it.
    pub fn get(&self) -> &'static T {
        self.of(id())
    }

    /// The value of the process with this id, which is the one that runs.
    fn of(&self, process: u32) -> &'static T {
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

// Run by the crate in `loom/`, in every order that threads can have.
#[cfg(all(loom, test))]
mod models {
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicU32;
    use loom::thread;

    use super::{Ordering, PerProcess};

    /// A value that is written after it is made. Whoever gets it too early reads what was in it before.
    struct Made(AtomicU32);

    impl Default for Made {
        fn default() -> Self {
            let made = Self(AtomicU32::new(0));
            made.0.store(7, Ordering::Relaxed);
            made
        }
    }

    /// The address of a process's value, which is complete.
    fn read(values: &PerProcess<Made>, process: u32) -> usize {
        let made = values.of(process);
        assert_eq!(made.0.load(Ordering::Relaxed), 7);
        std::ptr::from_ref(made).addr()
    }

    #[test]
    fn all_threads_of_a_process_get_one_value_and_find_it_complete() {
        loom::model(|| {
            let values = Arc::new(PerProcess::new());
            let others: Vec<_> = (0..2)
                .map(|_| {
                    let values = values.clone();
                    thread::spawn(move || read(&values, 1))
                })
                .collect();
            let own = read(&values, 1);
            for other in others {
                assert_eq!(other.join().expect("a thread"), own);
            }
        });
    }

    #[test]
    fn threads_of_a_forked_child_get_one_value_that_is_not_the_parent_s() {
        loom::model(|| {
            let values = Arc::new(PerProcess::new());
            let of_parent = read(&values, 1);
            let other = {
                let values = values.clone();
                thread::spawn(move || read(&values, 2))
            };
            let own = read(&values, 2);
            assert_eq!(other.join().expect("a thread"), own);
            assert_ne!(own, of_parent);
        });
    }
}
