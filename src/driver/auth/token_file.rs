//! A bearer token in a file, which somebody else renews.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{Authenticate, Header};
use crate::{Error, Result};

/// The file is looked at this often: what renews it tells nobody.
const PERIOD: Duration = Duration::from_secs(5);
/// No token is longer than this, in bytes.
const LENGTH_MAX: u64 = 64 << 10;

/// A bearer token in a file. It is read again when it was refused, before it expires if it is a JSON Web Token, and every
/// few seconds.
///
/// ```
/// use remesos::driver::{Authenticate, TokenFile};
///
/// assert_eq!(TokenFile::new("/run/token".into()).identity(), "the token in '/run/token'");
/// ```
#[derive(Debug, Clone)]
pub struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    /// The file at this path, which is not read yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    async fn read(&self) -> Result<Header> {
        use tokio::io::AsyncReadExt;

        let failed = |e: std::io::Error| Error::connection("it cannot be read").caused_by(e);
        let mut token = Vec::new();
        let file = tokio::fs::File::open(&self.path).await.map_err(failed)?;
        file.take(LENGTH_MAX).read_to_end(&mut token).await.map_err(failed)?;
        let token = String::from_utf8(token).ok();
        let token = token.as_deref().map(str::trim).filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| Error::connection("expected a token, on one line"))?;
        Ok(Header::new(format!("Bearer {token}")))
    }
}

impl Authenticate for TokenFile {
    fn identity(&self) -> String {
        format!("the token in '{}'", self.path.display())
    }

    fn period(&self) -> Option<Duration> {
        Some(PERIOD)
    }

    fn header(&self, _refused: bool) -> BoxFuture<'_, Result<Header>> {
        Box::pin(self.read())
    }
}
