//! The life of the spawner: a process that forks a reaper for each socket that it is handed, and is the subreaper above
//! all of them, so that what a killed reaper leaves is killed too. A fork of a process with threads: async-signal-safe,
//! and without allocating.

use std::time::Duration;

use super::keeper::{self, ROUND, ROUNDS, kill_children};
use super::report::{Report, Step};
use super::system::{self, Woken};
use super::tree::for_each_child;

/// The socket on which it is handed those of containers.
const CONTROL: i32 = 3;
/// How often it looks whether its parent is still the same, in case no signal reports it.
const LOOK: Duration = Duration::from_secs(1);

/// A reaper that has not ended after so many rounds waits for a process whose program is on a file system that does not
/// answer. It is killed, and so is what it kept, by the spawner.
const PATIENT_ROUNDS: u32 = 50;

/// What the spawner has to do with the terminal of the process that started it.
#[derive(Debug, Clone, Copy)]
pub enum Ties {
    /// Nothing: it leads a session, and its standard streams are `/dev/null`.
    None,
    /// It keeps the standard streams, for its containers.
    Streams,
    /// It keeps the standard streams and stays in the session; its containers are in this process group.
    Terminal { group: i32 },
}

/// Serves until the process that started it, its socket, or it is told to end. If it is to be `small`, it gives back the
/// memory that it does not need.
///
/// # Safety
///
/// Called once, in a process that was just forked, with all signals blocked.
pub unsafe fn live(control: i32, parent: libc::pid_t, ties: Ties, small: bool) -> ! {
    // SAFETY: system calls on descriptors and memory of our own.
    unsafe {
        let shared = detach(control, ties);
        system::become_subreaper(c"remesos-spawner");
        let mut is_wanted = system::end_with_parent(parent, libc::SIGTERM);
        if small {
            #[cfg(target_os = "linux")]
            super::memory::give_back();
        }
        let mut some_left = false;
        while is_wanted {
            // Who is on its way to its end anyway may yet leave somebody, so this goes on until there is nobody.
            some_left = (reap() == Reaped::Failure || some_left) && kill_children(shared) > 0;
            is_wanted = match system::wait(Some(CONTROL), None, if some_left { ROUND } else { LOOK }) {
                Woken::First => start_reaper(),
                _ => !system::is_told_to_end() && libc::getppid() == parent,
            };
        }
        end(shared);
        libc::_exit(0)
    }
}

/// Lets go of all that belongs to the process that this is a fork of. Returns the group that containers share with it.
unsafe fn detach(control: i32, ties: Ties) -> Option<i32> {
    // SAFETY: as for the caller.
    unsafe {
        // Ctrl-C in a terminal goes to a whole process group: not to this one.
        let shared = match ties {
            Ties::Terminal { group } => Some(group),
            Ties::None | Ties::Streams => None,
        };
        if shared.is_some() {
            libc::setpgid(0, 0)
        } else {
            libc::setsid()
        };
        system::reset_handlers(shared.is_some());
        system::handle_signals();
        // Its number may be that of a standard stream, if the process has none.
        system::move_to(libc::fcntl(control, libc::F_DUPFD, CONTROL), CONTROL);
        system::close_from(CONTROL + 1);
        for number in 0..CONTROL {
            let is_missing = libc::fcntl(number, libc::F_GETFD) == -1 || number == control;
            if is_missing || matches!(ties, Ties::None) {
                libc::close(number);
                libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            }
        }
        libc::chdir(c"/".as_ptr());
        shared
    }
}

/// How the children ended that have ended since it was last asked.
#[derive(PartialEq)]
enum Reaped {
    /// Each reaper with nobody left, if any ended.
    Success,
    /// At least one was killed, or left somebody; or somebody who was left has ended.
    Failure,
}

unsafe fn reap() -> Reaped {
    let mut reaped = Reaped::Success;
    loop {
        let mut status = 0;
        // SAFETY: the status is live memory.
        if unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) } <= 0 {
            return reaped;
        }
        if status != 0 {
            reaped = Reaped::Failure;
        }
    }
}

/// Takes a container's socket and forks its reaper; false if there are none to come.
unsafe fn start_reaper() -> bool {
    // SAFETY: as for the caller.
    unsafe {
        let socket = match receive_socket() {
            Received::Socket(socket) => socket,
            Received::Nothing => return true,
            Received::End => return false,
        };
        let spawner = libc::getpid();
        match system::fork() {
            0 => {
                system::move_to(socket, keeper::SOCKET);
                system::close_from(keeper::SOCKET + 1);
                keeper::live(spawner)
            }
            -1 => Report::Failed(Step::Fork, system::errno()).send(socket),
            _ => {}
        }
        libc::close(socket);
    }
    true
}

enum Received {
    Socket(i32),
    /// A message without a socket, as when there are no descriptors left.
    Nothing,
    End,
}

unsafe fn receive_socket() -> Received {
    #[repr(align(8))]
    struct Ancillary([u8; 64]);
    let (mut byte, mut ancillary) = ([0_u8], Ancillary([0; 64]));
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: byte.len() };
    // SAFETY: the message is plain memory and names live buffers with their lengths.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
        message.msg_control = ancillary.0.as_mut_ptr().cast();
        message.msg_controllen = ancillary.0.len() as _;
        if libc::recvmsg(CONTROL, &raw mut message, libc::MSG_DONTWAIT) <= 0 {
            return Received::End;
        }
        let head = libc::CMSG_FIRSTHDR(&raw const message);
        if head.is_null() || (*head).cmsg_type != libc::SCM_RIGHTS {
            return Received::Nothing;
        }
        Received::Socket(libc::CMSG_DATA(head).cast::<i32>().read_unaligned())
    }
}

/// Has all reapers end, and waits until they have, and what was left by others too.
unsafe fn end(shared: Option<i32>) {
    // SAFETY: as for the caller.
    unsafe {
        let own_group = libc::getpgrp();
        libc::kill(0, libc::SIGTERM);
        // One that was stopped could not do its work.
        libc::kill(0, libc::SIGCONT);
        for round in 0..ROUNDS {
            let reaped = reap();
            // What a script leaves that shares the terminal stays.
            let killed = if shared.is_none() || reaped == Reaped::Failure { kill_children(shared) } else { 0 };
            let mut reapers = 0_u32;
            for_each_child(libc::getpid(), |child| {
                if libc::getpgid(child) == own_group {
                    reapers = reapers.saturating_add(1);
                    if round >= PATIENT_ROUNDS {
                        libc::kill(child, libc::SIGKILL);
                    }
                }
            });
            if reapers == 0 && killed == 0 {
                return;
            }
            system::wait(None, None, ROUND);
        }
    }
}
