//! Agents that are lost and come back, and masters that are started again.

use super::*;
use crate::local::messages::{KnownTask, Reregistration};
use crate::proto::v1::TaskState;
use crate::proto::v1::framework_info::Capability;
use crate::proto::v1::framework_info::capability::Type::PartitionAware;
use crate::proto::v1::task_status::Reason;

fn aware() -> v1::FrameworkInfo {
    let capability = Capability { r#type: Some(PartitionAware.into()) };
    v1::FrameworkInfo {
        capabilities: vec![capability],
        failover_timeout: Some(1e6),
        checkpoint: Some(true),
        ..info("a")
    }
}

fn agent_info() -> v1::AgentInfo {
    v1::AgentInfo { hostname: "h".into(), id: Some(v1::AgentId { value: "S0".into() }), ..Default::default() }
}

impl World {
    /// With an agent that runs the task `t` of a framework.
    fn with_task(info: v1::FrameworkInfo) -> (Self, (String, String)) {
        let mut world = world(1);
        let framework = world.subscribe(1, info);
        let offer = world.take_offers(1).remove(0);
        world.call(&framework, launch(&offer, "t")).expect("accepted");
        world.events.clear();
        (world, framework)
    }

    /// The agent registers again, and says that it runs the task.
    fn reregister(&mut self, framework_id: &str, info: v1::FrameworkInfo) {
        let id = Some(v1::FrameworkId { value: framework_id.to_owned() });
        let task = v1::TaskInfo {
            task_id: v1::TaskId { value: "t".into() },
            agent_id: v1::AgentId { value: "S0".into() },
            resources: Resources::parse("cpus:1;mem:100").expect("valid").to_proto(&Format::default()),
            ..Default::default()
        };
        let running = TaskState::TaskRunning;
        let agent = Reregistration {
            info: agent_info(),
            path: "slave(0)".into(),
            total: Resources::parse("cpus:4;mem:400").expect("valid"),
            frameworks: vec![v1::FrameworkInfo { id, ..info }],
            executors: vec![],
            tasks: vec![KnownTask {
                framework_id: framework_id.to_owned(),
                info: task,
                role: "*".into(),
                told: running,
                state: running,
                statuses: vec![],
            }],
        };
        self.master.handle_agent(self.now, ToMaster::Reregister(Box::new(agent)));
        self.pump();
    }

    fn reconcile(&mut self, framework: &(String, String)) -> Vec<v1::TaskStatus> {
        let task = call::reconcile::Task {
            task_id: v1::TaskId { value: "t".into() },
            agent_id: Some(v1::AgentId { value: "S0".into() }),
        };
        let reconcile = Some(call::Reconcile { tasks: vec![task] });
        self.events.clear();
        self.call(framework, Call { r#type: Some(call::Type::Reconcile.into()), reconcile, ..Default::default() })
            .expect("accepted");
        self.take_updates()
    }

    fn lost_agents(&self) -> usize {
        self.events.iter().filter(|(_, event)| event.r#type() == event::Type::Failure).count()
    }
}

#[test]
fn an_agent_is_unreachable_when_the_fifth_ping_was_not_answered() {
    let (mut world, framework) = World::with_task(aware());
    world.pass(10 * SECOND);
    world.events.clear();
    world.master.pings_unanswered(world.now, "S0");
    // It was pinged at 0, and is at 15, 30, 45, 60 and 75 seconds.
    world.pass(79 * SECOND);
    assert_eq!((world.take_updates(), world.lost_agents()), (vec![], 0));
    world.pass(SECOND);
    assert_eq!(world.lost_agents(), 1);
    let update = world.take_updates().remove(0);
    assert_eq!((update.state(), update.reason()), (TaskState::TaskUnreachable, Reason::AgentRemoved));
    assert_eq!(update.message(), "health check timed out");
    assert!(update.unreachable_time.is_some() && update.uuid.is_none());
    let answer = world.reconcile(&framework).remove(0);
    assert_eq!((answer.state(), answer.unreachable_time), (TaskState::TaskUnreachable, update.unreachable_time));
}

#[test]
fn an_agent_that_answers_in_time_is_not_unreachable() {
    let (mut world, _) = World::with_task(aware());
    world.master.pings_unanswered(world.now, "S0");
    world.pass(74 * SECOND);
    world.master.pings_answered("S0");
    world.events.clear();
    world.pass(600 * SECOND);
    assert_eq!((world.take_updates(), world.lost_agents()), (vec![], 0));
}

#[test]
fn frameworks_that_know_nothing_of_partitions_are_told_lost() {
    let (mut world, _) = World::with_task(info("a"));
    world.master.mark_unreachable(world.now, "S0", "health check timed out");
    world.pump();
    let update = world.take_updates().remove(0);
    assert_eq!((update.state(), update.reason()), (TaskState::TaskLost, Reason::AgentRemoved));
}

#[test]
fn a_task_of_an_agent_that_comes_back_is_known_again_and_uses_its_resources() {
    let (mut world, framework) = World::with_task(aware());
    world.master.mark_unreachable(world.now, "S0", "health check timed out");
    world.pump();
    world.events.clear();
    world.reregister(&framework.0, aware());
    let updates = world.events.iter().filter_map(|(_, event)| event.update.as_ref());
    let told: Vec<_> = updates.map(|update| (update.status.state(), update.status.reason())).collect();
    assert_eq!(told, [(TaskState::TaskRunning, Reason::AgentReregistered)]);
    let offer = world.take_offers(1).remove(0);
    assert_eq!(Resources::from_proto(&offer.resources).expect("valid").scalar("cpus"), 3.0);
    assert!(world.told.iter().any(|(_, message)| matches!(message, ToAgent::Reregistered { .. })));
}

#[test]
fn an_agent_whose_process_ended_is_not_offered_and_keeps_what_is_checkpointed() {
    for (checkpoint, lost) in [(true, vec![]), (false, vec![(TaskState::TaskLost, Reason::AgentDisconnected)])] {
        let (mut world, framework) = World::with_task(v1::FrameworkInfo { checkpoint: Some(checkpoint), ..aware() });
        world.pass(SECOND);
        let rest = world.take_offers(1).remove(0);
        world.master.agent_exited(world.now, "S0");
        world.pump();
        assert_eq!(world.take_rescinded(), [rest.id.value]);
        let told: Vec<_> = world.take_updates().iter().map(|status| (status.state(), status.reason())).collect();
        assert_eq!(told, lost);
        world.pass(10 * SECOND);
        assert_eq!(world.take_offers(1), []);
        world.reregister(&framework.0, v1::FrameworkInfo { checkpoint: Some(checkpoint), ..aware() });
        world.pass(SECOND);
        assert_eq!(world.take_offers(1).len(), 1);
    }
}

#[test]
fn an_agent_answers_for_tasks_that_it_does_not_know() {
    let (mut world, framework) = World::with_task(aware());
    world.master.agent_exited(world.now, "S0");
    world.told.clear();
    let nothing = Reregistration {
        info: agent_info(),
        path: "slave(0)".into(),
        total: Resources::parse("cpus:4;mem:400").expect("valid"),
        frameworks: vec![],
        executors: vec![],
        tasks: vec![],
    };
    world.master.handle_agent(world.now, ToMaster::Reregister(Box::new(nothing)));
    world.pump();
    let (_, ToAgent::Reregistered { unknown }) = world.told.remove(0) else { panic!("{:?}", world.told) };
    let unknown = &unknown[0];
    assert_eq!((&*unknown.framework_id, &*unknown.task_id, unknown.partition_aware), (&*framework.0, "t", true));
}

#[test]
fn a_kill_reaches_an_agent_when_it_is_connected_again() {
    let (mut world, framework) = World::with_task(aware());
    world.master.agent_exited(world.now, "S0");
    let kill = call::Kill { task_id: v1::TaskId { value: "t".into() }, ..Default::default() };
    let kill = Call { r#type: Some(call::Type::Kill.into()), kill: Some(kill), ..Default::default() };
    world.told.clear();
    world.call(&framework, kill).expect("accepted");
    let killed = |world: &World| world.told.iter().any(|(_, message)| matches!(message, ToAgent::KillTask { .. }));
    assert!(!killed(&world));
    world.reregister(&framework.0, aware());
    assert!(killed(&world));
}

#[test]
fn a_master_that_is_started_again_learns_from_its_agents_what_runs() {
    let (mut world, (id, _)) = World::with_task(aware());
    let first = world.master.id().to_owned();
    world.master.restart(world.now, true);
    world.pump();
    assert_eq!(world.closed, [1]);
    assert_ne!(world.master.id(), first);
    let known = v1::FrameworkInfo { id: Some(v1::FrameworkId { value: id.clone() }), ..aware() };
    let framework = world.subscribe(2, known);
    assert_eq!(framework.0, id);
    assert_eq!(world.reconcile(&framework), [], "its agent may know it");
    world.reregister(&id, aware());
    assert_eq!(world.take_updates(), [], "agents of the registry bring no news");
    let answer = world.reconcile(&framework).remove(0);
    assert_eq!((answer.state(), answer.message()), (TaskState::TaskRunning, "Reconciliation: Latest task state"));
}

#[test]
fn an_agent_may_come_back_before_its_framework() {
    let (mut world, (id, _)) = World::with_task(aware());
    world.master.restart(world.now, true);
    world.reregister(&id, aware());
    assert!(world.master.frameworks().next().is_some_and(|framework| framework.recovered));
    let known = v1::FrameworkInfo { id: Some(v1::FrameworkId { value: id.clone() }), ..aware() };
    let framework = world.subscribe(2, known);
    let offer = world.take_offers(2).remove(0);
    assert_eq!(Resources::from_proto(&offer.resources).expect("valid").scalar("cpus"), 3.0);
    assert_eq!(world.reconcile(&framework).remove(0).state(), TaskState::TaskRunning);
}

#[test]
fn an_agent_that_does_not_come_back_to_a_new_master_is_lost_after_ten_minutes() {
    let (mut world, (id, _)) = World::with_task(aware());
    world.master.restart(world.now, true);
    let known = v1::FrameworkInfo { id: Some(v1::FrameworkId { value: id }), ..aware() };
    let framework = world.subscribe(2, known);
    world.pass(599 * SECOND);
    assert_eq!(world.lost_agents(), 0);
    world.pass(SECOND);
    assert_eq!(world.lost_agents(), 1);
    assert_eq!(world.reconcile(&framework).remove(0).state(), TaskState::TaskUnreachable);
}

#[test]
fn an_agent_that_is_gone_is_shut_down_if_it_comes_back() {
    let (mut world, framework) = World::with_task(aware());
    world.master.mark_unreachable(world.now, "S0", "health check timed out");
    world.pump();
    world.events.clear();
    world.master.set_gone(world.now, "S0");
    world.pump();
    let told: Vec<_> = world.take_updates().iter().map(v1::TaskStatus::state).collect();
    assert_eq!(told, [TaskState::TaskGoneByOperator]);
    world.told.clear();
    world.reregister(&framework.0, aware());
    assert!(matches!(&world.told[..], [(_, ToAgent::Shutdown)]));
}

#[test]
fn an_update_that_comes_after_its_agent_was_removed_is_ignored() {
    let (mut world, (id, _)) = World::with_task(aware());
    world.master.mark_unreachable(world.now, "S0", "health check timed out");
    world.pump();
    world.events.clear();
    let ToMaster::StatusUpdate { framework_id, status, latest_state } = finished(&id, "t") else { unreachable!() };
    let status = Box::new(v1::TaskStatus { agent_id: Some(v1::AgentId { value: "S0".into() }), ..*status });
    world.master.handle_agent(world.now, ToMaster::StatusUpdate { framework_id, status, latest_state });
    world.pump();
    assert_eq!(world.take_updates(), []);
}
