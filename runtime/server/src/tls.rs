//! TLS of servers and clients: settings as Thanos' flags and YAML have them, certificates that are read again when they change.

mod client;
mod key_pair;
mod server;
mod suites;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{RootCertStore, SupportedProtocolVersion};
use thiserror::Error;

pub use client::{ClientTls, ClientTlsSettings};
pub(crate) use key_pair::KeyPair;
pub use server::{ClientAuth, ServerTls, ServerTlsSettings};

/// Why there is no TLS.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {what} {}", path.display())]
    Read {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// A file holds something else.
    #[error("{} holds no {what} in PEM", path.display())]
    Empty {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key cannot be used.
    #[error("certificate {} with key {}", certificate.display(), key.display())]
    Pair {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why not.
        #[source]
        cause: rustls::Error,
    },
    /// One without the other.
    #[error("both {side} key and certificate must be provided")]
    HalfPair {
        /// `server` or `client`.
        side: &'static str,
    },
    /// Clients cannot be checked by a server without TLS.
    #[error("when a client CA is used a server key and certificate must also be provided")]
    OnlyClientCa,
    /// A version that this build does not speak.
    #[error("TLS {0} is not supported: it is broken and was withdrawn (RFC 8996); use 1.2 or 1.3")]
    OldVersion(String),
    /// No version at all.
    #[error("invalid TLS version: {0}, valid values are 1.2, 1.3")]
    NoVersion(String),
    /// The newest allowed is older than the oldest.
    #[error("the minimum TLS version is above the maximum")]
    NoCommonVersion,
    /// A cipher suite that this build does not speak.
    #[error("invalid cipher suite: {name}, valid values are {valid}")]
    CipherSuite {
        /// As it was given.
        name: String,
        /// All that would do.
        valid: String,
    },
    /// A curve that this build does not speak.
    #[error("invalid curve: {name}, valid values are {valid}")]
    Curve {
        /// As it was given.
        name: String,
        /// All that would do.
        valid: String,
    },
    /// No such way to ask clients for certificates.
    #[error("invalid ClientAuth: {0}")]
    ClientAuth(String),
    /// Client certificates without somebody who vouches for them, or the reverse.
    #[error("{0}")]
    ClientCa(&'static str),
    /// The system knows no authority.
    #[error("the system has no certificates of authorities; give ca_file")]
    NoSystemRoots,
    /// The name for the server's certificate is no name.
    #[error("`{0}` is no name of a server")]
    ServerName(String),
    /// The library refuses the combination.
    #[error("TLS configuration")]
    Configuration(#[from] rustls::Error),
    /// The authorities cannot be used to check clients.
    #[error("TLS client verification")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

impl FromStr for TlsVersion {
    type Err = TlsError;

    /// Reads `1.2` as Thanos' flags have it and `TLS12` as web configurations have it.
    fn from_str(text: &str) -> Result<Self, TlsError> {
        match text {
            "1.2" | "TLS12" => Ok(Self::V1_2),
            "1.3" | "TLS13" => Ok(Self::V1_3),
            "1.0" | "TLS10" => Err(TlsError::OldVersion("1.0".to_owned())),
            "1.1" | "TLS11" => Err(TlsError::OldVersion("1.1".to_owned())),
            _ => Err(TlsError::NoVersion(text.to_owned())),
        }
    }
}

/// The versions from `min` to `max`.
fn versions(min: TlsVersion, max: TlsVersion) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
    if min > max {
        return Err(TlsError::NoCommonVersion);
    }
    let all = [(TlsVersion::V1_3, &rustls::version::TLS13), (TlsVersion::V1_2, &rustls::version::TLS12)];
    Ok(all.into_iter().filter(|(version, _)| (min..=max).contains(version)).map(|(_, value)| value).collect())
}

/// The one provider of cryptography; also the process' default, for libraries that ask for that.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    // A second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Arc::new(rustls::crypto::ring::default_provider())
}

#[expect(clippy::disallowed_methods, reason = "certificates come from files that the settings name")]
fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|cause| TlsError::Read { what, path: path.to_owned(), cause })
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let empty = || TlsError::Empty { what, path: path.to_owned() };
    let pem = read(what, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(empty)
}

/// The authorities in a file.
fn roots(what: &'static str, path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(what, path)?);
    if added == 0 {
        return Err(TlsError::Empty { what, path: path.to_owned() });
    }
    Ok(roots)
}
