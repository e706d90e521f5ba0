//! The directory that holds all sandboxes of an embedded cluster. A temporary one goes with the cluster: when it stops,
//! soon after its process got SIGKILL, or else when the next cluster starts.
//!
//! What is in it is nobody else's to read. Where tasks may run as other users, which is only as root, these pass through
//! the directories above a sandbox, whose names they have to know for that, and reach their own.
//!
//! Tasks may have written many gigabytes, whose removal takes seconds. A process of its own does that, which goes on if
//! this one ends, so that nobody waits for it at the end of a cluster.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{Error as IoError, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use crate::{Error, Result};

/// So many blocks of 512 bytes are removed without a noticeable delay: 128 MiB.
const LARGE_BLOCKS: u64 = 128 * 1024 * 2;
const REMOVAL_WAIT: Duration = Duration::from_millis(200);
const PREFIX: &str = "remesos-";
/// Locked for as long as a temporary directory is in use. What has none is none of ours.
const LOCK: &str = ".lock";
/// Waits until its standard input closes. What was running may write for a moment yet.
const REMOVER: &str =
    r#"read -r _; for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$0" && exit; sleep 1; done 2>/dev/null"#;

/// The working directory, and what removes it if it is temporary.
#[derive(Debug)]
pub struct WorkDir {
    path: PathBuf,
    temporary: Option<Temporary>,
}

#[derive(Debug)]
struct Temporary {
    _lock: Flock<File>,
    remover: Option<Child>,
}

impl WorkDir {
    /// Makes the wanted directory, or a temporary one if none is wanted, and removes temporary ones that were left.
    ///
    /// Fails if the directory cannot be made.
    pub fn make(wanted: Option<&Path>) -> Result<Self> {
        let failed = |path: &Path, error: std::io::Error| {
            Error::cluster(format!("cannot make the working directory {}: {error}", path.display()))
        };
        if let Some(path) = wanted {
            return Ok(Self { path: make_lasting(path).map_err(|e| failed(path, e))?, temporary: None });
        }
        let parent = std::env::temp_dir();
        let (path, lock) = make_temporary(&parent).map_err(|e| failed(&parent, e))?;
        let remover = start_remover(&path);
        // Large ones take their time. If there is no thread for it, the next cluster does it.
        let _ = std::thread::Builder::new().name("mesos-tidy".to_owned()).spawn(move || remove_stale(&parent));
        Ok(Self { path, temporary: Some(Temporary { _lock: lock, remover }) })
    }

    /// Whether it is removed at the end.
    pub fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// Where it is, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        let Some(temporary) = &mut self.temporary else { return };
        if let Err(error) = remove(&self.path) {
            tracing::warn!("Cannot remove {}: {error}", self.path.display());
        }
        if let Some(remover) = &mut temporary.remover {
            // Fails only if it is gone already.
            let _ = remover.kill();
            let _ = remover.wait();
        }
    }
}

/// Where the agents' directories are.
pub fn agents(work_dir: &Path) -> PathBuf {
    work_dir.join("agents")
}

/// What others may do with directories above sandboxes: pass, if tasks may be theirs.
fn mode() -> u32 {
    if nix::unistd::geteuid().is_root() { 0o711 } else { 0o700 }
}

/// Makes a directory within the working directory, and those above it that are missing.
pub fn make_directories(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode()).create(path)
}

/// Makes a sandbox, or takes the one that is there; it is its owner's alone.
pub fn make_sandbox(path: &Path) -> std::io::Result<()> {
    make_directories(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// The wanted directory, made or as it is; what is in it is this user's alone, whatever its own mode.
fn make_lasting(path: &Path) -> std::io::Result<PathBuf> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    make_directories(path)?;
    let path = path.canonicalize()?;
    let found = open_directory(&path)?.metadata()?;
    // Whoever may rename what is in it could put something else there.
    if found.mode() & 0o002 != 0 && found.mode() & libc::S_ISVTX == 0 {
        return Err(IoError::other("everyone may write to it: expected a directory that only its owner may write to"));
    }
    if found.uid() != 0 {
        expect_own(&found)?;
    }
    let agents = agents(&path);
    make_directories(&agents)?;
    let agents = open_directory(&agents)?;
    expect_own(&agents.metadata()?)?;
    agents.set_permissions(Permissions::from_mode(mode()))?;
    Ok(path)
}

fn open_directory(path: &Path) -> std::io::Result<File> {
    let opened = File::options().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(path);
    opened.map_err(|e| match e.kind() {
        ErrorKind::NotADirectory => {
            IoError::other(format!("{} is something else: expected a directory", path.display()))
        }
        _ => e,
    })
}

fn expect_own(found: &fs::Metadata) -> std::io::Result<()> {
    let me = nix::unistd::geteuid().as_raw();
    if found.uid() == me {
        return Ok(());
    }
    Err(IoError::other(format!("it belongs to user {}: expected a directory of user {me}", found.uid())))
}

/// A directory of a new name, locked.
fn make_temporary(parent: &Path) -> std::io::Result<(PathBuf, Flock<File>)> {
    fs::create_dir_all(parent)?;
    let parent = parent.canonicalize()?;
    loop {
        let path = parent.join(format!("{PREFIX}{}", crate::clock::uuid()));
        DirBuilder::new().mode(mode()).create(&path)?;
        let file = File::options().create_new(true).write(true).open(path.join(LOCK))?;
        let made = file.metadata()?.ino();
        // Another cluster may have taken it for a stale one before it was locked.
        if let Ok(lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            && fs::metadata(path.join(LOCK)).is_ok_and(|there| there.ino() == made)
        {
            return Ok((path, lock));
        }
    }
}

/// A process that removes a directory when this one is gone, which its standard input tells it.
fn start_remover(path: &Path) -> Option<Child> {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(REMOVER).arg(path).current_dir("/").env("PATH", "/usr/bin:/bin");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // What is sent to the process group or the session of this process is not meant for it.
    // SAFETY: setsid is async-signal-safe.
    unsafe { command.pre_exec(|| Ok(nix::unistd::setsid().map(drop)?)) };
    command
        .spawn()
        .inspect_err(|e| tracing::warn!("{} will stay if this process gets SIGKILL: {e}", path.display()))
        .ok()
}

/// Removes the temporary directories of this user that no cluster has locked.
fn remove_stale(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let ours = |found: fs::Metadata| found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw();
        if entry.metadata().is_ok_and(ours)
            && let Some(_lock) = lock_of_stale(&entry.path())
        {
            tracing::debug!("Removing {}, which a cluster left that was killed", entry.path().display());
            // Another cluster may remove it too.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The lock of a directory, if it has one that is free.
fn lock_of_stale(path: &Path) -> Option<Flock<File>> {
    let file = File::options().write(true).custom_flags(libc::O_NOFOLLOW).open(path.join(LOCK)).ok()?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()
}

/// Removes a directory; a large one in the background.
pub fn remove(path: &Path) -> std::io::Result<()> {
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn only_directories_whose_lock_is_free_are_stale() {
        let parent = std::env::temp_dir().join(format!("test-of-stale-{}", crate::clock::uuid()));
        let (used, _lock) = make_temporary(&parent).unwrap();
        let (left, lock) = make_temporary(&parent).unwrap();
        drop(lock);
        let strange = parent.join(format!("{PREFIX}without-a-lock"));
        fs::create_dir(&strange).unwrap();
        remove_stale(&parent);
        assert!(used.exists() && !left.exists() && strange.exists());
        fs::remove_dir_all(parent).unwrap();
    }
}
