//! Who we are: the `Authorization` header of every request, and where it comes from.
//!
//! Some headers never change: HTTP Basic towards a master, the token that an agent gives its executor. Others expire, and
//! [`Renewal`] asks what makes them for the next one.

mod jwt;
mod renewal;
mod service_account;
mod token_file;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use futures_util::future::BoxFuture;
use hyper::header::HeaderValue;

use self::renewal::Renewal;
use crate::clock::Clock;
use crate::{Error, Result};

pub use service_account::ServiceAccount;
pub use token_file::TokenFile;

/// A principal and its secret (`mesos.Credential`). `Debug` does not show the secret.
///
/// ```
/// use remesos::driver::{Authentication, Credential};
///
/// let credential = Credential { principal: "alice".to_owned(), secret: "secret".to_owned() };
/// assert_eq!(format!("{credential:?}"), r#"Credential { principal: "alice", .. }"#);
/// assert_eq!(Authentication::Basic(credential).identity(), "principal 'alice'");
/// ```
#[derive(Clone)]
pub struct Credential {
    /// The name of the user or framework.
    pub principal: String,
    /// The password.
    pub secret: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("principal", &self.principal).finish_non_exhaustive()
    }
}

/// How a framework authenticates to the master. `Debug` shows no secret.
///
/// ```
/// use remesos::driver::Authentication;
///
/// let fixed = Authentication::Header("token=secret".to_owned());
/// assert_eq!(fixed.identity(), "an Authorization header that was given");
/// assert!(!format!("{fixed:?}").contains("secret"));
/// ```
#[derive(Clone)]
pub enum Authentication {
    /// HTTP Basic, which Mesos' own authenticator takes (`docs/authentication.md` of Mesos).
    Basic(Credential),
    /// This value of the header, whatever happens.
    Header(String),
    /// Headers that are asked for when they are needed.
    Renewed(Arc<dyn Authenticate>),
}

impl Authentication {
    /// Returns who authenticates, for messages to people. Holds no secret.
    pub fn identity(&self) -> String {
        match self {
            Self::Basic(credential) => format!("principal '{}'", credential.principal),
            Self::Header(_) => "an Authorization header that was given".to_owned(),
            Self::Renewed(source) => source.identity(),
        }
    }

    /// Returns the principal that the master will find, if it is known.
    pub fn principal(&self) -> Option<&str> {
        match self {
            Self::Basic(credential) => Some(&credential.principal),
            Self::Header(_) => None,
            Self::Renewed(source) => source.principal(),
        }
    }

    /// Returns what the requests of one driver ask for their header.
    ///
    /// Fails if the value cannot be a header.
    pub(super) fn authorization(&self, clock: Clock) -> Result<Authorization> {
        match self {
            Self::Basic(Credential { principal, secret }) => {
                let pair = base64::engine::general_purpose::STANDARD.encode(format!("{principal}:{secret}"));
                Authorization::fixed(&format!("Basic {pair}"))
            }
            Self::Header(value) => Authorization::fixed(value),
            Self::Renewed(source) => Ok(Authorization::Renewed(Arc::new(Renewal::new(source.clone(), clock)))),
        }
    }
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authentication").field(&self.identity()).finish()
    }
}

