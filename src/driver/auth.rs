//! Who we are towards the master: HTTP Basic from a credential.

use std::fmt;

use base64::Engine;

/// A principal and its secret (`mesos.Credential`). The secret is in no `Debug` output.
#[derive(Clone)]
pub struct Credential {
    /// Who it is.
    pub principal: String,
    /// What proves it.
    pub secret: String,
}

impl Credential {
    /// The value of the `Authorization` header: the v1 API takes HTTP Basic (`docs/authentication.md`).
    pub fn header(&self) -> String {
        let pair = format!("{}:{}", self.principal, self.secret);
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("principal", &self.principal).finish_non_exhaustive()
    }
}
