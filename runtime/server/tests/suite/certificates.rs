//! Authorities and certificates that exist for one test.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// An authority; its files lie in a folder of the test.
pub(crate) struct Authority {
    folder: PathBuf,
    name: &'static str,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new one; its certificate is `<name>.pem`.
    pub(crate) fn new(folder: &Path, name: &'static str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        write(&folder.join(name).with_extension("pem"), &issuer.pem());
        Self { folder: folder.to_owned(), name, issuer }
    }

    /// Its certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join(self.name).with_extension("pem")
    }

    /// A certificate for a host and its key: `<file>.crt`, `<file>.key`.
    pub(crate) fn issue(&self, file: &str, host: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (certificate_file, key_file) =
            (self.folder.join(file).with_extension("crt"), self.folder.join(file).with_extension("key"));
        write(&certificate_file, &certificate.pem());
        write(&key_file, &key.serialize_pem());
        (certificate_file, key_file)
    }
}

#[expect(clippy::disallowed_methods, reason = "tests write the files that servers read")]
pub(crate) fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}
