//! What this machine has to offer, as a real agent finds it out.

use std::path::Path;

use super::resources::Host;

const MEMORY_RESERVE_MB: f64 = 1024.0;
const DISK_RESERVE_MB: f64 = 5120.0;

/// Cores, memory less 1 GB, the disk of `dir` less 5 GB; half of what is small (`Containerizer::resources` in
/// `src/slave/containerizer/containerizer.cpp`).
pub fn look(dir: &Path) -> Host {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Host { cpus: cpus as f64, mem: keep(memory_mb(), MEMORY_RESERVE_MB), disk: keep(disk_mb(dir), DISK_RESERVE_MB) }
}

fn keep(total: f64, reserve: f64) -> f64 {
    if total < 2.0 * reserve { total / 2.0 } else { total - reserve }
}

fn memory_mb() -> f64 {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = total.and_then(|t| t.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kilobytes.map_or(4096.0, |kb| kb / 1024.0)
}

fn disk_mb(dir: &Path) -> f64 {
    let bytes = nix::sys::statvfs::statvfs(dir).map(|s| s.blocks() as f64 * s.fragment_size() as f64);
    bytes.map_or(10_240.0, |bytes| bytes / f64::from(1 << 20))
}
