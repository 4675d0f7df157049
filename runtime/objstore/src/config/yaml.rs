//! YAML into sections: null leaves the default as in Go, unknown keys are refused with their line.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_saphyr::Error;

use super::ConfigError;
use super::error::closest;

/// The whole document; `C` is the section below `config`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document<C> {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default = "none")]
    config: Option<C>,
    #[serde(default)]
    prefix: Option<String>,
    #[serde(default)]
    hedging_config: Option<HedgingYaml>,
}

fn none<C>() -> Option<C> {
    None
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct HedgingYaml {
    enabled: Option<bool>,
    up_to: Option<u32>,
    quantile: Option<f64>,
}

/// `hedging_config`: a second request where the first is later than most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hedging {
    /// Whether it is on.
    pub enabled: bool,
    /// How many requests there may be for one answer.
    pub up_to: u32,
    /// Later than this part of all answers is late.
    pub quantile: f64,
}

impl<C> Document<C> {
    /// The type in capital letters.
    pub(super) fn kind(&self) -> Result<String, ConfigError> {
        match &self.kind {
            Some(kind) if !kind.is_empty() => Ok(kind.to_ascii_uppercase()),
            _ => Err(ConfigError::NoType),
        }
    }

    /// The prefix without slashes at its ends.
    pub(super) fn prefix(&self) -> String {
        self.prefix.as_deref().unwrap_or_default().trim_matches('/').to_owned()
    }

    pub(super) fn hedging(&self) -> Result<Hedging, ConfigError> {
        let yaml = self.hedging_config.as_ref();
        let hedging = Hedging {
            enabled: yaml.and_then(|yaml| yaml.enabled).unwrap_or(false),
            up_to: yaml.and_then(|yaml| yaml.up_to).unwrap_or(3),
            quantile: yaml.and_then(|yaml| yaml.quantile).unwrap_or(0.9),
        };
        let mut problems = Vec::new();
        if !(hedging.quantile > 0.0 && hedging.quantile < 1.0) {
            problems.push("quantile is between 0 and 1".to_owned());
        }
        if hedging.up_to == 0 {
            problems.push("up_to is at least 1".to_owned());
        }
        ConfigError::unless_good("hedging_config", problems)?;
        Ok(hedging)
    }
}

/// The section below `config`; the defaults where there is none.
pub(super) fn section<C: DeserializeOwned + Default>(text: &str) -> Result<C, ConfigError> {
    let document: Document<C> = read(text)?;
    Ok(document.config.unwrap_or_default())
}

/// Reads a document.
pub(super) fn read<C: DeserializeOwned>(text: &str) -> Result<Document<C>, ConfigError> {
    if text.trim().is_empty() {
        return Err(ConfigError::NoType);
    }
    serde_saphyr::from_str(text).map_err(|error| refused(&error))
}

fn refused(error: &Error) -> ConfigError {
    let error = error.without_snippet();
    let line = error.location().map_or(0, |location| location.line());
    let text = match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            let suggestion = closest(field, expected.iter().copied());
            return ConfigError::UnknownKey { key: field.clone(), line, suggestion };
        }
        // What was found instead may be a secret.
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            format!("this takes {expected}")
        }
        Error::InvalidScalar { ty, .. } => format!("this takes {ty}"),
        Error::Unexpected { expected, .. } => format!("this takes {expected}"),
        Error::Message { msg, .. } => msg.clone(),
        other => other.to_string(),
    };
    ConfigError::Yaml { line, text }
}
