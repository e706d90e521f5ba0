//! What a reaper tells the cluster, on the container's socket.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// What a reaper tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The command runs: the process ids of the container's first process and of the reaper.
    Started { first: i32, reaper: i32 },
    /// The command could not be run, and the number of the error.
    Failed(Step, i32),
    /// All processes of the container are gone: the status of the first, as wait(2) gives it.
    Ended(i32),
}

/// At what a container could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Fork,
    Session,
    Directory,
    User,
    Output,
    Execute,
}

/// All, each at its number.
const STEPS: [Step; 6] = [Step::Fork, Step::Session, Step::Directory, Step::User, Step::Output, Step::Execute];

impl Step {
    pub fn of_number(number: usize) -> Option<Self> {
        STEPS.get(number).copied()
    }
}

const STARTED: i32 = 1;
const FAILED: i32 = 2;
const ENDED: i32 = 3;

type Words = [i32; 3];

impl Report {
    /// How it travels.
    fn words(self) -> Words {
        match self {
            Self::Started { first, reaper } => [STARTED, first, reaper],
            Self::Failed(step, error) => [FAILED, step as i32, error],
            Self::Ended(status) => [ENDED, status, 0],
        }
    }

    fn from_words(words: Words) -> Option<Self> {
        match words {
            [STARTED, first, reaper] => Some(Self::Started { first, reaper }),
            [FAILED, step, error] => Some(Self::Failed(Step::of_number(usize::try_from(step).ok()?)?, error)),
            [ENDED, status, _] => Some(Self::Ended(status)),
            _ => None,
        }
    }

    /// Sends it on a socket. Async-signal-safe. Nobody listens if the cluster is gone.
    pub unsafe fn send(self, socket: i32) {
        let words = self.words();
        // SAFETY: the buffer outlives the call.
        unsafe { libc::send(socket, words.as_ptr().cast(), size_of_val(&words), libc::MSG_NOSIGNAL) };
    }

    /// Receives the next one.
    ///
    /// Fails with `UnexpectedEof` if the reaper is gone.
    pub async fn receive(socket: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        // Read at once, so that nothing is lost if this is cancelled.
        let mut bytes = [0; size_of::<Words>()];
        socket.read_exact(&mut bytes).await?;
        let (words, _) = bytes.as_chunks::<4>();
        let words: Words = std::array::from_fn(|at| i32::from_ne_bytes(words[at]));
        Self::from_words(words).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests {
    use super::{Report, STEPS};

    #[test]
    fn reports_arrive_as_they_were_sent() {
        let failures = STEPS.map(|step| Report::Failed(step, 2));
        for report in [Report::Started { first: 7, reaper: 6 }, Report::Ended(256)].into_iter().chain(failures) {
            assert_eq!(Report::from_words(report.words()), Some(report));
        }
        assert_eq!(Report::from_words([9, 0, 0]), None);
        assert_eq!(Report::from_words([2, 99, 0]), None);
    }
}
