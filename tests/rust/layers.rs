//! Which way the arrows run: python -> driver -> session -> wire -> proto, and local -> wire, proto; and that none runs in
//! a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A layer, and what of the crate it may name.
const LAYERS: [(&str, &[&str]); 12] = [
    ("src/clock", &["clock", "per_process"]),
    ("src/error.rs", &[]),
    ("src/environment.rs", &["Error", "Result"]),
    ("src/per_process.rs", &[]),
    ("src/runtime.rs", &[]),
    ("src/proto.rs", &[]),
    ("src/wire", &["wire", "proto", "error", "Error", "Result"]),
    ("src/session", &["session", "wire", "proto", "error", "Error", "Result"]),
    (
        "src/driver",
        &[
            "driver",
            "session",
            "wire",
            "proto",
            "clock",
            "environment",
            "per_process",
            "runtime",
            "error",
            "Error",
            "Result",
        ],
    ),
    ("src/local", &["local", "wire", "proto", "clock", "environment", "runtime", "error", "Error", "Result"]),
    (
        "src/command_executor.rs",
        &["driver", "local", "session", "wire", "proto", "clock", "environment", "runtime", "Error", "Result"],
    ),
    (
        "src/python",
        &[
            "python",
            "command_executor",
            "local",
            "driver",
            "session",
            "wire",
            "proto",
            "clock",
            "environment",
            "per_process",
            "error",
            "Error",
            "Result",
        ],
    ),
];

/// What the state machines may not touch.
const IO: [&str; 6] = ["tokio", "hyper", "axum", "std::net::Tcp", "std::fs", "std::thread"];
/// What they may not ask for either: it is handed in. Clippy holds the same (`clippy.toml`).
const WORLD: [&str; 6] = ["Instant::now", "SystemTime", "Uuid::new_v4", "fastrand::u64", "Rng::new(", "crate::clock"];
const STATE_MACHINES: [&str; 6] = [
    "src/session",
    "src/local/master",
    "src/local/agent",
    "src/local/task",
    "src/local/allocator",
    "src/local/resources",
];

pub(crate) fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_path_buf()];
    }
    let entries = std::fs::read_dir(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    entries
        .flat_map(|entry| sources(&entry.expect("readable").path()))
        .filter(|p| p.extension().is_some_and(|e| e == "rs"))
        .collect()
}

/// A file's code, without its tests and comments.
fn code(file: &Path) -> String {
    let text = std::fs::read_to_string(file).expect("readable");
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The paths that code names, such as `crate::driver::Handle`, those in nested `use` declarations among them.
fn paths(code: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                expand("", &code[at..], &mut paths);
            }
        }
    }
    paths
}

/// Adds the paths that a tree such as `a::{b, c::{self, D}}` stands for; returns how many bytes it takes.
fn expand(prefix: &str, tree: &str, paths: &mut BTreeSet<String>) -> usize {
    let name = tree.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(tree.len());
    let path = format!("{prefix}{}", &tree[..name]);
    let Some(mut rest) = tree[name..].strip_prefix('{').filter(|_| path.ends_with("::")) else {
        paths.insert(path.trim_end_matches("::self").trim_end_matches(':').to_owned());
        return name;
    };
    loop {
        rest = rest.trim_start_matches([',', ' ', '\n']);
        if let Some(end) = rest.strip_prefix('}') {
            return tree.len() - end.len();
        }
        let length = expand(&path, rest, paths);
        let renamed = rest[length..].find([',', '}']).expect("a `use` declaration ends");
        rest = &rest[length + renamed..];
    }
}

#[test]
fn nested_declarations_are_expanded() {
    let code = "use crate::{driver::{self, Handle as H, calls::{A, B}}, Error};\nlet x = super::y::z(crate::w);";
    let expected = [
        "crate::Error",
        "crate::driver",
        "crate::driver::Handle",
        "crate::driver::calls::A",
        "crate::driver::calls::B",
    ];
    let found = paths(code);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [&expected[..], &["crate::w", "super::y::z"]].concat());
}

