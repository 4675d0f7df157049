//! Why an `objstore.config` is refused.

use std::path::PathBuf;

/// What is built in.
const TYPES: [&str; 4] = ["S3", "GCS", "AZURE", "FILESYSTEM"];

/// A configuration of a bucket that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// `$(NAME)` of a variable that is not there.
    #[error("objstore.config: the environment variable {name} is not set")]
    UnsetVariable {
        /// The variable.
        name: String,
    },
    /// No YAML, or a value of a kind that the key does not take.
    #[error("objstore.config: line {line}: {text}")]
    Yaml {
        /// Counted from 1; 0 where it is not known.
        line: u64,
        /// What is wrong; shows no values of keys that hold secrets.
        text: String,
    },
    /// A key that Thanos does not know at this place.
    #[error("objstore.config: line {line}: unknown key `{key}`{}", did_you_mean(.suggestion.as_deref()))]
    UnknownKey {
        /// The key.
        key: String,
        /// Counted from 1; 0 where it is not known.
        line: u64,
        /// The key that was probably meant.
        suggestion: Option<String>,
    },
    /// A type that nobody knows.
    #[error("objstore.config: unknown type `{given}`{}", did_you_mean(.suggestion.as_deref()))]
    UnknownType {
        /// The type.
        given: String,
        /// The type that was probably meant.
        suggestion: Option<String>,
    },
    /// A type that Thanos knows and that is not built in.
    #[error("objstore.config: type {given} is not built in; {instead}")]
    NotBuiltIn {
        /// The type.
        given: &'static str,
        /// What does the same.
        instead: &'static str,
    },
    /// No type at all.
    #[error("objstore.config: `type` is missing; it is one of S3, GCS, AZURE, FILESYSTEM")]
    NoType,
    /// Settings that are missing, contradict each other, or cannot be honoured; all of them.
    #[error("objstore.config: {kind}: {}", .problems.join("; "))]
    Settings {
        /// The type of the bucket.
        kind: &'static str,
        /// Each names its key.
        problems: Vec<String>,
    },
    /// A file that the configuration names cannot be read.
    #[error("objstore.config: {key} {path}")]
    File {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The client of the store does not take the settings.
    #[error("objstore.config: {kind}")]
    Client {
        /// The type of the bucket.
        kind: &'static str,
        /// What it says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync + 'static>,
    },
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default()
}

/// The known word that is closest, if one is close.
pub(super) fn closest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let close = |word: &&str| strsim::jaro_winkler(&given.to_lowercase(), &word.to_lowercase());
    known
        .into_iter()
        .map(|word| (close(&word), word))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, word)| word.to_owned())
}

impl ConfigError {
    /// The error for a type in capital letters that is none of those built in.
    pub(super) fn not_built_in(given: &str) -> Self {
        let (given, instead) = match given {
            "" => return ConfigError::NoType,
            "SWIFT" => ("SWIFT", "use type S3 with the endpoint of Swift's S3 API (s3api)"),
            "COS" => ("COS", "use type S3 with endpoint cos.<region>.myqcloud.com"),
            "ALIYUNOSS" => (
                "ALIYUNOSS",
                "use type S3 with endpoint s3.oss-<region>.aliyuncs.com and bucket_lookup_type virtual-hosted",
            ),
            "BOS" => ("BOS", "use type S3 with endpoint s3.<region>.bcebos.com"),
            "OCI" => (
                "OCI",
                "use type S3 with endpoint <namespace>.compat.objectstorage.<region>.oraclecloud.com and a customer secret key",
            ),
            "OBS" => ("OBS", "use type S3 with endpoint obs.<region>.myhuaweicloud.com"),
            _ => {
                let suggestion = closest(given, TYPES);
                return ConfigError::UnknownType { given: given.to_owned(), suggestion };
            }
        };
        ConfigError::NotBuiltIn { given, instead }
    }

    /// All problems of one section, if there are any.
    pub(super) fn unless_good(kind: &'static str, problems: Vec<String>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::Settings { kind, problems }) }
    }
}
