//! Containers that are described instead of run, without IO: thousands of agents with a hundred thousand tasks need no
//! process, thread or directory. What is not described is run by another backend, which also writes what described tasks
//! write.
//!
//! `handle` and `handle_timeout` take in what happened at `now`; `poll_event` gives out what came of it.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;

use super::{Backend, Event, Exit, Launch, Meter, Order, Outcome, ProbeKind, Run, Sandbox, StartError, Stop, Subject};
use crate::local::timers::Timers;
use crate::wire::duration::Period;
use crate::wire::states::is_terminal;

/// The containers of one agent.
#[derive(Debug)]
pub struct Simulated {
    real: Box<dyn Backend>,
    containers: HashMap<String, Container>,
    timers: Timers<String>,
    events: VecDeque<Event>,
}

/// A container that is described.
#[derive(Debug)]
struct Container {
    run: Arc<Run>,
    /// Where its logs are, until they are written.
    sandbox: Option<Sandbox>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Starting {
        until: Instant,
    },
    Running {
        since: Instant,
        /// How many of its statuses it has told.
        told: usize,
        end: Option<(Instant, Exit)>,
    },
}

impl Container {
    fn new(now: Instant, run: Arc<Run>, sandbox: Sandbox) -> Self {
        let writes = !(run.stdout.is_empty() && run.stderr.is_empty());
        let stage = Stage::Starting { until: now + run.start };
        Self { run, sandbox: writes.then_some(sandbox), stage }
    }

    /// When something is to happen.
    fn due(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Starting { until } => Some(*until),
            Stage::Running { since, told, end } => {
                let status = self.run.statuses.get(*told).map(|(after, _)| *since + *after);
                status.into_iter().chain(end.as_ref().map(|(at, _)| *at)).min()
            }
        }
    }
}

impl Simulated {
    /// A backend without containers; what is not described is for `real`.
    pub fn new(real: Box<dyn Backend>) -> Self {
        Self { real, containers: HashMap::new(), timers: Timers::default(), events: VecDeque::new() }
    }

    fn start(&mut self, now: Instant, launch: Launch, run: Arc<Run>) {
        if !launch.volumes.is_empty() {
            let (sandbox, volumes) = (launch.sandbox.clone(), launch.volumes);
            self.real.handle(now, Order::AddVolumes { sandbox, volumes });
        }
        self.containers.insert(launch.container.clone(), Container::new(now, run, launch.sandbox));
        self.set_timer(&launch.container);
        self.handle_own(now);
    }

    fn set_timer(&mut self, container: &String) {
        let due = self.containers.get(container).and_then(Container::due);
        self.timers.set(container, due);
    }

    /// Does what is due, the first of it first.
    fn handle_own(&mut self, now: Instant) {
        while let Some(container) = self.timers.first_due(now) {
            self.step(&container);
            self.set_timer(&container);
        }
    }

    /// Lets the next thing happen that a container has to do.
    fn step(&mut self, id: &str) {
        let Some(Container { run, sandbox, stage }) = self.containers.get_mut(id) else { return };
        let container = id.to_owned();
        match stage {
            Stage::Starting { until } => {
                let since = *until;
                if let Some(why) = &run.error {
                    self.events.push_back(Event::Failed { container, why: StartError::new(why) });
                    self.containers.remove(id);
                    return;
                }
                if let Some(sandbox) = sandbox.take() {
                    let (stdout, stderr) = (run.stdout.clone(), run.stderr.clone());
                    self.real.handle(since, Order::Write { sandbox, stdout, stderr });
                }
                let end = run.duration.map(|duration| (since + duration, run.exit.clone()));
                *stage = Stage::Running { since, told: 0, end };
                self.events.push_back(Event::Started { container, process: None });
            }
            Stage::Running { since, told, end } => {
                let status = run.statuses.get(*told).map(|(after, status)| (*since + *after, status));
                match (status, end.as_ref()) {
                    (Some((at, status)), end) if end.is_none_or(|(end, _)| at <= *end) => {
                        *told = told.saturating_add(1);
                        // After the last one it has nothing left to do.
                        let last = is_terminal(status.state()).then(|| run.exit.clone());
                        let status = Box::new(status.clone());
                        self.events.push_back(Event::Reported { container, status });
                        if let Some(exit) = last {
                            self.end(id, exit);
                        }
                    }
                    (_, Some((_, exit))) => {
                        let exit = exit.clone();
                        self.end(id, exit);
                    }
                    (_, None) => {}
                }
            }
        }
    }

    fn end(&mut self, id: &str, exit: Exit) {
        self.containers.remove(id);
        self.events.push_back(Event::Ended { container: id.to_owned(), exit });
    }

