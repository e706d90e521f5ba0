//! Numbers by name, as `/metrics/snapshot` shows them.

use std::collections::BTreeMap;

use super::resources::Resources;

/// Numbers by name.
pub type Metrics = BTreeMap<String, f64>;

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
