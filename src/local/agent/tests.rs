//! The embedded agent in virtual time.

use std::time::{Duration, Instant};

use super::*;
use crate::local::backend::{Exit, StartError, Stop};
use crate::local::refusal::Refusal;
use crate::local::world;
use crate::proto::v1::TaskState::{self, *};
use crate::proto::v1::executor::{Call, call, event};
use crate::proto::v1::executor_info::Type::{Custom, Default as Group};

mod nested;
mod refusals;
mod streams;

const SECOND: Duration = Duration::from_secs(1);

struct World {
    agent: Agent,
    now: Instant,
    container: String,
    /// Those of all launches.
    containers: Vec<String>,
    stops: Vec<Stop>,
    updates: Vec<v1::TaskStatus>,
    /// To executors, by stream.
    events: Vec<(ConnectionId, event::Type)>,
    closed: Vec<ConnectionId>,
    /// The statuses of executors that ended.
    exits: Vec<i32>,
    /// How many updates had been sent when the last executor ended.
    sent_before_exit: usize,
}

fn world() -> World {
    let config = Config {
        info: v1::AgentInfo::default(),
        id: "S0".into(),
        path: "slave(1)".into(),
        endpoint: "127.0.0.1:1".into(),
        registration_timeout: Period::from_secs(60),
        shutdown_grace_period: Period::from_secs(5),
        max_completed_executors_per_framework: 1000,
        environment: std::collections::BTreeMap::new(),
        flags: std::collections::BTreeMap::new(),
        reregistration_timeout: REREGISTRATION_TIMEOUT,
        start_time: 0.0,
    };
    let now = Instant::now();
    World {
        agent: Agent::new(config, world::World::of_tests(now), Resources::default()),
        now,
        container: String::new(),
        containers: vec![],
        stops: vec![],
        updates: vec![],
        events: vec![],
        closed: vec![],
        exits: vec![],
        sent_before_exit: 0,
    }
}

impl World {
    fn pump(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Tell(ToMaster::StatusUpdate { status, .. }) => self.updates.push(*status),
                Output::Order(Order::Start(launch)) => {
                    self.containers.push(launch.container.clone());
                    self.container = launch.container;
                }
                Output::Tell(ToMaster::ExitedExecutor { status, .. }) => {
                    self.exits.push(status);
                    self.sent_before_exit = self.updates.len();
                }
                Output::Send(stream, event) => self.events.push((stream, event.r#type())),
                Output::Close(stream) => self.closed.push(stream),
                Output::Order(Order::Stop { how, .. }) => self.stops.push(how),
                other => panic!("{other:?} is not to be done here"),
            }
        }
    }

    fn run(&mut self, kill_policy: Option<v1::KillPolicy>) {
        let framework = v1::FrameworkInfo { id: Some(v1::FrameworkId { value: "f".into() }), ..Default::default() };
        let task = v1::TaskInfo { task_id: v1::TaskId { value: "t".into() }, kill_policy, ..Default::default() };
        self.tell(ToAgent::Run {
            framework: Box::new(framework),
            executor: None,
            tasks: vec![task],
            group: false,
            role: "*".into(),
            volumes: vec![],
            runs: vec![],
        });
    }

    /// Tasks on a custom executor, or of a group on the default one.
    fn run_on(&mut self, kind: v1::executor_info::Type, ids: &[&str]) {
        let framework = v1::FrameworkInfo { id: Some(v1::FrameworkId { value: "f".into() }), ..Default::default() };
        let info = v1::ExecutorInfo {
            r#type: Some(kind.into()),
            executor_id: v1::ExecutorId { value: "e".into() },
            ..Default::default()
        };
        let task = |id: &&str| v1::TaskInfo { task_id: v1::TaskId { value: (*id).into() }, ..Default::default() };
        self.tell(ToAgent::Run {
            framework: Box::new(framework),
            executor: Some(Box::new(info)),
            tasks: ids.iter().map(task).collect(),
            group: kind == v1::executor_info::Type::Default,
            role: "*".into(),
            volumes: vec![],
            runs: vec![],
        });
    }

