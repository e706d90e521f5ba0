//! What can be looked at of a cluster that has stopped.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::history::History;
use super::view::View;

/// So much of the end of a task's output is read while its file is there.
const READ_BYTES: u64 = 16 << 20;
/// So much of the end of a file is kept when the file is removed, and so much of all files together.
const KEPT_BYTES: u64 = 1 << 20;
const KEPT_BYTES_OF_ALL: u64 = 64 << 20;
/// The files of a sandbox that are kept.
const OUTPUTS: [&str; 2] = ["stdout", "stderr"];

/// How a cluster was when it stopped.
#[derive(Debug, Default)]
pub struct Remains {
    /// What could be seen.
    pub view: View,
    /// What had happened.
    pub history: History,
    /// The end of the tasks' output, if its files are removed.
    output: HashMap<PathBuf, Vec<u8>>,
}

impl Remains {
    /// Reads what tasks wrote, that of the last ones first, if their files are about to be removed.
    pub fn new(view: View, history: History, is_temporary: bool) -> Self {
        let mut remains = Self { view, history, output: HashMap::new() };
        let mut left = if is_temporary { KEPT_BYTES_OF_ALL } else { 0 };
        for task in remains.view.tasks.iter().rev() {
            for path in OUTPUTS.map(|name| task.sandbox.join(name)) {
                if left == 0 {
                    return remains;
                }
                let data = read_end(&path, left.min(KEPT_BYTES));
                left = left.saturating_sub(data.len() as u64);
                remains.output.insert(path, data);
            }
        }
        remains
    }

    /// The end of what a task wrote to one of its files.
    pub fn output(&self, path: &Path) -> Vec<u8> {
        self.output.get(path).cloned().unwrap_or_else(|| output(path))
    }
}

/// The end of what a task wrote to one of its files, of at most 16 MiB. Empty if there is no such file.
pub fn output(path: &Path) -> Vec<u8> {
    read_end(path, READ_BYTES)
}

/// A task may have put anything in the place of its output; only a regular file is read.
fn read_end(path: &Path, most: u64) -> Vec<u8> {
    let mut data = Vec::new();
    let read = || -> std::io::Result<Option<File>> {
        if !path.symlink_metadata()?.is_file() {
            return Ok(None);
        }
        let mut file = File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
        let found = file.metadata()?;
        file.seek(SeekFrom::Start(found.len().saturating_sub(most)))?;
        Ok(found.is_file().then_some(file))
    };
    if let Ok(Some(file)) = read() {
        // What could be read before an error is shown.
        let _ = file.take(most).read_to_end(&mut data);
    }
    data
}
