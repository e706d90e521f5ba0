//! Load for the embedded master without its agents and without HTTP, for benchmarks.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use prost::Message;

use super::master::{Config, Done, Master, OfFramework, Output};
use super::messages::{ConnectionId, ToMaster};
use super::resources::{Format, Resources};
use super::world::{WallClock, World};
use crate::proto::v1;
use crate::proto::v1::TaskState;
use crate::proto::v1::master;
use crate::proto::v1::offer::{Operation, operation};
use crate::proto::v1::scheduler::call;
use crate::wire::duration::Period;

const INTERVAL: Period = Period::from_secs(1);
/// So much that there is room for many tasks on a few agents.
const AGENT: &str = "cpus:10000;mem:4000000;disk:100000;ports:[31000-32000]";
const FAILOVER_SECONDS: f64 = 1e6;
const TASK: &str = "cpus:0.1;mem:32";

/// A master with agents and frameworks, in virtual time.
#[derive(Debug)]
pub struct Load {
    master: Master,
    now: Instant,
    /// By the ids of their frameworks.
    streams: BTreeMap<String, Stream>,
    /// The running tasks, the oldest first.
    tasks: VecDeque<Running>,
    launched: u64,
    task: v1::TaskInfo,
}

/// The stream of a framework.
#[derive(Debug)]
struct Stream {
    connection: ConnectionId,
    id: String,
}

