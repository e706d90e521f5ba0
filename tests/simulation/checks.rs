//! What holds when nothing goes wrong any more.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use remesos::local::view::{AgentView, FrameworkView, OfferView, TaskView};
use remesos::proto::v1::TaskState;
use remesos::wire::states::is_terminal;
use tokio::time::Instant;

use crate::network::Client;
use crate::stage::Stage;
use crate::truth::{Offered, Task, tail};

struct View {
    agents: Vec<AgentView>,
    frameworks: Vec<FrameworkView>,
    tasks: Vec<TaskView>,
    offers: Vec<OfferView>,
}

async fn look(stage: &Stage) -> View {
    let looked = stage.access.ask(|machine, _| View {
        agents: machine.agent_views(),
        frameworks: machine.framework_views(),
        tasks: machine.tasks(),
        offers: machine.offer_views(),
    });
    looked.await.expect("the cluster lives")
}

fn is_gone(agent: &AgentView) -> bool {
    matches!(agent.state, "killed" | "removed" | "gone")
}

/// Schedulers, master and agents agree, and nobody says anything.
pub async fn agree(stage: &Rc<Stage>, quiet: bool) {
    let world = &stage.world;
    if world.violation().is_some() {
        return;
    }
    if !quiet {
        let noise = world.truth(|truth| truth.noise.clone());
        return world.violated(format!("it does not become quiet: {noise:?}"));
    }
    let view = look(stage).await;
    let running: BTreeMap<Client, _> = stage.schedulers.borrow().clone();
    let running = running.into_iter().filter(|(_, driver)| driver.is_running()).map(|(client, _)| client);
    let ids: BTreeMap<String, Client> = running
        .filter_map(|client| world.truth(|truth| Some((truth.clients[&client].framework_id.clone()?, client))))
        .collect();
    for (id, client) in &ids {
        let known = view.frameworks.iter().any(|framework| framework.id == *id && framework.connected);
        if !known {
            world.violated(format!("{} runs, and its framework is not connected", stage.name(*client)));
        }
        same_tasks(stage, id, *client, &view);
        same_offers(stage, id, *client, &view);
        world.truth(|truth| truth.all_called_back(*client));
    }
    spoken_for(stage, &view, &ids);
}

/// Each framework is of a scheduler that lives, or may be kept for another one.
fn spoken_for(stage: &Stage, view: &View, ids: &BTreeMap<String, Client>) {
    let now = Instant::now();
    for framework in view.frameworks.iter().filter(|framework| !framework.completed) {
        if framework.connected && ids.contains_key(&framework.id) {
            continue;
        }
        let left: Vec<_> = stage.world.truth(|truth| {
            let of = truth.clients.iter().filter(|(_, process)| process.has_subscribed);
            let of = of.filter(|(_, process)| process.framework_id.as_deref() == Some(&framework.id));
            of.map(|(client, _)| *client).collect()
        });
        let left = left.last().and_then(|client| stage.left.borrow().get(client).copied());
        let (orphan, unknown_of) = stage
            .world
            .truth(|truth| (truth.is_orphan(&framework.id), truth.unknown_of(&framework.id, &framework.name)));
        let kept = left.and_then(|left| left.until).is_some_and(|until| now < until)
            || orphan
            || unknown_of.into_iter().any(|client| may_have_left(stage, client));
        if framework.connected || !kept {
            let id = tail(&framework.id);
            let state = if framework.connected { "connected" } else { "disconnected" };
            stage.world.violated(format!("nobody speaks for framework {id} ({}), which is {state}", framework.name));
        }
    }
    for offer in view.offers.iter().filter(|offer| !ids.contains_key(&offer.framework_id)) {
        stage.world.violated(format!("nobody speaks for offer {}", tail(&offer.id)));
    }
}

/// Whether a scheduler may have left a framework behind: if it was killed, meant to keep it, or was disturbed.
fn may_have_left(stage: &Stage, client: Client) -> bool {
    match stage.left.borrow().get(&client) {
        Some(left) => left.until.is_some_and(|until| Instant::now() < until),
        None => stage.world.truth(|truth| truth.clients[&client].disturbances > 0),
    }
}

