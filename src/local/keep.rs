//! Keeps the sandboxes of tasks that failed when the directory that they are in is removed.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock;

/// So many are kept, of all clusters that keep them in one place.
const MOST: usize = 10;
/// No more of one is copied to another file system. Within one it is moved, however large.
const COPIED_BYTES: u64 = 64 << 20;
/// So many names are tried for one.
const NAMES_TRIED: usize = 100;
const NAME_CHARACTERS: usize = 40;

/// The last tasks that failed, with their sandboxes.
#[derive(Debug, Clone, Default)]
pub struct Failed(Arc<Mutex<VecDeque<(String, PathBuf)>>>);

impl Failed {
    /// A task has failed.
    pub fn add(&self, task_id: &str, sandbox: &Path) {
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Tasks of one executor have one sandbox.
        failed.retain(|(_, known)| known != sandbox);
        failed.push_back((task_id.to_owned(), sandbox.to_owned()));
        if failed.len() > MOST {
            failed.pop_front();
        }
    }

    /// Moves their sandboxes into a directory, where no more than ten stay, and says so.
    pub fn keep(&self, directory: &Path) {
        let failed = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if failed.is_empty() {
            return;
        }
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        if let Err(error) = made {
            return tracing::warn!("Cannot keep sandboxes in {}: {error}", directory.display());
        }
        let now = clock::timestamp() * 1000.0;
        let mut number = 0_u32;
        for (task_id, sandbox) in &failed {
            let names = std::iter::from_fn(|| {
                number = number.saturating_add(1);
                Some(directory.join(name(now, number, task_id)))
            });
            // Another cluster may have kept something in the same millisecond.
            let Some(kept) = names.take(NAMES_TRIED).find(|path| !path.exists()) else { continue };
            match keep(sandbox, &kept) {
                Ok(()) => tracing::warn!("Task '{task_id}' failed; its sandbox is kept in {}", kept.display()),
                Err(error) => tracing::warn!("Cannot keep the sandbox of task '{task_id}': {error}"),
            }
        }
        tidy(directory);
    }
}

/// Names sort by time, which has thirteen digits in milliseconds.
fn name(now: f64, number: u32, task_id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let id: String = task_id.chars().take(NAME_CHARACTERS).map(plain).collect();
    format!("{now:013.0}-{number:03}-{id}")
}

fn keep(sandbox: &Path, kept: &Path) -> std::io::Result<()> {
    match fs::rename(sandbox, kept) {
        Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => {
            let mut left = COPIED_BYTES;
            copy(sandbox, kept, &mut left)
        }
        done => done,
    }
}

/// Copies directories, links, and files as far as there is room for them; what else there is has no contents.
fn copy(from: &Path, to: &Path, left: &mut u64) -> std::io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (metadata, target) = (entry.metadata()?, to.join(entry.file_name()));
        if metadata.is_dir() {
            copy(&entry.path(), &target, left)?;
        } else if metadata.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, target)?;
        } else if metadata.is_file() && metadata.len() <= *left {
            *left = left.saturating_sub(fs::copy(entry.path(), target)?);
        }
    }
    Ok(())
}

/// Removes all but the newest of what was kept there.
fn tidy(directory: &Path) {
    let me = nix::unistd::geteuid().as_raw();
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_kept = |name: &str| name.len() > 13 && name.get(..13).is_some_and(is_digits);
    let mut kept: Vec<_> = entries
        .filter(|entry| is_kept(&entry.file_name().to_string_lossy()))
        .filter(|entry| entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == me || me == 0))
        .map(|entry| entry.path())
        .collect();
    kept.sort();
    let surplus = kept.len().saturating_sub(MOST);
    for old in kept.iter().take(surplus) {
        // Another cluster may remove it too.
        let _ = fs::remove_dir_all(old);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn the_last_ten_are_kept_and_nothing_else_is_removed() {
        let place = std::env::temp_dir().join(format!("test-of-keeping-{}", uuid::Uuid::new_v4()));
        let directory = place.join("kept");
        fs::create_dir_all(directory.join("mine")).unwrap();
        for round in 0..2 {
            let failed = Failed::default();
            for n in 0..12 {
                let sandbox = place.join(format!("{round}-{n}"));
                fs::create_dir(&sandbox).unwrap();
                fs::write(sandbox.join("stderr"), format!("{round} {n}")).unwrap();
                failed.add("a/b", &sandbox);
                failed.add("again", &sandbox);
            }
            failed.keep(&directory);
        }
        let mut kept: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        kept.sort();
        assert_eq!(kept.pop().unwrap(), directory.join("mine"));
        let said = kept.iter().map(|path| fs::read_to_string(path.join("stderr")).unwrap());
        assert_eq!(said.collect::<Vec<_>>(), (2..12).map(|n| format!("1 {n}")).collect::<Vec<_>>());
        fs::remove_dir_all(place).unwrap();
    }

    #[test]
    fn large_files_are_left_out_of_a_copy() {
        let place = std::env::temp_dir().join(format!("test-of-copying-{}", uuid::Uuid::new_v4()));
        let from = place.join("from");
        fs::create_dir_all(from.join("inner")).unwrap();
        fs::write(from.join("inner/small"), "small").unwrap();
        fs::write(from.join("large"), "x".repeat(100)).unwrap();
        std::os::unix::fs::symlink("inner/small", from.join("link")).unwrap();
        copy(&from, &place.join("to"), &mut 50).unwrap();
        assert_eq!(fs::read_to_string(place.join("to/link")).unwrap(), "small");
        assert!(!place.join("to/large").exists());
        fs::remove_dir_all(place).unwrap();
    }
}
