//! Tasks that an agent cannot run, in virtual time.

use super::*;
use crate::proto::v1::task_status::{Reason, Source};

fn failed(world: &mut World, why: StartError) {
    let container = world.container.clone();
    world.agent.handle_backend(world.now, Event::Failed { container, why });
    world.pump();
}

#[test]
fn a_container_that_nobody_takes_ends_its_executor() {
    for custom in [false, true] {
        let mut world = world();
        if custom {
            world.run_on(Custom, &["t"]);
        } else {
            world.run(None);
        }
        failed(&mut world, StartError::NoContainerizer);
        let last = world.updates.last().expect("an update");
        assert_eq!((last.state(), last.reason()), (TaskFailed, Reason::ExecutorTerminated));
        assert_eq!(
            (last.source(), last.message()),
            (Source::Agent, "Abnormal executor termination: unknown container")
        );
        assert_eq!(world.exits, if custom { vec![-1] } else { vec![] }, "the master knows no executor of a command");
    }
}

#[test]
fn the_default_executor_reports_a_container_that_cannot_be_made() {
    let mut world = world();
    world.run_on(Group, &["t"]);
    failed(&mut world, StartError::new("no such image"));
    assert_eq!(world.states(), [TaskStarting]);
    world.acknowledge();
    let last = world.updates.last().expect("an update");
    assert_eq!((last.state(), last.source()), (TaskFailed, Source::Executor));
    assert_eq!((last.message(), last.reason), ("no such image", None));
    assert_eq!(world.exits, [0]);
}

#[test]
fn a_task_with_resource_limits_is_dropped_and_forgotten() {
    let mut world = world();
    let framework = v1::FrameworkInfo { id: Some(v1::FrameworkId { value: "f".into() }), ..Default::default() };
    let mut task = v1::TaskInfo { task_id: v1::TaskId { value: "t".into() }, ..Default::default() };
    task.limits.insert("mem".to_owned(), v1::value::Scalar { value: 100.0 });
    world.tell(ToAgent::Run {
        framework: Box::new(framework),
        executor: None,
        tasks: vec![task],
        group: false,
        role: "*".into(),
        volumes: vec![],
        runs: vec![],
    });
    let last = world.updates.last().expect("an update");
    assert_eq!((last.state(), last.reason(), last.source()), (TaskLost, Reason::GcError, Source::Agent));
    assert!(last.message().starts_with("Memory limits can only be set") && last.executor_id.is_none());
    assert!(world.containers.is_empty());
    world.acknowledge();
    assert!(world.agent.executors.is_empty() && world.agent.completed.is_empty());
    world.run(None);
    assert_eq!(world.containers.len(), 1, "another task of its name runs");
}
