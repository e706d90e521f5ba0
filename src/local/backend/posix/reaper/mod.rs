//! Keeps everything that one container starts together: a process between the cluster and the container, which forks
//! the container's first process and is the subreaper of all that descend from it.
//!
//! A process that leaves its group or session, or a daemon whose parent is gone, is still a descendant of the reaper.
//! When the first process ends, or the cluster does (its end of a socket closes, SIGKILL included), the reaper kills
//! what is left and ends.
//!
//! Reapers are forked by the spawner, a small process that the cluster's is forked into once: a fork of a process with
//! gigabytes takes long. The spawner is the subreaper above all reapers, and ends them when the cluster's process ends.
//! Follows `src/launcher/posix/` and stout's `os::killtree`.
#![allow(clippy::arithmetic_side_effects, reason = "of process ids and descriptors, which are small")]

use std::io;
use std::io::IoSlice;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream as StdStream;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{ControlMessage, MsgFlags, Shutdown, sendmsg, shutdown};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, Semaphore};

use self::report::{Report, Step};
use crate::clock;

pub use program::{Identity, Output, Program, Terminal};
pub use spawner::Ties;

mod keeper;
#[cfg(target_os = "linux")]
mod memory;
mod program;
mod report;
mod spawner;
mod system;
mod tree;
pub mod usage;

/// How long the cluster waits for dismissed reapers: a machine may be busy with many.
const PATIENCE: Duration = Duration::from_secs(15);
/// So many containers may be starting: the kernel bounds the descriptors that are under way.
const STARTING_MAX: usize = 128;

/// The cluster's end of the spawner. Dropping it ends all containers, and waits for that, for some seconds at most.
#[derive(Debug)]
pub struct Spawner {
    process: Mutex<Process>,
    starting: Semaphore,
    ties: Ties,
}

impl Spawner {
    /// Starts the process. It ends with the thread that calls this.
    ///
    /// Fails if no socket or process can be made. To be called within a Tokio runtime.
    pub fn start(ties: Ties) -> io::Result<Self> {
        Ok(Self { process: Mutex::new(Process::start(ties)?), starting: Semaphore::new(STARTING_MAX), ties })
    }

    /// Starts a container and its reaper. If the spawner was killed, another is started, which is logged.
    ///
    /// Fails if the program cannot be executed, or no socket or process can be made.
    pub async fn spawn(&self, program: &Program) -> io::Result<(Reaper, Ending)> {
        let request = program.encode()?;
        let _permit = self.starting.acquire().await.map_err(io::Error::other)?;
        let (ours, theirs) = StdStream::pair()?;
        self.hand_over(&theirs).await?;
        drop(theirs);
        ours.set_nonblocking(true)?;
        let (mut reports, mut orders) = UnixStream::from_std(ours)?.into_split();
        // If the reaper is gone the report says why, or is missing.
        let _ = orders.write_all(&request).await;
        match Report::receive(&mut reports).await {
            Ok(Report::Started { first, reaper }) => {
                let (first, reaper) = (Pid::from_raw(first), Pid::from_raw(reaper));
                Ok((Reaper { orders, reaper, first }, Ending { reports, first }))
            }
            Ok(Report::Failed(step, error)) => Err(describe(step, io::Error::from_raw_os_error(error))),
            Ok(Report::Ended(_)) => Err(io::ErrorKind::InvalidData.into()),
            Err(_) => Err(io::Error::other("the process that starts it was killed")),
        }
    }

    async fn hand_over(&self, socket: &StdStream) -> io::Result<()> {
        let mut process = self.process.lock().await;
        if process.hand_over(socket).await.is_ok() {
            return Ok(());
        }
        tracing::warn!("The process that starts tasks was killed, and the running ones with it: starting another");
        *process = Process::start(self.ties).map_err(|e| io::Error::new(e.kind(), format!("cannot start it: {e}")))?;
        process.hand_over(socket).await
    }
}

