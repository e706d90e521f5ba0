//! Why something that came from outside is not taken.

/// What is wrong with a call, a task, a resource or a name, in words for whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    /// Says what is wrong.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }

    /// `Ok` if what has to hold holds.
    pub fn unless(holds: bool, why: impl Into<String>) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::new(why)) }
    }
}

/// A request that is refused: the status and the body of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status of HTTP.
    pub status: u16,
    /// The body, for people.
    pub message: String,
}

impl Refusal {
    /// An answer with this status and body.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

impl From<Invalid> for crate::Error {
    fn from(why: Invalid) -> Self {
        Self::invalid(why)
    }
}