/// Makes `Authorization` headers. A driver asks before its first request, before a header expires, and once when the
/// master has answered 401.
///
/// ```
/// use std::sync::Arc;
///
/// use futures_util::future::BoxFuture;
/// use remesos::driver::{Authenticate, Authentication, Header};
///
/// struct Counter(std::sync::atomic::AtomicU32);
///
/// impl Authenticate for Counter {
///     fn identity(&self) -> String {
///         "the counter".to_owned()
///     }
///
///     fn header(&self, _refused: bool) -> BoxFuture<'_, remesos::Result<Header>> {
///         let number = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
///         Box::pin(async move { Ok(Header::new(format!("Bearer {number}"))) })
///     }
/// }
///
/// let authentication = Authentication::Renewed(Arc::new(Counter(0.into())));
/// assert_eq!(authentication.identity(), "the counter");
/// ```
pub trait Authenticate: Send + Sync + 'static {
    /// Returns who authenticates, for messages to people. Holds no secret.
    fn identity(&self) -> String;

    /// Returns the principal that the master will find, if it is known.
    fn principal(&self) -> Option<&str> {
        None
    }

    /// Returns how often to ask, though nothing expires; `None` if there is no point.
    fn period(&self) -> Option<Duration> {
        None
    }

    /// Makes a header. `refused` tells that the master answered 401 to the one before. Not asked again before it has
    /// answered; it may take its time, and its future may be dropped.
    ///
    /// An error for which [`Error::is_authentication`] is true ends the driver if it is asked for a subscription; after
    /// any other it is asked again later.
    fn header(&self, refused: bool) -> BoxFuture<'_, Result<Header>>;
}

/// The value of an `Authorization` header. `Debug` does not show it.
///
/// ```
/// use remesos::driver::Header;
///
/// let header = Header::new("Bearer secret").expiring(1_800_000_000.0);
/// assert_eq!(format!("{header:?}"), "Header { expires: Some(1800000000.0), .. }");
/// ```
#[derive(Clone)]
pub struct Header {
    value: String,
    expires: Option<f64>,
}

impl Header {
    /// A header that expires if it ends with a JSON Web Token that does.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), expires: None }
    }

    /// Returns the value, which is a secret.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns when it expires, in seconds since the epoch, if that is known.
    pub fn expires(&self) -> Option<f64> {
        let token = self.value.rsplit([' ', '=']).next().unwrap_or_default();
        self.expires.or_else(|| jwt::expires(token))
    }

    /// Sets when it expires, in seconds since the epoch.
    #[must_use]
    pub fn expiring(self, at: impl Into<Option<f64>>) -> Self {
        Self { expires: at.into(), ..self }
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// A header in use, and which of its driver's it is.
#[derive(Clone)]
pub struct Shown {
    pub value: HeaderValue,
    pub number: u64,
}

/// What the requests of one driver ask for their header. Clones share what is known.
#[derive(Clone)]
pub enum Authorization {
    Fixed(Shown),
    Renewed(Arc<Renewal>),
}

impl Authorization {
    /// A bearer token that does not change.
    ///
    /// Fails if it cannot be part of a header.
    pub fn bearer(token: &str) -> Result<Self> {
        Self::fixed(&format!("Bearer {token}"))
    }

    fn fixed(value: &str) -> Result<Self> {
        Ok(Self::Fixed(Shown { value: header_value(value)?, number: 0 }))
    }

    /// The header to send, asked for if there is none that the master may take.
    ///
    /// Fails if none is given; with an authentication error if none will ever be.
    pub async fn header(&self) -> Result<Shown> {
        match self {
            Self::Fixed(shown) => Ok(shown.clone()),
            Self::Renewed(renewal) => renewal.header().await,
        }
    }

    /// The last header that was made, if it is not `known` already.
    pub fn newest(&self, known: Option<u64>) -> Option<Shown> {
        let shown = match self {
            Self::Fixed(shown) => Some(shown.clone()),
            Self::Renewed(renewal) => renewal.newest(),
        };
        shown.filter(|shown| Some(shown.number) != known)
    }

    /// The master answered 401 to the header with this number. Returns whether to ask for another, and try again: not if
    /// it is always the same, or is the second in a row.
    pub fn refused(&self, number: u64) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Renewed(renewal) => renewal.refused(number),
        }
    }

    /// The master took the last header.
    pub fn accepted(&self) {
        if let Self::Renewed(renewal) = self {
            renewal.accepted();
        }
    }

    /// Whether another header may be given after one was refused.
    pub fn renews(&self) -> bool {
        matches!(self, Self::Renewed(_))
    }
}

/// The value of a header, shown in no log.
fn header_value(value: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        Error::invalid(
            "the Authorization header is not valid: expected visible characters on one line (it is not shown)",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}