    fn subscribe(&mut self, stream: ConnectionId, known: &[&str]) -> Result<(), Refusal> {
        let task = |id: &&str| v1::TaskInfo { task_id: v1::TaskId { value: (*id).into() }, ..Default::default() };
        let subscribe =
            call::Subscribe { unacknowledged_tasks: known.iter().map(task).collect(), unacknowledged_updates: vec![] };
        let call = Call { subscribe: Some(subscribe), ..of(call::Type::Subscribe) };
        let outcome = self.agent.subscribe(self.now, stream, call);
        self.pump();
        outcome
    }

    /// The executor reports on a task.
    fn report(&mut self, id: &str, state: TaskState) {
        let status = v1::TaskStatus {
            task_id: v1::TaskId { value: id.into() },
            state: state.into(),
            source: Some(v1::task_status::Source::Executor.into()),
            uuid: Some(uuid::Uuid::new_v4().into_bytes().to_vec()),
            ..Default::default()
        };
        let call = Call { update: Some(call::Update { status }), ..of(call::Type::Update) };
        self.agent.call(self.now, call).expect("taken");
        self.pump();
    }

    fn sent(&self) -> Vec<event::Type> {
        self.events.iter().map(|(_, kind)| *kind).collect()
    }

    fn told(&self) -> Vec<(&str, TaskState)> {
        self.updates.iter().map(|s| (s.task_id.value.as_str(), s.state())).collect()
    }

    fn running() -> Self {
        let mut world = world();
        world.run(None);
        world.launched();
        world.acknowledge();
        world.acknowledge();
        world
    }

    fn launched(&mut self) {
        let container = self.container.clone();
        self.agent.handle_backend(self.now, Event::Started { container, process: Some(42) });
        self.pump();
    }

    fn exited(&mut self, exit: Exit) {
        let container = self.container.clone();
        self.agent.handle_backend(self.now, Event::Ended { container, exit });
        self.pump();
    }

    fn ended(&mut self, container: &str, exit: Exit) {
        self.agent.handle_backend(self.now, Event::Ended { container: container.to_owned(), exit });
    }

    fn tell(&mut self, message: ToAgent) {
        self.agent.handle_master(self.now, message);
        self.pump();
    }

    fn kill(&mut self, grace_seconds: Option<i64>) {
        let kill_policy = grace_seconds.map(grace);
        self.tell(ToAgent::KillTask { framework_id: "f".into(), task_id: "t".into(), kill_policy });
    }

    fn acknowledge(&mut self) {
        self.acknowledge_of("t");
    }

    fn acknowledge_of(&mut self, id: &str) {
        let last = self.updates.iter().rev().find(|update| update.task_id.value == id);
        let uuid = last.and_then(|update| update.uuid.clone()).expect("an update with a uuid");
        self.tell(ToAgent::Acknowledge { framework_id: "f".into(), task_id: id.into(), uuid });
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.agent.handle_timeout(self.now);
        self.pump();
    }

    fn states(&self) -> Vec<TaskState> {
        self.updates.iter().map(v1::TaskStatus::state).collect()
    }
}

fn of(kind: call::Type) -> Call {
    Call {
        executor_id: v1::ExecutorId { value: "e".into() },
        framework_id: v1::FrameworkId { value: "f".into() },
        r#type: Some(kind.into()),
        ..Default::default()
    }
}

fn killed() -> Exit {
    Exit::Signaled { number: 9, name: "Killed".to_owned(), core_dumped: false }
}

fn terminated() -> Exit {
    Exit::Signaled { number: 15, name: "Terminated".to_owned(), core_dumped: false }
}

fn grace(seconds: i64) -> v1::KillPolicy {
    v1::KillPolicy { grace_period: Some(v1::DurationInfo { nanoseconds: seconds * 1_000_000_000 }) }
}

