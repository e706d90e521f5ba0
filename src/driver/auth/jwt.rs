//! JSON Web Tokens, as far as a client needs them: to sign one, and to read when one expires.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::Value;
use tokio_rustls::rustls::SignatureScheme;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::sign::SigningKey;

use crate::{Error, Result};

/// A private RSA key.
pub struct RsaKey(Arc<dyn SigningKey>);

impl RsaKey {
    /// Reads a key in PEM, PKCS #1 or PKCS #8.
    ///
    /// Fails if it is none, is encrypted, or is too short; the error does not show it.
    pub fn from_pem(pem: &str) -> Result<Self> {
        let bad = |why: &str| Error::invalid(format!("expected an RSA private key in PEM, without a password{why}"));
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| bad(""))?;
        let key = ring::sign::any_supported_type(&der).map_err(|_| bad(", of 2048 to 8192 bits"))?;
        let key = Self(key);
        key.sign(b"").map(|_| key)
    }

    /// A token with these claims, signed with RS256 (RFC 7518, section 3.3).
    ///
    /// Fails if the key is not an RSA key.
    pub fn token(&self, claims: &Value) -> Result<String> {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = URL_SAFE_NO_PAD.encode(self.sign(signed.as_bytes())?);
        Ok(format!("{signed}.{signature}"))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let signer = self.0.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]);
        let signer = signer.ok_or_else(|| Error::invalid("expected an RSA private key, got one of another kind"))?;
        signer.sign(message).map_err(|e| Error::invalid("the private key cannot sign").caused_by(e))
    }
}

/// When a token expires, in seconds since the epoch: its claim `exp`. `None` if it is not a JSON Web Token, or has none.
/// Its signature is for the master to verify.
pub fn expires(token: &str) -> Option<f64> {
    let mut parts = token.trim().split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    let claims = URL_SAFE_NO_PAD.decode(claims).or_else(|_| URL_SAFE.decode(claims)).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims.get("exp")?.as_f64().filter(|at| at.is_finite() && parts.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_at_which_a_token_expires_is_read_from_it() {
        let token = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(expires(&token(r#"{"exp": 1800000000}"#)), Some(1_800_000_000.0));
        assert_eq!(expires(&token(r#"{"exp": 1.5, "uid": "a"}"#)), Some(1.5));
        for other in ["secret", "a.b.c", "", &token("{}"), &token(r#"{"exp": "soon"}"#), "a.b.c.d"] {
            assert_eq!(expires(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        for bad in ["hidden", "-----BEGIN PRIVATE KEY-----\naGlkZGVu\n-----END PRIVATE KEY-----\n"] {
            let error = RsaKey::from_pem(bad).err().expect("no key").to_string();
            assert!(error.contains("RSA private key") && !error.contains("hidden"), "{error}");
            assert!(!error.contains("aGlkZGVu"), "{error}");
        }
    }
}
