//! A backend that only pretends to run containers, for tests in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Instant;

use super::{Backend, Event, Exit, Launch, Order, Outcome, Sandbox, Stop, Volume};

/// Containers that start at once and end when they are told to.
#[derive(Debug, Default)]
pub struct Pretend {
    pub running: BTreeMap<String, Launch>,
    pub volumes: Vec<Volume>,
    /// What probes find.
    pub outcome: Option<Outcome>,
    events: VecDeque<Event>,
    processes: u32,
}

impl Pretend {
    /// A container's command ends.
    pub fn end(&mut self, container: &str, exit: Exit) {
        if self.running.remove(container).is_some() {
            self.events.push_back(Event::Ended { container: container.to_owned(), exit });
        }
    }
}

impl Backend for Pretend {
    fn handle(&mut self, _now: Instant, order: Order) {
        match order {
            Order::Start(launch) => {
                self.processes += 1;
                self.events
                    .push_back(Event::Started { container: launch.container.clone(), process: Some(self.processes) });
                self.volumes.extend(launch.volumes.clone());
                self.running.insert(launch.container.clone(), *launch);
            }
            Order::Stop { container, how } => {
                let (number, name) = match how {
                    Stop::Ask => (15, "Terminated"),
                    Stop::Kill => (9, "Killed"),
                };
                self.end(&container, Exit::Signaled { number, name: name.to_owned(), core_dumped: false });
            }
            Order::Signal { container, signal } => {
                self.end(&container, Exit::Signaled { number: signal, name: signal.to_string(), core_dumped: false });
            }
            Order::Probe { container, subject, .. } => {
                let seen = self.outcome.clone().map(|outcome| Event::Probed { container, subject, outcome });
                self.events.extend(seen);
            }
            Order::Write { .. } | Order::Clear { .. } => {}
            Order::AddVolumes { volumes, .. } => self.volumes.extend(volumes),
            Order::Destroy { volumes } => self.volumes.retain(|known| !volumes.contains(known)),
        }
    }

    fn files(&self, sandbox: &Sandbox) -> PathBuf {
        PathBuf::from(&sandbox.run)
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn like(&self, _agent_id: &str) -> Box<dyn Backend> {
        Box::new(Self::default())
    }
}

/// A master and an agent without any processes, network, or clock.
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::local::agent::{self, Agent};
    use crate::local::master::{self, Master, Request};
    use crate::local::resources::{Format, Resources};
    use crate::local::world::World;
    use crate::proto::v1;
    use crate::proto::v1::TaskState::{self, TaskFinished, TaskKilled, TaskRunning, TaskStarting};
    use crate::proto::v1::scheduler::{Call, call};
    use crate::wire::duration::Period;

    struct Town {
        master: Master,
        agent: Agent,
        backend: Pretend,
        now: Instant,
        framework_id: String,
        stream_id: String,
        offers: Vec<v1::Offer>,
        updates: Vec<v1::TaskStatus>,
    }

    impl Town {
        /// With a framework that is subscribed and has an offer.
        fn new() -> Self {
            let second = Period::from_secs(1);
            let address = ([127, 0, 0, 1], 5050).into();
            let config = master::Config::new("h".into(), address);
            let now = Instant::now();
            let mut master = Master::new(now, config, World::of_tests(now));
            let info = v1::AgentInfo {
                hostname: "h".into(),
                id: Some(v1::AgentId { value: "S0".into() }),
                ..Default::default()
            };
            let total = Resources::parse("cpus:4;mem:400").expect("valid");
            master.add_agent(now, info.clone(), total.clone(), "slave(1)".into());
            let config = agent::Config {
                info,
                id: "S0".into(),
                path: "slave(1)".into(),
                endpoint: "127.0.0.1:1".into(),
                registration_timeout: second,
                shutdown_grace_period: second,
                max_completed_executors_per_framework: 1000,
                environment: std::collections::BTreeMap::new(),
                flags: std::collections::BTreeMap::new(),
                reregistration_timeout: agent::REREGISTRATION_TIMEOUT,
                start_time: 0.0,
            };
            let agent = Agent::new(config, World::of_tests(now), total.clone());
            let framework_info = v1::FrameworkInfo { user: "u".into(), name: "f".into(), ..Default::default() };
            let subscribe = call::Subscribe { framework_info, ..Default::default() };
            let stream_id = master.subscribe(now, 1, subscribe);
            let (backend, framework_id) = (Pretend::default(), String::new());
            let mut town =
                Self { master, agent, backend, now, framework_id, stream_id, offers: vec![], updates: vec![] };
            town.pass(Duration::from_secs(1));
            town
        }

        fn pass(&mut self, time: Duration) {
            self.now += time;
            self.master.handle_timeout(self.now);
            self.agent.handle_timeout(self.now);
            self.route();
        }

        fn route(&mut self) {
            loop {
                if let Some(output) = self.master.poll_output() {
                    self.do_for_master(output);
                } else if let Some(output) = self.agent.poll_output() {
                    self.do_for_agent(output);
                } else if let Some(event) = self.backend.poll_event() {
                    self.agent.handle_backend(self.now, event);
                } else {
                    return;
                }
            }
        }

