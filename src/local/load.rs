//! Load for the embedded master without its agents and without HTTP, for benchmarks.

use std::collections::VecDeque;
use std::time::Instant;

use super::master::{Config, Master, OfFramework, Output};
use super::messages::{ConnectionId, ToMaster};
use super::resources::{Format, Resources};
use super::world::{WallClock, World};
use crate::proto::v1;
use crate::proto::v1::offer::{Operation, operation};
use crate::proto::v1::scheduler::call;
use crate::wire::duration::Period;

const INTERVAL: Period = Period::from_secs(1);
const AGENT: &str = "cpus:32;mem:65536;disk:100000;ports:[31000-32000]";
const TASK: &str = "cpus:0.1;mem:32";

/// A master with agents and frameworks, in virtual time.
#[derive(Debug)]
pub struct Load {
    master: Master,
    now: Instant,
    /// Ids of frameworks and of their streams; their connections are numbered from 0.
    frameworks: Vec<(String, String)>,
    /// Framework and agent of each running task, the oldest first.
    tasks: VecDeque<(String, v1::TaskId)>,
    launched: u64,
    task: v1::TaskInfo,
}

impl Load {
    /// Agents and frameworks, which are all in one role.
    pub fn new(now: Instant, agents: usize, frameworks: usize) -> Self {
        let config = Config::new("localhost".to_owned(), ([127, 0, 0, 1], 5050).into());
        let mut master = Master::new(now, config, World::new(WallClock::new(now, 0.0), 1));
        let resources = |text: &str| Resources::parse(text).unwrap_or_default();
        for number in 0..agents {
            let id = Some(v1::AgentId { value: format!("S{number}") });
            let info = v1::AgentInfo { hostname: format!("agent-{number}"), id, ..Default::default() };
            master.add_agent(now, info, resources(AGENT), format!("slave({number})"));
        }
        let task = v1::TaskInfo {
            resources: resources(TASK).to_proto(&Format::default()),
            command: Some(v1::CommandInfo::default()),
            ..Default::default()
        };
        let mut load = Self { master, now, frameworks: Vec::new(), tasks: VecDeque::new(), launched: 0, task };
        for connection in 0..frameworks as ConnectionId {
            let framework_info = v1::FrameworkInfo { name: "load".into(), user: "load".into(), ..Default::default() };
            let subscribe = call::Subscribe { framework_info, ..Default::default() };
            let stream = load.master.subscribe(now, connection, subscribe);
            while let Some(output) = load.master.poll_output() {
                if let Output::Send(_, event) = output
                    && let Some(subscribed) = event.subscribed
                {
                    load.frameworks.push((subscribed.framework_id.value, stream.clone()));
                }
            }
        }
        load
    }

    /// How many tasks run.
    pub fn running(&self) -> usize {
        self.tasks.len()
    }

    /// Lets a batch of offers come, and launches this many tasks on each. Returns the number of offers.
    pub fn launch(&mut self, tasks: usize) -> usize {
        self.offers().into_iter().map(|offer| self.accept(&offer, tasks)).count()
    }

    /// Lets a batch of offers come, and declines them all. Returns the number of offers.
    pub fn decline(&mut self) -> usize {
        self.offers().into_iter().map(|offer| self.accept(&offer, 0)).count()
    }

    /// Ends the oldest tasks.
    pub fn end(&mut self, tasks: usize) {
        for _ in 0..tasks {
            let Some((framework_id, task_id)) = self.tasks.pop_front() else {
                return;
            };
            let state = v1::TaskState::TaskFinished;
            let status = v1::TaskStatus { task_id, state: state.into(), uuid: Some(vec![0; 16]), ..Default::default() };
            let status = Box::new(status);
            self.master.handle_agent(self.now, ToMaster::StatusUpdate { framework_id, status, latest_state: state });
            while self.master.poll_output().is_some() {}
        }
    }

    fn offers(&mut self) -> Vec<v1::Offer> {
        self.now = self.now + INTERVAL;
        self.master.handle_timeout(self.now);
        let mut offers = Vec::new();
        while let Some(output) = self.master.poll_output() {
            if let Output::Send(_, event) = output {
                offers.extend(event.offers.into_iter().flat_map(|event| event.offers));
            }
        }
        offers
    }

    fn accept(&mut self, offer: &v1::Offer, tasks: usize) {
        let id = &offer.framework_id.value;
        let Some((_, stream)) = self.frameworks.iter().find(|(framework, _)| framework == id) else {
            return;
        };
        let mut task_infos = Vec::new();
        for _ in 0..tasks {
            self.launched = self.launched.saturating_add(1);
            let task_id = v1::TaskId { value: format!("task-{}", self.launched) };
            self.tasks.push_back((id.clone(), task_id.clone()));
            task_infos.push(v1::TaskInfo { task_id, agent_id: offer.agent_id.clone(), ..self.task.clone() });
        }
        let launch = Some(operation::Launch { task_infos });
        let launch = Operation { r#type: Some(operation::Type::Launch.into()), launch, ..Default::default() };
        let accept = call::Accept {
            offer_ids: vec![offer.id.clone()],
            operations: vec![launch],
            filters: Some(v1::Filters { refuse_seconds: Some(0.0) }),
        };
        let accepted = self.master.call(self.now, Some(stream), id, OfFramework::Accept(accept));
        debug_assert!(accepted.is_ok(), "the framework is subscribed");
        while self.master.poll_output().is_some() {}
    }
}