#[test]
fn every_layer_names_only_those_below_it() {
    for (layer, allowed) in LAYERS {
        for file in sources(&root().join(layer)) {
            for path in paths(&code(&file)) {
                let Some(rest) = path.strip_prefix("crate::") else { continue };
                let name = rest.split("::").next().unwrap_or_default();
                assert!(allowed.contains(&name), "{} names {path}, which {layer} may not", file.display());
            }
        }
    }
}

/// The module that a file is: `["driver", "calls"]` for `src/driver/calls/mod.rs`.
pub(crate) fn module(file: &Path) -> Vec<String> {
    let relative = file.strip_prefix(root().join("src")).expect("a source").with_extension("");
    let mut names: Vec<_> = relative.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|last| last == "mod" || last == "lib") {
        names.pop();
    }
    names
}

/// The modules that a module names, its own parts among them. That a part names what it is in says nothing.
fn named<'a>(from: &[String], code: &str, modules: &'a BTreeMap<Vec<String>, PathBuf>) -> BTreeSet<&'a Vec<String>> {
    let absolute = |path: String| {
        let mut place = from.to_vec();
        for name in path.split("::") {
            match name {
                "crate" => place.clear(),
                "super" => drop(place.pop()),
                "self" => {}
                name => place.push(name.to_owned()),
            }
        }
        place
    };
    let owner = |mut place: Vec<String>| loop {
        if let Some((module, _)) = modules.get_key_value(&place) {
            return Some(module);
        }
        place.pop()?;
    };
    let parts = modules.keys().filter(|part| part.len() == from.len() + 1 && part.starts_with(from));
    let others = paths(code).into_iter().map(absolute).filter_map(owner).filter(|to| !from.starts_with(to));
    parts.chain(others).collect()
}

#[test]
fn no_files_name_one_another_in_a_circle() {
    let files = sources(&root().join("src")).into_iter().filter(|file| !file.ends_with("tests.rs"));
    let modules: BTreeMap<_, _> = files.map(|file| (module(&file), file)).collect();
    let edges: BTreeMap<_, _> = modules.iter().map(|(from, file)| (from, named(from, &code(file), &modules))).collect();
    // Everything that is reached from a module, by any number of steps.
    let reached = |from| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&Vec<String>> = edges[from].iter().copied().collect();
        while let Some(module) = next.pop() {
            if seen.insert(module) {
                next.extend(&edges[module]);
            }
        }
        seen
    };
    let reached: BTreeMap<_, _> = modules.keys().map(|from| (from, reached(from))).collect();
    let mut circles = BTreeSet::new();
    for (from, to) in &reached {
        let circle = to.iter().filter(|to| reached[**to].contains(*from));
        let circle: BTreeSet<_> = circle
            .map(|module| modules[*module].strip_prefix(root()).expect("a source").display().to_string())
            .collect();
        if !circle.is_empty() {
            circles.insert(circle);
        }
    }
    assert!(circles.is_empty(), "these files name one another in a circle: {circles:?}");
}

#[test]
fn state_machines_touch_no_io_and_no_clock() {
    for layer in STATE_MACHINES {
        for file in sources(&root().join(layer)).into_iter().filter(|f| !f.ends_with("tests.rs")) {
            let code = code(&file);
            for outside in IO.iter().chain(&WORLD) {
                assert!(!code.contains(outside), "{} uses {outside}", file.display());
            }
        }
    }
}

#[test]
fn only_the_python_layer_knows_python() {
    for file in sources(&root().join("src")) {
        let python = file.starts_with(root().join("src/python"));
        assert!(python || !code(&file).contains("pyo3"), "{} uses pyo3", file.display());
    }
}

#[test]
fn python_code_is_called_only_through_guards() {
    for file in sources(&root().join("src/python")).into_iter().filter(|f| !f.ends_with("guarded.rs")) {
        let code = code(&file);
        for call in [".call0(", ".call1(", ".call_method", ".getattr(", "py.import(", "PyModule::import("] {
            assert!(!code.contains(call), "{} uses {call}: see src/python/guarded.rs", file.display());
        }
    }
}
