//! Starts executors and tasks as processes, each leading a session of its own in its sandbox and kept together by a
//! `reaper`. With `fetcher` and `prober` the only IO of the agents. Follows `src/launcher/posix/` and `src/slave/paths.cpp`.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, User};
use tokio::process::Command;
use tokio::sync::mpsc;

use super::fetcher;
use super::prober::{self, Surroundings};
use super::reaper::Reaper;
use super::task::{Outcome, Probe, Subject};
use super::work_dir;
use crate::proto::v1;

/// A container to start.
#[derive(Debug, Clone)]
pub struct Launch {
    pub container: String,
    pub directory: PathBuf,
    pub command: v1::CommandInfo,
    pub environment: Vec<(String, String)>,
    /// Whom it runs as, where this process may decide that.
    pub user: Option<String>,
    pub mounts: Vec<Mount>,
}

/// A persistent volume in a sandbox: a link, as `src/slave/containerizer/mesos/isolators/filesystem/posix.cpp` makes it.
#[derive(Debug, Clone)]
pub struct Mount {
    pub source: PathBuf,
    /// Below the sandbox.
    pub target: PathBuf,
}

/// What became of something that took its time.
#[derive(Debug)]
pub enum Happening {
    /// A container's process ended, with a status as wait(2) gives it.
    Exited(String, Option<i32>),
    /// What a container's command names was fetched, or could not be, and why.
    Fetched(Box<Launch>, std::result::Result<(), String>),
    /// A task was looked at.
    Probed(String, Subject, Outcome),
}

/// The processes of all containers.
#[derive(Debug)]
pub struct Containerizer {
    reapers: HashMap<String, Reaper>,
    surroundings: HashMap<String, Surroundings>,
    happenings: mpsc::UnboundedSender<Happening>,
}

impl Containerizer {
    /// A containerizer without containers, which reports to `happenings`.
    pub fn new(happenings: mpsc::UnboundedSender<Happening>) -> Self {
        Self { reapers: HashMap::new(), surroundings: HashMap::new(), happenings }
    }

    /// Makes a container's sandbox and fetches into it what its command names; reported as `Fetched`.
    pub fn fetch(&self, launch: Box<Launch>) {
        let happenings = self.happenings.clone();
        tokio::spawn(async move {
            let fetched = match prepare(&launch) {
                Ok(()) => fetcher::fetch(&launch.command.uris, &launch.directory).await,
                Err(why) => Err(why),
            };
            // The cluster is stopping where nobody listens.
            let _ = happenings.send(Happening::Fetched(launch, fetched));
        });
    }

    /// Looks how the task in a container is; reported as `Probed`.
    pub fn probe(&self, container: String, subject: Subject, probe: Probe) {
        let Some(surroundings) = self.surroundings.get(&container).cloned() else {
            return;
        };
        let happenings = self.happenings.clone();
        tokio::spawn(async move {
            let outcome = prober::probe(probe, surroundings).await;
            let _ = happenings.send(Happening::Probed(container, subject, outcome));
        });
    }

    /// Starts a container; its process id, or why it could not be.
    pub fn launch(&mut self, launch: &Launch) -> std::result::Result<u32, String> {
        if launch.command.uris.is_empty() {
            prepare(launch)?;
        }
        let (command, prepare) = command(launch)?;
        let (reaper, ending) = Reaper::spawn(command, prepare).map_err(|e| e.to_string())?;
        let id = reaper.first().as_raw().cast_unsigned();
        self.reapers.insert(launch.container.clone(), reaper);
        let directory = launch.directory.clone();
        let environment = launch.environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        self.surroundings.insert(launch.container.clone(), Surroundings { directory, environment });
        let (happenings, container) = (self.happenings.clone(), launch.container.clone());
        tokio::spawn(async move {
            let status = ending.wait().await;
            // The cluster is stopping where nobody listens.
            let _ = happenings.send(Happening::Exited(container, status));
        });
        Ok(id)
    }

    /// Signals all processes of a container; one that is gone is no error.
    pub fn signal(&mut self, container: &str, signal: i32) {
        if let (Some(reaper), Ok(signal)) = (self.reapers.get(container), Signal::try_from(signal)) {
            reaper.signal(signal);
        }
    }

    /// A container's processes ended.
    pub fn forget(&mut self, container: &str) {
        self.surroundings.remove(container);
        self.reapers.remove(container);
    }
}

impl Drop for Containerizer {
    fn drop(&mut self) {
        Reaper::end(self.reapers.values());
    }
}

/// The sandbox with its volumes.
fn prepare(launch: &Launch) -> std::result::Result<(), String> {
    make_sandbox(&launch.directory)
        .map_err(|e| format!("cannot make the sandbox {}: {e}", launch.directory.display()))?;
    mount(&launch.directory, &launch.mounts)
}

