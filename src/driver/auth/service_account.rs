//! Service accounts of DC/OS: a token that is signed with the account's key is exchanged for one that the cluster takes.
//! Follows DC/OS' documentation of its Identity and Access Management, "Service login token".

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::{Value, json};

use super::jwt::RsaKey;
use super::{Authenticate, Header};
use crate::driver::detector::redacted;
use crate::driver::root_cause::RootCause;
use crate::driver::tls::{self, Trust};
use crate::wire::duration::Period;
use crate::{Error, Result, clock};

/// A login token is good for so many seconds.
const LOGIN_TOKEN_LIFE: f64 = 300.0;
/// A login takes at most this; a request waits for its header a little longer.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(8);
/// No more of an answer is read, in bytes, and no more of a refusal is shown, in characters.
const ANSWER_MAX: usize = 64 << 10;
const SHOWN_MAX: usize = 200;

/// A service account of DC/OS. `Debug` does not show its key.
///
/// ```
/// use remesos::driver::{ServiceAccount, Trust};
///
/// let error = ServiceAccount::new("svc", "no key", "https://leader.mesos/acs/api/v1/auth/login", Trust::default())
///     .expect_err("a key is needed");
/// assert_eq!(error.to_string(), "expected an RSA private key in PEM, without a password");
/// ```
pub struct ServiceAccount {
    uid: String,
    key: RsaKey,
    endpoint: Url,
    trust: Trust,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount").field("uid", &self.uid).finish_non_exhaustive()
    }
}

impl ServiceAccount {
    /// An account with this id and private key in PEM, which logs in at this URL.
    ///
    /// Fails if the key is not an RSA key, or the URL is not one of HTTP.
    pub fn new(uid: &str, private_key: &str, login_endpoint: &str, trust: Trust) -> Result<Self> {
        let bad = || {
            Error::invalid("expected the http(s) URL of the login, such as https://leader.mesos/acs/api/v1/auth/login")
        };
        let endpoint = Url::parse(login_endpoint).map_err(|_| bad())?;
        if !matches!(endpoint.scheme(), "http" | "https") || !endpoint.has_host() {
            return Err(bad());
        }
        Ok(Self { uid: uid.to_owned(), key: RsaKey::from_pem(private_key)?, endpoint, trust })
    }

    /// The URL of the login, without a password.
    fn shown_endpoint(&self) -> String {
        redacted(self.endpoint.as_str())
    }

    async fn log_in(&self) -> Result<Header> {
        let failed = |e: reqwest::Error| {
            Error::connection(format!("the login at {} failed", self.shown_endpoint())).caused_by(RootCause(e))
        };
        let expires = Period::from_seconds(clock::timestamp() + LOGIN_TOKEN_LIFE).unwrap_or_default();
        let token = self.key.token(&json!({"uid": self.uid, "exp": Duration::from(expires).as_secs()}))?;
        // A redirect would give the token to somebody else.
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(LOGIN_TIMEOUT);
        let client = client.use_preconfigured_tls(tls::config(&self.trust, None)?).build().map_err(failed)?;
        let body = json!({"uid": self.uid, "token": token}).to_string();
        let request = client.post(self.endpoint.clone()).header("Content-Type", "application/json").body(body);
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        let answer = read(response).await.map_err(failed)?;
        if status != StatusCode::OK {
            return Err(self.refusal(status, &answer, &token));
        }
        let token = answer.get("token").and_then(Value::as_str).ok_or_else(|| {
            Error::connection(format!("the login at {} answered without a token", self.shown_endpoint()))
        })?;
        Ok(Header::new(format!("token={token}")))
    }

    /// The account is not known, or has another key: that does not change by itself.
    fn refusal(&self, status: StatusCode, answer: &Value, token: &str) -> Error {
        let why = ["description", "title"].iter().find_map(|name| answer.get(name)?.as_str()).unwrap_or_default();
        let why: String = why.replace(token, "...").chars().take(SHOWN_MAX).collect();
        let why = if why.is_empty() { why } else { format!(": {why}") };
        let text = format!("the login at {} was refused: HTTP {status}{why}", self.shown_endpoint());
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::authentication(text),
            _ => Error::connection(text),
        }
    }
}

/// A body in JSON; null if it is none.
async fn read(mut response: Response) -> reqwest::Result<Value> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_MAX {
            break;
        }
    }
    Ok(serde_json::from_slice(&body).unwrap_or_default())
}

impl Authenticate for ServiceAccount {
    fn identity(&self) -> String {
        format!("service account '{}'", self.uid)
    }

    fn principal(&self) -> Option<&str> {
        Some(&self.uid)
    }

    fn header(&self, _refused: bool) -> BoxFuture<'_, Result<Header>> {
        Box::pin(self.log_in())
    }
}
