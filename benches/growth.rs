//! How the embedded master grows: CPU of each step as there are more tasks, frameworks or agents, without HTTP and agents.
//!
//! Each table is one series of sizes. A figure is microseconds of CPU for one unit of what the protocol demands of the
//! step (its work: a task launched, an event sent), and `growth` is its exponent between the two largest sizes: 0 if a unit
//! costs the same however many there are. Some units depend on the size themselves, which `expected` says: one allocation
//! compares all frameworks for each agent, as in Mesos. What exceeds that by more than 0.25 is marked; a cache that is too
//! small for everything gives about 0.15.
//!
//! `growth -- --json FILE` writes the figures too.
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use remesos::local::load::Load;
use serde_json::{Value, json};

/// What is there while something is measured.
#[derive(Clone, Copy)]
struct Size {
    agents: usize,
    frameworks: usize,
    tasks: usize,
}

/// A series of sizes, of which one number is different.
struct Series {
    name: &'static str,
    of: fn(usize) -> Size,
    numbers: &'static [usize],
}

/// What is measured, for what, and how much it may grow by its nature with tasks, frameworks and agents.
const STEPS: [(&str, &str, [f64; 3]); 14] = [
    ("a turn of the loop", "event", [0.0, 0.0, 0.0]),
    ("a framework subscribes", "framework", [0.0, 0.0, 0.0]),
    ("an allocation", "agent", [0.0, 1.0, 0.0]),
    ("a decline", "offer", [0.0, 0.0, 0.0]),
    ("a launch", "task", [0.0, 0.0, 0.0]),
    ("an update", "task", [0.0, 0.0, 0.0]),
    ("an acknowledgement", "task", [0.0, 0.0, 0.0]),
    ("reconciliation", "task and framework", [0.0, 0.0, 0.0]),
    ("/state", "what it shows", [0.0, 0.0, 0.0]),
    ("GET_STATE", "what it shows", [0.0, 0.0, 0.0]),
    ("an end", "task", [0.0, 0.0, 0.0]),
    ("agents are lost", "event", [0.0, 0.0, 0.0]),
    ("frameworks disconnect", "framework and offer", [0.0, 0.0, 0.0]),
    ("teardown", "task and message", [0.0, 0.0, 0.0]),
];
const TASKS_PER_OFFER: usize = 10;
/// Small sizes are repeated until so many tasks were launched.
const TASKS_LEAST: usize = 2000;
const SERIES: [Series; 5] = [
    Series {
        name: "tasks in flight (10 agents, 1 framework)",
        of: |tasks| Size { agents: 10, frameworks: 1, tasks },
        numbers: &[10, 1_000, 50_000],
    },
    Series {
        name: "frameworks (1 agent, 10,000 tasks)",
        of: |frameworks| Size { agents: 1, frameworks, tasks: 10_000 },
        numbers: &[1, 10, 100, 1_000],
    },
    Series {
        name: "frameworks (100 agents, 10,000 tasks)",
        of: |frameworks| Size { agents: 100, frameworks, tasks: 10_000 },
        numbers: &[1, 10, 100, 1_000],
    },
    Series {
        name: "agents (1 framework, 10,000 tasks)",
        of: |agents| Size { agents, frameworks: 1, tasks: 10_000 },
        numbers: &[1, 10, 100, 1_000],
    },
    Series {
        name: "agents (100 frameworks, 10,000 tasks)",
        of: |agents| Size { agents, frameworks: 100, tasks: 10_000 },
        numbers: &[1, 10, 100, 1_000],
    },
];

/// The CPU time of steps, and how many units they were.
#[derive(Default)]
struct Took(BTreeMap<&'static str, (f64, usize)>);

impl Took {
    /// Measures a step, which returns how many units it was.
    fn step(&mut self, name: &'static str, work: impl FnOnce() -> usize) {
        let begun = cpu_time();
        let units = work();
        let (time, number) = self.0.entry(name).or_default();
        *time += cpu_time() - begun;
        *number += units;
    }

    fn per_unit(&self, name: &str) -> Option<f64> {
        self.0.get(name).filter(|(_, units)| *units > 0).map(|(time, units)| time / *units as f64)
    }
}

/// The CPU time of this process, in microseconds.
fn cpu_time() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the process knows what it used");
    let of = |time: TimeVal| time.tv_sec() as f64 * 1e6 + time.tv_usec() as f64;
    of(usage.user_time()) + of(usage.system_time())
}

#[expect(clippy::disallowed_methods, reason = "virtual time begins somewhere")]
fn now() -> Instant {
    Instant::now()
}

/// The memory of this process in kB, if Linux tells it.
fn memory() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = text.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    pages * 4.0
}

