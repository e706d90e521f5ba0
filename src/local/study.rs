//! A cluster of simulated tasks with one framework in virtual time, without HTTP, for benchmarks.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use bytes::Bytes;

use super::backend::simulated::Simulated;
use super::backend::{Backend, Order, Run, Sandbox, Simulate};
use super::cluster::machine::Machine;
use super::cluster::maker::Maker;
use super::failures::Failures;
use super::keep::Failed;
use super::master::{Config, Master, OfFramework};
use super::options::{AgentOptions, Options};
use super::queue;
use super::resources::{Declared, Format, Host, Resources};
use super::world::{WallClock, World};
use crate::clock::Clock;
use crate::proto::v1;
use crate::proto::v1::offer::{Operation, operation};
use crate::proto::v1::scheduler::{Event, call};
use crate::wire::states::is_terminal;

const AGENT: &str = "cpus:32;mem:65536;disk:100000;ports:[31000-32000]";
const TASK: &str = "cpus:0.1;mem:32";

/// A cluster and a framework that launches tasks as long as it is offered something.
pub struct Study {
    machine: Machine,
    now: Instant,
    events: Receiver<Event>,
    stream_id: String,
    framework_id: String,
    task: v1::TaskInfo,
    launched: usize,
    ended: usize,
}

impl Study {
    /// Agents, whose tasks all go like `run`, and a framework that is subscribed.
    pub fn new(now: Instant, agents: u32, run: Run) -> Self {
        let address = ([127, 0, 0, 1], 5050).into();
        let config = Config { allocate_on_recovery: true, ..Config::new("localhost".to_owned(), address) };
        let clock = WallClock::new(now, 0.0);
        let master = Master::new(now, config, World::new(clock, 1));
        let options = Options { resources: Declared::parse(AGENT).unwrap_or_default(), ..Options::default() };
        let host = Host { cpus: 1.0, mem: 1024.0, disk: 1024.0 };
        let maker = Maker::new(options, "localhost".to_owned(), host, address, Box::new(|_, _| backend()));
        let mut machine = Machine::new(Failures::new(false, Failed::default()), master, Clock::real(), clock, maker);
        let run = Arc::new(run);
        machine.simulate = Some(Simulate::new(move |tasks| vec![Some(run.clone()); tasks.len()]));
        for _ in 0..agents {
            machine.add_agent(now, &AgentOptions::default());
        }
        let task = v1::TaskInfo {
            resources: Resources::parse(TASK).unwrap_or_default().to_proto(&Format::default()),
            command: Some(v1::CommandInfo::default()),
            ..Default::default()
        };
        let (sender, events) = channel();
        let pass_on = move |event: &Event| {
            // The study outlives the machine.
            let _ = sender.send(event.clone());
            Bytes::new()
        };
        let (stream, _) = queue::bounded(usize::MAX, pass_on, || {});
        let connection = machine.open_stream(stream);
        let framework_info = v1::FrameworkInfo { name: "study".into(), user: "study".into(), ..Default::default() };
        let subscribe = call::Subscribe { framework_info, ..Default::default() };
        let stream_id = machine.master.subscribe(now, connection, subscribe);
        let framework_id = String::new();
        Self { machine, now, events, stream_id, framework_id, task, launched: 0, ended: 0 }
    }

    /// Launches so many tasks, at most `at_once` of an offer, and lets time pass until all have ended.
    pub fn play(&mut self, tasks: usize, at_once: usize) {
        while self.ended < tasks {
            self.machine.route(self.now);
            while let Ok(event) = self.events.try_recv() {
                self.handle(event, tasks, at_once);
                self.machine.route(self.now);
            }
            if let Some(next) = self.machine.next_timeout() {
                self.now = self.now.max(next);
            }
            self.machine.handle_timeouts(self.now);
        }
    }

    fn handle(&mut self, event: Event, tasks: usize, at_once: usize) {
        if let Some(subscribed) = event.subscribed {
            self.framework_id = subscribed.framework_id.value;
        }
        for offer in event.offers.into_iter().flat_map(|event| event.offers) {
            let number = tasks.saturating_sub(self.launched).min(at_once);
            self.accept(&offer, number);
        }
        if let Some(v1::TaskStatus { agent_id: Some(agent_id), task_id, uuid: Some(uuid), state, .. }) =
            event.update.map(|update| update.status)
        {
            let is_over = v1::TaskState::try_from(state).is_ok_and(is_terminal);
            self.ended = self.ended.saturating_add(is_over.into());
            self.call(OfFramework::Acknowledge(call::Acknowledge { agent_id, task_id, uuid }));
        }
    }

    fn accept(&mut self, offer: &v1::Offer, number: usize) {
        let mut task_infos = Vec::with_capacity(number);
        for _ in 0..number {
            self.launched = self.launched.saturating_add(1);
            let task_id = v1::TaskId { value: format!("task-{}", self.launched) };
            task_infos.push(v1::TaskInfo { task_id, agent_id: offer.agent_id.clone(), ..self.task.clone() });
        }
        let launch = Some(operation::Launch { task_infos });
        let launch = Operation { r#type: Some(operation::Type::Launch.into()), launch, ..Default::default() };
        let filters = Some(v1::Filters { refuse_seconds: Some(if number == 0 { 1e6 } else { 0.0 }) });
        let accept = call::Accept { offer_ids: vec![offer.id.clone()], operations: vec![launch], filters };
        self.call(OfFramework::Accept(accept));
    }

    fn call(&mut self, call: OfFramework) {
        let called = self.machine.master.call(self.now, Some(&self.stream_id), &self.framework_id, call);
        debug_assert!(called.is_ok(), "the framework is subscribed");
    }
}

fn backend() -> Box<dyn Backend> {
    Box::new(Simulated::new(Box::new(Nothing)))
}

/// Runs nothing and writes nothing.
#[derive(Debug)]
struct Nothing;

impl Backend for Nothing {
    fn handle(&mut self, _now: Instant, _order: Order) {}

    fn files(&self, _sandbox: &Sandbox) -> PathBuf {
        PathBuf::new()
    }

    fn like(&self, _agent_id: &str) -> Box<dyn Backend> {
        Box::new(Self)
    }
}