fn describe(step: Step, error: io::Error) -> io::Error {
    let doing = match step {
        Step::Execute => return error,
        Step::Fork => "cannot make a process",
        Step::Session => "cannot lead a session",
        Step::Directory => "cannot enter the sandbox",
        Step::User => "cannot become the user",
        Step::Output => "cannot make stdout and stderr",
    };
    io::Error::new(error.kind(), format!("{doing}: {error}"))
}

/// One spawner's process, a child of this one.
#[derive(Debug)]
struct Process {
    control: UnixStream,
    id: Pid,
}

impl Process {
    fn start(ties: Ties) -> io::Result<Self> {
        let (control, theirs) = StdStream::pair()?;
        control.set_nonblocking(true)?;
        let control = UnixStream::from_std(control)?;
        let (parent, socket) = (nix::unistd::getpid().as_raw(), theirs.as_raw_fd());
        #[cfg(target_os = "linux")]
        let small = !memory::is_interposed();
        #[cfg(not(target_os = "linux"))]
        let small = false;
        let blocked = system::mask(&system::all_signals());
        // SAFETY: the child does not return, and does nothing that is not async-signal-safe.
        let id = unsafe {
            match system::fork() {
                0 => spawner::live(socket, parent, ties, small),
                id => id,
            }
        };
        let error = io::Error::last_os_error();
        system::mask(&blocked);
        if id == -1 { Err(error) } else { Ok(Self { control, id: Pid::from_raw(id) }) }
    }

    async fn hand_over(&self, socket: &StdStream) -> io::Result<()> {
        let (fds, part) = ([socket.as_raw_fd()], [IoSlice::new(b"+")]);
        let send = || {
            let rights = [ControlMessage::ScmRights(&fds)];
            let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
            Ok(sendmsg::<()>(self.control.as_raw_fd(), &part, &rights, flags, None)?)
        };
        self.wake();
        self.control.async_io(Interest::WRITABLE, send).await.map(drop)
    }

    /// One that was stopped could not do its work.
    fn wake(&self) {
        let _ = kill(self.id, Signal::SIGCONT);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = shutdown(self.control.as_raw_fd(), Shutdown::Write);
        self.wake();
        let until = clock::now() + PATIENCE;
        while matches!(waitpid(self.id, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive)) {
            if clock::now() > until {
                tracing::warn!("Some processes of tasks cannot be killed, and are left");
                let _ = kill(self.id, Signal::SIGKILL);
                let _ = waitpid(self.id, None);
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The cluster's end of a container's reaper. Dropping it ends the container.
#[derive(Debug)]
pub struct Reaper {
    orders: OwnedWriteHalf,
    reaper: Pid,
    first: Pid,
}

impl Reaper {
    /// The reaper itself, from which all processes of the container descend.
    pub fn id(&self) -> Pid {
        self.reaper
    }

    /// The container's first process.
    pub fn first(&self) -> Pid {
        self.first
    }

    /// Signals every process of the container; ignored if all are gone.
    pub fn signal(&self, signal: Signal) {
        // Fails if the reaper is gone.
        let _ = self.orders.try_write(&[signal as u8]);
        self.wake();
    }

    /// One that was stopped could not do its work.
    fn wake(&self) {
        let _ = kill(self.reaper, Signal::SIGCONT);
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        let _ = shutdown(self.orders.as_ref().as_raw_fd(), Shutdown::Write);
        self.wake();
    }
}

/// How a container ends.
#[derive(Debug)]
pub struct Ending {
    reports: OwnedReadHalf,
    first: Pid,
}

impl Ending {
    /// Waits until the container's processes are gone: the status of the first, as wait(2) gives it; `None` if it is
    /// not known. Can be cancelled and called again.
    pub async fn wait(&mut self) -> Option<i32> {
        match Report::receive(&mut self.reports).await {
            Ok(Report::Ended(status)) => Some(status),
            _ => {
                tracing::warn!("The reaper of process {} was killed", self.first);
                None
            }
        }
    }
}
