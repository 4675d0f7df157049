//! `--tracing.config`: where traces go.

use std::path::PathBuf;

use clap::Args;
use server::trace::{self, Tracing};

use super::path_or_content::expanded_content;

/// `--tracing.config`, `--tracing.config-file`. Not `Debug`: it may hold secrets.
#[derive(Args)]
pub(crate) struct TracingFlags {
    /// YAML with the tracing configuration (OTLP); $(VAR) is replaced from the environment
    #[arg(long = "tracing.config", id = "tracing.config", value_name = "YAML")]
    config: Option<String>,
    /// File with the tracing configuration
    #[arg(long = "tracing.config-file", id = "tracing.config-file", value_name = "FILE")]
    config_file: Option<PathBuf>,
}

impl TracingFlags {
    /// From here on sampled requests are exported, if the flags say where; call it inside the runtime. Spans that wait are
    /// exported when what is returned is closed.
    pub(crate) fn start(&self, component: &str) -> anyhow::Result<Tracing> {
        let text = expanded_content("tracing.config", self.config.as_deref(), self.config_file.as_ref())?;
        Ok(trace::start(&text.unwrap_or_default(), component)?)
    }
}
