//! `tools tsdb bench write`: how many samples a second the storage takes.
#![expect(clippy::disallowed_methods, reason = "a measurement needs the clock")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use prom_model::Labels;
use tsdb::fs::{Fs, RealFs};
use tsdb::head::{Db, DbOptions};

use super::super::output::Output;
use super::super::progress::Progress;

/// Milliseconds between two scrapes.
const INTERVAL_MS: i64 = 30_000;
/// Series that are scraped together, and scrapes of them before it is the next ones' turn.
const BATCH: usize = 1_000;
const SCRAPES_PER_TURN: usize = 100;

/// Measures how fast the head takes samples
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Set the output path
    #[arg(long, value_name = "DIR", default_value = "benchout")]
    out: PathBuf,
    /// Number of metrics to read
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    metrics: usize,
    /// Number of scrapes to simulate
    #[arg(long, value_name = "N", default_value_t = 3_000)]
    scrapes: usize,
    /// Input file with samples data: the labels of a series on each line
    #[arg(value_name = "FILE", default_value = "../../tsdb/testdata/20kseries.json")]
    file: PathBuf,
}

/// Runs the benchmark; the output path is emptied first.
pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    let mut out = Output::standard();
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    match fs.remove_dir_all(&flags.out) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("remove {}", flags.out.display()));
        }
        _ => {}
    }
    fs.create_dir_all(&flags.out).with_context(|| format!("create {}", flags.out.display()))?;
    let folder = flags.out.join("storage");
    let (db, _) = Db::open(fs, &folder, DbOptions::default(), &mut |_| {})?;
    let (series, _) = stage("readData", &mut out, || read(&flags.file, flags.metrics))?;
    let (total, took) = stage("ingestScrapes", &mut out, || ingest(&db, &series, flags.scrapes))?;
    out.line("ingestion completed")?;
    out.line(&format!(" > total samples: {total}"))?;
    out.line(&format!(" > samples/sec: {}", prom_model::go_float(total as f64 / took.as_secs_f64())))?;
    stage("stopStorage", &mut out, || {
        db.head().sync()?;
        drop(db);
        Ok(())
    })?;
    out.finish()
}

/// Says when a stage begins and how long it took.
fn stage<T>(
    name: &str,
    out: &mut Output,
    run: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(T, Duration)> {
    out.line(&format!(">> start stage={name}"))?;
    let start = Instant::now();
    let done = run()?;
    let took = start.elapsed();
    out.line(&format!(">> completed stage={name} duration={took:?}"))?;
    Ok((done, took))
}

/// Reads labels as JSON objects of texts, one a line, each set once.
fn read(path: &Path, number: usize) -> anyhow::Result<Vec<Labels>> {
    let named = || format!("read {}", path.display());
    let file = RealFs.open(path).with_context(named)?;
    let bytes = file.read_range(0, file.len()).with_context(named)?;
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if found.len() == number || line.is_empty() {
            continue;
        }
        let labels: Labels =
            serde_json::from_slice(line).with_context(|| format!("{}: line {}", path.display(), at + 1))?;
        if seen.insert(labels.clone()) {
            found.push(labels);
        }
    }
    if found.is_empty() {
        bail!("{} has no series", path.display());
    }
    Ok(found)
}

fn ingest(db: &Db, series: &[Labels], scrapes: usize) -> anyhow::Result<u64> {
    let progress = Progress::over("turns", scrapes.div_ceil(SCRAPES_PER_TURN) as u64);
    let mut references = vec![None; series.len()];
    let mut total = 0;
    for turn in (0..scrapes).step_by(SCRAPES_PER_TURN) {
        for (batch, references) in series.chunks(BATCH).zip(references.chunks_mut(BATCH)) {
            for scrape in 0..SCRAPES_PER_TURN {
                let n = (turn + scrape) as i64 + 1;
                let mut appender = db.head().appender();
                for (labels, reference) in batch.iter().zip(references.iter_mut()) {
                    let known = match *reference {
                        Some(known) => known,
                        None => {
                            let labels: Vec<(&str, &str)> = labels
                                .iter()
                                .map(|label| (label.name.as_str(), label.value.as_str()))
                                .collect();
                            *reference.insert(appender.series(&labels)?)
                        }
                    };
                    appender.append(known, INTERVAL_MS * n, (123_456_789 + 1_000 * n) as f64)?;
                }
                total += appender.commit()?.samples;
            }
        }
        progress.step();
    }
    progress.finish();
    Ok(total)
}
