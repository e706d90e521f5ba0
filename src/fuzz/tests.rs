//! Every target runs over its corpus, and over mutations of it that are the same in each run.

use std::path::{Path, PathBuf};

use fastrand::Rng;

use super::TARGETS;

/// How many mutations each target runs.
const MUTATIONS: usize = 2000;
/// The most bytes of a mutation.
const LENGTH_MAX: usize = 4096;
/// What code that reads text or lengths looks at.
const TOKENS: [&[u8]; 12] =
    [b"\n", b"\r\n", b":", b"@", b",", b"[", b"{\"", b"0", b"99999999999999999999", b"\xff\xff\xff\xff", b"-", b"%"];

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name)
}

/// The inputs of a corpus, in an order that does not depend on the file system.
fn inputs(name: &str) -> Vec<Vec<u8>> {
    let directory = corpus(name);
    let entries = std::fs::read_dir(&directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("readable")).collect()
}

/// An input, changed in some places, as libFuzzer changes them.
fn mutated(random: &mut Rng, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = inputs[random.usize(..inputs.len())].clone();
    for _ in 0..random.usize(1..=4) {
        let place = random.usize(..=bytes.len());
        match random.u8(..6) {
            0 => bytes.truncate(place),
            1 => drop(bytes.splice(place..place, TOKENS[random.usize(..TOKENS.len())].iter().copied())),
            2 => {
                let other = &inputs[random.usize(..inputs.len())];
                bytes.truncate(place);
                bytes.extend_from_slice(&other[random.usize(..=other.len())..]);
            }
            3 => drop(bytes.drain(place..bytes.len().min(place + random.usize(..8)))),
            _ => {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = random.u8(..);
                }
            }
        }
    }
    bytes.truncate(LENGTH_MAX);
    bytes
}

fn run(name: &str) {
    let (_, target) = TARGETS.iter().find(|(found, _)| *found == name).expect("a target");
    let inputs = inputs(name);
    assert!(!inputs.is_empty(), "{name} has no corpus");
    inputs.iter().for_each(|input| target(input));
    let mut random = Rng::with_seed(7);
    for _ in 0..MUTATIONS {
        let input = mutated(&mut random, &inputs);
        let before = std::panic::AssertUnwindSafe(|| target(&input));
        if let Err(panic) = std::panic::catch_unwind(before) {
            eprintln!("{name} does not stand {}", input.escape_ascii());
            std::panic::resume_unwind(panic);
        }
    }
}

/// A test for each target.
macro_rules! tests {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name));
            }
        )*

        #[test]
        fn every_target_has_a_test_and_a_program() {
            let tested = [$(stringify!($name)),*];
            let programs = std::fs::read_dir(corpus("").join("../fuzz_targets")).expect("readable");
            let programs = programs.map(|entry| entry.expect("readable").path());
            let mut programs: Vec<_> = programs.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
            programs.sort();
            assert_eq!(TARGETS.map(|(name, _)| name), tested);
            assert_eq!(programs, tested);
        }
    };
}

tests! {
    bodies calls durations events executor_session json masters nodes operator_session options recordio redirects
    replies resources scheduler_session
}
