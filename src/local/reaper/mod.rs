//! Keeps everything that one container starts together: a process between the cluster and the container, which forks
//! the container's first process and is the subreaper of all that descend from it.
//!
//! A process that leaves its group or session, or a daemon whose parent is gone, is still a descendant of the reaper.
//! When the first process ends, or the cluster does (its end of a socket closes, SIGKILL included), the reaper kills
//! what is left and ends. It is a fork of a process with threads, any of which may have held a lock: it only makes
//! async-signal-safe calls and allocates nothing. Follows `src/launcher/posix/` and stout's `os::killtree`.
#![allow(clippy::arithmetic_side_effects, reason = "of process ids and descriptors, which are small")]

use std::io::Read;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use self::tree::Processes;

#[cfg(target_os = "linux")]
mod memory;
mod tree;

/// How often a reaper looks whether its parent is still the same: a forked child of the cluster's process may hold
/// the socket open.
const LOOK: Duration = Duration::from_secs(1);
/// Between two rounds of SIGKILL.
const ROUND: Duration = Duration::from_millis(100);
/// So many processes are looked at first, and then that many times as many: with hundreds of reapers at work at once,
/// all of `/proc` would be too much for each.
const NEAR: usize = 64;
/// So many rounds in which nobody may be signalled are enough.
const FUTILE_ROUNDS: u32 = 10;
/// A process in an uninterruptible call may take its time, but not for ever.
const ROUNDS: u32 = 300;
/// How long the cluster waits for dismissed reapers: a machine may be busy with many.
const PATIENCE: Duration = Duration::from_secs(15);

/// The cluster's end of a reaper.
#[derive(Debug)]
pub struct Reaper {
    socket: UnixStream,
    reaper: Pid,
    first: Pid,
}

impl Reaper {
    /// Starts a container and its reaper. `command` must have no `pre_exec` yet; `prepare` runs in the container's
    /// first process before it executes the command, and must be async-signal-safe.
    ///
    /// Fails if the command cannot be executed, or no socket or process can be made.
    pub fn spawn(
        mut command: Command,
        prepare: impl FnMut() -> std::io::Result<()> + Send + Sync + 'static,
    ) -> std::io::Result<(Self, Ending)> {
        let (mut socket, theirs) = UnixStream::pair()?;
        let theirs = above_stdio(&theirs)?;
        attach(&mut command, &theirs, prepare);
        let child = command.spawn()?;
        drop((command, theirs));
        let mut first = [0; 4];
        socket.read_exact(&mut first)?;
        let id = child.id().ok_or_else(|| std::io::Error::other("the process ended before it was known"))?;
        let (reaper, first) = (Pid::from_raw(id.cast_signed()), Pid::from_raw(i32::from_ne_bytes(first)));
        socket.set_nonblocking(true)?;
        let reports = tokio::net::UnixStream::from_std(socket.try_clone()?)?;
        Ok((Self { socket, reaper, first }, Ending { child, reports, first }))
    }

    /// The container's first process.
    pub fn first(&self) -> Pid {
        self.first
    }

    /// Signals every process of the container; ignored if all are gone.
    pub fn signal(&self, signal: Signal) {
        let order = [signal as u8];
        // SAFETY: the buffer outlives the call. It fails if the reaper is gone.
        unsafe { libc::send(self.socket.as_raw_fd(), order.as_ptr().cast(), 1, libc::MSG_NOSIGNAL) };
        self.wake();
    }

