//! `tools bucket ls`: one line for each block.

mod template;

use anyhow::Context;
use block::filter::{Filter, IgnoreDeletionMarks};
use clap::Args;
use prom_model::PromDuration;
use server::duration::GoDuration;
use tracing::{info, warn};

use self::template::Template;
use super::fetch::fetch;
use super::{Tool, go_format, meta_json};
use crate::commands::tools::output::Output;
use crate::flags::selector::{SelectorFlags, TimeRangeFlags};

/// Lists the blocks of the bucket
#[derive(Args)]
pub(super) struct Flags {
    /// What is printed of each block: nothing for its ULID, `json`, `wide`, or a Go template such as '{{.ULID}} {{.MinTime}}'
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "")]
    output: String,
    /// Leave out blocks that are marked for deletion
    #[arg(long = "exclude-delete")]
    exclude_delete: bool,
    #[command(flatten)]
    time: TimeRangeFlags,
    #[command(flatten)]
    selector: SelectorFlags,
    /// Time to read the metadata
    #[arg(long = "timeout", value_name = "DURATION", default_value = "5m")]
    timeout: GoDuration,
}

/// What is printed of a block.
enum Format {
    Id,
    Wide,
    Json,
    Template(Template),
}

pub(super) async fn run(flags: Flags, tool: &Tool) -> anyhow::Result<()> {
    let format = match flags.output.as_str() {
        "" => Format::Id,
        "wide" => Format::Wide,
        "json" => Format::Json,
        template => Format::Template(Template::parse(template).with_context(|| {
            format!("--output={template}: neither json nor wide, and no template that is understood")
        })?),
    };
    if flags.timeout.0.as_secs() < 60 {
        warn!(msg = "Timeout less than 1m could lead to frequent failures");
    }
    let mut filters: Vec<Box<dyn Filter>> =
        vec![Box::new(flags.selector.filter()?), Box::new(flags.time.filter())];
    if flags.exclude_delete {
        filters.push(Box::new(IgnoreDeletionMarks(PromDuration::ZERO)));
    }
    let blocks = fetch(tool, filters, flags.timeout.0).await?;
    let mut output = Output::standard();
    for meta in &blocks.metas {
        let block = &meta.block;
        let line = match &format {
            Format::Id => block.ulid.to_string(),
            Format::Wide => format!(
                "{} -- {} - {} Diff: {}, Compaction: {}, Downsample: {}, Source: {}",
                block.ulid,
                go_format::time(block.min_time),
                go_format::time(block.max_time),
                block::go_duration(
                    (block.max_time / 1000).saturating_sub(block.min_time / 1000).saturating_mul(1000)
                ),
                block.compaction.level,
                meta.thanos.downsample.resolution,
                meta.thanos.source.as_str(),
            ),
            Format::Json => String::from_utf8(meta.to_bytes()?)?.trim_end().to_owned(),
            Format::Template(template) => template
                .render(&meta_json(meta)?)
                .with_context(|| format!("--output does not fit block {}", block.ulid))?,
        };
        output.line(&line)?;
    }
    output.finish()?;
    info!(msg = "ls done", objects = blocks.metas.len());
    blocks.complain()
}
