//! The protocol as state machines without IO: no socket, no clock, no thread.
//!
//! `handle_input(now, input)` takes in what happened, `poll_output()` gives out what to do, `poll_timeout()` says when
//! to call again at the latest. So every failure can be replayed in virtual time. The shape is that of
//! `quinn-proto`'s `Connection`.

pub mod backoff;
pub mod framework;
pub mod scheduler;

use std::fmt;

/// A master that can be talked to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Master {
    /// Whether it is reached over TLS.
    pub tls: bool,
    /// Host name or address; IPv6 without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Master {
    /// `host:port`, as the Host header and logs write it.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }
}
