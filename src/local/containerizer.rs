//! Starts executors and tasks as processes, each leading a session of its own in its sandbox and kept together by a
//! `reaper`. With `fetcher` and `prober` the only IO of the agents. Follows `src/launcher/posix/` and `src/slave/paths.cpp`.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, User};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::fetcher;
use super::prober::{self, Surroundings};
use super::reaper::{Ending, Identity, Output, Program, Reaper, Spawner, Terminal, Ties};
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
    /// A container was started, or could not be, and why.
    Launched(Box<Launch>, std::result::Result<Running, String>),
    /// A container's process ended, with a status as wait(2) gives it.
    Exited(String, Option<i32>),
    /// A task was looked at.
    Probed(String, Subject, Outcome),
}

/// A container that was just started.
#[derive(Debug)]
pub struct Running {
    reaper: Reaper,
    ending: Ending,
    surroundings: Surroundings,
}

impl Running {
    /// The id of its first process.
    pub fn id(&self) -> u32 {
        self.reaper.first().as_raw().cast_unsigned()
    }
}

#[derive(Debug)]
struct Container {
    reaper: Reaper,
    surroundings: Surroundings,
    /// Those under way, which end with the container.
    probes: JoinSet<()>,
}

/// The processes of all containers.
#[derive(Debug)]
pub struct Containerizer {
    containers: HashMap<String, Container>,
    spawner: Arc<Spawner>,
    happenings: mpsc::UnboundedSender<Happening>,
}

impl Containerizer {
    /// A containerizer without containers, which reports to `happenings`. To be called within a Tokio runtime.
    ///
    /// Fails if no process can be started.
    pub fn new(happenings: mpsc::UnboundedSender<Happening>) -> std::io::Result<Self> {
        Ok(Self { containers: HashMap::new(), spawner: Arc::new(Spawner::start(Ties::None)?), happenings })
    }

    /// Makes a container's sandbox, fetches into it what its command names, and starts it; reported as `Launched`.
    pub fn launch(&self, launch: Box<Launch>) {
        let (happenings, spawner) = (self.happenings.clone(), self.spawner.clone());
        tokio::spawn(async move {
            let started = start(&launch, spawner).await;
            // The cluster is stopping if nobody listens.
            let _ = happenings.send(Happening::Launched(launch, started));
        });
    }

    /// Keeps a container that was started; its end is reported as `Exited`.
    pub fn keep(&mut self, container: String, running: Running) {
        let Running { reaper, mut ending, surroundings } = running;
        let happenings = self.happenings.clone();
        self.containers.insert(container.clone(), Container { reaper, surroundings, probes: JoinSet::new() });
        tokio::spawn(async move {
            let status = ending.wait().await;
            let _ = happenings.send(Happening::Exited(container, status));
        });
    }

    /// Looks how the task in a container is; reported as `Probed`.
    pub fn probe(&mut self, id: String, subject: Subject, probe: Probe) {
        let Some(container) = self.containers.get_mut(&id) else { return };
        while container.probes.try_join_next().is_some() {}
        let (happenings, surroundings) = (self.happenings.clone(), container.surroundings.clone());
        container.probes.spawn(async move {
            let outcome = prober::probe(probe, surroundings).await;
            let _ = happenings.send(Happening::Probed(id, subject, outcome));
        });
    }

    /// Signals all processes of a container; one that is gone is no error.
    pub fn signal(&self, container: &str, signal: i32) {
        if let (Some(container), Ok(signal)) = (self.containers.get(container), Signal::try_from(signal)) {
            container.reaper.signal(signal);
        }
    }

    /// A container's processes ended.
    pub fn forget(&mut self, container: &str) {
        self.containers.remove(container);
    }
}

impl Drop for Containerizer {
    fn drop(&mut self) {
        Reaper::end(self.containers.values().map(|container| &container.reaper));
    }
}

async fn start(launch: &Launch, spawner: Arc<Spawner>) -> std::result::Result<Running, String> {
    prepare(launch)?;
    fetcher::fetch(&launch.command.uris, &launch.directory).await?;
    let identity = launch.user.as_deref().map_or(Ok(None), identity)?;
    if let Some(identity) = &identity {
        own(&launch.directory, identity).map_err(|e| format!("Failed to chown the sandbox: {e}"))?;
    }
    let environment = launch.environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let surroundings = Surroundings { directory: launch.directory.clone(), environment, identity, spawner };
    let program = program(&launch.command, &surroundings, Output::Files)?;
    let (reaper, ending) = surroundings.spawner.spawn(&program).await.map_err(|e| e.to_string())?;
    Ok(Running { reaper, ending, surroundings })
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
    let groups = groups.into_iter().map(Gid::as_raw).collect();
    Ok(Some(Identity { uid: user.uid.as_raw(), gid: user.gid.as_raw(), groups }))
}

fn own(directory: &Path, identity: &Identity) -> std::io::Result<()> {
    let (uid, gid) = (Some(identity.uid), Some(identity.gid));
    for entry in fs::read_dir(directory)? {
        std::os::unix::fs::lchown(entry?.path(), uid, gid)?;
    }
    std::os::unix::fs::lchown(directory, uid, gid)
}

/// What a command runs: a shell, or a program with its arguments, `argv[0]` included; one with a slash in its relative
/// name is looked for in the directory.
pub fn program(
    info: &v1::CommandInfo,
    surroundings: &Surroundings,
    output: Output,
) -> std::result::Result<Program, String> {
    let (executable, arguments) = if info.shell() {
        let value = info.value.as_ref().ok_or("Shell command is not specified")?;
        (PathBuf::from("/bin/sh"), ["sh", "-c", value].map(OsString::from).to_vec())
    } else {
        let named = info.value.as_deref().or(info.arguments.first().map(String::as_str));
        let named = named.ok_or("no executable is named")?;
        let executable = if named.contains('/') { surroundings.directory.join(named) } else { PathBuf::from(named) };
        let arguments: Vec<OsString> = info.arguments.iter().map(OsString::from).collect();
        let own_name = || vec![executable.clone().into_os_string()];
        let arguments = if arguments.is_empty() { own_name() } else { arguments };
        (executable, arguments)
    };
    Ok(Program {
        executable,
        arguments,
        environment: surroundings.environment.clone(),
        directory: surroundings.directory.clone(),
        output,
        identity: surroundings.identity.clone(),
        terminal: Terminal::Left,
    })
}
