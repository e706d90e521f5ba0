//! The embedded master in virtual time.

use std::time::{Duration, Instant};

mod agents;
mod sharing;

use super::*;
use crate::local::messages::ToMaster;
use crate::local::refusal::Refusal;
use crate::local::resources::Format;
use crate::local::world;
use crate::proto::v1::scheduler::{Call, call};

const SECOND: Duration = Duration::from_secs(1);

struct World {
    master: Master,
    now: Instant,
    events: Vec<(ConnectionId, Event)>,
    closed: Vec<ConnectionId>,
    told: Vec<(String, ToAgent)>,
    published: Vec<(ConnectionId, v1::master::Event)>,
}

fn config() -> Config {
    Config::new("h".into(), ([127, 0, 0, 1], 5050).into())
}

fn world(agents: u32) -> World {
    world_with(agents, config())
}

fn world_with(agents: u32, config: Config) -> World {
    let now = Instant::now();
    let mut master = Master::new(now, config, world::World::of_tests(now));
    for n in 0..agents {
        let id = Some(v1::AgentId { value: format!("S{n}") });
        let info = v1::AgentInfo { hostname: "h".into(), id, ..Default::default() };
        master.add_agent(now, info, Resources::parse("cpus:4;mem:400").expect("valid"), format!("slave({n})"));
    }
    World { master, now, events: vec![], closed: vec![], told: vec![], published: vec![] }
}

fn info(name: &str) -> v1::FrameworkInfo {
    v1::FrameworkInfo { user: "u".into(), name: name.into(), ..Default::default() }
}

