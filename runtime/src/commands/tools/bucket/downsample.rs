//! `tools bucket downsample`: known, but it needs the compactor's merger.

use anyhow::bail;
use clap::Args;
use server::duration::GoDuration;

use crate::flags::HttpFlags;

/// Downsamples the blocks of the bucket (not part of this build)
#[derive(Args)]
pub(super) struct Flags {
    #[command(flatten)]
    http: HttpFlags,
    /// Time between two runs
    #[arg(long = "wait-interval", value_name = "DURATION", default_value = "5m")]
    wait_interval: GoDuration,
    /// Blocks that are downsampled at the same time
    #[arg(long = "downsample.concurrency", value_name = "NUMBER", default_value = "1")]
    concurrency: usize,
    /// Files that are read or written at the same time
    #[arg(long = "block-files-concurrency", value_name = "NUMBER", default_value = "1")]
    files: usize,
    /// Folder for blocks while they are worked on
    #[arg(long = "data-dir", value_name = "DIR", default_value = "./data")]
    data_dir: std::path::PathBuf,
    /// Hash that is written beside each file: empty or SHA256
    #[arg(long = "hash-func", value_name = "FUNCTION", default_value = "", value_parser = ["", "SHA256"])]
    hash_func: String,
}

pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    let Flags { http: _, wait_interval: _, concurrency: _, files: _, data_dir: _, hash_func: _ } = flags;
    bail!("downsampling comes with the compactor and is not part of this build; nothing was done")
}
