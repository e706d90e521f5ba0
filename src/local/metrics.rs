//! Numbers by name, as `/metrics/snapshot` shows them.

use std::collections::BTreeMap;

use super::resources::Resources;

/// Numbers by name.
pub type Metrics = BTreeMap<String, f64>;

/// Whether a number only ever grows, until the cluster ends or is reset.
pub fn is_counter(name: &str) -> bool {
    const BEGINNINGS: [&str; 10] = [
        "allocator/mesos/allocation_runs",
        "containerizer/",
        "gc/path_removals_failed",
        "gc/path_removals_succeeded",
        "master/dropped_messages",
        "master/http_cache_hits",
        "master/invalid_",
        "master/messages_",
        "master/recovery_slave_removals",
        "master/valid_",
    ];
    const OVER: [&str; 8] = ["finished", "failed", "killed", "lost", "error", "dropped", "gone", "gone_by_operator"];
    let is_over = |rest: &str| rest.strip_prefix("tasks_").is_some_and(|state| OVER.contains(&state));
    if let Some(rest) = name.strip_prefix("master/frameworks/") {
        let kind = rest.split('/').nth(2).unwrap_or_default();
        return matches!(kind, "calls" | "events" | "offers" | "operations") || rest.contains("/tasks/terminal/");
    }
    if name.starts_with("frameworks/") {
        return true;
    }
    if let Some(rest) = name.strip_prefix("slave/") {
        let errors = ["container_launch_errors", "recovery_errors", "executors_preempted", "executors_terminated"];
        return is_over(rest) || errors.contains(&rest) || rest.starts_with("invalid_") || rest.starts_with("valid_");
    }
    let of_master = name.strip_prefix("master/").unwrap_or_default();
    is_over(of_master)
        || of_master.starts_with("slave_")
        || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning) && !name.contains("cache_size"))
}

/// Adds how much there is of each resource, and how much of it is used. Nothing is revocable.
pub fn add_resources(metrics: &mut Metrics, owner: &str, total: &Resources, used: &Resources) {
    for name in ["cpus", "gpus", "mem", "disk"] {
        let (total, used) = (total.scalar(name), used.scalar(name));
        let mut set = |what: &str, value: f64| {
            metrics.insert(format!("{owner}/{name}_{what}"), value);
        };
        set("total", total);
        set("used", used);
        set("percent", if total > 0.0 { used / total } else { 0.0 });
        ["revocable_total", "revocable_used", "revocable_percent"].iter().for_each(|what| set(what, 0.0));
    }
}
