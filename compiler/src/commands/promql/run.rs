//! `pronoia promql run`: a query over blocks on disk.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::ValueEnum;
use prom_model::{PromDuration, SystemClock, TimestampMs};
use promql::{Answer, Control, Engine, EngineOptions, Level, Stopwatch};
use promql_syntax::ParseOptions;
use query::Blocks;
use tsdb::BlockId;
use tsdb::block::{BlockReader, META_FILE};
use tsdb::fs::{Fs, RealFs};

use super::answer;
use super::when::When;
use crate::commands::Exit;
use crate::commands::console::Console;

/// How many warnings and infos are told.
const ANNOTATIONS_MAX: usize = 10;

#[derive(Debug, clap::Args)]
pub(in crate::commands) struct Args {
    /// A block, or a folder of blocks; may be repeated
    #[arg(long = "block", required = true, value_name = "DIR")]
    blocks: Vec<PathBuf>,
    /// The query
    #[arg(value_name = "EXPR")]
    query: String,
    #[command(flatten)]
    when: When,
    /// How the answer is written
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
    /// How far an instant selector looks back
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    lookback_delta: PromDuration,
    /// Tell what each operator of the plan did
    #[arg(long)]
    analyze: bool,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// One line per series, or per sample
    #[default]
    Text,
    /// As the HTTP API of Prometheus answers
    Json,
}

pub(in crate::commands) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let blocks = open(&args.blocks)?;
    // Without a time, the last of which there are samples.
    let last = blocks.times().map_or(0, |(_, last)| last);
    let range = args.when.range(TimestampMs::from_millis(last))?;
    let engine = Engine::new(EngineOptions {
        lookback_delta: args.lookback_delta.as_millis(),
        parse: ParseOptions::ALL,
        workers: std::thread::available_parallelism().map_or(1, usize::from),
        ..EngineOptions::default()
    });
    let prepared = engine.prepare(&args.query, range)?;
    let mut control = Control::unlimited(Arc::new(SystemClock));
    let begun = Instant::now();
    control.stopwatch = args.analyze.then(|| Stopwatch::new(move || begun.elapsed()));
    let answer = prepared.run(Arc::new(blocks), control)?;
    let texts = |level| answer.annotations.texts(level, &args.query, ANNOTATIONS_MAX);
    let (warnings, infos) = (texts(Level::Warning), texts(Level::Info));
    match args.output {
        Output::Json => console.out(&format!("{}\n", answer::json(&answer, warnings, infos)))?,
        Output::Text => {
            console.out(&answer::text(&answer))?;
            for text in warnings.iter().chain(&infos) {
                console.note(text);
            }
        }
    }
    if args.analyze {
        console.err(&analysis(&answer));
    }
    Ok(Exit::Ok)
}

/// Opens the blocks that folders hold, or are.
fn open(folders: &[PathBuf]) -> anyhow::Result<Blocks> {
    let mut readers = Vec::new();
    for folder in folders {
        let reader = |folder: &Path| {
            BlockReader::open(&RealFs, folder).with_context(|| format!("block `{}`", folder.display()))
        };
        if RealFs.open(&folder.join(META_FILE)).is_ok() {
            readers.push(reader(folder)?);
            continue;
        }
        let entries = RealFs.list(folder).with_context(|| format!("`{}`", folder.display()))?;
        let known = readers.len();
        for entry in entries.iter().filter(|entry| entry.is_dir && BlockId::is_block_folder(&entry.name)) {
            readers.push(reader(&folder.join(&entry.name))?);
        }
        if readers.len() == known {
            bail!("`{}` is no block and holds none", folder.display());
        }
    }
    Ok(Blocks::new(readers, None))
}

/// What each operator did, as a table.
fn analysis(answer: &Answer) -> String {
    let mut out =
        format!("{:>10} {:>12} {:>12} {:>12}  operator\n", "series", "samples", "time", "peak bytes");
    for node in answer.analysis.iter().flatten() {
        // Writing to a text cannot fail.
        let _ = writeln!(
            out,
            "{:>10} {:>12} {:>12} {:>12}  {:indent$}{}",
            node.series,
            node.samples,
            format!("{:.3?}", node.time),
            node.bytes_peak,
            "",
            node.operator,
            indent = node.depth * 2
        );
    }
    out
}