fn full(size: Size) -> Load {
    let mut load = Load::new(now(), size.agents, size.frameworks);
    launch(&mut load, size);
    load
}

fn launch(load: &mut Load, size: Size) -> usize {
    while load.running() < size.tasks {
        load.launch(TASKS_PER_OFFER.min(size.tasks));
    }
    load.running()
}

/// Plays everything once.
fn play(size: Size, took: &mut Took) {
    let mut load = Load::new(now(), size.agents, 0);
    took.step("a framework subscribes", || {
        (0..size.frameworks).for_each(|_| load.subscribe());
        size.frameworks
    });
    took.step("a launch", || launch(&mut load, size));
    took.step("an update", || load.run_all());
    took.step("an acknowledgement", || load.acknowledge_all());
    took.step("a turn of the loop", || {
        (0..100).for_each(|_| load.turn());
        100
    });
    for _ in 0..3 {
        let mut offers = Vec::new();
        took.step("an allocation", || {
            offers = load.offers();
            offers.len()
        });
        took.step("a decline", || load.refuse(offers));
    }
    took.step("reconciliation", || load.reconcile() + size.frameworks);
    let shown = load.running() + size.frameworks + size.agents + load.offers().len();
    took.step("/state", || {
        load.state();
        shown
    });
    took.step("GET_STATE", || {
        load.get_state();
        shown
    });
    took.step("an end", || {
        let tasks = load.run_all();
        load.end(tasks);
        tasks
    });
    let mut load = full(size);
    took.step("agents are lost", || load.lose_agents(size.agents));
    let mut load = full(size);
    let offers = load.offers().len();
    took.step("frameworks disconnect", || {
        load.disconnect();
        size.frameworks + offers
    });
    let mut load = full(size);
    took.step("teardown", || {
        load.tear_down();
        size.tasks + size.frameworks * size.agents
    });
}

fn measure(size: Size) -> Took {
    let mut took = Took::default();
    for _ in 0..TASKS_LEAST.div_ceil(size.tasks) {
        play(size, &mut took);
    }
    took
}

/// The exponent between the last two figures.
fn growth(numbers: &[usize], figures: &[f64]) -> f64 {
    let [.., before, last] = figures else { return 0.0 };
    let [.., less, more] = numbers else { return 0.0 };
    (last / before).ln() / (*more as f64 / *less as f64).ln()
}

fn report(series: &Series) -> Value {
    let all: Vec<Took> = series.numbers.iter().map(|number| measure((series.of)(*number))).collect();
    println!("\n{}: us of CPU", series.name);
    let heads: String = series.numbers.iter().map(|number| format!("{number:>10}")).collect();
    println!("{:<24}{:<20}{heads}{:>10}{:>10}", "", "for each", "growth", "expected");
    let axis = ["tasks", "frameworks", "agents"].iter().position(|axis| series.name.starts_with(axis)).unwrap_or(0);
    let mut rows = Vec::new();
    for (name, unit, expected) in STEPS {
        let Some(figures) = all.iter().map(|took| took.per_unit(name)).collect::<Option<Vec<_>>>() else { continue };
        let (growth, expected) = (growth(series.numbers, &figures), expected[axis]);
        let mark = if growth > expected + 0.25 { "  !" } else { "" };
        let shown: String = figures.iter().map(|figure| format!("{figure:>10.2}")).collect();
        println!("{name:<24}{unit:<20}{shown}{growth:>10.2}{expected:>10.2}{mark}");
        rows.push(json!({ "step": name, "unit": unit, "us": figures, "growth": growth, "expected": expected }));
    }
    json!({ "series": series.name, "sizes": series.numbers, "rows": rows })
}

/// What a task takes, in kB, running and after the teardown of its framework.
fn of_memory() -> Value {
    let tasks = 50_000;
    let before = memory();
    let mut load = full(Size { agents: 10, frameworks: 1, tasks });
    load.run_all();
    let running = (memory() - before) / tasks as f64;
    load.tear_down();
    let kept = load.kept();
    println!("\nmemory: {running:.1} kB for each of {tasks} tasks; {kept} of them are still shown after the teardown");
    json!({ "tasks": tasks, "kb_per_task": running, "shown_after_teardown": kept })
}

fn main() {
    let memory = of_memory();
    let series: Vec<Value> = SERIES.iter().map(report).collect();
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(path) = arguments.iter().position(|word| word == "--json").and_then(|at| arguments.get(at + 1)) {
        let text = format!("{:#}\n", json!({ "memory": memory, "series": series }));
        std::fs::write(path, text).expect("the file for the figures can be written");
    }
}