#[test]
fn each_update_waits_for_the_acknowledgement_of_the_one_before() {
    let mut world = world();
    world.run(None);
    assert_eq!(world.states(), []);
    world.launched();
    assert_eq!(world.states(), [TaskStarting]);
    world.acknowledge();
    world.exited(Exit::Exited(0));
    assert_eq!(world.states(), [TaskStarting, TaskRunning]);
    world.acknowledge();
    assert_eq!(world.states(), [TaskStarting, TaskRunning, TaskFinished]);
    assert!(!world.agent.executors.is_empty());
    world.acknowledge();
    assert!(world.agent.executors.is_empty());
    assert_eq!(world.agent.completed.len(), 1);
}

#[test]
fn an_unacknowledged_update_is_repeated() {
    let mut world = world();
    world.run(None);
    world.launched();
    world.pass(9 * SECOND);
    assert_eq!(world.states(), [TaskStarting]);
    world.pass(SECOND);
    assert_eq!(world.states(), [TaskStarting, TaskStarting]);
    assert_eq!(world.updates[0], world.updates[1]);
}

#[test]
fn exits_are_told_as_the_command_executor_does() {
    for (exit, state, message) in [
        (Exit::Exited(0), TaskFinished, "Command exited with status 0"),
        (Exit::Exited(3), TaskFailed, "Command exited with status 3"),
        (killed(), TaskFailed, "Command terminated with signal Killed"),
    ] {
        let mut world = World::running();
        world.exited(exit);
        let last = world.updates.last().expect("an update");
        assert_eq!((last.state(), last.message()), (state, message));
    }
}

#[test]
fn a_kill_is_sigterm_and_after_three_seconds_sigkill() {
    let mut world = World::running();
    world.kill(None);
    assert_eq!(world.stops, [Stop::Ask]);
    world.pass(Duration::from_millis(2999));
    assert_eq!(world.stops, [Stop::Ask]);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.stops, [Stop::Ask, Stop::Kill]);
    world.exited(killed());
    assert_eq!(world.states().last(), Some(&TaskKilled));
}

#[test]
fn the_call_s_grace_period_goes_before_the_task_s_and_a_second_kill_may_only_shorten_it() {
    let mut world = world();
    world.run(Some(grace(100)));
    world.launched();
    world.kill(None);
    assert_eq!(world.agent.poll_timeout(), Some(world.now + 10 * SECOND), "the update's repetition comes first");
    world.kill(Some(7));
    assert_eq!(world.agent.poll_timeout(), Some(world.now + 7 * SECOND));
    world.kill(Some(9));
    assert_eq!(world.agent.poll_timeout(), Some(world.now + 7 * SECOND));
    assert_eq!(world.stops, [Stop::Ask]);
}

#[test]
fn a_task_killed_before_it_runs_never_does() {
    let mut world = world();
    world.run(None);
    world.kill(None);
    let last = world.updates.last().expect("an update");
    assert_eq!((last.state(), last.message()), (TaskKilled, "Killed before delivery to the executor"));
    world.launched();
    assert_eq!(world.stops, [Stop::Kill]);
    world.exited(killed());
    world.acknowledge();
    assert_eq!(world.states(), [TaskKilled]);
    assert!(world.agent.executors.is_empty());
}

#[test]
fn a_launch_that_fails_is_told_and_over() {
    let mut world = world();
    world.run(None);
    let container = world.container.clone();
    world.agent.handle_backend(world.now, Event::Failed { container, why: StartError::new("no such program") });
    world.pump();
    let last = world.updates.last().expect("an update");
    assert_eq!((last.state(), last.message()), (TaskFailed, "Failed to launch container: no such program"));
    assert_eq!(last.source(), v1::task_status::Source::Agent);
    world.acknowledge();
    assert!(world.agent.executors.is_empty());
}

