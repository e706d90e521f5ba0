//! The one error type of the crate. Opaque: callers ask its predicates, and never match on its text.

use std::fmt;
use std::sync::Arc;

/// What a function of this crate returns if it can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of remesos; the predicates tell its kind, `Display` tells a person what was wrong and what was expected, and
/// `source` is the error that is behind it, whose text `Display` ends with.
#[derive(Debug, Clone)]
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    InvalidArgument,
    Protocol,
    Connection,
    TimedOut,
    Authentication,
    Refused,
    AddressInUse,
    Cluster,
    Bug,
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

    /// There was no answer in time.
    pub fn timed_out(message: impl fmt::Display) -> Self {
        Self::new(Kind::TimedOut, message)
    }

    /// The peer does not take us for who we say we are.
    pub fn authentication(message: impl fmt::Display) -> Self {
        Self::new(Kind::Authentication, message)
    }

    /// The peer does not do what it was asked.
    pub fn refused(message: impl fmt::Display) -> Self {
        Self::new(Kind::Refused, message)
    }

    /// The port to listen on is taken.
    pub fn address_in_use(message: impl fmt::Display) -> Self {
        Self::new(Kind::AddressInUse, message)
    }

    /// The embedded cluster cannot do its work.
    pub fn cluster(message: impl fmt::Display) -> Self {
        Self::new(Kind::Cluster, message)
    }

    /// Something happened that cannot happen.
    pub fn bug(message: impl fmt::Display) -> Self {
        Self::new(Kind::Bug, message)
    }

    /// Names the error behind this one, whose text is added.
    #[must_use]
    pub fn caused_by(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }

    /// Whether a value from outside was at fault.
    pub fn is_invalid_argument(&self) -> bool {
        self.kind == Kind::InvalidArgument
    }

    /// Whether the peer sent what cannot be understood.
    pub fn is_protocol(&self) -> bool {
        self.kind == Kind::Protocol
    }

    /// Whether a connection could not be made, or broke.
    pub fn is_connection(&self) -> bool {
        self.kind == Kind::Connection
    }

    /// Whether there was no answer in time.
    pub fn is_timed_out(&self) -> bool {
        self.kind == Kind::TimedOut
    }

    /// Whether the peer did not take us for who we say we are.
    pub fn is_authentication(&self) -> bool {
        self.kind == Kind::Authentication
    }

    /// Whether the peer did not do what it was asked.
    pub fn is_refused(&self) -> bool {
        self.kind == Kind::Refused
    }

    /// Whether the port to listen on was taken.
    pub fn is_address_in_use(&self) -> bool {
        self.kind == Kind::AddressInUse
    }

    /// Whether the embedded cluster failed, a taken port included.
    pub fn is_cluster(&self) -> bool {
        matches!(self.kind, Kind::Cluster | Kind::AddressInUse)
    }

    /// Whether it is remesos that is at fault.
    pub fn is_bug(&self) -> bool {
        self.kind == Kind::Bug
    }

    fn new(kind: Kind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string(), source: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.source.as_ref().map_or(Ok(()), |source| write!(f, ": {source}"))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}

/// Errors of the same kind that tell the same.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.to_string() == other.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn an_error_tells_and_keeps_what_is_behind_it() {
        let error = Error::connection("cannot connect").caused_by(std::io::Error::other("no route"));
        assert_eq!(error.to_string(), "cannot connect: no route");
        let source = error.source().expect("the error behind it");
        assert!(source.downcast_ref::<std::io::Error>().is_some(), "{source:?}");
        let outer = Error::invalid("the value cannot be used").caused_by(error);
        assert_eq!(outer.to_string(), "the value cannot be used: cannot connect: no route");
        assert!(outer.is_invalid_argument() && !outer.is_connection());
        let inner = outer.source().and_then(|inner| inner.downcast_ref::<Error>()).expect("an error of this crate");
        assert!(inner.is_connection());
    }
}
