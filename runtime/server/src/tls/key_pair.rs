//! A certificate and its key, read again when a file changed: rotation needs no restart.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tracing::error;

use super::{TlsError, certificates, provider, read};

/// Two files and what they held last.
#[derive(Debug)]
pub(crate) struct KeyPair {
    certificate: PathBuf,
    key: PathBuf,
    last: Mutex<Last>,
}

#[derive(Debug)]
struct Last {
    modified: Modified,
    pair: Arc<CertifiedKey>,
}

type Modified = (Option<SystemTime>, Option<SystemTime>);

impl KeyPair {
    /// Reads both files.
    pub(crate) fn read(certificate: PathBuf, key: PathBuf) -> Result<Arc<Self>, TlsError> {
        let modified = modified(&certificate, &key);
        let pair = load(&certificate, &key)?;
        Ok(Arc::new(Self { certificate, key, last: Mutex::new(Last { modified, pair }) }))
    }

    /// What the files hold now; what they held before if they cannot be used.
    fn current(&self) -> Arc<CertifiedKey> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let modified = modified(&self.certificate, &self.key);
        if modified != last.modified {
            last.modified = modified;
            match load(&self.certificate, &self.key) {
                Ok(pair) => last.pair = pair,
                Err(failure) => {
                    let failure: &dyn std::error::Error = &failure;
                    error!(msg = "the certificate was not replaced", err = failure);
                }
            }
        }
        Arc::clone(&last.pair)
    }
}

#[expect(clippy::disallowed_methods, reason = "certificates come from files that the settings name")]
fn modified(certificate: &Path, key: &Path) -> Modified {
    let of = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    (of(certificate), of(key))
}

fn load(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = certificates("certificate", certificate)?;
    let private = PrivateKeyDer::from_pem_slice(&read("key", key)?)
        .map_err(|_| TlsError::Empty { what: "private key", path: key.to_owned() })?;
    let pair = CertifiedKey::from_der(chain, private, &provider()).map_err(|cause| TlsError::Pair {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        cause,
    })?;
    Ok(Arc::new(pair))
}

impl ResolvesServerCert for KeyPair {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl ResolvesClientCert for KeyPair {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
