//! What this machine has to offer, as a real agent finds it out.

use std::path::Path;

use serde_json::{Value, json};

use super::metrics::Metrics;
use super::resources::Host;

const MEMORY_RESERVE_MB: f64 = 1024.0;
const DISK_RESERVE_MB: f64 = 5120.0;

/// Cores, memory less 1 GB, the disk of `dir` less 5 GB; half of what is small (`Containerizer::resources` in
/// `src/slave/containerizer/containerizer.cpp`).
pub fn look(dir: &Path) -> Host {
    Host { cpus: cpus() as f64, mem: keep(memory_mb(), MEMORY_RESERVE_MB), disk: keep(disk_mb(dir), DISK_RESERVE_MB) }
}

/// `system/` of `/metrics/snapshot`, as far as the kernel says it.
pub fn metrics() -> Metrics {
    let mut metrics = Metrics::new();
    metrics.insert("system/cpus_total".to_owned(), cpus() as f64);
    for (name, load) in loads() {
        metrics.insert(format!("system/load_{name}"), load);
    }
    for (name, bytes) in memories() {
        metrics.insert(format!("system/mem_{name}_bytes"), bytes as f64);
    }
    metrics
}

/// `/system/stats.json`, as far as the kernel says it.
pub fn stats() -> Value {
    let loads = loads().into_iter().map(|(name, load)| (format!("avg_load_{name}"), json!(load)));
    let memories = memories().into_iter().map(|(name, bytes)| (format!("mem_{name}_bytes"), json!(bytes)));
    let mut stats: Vec<_> = loads.chain(memories).chain([("cpus_total".to_owned(), json!(cpus()))]).collect();
    stats.sort_by(|(one, _), (other, _)| one.cmp(other));
    stats.into_iter().collect()
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn loads() -> Vec<(&'static str, f64)> {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let values = load.split_whitespace().map_while(|value| value.parse().ok());
    ["1min", "5min", "15min"].into_iter().zip(values).collect()
}

fn memories() -> Vec<(&'static str, u64)> {
    let known = [("total", "MemTotal:"), ("free", "MemFree:")].into_iter();
    known.filter_map(|(name, field)| Some((name, kilobytes(field)?.saturating_mul(1024)))).collect()
}

fn keep(total: f64, reserve: f64) -> f64 {
    if total < 2.0 * reserve { total / 2.0 } else { total - reserve }
}

fn memory_mb() -> f64 {
    kilobytes("MemTotal:").map_or(4096.0, |kb| kb as f64 / 1024.0)
}

fn kilobytes(field: &str) -> Option<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let found = meminfo.lines().find_map(|line| line.strip_prefix(field))?;
    found.trim().trim_end_matches("kB").trim().parse().ok()
}

fn disk_mb(dir: &Path) -> f64 {
    let bytes = nix::sys::statvfs::statvfs(dir).map(|s| s.blocks() as f64 * s.fragment_size() as f64);
    bytes.map_or(10_240.0, |bytes| bytes / f64::from(1 << 20))
}
