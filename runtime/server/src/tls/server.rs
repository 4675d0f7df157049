//! TLS of a server.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

use super::{KeyPair, TlsError, TlsVersion, provider, roots, suites, versions};

/// What a server with TLS needs.
#[derive(Debug, Clone)]
pub struct ServerTlsSettings {
    /// Certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// Whether clients show a certificate.
    pub client_auth: ClientAuth,
    /// Who vouches for clients, PEM.
    pub client_ca: Option<PathBuf>,
    /// The oldest version.
    pub min_version: TlsVersion,
    /// The newest version.
    pub max_version: TlsVersion,
    /// Suites of TLS 1.2 by their names in Go; none means all.
    pub cipher_suites: Vec<String>,
    /// Curves by their names in Go; none means all.
    pub curves: Vec<String>,
}

/// Whether clients show a certificate; the words are Go's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// They are not asked.
    #[default]
    None,
    /// They are asked, whatever they show is taken.
    Request,
    /// They have to show one, whatever it is.
    RequireAny,
    /// What they show is verified.
    VerifyIfGiven,
    /// They have to show one that is verified.
    RequireAndVerify,
}

impl std::str::FromStr for ClientAuth {
    type Err = TlsError;

    fn from_str(word: &str) -> Result<Self, TlsError> {
        match word {
            "" | "NoClientCert" => Ok(Self::None),
            "RequestClientCert" => Ok(Self::Request),
            "RequireAnyClientCert" | "RequireClientCert" => Ok(Self::RequireAny),
            "VerifyClientCertIfGiven" => Ok(Self::VerifyIfGiven),
            "RequireAndVerifyClientCert" => Ok(Self::RequireAndVerify),
            other => Err(TlsError::ClientAuth(other.to_owned())),
        }
    }
}

/// A server's TLS, ready to use; clones share it.
#[derive(Debug, Clone)]
pub struct ServerTls {
    pub(crate) config: Arc<ServerConfig>,
}

impl ServerTls {
    /// Reads the files. `protocols` are the names for ALPN, best first.
    ///
    /// # Errors
    /// When a file is missing or holds something else, or the settings contradict each other.
    pub(crate) fn new(settings: &ServerTlsSettings, protocols: &[&str]) -> Result<Self, TlsError> {
        let mut crypto = CryptoProvider::clone(&provider());
        suites::restrict(&mut crypto, &settings.cipher_suites, &settings.curves)?;
        let crypto = Arc::new(crypto);
        let verifier = verifier(settings, &crypto)?;
        let pair = KeyPair::read(settings.certificate.clone(), settings.key.clone())?;
        let builder = ServerConfig::builder_with_provider(crypto)
            .with_protocol_versions(&versions(settings.min_version, settings.max_version)?)?;
        let mut config = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        }
        .with_cert_resolver(pair);
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Self { config: Arc::new(config) })
    }
}

fn verifier(
    settings: &ServerTlsSettings,
    crypto: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let verified = matches!(settings.client_auth, ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify);
    let any = |mandatory| AnyClient { mandatory, crypto: Arc::clone(crypto) };
    match (settings.client_auth, &settings.client_ca) {
        (ClientAuth::None, Some(_)) => {
            Err(TlsError::ClientCa("Client CA's have been configured without a Client Auth Policy"))
        }
        (_, None) if verified => {
            Err(TlsError::ClientCa("client_auth_type asks to verify clients, but client_ca_file is missing"))
        }
        (ClientAuth::None, None) => Ok(None),
        (ClientAuth::Request, _) => Ok(Some(Arc::new(any(false)))),
        (ClientAuth::RequireAny, _) => Ok(Some(Arc::new(any(true)))),
        (ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify, path) => {
            let path = path.clone().unwrap_or_default();
            let authorities = Arc::new(roots("client CA", &path)?);
            let builder = WebPkiClientVerifier::builder_with_provider(authorities, Arc::clone(crypto));
            Ok(Some(if settings.client_auth == ClientAuth::VerifyIfGiven {
                builder.allow_unauthenticated().build()?
            } else {
                builder.build()?
            }))
        }
    }
}

/// Takes every certificate whose key the client really has.
#[derive(Debug)]
struct AnyClient {
    mandatory: bool,
    crypto: Arc<CryptoProvider>,
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
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