/// What a scheduler was told of its tasks is what their agents say.
fn same_tasks(stage: &Stage, id: &str, client: Client, view: &View) {
    let here: BTreeSet<_> = view.agents.iter().filter(|agent| !is_gone(agent)).map(|agent| &agent.id).collect();
    let mine = stage.world.truth(|truth| {
        let mine = truth.tasks.iter().filter(|(_, task)| task.framework_id == id);
        mine.map(|(id, task)| (id.clone(), task.clone())).collect::<BTreeMap<String, Task>>()
    });
    let said = view.tasks.iter().filter(|task| task.framework_id == id && here.contains(&task.agent_id));
    let said: BTreeMap<_, _> = said.map(|task| (task.id.as_str(), task.state)).collect();
    let name = stage.name(client);
    for (task_id, task) in mine.iter().filter(|(_, task)| !task.is_abandoned()) {
        let told = task.told.last().copied();
        let known = said.get(task_id.as_str()).copied();
        match (task.is_told_over(), known) {
            (false, _) if task.is_over() && !may_be_open(told, here.contains(&task.agent_id)) => {
                stage.world.violated(format!("{name} was told {:?} of {task_id}, which is over", task.told));
            }
            // A task that was lost with its agent comes back with it. The master says so once, to whoever is connected.
            (true, Some(state)) if !is_terminal(state) && told != Some(TaskState::TaskLost) => {
                stage.world.violated(format!("{name} was told {:?} of {task_id}, which is {state:?}", task.told));
            }
            (false, Some(state)) if told != Some(state) => {
                stage.world.violated(format!("{name} was told {told:?} of {task_id}, which is {state:?}"));
            }
            (false, None) if !may_be_open(told, here.contains(&task.agent_id)) => {
                stage.world.violated(format!("{name} was told {:?} of {task_id}, which nobody runs", task.told));
            }
            _ => {}
        }
    }
    if let Some((stray, _)) = said.iter().find(|(id, state)| !mine.contains_key(**id) && !is_terminal(**state)) {
        stage.world.violated(format!("task {stray} runs, which nobody launched"));
    }
}

/// What a partition-aware framework knows of tasks on agents that did not come back.
fn may_be_open(told: Option<TaskState>, agent_is_here: bool) -> bool {
    matches!(told, Some(TaskState::TaskUnreachable | TaskState::TaskUnknown)) && !agent_is_here
}

fn same_offers(stage: &Stage, id: &str, client: Client, view: &View) {
    let open: BTreeSet<String> = stage.world.truth(|truth| {
        let open = truth.offers.iter().filter(|(_, offer)| offer.client == client && offer.stage == Offered::Open);
        open.map(|(id, _)| id.clone()).collect()
    });
    let made: BTreeSet<_> =
        view.offers.iter().filter(|offer| offer.framework_id == id).map(|of| of.id.clone()).collect();
    if open != made {
        stage.world.violated(format!("{} has the offers {open:?}, and the master {made:?}", stage.name(client)));
    }
}

/// All schedulers have ended: nothing is left of them.
pub async fn over(stage: &Rc<Stage>) {
    if stage.world.violation().is_some() {
        return;
    }
    let view = look(stage).await;
    spoken_for(stage, &view, &BTreeMap::new());
    let kept: BTreeSet<_> = view.frameworks.iter().filter(|of| !of.completed).map(|of| &of.id).collect();
    let here: BTreeSet<_> = view.agents.iter().filter(|agent| !is_gone(agent)).map(|agent| &agent.id).collect();
    let runs = |task: &&TaskView| {
        !is_terminal(task.state) && here.contains(&task.agent_id) && !kept.contains(&task.framework_id)
    };
    if let Some(task) = view.tasks.iter().find(runs) {
        stage.world.violated(format!("nobody speaks for task {}, which is {:?}", task.id, task.state));
    }
    let executors = stage.executors.borrow();
    let left = executors.values().find(|(container, _)| !kept.contains(&container.framework_id));
    if let Some((container, _)) = left {
        stage.world.violated(format!("nobody speaks for executor {}", container.executor_id));
    }
    let containers = stage.world.truth(|truth| truth.containers_of(|id| !kept.iter().any(|kept| *kept == id)));
    if let Some(container) = containers.first() {
        stage.world.violated(format!("nobody speaks for the container of {container}"));
    }
}
