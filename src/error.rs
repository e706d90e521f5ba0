//! The one error type of the crate. Opaque: callers ask its predicates, and never match on its text.

use std::fmt;

/// What a function of this crate returns where it can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of remesos; the predicates tell its kind, `Display` tells a person what was wrong and what was expected.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: Kind,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    InvalidArgument,
    Protocol,
    Connection,
    AddressInUse,
    Cluster,
}

impl Error {
    /// A value that came from outside cannot be used.
    pub fn invalid(message: impl fmt::Display) -> Self {
        Self::new(Kind::InvalidArgument, message)
    }

    /// The peer broke the protocol.
    pub fn protocol(message: impl fmt::Display) -> Self {
        Self::new(Kind::Protocol, message)
    }

    /// A connection could not be made, or broke.
    pub fn connection(message: impl fmt::Display) -> Self {
        Self::new(Kind::Connection, message)
    }

    /// The port to listen on is taken.
    pub fn address_in_use(message: impl fmt::Display) -> Self {
        Self::new(Kind::AddressInUse, message)
    }

    /// The embedded cluster cannot do its work.
    pub fn cluster(message: impl fmt::Display) -> Self {
        Self::new(Kind::Cluster, message)
    }

    /// Whether a value from outside was at fault.
    pub fn is_invalid_argument(&self) -> bool {
        self.kind == Kind::InvalidArgument
    }

    /// Whether the port to listen on was taken.
    pub fn is_address_in_use(&self) -> bool {
        self.kind == Kind::AddressInUse
    }

    /// Whether the embedded cluster failed, a taken port included.
    pub fn is_cluster(&self) -> bool {
        matches!(self.kind, Kind::Cluster | Kind::AddressInUse)
    }

    fn new(kind: Kind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string() }
    }
}
