//! The life of a reaper: starts a container's first process, passes signals on, and ends with nobody left. A fork of
//! the spawner; async-signal-safe, and without allocating.

use std::time::Duration;

use super::program::{Output, Request, allocate};
use super::report::{Report, Step};
use super::system::{self, Woken};
use super::tree::{Descendants, for_each_child};

/// The container's socket.
pub const SOCKET: i32 = 3;
/// How often a reaper looks whether its parent is still the same, in case no signal reports it.
const LOOK: Duration = Duration::from_secs(1);
/// Between two rounds of SIGKILL.
pub const ROUND: Duration = Duration::from_millis(100);
/// So many rounds in which nobody may be signalled are enough.
pub const FUTILE_ROUNDS: u32 = 10;
/// A process in an uninterruptible call may take its time, but not for ever.
pub const ROUNDS: u32 = 300;

/// Keeps one container, from the request on the socket to its last process.
pub unsafe fn live(spawner: libc::pid_t) -> ! {
    // SAFETY: system calls on descriptors and memory of our own.
    unsafe {
        system::become_subreaper(c"remesos-reaper");
        let parent_lives = system::end_with_parent(spawner, libc::SIGTERM);
        let Some(request) = receive(spawner).filter(|_| parent_lives) else { libc::_exit(0) };
        let mut pipe = [0; 2];
        let first = if libc::pipe(pipe.as_mut_ptr()) == 0 { fork_first(&request, pipe) } else { -1 };
        if first == -1 {
            Report::Failed(Step::Fork, system::errno()).send(SOCKET);
            libc::_exit(0);
        }
        let left = keep(Family { first, shared: request.group, status: None, empty: false }, pipe[0], spawner);
        // Also if somebody else still has this end of the socket.
        libc::shutdown(SOCKET, libc::SHUT_RDWR);
        libc::_exit(left.into())
    }
}

/// The request; `None` if the cluster or the spawner is gone, or there is no memory.
unsafe fn receive(spawner: libc::pid_t) -> Option<Request> {
    let mut length = [0_u8; 4];
    // SAFETY: the buffers are as long as is said.
    unsafe {
        receive_exact(spawner, length.as_mut_ptr(), length.len())?;
        let length = u32::from_ne_bytes(length) as usize;
        let body = allocate(length)?;
        receive_exact(spawner, body, length)?;
        Request::decode(body)
    }
}

unsafe fn receive_exact(spawner: libc::pid_t, buffer: *mut u8, length: usize) -> Option<()> {
    let mut filled = 0;
    while filled < length {
        // SAFETY: no more is received than the buffer has room for.
        let got = unsafe {
            if system::wait(Some(SOCKET), None, LOOK) != Woken::First {
                if is_orphaned(spawner) {
                    return None;
                }
                continue;
            }
            libc::recv(SOCKET, buffer.add(filled).cast(), length - filled, libc::MSG_DONTWAIT)
        };
        filled += usize::try_from(got).ok().filter(|got| *got > 0)?;
    }
    Some(())
}

fn is_orphaned(spawner: libc::pid_t) -> bool {
    // SAFETY: asks for a number.
    system::is_told_to_end() || unsafe { libc::getppid() } != spawner
}

/// What the container's first process needs until it executes the command.
struct Birth<'a> {
    request: &'a Request,
    reaper: libc::pid_t,
    /// Written to only if the command cannot be executed.
    pipe: [i32; 2],
}

/// Makes the container's first process, and waits until it has executed the command or failed to.
unsafe fn fork_first(request: &Request, pipe: [i32; 2]) -> libc::pid_t {
    // SAFETY: as for the caller.
    unsafe {
        let mut birth = Birth { request, reaper: libc::getpid(), pipe };
        let first = system::fork_to_execute(be_born, &mut birth);
        libc::close(pipe[1]);
        first
    }
}

extern "C" fn be_born(birth: *mut Birth<'_>) -> ! {
    // SAFETY: who made this process waits, with what was borrowed; the words are as long as is said.
    unsafe {
        let Birth { request, reaper, pipe } = &*birth;
        let failure = become_first(request, *reaper, *pipe);
        let words = [failure.0 as i32, failure.1];
        libc::write(pipe[1], words.as_ptr().cast(), size_of_val(&words));
        libc::_exit(127)
    }
}

