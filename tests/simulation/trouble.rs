//! What goes wrong, when its time comes.

use std::rc::Rc;
use std::time::Duration;

use remesos::local::{AgentOptions, Declared, Machine, UpdateFaults};
use remesos::wire::duration::Period;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::network::{Client, DEAF, Fault, Which};
use crate::plan::{Ambush, Blow, End, Moment, Trouble};
use crate::stage::{Ends, Mood, Stage};
use crate::truth::Amount;

/// Asks the cluster something, or does something to it, and has it send what follows.
async fn machine<T: Send + 'static>(
    stage: &Stage,
    job: impl FnOnce(&mut Machine, std::time::Instant) -> T + Send + 'static,
) -> T {
    let asked = stage.access.ask(move |machine, now| {
        let answer = job(machine, now);
        machine.route(now);
        answer
    });
    asked.await.expect("the cluster lives as long as the simulation")
}

/// Tells the truth what agents have.
pub async fn learn_agents(stage: &Stage) {
    let views = machine(stage, |machine, _| machine.agent_views()).await;
    for view in views.iter().filter(|view| !["killed", "removed", "gone"].contains(&view.state)) {
        let amount = Amount::of_json(&view.resources);
        stage.world.truth(|truth| truth.agent_has(&view.id, amount));
    }
}

fn chosen<T: Copy>(all: &[T], number: u32) -> Option<T> {
    all.get(number as usize % all.len().max(1)).copied()
}

fn period(of: Duration) -> Period {
    Period::from(of)
}

/// Disturbs connections of a client. An executor runs on the same machine as its agent, so losses between them are short.
fn disturb(stage: &Stage, client: Client, which: Which, fault: Fault) {
    let fault = match fault {
        Fault::Lose(way, after) if stage.world.truth(|truth| truth.is_executor(client)) => {
            Fault::Lose(way, after.min(DEAF))
        }
        other => other,
    };
    stage.network.disturb(client, which, fault);
    disturbed(stage, client);
}

async fn agent(stage: &Stage, number: u32) -> Option<String> {
    let views = machine(stage, |machine, _| machine.agent_views()).await;
    let ids = views.iter().filter(|view| !["killed", "removed", "gone"].contains(&view.state));
    let ids: Vec<_> = ids.map(|view| view.id.as_str()).collect();
    chosen(&ids, number).map(str::to_owned)
}

fn disturbed(stage: &Stage, client: Client) {
    stage.world.truth(|truth| truth.disturbed(client));
}

fn framework_id(stage: &Stage, number: u32) -> Option<String> {
    let clients: Vec<_> = stage.schedulers.borrow().keys().copied().collect();
    let client = chosen(&clients, number)?;
    disturbed(stage, client);
    stage.world.truth(|truth| truth.clients[&client].framework_id.clone())
}

/// Lets something go wrong.
pub async fn happens(stage: &Rc<Stage>, trouble: Trouble) {
    stage.world.note(|| format!("trouble: {trouble:?}"));
    match trouble {
        Trouble::Network { client, which, fault } => {
            if let Some(client) = chosen(&stage.clients(), client) {
                stage.world.note(|| format!("it befalls {}", stage.name(client)));
                disturb(stage, client, which, fault);
            }
        }
        Trouble::Master { memory, down } => restart_master(stage, memory, down).await,
        Trouble::Rescind(number) => {
            machine(stage, move |machine, _| {
                let ids: Vec<_> = machine.offer_views().into_iter().map(|view| view.id).collect();
                ids.get(number as usize % ids.len().max(1)).is_some_and(|id| machine.rescind_offer(id))
            })
            .await;
        }
        Trouble::Disconnect(number) => {
            if let Some(id) = framework_id(stage, number) {
                machine(stage, move |machine, now| machine.disconnect_framework(now, &id)).await;
            }
        }
        Trouble::Unready(number, of) => {
            if let Some(id) = framework_id(stage, number) {
                machine(stage, move |machine, now| machine.refuse_framework(now, &id, period(of))).await;
            }
        }
        Trouble::ExecutorKilled(number) => {
            machine(stage, move |machine, now| {
                let tasks = machine.tasks();
                let task = tasks.get(number as usize % tasks.len().max(1));
                task.is_some_and(|task| machine.kill_executor(now, &task.agent_id, &task.framework_id, &task.id))
            })
            .await;
        }
        Trouble::Process(number) => {
            let clients: Vec<_> = stage.executors.borrow().keys().copied().collect();
            if let Some(client) = chosen(&clients, number) {
                stage.executors.borrow()[&client].1.send_replace(Ends::Killed);
            }
        }
        Trouble::Updates { delay, duplicate, lose, period: of } => {
            let faults = UpdateFaults { delay: period(delay), duplicate, lose };
            machine(stage, move |machine, _| machine.set_update_faults(faults)).await;
            let stage = stage.clone();
            spawn_local(async move {
                sleep(of).await;
                machine(&stage, |machine, _| machine.set_update_faults(UpdateFaults::default())).await;
            });
        }
        other => of_agents(stage, other).await,
    }
}

