//! `type: FILESYSTEM`.

use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigError;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FilesystemYaml {
    directory: Option<String>,
}

/// A folder.
#[derive(Debug, Clone)]
pub struct FilesystemSettings {
    /// Which.
    pub directory: PathBuf,
}

pub(super) fn check(yaml: FilesystemYaml) -> Result<FilesystemSettings, ConfigError> {
    match yaml.directory.filter(|directory| !directory.is_empty()) {
        Some(directory) => Ok(FilesystemSettings { directory: directory.into() }),
        None => Err(ConfigError::Settings {
            kind: "FILESYSTEM",
            problems: vec!["`directory` is missing".to_owned()],
        }),
    }
}