#[test]
fn a_removed_framework_s_tasks_end_and_nobody_is_told() {
    let mut world = World::running();
    let told = world.updates.len();
    world.tell(ToAgent::ShutdownFramework { framework_id: "f".into() });
    assert_eq!(world.stops, [Stop::Ask]);
    world.exited(terminated());
    assert_eq!(world.updates.len(), told);
    let states: Vec<_> = world.agent.executors().flat_map(Record::all_tasks).map(|task| task.state).collect();
    assert_eq!(states, [TaskKilled], "it is shown as what it came to");
    assert!(world.agent.executors.is_empty());
}

#[test]
fn tasks_wait_for_their_executor_and_go_out_in_order() {
    let mut world = world();
    world.run_on(Custom, &["a"]);
    world.run_on(Custom, &["b"]);
    assert_eq!(world.containers.len(), 1, "one executor");
    world.launched();
    assert_eq!(world.sent(), []);
    let early =
        world.agent.call(world.now, Call { message: Some(call::Message::default()), ..of(call::Type::Message) });
    assert_eq!(early.expect_err("refused").status, 403);
    world.subscribe(1, &[]).expect("taken");
    assert_eq!(world.sent(), [event::Type::Subscribed, event::Type::Launch, event::Type::Launch]);
    world.run_on(Custom, &["c"]);
    assert_eq!(world.sent().last(), Some(&event::Type::Launch));
}

#[test]
fn an_executor_that_nobody_started_is_refused() {
    let mut world = world();
    assert_eq!(world.subscribe(1, &[]).expect_err("refused").message, "Framework cannot be found");
    world.run(None);
    assert_eq!(world.subscribe(1, &[]).expect_err("refused").message, "Executor cannot be found");
}

#[test]
fn an_executor_that_does_not_subscribe_in_time_is_killed() {
    let mut world = world();
    world.run_on(Custom, &["a"]);
    world.launched();
    world.pass(60 * SECOND);
    assert_eq!(world.stops, [Stop::Kill]);
    world.exited(killed());
    let last = world.updates.last().expect("an update");
    assert_eq!((last.state(), last.message()), (TaskFailed, "Executor did not register within 1mins"));
    assert_eq!(world.exits, [9]);
}

#[test]
fn the_end_of_an_executor_fails_what_it_had_still_to_do() {
    let mut world = world();
    world.run_on(Custom, &["a", "b"]);
    world.launched();
    world.subscribe(1, &[]).expect("taken");
    world.report("a", TaskFinished);
    world.exited(Exit::Exited(3));
    assert_eq!(world.told(), [("a", TaskFinished), ("b", TaskFailed)]);
    assert_eq!(world.sent_before_exit, 1, "what it leaves fails after its end is told");
    assert_eq!((&world.exits[..], &world.closed[..]), (&[3 << 8][..], &[1][..]));
}

#[test]
fn what_an_executor_said_of_a_task_that_is_over_is_passed_on_and_leaves_nothing_behind() {
    let mut world = world();
    world.run_on(Custom, &["a"]);
    world.launched();
    world.subscribe(1, &[]).expect("taken");
    world.report("a", TaskFailed);
    world.acknowledge_of("a");
    world.report("a", TaskRunning); // it was on its way
    assert_eq!(world.told(), [("a", TaskFailed), ("a", TaskRunning)]);
    world.acknowledge_of("a");
    assert!(world.agent.executors().flat_map(Record::all_tasks).all(|task| task.state == TaskFailed));
}

#[test]
fn the_newest_stream_wins_and_a_task_that_was_lost_on_the_way_is_told_of() {
    let mut world = world();
    world.run_on(Custom, &["a", "b", "c"]);
    world.launched();
    world.subscribe(1, &[]).expect("taken");
    world.report("a", TaskRunning);
    world.subscribe(2, &["b"]).expect("taken");
    assert_eq!(world.closed, [1]);
    assert_eq!(world.told(), [("a", TaskRunning), ("c", TaskLost)]);
    world.agent.disconnected(1);
    world.run_on(Custom, &["d"]);
    assert_eq!(world.events.last(), Some(&(2, event::Type::Launch)));
}