    /// Ends a container as signals do.
    fn stop(&mut self, now: Instant, id: &String, how: Stop) {
        let Some(Container { run, stage, .. }) = self.containers.get_mut(id) else { return };
        let (after, number, name) = match how {
            Stop::Ask => (run.stop, libc::SIGTERM, "Terminated"),
            Stop::Kill => (Some(Period::ZERO), libc::SIGKILL, "Killed"),
        };
        let Some(after) = after else { return };
        let exit = Exit::Signaled { number, name: name.to_owned(), core_dumped: false };
        match stage {
            Stage::Running { end, .. } => {
                let at = now + after;
                if end.as_ref().is_none_or(|(before, _)| at <= *before) {
                    *end = Some((at, exit));
                }
            }
            Stage::Starting { .. } => self.end(id, exit),
        }
        self.set_timer(id);
        self.handle_own(now);
    }

    /// A signal comes from outside of Mesos: one that asks a task to end does so, any other ends it.
    fn signal(&mut self, now: Instant, id: &String, number: i32) {
        if number == libc::SIGTERM {
            return self.stop(now, id, Stop::Ask);
        }
        let names = [(libc::SIGHUP, "Hangup"), (libc::SIGINT, "Interrupt"), (libc::SIGABRT, "Aborted")];
        let names = names.into_iter().chain([(libc::SIGKILL, "Killed"), (libc::SIGSEGV, "Segmentation fault")]);
        let name = names.into_iter().find(|(known, _)| *known == number).map(|(_, name)| name.to_owned());
        let name = name.unwrap_or_else(|| format!("Signal {number}"));
        self.end(id, Exit::Signaled { number, name, core_dumped: false });
        self.set_timer(id);
    }

    /// What a probe finds, or nothing if the container does not run.
    fn probe(&mut self, now: Instant, container: String, subject: Subject, kind: &ProbeKind) {
        let Some(Container { run, stage: Stage::Running { since, .. }, .. }) = self.containers.get(&container) else {
            return;
        };
        let found = match subject {
            Subject::Health => latest(&run.health, *since, now).map(|healthy| i32::from(!healthy)),
            Subject::Check => latest(&run.checks, *since, now),
        };
        let outcome = match (kind, found.unwrap_or_default()) {
            (ProbeKind::Command(_), status) => Outcome::Exited(status),
            (ProbeKind::Tcp { .. }, status) => Outcome::Tcp(status == 0),
            (ProbeKind::Http { .. }, 0) => Outcome::Http(200),
            (ProbeKind::Http { .. }, status) => {
                Outcome::Http(u16::try_from(status).ok().filter(|s| *s >= 100).unwrap_or(500))
            }
        };
        self.events.push_back(Event::Probed { container, subject, outcome });
    }
}

impl Backend for Simulated {
    fn handle(&mut self, now: Instant, order: Order) {
        match order {
            Order::Start(mut launch) => match launch.run.take() {
                Some(run) => self.start(now, *launch, run),
                None => self.real.handle(now, Order::Start(launch)),
            },
            Order::Stop { container, how } if self.containers.contains_key(&container) => {
                self.stop(now, &container, how)
            }
            Order::Signal { container, signal } if self.containers.contains_key(&container) => {
                self.signal(now, &container, signal);
            }
            Order::Probe { container, subject, probe } if self.containers.contains_key(&container) => {
                self.probe(now, container, subject, &probe.kind);
            }
            other => self.real.handle(now, other),
        }
    }

    fn end(&mut self) -> BoxFuture<'static, ()> {
        self.containers.clear();
        self.real.end()
    }

    fn files(&self, sandbox: &Sandbox) -> PathBuf {
        self.real.files(sandbox)
    }

    fn meter(&self, container: &str) -> Option<Meter> {
        self.real.meter(container)
    }

    fn like(&self, agent_id: &str) -> Box<dyn Backend> {
        Box::new(Self::new(self.real.like(agent_id)))
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front().or_else(|| self.real.poll_event())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().into_iter().chain(self.real.poll_timeout()).min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handle_own(now);
        self.real.handle_timeout(now);
    }
}

