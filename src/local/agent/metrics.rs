//! What `/metrics/snapshot` shows of agents. Follows `src/slave/metrics.cpp`.

use super::state::{held, resources};
use super::{Agent, Record, Stage};
use crate::local::messages::is_terminal;
use crate::local::metrics::{Metrics, add_resources};
use crate::local::resources::Resources;
use crate::proto::v1::TaskState;

const ACTIVE: [(TaskState, &str); 4] = [
    (TaskState::TaskStaging, "slave/tasks_staging"),
    (TaskState::TaskStarting, "slave/tasks_starting"),
    (TaskState::TaskRunning, "slave/tasks_running"),
    (TaskState::TaskKilling, "slave/tasks_killing"),
];
const OVER: [(TaskState, &str); 5] = [
    (TaskState::TaskFinished, "slave/tasks_finished"),
    (TaskState::TaskFailed, "slave/tasks_failed"),
    (TaskState::TaskKilled, "slave/tasks_killed"),
    (TaskState::TaskLost, "slave/tasks_lost"),
    (TaskState::TaskGone, "slave/tasks_gone"),
];

/// Of all agents together, since they are one process, as those of libmesos' `local` are. Tasks that are over are those
/// that are still shown.
pub fn of<'a>(agents: impl Iterator<Item = &'a Agent> + Clone, wall: f64) -> Metrics {
    let mut metrics = Metrics::new();
    let (mut total, mut used) = (Resources::default(), Resources::default());
    agents.clone().for_each(|agent| total.add(&resources(&agent.config.info.resources)));
    let live = || agents.clone().flat_map(|agent| agent.executors.values()).map(|executor| &executor.record);
    live().for_each(|executor| used.add(&held(executor)));
    add_resources(&mut metrics, "slave", &total, &used);
    let mut set = |name: &str, value: f64| {
        metrics.insert(name.to_owned(), value);
    };
    let start = agents.clone().map(|agent| agent.config.start_time).fold(wall, f64::min);
    set("slave/uptime_secs", wall - start);
    set("slave/registered", 1.0);
    let stage = |wanted: Stage| live().filter(|executor| executor.stage() == wanted).count() as f64;
    set("slave/executors_registering", stage(Stage::Registering));
    set("slave/executors_running", stage(Stage::Running));
    set("slave/executors_terminating", stage(Stage::Terminating));
    let over = agents.clone().map(|agent| agent.completed.len()).sum::<usize>();
    set("slave/executors_terminated", over as f64 + stage(Stage::Terminated));
    let frameworks: std::collections::BTreeSet<String> = live().map(Record::framework_id).collect();
    set("slave/frameworks_active", frameworks.len() as f64);
    let tasks = || agents.clone().flat_map(Agent::executors).flat_map(Record::all_tasks);
    for (state, name) in ACTIVE {
        set(name, tasks().filter(|task| task.state == state && !is_terminal(task.state)).count() as f64);
    }
    for (state, name) in OVER {
        set(name, tasks().filter(|task| task.state == state).count() as f64);
    }
    for name in [
        "container_launch_errors",
        "invalid_framework_messages",
        "invalid_status_updates",
        "recovery_errors",
        "executors_preempted",
    ] {
        set(&format!("slave/{name}"), 0.0);
    }
    metrics
}