#[test]
fn every_update_is_taken_once() {
    let mut world = world();
    world.run_on(Custom, &["a"]);
    world.launched();
    world.subscribe(1, &[]).expect("taken");
    world.report("a", TaskRunning);
    let again = world.updates[0].clone();
    let call = Call { update: Some(call::Update { status: again }), ..of(call::Type::Update) };
    world.agent.call(world.now, call).expect("taken");
    world.pump();
    assert_eq!(world.told(), [("a", TaskRunning)]);
    let acknowledged = world.sent().iter().filter(|kind| **kind == event::Type::Acknowledged).count();
    assert_eq!(acknowledged, 2);
}

#[test]
fn an_executor_that_is_shut_down_is_killed_after_its_grace_period() {
    let mut world = world();
    world.run_on(Custom, &["a"]);
    world.launched();
    world.subscribe(1, &[]).expect("taken");
    world.tell(ToAgent::ShutdownFramework { framework_id: "f".into() });
    assert_eq!(world.sent().last(), Some(&event::Type::Shutdown));
    world.pass(5 * SECOND - Duration::from_millis(1));
    assert!(world.stops.is_empty());
    world.pass(Duration::from_millis(1));
    assert_eq!(world.stops, [Stop::Kill]);
    world.exited(killed());
    assert!(world.agent.executors.is_empty() && world.updates.is_empty() && world.exits.is_empty());
}

#[test]
fn a_group_ends_with_the_first_task_that_does_not_finish() {
    let mut world = world();
    world.run_on(Group, &["a", "b", "c"]);
    let containers = world.containers.clone();
    for container in &containers {
        world.agent.handle_backend(world.now, Event::Started { container: container.clone(), process: Some(1) });
    }
    world.pump();
    world.ended(&containers[0], Exit::Exited(0));
    world.pump();
    assert_eq!(world.stops, [], "nothing of the others");
    world.ended(&containers[1], Exit::Exited(3));
    world.pump();
    assert_eq!(world.stops, [Stop::Ask]);
    world.ended(&containers[2], terminated());
    world.pump();
    assert_eq!(world.exits, [0]);
    for id in ["a", "b", "c"] {
        for _ in 0..3 {
            let of_task = world.updates.iter().rev().find(|status| status.task_id.value == id);
            let uuid = of_task.and_then(|status| status.uuid.clone()).expect("an update");
            world.tell(ToAgent::Acknowledge { framework_id: "f".into(), task_id: id.into(), uuid });
        }
    }
    let last = |id| world.told().into_iter().rfind(|(task, _)| *task == id).map(|(_, state)| state);
    assert_eq!([last("a"), last("b"), last("c")], [Some(TaskFinished), Some(TaskFailed), Some(TaskKilled)]);
    assert!(world.agent.executors.is_empty());
}

#[test]
fn it_is_known_which_executor_a_task_is_on_until_it_is_over() {
    let mut world = world();
    world.run_on(Custom, &["a", "t"]);
    world.launched();
    world.subscribe(1, &[]).expect("taken");
    world.report("t", TaskFinished);
    world.acknowledge();
    assert_eq!(world.agent.homes.keys().map(|(_, task_id)| task_id.as_str()).collect::<Vec<_>>(), ["a"]);
    world.tell(ToAgent::KillTask { framework_id: "f".into(), task_id: "a".into(), kill_policy: None });
    assert_eq!(world.events.last(), Some(&(1, event::Type::Kill)));
    world.tell(ToAgent::ShutdownFramework { framework_id: "f".into() });
    world.exited(killed());
    assert!(world.agent.homes.is_empty());
    world.agent.disconnected(1);
    assert!(world.agent.streams.is_empty());
}
