//! What this machine has to offer, as a real agent finds it out.

use std::path::Path;

use super::metrics::Metrics;
use super::resources::Host;

const MEMORY_RESERVE_MB: f64 = 1024.0;
const DISK_RESERVE_MB: f64 = 5120.0;

/// Cores, memory less 1 GB, the disk of `dir` less 5 GB; half of what is small (`Containerizer::resources` in
/// `src/slave/containerizer/containerizer.cpp`).
pub fn look(dir: &Path) -> Host {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Host { cpus: cpus as f64, mem: keep(memory_mb(), MEMORY_RESERVE_MB), disk: keep(disk_mb(dir), DISK_RESERVE_MB) }
}

/// `system/` of `/metrics/snapshot`, as far as the kernel says it.
pub fn metrics() -> Metrics {
    let mut metrics = Metrics::new();
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    metrics.insert("system/cpus_total".to_owned(), cpus as f64);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    for (name, value) in ["1min", "5min", "15min"].iter().zip(load.split_whitespace()) {
        value.parse().ok().and_then(|value| metrics.insert(format!("system/load_{name}"), value));
    }
    for (name, field) in [("total", "MemTotal:"), ("free", "MemFree:")] {
        kilobytes(field).and_then(|kb| metrics.insert(format!("system/mem_{name}_bytes"), kb * 1024.0));
    }
    metrics
}

fn keep(total: f64, reserve: f64) -> f64 {
    if total < 2.0 * reserve { total / 2.0 } else { total - reserve }
}

fn memory_mb() -> f64 {
    kilobytes("MemTotal:").map_or(4096.0, |kb| kb / 1024.0)
}

fn kilobytes(field: &str) -> Option<f64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let found = meminfo.lines().find_map(|line| line.strip_prefix(field))?;
    found.trim().trim_end_matches("kB").trim().parse().ok()
}

fn disk_mb(dir: &Path) -> f64 {
    let bytes = nix::sys::statvfs::statvfs(dir).map(|s| s.blocks() as f64 * s.fragment_size() as f64);
    bytes.map_or(10_240.0, |bytes| bytes / f64::from(1 << 20))
}
