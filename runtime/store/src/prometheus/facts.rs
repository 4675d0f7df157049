//! What a sidecar has to know of its Prometheus: external labels, the lowest time, version, flags.

use std::collections::BTreeMap;
use std::error::Error;

use prom_model::{Labels, PromDuration};
use serde::Deserialize;
use serde_json::Value;

use super::client::{Failure, PrometheusClient};

/// A fact that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FactError {
    /// Prometheus did not answer as it should.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The configuration that Prometheus shows is no YAML with labels.
    #[error("parse Prometheus config")]
    Config(#[source] Box<dyn Error + Send + Sync>),
    /// `/metrics` lacks the lowest time.
    #[error("metric families did not contain '{LOWEST}'")]
    NoLowestTime,
    /// A flag is no duration.
    #[error("the flag --{flag}={value} of Prometheus is no duration")]
    Flag {
        /// Its name.
        flag: &'static str,
        /// Its value.
        value: String,
    },
}

const LOWEST: &str = "prometheus_tsdb_lowest_timestamp_seconds";
const MIN_BLOCK: &str = "storage.tsdb.min-block-duration";
const MAX_BLOCK: &str = "storage.tsdb.max-block-duration";
const DELAY_COMPACT: &str = "storage.tsdb.delay-compact-file.path";

/// The flags of a Prometheus that decide whether its blocks can be shipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrometheusFlags {
    /// `--storage.tsdb.min-block-duration`
    pub min_block: PromDuration,
    /// `--storage.tsdb.max-block-duration`
    pub max_block: PromDuration,
    /// `--storage.tsdb.delay-compact-file.path`; empty where it is not set or not known.
    pub delay_compact_file: String,
}

#[derive(Default, Deserialize)]
struct Config {
    #[serde(default)]
    yaml: String,
}

#[derive(Default, Deserialize)]
struct BuildInfo {
    #[serde(default)]
    version: String,
}

/// The part of Prometheus' configuration that is read.
#[derive(Default, Deserialize)]
struct Yaml {
    #[serde(default)]
    global: Option<Global>,
}

#[derive(Default, Deserialize)]
struct Global {
    #[serde(default)]
    external_labels: Option<BTreeMap<String, Value>>,
}

impl PrometheusClient {
    /// The external labels of the configuration in use; sorted.
    ///
    /// # Errors
    /// See [`FactError`].
    pub async fn external_labels(&self) -> Result<Labels, FactError> {
        let config: Config = self.data(&["api", "v1", "status", "config"], &[]).await?;
        external_labels(&config.yaml)
    }

    /// The lowest time of which there are samples, milliseconds; the least there is while nothing has been written to disk.
    ///
    /// # Errors
    /// See [`FactError`].
    pub async fn lowest_time(&self) -> Result<i64, FactError> {
        let body = self.get_2xx(&["metrics"], &[]).await?;
        lowest_time(&String::from_utf8_lossy(&body)).ok_or(FactError::NoLowestTime)
    }

