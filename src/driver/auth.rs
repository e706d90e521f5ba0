//! Who we are towards the master: HTTP Basic from a credential, and TLS.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::{Error, Result};

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

/// Whether clusters of this environment speak TLS by default (`LIBPROCESS_SSL_ENABLED`, `docs/ssl.md`).
pub fn tls_by_default() -> bool {
    matches!(std::env::var("LIBPROCESS_SSL_ENABLED").as_deref(), Ok("1" | "true"))
}

/// A TLS connector that trusts `LIBPROCESS_SSL_CA_FILE` where it is set, else the system's authorities.
///
/// Fails where that file cannot be read or holds no certificate.
pub fn tls_connector() -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    match std::env::var_os("LIBPROCESS_SSL_CA_FILE") {
        Some(file) => add_file(&mut roots, Path::new(&file))?,
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::invalid(format!("TLS cannot be set up: {e}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn add_file(roots: &mut RootCertStore, file: &Path) -> Result<()> {
    let bad = |why: &dyn fmt::Display| {
        Error::invalid(format!("LIBPROCESS_SSL_CA_FILE={}: expected PEM certificates: {why}", file.display()))
    };
    let certificates: Vec<CertificateDer> = CertificateDer::pem_file_iter(file)
        .map_err(|e| bad(&e))?
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| bad(&e))?;
    if roots.add_parsable_certificates(certificates).0 == 0 {
        return Err(bad(&"it holds none"));
    }
    Ok(())
}
