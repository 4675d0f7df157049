//! Cipher suites and curves by the names that Go gives them.

use rustls::crypto::CryptoProvider;
use rustls::{CipherSuite, NamedGroup};

use super::TlsError;

/// What can be chosen; suites of TLS 1.3 are always all on, as in Go.
const SUITES: [(&str, CipherSuite); 11] = [
    ("TLS_AES_128_GCM_SHA256", CipherSuite::TLS13_AES_128_GCM_SHA256),
    ("TLS_AES_256_GCM_SHA384", CipherSuite::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    // Older names of the last two of their kind.
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

const CURVES: [(&str, NamedGroup); 3] = [
    ("CurveP256", NamedGroup::secp256r1),
    ("CurveP384", NamedGroup::secp384r1),
    ("X25519", NamedGroup::X25519),
];

/// Keeps what is named; no name keeps all.
pub(super) fn restrict(
    provider: &mut CryptoProvider,
    suites: &[String],
    curves: &[String],
) -> Result<(), TlsError> {
    if !suites.is_empty() {
        let chosen: Vec<CipherSuite> = suites
            .iter()
            .map(|name| {
                find(&SUITES, name)
                    .ok_or_else(|| TlsError::CipherSuite { name: name.clone(), valid: names(&SUITES) })
            })
            .collect::<Result<_, _>>()?;
        provider.cipher_suites.retain(|suite| suite.tls13().is_some() || chosen.contains(&suite.suite()));
    }
    if !curves.is_empty() {
        let chosen: Vec<NamedGroup> = curves
            .iter()
            .map(|name| {
                find(&CURVES, name)
                    .ok_or_else(|| TlsError::Curve { name: name.clone(), valid: names(&CURVES) })
            })
            .collect::<Result<_, _>>()?;
        provider.kx_groups.retain(|group| chosen.contains(&group.name()));
    }
    Ok(())
}

fn find<T: Copy>(known: &[(&str, T)], name: &str) -> Option<T> {
    known.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn names<T>(known: &[(&str, T)]) -> String {
    known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
