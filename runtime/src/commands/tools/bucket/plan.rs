//! `tools bucket plan`: what a compactor would do with the bucket as it is.

use ::compact::cycle::CompactorConfig;
use clap::Args;
use prometheus_client::registry::Registry;

use super::Tool;
use crate::commands::compact::flags::WorkFlags;
use crate::commands::compact::{compactor, print_plan};

/// Says what a compactor with these flags would do: jobs with their bytes and their peaks of memory and disk, marks, deletions
#[derive(Args)]
pub(super) struct Flags {
    #[command(flatten)]
    work: WorkFlags,
    /// How it is said
    #[arg(long = "output", short = 'o', value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    output: String,
}

pub(super) async fn run(flags: Flags, tool: &Tool, mut registry: Registry) -> anyhow::Result<()> {
    flags.work.check()?;
    // Whoever only looks leaves nothing behind.
    let config = CompactorConfig { keep_metas: false, ..flags.work.config(None)? };
    let compactor = compactor(config, &tool.bucket, None, &mut registry)?;
    print_plan(&compactor, &flags.output).await
}
