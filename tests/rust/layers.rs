//! Which way the arrows run: python -> driver -> session -> wire -> proto, and local -> wire, proto.

use std::path::{Path, PathBuf};

/// A layer, and what of the crate it may name.
const LAYERS: [(&str, &[&str]); 11] = [
    ("src/error.rs", &[]),
    ("src/environment.rs", &["Error", "Result"]),
    ("src/per_process.rs", &[]),
    ("src/runtime.rs", &[]),
    ("src/proto.rs", &[]),
    ("src/wire", &["wire", "proto", "error", "Error", "Result"]),
    ("src/session", &["session", "wire", "proto", "error", "Error", "Result"]),
    (
        "src/driver",
        &["driver", "session", "wire", "proto", "environment", "per_process", "runtime", "error", "Error", "Result"],
    ),
    ("src/local", &["local", "wire", "proto", "environment", "runtime", "error", "Error", "Result"]),
    (
        "src/command_executor.rs",
        &["driver", "local", "session", "wire", "proto", "environment", "runtime", "Error", "Result"],
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
            "environment",
            "per_process",
            "error",
            "Error",
            "Result",
        ],
    ),
];

/// What the state machines may not touch.
const IO: [&str; 7] = ["tokio", "hyper", "axum", "std::net::Tcp", "std::fs", "std::thread", "Instant::now"];
const STATE_MACHINES: [&str; 6] = [
    "src/session",
    "src/local/master",
    "src/local/agent",
    "src/local/task",
    "src/local/allocator.rs",
    "src/local/resources.rs",
];

fn sources(path: &Path) -> Vec<PathBuf> {
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

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_layer_names_only_those_below_it() {
    for (layer, allowed) in LAYERS {
        for file in sources(&root().join(layer)) {
            let code = code(&file);
            for (at, _) in code.match_indices("crate::") {
                let rest = &code[at + "crate::".len()..];
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let inside = name.is_empty() || allowed.contains(&name.as_str());
                assert!(inside, "{} names crate::{name}, which {layer} may not", file.display());
            }
        }
    }
}

#[test]
fn state_machines_touch_no_io_and_no_clock() {
    for layer in STATE_MACHINES {
        for file in sources(&root().join(layer)).into_iter().filter(|f| !f.ends_with("tests.rs")) {
            let code = code(&file);
            for io in IO {
                assert!(!code.contains(io), "{} uses {io}", file.display());
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
