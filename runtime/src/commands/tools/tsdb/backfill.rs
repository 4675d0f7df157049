//! `tools tsdb create-blocks-from openmetrics`: old samples, as a text, become blocks.
//!
//! The text is read once to see which time ranges it has, then once for each group of ranges whose samples fit into memory
//! together. Each range goes through a head of its own, so that its block is cut as a server would cut it.
#![expect(clippy::disallowed_methods, reason = "the text may be a pipe, which is no file of a database")]

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufReader, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use prom_model::{Clock, SystemClock};
use server::duration::GoDuration;
use tsdb::BlockId;
use tsdb::fs::{Fs, RealFs};
use tsdb::head::{Appender, Head, HeadOptions};

use super::super::output::Output;
use super::super::progress::Progress;
use super::open_metrics::{OpenMetricsReader, SampleLine};
use super::{DATABASE, database, list};

/// The shortest time that a block spans; each longer one spans three times as much.
const BLOCK_MS: i64 = 2 * 60 * 60 * 1000;
/// So often a longer duration is tried.
const LONGER: u32 = 9;
/// Samples that are in memory at the same time, compressed: about 1.5 bytes each.
const SAMPLES_PER_PASS: u64 = 20_000_000;
/// Samples of one commit.
const SAMPLES_PER_COMMIT: usize = 5_000;
/// Steps of the progress bar.
const LINES_PER_STEP: u64 = 10_000;

/// Makes blocks of OpenMetrics text
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Print human readable values
    #[arg(short = 'r', long = "human-readable")]
    human_readable: bool,
    /// Do not print created blocks
    #[arg(short = 'q', long)]
    quiet: bool,
    /// Maximum duration created blocks may span. Anything less than 2h is ignored
    #[arg(long = "max-block-duration", value_name = "DURATION", hide = true)]
    max_block_duration: Option<GoDuration>,
    /// Label to attach to metrics. Can be specified multiple times. Example --label=label_name=label_value
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// OpenMetrics file to read samples from
    #[arg(value_name = "INPUT FILE")]
    input: PathBuf,
    /// Output directory for generated blocks
    #[arg(value_name = "OUTPUT DIRECTORY", default_value = DATABASE)]
    output: PathBuf,
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if prom_model::NameScheme::Utf8.is_valid_label_name(name) => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("not a label, as in name=value".to_owned()),
    }
}

/// Makes the blocks and prints a row for each.
pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    let named = || flags.input.display().to_string();
    let input = seekable(&flags.input).with_context(named)?;
    let block_ms = block_duration(flags.max_block_duration.map_or(Duration::ZERO, |duration| duration.0));
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    fs.create_dir_all(&flags.output).with_context(|| format!("create {}", flags.output.display()))?;
    let (ranges, lines) = time_ranges(&input, block_ms).with_context(named)?;
    let mut out = Output::standard();
    let mut wrote_header = false;
    for pass in passes(&ranges) {
        let progress = Progress::over("lines", lines / LINES_PER_STEP);
        let heads = fill(&input, &pass, block_ms, &flags.labels, &progress).with_context(named)?;
        progress.finish();
        for head in heads.into_values() {
            let Some((first, last)) = head.stats().times else { continue };
            let range = (first, last.saturating_add(1));
            let Some(meta) = head.write_block(&fs, &flags.output, new_id(), range)? else { continue };
            if !flags.quiet {
                let size = database::size(&flags.output.join(meta.ulid.to_string()))?;
                out.write(&list::table(&[list::row(&meta, size, flags.human_readable)], !wrote_header))?;
                wrote_header = true;
            }
        }
    }
    out.finish()
}

/// A file that can be read more than once; a pipe is copied to one.
fn seekable(path: &Path) -> io::Result<File> {
    let mut file = File::open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut copy = tempfile::tempfile()?;
    io::copy(&mut file, &mut copy)?;
    Ok(copy)
}

fn reader(mut input: &File) -> io::Result<OpenMetricsReader<BufReader<&File>>> {
    input.rewind()?;
    Ok(OpenMetricsReader::new(BufReader::with_capacity(1 << 20, input)))
}

/// The longest duration of blocks that is not above what was asked for.
fn block_duration(max: Duration) -> i64 {
    let max = i64::try_from(max.as_millis()).unwrap_or(i64::MAX);
    let durations = (0..=LONGER).rev().map(|times| BLOCK_MS * 3i64.pow(times));
    durations.into_iter().find(|duration| *duration <= max).unwrap_or(BLOCK_MS)
}

