//! Where sandboxes and volumes are below an agent's directory. Follows `src/slave/paths.cpp` and, for volumes,
//! `src/slave/containerizer/mesos/isolators/filesystem/posix.cpp`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use super::{Sandbox, Volume};
use crate::local::backend::StartError;
use crate::local::work_dir;

/// The directory of a sandbox.
pub fn directory(work_dir: &Path, agent_id: &str, sandbox: &Sandbox) -> PathBuf {
    let of_agent = work_dir.join("slaves").join(agent_id);
    let run = if sandbox.is_alone() {
        of_agent.join("containers").join(&sandbox.run)
    } else {
        let of_framework = of_agent.join("frameworks").join(&sandbox.framework_id);
        of_framework.join("executors").join(&sandbox.executor_id).join("runs").join(&sandbox.run)
    };
    let of_task = match &sandbox.task_id {
        Some(task_id) => run.join("tasks").join(task_id),
        None => run,
    };
    sandbox.nested.iter().fold(of_task, |directory, container| directory.join("containers").join(container))
}

/// Where a persistent volume is (`getPersistentVolumePath`).
pub fn volume(work_dir: &Path, volume: &Volume) -> PathBuf {
    // Neither may lead out of the directory; a role has slashes of its own.
    let plain = |name: &str| name.replace('/', " ").replace("..", ". .");
    work_dir.join("volumes").join("roles").join(plain(&volume.role)).join(plain(&volume.id))
}

/// Makes the directory of a sandbox, and the link to the latest run of an executor.
pub fn make(directory: &Path) -> std::io::Result<()> {
    work_dir::make_sandbox(directory)?;
    // A run of an executor; the tasks of a group are within one.
    if directory.parent().and_then(Path::file_name).is_none_or(|name| name != "runs") {
        return Ok(());
    }
    let (Some(runs), Some(run)) = (directory.parent(), directory.file_name()) else {
        return Ok(());
    };
    let latest = runs.join("latest");
    match fs::remove_file(&latest) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => symlink(run, latest),
    }
}

/// Where the named volumes of Docker are that no Docker keeps.
pub fn named_volumes(work_dir: &Path) -> PathBuf {
    work_dir.join("volumes").join("docker")
}

/// Links volumes into a sandbox; one that is there already stays.
pub fn mount(work_dir: &Path, directory: &Path, volumes: &[Volume]) -> Result<(), StartError> {
    for each in volumes {
        link(&volume(work_dir, each), directory, Path::new(&each.path))
            .map_err(|e| StartError::new(format!("cannot mount {}: {e}", each.path)))?;
    }
    Ok(())
}

fn link(source: &Path, directory: &Path, target: &Path) -> std::io::Result<()> {
    if !target.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(std::io::Error::other("the path has to stay in the sandbox"));
    }
    source.parent().map_or(Ok(()), work_dir::make_directories)?;
    fs::create_dir_all(source)?;
    let target = directory.join(target);
    target.parent().map_or(Ok(()), fs::create_dir_all)?;
    match symlink(source, target) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
