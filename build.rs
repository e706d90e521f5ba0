//! Compiles `proto/` with protox and prost-build: no protoc, nothing generated is checked in.
//!
//! Two things come out: Rust types for the v1 messages that the core itself speaks, and one descriptor set of
//! every file, which the extension embeds and the Python message classes are made from.

use std::path::{Path, PathBuf};

use prost::Message;

/// The files whose messages become Rust types, together with the files that they import.
const RUST_TYPES: [&str; 4] = [
    "mesos/v1/scheduler/scheduler.proto",
    "mesos/v1/executor/executor.proto",
    "mesos/v1/master/master.proto",
    "mesos/v1/agent/agent.proto",
];

/// Large and rarely there: a task has several resources, and is kept in several places.
const BOXED: [&str; 5] = [
    ".mesos.v1.Resource.disk",
    ".mesos.v1.TaskInfo.executor",
    ".mesos.v1.TaskInfo.container",
    ".mesos.v1.TaskInfo.health_check",
    ".mesos.v1.ExecutorInfo.container",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let files = proto_files(Path::new("proto"))?;
    let mut all = protox::compile(&files, ["proto"])?;
    all.file.iter_mut().for_each(as_published);
    std::fs::write(out.join("descriptors.bin"), all.encode_to_vec())?;
    let core = protox::compile(RUST_TYPES, ["proto"])?;
    let mut config = prost_build::Config::new();
    config.disable_comments(["."]);
    for field in BOXED {
        config.boxed(field);
    }
    config.compile_fds(core)?;
    Ok(())
}

/// Strips positions, and names the classic file `mesos.proto` as Apache's Python package does.
fn as_published(file: &mut prost_types::FileDescriptorProto) {
    file.source_code_info = None;
    for name in file.name.iter_mut().chain(&mut file.dependency) {
        if name == "mesos/mesos.proto" {
            *name = "mesos.proto".to_owned();
        }
    }
}

fn proto_files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(proto_files(&path)?);
        } else if path.extension().is_some_and(|e| e == "proto") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
