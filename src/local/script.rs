//! A program that runs in the terminal of this process, and does not outlive it: `remesos run` starts its script so.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::unistd::getpgrp;
use tokio::runtime::Runtime;

use super::backend::posix::reaper::{Ending, Output, Program, Reaper, Spawner, Terminal, Ties};

/// The program. When this process ends, SIGKILL included, all that the program started is killed; what it leaves when
/// it ends by itself stays.
#[derive(Debug)]
pub struct Script {
    pid: u32,
    running: Mutex<Running>,
}

#[derive(Debug)]
struct Running {
    // Dropped in this order.
    _reaper: Reaper,
    ending: Option<Ending>,
    _spawner: Spawner,
    runtime: Runtime,
}

impl Script {
    /// Starts a program with these arguments, of which the first names it, in this process' directory and group. It
    /// ends with the thread that calls this.
    ///
    /// Fails if there is no such program, or no process can be made.
    pub fn start(arguments: Vec<OsString>, environment: Vec<(OsString, OsString)>) -> io::Result<Self> {
        let executable = arguments.first().map(PathBuf::from).ok_or(io::ErrorKind::InvalidInput)?;
        let group = getpgrp().as_raw();
        let program = Program {
            executable,
            arguments,
            environment,
            directory: std::env::current_dir()?,
            output: Output::Inherited,
            identity: None,
            terminal: Terminal::Shared { group },
        };
        let runtime = crate::runtime::build()?;
        let (spawner, reaper, ending) = runtime.block_on(async {
            let spawner = Spawner::start(Ties::Terminal { group })?;
            let (reaper, ending) = spawner.spawn(&program).await?;
            io::Result::Ok((spawner, reaper, ending))
        })?;
        let pid = reaper.first().as_raw().cast_unsigned();
        Ok(Self {
            pid,
            running: Mutex::new(Running { _reaper: reaper, ending: Some(ending), _spawner: spawner, runtime }),
        })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until the program ends, at most so long: its status as wait(2) gives it, of one that was killed if it is
    /// not known. `None` if it goes on, or its end was told before.
    pub fn wait(&self, at_most: Duration) -> Option<i32> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Running { ending, runtime, .. } = &mut *running;
        let waiting = ending.as_mut()?.wait();
        // Without any time the runtime would not look at its sockets.
        let at_most = at_most.max(Duration::from_millis(1));
        let status = runtime.block_on(async { tokio::time::timeout(at_most, waiting).await }).ok()?;
        *ending = None;
        Some(status.unwrap_or(libc::SIGKILL))
    }
}
