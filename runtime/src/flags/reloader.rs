//! `--reloader.*`, which the sidecar and the reloader alone share.

use std::path::PathBuf;

use clap::Args;
use reloader::{Directory, Method, Promtool, Settings, TargetKind};
use server::duration::GoDuration;

/// `--reloader.*`; the sidecar takes the same.
#[derive(Debug, Args)]
pub(crate) struct ReloaderFlags {
    /// Config file watched by the reloader
    #[arg(long = "reloader.config-file", id = "reloader.config-file", value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// Output file for environment variable substituted config file
    #[arg(long = "reloader.config-envsubst-file", id = "reloader.config-envsubst-file", value_name = "FILE")]
    config_envsubst_file: Option<PathBuf>,
    /// Rule directories for the reloader to refresh (repeated)
    #[arg(long = "reloader.rule-dir", id = "reloader.rule-dir", value_name = "DIR")]
    rule_dir: Vec<PathBuf>,
    /// Output directory for verified copies of each rule directory, in the same order; without it Prometheus reads the
    /// input itself, and a bad rule file breaks its next start (repeated; not in Thanos)
    #[arg(long = "reloader.rule-output-dir", id = "reloader.rule-output-dir", value_name = "DIR")]
    rule_output_dir: Vec<PathBuf>,
    /// Directory with more configuration, expanded file by file (repeated; not in Thanos)
    #[arg(long = "reloader.config-dir", id = "reloader.config-dir", value_name = "DIR")]
    config_dir: Vec<PathBuf>,
    /// Output directory for each --reloader.config-dir, in the same order (repeated; not in Thanos)
    #[arg(long = "reloader.config-envsubst-dir", id = "reloader.config-envsubst-dir", value_name = "DIR")]
    config_envsubst_dir: Vec<PathBuf>,
    /// Directory in which each file is a variable, as a mounted Secret; changes are noticed (repeated; not in Thanos)
    #[arg(long = "reloader.env-dir", id = "reloader.env-dir", value_name = "DIR")]
    env_dir: Vec<PathBuf>,
    /// Controls how often the reloader re-reads config and rules
    #[arg(
        long = "reloader.watch-interval",
        id = "reloader.watch-interval",
        value_name = "DURATION",
        default_value = "3m"
    )]
    watch_interval: GoDuration,
    /// Controls how often the reloader retries a reload that failed
    #[arg(
        long = "reloader.retry-interval",
        id = "reloader.retry-interval",
        value_name = "DURATION",
        default_value = "5s"
    )]
    retry_interval: GoDuration,
    /// Method used to reload the configuration
    #[arg(long = "reloader.method", id = "reloader.method", value_name = "METHOD", default_value = "http", value_parser = ["http", "signal"])]
    method: String,
    /// Executable name used to match the process being reloaded when using the signal method
    #[arg(
        long = "reloader.process-name",
        id = "reloader.process-name",
        value_name = "NAME",
        default_value = "prometheus"
    )]
    process_name: String,
    /// Which program loads the configuration (not in Thanos)
    #[arg(long = "reloader.target", id = "reloader.target", value_name = "PROGRAM", default_value = "prometheus", value_parser = ["prometheus", "alertmanager"])]
    target: String,
    /// Leave references to unset variables as they are instead of refusing the file (not in Thanos)
    #[arg(long = "reloader.tolerate-unset-variables", id = "reloader.tolerate-unset-variables")]
    tolerate_unset_variables: bool,
    /// Second opinion of promtool or amtool: auto (one of Prometheus' own version), off, or a program (not in Thanos)
    #[arg(
        long = "reloader.promtool",
        id = "reloader.promtool",
        value_name = "auto|off|PROGRAM",
        default_value = "auto"
    )]
    promtool: String,
    /// Behave as Thanos' reloader does: no validation, no confirmation, nothing is put back (not in Thanos)
    #[arg(long = "reloader.compat", id = "reloader.compat")]
    pub(crate) compat: bool,
}

impl ReloaderFlags {
    /// What they say.
    pub(crate) fn settings(self) -> anyhow::Result<Settings> {
        let settings = Settings {
            config_file: self.config_file,
            config_output: self.config_envsubst_file,
            rule_dirs: Directory::pair(
                ("--reloader.rule-dir", self.rule_dir),
                ("--reloader.rule-output-dir", self.rule_output_dir),
            )?,
            config_dirs: Directory::pair(
                ("--reloader.config-dir", self.config_dir),
                ("--reloader.config-envsubst-dir", self.config_envsubst_dir),
            )?,
            environment_dirs: self.env_dir,
            watch_interval: self.watch_interval.0,
            retry_interval: self.retry_interval.0,
            method: match self.method.as_str() {
                "signal" => Method::Signal { process_name: self.process_name },
                _ => Method::Http,
            },
            target: match self.target.as_str() {
                "alertmanager" => TargetKind::Alertmanager,
                _ => TargetKind::Prometheus,
            },
            tolerate_unset_variables: self.tolerate_unset_variables,
            promtool: match self.promtool.as_str() {
                "auto" => Promtool::Auto,
                "off" => Promtool::Off,
                path => Promtool::Path(path.into()),
            },
        };
        settings.check()?;
        Ok(settings)
    }
}
