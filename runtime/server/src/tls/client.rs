//! TLS of a client.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::{KeyPair, TlsError, TlsVersion, provider, roots, versions};

/// What a client with TLS may say: Thanos' `tls_config` with `server_name`.
#[derive(Debug, Clone)]
pub struct ClientTlsSettings {
    /// Trust whatever answers.
    pub insecure_skip_verify: bool,
    /// Our certificate, PEM.
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub key: Option<PathBuf>,
    /// Authorities to trust, PEM; without it, those of the system.
    pub ca: Option<PathBuf>,
    /// The name to expect on the server's certificate instead of the address'.
    pub server_name: Option<String>,
    /// The oldest version.
    pub min_version: TlsVersion,
}

impl Default for ClientTlsSettings {
    fn default() -> Self {
        Self {
            insecure_skip_verify: false,
            certificate: None,
            key: None,
            ca: None,
            server_name: None,
            min_version: TlsVersion::V1_3,
        }
    }
}

/// A client's TLS, ready to use; clones share it.
#[derive(Debug, Clone)]
pub struct ClientTls {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) server_name: Option<ServerName<'static>>,
}

impl ClientTls {
    /// Reads the files. `protocols` are the names for ALPN, best first.
    ///
    /// # Errors
    /// When a file is missing or holds something else, or a name is none.
    pub(crate) fn new(settings: &ClientTlsSettings, protocols: &[&str]) -> Result<Self, TlsError> {
        let crypto = provider();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&crypto))
            .with_protocol_versions(&versions(settings.min_version, TlsVersion::V1_3)?)?;
        let server_name = settings
            .server_name
            .clone()
            .map(|name| ServerName::try_from(name.clone()).map_err(|_| TlsError::ServerName(name)))
            .transpose()?;
        // A file that is named is read even where nothing is verified: a wrong name is found now.
        let named = settings.ca.as_ref().map(|path| roots("CA", path)).transpose()?;
        let builder = if settings.insecure_skip_verify {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyServer { crypto }))
        } else {
            let authorities = Arc::new(named.map_or_else(system_roots, Ok)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(authorities, crypto).build()?;
            match server_name.clone() {
                Some(name) => builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(NamedServer { verifier, name })),
                None => builder.with_webpki_verifier(verifier),
            }
        };
        let mut config = match (&settings.certificate, &settings.key) {
            (Some(certificate), Some(key)) => {
                builder.with_client_cert_resolver(KeyPair::read(certificate.clone(), key.clone())?)
            }
            (None, None) => builder.with_no_client_auth(),
            _ => return Err(TlsError::HalfPair { side: "client" }),
        };
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Self { config: Arc::new(config), server_name })
    }
}

impl ClientTls {
    /// For a library that wants its own copy; the name that it takes from a URL does not matter if another one was given.
    pub(crate) fn to_config(&self) -> ClientConfig {
        ClientConfig::clone(&self.config)
    }
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 { Err(TlsError::NoSystemRoots) } else { Ok(roots) }
}

/// Takes a server with this name, wherever it was found.
#[derive(Debug)]
struct NamedServer {
    verifier: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for NamedServer {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verifier.verify_server_cert(certificate, intermediates, &self.name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Takes every server that has the key of the certificate it shows.
#[derive(Debug)]
struct AnyServer {
    crypto: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.crypto.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.crypto.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.crypto.signature_verification_algorithms.supported_schemes()
    }
}
