//! `tools tsdb dump`: the samples of a folder as text, those of a block as digests.

mod merge;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use prom_model::{Labels, METRIC_NAME, is_stale, push_go_float};
use tsdb::block::{DigestError, write_digest};
use tsdb::head::{Sample, SampleValue, Snapshot};

use self::merge::Merged;
use super::super::output::{Closed, Output};
use super::{DATABASE, database, go_text, sandbox};

/// What is dumped unless a selector says otherwise.
const EVERYTHING: &str = "{__name__=~'(?s:.*)'}";

/// Which samples, with the flags of promtool.
#[derive(Debug, Args)]
struct Choice {
    /// Where a copy of the head is made, and removed in the end; the database itself unless another place is named
    #[arg(long = "sandbox-dir-root", value_name = "DIR")]
    sandbox_dir_root: Option<PathBuf>,
    /// Minimum timestamp to dump, in milliseconds since the Unix epoch
    #[arg(long = "min-time", value_name = "MILLIS", default_value_t = i64::MIN, allow_negative_numbers = true)]
    min_time: i64,
    /// Maximum timestamp to dump, in milliseconds since the Unix epoch
    #[arg(long = "max-time", value_name = "MILLIS", default_value_t = i64::MAX, allow_negative_numbers = true)]
    max_time: i64,
    /// Series selector. Can be specified multiple times
    #[arg(long = "match", value_name = "SELECTOR", default_value = EVERYTHING)]
    selectors: Vec<String>,
    /// Database path
    #[arg(value_name = "DB PATH", default_value = DATABASE)]
    database: PathBuf,
}

/// Prints the samples of the blocks and of the head, or digests of a block
#[derive(Debug, Args)]
pub(super) struct Flags {
    #[command(flatten)]
    choice: Choice,
    /// Output format: samples, or the labels of each series as JSON
    #[arg(long, value_name = "FORMAT", default_value = "prom", value_parser = ["prom", "seriesjson"])]
    format: String,
    /// Take the path for that of one block, and print a line of JSON with a digest for each of its series and aggregates
    #[arg(long)]
    digest: bool,
    /// Print the samples too, with the digests
    #[arg(long, requires = "digest")]
    full: bool,
}

/// Prints the samples of the blocks and of the head as OpenMetrics text
#[derive(Debug, Args)]
pub(super) struct OpenMetricsFlags {
    #[command(flatten)]
    choice: Choice,
}

/// Prints samples, series or digests.
pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    if flags.digest {
        return run_digest(flags);
    }
    let mut out = Output::standard();
    let outcome = match flags.format.as_str() {
        "seriesjson" => series_json(&flags.choice, &mut out),
        _ => samples(&flags.choice, &mut out),
    };
    // What was good stands in front of what was wrong.
    out.finish().and(outcome)
}

fn run_digest(flags: &Flags) -> anyhow::Result<()> {
    let block = database::open(&flags.choice.database)?;
    let mut out = Output::standard();
    match write_digest(&block, flags.full, &mut Bytes(&mut out)) {
        Ok(_) => out.finish(),
        Err(DigestError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => Err(Closed.into()),
        Err(error) => {
            out.finish()?;
            Err(error.into())
        }
    }
}

/// Standard output for those who write bytes.
struct Bytes<'a>(&'a mut Output);

impl io::Write for Bytes<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text =
            std::str::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.0.write(text).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn samples(choice: &Choice, out: &mut Output) -> anyhow::Result<()> {
    let mut line = String::new();
    each_series(choice, |labels, samples| {
        let labels = labels.to_string();
        for sample in samples {
            line.clear();
            line.push_str(&labels);
            line.push(' ');
            match &sample.value {
                SampleValue::Float(value) => push_go_float(&mut line, *value),
                SampleValue::Histogram(histogram) => go_text::whole_histogram(&mut line, histogram),
                SampleValue::FloatHistogram(histogram) => go_text::float_histogram(&mut line, histogram),
            }
            // Writing to a text cannot fail, here and below.
            let _ = writeln!(line, " {}", sample.timestamp);
            out.write(&line)?;
        }
        Ok(())
    })
}

fn series_json(choice: &Choice, out: &mut Output) -> anyhow::Result<()> {
    let mut seen = HashSet::new();
    each_series(choice, |labels, _| {
        let line = serde_json::to_string(labels)?;
        if seen.insert(line.clone()) {
            out.line(&line)?;
        }
        Ok(())
    })
}

/// Prints floats as OpenMetrics, without stale markers and histograms, which it cannot express.
pub(super) fn run_open_metrics(flags: &OpenMetricsFlags) -> anyhow::Result<()> {
    let mut out = Output::standard();
    let mut line = String::new();
    let outcome = each_series(&flags.choice, |labels, samples| {
        let name = labels.value(METRIC_NAME).to_owned();
        let mut others = labels.clone();
        others.remove(METRIC_NAME);
        let prefix = format!("{name}{}", go_text::condensed(&others));
        for sample in samples {
            let SampleValue::Float(value) = sample.value else { continue };
            if is_stale(value) {
                continue;
            }
            line.clear();
            let _ = write!(line, "{prefix} ");
            push_go_float(&mut line, value);
            let _ = writeln!(line, " {:.3}", sample.timestamp as f64 / 1000.0);
            out.write(&line)?;
        }
        Ok(())
    });
    let outcome = outcome.and_then(|()| out.line("# EOF"));
    out.finish().and(outcome)
}

/// Goes through the series that any of the selectors matches, in order of their labels, each with its samples of all blocks and
/// of the head. A series that is damaged is named at the end; the others are there.
fn each_series(
    choice: &Choice,
    mut visit: impl FnMut(&Labels, &[Sample]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let selectors = choice.selectors.iter().map(|selector| database::matchers(selector));
    let selectors: Vec<_> = selectors.collect::<Result<_, _>>()?;
    let mut blocks = Vec::new();
    let found = database::blocks(&choice.database)?;
    let newest = found.iter().map(|block| block.meta.max_time).max();
    let root = choice.sandbox_dir_root.as_deref().unwrap_or(&choice.database);
    // Behind the blocks, and out of order anywhere.
    let is_wanted =
        newest.is_none_or(|newest| newest <= choice.max_time) || sandbox::has_late_samples(&choice.database);
    let head =
        if is_wanted { sandbox::open(&choice.database, root, newest.unwrap_or(i64::MIN))? } else { None };
    let snapshots: Vec<Snapshot> = (head.iter())
        .flat_map(|sandbox| {
            selectors.iter().map(|matchers| sandbox.head.select(matchers, choice.min_time, choice.max_time))
        })
        .collect();
    for block in found {
        if block.meta.min_time <= choice.max_time && choice.min_time < block.meta.max_time {
            blocks.push(database::open(&block.folder)?);
        }
    }
    let mut merged = Merged::new(&blocks, &snapshots, &selectors, (choice.min_time, choice.max_time))?;
    let mut damaged = 0u64;
    while let Some(labels) = merged.next_series() {
        let labels = labels.clone();
        match merged.samples() {
            Ok([]) => {}
            Ok(samples) => visit(&labels, samples)?,
            Err(damage) => {
                tracing::error!(series = %labels, %damage, "left a series out");
                damaged += 1;
            }
        }
    }
    damaged += merged.damaged();
    if damaged > 0 {
        bail!("{damaged} series of {} are damaged and were left out", choice.database.display());
    }
    Ok(())
}