impl World {
    fn pump(&mut self) {
        self.master.handle_timeout(self.now);
        while let Some(output) = self.master.poll_output() {
            match output {
                Output::Send(connection, event) => self.events.push((connection, *event)),
                Output::Close(connection) => self.closed.push(connection),
                Output::Tell(agent, message) => self.told.push((agent, message)),
                Output::Publish(connections, event) => {
                    self.published.extend(connections.into_iter().map(|connection| (connection, (*event).clone())));
                }
                Output::Noted { .. } => {}
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.pump();
    }

    /// Subscribes; the framework's id and its stream's.
    fn subscribe(&mut self, connection: ConnectionId, info: v1::FrameworkInfo) -> (String, String) {
        let subscribe = call::Subscribe { framework_info: info, ..Default::default() };
        let stream = self.master.subscribe(self.now, connection, subscribe);
        self.pump();
        let of_us = |(c, e): &&(ConnectionId, Event)| *c == connection && e.subscribed.is_some();
        let id = self.events.iter().find(of_us).and_then(|(_, e)| e.subscribed.clone());
        (id.map(|s| s.framework_id.value).unwrap_or_default(), stream)
    }

    fn call(&mut self, (id, stream): &(String, String), call: Call) -> Result<(), Refusal> {
        let call = Call { framework_id: Some(v1::FrameworkId { value: id.clone() }), ..call };
        let outcome = match validate(call).expect("valid") {
            Request::Of(id, request) => self.master.call(self.now, Some(stream), &id, request),
            Request::Subscribe(_) => unreachable!("`subscribe` does that"),
        };
        self.pump();
        outcome
    }

    fn take_offers(&mut self, connection: ConnectionId) -> Vec<v1::Offer> {
        let (mine, rest) = std::mem::take(&mut self.events).into_iter().partition(|(c, _)| *c == connection);
        self.events = rest;
        let mine: Vec<(ConnectionId, Event)> = mine;
        mine.into_iter().filter_map(|(_, e)| e.offers).flat_map(|o| o.offers).collect()
    }

    fn take_rescinded(&mut self) -> Vec<String> {
        let rescinded = |(_, e): &(ConnectionId, Event)| e.rescind.clone().map(|rescind| rescind.offer_id.value);
        self.events.iter().filter_map(rescinded).collect()
    }

    fn take_updates(&mut self) -> Vec<v1::TaskStatus> {
        std::mem::take(&mut self.events).into_iter().filter_map(|(_, e)| e.update).map(|u| u.status).collect()
    }
}

fn decline(offer: &v1::Offer, seconds: f64) -> Call {
    let decline = call::Decline {
        offer_ids: vec![offer.id.clone()],
        filters: Some(v1::Filters { refuse_seconds: Some(seconds) }),
    };
    Call { r#type: Some(call::Type::Decline.into()), decline: Some(decline), ..Default::default() }
}

fn launch(offer: &v1::Offer, id: &str) -> Call {
    let task = v1::TaskInfo {
        name: id.into(),
        task_id: v1::TaskId { value: id.into() },
        agent_id: offer.agent_id.clone(),
        resources: Resources::parse("cpus:1;mem:100").expect("valid").to_proto(&Format::default()),
        command: Some(v1::CommandInfo::default()),
        ..Default::default()
    };
    let operation = v1::offer::Operation {
        r#type: Some(v1::offer::operation::Type::Launch.into()),
        launch: Some(v1::offer::operation::Launch { task_infos: vec![task] }),
        ..Default::default()
    };
    let accept = call::Accept {
        offer_ids: vec![offer.id.clone()],
        operations: vec![operation],
        filters: Some(v1::Filters { refuse_seconds: Some(0.0) }),
    };
    Call { r#type: Some(call::Type::Accept.into()), accept: Some(accept), ..Default::default() }
}

fn finished(framework_id: &str, task: &str) -> ToMaster {
    let status = v1::TaskStatus {
        task_id: v1::TaskId { value: task.into() },
        state: v1::TaskState::TaskFinished.into(),
        uuid: Some(vec![1; 16]),
        ..Default::default()
    };
    ToMaster::StatusUpdate {
        framework_id: framework_id.into(),
        status: Box::new(status),
        latest_state: v1::TaskState::TaskFinished,
    }
}

#[test]
fn every_agent_is_offered_at_once_and_each_to_one_framework() {
    let mut world = world(2);
    world.subscribe(1, info("a"));
    assert_eq!(world.take_offers(1).len(), 2);
    world.subscribe(2, info("b"));
    assert_eq!(world.take_offers(2).len(), 0, "all is offered to the first");
}

#[test]
fn heartbeats_come_at_once_and_then_every_fifteen_seconds() {
    let mut world = world(0);
    world.subscribe(1, info("a"));
    let count = |world: &World| world.events.iter().filter(|(_, e)| e.r#type() == event::Type::Heartbeat).count();
    assert_eq!(count(&world), 1);
    world.pass(14 * SECOND);
    assert_eq!(count(&world), 1);
    world.pass(SECOND);
    assert_eq!(count(&world), 2);
}

#[test]
fn a_refused_offer_comes_back_when_its_filter_is_over() {
    let mut world = world(1);
    let framework = world.subscribe(1, info("a"));
    let offer = world.take_offers(1).remove(0);
    world.call(&framework, decline(&offer, 5.0)).expect("accepted");
    for _ in 0..4 {
        world.pass(SECOND);
        assert_eq!(world.take_offers(1).len(), 0);
    }
    world.pass(SECOND);
    assert_eq!(world.take_offers(1).len(), 1);
}

#[test]
fn what_one_framework_refuses_another_gets() {
    let mut world = world(1);
    let first = world.subscribe(1, info("a"));
    world.subscribe(2, info("b"));
    let offer = world.take_offers(1).remove(0);
    world.call(&first, decline(&offer, 5.0)).expect("accepted");
    world.pass(SECOND);
    assert_eq!(world.take_offers(2).len(), 1);
}

#[test]
fn resources_of_a_task_are_free_again_when_it_ends() {
    let mut world = world(1);
    let framework = world.subscribe(1, info("a"));
    let offer = world.take_offers(1).remove(0);
    world.call(&framework, launch(&offer, "t")).expect("accepted");
    assert!(matches!(&world.told[..], [(agent, ToAgent::Run { .. })] if agent == "S0"));
    world.pass(SECOND);
    let rest = world.take_offers(1).remove(0);
    assert_eq!(Resources::from_proto(&rest.resources).expect("valid").scalar("cpus"), 3.0);
    world.call(&framework, decline(&rest, 0.0)).expect("accepted");
    world.master.handle_agent(world.now, finished(&framework.0, "t"));
    world.pass(SECOND);
    let all = world.take_offers(1).remove(0);
    assert_eq!(Resources::from_proto(&all.resources).expect("valid").scalar("cpus"), 4.0);
}

#[test]
fn an_offer_is_good_for_one_answer() {
    let mut world = world(1);
    let framework = world.subscribe(1, info("a"));
    let offer = world.take_offers(1).remove(0);
    world.call(&framework, decline(&offer, 0.0)).expect("accepted");
    world.call(&framework, launch(&offer, "t")).expect("accepted");
    let updates = world.take_updates();
    assert_eq!(updates[0].state(), v1::TaskState::TaskLost);
    assert!(updates[0].message().ends_with("is no longer valid"));
}

#[test]
fn another_framework_s_offer_is_not_ours_to_use() {
    let mut world = world(1);
    world.subscribe(1, info("a"));
    let other = world.subscribe(2, info("b"));
    let offer = world.take_offers(1).remove(0);
    world.call(&other, launch(&offer, "t")).expect("accepted");
    let updates = world.take_updates();
    assert!(updates[0].message().contains("has invalid framework"), "{}", updates[0].message());
    assert_eq!(world.master.offers.len(), 0, "the real master discards it, whoever it was made to");
}

#[test]
fn a_framework_that_leaves_is_kept_for_its_failover_timeout() {
    let mut world = world(1);
    let (id, _) = world.subscribe(1, v1::FrameworkInfo { failover_timeout: Some(10.0), ..info("a") });
    world.master.disconnected(world.now, 1);
    world.pass(9 * SECOND);
    assert!(world.master.frameworks.contains_key(&id));
    world.pass(SECOND);
    assert!(!world.master.frameworks.contains_key(&id));
    let back = v1::FrameworkInfo { id: Some(v1::FrameworkId { value: id }), ..info("a") };
    world.subscribe(2, back);
    let errors: Vec<_> = world.events.iter().filter_map(|(_, e)| e.error.clone()).collect();
    assert_eq!(errors[0].message, "Framework has been removed");
    assert_eq!(world.closed, [2]);
}

#[test]
fn the_newest_subscription_wins() {
    let mut world = world(1);
    let first = world.subscribe(1, info("a"));
    let again = v1::FrameworkInfo { id: Some(v1::FrameworkId { value: first.0.clone() }), ..info("a") };
    let second = world.subscribe(2, again);
    assert_eq!(first.0, second.0);
    assert_eq!(world.closed, [1]);
    assert_eq!(world.take_offers(2).len(), 0, "what the first was offered is free, for the next batch");
    world.pass(SECOND);
    assert_eq!(world.take_offers(2).len(), 1);
    let refused = world.call(&first, Call { r#type: Some(call::Type::Revive.into()), ..Default::default() });
    assert_eq!(refused.expect_err("an old stream").status, 400);
    world.master.disconnected(world.now, 1);
    world.pump();
    assert!(world.master.frameworks[&second.0].connection.is_some(), "the old stream's end changes nothing");
}

#[test]
fn an_offer_that_is_not_answered_in_time_is_rescinded() {
    let mut world = world_with(1, Config { offer_timeout: Some((3 * SECOND).into()), ..config() });
    let framework = world.subscribe(1, info("a"));
    let offer = world.take_offers(1).remove(0);
    world.pass(2 * SECOND);
    assert_eq!(world.take_rescinded(), [""; 0]);
    world.pass(SECOND);
    assert_eq!(world.take_rescinded().concat(), offer.id.value);
    assert_eq!(world.take_offers(1).len(), 1, "it is free again");
    world.call(&framework, launch(&offer, "t")).expect("accepted");
    assert_eq!(world.take_updates()[0].state(), v1::TaskState::TaskLost);
}

#[test]
#[allow(deprecated)]
fn only_the_master_s_roles_may_be_taken() {
    let roles = Some(BTreeSet::from(["a".to_owned()]));
    let mut world = world_with(1, Config { roles, ..config() });
    let in_role = |role: &str| v1::FrameworkInfo { role: Some(role.into()), ..info("f") };
    world.subscribe(1, in_role("b"));
    let error = world.events.iter().find_map(|(_, e)| e.error.clone()).expect("refused");
    assert_eq!(error.message, "Roles { b } are not present in the master's --roles");
    world.subscribe(2, in_role("a"));
    world.subscribe(3, in_role("*"));
    assert_eq!(world.closed, [1]);
}

#[test]
fn reviving_clears_filters_at_once() {
    let mut world = world(1);
    let framework = world.subscribe(1, info("a"));
    let offer = world.take_offers(1).remove(0);
    world.call(&framework, decline(&offer, 600.0)).expect("accepted");
    world.call(&framework, Call { r#type: Some(call::Type::Revive.into()), ..Default::default() }).expect("accepted");
    assert_eq!(world.take_offers(1).len(), 1);
}

#[test]
fn operators_ask_in_typed_calls() {
    use v1::master::{Call, call, response};

    let mut world = world(1);
    let (id, _) = world.subscribe(1, info("a"));
    let ask = |world: &mut World, call: Call| {
        let outcome = world.master.operator_call(world.now, call);
        world.pump();
        outcome
    };
    let of = |kind: call::Type| Call { r#type: Some(kind.into()), ..Default::default() };

    let health = ask(&mut world, of(call::Type::GetHealth)).expect("accepted").response().expect("a response");
    assert_eq!(health.r#type(), response::Type::GetHealth);
    let refused = |call: &Call| validate_operator(call).expect_err("refused").message;
    assert_eq!(refused(&Call::default()), "Failed to validate master::Call: Expecting 'type' to be present");
    let missing = refused(&of(call::Type::Teardown));
    assert_eq!(missing, "Failed to validate master::Call: Expecting 'teardown' to be present");
    assert_eq!(ask(&mut world, of(call::Type::Unknown)).expect_err("unknown").status, 501);

    let teardown = Some(call::Teardown { framework_id: v1::FrameworkId { value: id } });
    let teardown = Call { teardown, ..of(call::Type::Teardown) };
    assert_eq!(ask(&mut world, teardown.clone()), Ok(Done::Changed));
    assert_eq!(world.closed, [1]);
    assert_eq!(ask(&mut world, teardown).expect_err("removed").status, 400);

    let mark_agent_gone = Some(call::MarkAgentGone { agent_id: v1::AgentId { value: "S0".into() } });
    let gone = Call { mark_agent_gone, ..of(call::Type::MarkAgentGone) };
    assert_eq!(ask(&mut world, gone.clone()), Ok(Done::Changed));
    assert_eq!(ask(&mut world, gone), Ok(Done::Changed), "it stays gone");
}

#[test]
fn watchers_are_told_what_happens_and_get_heartbeats() {
    use v1::master::event::Type;

    let mut world = world(1);
    world.master.watch(world.now, 7);
    world.pump();
    let framework = world.subscribe(1, info("a"));
    let offer = world.take_offers(1).remove(0);
    world.call(&framework, launch(&offer, "t")).expect("accepted");
    world.pump();
    world.master.handle_agent(world.now, finished(&framework.0, "t"));
    world.pass(HEARTBEAT_INTERVAL.get());
    world.master.remove_framework(world.now, &framework.0);
    world.pump();
    world.master.unwatch(7);
    world.subscribe(2, info("b"));
    let kinds: Vec<Type> = world.published.iter().map(|(_, event)| event.r#type()).collect();
    let expected = [
        Type::Subscribed,
        Type::Heartbeat,
        Type::FrameworkAdded,
        Type::TaskAdded,
        Type::TaskUpdated,
        Type::Heartbeat,
        Type::FrameworkRemoved,
    ];
    assert_eq!(kinds, expected);
    assert!(world.published.iter().all(|(connection, _)| *connection == 7));
}

#[test]
fn a_removed_framework_leaves_as_many_tasks_as_are_remembered() {
    let mut world = world_with(1, Config { max_completed_tasks_per_framework: 2, ..config() });
    let framework = world.subscribe(1, info("a"));
    for id in ["t1", "t2", "t3"] {
        let offer = world.take_offers(1).remove(0);
        world.call(&framework, launch(&offer, id)).expect("accepted");
        world.pass(SECOND * 6);
    }
    world.call(&framework, Call { r#type: Some(call::Type::Teardown.into()), ..Default::default() }).expect("accepted");
    let removed = world.master.frameworks().next().expect("it is shown");
    let ids: Vec<_> = removed.all_tasks().map(|task| task.info.task_id.value.as_str()).collect();
    assert_eq!(ids, ["t2", "t3"], "as in a circular buffer");
}

#[test]
fn a_stream_that_was_replaced_ends_without_a_word() {
    let mut world = world(1);
    let named = v1::FrameworkInfo { failover_timeout: Some(10.0), ..info("a") };
    let (id, _) = world.subscribe(1, named.clone());
    let id = v1::FrameworkId { value: id };
    world.subscribe(2, v1::FrameworkInfo { id: Some(id.clone()), ..named });
    world.master.disconnected(world.now, 1);
    world.events.clear();
    world.pass(SECOND * 15);
    assert!(
        world.events.iter().any(|(connection, event)| *connection == 2 && event.r#type() == event::Type::Heartbeat)
    );
    world.master.disconnected(world.now, 2);
    world.pass(SECOND * 9);
    assert!(world.master.frameworks.contains_key(&id.value));
    world.pass(SECOND);
    assert!(!world.master.frameworks.contains_key(&id.value), "its failover timeout is over");
    assert_eq!(world.master.timers.first(), None);
}