/// Executes the command; returns only if that fails, at what and with the number of the error.
unsafe fn become_first(request: &Request, reaper: libc::pid_t, pipe: [i32; 2]) -> (Step, i32) {
    let done = |step: Step, ok: bool| if ok { Ok(()) } else { Err((step, system::errno())) };
    // SAFETY: system calls; strings end with zeros, arrays are as long as is said.
    let prepared = || unsafe {
        libc::close(SOCKET);
        libc::close(pipe[0]);
        libc::fcntl(pipe[1], libc::F_SETFD, libc::FD_CLOEXEC);
        match request.group {
            None => done(Step::Session, libc::setsid() != -1)?,
            Some(group) => done(Step::Session, libc::setpgid(0, group) == 0)?,
        }
        // Neither the cluster's handlers nor what it ignores are meant for a container of its own.
        system::reset_handlers(request.group.is_some());
        for signal in [libc::SIGTERM, libc::SIGCHLD, libc::SIGPIPE, libc::SIGXFSZ] {
            // Python ignores the last two, and what is ignored stays so over exec.
            libc::signal(signal, libc::SIG_DFL);
        }
        done(Step::Directory, libc::chdir(request.directory) == 0)?;
        if let Some((uid, gid)) = request.identity {
            let (count, groups) = request.groups;
            done(Step::User, system::become_user(uid, gid, count, groups))?;
        }
        done(Step::Output, request.output != Output::Files as u32 || open_outputs())
    };
    if let Err(failure) = prepared() {
        return failure;
    }
    // SAFETY: as above. The end of the reaper kills it from here on; another user's rights would have undone that.
    unsafe {
        if !system::end_with_parent(reaper, libc::SIGKILL) {
            libc::_exit(1);
        }
        system::mask(&system::no_signals());
        (Step::Execute, request.execute())
    }
}

unsafe fn open_outputs() -> bool {
    // A named pipe that nobody reads would block this process, and the reaper with it.
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_NONBLOCK;
    for (name, number) in [(c"stdout", 1), (c"stderr", 2)] {
        // SAFETY: the name ends with a zero; descriptors are this process's own.
        unsafe {
            let file = libc::open(name.as_ptr(), flags, 0o666);
            let opened = file != -1 && libc::fcntl(file, libc::F_SETFL, libc::O_APPEND) != -1;
            if !opened || libc::dup2(file, number) == -1 {
                return false;
            }
            libc::close(file);
        }
    }
    true
}

/// Keeps the container's processes until the first ends, or the cluster does; whether some could not be killed.
unsafe fn keep(mut family: Family, pipe: i32, spawner: libc::pid_t) -> bool {
    let mut starting = Some(pipe);
    // SAFETY: as for the caller.
    unsafe {
        let mut is_wanted = true;
        while is_wanted && family.status.is_none() {
            is_wanted = match system::wait(Some(SOCKET), starting, LOOK) {
                Woken::First => family.obey(),
                Woken::Second => family.note_start(&mut starting),
                Woken::Signal | Woken::Time => !is_orphaned(spawner),
            };
            family.reap();
        }
        let ended_by_itself = family.status.is_some();
        if !ended_by_itself {
            family.end();
        }
        if let Some(status) = family.status {
            // A short command is over before its start was noted.
            let ran = family.note_start(&mut starting);
            if ended_by_itself && family.shared.is_none() {
                family.end();
            }
            if ran {
                Report::Ended(status).send(SOCKET);
            }
        }
        !(family.empty || ended_by_itself && family.shared.is_some())
    }
}

/// The processes of the container, as its reaper knows them.
struct Family {
    first: libc::pid_t,
    /// The process group that it shares with others.
    shared: Option<i32>,
    /// How the first ended.
    status: Option<i32>,
    /// Whether no process is left.
    empty: bool,
}