/// Links volumes into a sandbox; one that is there already stays.
pub fn mount(directory: &Path, mounts: &[Mount]) -> std::result::Result<(), String> {
    for mount in mounts {
        make_mount(directory, mount).map_err(|e| format!("cannot mount {}: {e}", mount.target.display()))?;
    }
    Ok(())
}

fn make_sandbox(directory: &Path) -> std::io::Result<()> {
    work_dir::make_sandbox(directory)?;
    // A run of an executor; the tasks of a group are within one.
    if directory.parent().and_then(Path::file_name).is_none_or(|name| name != "runs") {
        return Ok(());
    }
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
    mount.source.parent().map_or(Ok(()), work_dir::make_directories)?;
    fs::create_dir_all(&mount.source)?;
    let target = directory.join(&mount.target);
    target.parent().map_or(Ok(()), fs::create_dir_all)?;
    match symlink(&mount.source, target) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// A container's command, and what its process has to do before it executes that.
fn command(launch: &Launch) -> std::result::Result<(Command, impl FnMut() -> std::io::Result<()> + use<>), String> {
    let mut command = program(&launch.command, &launch.directory)?;
    let output = |name: &str| {
        let file = File::options().create(true).append(true).open(launch.directory.join(name));
        file.map_err(|e| format!("cannot make {name}: {e}"))
    };
    command
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&launch.directory)
        .stdin(Stdio::null())
        .stdout(output("stdout")?)
        .stderr(output("stderr")?);
    let identity = launch.user.as_deref().map_or(Ok(None), identity)?;
    if let Some(identity) = &identity {
        own(&launch.directory, identity).map_err(|e| format!("Failed to chown the sandbox: {e}"))?;
    }
    let prepare = move || {
        // SAFETY: it is made for this.
        unsafe { lead_session()? };
        if let Some(Identity { uid, gid, groups }) = &identity {
            nix::unistd::setgroups(groups)?;
            nix::unistd::setgid(*gid)?;
            nix::unistd::setuid(*uid)?;
        }
        Ok(())
    };
    Ok((command, prepare))
}

/// Whom a process is to run as.
struct Identity {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

/// Only root may run processes as someone else; others run all as themselves.
fn identity(name: &str) -> std::result::Result<Option<Identity>, String> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let unknown = || format!("Failed to get user information for '{name}'");
    let user = User::from_name(name).map_err(|e| format!("{}: {e}", unknown()))?.ok_or_else(unknown)?;
    if user.uid.is_root() {
        return Ok(None);
    }
    let c_name = std::ffi::CString::new(name).map_err(|_| unknown())?;
    let groups = nix::unistd::getgrouplist(&c_name, user.gid).map_err(|e| format!("{}: {e}", unknown()))?;
    Ok(Some(Identity { uid: user.uid, gid: user.gid, groups }))
}

fn own(directory: &Path, identity: &Identity) -> std::io::Result<()> {
    let (uid, gid) = (Some(identity.uid.as_raw()), Some(identity.gid.as_raw()));
    for entry in fs::read_dir(directory)? {
        std::os::unix::fs::lchown(entry?.path(), uid, gid)?;
    }
    std::os::unix::fs::lchown(directory, uid, gid)
}

/// What a command runs: a shell, or a program with its arguments, `argv[0]` included; one with a slash in its relative
/// name is looked for in the directory.
pub fn program(info: &v1::CommandInfo, directory: &Path) -> std::result::Result<Command, String> {
    if info.shell() {
        let mut shell = Command::new("/bin/sh");
        shell.arg0("sh").arg("-c").arg(info.value.as_ref().ok_or("Shell command is not specified")?);
        return Ok(shell);
    }
    let named = info.value.as_deref().or(info.arguments.first().map(String::as_str)).ok_or("no executable is named")?;
    let mut command = if named.contains('/') { Command::new(directory.join(named)) } else { Command::new(named) };
    if let Some((name, arguments)) = info.arguments.split_first() {
        command.arg0(name).args(arguments);
    }
    Ok(command)
}

/// Has a process lead a session of its own, with signals as they are by default.
///
/// # Safety
///
/// Calls that are async-signal-safe, and allocate nothing: to be used between fork and exec.
pub unsafe fn lead_session() -> std::io::Result<()> {
    nix::unistd::setsid()?;
    // Python ignores the first two, nohup and shells the others, and what is ignored stays so over exec.
    for signal in [Signal::SIGPIPE, Signal::SIGXFSZ, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        // SAFETY: the default handler is no code of ours.
        unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl)? };
    }
    Ok(())
}
