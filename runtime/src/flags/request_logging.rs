//! `--request.logging-config`: which requests are logged.

use std::path::PathBuf;

use clap::Args;
use server::request_log::RequestLog;

use super::path_or_content::expanded_content;

/// `--request.logging-config`, `--request.logging-config-file`.
#[derive(Debug, Args)]
pub(crate) struct RequestLoggingFlags {
    /// YAML with the configuration of request logging; $(VAR) is replaced from the environment
    #[arg(long = "request.logging-config", id = "request.logging-config", value_name = "YAML")]
    config: Option<String>,
    /// File with the configuration of request logging
    #[arg(long = "request.logging-config-file", id = "request.logging-config-file", value_name = "FILE")]
    config_file: Option<PathBuf>,
}

impl RequestLoggingFlags {
    /// What is logged.
    pub(crate) fn log(&self) -> anyhow::Result<RequestLog> {
        let text =
            expanded_content("request.logging-config", self.config.as_deref(), self.config_file.as_ref())?;
        Ok(RequestLog::from_yaml(&text.unwrap_or_default())?)
    }
}
