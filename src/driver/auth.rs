//! Who we are: HTTP Basic from a credential towards a master, a bearer token towards an agent.

use std::fmt;

use base64::Engine;

/// A principal and its secret (`mesos.Credential`). `Debug` does not show the secret.
///
/// ```
/// use remesos::driver::Credential;
///
/// let credential = Credential { principal: "alice".to_owned(), secret: "secret".to_owned() };
/// assert_eq!(credential.authorization().header(), "Basic YWxpY2U6c2VjcmV0");
/// assert_eq!(format!("{credential:?}"), r#"Credential { principal: "alice", .. }"#);
/// ```
#[derive(Clone)]
pub struct Credential {
    /// The name of the user or framework.
    pub principal: String,
    /// The password.
    pub secret: String,
}

impl Credential {
    /// Returns the authorization to send with every request.
    pub fn authorization(&self) -> Authorization {
        Authorization::Basic(self.clone())
    }
}

/// What a request proves who we are with.
#[derive(Clone)]
pub enum Authorization {
    /// The v1 scheduler API takes HTTP Basic (`docs/authentication.md`).
    Basic(Credential),
    /// The token that an agent gave its executor (`MESOS_EXECUTOR_AUTHENTICATION_TOKEN`).
    Bearer(String),
}

impl Authorization {
    /// The value of the `Authorization` header.
    pub fn header(&self) -> String {
        match self {
            Self::Basic(Credential { principal, secret }) => {
                format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{principal}:{secret}")))
            }
            Self::Bearer(token) => format!("Bearer {token}"),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("principal", &self.principal).finish_non_exhaustive()
    }
}
