//! The directory that holds all sandboxes of an embedded cluster. Makes it, and removes it if it is temporary.
//!
//! Tasks may have written many gigabytes, whose removal takes seconds. A process of its own does that, which goes on if
//! this one ends, so that nobody waits for it at the end of a cluster.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::{Error, Result};

/// So many blocks of 512 bytes are removed without a noticeable delay: 128 MiB.
const LARGE_BLOCKS: u64 = 128 * 1024 * 2;
const REMOVAL_WAIT: Duration = Duration::from_millis(200);

/// The working directory, and whether it goes when the cluster goes.
#[derive(Debug)]
pub struct WorkDir {
    /// Where it is, links followed.
    pub path: PathBuf,
    temporary: bool,
}

impl WorkDir {
    /// Makes the directory that is wanted, or a temporary one.
    ///
    /// Fails if it cannot be made.
    pub fn make(wanted: Option<&Path>) -> Result<Self> {
        let path = wanted
            .map_or_else(|| std::env::temp_dir().join(format!("remesos-{}", uuid::Uuid::new_v4())), Path::to_path_buf);
        let made = std::fs::create_dir_all(&path).and_then(|()| path.canonicalize());
        let path =
            made.map_err(|e| Error::cluster(format!("cannot make the working directory {}: {e}", path.display())))?;
        Ok(Self { path, temporary: wanted.is_none() })
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = remove(&self.path)
        {
            tracing::warn!("Cannot remove {}: {error}", self.path.display());
        }
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    let mut rm = Command::new("rm");
    rm.arg("-rf").arg("--").arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C in a terminal is not meant for it.
    rm.process_group(0);
    if is_large(path)
        && let Ok(child) = rm.spawn()
    {
        wait_for(child, path.to_path_buf());
        return Ok(());
    }
    std::fs::remove_dir_all(path)
}

/// Waits for a process that removes a directory, but lets it go on alone if it takes long.
fn wait_for(mut child: Child, path: PathBuf) {
    let (done, waiting) = channel();
    let wait = move || {
        match child.wait() {
            Ok(status) if !status.success() => tracing::warn!("Cannot remove {}: rm: {status}", path.display()),
            _ => {}
        }
        // Nobody listens any more if it took long.
        let _ = done.send(());
    };
    // Without a thread the process goes on alone at once.
    if std::thread::Builder::new().name("mesos-remove".to_owned()).spawn(wait).is_ok() {
        let _ = waiting.recv_timeout(REMOVAL_WAIT);
    }
}

/// Whether it takes noticeable time to remove a directory.
fn is_large(path: &Path) -> bool {
    let mut blocks = 0_u64;
    let mut directories = vec![path.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => directories.push(entry.path()),
                Ok(metadata) => blocks = blocks.saturating_add(metadata.blocks()),
                Err(_) => {}
            }
        }
        if blocks > LARGE_BLOCKS {
            return true;
        }
    }
    false
}
