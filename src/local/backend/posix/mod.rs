//! Containers as processes of this machine, each leading a session of its own in its sandbox and kept together by a
//! `reaper`. All IO of the agents is here. Follows `src/launcher/posix/` and `src/slave/paths.cpp`.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use futures_util::future::BoxFuture;
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use self::container::Wish;
use self::reaper::usage;
use super::{Backend, Event, Exit, Launch, Meter, Order, Probe, Report, Sandbox, Stop, Subject, Volume};

pub mod command;
mod container;
mod docker;
mod fetcher;
mod image;
pub mod prober;
pub mod reaper;
mod sandbox;

pub use container::{Site, signal};
pub use docker::Docker;
pub use image::Containers;

/// The containers of one agent. When it is dropped they are killed; the end of the spawner waits for that.
#[derive(Debug)]
pub struct Posix {
    site: Arc<Site>,
    containers: HashMap<String, Running>,
}

/// A container that was started.
#[derive(Debug)]
struct Running {
    /// Ends with the container.
    wishes: UnboundedSender<Wish>,
    /// Its reaper, as soon as that is known.
    keeper: Arc<OnceLock<Pid>>,
}

impl Posix {
    /// A backend without containers. To be used within a Tokio runtime.
    pub fn new(site: Site) -> Self {
        Self { site: Arc::new(site), containers: HashMap::new() }
    }

    fn start(&mut self, launch: Box<Launch>) {
        self.containers.retain(|_, running| !running.wishes.is_closed());
        let (wishes, wanted) = unbounded_channel();
        let keeper = Arc::<OnceLock<Pid>>::default();
        self.containers.insert(launch.container.clone(), Running { wishes, keeper: keeper.clone() });
        tokio::spawn(container::run(self.site.clone(), launch, wanted, keeper));
    }

    fn wish(&self, container: &str, wish: Wish) {
        if let Some(running) = self.containers.get(container) {
            // It has just ended if nobody listens.
            let _ = running.wishes.send(wish);
        }
    }

    fn add_volumes(&self, sandbox: &Sandbox, volumes: &[Volume]) {
        let directory = self.files(sandbox);
        if let Err(why) = sandbox::mount(&self.site.work_dir, &directory, volumes) {
            tracing::warn!("In {}: {why}", directory.display());
        }
    }

    fn write(&self, sandbox: &Sandbox, logs: [(&str, &str); 2]) {
        let directory = self.files(sandbox);
        let append = |(name, text): (&str, &str)| {
            let mut log = File::options().create(true).append(true).open(directory.join(name))?;
            log.write_all(text.as_bytes())
        };
        let written = sandbox::make(&directory).and_then(|()| logs.into_iter().try_for_each(append));
        if let Err(error) = written {
            tracing::warn!("Cannot write the logs in {}: {error}", directory.display());
        }
    }
}

impl Backend for Posix {
    fn handle(&mut self, _now: Instant, order: Order) {
        match order {
            Order::Start(launch) => self.start(launch),
            Order::Stop { container, how } => self.wish(&container, Wish::Stop(how)),
            Order::Signal { container, signal } => self.wish(&container, Wish::Signal(signal)),
            Order::Probe { container, subject, probe } => self.wish(&container, Wish::Probe(subject, *probe)),
            Order::Write { sandbox, stdout, stderr } => {
                self.write(&sandbox, [("stdout", &stdout), ("stderr", &stderr)])
            }
            Order::AddVolumes { sandbox, volumes } => self.add_volumes(&sandbox, &volumes),
            Order::Destroy { volumes } => {
                volumes.iter().for_each(|volume| remove(&sandbox::volume(&self.site.work_dir, volume)))
            }
            Order::Clear { sandbox } => remove(&self.files(&sandbox)),
        }
    }

    fn end(&mut self) -> BoxFuture<'static, ()> {
        let containers = std::mem::take(&mut self.containers);
        for Running { wishes, .. } in containers.values() {
            // It has just ended if nobody listens.
            let _ = wishes.send(Wish::Stop(Stop::Kill));
        }
        Box::pin(async move {
            for Running { wishes, .. } in containers.values() {
                wishes.closed().await;
            }
        })
    }

    fn files(&self, sandbox: &Sandbox) -> PathBuf {
        sandbox::directory(&self.site.work_dir, &self.site.agent_id, sandbox)
    }

    fn meter(&self, container: &str) -> Option<Meter> {
        let running = self.containers.get(container).filter(|running| !running.wishes.is_closed())?;
        let keeper = *running.keeper.get()?;
        Some(Box::new(move || usage::below(keeper)))
    }

    fn like(&self, agent_id: &str) -> Box<dyn Backend> {
        Box::new(Self::new(Site { agent_id: agent_id.to_owned(), ..(*self.site).clone() }))
    }
}

fn remove(directory: &Path) {
    if let Err(error) = std::fs::remove_dir_all(directory)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!("Cannot remove {}: {error}", directory.display());
    }
}

/// How a process ended, from a status as wait(2) gives it.
pub fn exit(status: Option<i32>) -> Exit {
    match status.map(|status| WaitStatus::from_raw(Pid::from_raw(1), status)) {
        Some(Ok(WaitStatus::Exited(_, status))) => Exit::Exited(status),
        Some(Ok(WaitStatus::Signaled(_, signal, core_dumped))) => {
            Exit::Signaled { number: signal as i32, name: signal_name(signal as i32), core_dumped }
        }
        _ => Exit::Unknown,
    }
}

fn signal_name(signal: i32) -> String {
    // SAFETY: strsignal gives a string that stays until the next call on this thread, or null.
    let name = unsafe { libc::strsignal(signal) };
    if name.is_null() {
        return signal.to_string();
    }
    // SAFETY: not null, and NUL-terminated as C strings are.
    unsafe { std::ffi::CStr::from_ptr(name) }.to_string_lossy().into_owned()
}
