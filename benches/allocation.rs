//! What the embedded master takes for tasks and for batches of offers, as a cluster grows. What counts are the ratios:
//! with ten times of everything ten times the time is what it cannot do without.
#![allow(missing_docs)]

use std::time::{Duration, Instant};

use remesos::local::load::Load;

const BATCHES: u32 = 5;
const TASKS_PER_OFFER: usize = 10;

struct Took {
    launches: Duration,
    batch: Duration,
    ends: Duration,
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

#[expect(clippy::disallowed_methods, reason = "virtual time begins somewhere")]
fn play(agents: usize, frameworks: usize, tasks: usize) -> Took {
    let mut load = Load::new(Instant::now(), agents, frameworks);
    let launches = timed(|| {
        while load.running() < tasks {
            load.launch(TASKS_PER_OFFER);
        }
    });
    let batch = timed(|| (0..BATCHES).for_each(|_| assert_eq!(load.decline(), agents))) / BATCHES;
    let ends = timed(|| load.end(tasks));
    Took { launches, batch, ends }
}

fn main() {
    println!("{:>7} {:>10} {:>8}   launching   a batch of offers   ending", "agents", "frameworks", "tasks");
    let mut before: Option<Took> = None;
    for scale in [1, 10] {
        let (agents, frameworks, tasks) = (100 * scale, 10 * scale, 10_000 * scale);
        let took = play(agents, frameworks, tasks);
        let Took { launches, batch, ends } = &took;
        println!("{agents:>7} {frameworks:>10} {tasks:>8}   {launches:>9.1?}   {batch:>17.1?}   {ends:>6.1?}");
        if let Some(before) = before {
            let ratio = |after: &Duration, before: Duration| after.as_secs_f64() / before.as_secs_f64();
            println!(
                "ratios of the last two: launching {:.1}, a batch {:.1}, ending {:.1}",
                ratio(launches, before.launches),
                ratio(batch, before.batch),
                ratio(ends, before.ends)
            );
        }
        before = Some(took);
    }
}
