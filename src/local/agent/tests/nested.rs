//! Containers that do not belong to an executor, in virtual time.

use super::*;
use crate::local::agent::nested::{Wanted, name};

/// An id with dots, as Mesos writes it.
fn id(name: &str) -> v1::ContainerId {
    let parts = name.split('.').map(str::to_owned);
    let id = parts.fold(None, |parent, value| Some(v1::ContainerId { value, parent: parent.map(Box::new) }));
    id.expect("not empty")
}

impl World {
    fn launch_in(&mut self, container: &str) -> Result<bool, Refusal> {
        let wanted =
            Wanted { id: id(container), command: v1::CommandInfo::default(), container: None, resources: Vec::new() };
        self.agent.launch_container(wanted)
    }

    /// One that runs.
    fn nest(&mut self, container: &str) {
        assert_eq!(self.launch_in(container), Ok(true));
        self.agent.handle_backend(self.now, Event::Started { container: container.into(), process: Some(7) });
    }

    /// What the backend was ordered, in words.
    fn orders(&mut self) -> Vec<String> {
        let mut orders = Vec::new();
        while let Some(output) = self.agent.poll_output() {
            let Output::Order(order) = output else { continue };
            orders.push(match order {
                Order::Start(launch) => format!("start {} in {}", launch.container, launch.sandbox.nested.join("/")),
                Order::Stop { container, how } => format!("{how:?} {container}"),
                Order::Signal { container, signal } => format!("signal {signal} {container}"),
                Order::Write { stderr, .. } => format!("write {stderr}"),
                Order::Clear { sandbox } => format!("clear {}", sandbox.nested.join("/")),
                other => panic!("{other:?} is not to be done here"),
            });
        }
        orders
    }

    fn ends(&mut self, container: &str) {
        self.agent.handle_backend(self.now, Event::Ended { container: container.into(), exit: Exit::Exited(3) });
    }

    fn status(&self, container: &str) -> Option<Option<i32>> {
        self.agent.ended(&id(container))
    }

    /// With a custom executor that runs; its container.
    fn with_executor() -> (Self, String) {
        let mut world = world();
        world.run_on(Custom, &["a"]);
        world.launched();
        world.subscribe(1, &[]).expect("taken");
        let root = world.container.clone();
        world.orders();
        (world, root)
    }
}

fn why<T: std::fmt::Debug>(refused: Result<T, Refusal>) -> (u16, String) {
    let refusal = refused.expect_err("refused");
    (refusal.status, refusal.message)
}

#[test]
fn a_container_is_launched_in_another_and_ends_by_itself() {
    let (mut world, root) = World::with_executor();
    let one = format!("{root}.one");
    assert_eq!(world.launch_in(&one), Ok(true));
    assert_eq!(world.orders(), [format!("start {one} in one")]);
    assert!(world.agent.launched(&id(&one)).is_none());
    assert_eq!(world.launch_in(&one), Ok(false), "it is there");
    world.agent.handle_backend(world.now, Event::Started { container: one.clone(), process: None });
    assert_eq!(world.agent.launched(&id(&one)), Some(Ok(())));
    assert_eq!((world.agent.await_container(&id(&one)), world.status(&one)), (Ok(()), None));
    assert_eq!(why(world.agent.remove_container(&id(&one))).1, "Nested container has not terminated yet");
    world.ends(&one);
    assert_eq!(world.status(&one), Some(Some(3 << 8)));
    assert_eq!(world.agent.await_container(&id(&one)), Ok(()), "as long as its executor runs");
    assert_eq!(world.agent.remove_container(&id(&one)), Ok(()));
    assert_eq!(world.orders(), ["clear one"]);
    assert_eq!(why(world.agent.await_container(&id(&one))), (404, format!("Container {one} cannot be found")));
}