        fn do_for_master(&mut self, output: master::Output) {
            match output {
                master::Output::Send(_, event) => {
                    if let Some(subscribed) = event.subscribed {
                        self.framework_id = subscribed.framework_id.value;
                    }
                    self.offers.extend(event.offers.into_iter().flat_map(|offers| offers.offers));
                    self.updates.extend(event.update.map(|update| update.status));
                }
                master::Output::Tell(_, message) => self.agent.handle_master(self.now, message),
                master::Output::Publish(..) | master::Output::Close(_) | master::Output::Noted { .. } => {}
            }
        }

        fn do_for_agent(&mut self, output: agent::Output) {
            match output {
                agent::Output::Tell(message) => self.master.handle_agent(self.now, message),
                agent::Output::Order(order) => self.backend.handle(self.now, order),
                agent::Output::Send(..) | agent::Output::Close(_) => {}
            }
        }

        fn call(&mut self, call: Call) {
            let framework_id = Some(v1::FrameworkId { value: self.framework_id.clone() });
            let stream_id = self.stream_id.clone();
            let Request::Of(id, request) = master::validate(Call { framework_id, ..call }).expect("valid") else {
                unreachable!("`new` subscribes");
            };
            self.master.call(self.now, Some(&stream_id), &id, request).expect("taken");
            self.route();
        }

        fn launch(&mut self, task: v1::TaskInfo) {
            let offer = self.offers.pop().expect("an offer");
            let task = v1::TaskInfo {
                name: "t".into(),
                task_id: v1::TaskId { value: "t".into() },
                agent_id: offer.agent_id.clone(),
                resources: Resources::parse("cpus:1;mem:100").expect("valid").to_proto(&Format::default()),
                command: Some(v1::CommandInfo { value: Some("true".into()), ..Default::default() }),
                ..task
            };
            let operation = v1::offer::Operation {
                r#type: Some(v1::offer::operation::Type::Launch.into()),
                launch: Some(v1::offer::operation::Launch { task_infos: vec![task] }),
                ..Default::default()
            };
            let accept = call::Accept { offer_ids: vec![offer.id], operations: vec![operation], ..Default::default() };
            self.call(Call { r#type: Some(call::Type::Accept.into()), accept: Some(accept), ..Default::default() });
        }

        /// Acknowledges the last update; the states that were told since.
        fn acknowledge(&mut self) -> Vec<TaskState> {
            let last = self.updates.pop().expect("an update");
            self.updates.clear();
            let acknowledge = call::Acknowledge {
                agent_id: last.agent_id.clone().expect("an agent"),
                task_id: last.task_id.clone(),
                uuid: last.uuid.clone().expect("a uuid"),
            };
            let kind = Some(call::Type::Acknowledge.into());
            self.call(Call { r#type: kind, acknowledge: Some(acknowledge), ..Default::default() });
            self.states()
        }

        fn states(&self) -> Vec<TaskState> {
            self.updates.iter().map(v1::TaskStatus::state).collect()
        }

        fn running(task: v1::TaskInfo) -> Self {
            let mut town = Self::new();
            town.launch(task);
            assert_eq!(town.states(), [TaskStarting]);
            assert_eq!(town.acknowledge(), [TaskRunning]);
            assert_eq!(town.acknowledge(), []);
            town
        }
    }

    #[test]
    fn a_task_runs_and_finishes() {
        let mut town = Town::running(v1::TaskInfo::default());
        let container = town.backend.running.keys().next().expect("runs").clone();
        town.backend.end(&container, Exit::Exited(0));
        town.route();
        assert_eq!(town.states(), [TaskFinished]);
        assert_eq!(town.acknowledge(), []);
        town.pass(Duration::from_secs(5));
        assert_eq!(town.offers.len(), 1, "its resources are offered again");
    }

    #[test]
    fn a_killed_task_ends_as_its_backend_says() {
        let mut town = Town::running(v1::TaskInfo::default());
        let kill = call::Kill { task_id: v1::TaskId { value: "t".into() }, ..Default::default() };
        town.call(Call { r#type: Some(call::Type::Kill.into()), kill: Some(kill), ..Default::default() });
        assert_eq!(town.states(), [TaskKilled]);
        assert_eq!(town.updates[0].message(), "Command terminated with signal Terminated");
        assert!(town.backend.running.is_empty());
    }

    #[test]
    fn an_hour_of_failing_checks_takes_no_time() {
        let health_check = v1::HealthCheck {
            r#type: Some(v1::health_check::Type::Tcp.into()),
            tcp: Some(v1::health_check::TcpCheckInfo { port: 1, ..Default::default() }),
            delay_seconds: Some(600.0),
            interval_seconds: Some(600.0),
            grace_period_seconds: Some(0.0),
            consecutive_failures: Some(6),
            ..Default::default()
        };
        let mut town = Town::running(v1::TaskInfo { health_check: Some(Box::new(health_check)), ..Default::default() });
        town.backend.outcome = Some(Outcome::Tcp(false));
        for _ in 0..6 {
            assert!(!town.backend.running.is_empty());
            town.pass(Duration::from_secs(600));
            while town.updates.last().is_some_and(|last| last.state() == TaskRunning) {
                town.acknowledge();
            }
        }
        assert_eq!(town.states().last(), Some(&TaskKilled));
        assert!(town.backend.running.is_empty());
    }
}
