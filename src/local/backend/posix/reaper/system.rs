//! System calls for processes that are forks of a process with threads: async-signal-safe, and without allocating.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether this process has received SIGTERM.
static TOLD_TO_END: AtomicBool = AtomicBool::new(false);

/// Whether this process has received SIGTERM since [`handle_signals`].
pub fn is_told_to_end() -> bool {
    TOLD_TO_END.load(Ordering::Relaxed)
}

extern "C" fn end(_: i32) {
    TOLD_TO_END.store(true, Ordering::Relaxed);
}

extern "C" fn nothing(_: i32) {}

/// Forks without the handlers of `pthread_atfork`, which may take locks that other threads held.
pub unsafe fn fork() -> libc::pid_t {
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

/// The stack of a process that shares this one's memory; its code needs a few KB.
const STACK: usize = 64 << 10;

/// Makes a process that runs `child` and is about to execute a program: as vfork(2), it uses this process's memory,
/// which waits until the other has executed or ended. So nothing has to be copied; a fork of a process with many
/// mappings costs a millisecond.
///
/// Returns -1 if no process can be made.
pub unsafe fn fork_to_execute<T>(child: extern "C" fn(*mut T) -> !, argument: &mut T) -> libc::pid_t {
    #[cfg(target_os = "linux")]
    // SAFETY: the stack is the child's alone, and outlives it: this process goes on when the child has other memory.
    unsafe {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let stack = libc::mmap(std::ptr::null_mut(), STACK, access, kind, -1, 0);
        if stack == libc::MAP_FAILED {
            return -1;
        }
        let child = std::mem::transmute::<extern "C" fn(*mut T) -> !, extern "C" fn(*mut libc::c_void) -> i32>(child);
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let pid = libc::clone(child, stack.byte_add(STACK), flags, std::ptr::from_mut(argument).cast());
        libc::munmap(stack, STACK);
        pid
    }
    #[cfg(not(target_os = "linux"))]
    // SAFETY: as for the caller.
    unsafe {
        match fork() {
            0 => child(argument),
            pid => pid,
        }
    }
}

/// Makes this process the one that inherits the orphans among its descendants.
pub unsafe fn become_subreaper(name: &std::ffi::CStr) {
    #[cfg(target_os = "linux")]
    // SAFETY: names and flags of this process alone.
    unsafe {
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
        libc::prctl(libc::PR_SET_NAME, name.as_ptr());
    }
    #[cfg(not(target_os = "linux"))]
    let _ = name;
}

/// Has this process receive a signal when its parent ends; false if the parent has ended already.
pub unsafe fn end_with_parent(parent: libc::pid_t, signal: i32) -> bool {
    // SAFETY: a flag of this process alone.
    unsafe {
        #[cfg(target_os = "linux")]
        libc::prctl(libc::PR_SET_PDEATHSIG, signal);
        #[cfg(not(target_os = "linux"))]
        let _ = signal;
        libc::getppid() == parent
    }
}

/// Takes the handlers of the process that this is a fork of away. What is ignored stays so if wanted.
pub unsafe fn reset_handlers(keep_ignored: bool) {
    for signal in 1..=64 {
        // SAFETY: the action is plain memory; the default handler is no code of ours. Some signals have no other.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let known = libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0;
            if !(keep_ignored && known && action.sa_sigaction == libc::SIG_IGN) {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }
}

/// Has SIGTERM noted, and SIGCHLD wake this process up; both only while it waits.
pub unsafe fn handle_signals() {
    // SAFETY: the handlers are async-signal-safe.
    unsafe {
        libc::signal(libc::SIGTERM, end as extern "C" fn(i32) as libc::sighandler_t);
        libc::signal(libc::SIGCHLD, nothing as extern "C" fn(i32) as libc::sighandler_t);
    }
}

/// Has this process run as a user with these groups; false if it may not.
pub unsafe fn become_user(uid: u32, gid: u32, count: usize, groups: *const u32) -> bool {
    // The C library's functions change all threads of a process, and take this one's to be those of its parent.
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    // SAFETY: so many groups are there.
    unsafe {
        libc::syscall(libc::SYS_setgroups, count, groups) == 0
            && libc::syscall(libc::SYS_setgid, gid) == 0
            && libc::syscall(libc::SYS_setuid, uid) == 0
    }
    #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
    // SAFETY: so many groups are there.
    unsafe {
        libc::setgroups(count as _, groups) == 0 && libc::setgid(gid) == 0 && libc::setuid(uid) == 0
    }
}

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The first of the descriptors is readable.
    First,
    /// The second alone is.
    Second,
    /// A signal came: a child ended, or this process is told to end.
    Signal,
    /// The time is over.
    Time,
}

/// Waits until a descriptor is readable, a signal comes, or the time is over. Descriptors are below 1024.
pub unsafe fn wait(first: Option<i32>, second: Option<i32>, time: Duration) -> Woken {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let time = libc::timespec { tv_sec: seconds, tv_nsec: time.subsec_nanos().into() };
    // SAFETY: sets are plain memory; all pointers are to live memory, or null if that is allowed.
    unsafe {
        let mut readable: libc::fd_set = std::mem::zeroed();
        for fd in [first, second].into_iter().flatten() {
            libc::FD_SET(fd, &raw mut readable);
        }
        let mut blocked = all_signals();
        libc::sigdelset(&raw mut blocked, libc::SIGCHLD);
        libc::sigdelset(&raw mut blocked, libc::SIGTERM);
        let fds = first.max(second).map_or(0, |fd| fd + 1);
        let none = std::ptr::null_mut();
        match libc::pselect(fds, &raw mut readable, none, none, &raw const time, &raw const blocked) {
            -1 => Woken::Signal,
            0 => Woken::Time,
            _ if first.is_some_and(|fd| libc::FD_ISSET(fd, &raw const readable)) => Woken::First,
            _ => Woken::Second,
        }
    }
}

pub fn all_signals() -> libc::sigset_t {
    // SAFETY: a set is plain memory, and filled.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        set
    }
}

pub fn no_signals() -> libc::sigset_t {
    // SAFETY: a set is plain memory, and emptied.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        set
    }
}

/// Sets which signals this thread blocks; returns which it blocked before.
pub fn mask(signals: &libc::sigset_t) -> libc::sigset_t {
    let mut before = no_signals();
    // SAFETY: the sets are live memory.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, signals, &raw mut before) };
    before
}

/// The number of the last error.
pub fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// Closes descriptors from `first` on: ports and pipes of the cluster must not stay open.
pub unsafe fn close_from(first: i32) {
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

/// Makes `fd` the descriptor of this number, closed on exec.
pub unsafe fn move_to(fd: i32, number: i32) {
    // SAFETY: works on descriptors of this process alone.
    unsafe {
        if fd != number {
            libc::dup2(fd, number);
            libc::close(fd);
        }
        libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC);
    }
}
