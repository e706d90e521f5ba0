//! A simulation of drivers and an embedded cluster: one seed decides everything, and what must hold is checked at every
//! step.
//!
//! # What runs
//!
//! Everything below Python runs as it always does: `driver` with its loop, its pipeline for calls and its reader of the stream
//! of events, `session`, and the embedded cluster with its server, master, agents and allocator. It runs on one Tokio
//! runtime of one thread, whose time is paused: when every task waits, the time moves to the next timer. So there is
//! neither a real clock nor a thread, a socket, a process or a file.
//!
//! | in place of | there is |
//! |---|---|
//! | TCP | [`network`]: pipes of the same bytes, with latency, which stall, lose, break and are refused |
//! | the thread for callbacks | [`framework`] and [`executor`]: tasks that take deliveries, slowly at times, and raise |
//! | containers | descriptions (`local/backend/simulated.rs`), and for executors of frameworks' own tasks with the real driver |
//! | the network between master and agents | what the embedded cluster has for that (`local/cluster/network.rs`), with its faults |
//! | ZooKeeper, TLS, authentication | nothing: they are not simulated |
//!
//! # What is a step, and who checks
//!
//! Each message on the network and each callback is told to the [`world`], once when it is sent and once when it has
//! arrived. The [`truth`] is a model of its own that reads the bytes itself, believes neither side, and complains at once.
//! What can only hold in the end is looked at by [`checks`] after the last fault ([`trouble`]), when all is quiet, and once
//! more when all schedulers have ended.
//!
//! # How a story is told
//!
//! `--seed N` plays one seed and prints each event with its virtual time. Its [`plan`] lists what goes wrong; a seed that
//! fails is played again without one trouble after another, and the shortest story that still fails is printed with the
//! command that replays it.

#![allow(missing_docs)]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers of a test")]
#![expect(clippy::disallowed_methods, reason = "the runtime's time is virtual, and a plan has no number from outside")]

mod checks;
mod executor;
mod framework;
mod http;
mod network;
mod panics;
mod plan;
mod run;
mod seeds;
mod stage;
mod trouble;
mod truth;
mod world;

use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::plan::Plan;
use crate::run::{Outcome, play};

const USAGE: &str = "expected --seeds A..B, or --seed N with --without I,J; and --jobs N, --twice, --all";

/// What is asked for.
struct Arguments {
    seeds: Range<u64>,
    one: bool,
    without: Vec<usize>,
    /// On how many threads; on none if tests of another name are asked for.
    jobs: u64,
    /// Whether each seed is to give the same twice.
    twice: bool,
    /// Whether all are played, though one has failed: then no story is told.
    all: bool,
}

fn arguments() -> Option<Arguments> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let mut asked =
        Arguments { seeds: 0..seeds::QUICK, one: false, without: Vec::new(), jobs: cores, twice: false, all: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seeds" => {
                let text = words.next()?;
                let (from, to) = text.split_once("..")?;
                asked.seeds = from.parse().ok()?..to.parse().ok()?;
            }
            "--seed" => {
                let seed: u64 = words.next()?.parse().ok()?;
                (asked.seeds, asked.one) = (seed..seed + 1, true);
            }
            "--without" => asked.without = words.next()?.split(',').filter_map(|word| word.parse().ok()).collect(),
            "--jobs" => asked.jobs = words.next()?.parse().ok()?,
            "--twice" => asked.twice = true,
            "--all" => asked.all = true,
            // Of libtest, whose options Cargo passes to all tests.
            _ if word.starts_with('-') => {}
            filter => asked.jobs *= u64::from("simulation".contains(filter)),
        }
    }
    Some(asked)
}

fn plan(seed: u64, without: &[usize]) -> Plan {
    let mut plan = Plan::new(seed);
    let mut number = 0;
    let mut is_left = || {
        number += 1;
        !without.contains(&(number - 1))
    };
    plan.troubles.retain(|_| is_left());
    plan.ambushes.retain(|_| is_left());
    plan
}

fn main() -> ExitCode {
    let Some(asked) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if asked.jobs == 0 {
        return ExitCode::SUCCESS;
    }
    panics::note();
    if asked.one {
        return tell(asked.seeds.start, &asked.without);
    }
    let kept = seeds::KEPT.iter().map(|(seed, _)| *seed).filter(|seed| !asked.seeds.contains(seed));
    let all: Vec<u64> = kept.chain(asked.seeds.clone()).collect();
    let failed = play_all(&all, &asked);
    match failed {
        None => {
            println!("{} seeds: all that must hold holds", all.len());
            ExitCode::SUCCESS
        }
        Some(_) if asked.all => ExitCode::FAILURE,
        Some(seed) => {
            let without = shrunk(seed);
            tell(seed, &without);
            ExitCode::FAILURE
        }
    }
}

/// Plays seeds on several threads; the first of them that fails.
fn play_all(seeds: &[u64], asked: &Arguments) -> Option<u64> {
    let Arguments { jobs, twice, all, .. } = *asked;
    let next = AtomicU64::new(0);
    let failed = AtomicBool::new(false);
    let first = std::sync::Mutex::new(None::<u64>);
    std::thread::scope(|scope| {
        for slot in 1..=jobs {
            let (next, failed, first) = (&next, &failed, &first);
            scope.spawn(move || {
                while !failed.load(Ordering::Relaxed) {
                    let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize).copied() else { return };
                    let slot = u8::try_from(slot).unwrap_or(u8::MAX);
                    let outcome = play(&Plan::new(seed), slot, false);
                    let same = !twice || play(&Plan::new(seed), slot, false).print == outcome.print;
                    if outcome.violation.is_none() && same {
                        continue;
                    }
                    println!("seed {seed}: {}", outcome.violation.unwrap_or_else(|| "it is not the same twice".into()));
                    failed.store(!all, Ordering::Relaxed);
                    let mut first = first.lock().expect("no panic");
                    *first = Some(first.map_or(seed, |other| other.min(seed)));
                }
            });
        }
    });
    first.into_inner().expect("no panic")
}

/// The troubles without which a seed still fails.
fn shrunk(seed: u64) -> Vec<usize> {
    let mut without = Vec::new();
    let whole = Plan::new(seed);
    for number in (0..whole.troubles.len() + whole.ambushes.len()).rev() {
        without.push(number);
        if play(&plan(seed, &without), 1, false).violation.is_none() {
            without.pop();
        }
    }
    without
}

/// Plays one seed and prints its story.
fn tell(seed: u64, without: &[usize]) -> ExitCode {
    let plan = plan(seed, without);
    println!("{plan:#?}");
    let Outcome { violation, story, print } = play(&plan, 1, true);
    story.iter().for_each(|line| println!("{line}"));
    let without: Vec<_> = without.iter().map(usize::to_string).collect();
    let without = if without.is_empty() { String::new() } else { format!(" --without {}", without.join(",")) };
    println!(
        "replay: cargo test --profile simulation --no-default-features --test simulation -- --seed {seed}{without}"
    );
    match violation {
        None => {
            println!("seed {seed}: all that must hold holds ({print:016x})");
            ExitCode::SUCCESS
        }
        Some(why) => {
            println!("seed {seed}: {why}");
            ExitCode::FAILURE
        }
    }
}
