//! What a configuration file says about other files and about itself.

use crate::Problem;

/// The outcome of [`crate::check_config`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfigReport {
    /// Why Prometheus would not load the file; empty if it would.
    pub problems: Vec<Problem>,
    /// Patterns of rule files, as written.
    pub rule_files: Vec<String>,
    /// Patterns of files with further scrape configurations, as written.
    pub scrape_config_files: Vec<String>,
    /// Other files that Prometheus will read.
    pub files: Vec<FileReference>,
    /// The labels of the instance, in the order of the file; `${NAME}` is not filled in.
    pub external_labels: Vec<(String, String)>,
    /// Where samples are sent.
    pub remote_write: Vec<RemoteWrite>,
    /// Names of the scrape jobs, in the order of the file.
    pub job_names: Vec<String>,
}

/// The outcome of [`crate::check_scrape_configs`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScrapeConfigsReport {
    /// Why Prometheus would not load the file; empty if it would.
    pub problems: Vec<Problem>,
    /// Other files that Prometheus will read.
    pub files: Vec<FileReference>,
    /// Names of the scrape jobs: they must differ from those of all other files.
    pub job_names: Vec<String>,
}

/// A file that a configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReference {
    /// The field that names it, as a path: `scrape_configs[0].tls_config.ca_file`.
    pub field: String,
    /// The name, as written: relative ones start at the folder of the configuration.
    pub name: String,
    /// What it is read for.
    pub used_for: FileUse,
}

/// What a file is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileUse {
    /// Certificates and keys.
    Tls,
    /// Passwords, tokens and other credentials.
    Credentials,
    /// Targets of `file_sd_configs`; the name may hold a `*`.
    FileSd,
}

/// One `remote_write` entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteWrite {
    /// Its name; empty if it has none.
    pub name: String,
    /// Its address, as written.
    pub url: String,
}
