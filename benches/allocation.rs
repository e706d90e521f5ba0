//! CPU that the embedded master takes for tasks and for batches of offers, as a cluster grows. What counts are the ratios:
//! with ten times of everything ten times the time is what it cannot do without.
#![allow(missing_docs)]

use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use remesos::local::load::Load;

const BATCHES: i32 = 5;
const TASKS_PER_OFFER: usize = 10;

struct Took {
    launches: f64,
    batch: f64,
    ends: f64,
}

/// The CPU time that something takes, in milliseconds.
fn timed(work: impl FnOnce()) -> f64 {
    let begun = cpu_time();
    work();
    cpu_time() - begun
}

fn cpu_time() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the process knows what it used");
    let of = |time: TimeVal| time.tv_sec() as f64 * 1e3 + time.tv_usec() as f64 / 1e3;
    of(usage.user_time()) + of(usage.system_time())
}

#[expect(clippy::disallowed_methods, reason = "virtual time begins somewhere")]
fn play(agents: usize, frameworks: usize, tasks: usize) -> Took {
    let mut load = Load::new(Instant::now(), agents, frameworks);
    let launches = timed(|| {
        while load.running() < tasks {
            load.launch(TASKS_PER_OFFER);
        }
    });
    let batch = timed(|| (0..BATCHES).for_each(|_| assert_eq!(load.decline(), agents))) / f64::from(BATCHES);
    let ends = timed(|| load.end(tasks));
    Took { launches, batch, ends }
}

fn main() {
    println!("{:>7} {:>10} {:>8}   launching   a batch of offers     ending", "agents", "frameworks", "tasks");
    let mut before: Option<Took> = None;
    for scale in [1, 10] {
        let (agents, frameworks, tasks) = (100 * scale, 10 * scale, 10_000 * scale);
        let took = play(agents, frameworks, tasks);
        let Took { launches, batch, ends } = took;
        println!("{agents:>7} {frameworks:>10} {tasks:>8}   {launches:>6.0} ms   {batch:>14.1} ms   {ends:>6.0} ms");
        if let Some(before) = before {
            let ratios = (launches / before.launches, batch / before.batch, ends / before.ends);
            println!("ratios: launching {:.1}, a batch {:.1}, ending {:.1}", ratios.0, ratios.1, ratios.2);
        }
        before = Some(took);
    }
}