    /// Has reapers kill everything and end, and waits for them, for some seconds at most.
    pub fn end<'a>(reapers: impl Iterator<Item = &'a Self> + Clone) {
        reapers.clone().for_each(Self::dismiss);
        let until = Instant::now() + PATIENCE;
        reapers.for_each(|reaper| reaper.wait(until));
    }

    fn dismiss(&self) {
        let _ = self.socket.shutdown(Shutdown::Write);
        self.wake();
    }

    fn wait(&self, until: Instant) {
        // Nobody else waits for it once the cluster's runtime is gone, and a zombie would stay as long as we do.
        while matches!(waitpid(self.reaper, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive)) {
            if Instant::now() > until {
                tracing::warn!("Processes of a task cannot be killed, and are left: see process {}", self.first);
                let _ = killpg(self.first, Signal::SIGKILL);
                let _ = kill(self.reaper, Signal::SIGKILL);
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// One that was stopped could not do its work.
    fn wake(&self) {
        let _ = kill(self.reaper, Signal::SIGCONT);
    }
}

/// How a container ends.
#[derive(Debug)]
pub struct Ending {
    child: Child,
    reports: tokio::net::UnixStream,
    first: Pid,
}

impl Ending {
    /// Waits until the container's processes are gone: the status of the first, as wait(2) gives it; `None` if it is
    /// not known.
    pub async fn wait(mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt;
        let mut status = [0; 4];
        let reported = self.reports.read_exact(&mut status).await.is_ok();
        if !reported {
            tracing::warn!("The reaper of process {} was killed: what it started may be left", self.first);
            let _ = killpg(self.first, Signal::SIGKILL);
        }
        let of_reaper = self.child.wait().await.ok().map(ExitStatusExt::into_raw);
        if reported { Some(i32::from_ne_bytes(status)) } else { of_reaper }
    }
}

/// Descriptors 0 to 2 are about to be replaced in the child.
fn above_stdio(socket: &UnixStream) -> std::io::Result<OwnedFd> {
    // SAFETY: the descriptor is open, and the new one is nobody else's.
    unsafe {
        match libc::fcntl(socket.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) {
            -1 => Err(std::io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

fn attach(
    command: &mut Command,
    socket: &OwnedFd,
    mut prepare: impl FnMut() -> std::io::Result<()> + Send + Sync + 'static,
) {
    let (socket, cluster) = (socket.as_raw_fd(), nix::unistd::getpid().as_raw());
    // SAFETY: all calls are async-signal-safe, and nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            become_subreaper();
            mask(libc::SIG_SETMASK, &all_signals());
            let reaper = libc::getpid();
            match fork_plainly() {
                -1 => Err(std::io::Error::last_os_error()),
                0 => {
                    handle_by_default();
                    prepare()?;
                    die_with(reaper);
                    mask(libc::SIG_SETMASK, &no_signals());
                    report(socket, libc::getpid());
                    Ok(())
                }
                first => keep(socket, cluster, first),
            }
        });
    }
}

/// Forks without the handlers of `pthread_atfork`, which may take locks that threads of the cluster's process held.
unsafe fn fork_plainly() -> libc::pid_t {
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    // SAFETY: no memory is shared, and no stack is given: as fork(2).
    unsafe {
        let none = 0_usize;
        let pid = libc::syscall(libc::SYS_clone, i64::from(libc::SIGCHLD), none, none, none, none);
        libc::pid_t::try_from(pid).unwrap_or(-1)
    }
    #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
    // SAFETY: the child only makes async-signal-safe calls.
    unsafe {
        libc::fork()
    }
}

unsafe fn become_subreaper() {
    #[cfg(target_os = "linux")]
    // SAFETY: names and flags of this process alone.
    unsafe {
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
        libc::prctl(libc::PR_SET_NAME, c"remesos-reaper".as_ptr());
    }
}

/// Neither the cluster's handlers nor what it ignores are meant for the container.
unsafe fn handle_by_default() {
    for signal in 1..=64 {
        // SAFETY: the default handler is no code of ours. Some signals have no other.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Has the container's first process end if its reaper is killed.
unsafe fn die_with(reaper: libc::pid_t) {
    #[cfg(target_os = "linux")]
    // SAFETY: a flag of this process alone.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid() != reaper {
            libc::_exit(1);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = reaper;
}

unsafe fn report(socket: i32, message: i32) {
    let message = message.to_ne_bytes();
    // SAFETY: the buffer outlives the call. Nobody listens if the cluster is gone.
    unsafe { libc::send(socket, message.as_ptr().cast(), message.len(), libc::MSG_NOSIGNAL) };
}

/// The reaper's life.
unsafe fn keep(socket: i32, cluster: libc::pid_t, first: libc::pid_t) -> ! {
    // SAFETY: system calls on descriptors and memory of our own.
    unsafe {
        // Ctrl-C in a terminal goes to a whole process group: not to this one.
        libc::setsid();
        libc::dup2(socket, 0);
        close_from(1);
        libc::chdir(c"/".as_ptr());
        libc::signal(libc::SIGCHLD, nothing as extern "C" fn(i32) as libc::sighandler_t);
        let mut family = Family { first, status: None, empty: false };
        let mut memory = Memory::AsForked;
        loop {
            family.reap();
            if family.status.is_some() {
                break;
            }
            match next_order(LOOK) {
                Order::End => break,
                _ if libc::getppid() != cluster => break,
                Order::Signal(signal) => family.signal(signal),
                // It takes a while, in which a short task would have ended.
                Order::Nothing => memory.give_back(),
            }
        }
        family.end();
        if let Some(status) = family.status {
            report(0, status);
        }
        libc::_exit(0)
    }
}

/// What a reaper still has of the cluster's memory.
#[derive(PartialEq)]
enum Memory {
    AsForked,
    GivenBack,
}

impl Memory {
    unsafe fn give_back(&mut self) {
        if *self == Self::AsForked {
            *self = Self::GivenBack;
            #[cfg(target_os = "linux")]
            // SAFETY: as for the caller, which uses its stack alone.
            unsafe {
                memory::give_back();
            }
        }
    }
}

extern "C" fn nothing(_: i32) {}

/// What the cluster wants.
enum Order {
    Signal(i32),
    End,
    Nothing,
}

/// Waits for an order, a child's end, or until the time is over.
unsafe fn next_order(time: Duration) -> Order {
    // SAFETY: an fd_set is plain memory.
    unsafe {
        let mut readable: libc::fd_set = std::mem::zeroed();
        libc::FD_SET(0, &raw mut readable);
        if wait_for_child(1, &raw mut readable, time) <= 0 {
            return Order::Nothing;
        }
        let mut signal = [0_u8];
        match libc::recv(0, signal.as_mut_ptr().cast(), 1, libc::MSG_DONTWAIT) {
            1 => Order::Signal(signal[0].into()),
            _ => Order::End,
        }
    }
}

/// Waits for descriptors, or a child's end: SIGCHLD is blocked at all other times.
unsafe fn wait_for_child(fds: i32, readable: *mut libc::fd_set, time: Duration) -> i32 {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let time = libc::timespec { tv_sec: seconds, tv_nsec: time.subsec_nanos().into() };
    // SAFETY: all pointers are to live memory, or null where that is allowed.
    unsafe {
        let mut blocked = all_signals();
        libc::sigdelset(&raw mut blocked, libc::SIGCHLD);
        let none = std::ptr::null_mut();
        libc::pselect(fds, readable, none, none, &raw const time, &raw const blocked)
    }
}

/// The processes of the container, as its reaper knows them.
struct Family {
    first: libc::pid_t,
    /// How the first ended.
    status: Option<i32>,
    /// Whether no process is left.
    empty: bool,
}

impl Family {
    /// Takes in who has ended; how many.
    unsafe fn reap(&mut self) -> u32 {
        let mut reaped = 0;
        loop {
            let mut status = 0;
            // SAFETY: the status is live memory.
            match unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) } {
                0 => return reaped,
                pid if pid > 0 => {
                    reaped += 1;
                    if pid == self.first {
                        self.status = Some(status);
                    }
                }
                _ => {
                    self.empty = true;
                    return reaped;
                }
            }
        }
    }

    /// Signals all processes once: the group of the first, and the others one by one.
    unsafe fn signal(&mut self, signal: i32) {
        // SAFETY: the first process was not waited for, so the group is its own.
        let sent = unsafe { libc::kill(-self.first, signal) } == 0;
        if signal == libc::SIGKILL {
            // All others are killed when the first has ended.
            if !sent {
                // SAFETY: as for the caller.
                unsafe { self.kill(usize::MAX) };
            }
            return;
        }
        let mut processes = Processes::none();
        processes.look();
        for process in processes.descendants_of(nix::unistd::getpid().as_raw()) {
            if process.group != self.first {
                // SAFETY: signalling touches no memory. One that is gone is no error.
                unsafe { libc::kill(process.id, signal) };
            }
        }
    }

    /// Sends SIGKILL to the groups of the children among so many processes that follow this one, or among all. The
    /// groups are nobody else's: sessions are our own. How many children were signalled; children of theirs are ours
    /// when they are dead.
    unsafe fn kill(&mut self, most: usize) -> u32 {
        let (own, mut killed) = (nix::unistd::getpid().as_raw(), 0);
        let from = if most == usize::MAX { 0 } else { own };
        tree::for_each_from(from, most, |process| {
            if process.parent == own && process.group > 1 && process.group != own {
                // SAFETY: signalling touches no memory. The child was not waited for, so that the ids are its own.
                let (group, child) =
                    unsafe { (libc::kill(-process.group, libc::SIGKILL), libc::kill(process.id, libc::SIGKILL)) };
                killed += u32::from(group == 0 || child == 0);
            }
        });
        killed
    }

    /// Kills until nobody is left, or nobody who is left may be signalled.
    unsafe fn end(&mut self) {
        // SAFETY: as for the caller.
        unsafe {
            if self.status.is_none() && libc::kill(-self.first, libc::SIGKILL) == 0 {
                self.wait_for(1);
            }
            let (mut most, mut futile) = (NEAR, 0);
            for _ in 0..ROUNDS {
                self.reap();
                if self.empty || futile == FUTILE_ROUNDS {
                    return;
                }
                let killed = self.kill(most);
                if killed > 0 || most == usize::MAX {
                    self.wait_for(killed);
                }
                futile = if killed == 0 && most == usize::MAX { futile + 1 } else { 0 };
                if killed == 0 {
                    most = if most == NEAR { NEAR * NEAR } else { usize::MAX };
                }
            }
        }
    }

    /// Waits until so many have ended, for as long as a round takes after each.
    unsafe fn wait_for(&mut self, mut count: u32) {
        // SAFETY: as for the caller.
        unsafe {
            while wait_for_child(0, std::ptr::null_mut(), ROUND) == -1 {
                count = count.saturating_sub(self.reap());
                if count == 0 || self.empty {
                    return;
                }
            }
        }
    }
}

fn all_signals() -> libc::sigset_t {
    // SAFETY: a set is plain memory, and filled.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        set
    }
}

fn no_signals() -> libc::sigset_t {
    // SAFETY: a set is plain memory, and emptied.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        set
    }
}

/// Changes which signals are blocked.
fn mask(how: i32, signals: &libc::sigset_t) {
    // SAFETY: the set is live memory.
    unsafe { libc::sigprocmask(how, signals, std::ptr::null_mut()) };
}

/// Closes descriptors from `first` on: ports and pipes of the cluster must not stay open here.
unsafe fn close_from(first: i32) {
    #[cfg(target_os = "linux")]
    // SAFETY: closes descriptors, and touches no memory.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first.cast_unsigned(), u32::MAX, 0) == 0 {
            return;
        }
    }
    // SAFETY: asks for a number.
    let most = i32::try_from(unsafe { libc::sysconf(libc::_SC_OPEN_MAX) }).unwrap_or(1024).min(65_536);
    for fd in first..most {
        // SAFETY: closing a descriptor that is not open is an error and nothing more.
        unsafe { libc::close(fd) };
    }
}
