//! TLS as the variables `LIBPROCESS_SSL_*` of a cluster set it up. Follows `docs/ssl.md` and
//! `3rdparty/libprocess/src/openssl.cpp`, but that the master's certificate is verified unless this is turned off.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, AlertDescription, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::{Error, Result};

const CA_FILE: &str = "LIBPROCESS_SSL_CA_FILE";
const CERT_FILE: &str = "LIBPROCESS_SSL_CERT_FILE";
const KEY_FILE: &str = "LIBPROCESS_SSL_KEY_FILE";

/// Whether clusters of this environment speak TLS by default (`LIBPROCESS_SSL_ENABLED`).
pub fn by_default() -> bool {
    matches!(std::env::var("LIBPROCESS_SSL_ENABLED").as_deref(), Ok("1" | "true"))
}

/// Whose certificates are trusted, instead of those that the variables `LIBPROCESS_SSL_*` name.
///
/// ```
/// use remesos::driver::Trust;
///
/// let trust = Trust { ca_file: Some("/etc/dcos/ca.pem".into()), ..Trust::default() };
/// assert_eq!(trust.verify, None);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trust {
    /// A file with certificates of authorities, in PEM.
    pub ca_file: Option<PathBuf>,
    /// Whether certificates are verified.
    pub verify: Option<bool>,
}

/// A TLS connector that trusts `LIBPROCESS_SSL_CA_FILE` if it is set, else the system's authorities, and shows the
/// certificate of `LIBPROCESS_SSL_CERT_FILE` and `_KEY_FILE` to a master that asks for one. With
/// `LIBPROCESS_SSL_VERIFY_SERVER_CERT=false` any certificate of a master is taken. A certificate may also be for
/// `other`, instead of the name that is connected to.
///
/// Fails if a file cannot be read or does not hold what it should, and if only one of the two is named.
pub fn connector(trust: &Trust, other: Option<ServerName<'static>>) -> Result<TlsConnector> {
    Ok(TlsConnector::from(Arc::new(config(trust, other)?)))
}

/// What [`connector`] connects with.
///
/// Fails as `connector` does.
pub fn config(trust: &Trust, other: Option<ServerName<'static>>) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let bad = |e: rustls::Error| Error::invalid("TLS cannot be set up").caused_by(e);
    let versions = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let versions = versions.map_err(bad)?;
    let trusting = if trust.verify.unwrap_or_else(verifies) {
        let roots = Arc::new(roots(trust.ca_file.as_deref())?);
        let usual = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
        let usual = usual.map_err(|e| Error::invalid("TLS cannot be set up").caused_by(e))?;
        versions.dangerous().with_custom_certificate_verifier(Arc::new(EitherName { usual, other }))
    } else {
        versions.dangerous().with_custom_certificate_verifier(Arc::new(AnyMaster { provider }))
    };
    match identity()? {
        Some((chain, key)) => trusting.with_client_auth_cert(chain, key).map_err(bad),
        None => Ok(trusting.with_no_client_auth()),
    }
}

/// An error of the handshake, with what may be behind it: Mesos' default suites have no ECDHE, which every suite here has
/// (`docs/ssl.md`).
#[derive(Debug, thiserror::Error)]
#[error("{0}{hint}", hint = hint(.0))]
pub struct Handshake(#[source] pub std::io::Error);

fn hint(error: &std::io::Error) -> &'static str {
    let refused = rustls::Error::AlertReceived(AlertDescription::HandshakeFailure);
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if inner == Some(&refused) {
        " (the master wants a certificate, or its LIBPROCESS_SSL_CIPHERS may hold only suites without ECDHE)"
    } else {
        ""
    }
}

/// Turned off by the one variable, or by its name before Mesos 1.9.
fn verifies() -> bool {
    let set = ["LIBPROCESS_SSL_VERIFY_SERVER_CERT", "LIBPROCESS_SSL_VERIFY_CERT"].map(std::env::var);
    let first = set.into_iter().find_map(|value| value.ok());
    !first.is_some_and(|value| matches!(value.as_str(), "0" | "false"))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let given = ca_file.map(|file| ("ca", file.to_owned()));
    match given.or_else(|| Some((CA_FILE, std::env::var_os(CA_FILE)?.into()))) {
        Some((name, file)) => {
            if roots.add_parsable_certificates(certificates(name, &file)?).0 == 0 {
                let none = rustls::pki_types::pem::Error::NoItemsFound;
                return Err(unusable(name, &file, "certificates").caused_by(none));
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(roots)
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity() -> Result<Option<Identity>> {
    let file = |name: &str| std::env::var_os(name).map(PathBuf::from);
    match (file(CERT_FILE), file(KEY_FILE)) {
        (Some(cert), Some(key)) => {
            let private = PrivateKeyDer::from_pem_file(&key);
            let private = private.map_err(|e| unusable(KEY_FILE, &key, "private key").caused_by(e))?;
            Ok(Some((certificates(CERT_FILE, &cert)?, private)))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(Error::invalid(format!("{CERT_FILE} is set and {KEY_FILE} is not: both are needed"))),
        (None, Some(_)) => Err(Error::invalid(format!("{KEY_FILE} is set and {CERT_FILE} is not: both are needed"))),
    }
}

fn certificates(variable: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bad = |e: rustls::pki_types::pem::Error| unusable(variable, file, "certificates").caused_by(e);
    CertificateDer::pem_file_iter(file).map_err(bad)?.collect::<std::result::Result<_, _>>().map_err(bad)
}

fn unusable(variable: &str, file: &Path, expected: &str) -> Error {
    Error::invalid(format!("{variable}={}: expected PEM {expected}", file.display()))
}

/// Verifies as usual, for one of two names: ZooKeeper tells both the address and the host name of a master.
#[derive(Debug)]
struct EitherName {
    usual: Arc<WebPkiServerVerifier>,
    other: Option<ServerName<'static>>,
}

impl ServerCertVerifier for EitherName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let verify = |name: &ServerName<'_>| self.usual.verify_server_cert(certificate, chain, name, ocsp, now);
        match (verify(name), &self.other) {
            (Err(error), Some(other)) if is_of_another_name(&error) => verify(other).map_err(|_| error),
            (outcome, _) => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

fn is_of_another_name(error: &rustls::Error) -> bool {
    use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(error, rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
}

/// Takes every certificate; that the master has its key is still checked.
#[derive(Debug)]
struct AnyMaster {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyMaster {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
