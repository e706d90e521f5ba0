//! What former agents leave.

use std::path::PathBuf;

use crate::local::keep::Failed;
use crate::local::work_dir;

/// What is removed of the files of former agents: nothing, if the directory is not a temporary one.
#[derive(Debug, Clone, Default)]
pub struct Litter {
    /// The directory of the agents' directories, if it is temporary.
    pub agents: Option<PathBuf>,
    /// Where sandboxes of failed tasks are kept.
    pub keep: Option<PathBuf>,
    /// The tasks that failed.
    pub failed: Failed,
}

impl Litter {
    /// Removes the directories with numbers before this one.
    pub fn remove(&self, before: u32) {
        let Some(agents) = &self.agents else { return };
        if let Some(keep) = &self.keep {
            self.failed.keep(keep);
        }
        for entry in std::fs::read_dir(agents).into_iter().flatten().flatten() {
            let number: Option<u32> = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if number.is_some_and(|number| number < before)
                && let Err(error) = work_dir::remove(&entry.path())
            {
                tracing::warn!("Cannot remove {}: {error}", entry.path().display());
            }
        }
    }
}