async fn of_agents(stage: &Rc<Stage>, trouble: Trouble) {
    match trouble {
        Trouble::AgentAway { agent: number, at_once, period: of } => {
            let Some(id) = agent(stage, number).await else { return };
            let away = id.clone();
            machine(stage, move |machine, now| machine.disconnect_agent(now, &away, at_once)).await;
            let stage = stage.clone();
            spawn_local(async move {
                sleep(of).await;
                machine(&stage, move |machine, now| machine.reconnect_agent(now, &id)).await;
            });
        }
        Trouble::AgentRestart { agent: number, memory, down } => {
            let Some(id) = agent(stage, number).await else { return };
            let before = id.clone();
            let new = machine(stage, move |machine, now| machine.restart_agent(now, &id, memory, period(down))).await;
            if new.is_some_and(|new| new != before) {
                stage.world.truth(|truth| truth.agent_gone(&before));
                learn_agents(stage).await;
            }
        }
        Trouble::AgentKilled { agent: number, at_once } => {
            let Some(id) = agent(stage, number).await else { return };
            let gone = id.clone();
            machine(stage, move |machine, now| machine.kill_agent(now, &id, at_once)).await;
            stage.world.truth(|truth| truth.agent_gone(&gone));
        }
        Trouble::AgentAdded => {
            machine(stage, |machine, now| {
                let resources = Declared::parse("cpus:2;mem:256").ok();
                machine.add_agent(now, &AgentOptions { resources, is_complete: true, ..AgentOptions::default() })
            })
            .await;
            learn_agents(stage).await;
        }
        Trouble::DiskFull(number, of) => {
            let Some(id) = agent(stage, number).await else { return };
            let full = id.clone();
            machine(stage, move |machine, now| machine.exhaust_disk(now, &full)).await;
            let stage = stage.clone();
            spawn_local(async move {
                sleep(of).await;
                machine(&stage, move |machine, _| machine.free_disk(&id)).await;
            });
        }
        _ => {}
    }
}

/// Lies in wait, and strikes each time that its moment has come, but once only.
pub async fn lie_in_wait(
    stage: Rc<Stage>,
    ambushes: Vec<Ambush>,
    mut moments: mpsc::UnboundedReceiver<(Client, u32, Moment)>,
) {
    let mut waiting: Vec<_> = ambushes.into_iter().map(|ambush| (ambush, 0)).collect();
    while let Some((client, link, moment)) = moments.recv().await {
        waiting.retain_mut(|(ambush, seen)| {
            if ambush.moment != moment || stage.mood() != Mood::Stormy {
                return true;
            }
            *seen += 1;
            if *seen > ambush.before {
                spawn_local(strike(stage.clone(), *ambush, client, link));
            }
            *seen <= ambush.before
        });
    }
}

async fn strike(stage: Rc<Stage>, ambush: Ambush, client: Client, link: u32) {
    if let Blow::Killed { busy } | Blow::Stopped { busy, .. } = ambush.blow
        && !busy.is_zero()
    {
        stage.keep_busy(busy);
    }
    sleep(ambush.after).await;
    if stage.mood() != Mood::Stormy {
        return;
    }
    stage.world.note(|| format!("ambush: {ambush:?} befalls {}", stage.name(client)));
    match ambush.blow {
        Blow::Fault { all, fault } => {
            disturb(&stage, client, if all { Which::All } else { Which::This(link) }, fault);
        }
        Blow::Killed { .. } | Blow::Stopped { .. } if stage.world.truth(|truth| truth.is_executor(client)) => {
            if let Some((_, ends)) = stage.executors.borrow().get(&client) {
                ends.send_replace(Ends::Killed);
            }
        }
        Blow::Killed { .. } => stage.strikes(client, End::Crash { after: ambush.after }),
        Blow::Stopped { failover, .. } => stage.strikes(client, End::Stop { after: ambush.after, failover }),
    }
}

async fn restart_master(stage: &Rc<Stage>, memory: bool, down: Duration) {
    let world = stage.world.clone();
    machine(stage, move |machine, now| {
        world.truth(|truth| truth.master_restarted());
        machine.restart_master(now, memory)
    })
    .await;
    for client in stage.schedulers.borrow().keys() {
        stage.network.disturb(*client, Which::All, Fault::Break(Duration::ZERO));
        stage.network.disturb(*client, Which::All, Fault::Refuse(down, false));
    }
}

/// Nothing goes wrong any more, and what did is repaired.
pub async fn end(stage: &Stage) {
    stage.network.heal();
    machine(stage, |machine, now| {
        machine.set_update_faults(UpdateFaults::default());
        for view in machine.agent_views() {
            machine.free_disk(&view.id);
            machine.reconnect_agent(now, &view.id);
        }
    })
    .await;
}
