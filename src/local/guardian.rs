//! Ends the tasks of an embedded cluster however its process ends, SIGKILL included.
//!
//! A forked child holds the other end of a pipe. While the cluster lives it is told which process groups to watch;
//! when the pipe closes, or its parent is another one, it kills them and ends. After the fork it only makes
//! async-signal-safe calls: other threads of the parent may have held any lock.
#![allow(clippy::arithmetic_side_effects, reason = "of process groups and descriptors, which are small")]

use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, pipe};

use crate::{Error, Result};

/// So many process groups are watched at once; more are not protected against a SIGKILL of this process.
const GROUPS_MAX: usize = 4096;
const LOOK_MS: i32 = 1000;

/// The parent's side.
#[derive(Debug)]
pub struct Guardian {
    pipe: Option<std::fs::File>,
    child: Pid,
}

impl Guardian {
    /// Forks the child.
    ///
    /// Fails where the operating system gives no pipe or no process.
    pub fn spawn() -> Result<Self> {
        let failed = |e: nix::Error| Error::cluster(format!("cannot start the guardian of the tasks: {e}"));
        let (reader, writer) = pipe().map_err(failed)?;
        close_on_exec(&reader);
        close_on_exec(&writer);
        let parent = nix::unistd::getpid();
        // SAFETY: the child only makes async-signal-safe calls and never returns.
        match unsafe { fork() }.map_err(failed)? {
            ForkResult::Child => guard(reader.as_raw_fd(), parent.as_raw()),
            ForkResult::Parent { child } => Ok(Self { pipe: Some(writer.into()), child }),
        }
    }

    /// Watches a process group.
    pub fn watch(&mut self, group: Pid) {
        self.tell(group.as_raw());
    }

    /// Watches a process group no more.
    pub fn forget(&mut self, group: Pid) {
        self.tell(-group.as_raw());
    }

    fn tell(&mut self, message: i32) {
        let written = self.pipe.as_mut().map(|pipe| pipe.write_all(&message.to_ne_bytes()));
        if let Some(Err(error)) = written {
            tracing::warn!("The guardian of the tasks is gone: {error}");
        }
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        self.pipe = None;
        // Fails only where someone else has waited for it.
        let _ = waitpid(self.child, None);
    }
}

fn close_on_exec(fd: &OwnedFd) {
    // SAFETY: the descriptor is open.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
}

/// The child's side.
fn guard(pipe: i32, parent: i32) -> ! {
    let mut groups = [0_i32; GROUPS_MAX];
    // SAFETY: system calls on descriptors and memory of our own.
    unsafe {
        // Ctrl-C in a terminal goes to a whole process group: not to this one.
        libc::setsid();
        leave_only(pipe);
        loop {
            let mut poll = libc::pollfd { fd: pipe, events: libc::POLLIN, revents: 0 };
            let ready = libc::poll(&raw mut poll, 1, LOOK_MS);
            let mut message = [0_u8; 4];
            if ready > 0 {
                if libc::read(pipe, message.as_mut_ptr().cast(), 4) != 4 {
                    break;
                }
                note(&mut groups, i32::from_ne_bytes(message));
            } else if libc::getppid() != parent {
                // Some other child of the parent's holds the pipe open. What the parent said last has been read.
                break;
            }
        }
        for group in groups.into_iter().filter(|&group| group > 1) {
            libc::kill(-group, libc::SIGKILL);
        }
        libc::_exit(0)
    }
}

fn note(groups: &mut [i32; GROUPS_MAX], message: i32) {
    let (wanted, new) = if message > 0 { (0, message) } else { (-message, 0) };
    if let Some(slot) = groups.iter_mut().find(|slot| **slot == wanted) {
        *slot = new;
    }
}

/// Closes every descriptor but one: ports and pipes of the parent must not stay open here.
unsafe fn leave_only(keep: i32) {
    let most = i32::try_from(unsafe { libc::sysconf(libc::_SC_OPEN_MAX) }).unwrap_or(1024).min(65_536);
    #[cfg(target_os = "linux")]
    // SAFETY: closes descriptors, and touches no memory.
    unsafe {
        let keep = keep.cast_unsigned();
        let below = keep == 0 || libc::syscall(libc::SYS_close_range, 0, keep - 1, 0) == 0;
        if below && libc::syscall(libc::SYS_close_range, keep + 1, u32::MAX, 0) == 0 {
            return;
        }
    }
    for fd in (0..most).filter(|&fd| fd != keep) {
        // SAFETY: closing a descriptor that is not open is an error and nothing more.
        unsafe { libc::close(fd) };
    }
}
