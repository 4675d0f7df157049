//! `--objstore.config`: the YAML that says which bucket, read as Thanos reads it, with everything that cannot be honoured refused.

mod azure;
mod error;
mod expand;
mod filesystem;
mod gcs;
mod http;
mod s3;
mod secret;
mod yaml;

use serde::de::IgnoredAny;

pub use self::azure::{AzureCredentials, AzureSettings};
pub use self::error::ConfigError;
pub use self::filesystem::FilesystemSettings;
pub use self::gcs::GcsSettings;
pub use self::http::{HttpSettings, TlsFiles};
pub use self::s3::{Encryption, Lookup, S3Credentials, S3Settings};
pub use self::secret::Secret;
pub use self::yaml::Hedging;

/// Where a process reads its environment variables; `std::env::var(name).ok()` outside of tests.
pub type Environment<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

/// A bucket as `objstore.config` describes it.
pub struct BucketConfig {
    /// What all names begin with, without slashes at its ends; `""` for none.
    pub prefix: String,
    /// The store.
    pub provider: Provider,
    /// When a second request is sent because the first is late.
    pub hedging: Hedging,
}

/// The stores that are built in.
pub enum Provider {
    /// S3 and what speaks its protocol.
    S3(S3Settings),
    /// Google Cloud Storage.
    Gcs(GcsSettings),
    /// Azure Blob Storage.
    Azure(AzureSettings),
    /// A folder.
    Filesystem(FilesystemSettings),
}

impl BucketConfig {
    /// Reads the content of `--objstore.config` or of the file that `--objstore.config-file` names. `$(NAME)` is replaced by
    /// the variable NAME first.
    ///
    /// # Errors
    /// When a variable is not set, the YAML is malformed or has an unknown key, the type is not built in, or a setting is
    /// missing, contradicts another, or cannot be honoured. No error shows a secret.
    pub fn parse(content: &str, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let text = expand::expand(content, environment)?;
        let top: yaml::Document<IgnoredAny> = yaml::read(&text)?;
        let provider = match top.kind()?.as_str() {
            "S3" => Provider::S3(s3::check(yaml::section(&text)?)?),
            "GCS" => Provider::Gcs(gcs::check(yaml::section(&text)?)?),
            "AZURE" => Provider::Azure(azure::check(yaml::section(&text)?)?),
            "FILESYSTEM" => Provider::Filesystem(filesystem::check(yaml::section(&text)?)?),
            other => return Err(ConfigError::not_built_in(other)),
        };
        Ok(Self { prefix: top.prefix(), provider, hedging: top.hedging()? })
    }
}

#[cfg(test)]
mod tests;
