//! CPU time and memory per simulated task, as a cluster grows: the cluster's thread alone, without HTTP and a driver
//! (`simulation.py` has these too). What counts is that a task takes the same of both however many there are.
//!
//! A task is launched, tells of three states, each of which is acknowledged, and is kept as one that is over. All run at
//! the same time. The memory is what the process has more than before, at its most. `simulation -- 100x10000` plays one
//! size in a process of its own, which its memory needs: what is given back stays with the process.
//!
//! On two quiet cores: 8,500 tasks a second and 23 kB each with 10 agents and 1,000 tasks, most of which is the start;
//! 11,900 and 20 kB with 100 and 10,000; 7,900 and 19 kB with 1,000 and 100,000, because ids no longer fit in the cache.
#![allow(missing_docs)]

use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use remesos::local::study::Study;
use remesos::local::{Exit, Run};
use remesos::wire::duration::Period;

fn cpu_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the process knows what it used");
    let of = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    of(usage.user_time()) + of(usage.system_time())
}

/// The memory of this process in kB, if Linux tells it.
fn memory() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = text.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    pages * 4.0
}

#[expect(clippy::disallowed_methods, reason = "virtual time begins somewhere")]
fn play(agents: u32, tasks: usize) {
    let run = Run { duration: Some(Period::from_secs(30)), exit: Exit::Exited(0), ..Run::default() };
    let before = memory();
    let mut study = Study::new(Instant::now(), agents, run);
    let begun = cpu_seconds();
    study.play(tasks, 100);
    let took = cpu_seconds() - begun;
    let per_task = (memory() - before) / tasks as f64;
    println!("{agents:>7} {tasks:>8}   {took:>7.2} s   {:>9.0}   {per_task:>6.1} kB", tasks as f64 / took);
}

fn main() {
    println!("{:>7} {:>8}   {:>9}   {:>9}   {:>9}", "agents", "tasks", "CPU", "tasks/s", "each");
    match std::env::args().nth(1).and_then(|word| word.split_once('x').map(|(a, t)| (a.parse(), t.parse()))) {
        Some((Ok(agents), Ok(tasks))) => play(agents, tasks),
        _ => {
            for (agents, tasks) in [(10, 1_000), (100, 10_000), (1000, 100_000)] {
                play(agents, tasks);
            }
        }
    }
}
