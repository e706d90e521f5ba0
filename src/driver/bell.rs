//! Wakes an event loop that waits for a driver: one byte in a pipe that the loop watches, so that the thread that does IO
//! needs no interpreter, and no thread waits in the loop's place.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::OFlag;

/// A pipe that becomes readable when something happens that is waited for.
///
/// ```
/// use remesos::driver::Bell;
///
/// let bell = Bell::new()?;
/// bell.ring();
/// assert!(!bell.silence(), "nobody waits");
/// bell.arm();
/// bell.ring();
/// bell.ring();
/// assert!(bell.silence());
/// assert!(!bell.silence());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Bell {
    reader: OwnedFd,
    writer: OwnedFd,
    armed: AtomicBool,
}

impl Bell {
    /// Makes a pipe.
    ///
    /// Fails if there are too few file descriptors.
    pub fn new() -> std::io::Result<Self> {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Self { reader, writer, armed: AtomicBool::new(false) })
    }

    /// What the loop watches for reading.
    pub fn descriptor(&self) -> RawFd {
        self.reader.as_raw_fd()
    }

    /// Somebody waits from now on. Whether it has happened already has to be looked at after this.
    pub fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// Something happened. Writes at most one byte for each time that somebody began to wait.
    pub fn ring(&self) {
        if self.armed.swap(false, Ordering::SeqCst) {
            // The pipe is never full: it holds a byte at most.
            let _ = nix::unistd::write(&self.writer, b"!");
        }
    }

    /// Nobody waits any more. Returns whether it has rung.
    pub fn silence(&self) -> bool {
        self.armed.store(false, Ordering::SeqCst);
        nix::unistd::read(&self.reader, &mut [0; 8]).is_ok_and(|count| count > 0)
    }
}