fn range_of(timestamp: i64, block_ms: i64) -> i64 {
    timestamp.div_euclid(block_ms)
}

/// How many samples each time range has, and how many lines there are.
fn time_ranges(input: &File, block_ms: i64) -> anyhow::Result<(BTreeMap<i64, u64>, u64)> {
    let mut ranges: BTreeMap<i64, u64> = BTreeMap::new();
    let (mut reader, mut sample) = (reader(input)?, SampleLine::default());
    while reader.next_into(&mut sample)? {
        let Some(timestamp) = sample.timestamp else {
            bail!("line {}: expected timestamp for series, got none", reader.line());
        };
        *ranges.entry(range_of(timestamp, block_ms)).or_default() += 1;
    }
    Ok((ranges, reader.line()))
}

/// The ranges in groups that fit into memory.
fn passes(ranges: &BTreeMap<i64, u64>) -> Vec<Vec<i64>> {
    let mut passes: Vec<Vec<i64>> = Vec::new();
    let mut samples = u64::MAX;
    for (range, number) in ranges {
        match passes.last_mut() {
            Some(pass) if samples.saturating_add(*number) <= SAMPLES_PER_PASS => pass.push(*range),
            _ => {
                passes.push(vec![*range]);
                samples = 0;
            }
        }
        samples = samples.saturating_add(*number);
    }
    passes
}

/// Reads the samples of some ranges into a head for each.
fn fill(
    input: &File,
    pass: &[i64],
    block_ms: i64,
    extra: &[(String, String)],
    progress: &Progress,
) -> anyhow::Result<BTreeMap<i64, Head>> {
    // Twice as long, because a head takes no samples that are more than half of that older than its newest.
    let options = HeadOptions { chunk_range_ms: 2 * block_ms, ..HeadOptions::default() };
    let heads: BTreeMap<i64, Head> = pass.iter().map(|range| (*range, Head::in_memory(options))).collect();
    append(input, &heads, extra, block_ms, progress)?;
    Ok(heads)
}

fn append(
    input: &File,
    heads: &BTreeMap<i64, Head>,
    extra: &[(String, String)],
    block_ms: i64,
    progress: &Progress,
) -> anyhow::Result<()> {
    let (mut reader, mut sample) = (reader(input)?, SampleLine::default());
    let mut open: Option<(i64, Appender<'_>, usize)> = None;
    while reader.next_into(&mut sample)? {
        if reader.line().is_multiple_of(LINES_PER_STEP) {
            progress.step();
        }
        let Some(timestamp) = sample.timestamp else { continue };
        let range = range_of(timestamp, block_ms);
        let Some(head) = heads.get(&range) else { continue };
        let (mut appender, number) = match open.take() {
            Some((at, appender, number)) if at == range && number < SAMPLES_PER_COMMIT => (appender, number),
            before => {
                if let Some((_, appender, _)) = before {
                    appender.commit()?;
                }
                (head.appender(), 0)
            }
        };
        let mut labels: Vec<(&str, &str)> = sample.labels().collect();
        if !extra.is_empty() {
            labels.retain(|(name, _)| extra.iter().all(|(other, _)| other != name));
            labels.extend(extra.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        }
        labels.sort_unstable();
        let appended =
            appender.series(&labels).and_then(|series| appender.append(series, timestamp, sample.value));
        appended.with_context(|| format!("line {}", reader.line()))?;
        open = Some((range, appender, number + 1));
    }
    if let Some((_, appender, _)) = open {
        appender.commit()?;
    }
    Ok(())
}

/// A new name for a block.
fn new_id() -> BlockId {
    let millis = SystemClock.now().as_millis().unsigned_abs();
    // Each is seeded by chance.
    let chance = || u128::from(RandomState::new().build_hasher().finish());
    BlockId::new(millis, chance() << 64 | chance())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_span_what_a_server_would_let_them_span() {
        let hours = |hours: u64| block_duration(Duration::from_secs(hours * 3600)) / 3_600_000;
        assert_eq!([hours(0), hours(1), hours(3), hours(6), hours(17), hours(99)], [2, 2, 2, 6, 6, 54]);
    }

    #[test]
    fn passes_are_bounded() {
        let ranges =
            BTreeMap::from([(0, SAMPLES_PER_PASS - 1), (1, 1), (2, 1), (3, 3 * SAMPLES_PER_PASS), (4, 1)]);
        assert_eq!(passes(&ranges), [vec![0, 1], vec![2], vec![3], vec![4]]);
    }
}
