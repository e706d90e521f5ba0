//! Logs the tasks that failed: why, where their sandboxes are, and what they wrote to stderr last. May read these files.

use std::collections::VecDeque;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::cluster::view::TaskView;
use super::keep::Failed;
use crate::proto::v1;
use crate::proto::v1::TaskState;
use crate::proto::v1::task_status::Reason;

/// So much of the end of stderr is shown.
const LINES: usize = 10;
const BYTES: u64 = 4096;
/// Updates that are remembered, since they are repeated until they are acknowledged.
const REMEMBERED: usize = 1000;

/// Which failures were told.
#[derive(Debug, Default)]
pub struct Failures {
    told: VecDeque<Vec<u8>>,
    /// Whether the end of stderr is told, which somebody may show anyway.
    shows_stderr: bool,
    failed: Failed,
}

impl Failures {
    /// Tells of failures, and adds them to those whose sandboxes may be kept.
    pub fn new(shows_stderr: bool, failed: Failed) -> Self {
        Self { shows_stderr, failed, ..Self::default() }
    }

    /// Logs an update that goes to a framework if it tells of a failure, and did not go before. `find` gives the task,
    /// if an agent knows it.
    pub fn tell(&mut self, status: &v1::TaskStatus, find: impl FnOnce() -> Option<TaskView>) {
        if is_failure(status) && self.is_new(status.uuid()) {
            let task = find();
            tracing::warn!("{}", describe(status, task.as_ref(), self.shows_stderr));
            if let Some(task) = task {
                self.failed.add(&task.id, &task.sandbox);
            }
        }
    }

    /// What the master makes up has no uuid, and is not repeated.
    fn is_new(&mut self, uuid: &[u8]) -> bool {
        if uuid.is_empty() {
            return true;
        }
        if self.told.iter().any(|told| told == uuid) {
            return false;
        }
        self.told.push_back(uuid.to_vec());
        if self.told.len() > REMEMBERED {
            self.told.pop_front();
        }
        true
    }
}

/// Whether a task went wrong, and was not ended on somebody's demand. Answers to RECONCILE tell nothing new.
fn is_failure(status: &v1::TaskStatus) -> bool {
    use TaskState::{TaskDropped, TaskError, TaskFailed, TaskLost};
    matches!(status.state(), TaskFailed | TaskError | TaskLost | TaskDropped)
        && status.reason.is_none_or(|reason| reason != i32::from(Reason::Reconciliation))
}

fn describe(status: &v1::TaskStatus, task: Option<&TaskView>, shows_stderr: bool) -> String {
    let why = status.message.as_deref().unwrap_or("no reason was given");
    let said =
        format!("Task '{}' ended in {}: {}", plain(&status.task_id.value), status.state().as_str_name(), plain(why));
    let Some(task) = task else { return said };
    let (framework, sandbox) = (plain(&task.framework), task.sandbox.display());
    let said = format!("{said}. Framework: '{framework}', sandbox: {sandbox}");
    if !shows_stderr {
        return said;
    }
    match last_lines(&task.sandbox.join("stderr")) {
        lines if lines.is_empty() => format!("{said}, nothing on stderr"),
        lines => format!("{said}, stderr ends with:\n    {}", lines.join("\n    ")),
    }
}

/// The last lines of a file that a task writes; none if there is no such file.
fn last_lines(path: &Path) -> Vec<String> {
    let Ok((bytes, is_whole)) = tail(path) else { return Vec::new() };
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<&str> = text.lines().collect();
    if !is_whole && lines.len() > 1 {
        // Its beginning is missing.
        lines.remove(0);
    }
    lines.iter().skip(lines.len().saturating_sub(LINES)).map(|line| plain(line)).collect()
}

/// The end of a file, and whether that is all of it. A task may have put anything there: a pipe would be waited for
/// without end, and a link may lead anywhere.
fn tail(path: &Path) -> std::io::Result<(Vec<u8>, bool)> {
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
    let mut file = std::fs::File::options().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    let start = metadata.len().saturating_sub(BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes)?;
    Ok((bytes, start == 0))
}

/// Without what a terminal would obey, or a reader of the log take for another record.
fn plain(text: &str) -> String {
    let escaped = |c: char| if c.is_control() && c != '\t' { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(state: TaskState, uuid: u8) -> v1::TaskStatus {
        let uuid = Some(vec![uuid; 16]);
        v1::TaskStatus { state: state.into(), uuid, message: Some("why\nnot".to_owned()), ..Default::default() }
    }

    #[test]
    fn a_repeated_update_is_new_once() {
        let mut failures = Failures::default();
        assert!(failures.is_new(&[1; 16]) && failures.is_new(&[2; 16]));
        assert!(!failures.is_new(&[1; 16]));
        assert!(failures.is_new(&[]) && failures.is_new(&[]), "one of the master's own has no uuid");
        for n in 0..REMEMBERED {
            failures.is_new(&n.to_le_bytes());
        }
        assert_eq!(failures.told.len(), REMEMBERED);
    }

    #[test]
    fn only_what_went_wrong_is_a_failure() {
        use TaskState::*;
        for state in [TaskFailed, TaskError, TaskLost, TaskDropped] {
            assert!(is_failure(&update(state, 1)));
            let reason = Some(Reason::Reconciliation.into());
            assert!(!is_failure(&v1::TaskStatus { reason, ..update(state, 1) }));
        }
        for state in [TaskRunning, TaskFinished, TaskKilled, TaskGoneByOperator, TaskUnreachable] {
            assert!(!is_failure(&update(state, 1)));
        }
    }

    #[test]
    fn the_end_of_stderr_is_bounded_and_plain() {
        let directory = std::env::temp_dir().join(format!("remesos-failures-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&directory).expect("a directory");
        let path = directory.join("stderr");
        assert_eq!(last_lines(&path), Vec::<String>::new());
        std::fs::write(&path, b"one\n\x1b[2J\xff\ttwo\r\nthree").expect("written");
        assert_eq!(last_lines(&path), ["one", "\\u{1b}[2J\u{fffd}\ttwo", "three"]);
        let many: String = (0..1000).map(|n| format!("line {n}\n")).collect();
        std::fs::write(&path, many).expect("written");
        let shown = last_lines(&path);
        assert_eq!((shown.len(), shown[0].as_str(), shown[9].as_str()), (10, "line 990", "line 999"));
        std::fs::write(&path, "x".repeat(1 << 20)).expect("written");
        assert_eq!(last_lines(&path), ["x".repeat(4096)]);
        std::fs::remove_file(&path).expect("removed");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        assert_eq!(last_lines(&path), Vec::<String>::new(), "and is not waited for");
        std::fs::remove_dir_all(&directory).expect("removed");
    }

    #[test]
    fn a_failure_is_described_on_one_line_but_for_its_stderr() {
        let said = describe(&update(TaskState::TaskError, 1), None, true);
        assert_eq!(said, "Task '' ended in TASK_ERROR: why\\nnot");
    }
}
