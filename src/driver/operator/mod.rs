//! The operator API of a master or an agent: requests, streams of records, and a subscription to the events of the leading
//! master.

mod answerable;
mod exchange;
mod pending;
mod request;
mod requests;
mod stream;
mod subscription;

pub use pending::Pending;
pub use request::{Answer, Request, Within};
pub use requests::Operator;
pub use stream::Stream;
pub use subscription::Subscription;

use super::auth::Authentication;
use super::detector;

/// Whom an operator talks to. `Debug` shows no password.
///
/// ```
/// use remesos::driver::operator::Options;
///
/// let options = Options { daemon: "zk://user:secret@localhost:2181/mesos".to_owned(), authentication: None };
/// assert!(!format!("{options:?}").contains("secret"));
/// ```
#[derive(Clone)]
pub struct Options {
    /// A master string, see [`MasterUri::parse`](detector::MasterUri::parse), or the address of an agent.
    pub daemon: String,
    /// How the operator authenticates.
    pub authentication: Option<Authentication>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let daemon = detector::redacted(&self.daemon);
        f.debug_struct("Options").field("daemon", &daemon).finish_non_exhaustive()
    }
}
