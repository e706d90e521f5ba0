//! The embedded agent in virtual time.

use std::time::{Duration, Instant};

use super::*;
use crate::proto::v1::TaskState::{self, *};

const SECOND: Duration = Duration::from_secs(1);
const EXIT_3: i32 = 3 << 8;

struct World {
    agent: Agent,
    now: Instant,
    container: String,
    signals: Vec<i32>,
    updates: Vec<v1::TaskStatus>,
}

fn world() -> World {
    let config = Config {
        info: v1::AgentInfo::default(),
        id: "S0".into(),
        path: "slave(1)".into(),
        endpoint: "127.0.0.1:1".into(),
        work_dir: "/work".into(),
        registration_timeout: 60 * SECOND,
        shutdown_grace_period: 5 * SECOND,
    };
    World { agent: Agent::new(config), now: Instant::now(), container: String::new(), signals: vec![], updates: vec![] }
}

impl World {
    fn pump(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Tell(ToMaster::StatusUpdate { status, .. }) => self.updates.push(*status),
                Output::Launch(launch) => self.container = launch.container,
                Output::Signal(_, signal) => self.signals.push(signal),
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
        });
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
        self.agent.launched(self.now, &container, Ok(42));
        self.pump();
    }

    fn exited(&mut self, status: i32) {
        let container = self.container.clone();
        self.agent.exited(self.now, &container, Some(status));
        self.pump();
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
        let uuid = self.updates.last().expect("an update").uuid.clone().expect("a uuid");
        self.tell(ToAgent::Acknowledge { framework_id: "f".into(), task_id: "t".into(), uuid });
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
    world.exited(0);
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
    for (status, state, message) in [
        (0, TaskFinished, "Command exited with status 0"),
        (EXIT_3, TaskFailed, "Command exited with status 3"),
        (libc::SIGKILL, TaskFailed, "Command terminated with signal Killed"),
    ] {
        let mut world = World::running();
        world.exited(status);
        let last = world.updates.last().expect("an update");
        assert_eq!((last.state(), last.message()), (state, message));
        assert_eq!(world.signals, [libc::SIGKILL], "what it left behind is killed");
    }
}

#[test]
fn a_kill_is_sigterm_and_after_three_seconds_sigkill() {
    let mut world = World::running();
    world.kill(None);
    assert_eq!(world.signals, [libc::SIGTERM]);
    world.pass(Duration::from_millis(2999));
    assert_eq!(world.signals, [libc::SIGTERM]);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.signals, [libc::SIGTERM, libc::SIGKILL]);
    world.exited(libc::SIGKILL);
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
    assert_eq!(world.signals, [libc::SIGTERM]);
}

#[test]
fn a_task_killed_before_it_runs_never_does() {
    let mut world = world();
    world.run(None);
    world.kill(None);
    let last = world.updates.last().expect("an update");
    assert_eq!((last.state(), last.message()), (TaskKilled, "Killed before delivery to the executor"));
    world.launched();
    assert_eq!(world.signals, [libc::SIGKILL]);
    world.exited(libc::SIGKILL);
    world.acknowledge();
    assert_eq!(world.states(), [TaskKilled]);
    assert!(world.agent.executors.is_empty());
}

#[test]
fn a_launch_that_fails_is_told_and_over() {
    let mut world = world();
    world.run(None);
    let container = world.container.clone();
    let why = "Failed to launch container: no such program".to_owned();
    world.agent.launched(world.now, &container, Err((Reason::ContainerLaunchFailed, why)));
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
    assert_eq!(world.signals, [libc::SIGTERM]);
    world.exited(libc::SIGTERM);
    assert_eq!(world.updates.len(), told);
    assert!(world.agent.executors.is_empty());
}