    /// The version; `0` for those that cannot tell, which are older than 2.14.
    ///
    /// # Errors
    /// See [`FactError`].
    pub async fn version(&self) -> Result<String, FactError> {
        let info: Result<BuildInfo, Failure> = self.data(&["api", "v1", "status", "buildinfo"], &[]).await;
        match info {
            Ok(info) => Ok(info.version),
            Err(failure) if matches!(failure.http_status(), Some(404 | 405)) => Ok("0".to_owned()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// The flags; `None` for a Prometheus that does not show them.
    ///
    /// # Errors
    /// See [`FactError`].
    pub async fn flags(&self) -> Result<Option<PrometheusFlags>, FactError> {
        let flags: Result<BTreeMap<String, String>, Failure> =
            self.data(&["api", "v1", "status", "flags"], &[]).await;
        let flags = match flags {
            Err(failure) if failure.http_status() == Some(404) => return Ok(None),
            flags => flags?,
        };
        let duration = |flag: &'static str| {
            let value = flags.get(flag).map_or("0s", String::as_str);
            value.parse().map_err(|_| FactError::Flag { flag, value: value.to_owned() })
        };
        Ok(Some(PrometheusFlags {
            min_block: duration(MIN_BLOCK)?,
            max_block: duration(MAX_BLOCK)?,
            delay_compact_file: flags.get(DELAY_COMPACT).cloned().unwrap_or_default(),
        }))
    }
}

fn external_labels(yaml: &str) -> Result<Labels, FactError> {
    if yaml.trim().is_empty() {
        return Ok(Labels::new());
    }
    let parsed: Yaml = serde_saphyr::from_str(yaml).map_err(|error| FactError::Config(Box::new(error)))?;
    let mut labels = Labels::new();
    for (name, value) in parsed.global.and_then(|global| global.external_labels).unwrap_or_default() {
        let value = match value {
            Value::String(text) => text,
            Value::Null => String::new(),
            other => other.to_string(),
        };
        labels.set(name, value);
    }
    Ok(labels)
}

/// Reads the one gauge out of an exposition.
fn lowest_time(exposition: &str) -> Option<i64> {
    let value = exposition.lines().find_map(|line| {
        let rest = line.strip_prefix(LOWEST)?;
        let value = rest.strip_prefix(['{', ' ', '\t'])?;
        let value = if rest.starts_with('{') { value.split_once('}')?.1 } else { value };
        value.split_ascii_whitespace().next()
    })?;
    let millis = value.parse::<f64>().ok()? * 1000.0;
    // An empty database says the greatest time there is. Nobody may conclude that there is nothing to ask for.
    Some(if millis >= i64::MAX as f64 { i64::MIN } else { millis as i64 })
}

/// Whether label calls of this version take matchers; they do since 2.24.
pub(super) fn label_calls_take_matchers(version: &str) -> bool {
    let (numbers, prerelease) =
        match version.split_once('+').map_or(version, |(version, _)| version).split_once('-') {
            Some((numbers, prerelease)) => (numbers, !prerelease.is_empty()),
            None => (version.split_once('+').map_or(version, |(version, _)| version), false),
        };
    let parts: Option<Vec<u64>> = numbers.split('.').map(|part| part.parse().ok()).collect();
    match parts.as_deref() {
        Some([2, 24, 0]) => !prerelease,
        Some([major, minor, _]) => (*major, *minor) >= (2, 24),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_labels_are_texts_whatever_yaml_makes_of_them() {
        let yaml = "global:\n  scrape_interval: 15s\n  external_labels:\n    replica: p1\n    cluster: 1\n    on: true\n\
                    scrape_configs:\n- job_name: x\n";
        let labels = external_labels(yaml).expect("sound");
        let pairs: Vec<(&str, &str)> =
            labels.iter().map(|label| (label.name.as_str(), label.value.as_str())).collect();
        assert_eq!(pairs, [("cluster", "1"), ("on", "true"), ("replica", "p1")]);
        for none in ["", "{}", "global: {}", "global:\n  external_labels:\n", "scrape_configs: []"] {
            assert!(external_labels(none).expect("sound").is_empty(), "{none}");
        }
        assert!(external_labels("global: [").is_err());
    }

    #[test]
    fn the_lowest_time_is_one_gauge_of_many() {
        let text = |value: &str| {
            format!(
                "# HELP {LOWEST} Lowest.\n# TYPE {LOWEST} gauge\n{LOWEST}_other 3\n{LOWEST} {value}\nup 1\n"
            )
        };
        assert_eq!(lowest_time(&text("1.795248003e+09")), Some(1_795_248_003_000));
        assert_eq!(lowest_time(&text("1.795248003123e+09")), Some(1_795_248_003_123));
        assert_eq!(lowest_time(&text("9.223372036854775e+15")), Some(i64::MIN));
        assert_eq!(lowest_time(&text("-9.223372036854775e+15")), Some(i64::MIN));
        assert_eq!(lowest_time("up 1\n"), None);
    }

    #[test]
    fn versions_before_2_24_take_no_matchers() {
        for (version, takes) in [
            ("2.24.0", true),
            ("2.42.0+ds", true),
            ("3.14.0", true),
            ("2.24.0-rc.0", false),
            ("2.24.1-rc.0", true),
            ("2.23.9", false),
            ("1.99.0", false),
            ("0", false),
            ("", false),
            ("2.24", false),
            ("main", false),
        ] {
            assert_eq!(label_calls_take_matchers(version), takes, "{version}");
        }
    }
}
