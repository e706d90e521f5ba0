//! One container, from its sandbox to its last process.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use nix::sys::signal::Signal;
use nix::unistd::{Gid, Pid, Uid, User};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use super::command::{Inside, Surroundings, program};
use super::docker::Docker;
use super::image::{self, Containers, Places, Plan};
use super::reaper::{Ending, Identity, Output, Reaper, Spawner};
use super::{Event, Launch, Probe, Report, Stop, Subject, exit, fetcher, prober, sandbox};
use crate::local::backend::StartError;

/// Where an agent's containers are, what runs them, and who is told of them.
#[derive(Debug, Clone)]
pub struct Site {
    pub agent_id: String,
    pub work_dir: PathBuf,
    pub spawner: Arc<Spawner>,
    pub reports: UnboundedSender<Report>,
    pub containers: Containers,
    /// Runs containers with an image, if `containers` says so.
    pub docker: Option<Arc<Docker>>,
}

impl Site {
    fn tell(&self, event: Event) {
        // The cluster is stopping if nobody listens.
        let _ = self.reports.send(Report { agent_id: self.agent_id.clone(), event });
    }
}

/// What a container is to do while it runs.
#[derive(Debug)]
pub enum Wish {
    Stop(Stop),
    Signal(i32),
    Probe(Subject, Probe),
}

/// Starts a container and fulfils wishes until it has ended. All of it is killed when this is dropped.
pub async fn run(
    site: Arc<Site>,
    launch: Box<Launch>,
    mut wishes: UnboundedReceiver<Wish>,
    keeper: Arc<OnceLock<Pid>>,
) {
    let container = launch.container.clone();
    let (reaper, mut ending, surroundings) = match start(&site, &launch).await {
        Ok(started) => started,
        Err(why) => return site.tell(Event::Failed { container, why }),
    };
    let process = Some(reaper.first().as_raw().cast_unsigned());
    // Docker's containers are not among its descendants.
    if surroundings.inside.is_none() {
        // It is set here alone.
        let _ = keeper.set(reaper.id());
    }
    site.tell(Event::Started { container: container.clone(), process });
    // Those under way end with the container.
    let mut probes = JoinSet::new();
    let status = loop {
        tokio::select! {
            status = ending.wait() => break status,
            Some(_) = probes.join_next() => {}
            wish = wishes.recv() => match wish {
                Some(Wish::Stop(how)) => stop(&reaper, surroundings.inside.as_ref(), how).await,
                // Not through Docker: its client passes signals on.
                Some(Wish::Signal(number)) => match Signal::try_from(number) {
                    Ok(signal) => reaper.signal(signal),
                    Err(error) => tracing::warn!("Signal {number} cannot be sent: {error}"),
                },
                Some(Wish::Probe(subject, probe)) => {
                    let (site, container, surroundings) = (site.clone(), container.clone(), surroundings.clone());
                    probes.spawn(async move {
                        let outcome = prober::probe(probe, surroundings).await;
                        site.tell(Event::Probed { container, subject, outcome });
                    });
                }
                // Its agent is gone.
                None => return,
            },
        }
    };
    site.tell(Event::Ended { container, exit: exit(status) });
}

/// Docker's containers are not among the processes of their client, which ends with them; until there is one, the client
/// itself is to end.
async fn stop(reaper: &Reaper, inside: Option<&Inside>, how: Stop) {
    let killed = match inside {
        Some(Inside { docker, container }) => docker.kill(container, how).await,
        None => false,
    };
    if !killed {
        reaper.signal(signal(how));
    }
}

/// The signal that asks a process to end, or kills it.
pub fn signal(how: Stop) -> Signal {
    match how {
        Stop::Ask => Signal::SIGTERM,
        Stop::Kill => Signal::SIGKILL,
    }
}

async fn start(site: &Site, launch: &Launch) -> Result<(Reaper, Ending, Surroundings), StartError> {
    let directory = sandbox::directory(&site.work_dir, &site.agent_id, &launch.sandbox);
    sandbox::make(&directory)
        .map_err(|e| StartError::new(format!("cannot make the sandbox {}: {e}", directory.display())))?;
    let places = Places { sandbox: &directory, named: &sandbox::named_volumes(&site.work_dir) };
    let plan = image::plan(launch.container_info.as_ref(), site.containers, places)?;
    sandbox::mount(&site.work_dir, &directory, &launch.volumes)?;
    if let Plan::Processes(links) = &plan {
        image::link(links, &directory)?;
        tell_of_ignored_image(launch, site.containers);
    }
    fetcher::fetch(&launch.command.uris, &directory).await?;
    let identity = launch.user.as_deref().map_or(Ok(None), identity)?;
    if let Some(identity) = &identity {
        own(&directory, identity).map_err(|e| StartError::new(format!("Failed to chown the sandbox: {e}")))?;
    }
    let of_run = sandbox::directory(&site.work_dir, &site.agent_id, &launch.sandbox.of_run());
    let places = [("MESOS_DIRECTORY", &of_run), ("MESOS_SANDBOX", &directory)].into_iter();
    // Only executors and their tasks have the first.
    let is_nested = !launch.sandbox.nested.is_empty() || launch.sandbox.is_alone();
    let places = places.skip(usize::from(is_nested));
    let places = places.map(|(name, path)| (name.into(), path.clone().into_os_string()));
    let others = launch.environment.iter().map(|(name, value)| (name.into(), value.into()));
    let environment = places.chain(others).collect();
    let mut surroundings =
        Surroundings { directory, environment, identity, spawner: site.spawner.clone(), inside: None };
    let program = match (plan, &site.docker) {
        (Plan::Image(image), Some(docker)) => {
            let program = docker.run(&image, launch, &site.work_dir, &surroundings.directory)?;
            surroundings.inside = Some(Inside { docker: docker.clone(), container: launch.container.clone() });
            program
        }
        (Plan::Image(_), None) => return Err(StartError::NoContainerizer),
        (Plan::Processes(_), _) => program(&launch.command, &surroundings, Output::Files)?,
    };
    let spawned = surroundings.spawner.spawn(&program).await;
    let (reaper, ending) = spawned.map_err(|e| StartError::NotExecuted(e.to_string()))?;
    Ok((reaper, ending, surroundings))
}

fn tell_of_ignored_image(launch: &Launch, containers: Containers) {
    let image = launch.container_info.as_ref().and_then(image::name);
    if let Some(image) = image.filter(|_| containers == Containers::IgnoreImage) {
        let task = launch.sandbox.task_id.as_ref().unwrap_or(&launch.sandbox.executor_id);
        tracing::warn!("'{task}' runs without its image '{image}', as a process of this machine");
    }
}

/// Only root may run processes as someone else; others run all as themselves.
fn identity(name: &str) -> Result<Option<Identity>, StartError> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let unknown = || StartError::NoUser(name.to_owned());
    let user =
        User::from_name(name).map_err(|e| StartError::new(format!("{}: {e}", unknown())))?.ok_or_else(unknown)?;
    if user.uid.is_root() {
        return Ok(None);
    }
    let c_name = std::ffi::CString::new(name).map_err(|_| unknown())?;
    let groups =
        nix::unistd::getgrouplist(&c_name, user.gid).map_err(|e| StartError::new(format!("{}: {e}", unknown())))?;
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