/// What holds of values that each hold from some time on.
fn latest<T: Copy>(values: &[(Period, T)], since: Instant, now: Instant) -> Option<T> {
    values.iter().take_while(|(after, _)| since + *after <= now).last().map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::pretend::Pretend;
    use super::*;
    use crate::proto::v1;

    const SECOND: Duration = Duration::from_secs(1);

    fn launch(container: &str, run: Option<Run>) -> Order {
        let sandbox =
            Sandbox { framework_id: "f".into(), executor_id: "e".into(), run: "r".into(), ..Sandbox::default() };
        Order::Start(Box::new(Launch {
            container: container.to_owned(),
            sandbox,
            command: v1::CommandInfo::default(),
            container_info: None,
            environment: Vec::new(),
            user: None,
            volumes: Vec::new(),
            run: run.map(Arc::new),
        }))
    }

    fn seconds(number: u64) -> Period {
        Period::from_secs(number)
    }

    struct World {
        backend: Simulated,
        now: Instant,
    }

    impl World {
        fn new() -> Self {
            Self { backend: Simulated::new(Box::new(Pretend::default())), now: Instant::now() }
        }

        fn order(&mut self, order: Order) -> String {
            self.backend.handle(self.now, order);
            self.told()
        }

        fn pass(&mut self, time: Duration) -> String {
            self.now += time;
            self.backend.handle_timeout(self.now);
            self.told()
        }

        /// What came of it, a word for each event.
        fn told(&mut self) -> String {
            let mut words = Vec::new();
            while let Some(event) = self.backend.poll_event() {
                let container = event.container().to_owned();
                words.push(match event {
                    Event::Started { .. } => format!("{container}:started"),
                    Event::Failed { why, .. } => format!("{container}:failed({why})"),
                    Event::Reported { status, .. } => format!("{container}:{}", status.state().as_str_name()),
                    Event::Ended { exit, .. } => format!("{container}:ended({})", exit.wait_status()),
                    Event::Probed { outcome, .. } => format!("{container}:{outcome:?}"),
                });
            }
            words.join(" ")
        }
    }

    #[test]
    fn what_is_late_happens_in_the_order_of_its_time() {
        let mut world = World::new();
        let run = |start, duration| Run { start: seconds(start), duration: Some(seconds(duration)), ..Run::default() };
        assert_eq!(world.order(launch("a", Some(run(2, 5)))), "");
        assert_eq!(world.order(launch("b", Some(run(1, 1)))), "");
        assert_eq!(world.backend.poll_timeout(), Some(world.now + SECOND));
        assert_eq!(world.pass(SECOND * 10), "b:started a:started b:ended(0) a:ended(0)");
        assert_eq!(world.backend.poll_timeout(), None);
    }

    #[test]
    fn a_terminal_status_ends_a_container_before_its_time() {
        let mut world = World::new();
        let status = |state: v1::TaskState| v1::TaskStatus { state: state.into(), ..Default::default() };
        let statuses = [(1, v1::TaskState::TaskRunning), (2, v1::TaskState::TaskError), (3, v1::TaskState::TaskLost)];
        let statuses = statuses.map(|(after, state)| (seconds(after), status(state))).into();
        assert_eq!(world.order(launch("a", Some(Run { duration: None, statuses, ..Run::default() }))), "a:started");
        assert_eq!(world.pass(SECOND), "a:TASK_RUNNING");
        assert_eq!(world.pass(SECOND * 9), "a:TASK_ERROR a:ended(0)");
    }

    #[test]
    fn a_container_that_ignores_being_asked_is_killed() {
        let mut world = World::new();
        let stop = |how| Order::Stop { container: "a".to_owned(), how };
        let run = Run { duration: None, stop: None, ..Run::default() };
        assert_eq!(world.order(launch("a", Some(run.clone()))), "a:started");
        assert_eq!(world.order(stop(Stop::Ask)), "");
        assert_eq!(world.order(stop(Stop::Kill)), "a:ended(9)");
        assert_eq!(world.order(stop(Stop::Kill)), "");
        let slow = Run { stop: Some(seconds(2)), ..run };
        assert_eq!(world.order(launch("a", Some(slow))), "a:started");
        assert_eq!(world.order(stop(Stop::Ask)), "");
        assert_eq!(world.pass(SECOND * 2), "a:ended(15)");
    }

    #[test]
    fn probes_find_what_holds_at_the_time() {
        let mut world = World::new();
        let run = Run {
            duration: None,
            health: vec![(seconds(1), false), (seconds(2), true)],
            checks: vec![(seconds(1), 404)],
            ..Run::default()
        };
        world.order(launch("a", Some(run)));
        let probe = |subject, kind| {
            let probe = Box::new(super::super::Probe { kind, timeout: Period::ZERO });
            Order::Probe { container: "a".to_owned(), subject, probe }
        };
        let http = || ProbeKind::Http { scheme: "http".into(), port: 1, path: "/".into() };
        let tcp = || ProbeKind::Tcp { port: 1 };
        assert_eq!(world.order(probe(Subject::Check, http())), "a:Http(200)");
        world.pass(SECOND);
        assert_eq!(world.order(probe(Subject::Check, http())), "a:Http(404)");
        assert_eq!(world.order(probe(Subject::Health, http())), "a:Http(500)");
        assert_eq!(world.order(probe(Subject::Health, tcp())), "a:Tcp(false)");
        world.pass(SECOND);
        let command = ProbeKind::Command(v1::CommandInfo::default());
        assert_eq!(world.order(probe(Subject::Health, command)), "a:Exited(0)");
    }

    #[test]
    fn what_is_not_described_is_run() {
        let mut world = World::new();
        assert_eq!(world.order(launch("a", None)), "a:started");
        assert!(world.backend.containers.is_empty());
        let failing = Run { error: Some("why".to_owned()), ..Run::default() };
        assert_eq!(world.order(launch("b", Some(failing))), "b:failed(why)");
    }
}