/// A task that was launched.
#[derive(Debug)]
struct Running {
    framework_id: String,
    agent_id: v1::AgentId,
    task_id: v1::TaskId,
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
        let streams = BTreeMap::new();
        let mut load = Self { master, now, streams, tasks: VecDeque::new(), launched: 0, task };
        (0..frameworks).for_each(|_| load.subscribe());
        load
    }

    /// Another framework subscribes.
    pub fn subscribe(&mut self) {
        let connection = self.streams.len() as ConnectionId;
        let failover_timeout = Some(FAILOVER_SECONDS);
        let (name, user) = ("load".to_owned(), "load".to_owned());
        let framework_info = v1::FrameworkInfo { name, user, failover_timeout, ..Default::default() };
        let subscribe = call::Subscribe { framework_info, ..Default::default() };
        let id = self.master.subscribe(self.now, connection, subscribe);
        while let Some(output) = self.master.poll_output() {
            if let Output::Send(_, event) = output
                && let Some(subscribed) = event.subscribed
            {
                self.streams.insert(subscribed.framework_id.value, Stream { connection, id: id.clone() });
            }
        }
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
        let offers = self.offers();
        self.refuse(offers)
    }

    /// Declines offers. Returns how many there are.
    pub fn refuse(&mut self, offers: Vec<v1::Offer>) -> usize {
        offers.into_iter().map(|offer| self.accept(&offer, 0)).count()
    }

    /// Ends the oldest tasks.
    pub fn end(&mut self, tasks: usize) {
        for _ in 0..tasks {
            let Some(task) = self.tasks.pop_front() else {
                return;
            };
            self.update(&task, TaskState::TaskFinished);
        }
    }

    /// Every task says that it runs. Returns how many there are.
    pub fn run_all(&mut self) -> usize {
        let tasks = std::mem::take(&mut self.tasks);
        tasks.iter().for_each(|task| self.update(task, TaskState::TaskRunning));
        self.tasks = tasks;
        self.tasks.len()
    }

    /// The frameworks acknowledge an update of every task. Returns how many there are.
    pub fn acknowledge_all(&mut self) -> usize {
        let tasks = std::mem::take(&mut self.tasks);
        for Running { framework_id, agent_id, task_id } in &tasks {
            let (agent_id, task_id) = (agent_id.clone(), task_id.clone());
            let acknowledge = call::Acknowledge { agent_id, task_id, uuid: vec![0; 16] };
            self.call(framework_id, OfFramework::Acknowledge(acknowledge));
        }
        self.tasks = tasks;
        self.tasks.len()
    }

    /// What each turn of the cluster's loop asks of the master besides what has happened.
    pub fn turn(&mut self) {
        debug_assert!(self.master.poll_timeout().is_some());
        self.master.handle_timeout(self.now);
    }

    /// Every framework asks for the states of all its tasks. Returns how many answers there are.
    pub fn reconcile(&mut self) -> usize {
        let ids: Vec<String> = self.streams.keys().cloned().collect();
        ids.iter().map(|id| self.call(id, OfFramework::Reconcile(call::Reconcile::default()))).sum()
    }

    /// What `/state` shows, in bytes.
    pub fn state(&self) -> usize {
        self.master.state().to_json().len()
    }

    /// What GET_STATE answers, in bytes.
    pub fn get_state(&mut self) -> usize {
        let call = master::Call { r#type: Some(master::call::Type::GetState.into()), ..Default::default() };
        let answer = self.master.operator_call(self.now, call).ok().and_then(Done::response);
        answer.unwrap_or_default().encode_to_vec().len()
    }

    /// Every agent is lost, one after the other. Returns how many events say so.
    pub fn lose_agents(&mut self, agents: usize) -> usize {
        let lose = |number| {
            self.master.mark_unreachable(self.now, &format!("S{number}"), "lost");
            self.sent()
        };
        (0..agents).map(lose).sum()
    }

    /// The connection of every framework breaks.
    pub fn disconnect(&mut self) {
        for connection in self.streams.values().map(|stream| stream.connection).collect::<Vec<_>>() {
            self.master.disconnected(self.now, connection);
            self.sent();
        }
    }

    /// Every framework is torn down.
    pub fn tear_down(&mut self) {
        for id in std::mem::take(&mut self.streams).into_keys() {
            self.master.remove_framework(self.now, &id);
            self.sent();
        }
    }

    /// How many tasks are shown, those of completed frameworks among them.
    pub fn kept(&self) -> usize {
        self.master.frameworks().map(|framework| framework.all_tasks().count()).sum()
    }

    fn update(&mut self, task: &Running, state: TaskState) {
        let Running { framework_id, agent_id, task_id } = task;
        let status = Box::new(v1::TaskStatus {
            task_id: task_id.clone(),
            agent_id: Some(agent_id.clone()),
            state: state.into(),
            uuid: Some(vec![0; 16]),
            ..Default::default()
        });
        let framework_id = framework_id.clone();
        self.master.handle_agent(self.now, ToMaster::StatusUpdate { framework_id, status, latest_state: state });
        self.sent();
    }

    /// Takes what the master has to say. Returns how many events for frameworks were among it.
    fn sent(&mut self) -> usize {
        std::iter::from_fn(|| self.master.poll_output()).filter(|output| matches!(output, Output::Send(..))).count()
    }

    /// A framework asks for something. Returns how many events follow.
    fn call(&mut self, framework_id: &str, call: OfFramework) -> usize {
        let Some(stream) = self.streams.get(framework_id) else { return 0 };
        let called = self.master.call(self.now, Some(&stream.id), framework_id, call);
        debug_assert!(called.is_ok(), "the framework is subscribed");
        self.sent()
    }

    /// Lets a batch of offers come.
    pub fn offers(&mut self) -> Vec<v1::Offer> {
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
        let mut task_infos = Vec::new();
        for _ in 0..tasks {
            self.launched = self.launched.saturating_add(1);
            let task_id = v1::TaskId { value: format!("task-{}", self.launched) };
            let (framework_id, agent_id) = (offer.framework_id.value.clone(), offer.agent_id.clone());
            self.tasks.push_back(Running { framework_id, agent_id, task_id: task_id.clone() });
            task_infos.push(v1::TaskInfo { task_id, agent_id: offer.agent_id.clone(), ..self.task.clone() });
        }
        let launch = Some(operation::Launch { task_infos });
        let launch = Operation { r#type: Some(operation::Type::Launch.into()), launch, ..Default::default() };
        let accept = call::Accept {
            offer_ids: vec![offer.id.clone()],
            operations: vec![launch],
            filters: Some(v1::Filters { refuse_seconds: Some(0.0) }),
        };
        self.call(&offer.framework_id.value, OfFramework::Accept(accept));
    }
}