impl Family {
    /// Tells the cluster whether the command runs, once that is known; false if it does not.
    unsafe fn note_start(&self, starting: &mut Option<i32>) -> bool {
        let Some(pipe) = starting.take() else { return true };
        let mut failure = [0_i32; 2];
        // SAFETY: no more is read than the buffer has room for. The pipe has something, or its other end is closed.
        unsafe {
            let got = libc::read(pipe, failure.as_mut_ptr().cast(), size_of_val(&failure));
            libc::close(pipe);
            let step = usize::try_from(failure[0]).ok().and_then(Step::of_number).filter(|_| got > 0);
            let report = step.map_or(Report::Started { first: self.first, reaper: libc::getpid() }, |step| {
                Report::Failed(step, failure[1])
            });
            report.send(SOCKET);
            step.is_none()
        }
    }

    /// Takes an order from the socket; false if the container is to end.
    unsafe fn obey(&mut self) -> bool {
        let mut signal = [0_u8];
        // SAFETY: no more is received than the buffer has room for.
        unsafe {
            match libc::recv(SOCKET, signal.as_mut_ptr().cast(), 1, libc::MSG_DONTWAIT) {
                1 => self.signal(signal[0].into()),
                _ => return false,
            }
        }
        true
    }

    /// Takes in who has ended; how many.
    unsafe fn reap(&mut self) -> u32 {
        let mut reaped = 0_u32;
        loop {
            let mut status = 0;
            // SAFETY: the status is live memory.
            match unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) } {
                0 => return reaped,
                pid if pid > 0 => {
                    reaped = reaped.saturating_add(1);
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
        // SAFETY: the first process was not waited for, so the ids are its own. It may not lead its group yet.
        let sent = unsafe { self.signal_first(signal) };
        if signal == libc::SIGKILL {
            // All others are killed when the first has ended.
            if !sent {
                kill_children(self.shared);
            }
            return;
        }
        for process in Descendants::of(nix::unistd::getpid().as_raw()).ids() {
            // SAFETY: asks for a number, and signalling touches no memory. One that is gone is no error.
            unsafe {
                if *process != self.first && libc::getpgid(*process) != self.first {
                    libc::kill(*process, signal);
                }
            }
        }
    }

    /// Signals the first process and its group, if it leads one.
    unsafe fn signal_first(&self, signal: i32) -> bool {
        // SAFETY: as for the caller.
        unsafe { libc::kill(-self.first, signal) == 0 || libc::kill(self.first, signal) == 0 }
    }

    /// Kills until nobody is left, or nobody who is left may be signalled.
    unsafe fn end(&mut self) {
        // SAFETY: as for the caller.
        unsafe {
            if self.status.is_none() && self.signal_first(libc::SIGKILL) {
                self.wait_for(1);
            }
            let mut futile = 0;
            for _ in 0..ROUNDS {
                self.reap();
                if self.empty || futile == FUTILE_ROUNDS {
                    return;
                }
                let killed = kill_children(self.shared);
                self.wait_for(killed);
                futile = if killed == 0 { futile + 1 } else { 0 };
            }
        }
    }

    /// Waits until so many have ended, for as long as a round takes after each.
    unsafe fn wait_for(&mut self, mut count: u32) {
        // SAFETY: as for the caller.
        unsafe {
            while system::wait(None, None, ROUND) == Woken::Signal {
                count = count.saturating_sub(self.reap());
                if count == 0 || self.empty {
                    return;
                }
            }
        }
    }
}

/// Sends SIGKILL to the children of this process that are not in its group, and to their groups, which are nobody
/// else's but for the one that is `shared`: sessions are our own. How many children were signalled; children of theirs
/// are ours when they are dead.
pub fn kill_children(shared: Option<i32>) -> u32 {
    let (own_group, mut killed) = (nix::unistd::getpgrp().as_raw(), 0_u32);
    for_each_child(nix::unistd::getpid().as_raw(), |child| {
        // SAFETY: asks for a number.
        let group = unsafe { libc::getpgid(child) };
        if group > 1 && group != own_group {
            // SAFETY: signalling touches no memory. The child was not waited for, so that the ids are its own.
            let signalled = unsafe {
                let of_group = shared != Some(group) && libc::kill(-group, libc::SIGKILL) == 0;
                libc::kill(child, libc::SIGKILL) == 0 || of_group
            };
            killed = killed.saturating_add(signalled.into());
        }
    });
    killed
}
