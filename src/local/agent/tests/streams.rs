//! Executors that subscribe, and what they report, in virtual time.

use super::*;

#[test]
fn an_executor_that_comes_back_without_its_only_task_is_shut_down() {
    let mut world = world();
    world.run_on(Custom, &["a"]);
    world.launched();
    world.subscribe(1, &[]).expect("taken");
    world.subscribe(2, &[]).expect("taken");
    assert_eq!(world.told(), [("a", TaskLost)]);
    assert_eq!(world.events[2..], [(2, event::Type::Shutdown)]);
    world.subscribe(3, &[]).expect("taken");
    assert_eq!(world.events.last(), Some(&(3, event::Type::Shutdown)), "it is to end");
    assert_eq!(world.closed, [1, 3]);
}

#[test]
fn an_executor_all_of_whose_tasks_were_killed_is_not_even_subscribed() {
    let mut world = world();
    world.run_on(Custom, &["t"]);
    world.launched();
    world.kill(None);
    world.subscribe(1, &[]).expect("taken");
    assert_eq!(world.sent(), [event::Type::Shutdown]);
}

#[test]
fn an_update_that_names_another_agent_is_ignored() {
    let mut world = world();
    world.run_on(Custom, &["a"]);
    world.launched();
    world.subscribe(1, &[]).expect("taken");
    for (agent, told) in [("S1", 0), ("S0", 1)] {
        let status = v1::TaskStatus {
            task_id: v1::TaskId { value: "a".into() },
            state: TaskRunning.into(),
            source: Some(v1::task_status::Source::Executor.into()),
            uuid: Some(vec![7; 16]),
            agent_id: Some(v1::AgentId { value: agent.into() }),
            ..Default::default()
        };
        let call = Call { update: Some(call::Update { status }), ..of(call::Type::Update) };
        world.agent.call(world.now, call).expect("taken");
        world.pump();
        assert_eq!(world.updates.len(), told);
        assert_eq!(world.sent().iter().filter(|kind| **kind == event::Type::Acknowledged).count(), told);
    }
}
