//! What the states of tasks mean.

use crate::proto::v1;

/// Whether a task in this state is over (`src/common/protobuf_utils.cpp`, `isTerminalState`).
pub fn is_terminal(state: v1::TaskState) -> bool {
    use v1::TaskState::*;
    matches!(
        state,
        TaskFinished | TaskFailed | TaskKilled | TaskLost | TaskError | TaskDropped | TaskGone | TaskGoneByOperator
    )
}
