//! What is shown of a task outside of the cluster's thread.

use std::path::PathBuf;

use crate::proto::v1;

/// A task, for those who follow its output.
#[derive(Debug, Clone)]
pub struct TaskView {
    /// The framework's name.
    pub framework: String,
    /// The task's id.
    pub id: String,
    /// The last state that its executor reported.
    pub state: v1::TaskState,
    /// Where its `stdout` and `stderr` are.
    pub sandbox: PathBuf,
}
