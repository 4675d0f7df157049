//! `tools bucket inspect`: one row for each block.

mod table;

use std::cmp::Ordering;

use block::{Meta, Resolution};
use clap::Args;
use server::duration::GoDuration;

use self::table::Table;
use super::fetch::fetch;
use super::{Tool, go_format};
use crate::commands::tools::output::Output;
use crate::flags::label_pair::LabelPair;

const COLUMNS: [&str; 13] = [
    "ULID",
    "FROM",
    "UNTIL",
    "RANGE",
    "UNTIL-DOWN",
    "#SERIES",
    "#SAMPLES",
    "#CHUNKS",
    "COMP-LEVEL",
    "COMP-FAILED",
    "LABELS",
    "RESOLUTION",
    "SOURCE",
];

/// Shows the blocks of the bucket as a table
#[derive(Args)]
pub(super) struct Flags {
    /// Only blocks with this external label (repeated; all must match)
    #[arg(short = 'l', long = "selector", value_name = "NAME=\"VALUE\"")]
    selector: Vec<LabelPair>,
    /// Column to sort by (repeated: the next one decides between equal rows)
    #[arg(long = "sort-by", value_name = "COLUMN", default_values = ["FROM", "UNTIL"], value_parser = COLUMNS)]
    sort_by: Vec<String>,
    /// Shape of the output
    #[arg(long = "output", value_name = "FORMAT", default_value = "table", value_parser = ["table", "csv", "tsv"])]
    output: String,
    /// Time to read the metadata
    #[arg(long = "timeout", value_name = "DURATION", default_value = "5m")]
    timeout: GoDuration,
}

pub(super) async fn run(flags: Flags, tool: &Tool) -> anyhow::Result<()> {
    let blocks = fetch(tool, Vec::new(), flags.timeout.0).await?;
    let selected = |meta: &&Meta| {
        flags.selector.iter().all(|label| meta.thanos.labels.get(&label.name) == Some(&label.value))
    };
    let mut metas: Vec<&Meta> = blocks.metas.iter().map(AsRef::as_ref).filter(selected).collect();
    metas.sort_by(|a, b| {
        let columns = flags.sort_by.iter().map(|column| compare(column, a, b));
        columns.fold(Ordering::Equal, Ordering::then).then_with(|| a.id().cmp(&b.id()))
    });
    let table = Table { header: COLUMNS.to_vec(), rows: metas.into_iter().map(row).collect() };
    let mut output = Output::standard();
    output.write(&match flags.output.as_str() {
        "csv" => table.to_separated(','),
        "tsv" => table.to_separated('\t'),
        _ => table.to_text(),
    })?;
    output.finish()?;
    blocks.complain()
}

fn range(meta: &Meta) -> i64 {
    meta.block.max_time.saturating_sub(meta.block.min_time)
}

/// Time until a block of this range is downsampled further; `None` where there is no further step.
fn until_downsampled(meta: &Meta) -> Option<i64> {
    const HOUR: i64 = 3_600_000;
    let needed = match meta.thanos.downsample.resolution {
        Resolution::RAW => 40 * HOUR,
        Resolution::FIVE_MINUTES => 240 * HOUR,
        _ => return None,
    };
    Some(needed.saturating_sub(range(meta)))
}

fn labels(meta: &Meta) -> String {
    let pairs: Vec<String> =
        meta.thanos.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(",")
}

fn row(meta: &Meta) -> Vec<String> {
    let (block, thanos) = (&meta.block, &meta.thanos);
    vec![
        block.ulid.to_string(),
        go_format::time(block.min_time),
        go_format::time(block.max_time),
        block::go_duration(range(meta)),
        until_downsampled(meta).map_or_else(|| "-".to_owned(), block::go_duration),
        go_format::thousands(block.stats.num_series),
        go_format::thousands(block.stats.num_samples),
        go_format::thousands(block.stats.num_chunks),
        block.compaction.level.to_string(),
        block.compaction.failed.to_string(),
        labels(meta),
        block::go_duration(thanos.downsample.resolution.0),
        thanos.source.as_str().to_owned(),
    ]
}

/// Compares what stands in a column by its value: times and durations by length, numbers by size, the rest as text.
fn compare(column: &str, a: &Meta, b: &Meta) -> Ordering {
    let (first, second) = (&a.block, &b.block);
    match column {
        "FROM" => first.min_time.cmp(&second.min_time),
        "UNTIL" => first.max_time.cmp(&second.max_time),
        "RANGE" => range(a).cmp(&range(b)),
        // "-" sorts before the durations, as it did as text.
        "UNTIL-DOWN" => until_downsampled(a).cmp(&until_downsampled(b)),
        "#SERIES" => first.stats.num_series.cmp(&second.stats.num_series),
        "#SAMPLES" => first.stats.num_samples.cmp(&second.stats.num_samples),
        "#CHUNKS" => first.stats.num_chunks.cmp(&second.stats.num_chunks),
        "COMP-LEVEL" => first.compaction.level.cmp(&second.compaction.level),
        "COMP-FAILED" => first.compaction.failed.cmp(&second.compaction.failed),
        "LABELS" => labels(a).cmp(&labels(b)),
        "RESOLUTION" => a.thanos.downsample.resolution.cmp(&b.thanos.downsample.resolution),
        "SOURCE" => a.thanos.source.as_str().cmp(b.thanos.source.as_str()),
        _ => Ordering::Equal,
    }
}
