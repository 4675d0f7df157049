//! Which blocks a command looks at: `--selector.relabel-config`, `--min-time`, `--max-time`, `--id`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use block::filter::{LabelShard, TimeBound, TimeRange};
use clap::Args;
use prom_model::{NameScheme, RelabelAction, RelabelConfig};

use super::path_or_content::expanded_content;

/// `--selector.relabel-config`, `--selector.relabel-config-file`.
#[derive(Debug, Args)]
pub(crate) struct SelectorFlags {
    /// YAML with relabelling rules that keep or drop blocks by their external labels
    #[arg(long = "selector.relabel-config", value_name = "YAML", id = "selector_relabel")]
    relabel: Option<String>,
    /// File with relabelling rules that keep or drop blocks by their external labels
    #[arg(long = "selector.relabel-config-file", value_name = "FILE", id = "selector_relabel_file")]
    relabel_file: Option<PathBuf>,
}

impl SelectorFlags {
    /// The filter; only `keep`, `drop` and `hashmod` are taken.
    pub(crate) fn filter(&self) -> anyhow::Result<LabelShard> {
        let flag = "selector.relabel-config";
        let Some(yaml) = expanded_content(flag, self.relabel.as_deref(), self.relabel_file.as_ref())? else {
            return Ok(LabelShard::default());
        };
        let rules = relabel_rules(flag, &yaml)?;
        let fits =
            |action| matches!(action, RelabelAction::Keep | RelabelAction::Drop | RelabelAction::HashMod);
        if let Some(rule) = rules.iter().find(|rule| !fits(rule.action)) {
            bail!("--{flag}: action {} selects nothing; use keep, drop or hashmod", rule.action);
        }
        Ok(LabelShard { rules, without: Vec::new() })
    }
}

/// Reads relabelling rules and refuses those that Prometheus refuses.
pub(crate) fn relabel_rules(flag: &str, yaml: &str) -> anyhow::Result<Vec<RelabelConfig>> {
    let rules: Vec<RelabelConfig> =
        serde_saphyr::from_str(yaml).with_context(|| format!("--{flag} is no list of relabelling rules"))?;
    for rule in &rules {
        rule.validate(NameScheme::Utf8).with_context(|| format!("--{flag}"))?;
    }
    Ok(rules)
}

/// `--min-time`, `--max-time`.
#[derive(Debug, Args)]
pub(crate) struct TimeRangeFlags {
    /// Only blocks with samples at or after this time: RFC 3339, or a duration from now such as -2w
    #[arg(
        long = "min-time",
        id = "min-time",
        value_name = "TIME",
        default_value = "0000-01-01T00:00:00Z",
        allow_hyphen_values = true
    )]
    min_time: TimeBound,
    /// Only blocks with samples at or before this time: RFC 3339, or a duration from now such as -1d
    #[arg(
        long = "max-time",
        id = "max-time",
        value_name = "TIME",
        default_value = "9999-12-31T23:59:59Z",
        allow_hyphen_values = true
    )]
    max_time: TimeBound,
}

impl TimeRangeFlags {
    /// The filter; both bounds belong to the range.
    pub(crate) const fn filter(&self) -> TimeRange {
        TimeRange { min: self.min_time, max: self.max_time }
    }
}