#[test]
fn what_is_within_a_container_ends_with_it_and_before_it() {
    let (mut world, root) = World::with_executor();
    let (outer, inner) = (format!("{root}.a"), format!("{root}.a.b"));
    world.nest(&outer);
    world.nest(&inner);
    assert_eq!(world.orders().last(), Some(&format!("start {inner} in a/b")));
    world.ends(&outer);
    assert_eq!(world.orders(), [format!("Kill {inner}")]);
    assert_eq!(world.status(&outer), None);
    let refused = why(world.launch_in(&format!("{outer}.c")));
    assert_eq!(refused, (400, format!("Parent container {outer} is in 'DESTROYING' state")));
    world.ends(&inner);
    assert_eq!((world.status(&inner), world.status(&outer)), (Some(Some(3 << 8)), Some(Some(3 << 8))));
    assert_eq!(why(world.launch_in(&inner)), (400, format!("Parent container {outer} does not exist")));
}

#[test]
fn containers_end_with_their_executor_and_are_forgotten() {
    let (mut world, root) = World::with_executor();
    let one = format!("{root}.one");
    world.nest(&one);
    world.orders();
    world.ends(&root);
    assert_eq!(world.orders(), [format!("Kill {one}")]);
    world.ends(&one);
    assert_eq!(world.status(&one), Some(Some(3 << 8)), "who waits is told");
    assert_eq!(why(world.agent.await_container(&id(&one))).0, 404);
    assert_eq!(world.status(&root), Some(Some(3 << 8)));
}

#[test]
fn signals_go_to_what_runs() {
    let (mut world, root) = World::with_executor();
    let one = format!("{root}.one");
    assert_eq!(world.launch_in(&one), Ok(true));
    world.orders();
    let now = world.now;
    assert_eq!(world.agent.kill_container(now, &id(&one), 15), Ok(()));
    assert_eq!(world.orders(), [format!("Kill {one}")], "it did not run yet");
    world.agent.handle_backend(now, Event::Started { container: one.clone(), process: None });
    assert_eq!(world.agent.kill_container(now, &id(&one), 15), Ok(()));
    assert_eq!(world.agent.kill_container(now, &id(&one), 0), Ok(()));
    assert_eq!(world.agent.kill_container(now, &id(&root), 9), Ok(()));
    assert_eq!(world.orders(), [format!("signal 15 {one}"), format!("signal 9 {root}")]);
    assert_eq!(why(world.agent.kill_container(now, &id(&one), 65)).0, 500);
    assert_eq!(why(world.agent.kill_container(now, &id("x"), 9)).0, 404);
}

#[test]
fn tasks_of_a_group_are_containers_too() {
    let mut world = world();
    world.run_on(Group, &["a"]);
    world.launched();
    let task = world.container.clone();
    let root = world.agent.executors().next().expect("one").container.clone();
    world.orders();
    let inner = format!("{root}.{task}.x");
    world.nest(&inner);
    assert_eq!(world.orders(), [format!("start {inner} in x")]);
    assert_eq!(world.status(&format!("{root}.{task}")), None);
    world.ends(&task);
    assert_eq!(world.orders(), [format!("Kill {inner}"), format!("Kill {inner}")], "with its task, and its executor");
    assert_eq!(world.status(&format!("{root}.{task}")), Some(Some(3 << 8)));
    assert_eq!(name(&id("a.b")), "a.b");
}

#[test]
fn a_command_that_cannot_be_executed_ends_as_under_the_real_launcher() {
    let mut world = world();
    assert_eq!(world.launch_in("alone"), Ok(true));
    let failed = |why| Event::Failed { container: "alone".into(), why };
    world.agent.handle_backend(world.now, failed(StartError::NotExecuted("no such program".into())));
    assert_eq!(world.orders(), ["start alone in ", "write no such program\n"]);
    assert_eq!(world.agent.launched(&id("alone")), Some(Ok(())));
    assert_eq!(world.status("alone"), Some(Some(1 << 8)));
    assert_eq!(world.launch_in("alone"), Ok(true), "it is over");
    world.agent.handle_backend(world.now, failed(StartError::NoUser("u".into())));
    let outcome = world.agent.launched(&id("alone")).expect("known").expect_err("failed");
    assert_eq!((outcome.0, world.status("alone")), (StartError::NoUser("u".into()), Some(None)));
}
