//! Starts tasks as processes, each leading a session of its own in its sandbox. The only IO of the agents.
//! Follows `src/launcher/posix/` and `src/slave/paths.cpp`.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use tokio::process::Command;
use tokio::sync::mpsc;

use super::guardian::Guardian;
use crate::Result;
use crate::proto::v1;

/// A container to start.
#[derive(Debug, Clone)]
pub struct Launch {
    pub container: String,
    pub directory: PathBuf,
    pub command: v1::CommandInfo,
    pub environment: Vec<(String, String)>,
    pub mounts: Vec<Mount>,
}

/// A persistent volume in a sandbox: a link, as `src/slave/containerizer/mesos/isolators/filesystem/posix.cpp` makes it.
#[derive(Debug, Clone)]
pub struct Mount {
    pub source: PathBuf,
    /// Below the sandbox.
    pub target: PathBuf,
}

/// A process that ended: its container, and its status as wait(2) gives it.
pub type Exit = (String, Option<i32>);

/// The processes of all containers.
#[derive(Debug)]
pub struct Containerizer {
    guardian: Guardian,
    groups: HashMap<String, Pid>,
    exits: mpsc::UnboundedSender<Exit>,
}

impl Containerizer {
    /// A containerizer without containers, which reports exits to `exits`.
    ///
    /// Fails where the guardian cannot be started.
    pub fn new(exits: mpsc::UnboundedSender<Exit>) -> Result<Self> {
        Ok(Self { guardian: Guardian::spawn()?, groups: HashMap::new(), exits })
    }

    /// Starts a container; its process id, or why it could not be.
    pub fn launch(&mut self, launch: &Launch) -> std::result::Result<u32, String> {
        make_sandbox(&launch.directory)
            .map_err(|e| format!("cannot make the sandbox {}: {e}", launch.directory.display()))?;
        for mount in &launch.mounts {
            make_mount(&launch.directory, mount)
                .map_err(|e| format!("cannot mount {}: {e}", mount.target.display()))?;
        }
        let mut child = command(launch)?.spawn().map_err(|e| e.to_string())?;
        let id = child.id().ok_or("the process ended before it was known")?;
        let group = Pid::from_raw(id.cast_signed());
        self.guardian.watch(group);
        self.groups.insert(launch.container.clone(), group);
        let (exits, container) = (self.exits.clone(), launch.container.clone());
        tokio::spawn(async move {
            let status = child.wait().await.ok().map(ExitStatus::into_raw);
            // The cluster is stopping where nobody listens.
            let _ = exits.send((container, status));
        });
        Ok(id)
    }

    /// Signals all processes of a container; one that is gone is no error.
    pub fn signal(&mut self, container: &str, signal: i32) {
        let (Some(&group), Ok(signal)) = (self.groups.get(container), Signal::try_from(signal)) else {
            return;
        };
        // ESRCH: all are gone already.
        let _ = killpg(group, signal);
    }

    /// A container's process ended, and what it left behind was signalled.
    pub fn forget(&mut self, container: &str) {
        if let Some(group) = self.groups.remove(container) {
            self.guardian.forget(group);
        }
    }
}

impl Drop for Containerizer {
    fn drop(&mut self) {
        for &group in self.groups.values() {
            let _ = killpg(group, Signal::SIGKILL);
        }
        // Nobody else waits for them once the cluster's runtime is gone, and a zombie would stay as long as we do.
        for &leader in self.groups.values() {
            let _ = waitpid(leader, None);
        }
    }
}

fn make_sandbox(directory: &Path) -> std::io::Result<()> {
    fs::create_dir_all(directory)?;
    let (Some(runs), Some(run)) = (directory.parent(), directory.file_name()) else {
        return Ok(());
    };
    let latest = runs.join("latest");
    match fs::remove_file(&latest) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => symlink(run, latest),
    }
}

fn make_mount(directory: &Path, mount: &Mount) -> std::io::Result<()> {
    let plain = |part: std::path::Component| matches!(part, std::path::Component::Normal(_));
    if !mount.target.components().all(plain) {
        return Err(std::io::Error::other("the path has to stay in the sandbox"));
    }
    fs::create_dir_all(&mount.source)?;
    let target = directory.join(&mount.target);
    target.parent().map_or(Ok(()), fs::create_dir_all)?;
    symlink(&mount.source, target)
}

fn command(launch: &Launch) -> std::result::Result<Command, String> {
    let info = &launch.command;
    let mut command = if info.shell() {
        let mut shell = Command::new("/bin/sh");
        shell.arg0("sh").arg("-c").arg(info.value.as_ref().ok_or("Shell command is not specified")?);
        shell
    } else {
        direct(launch)?
    };
    let output = |name: &str| File::create(launch.directory.join(name)).map_err(|e| format!("cannot make {name}: {e}"));
    command
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&launch.directory)
        .stdin(Stdio::null())
        .stdout(output("stdout")?)
        .stderr(output("stderr")?);
    // SAFETY: setsid and signal are async-signal-safe, and nothing is allocated.
    unsafe {
        command.pre_exec(|| {
            nix::unistd::setsid()?;
            // Python ignores SIGPIPE, and what is ignored stays so over exec.
            nix::sys::signal::signal(Signal::SIGPIPE, nix::sys::signal::SigHandler::SigDfl)?;
            Ok(())
        });
    }
    Ok(command)
}

/// A program with its arguments, argv[0] included; a relative name with a slash is looked for in the sandbox.
fn direct(launch: &Launch) -> std::result::Result<Command, String> {
    let info = &launch.command;
    let program =
        info.value.as_deref().or(info.arguments.first().map(String::as_str)).ok_or("no executable is named")?;
    let mut command =
        if program.contains('/') { Command::new(launch.directory.join(program)) } else { Command::new(program) };
    if let Some((name, arguments)) = info.arguments.split_first() {
        command.arg0(name).args(arguments);
    }
    Ok(command)
}
