//! `tools tsdb analyze`: what makes a block's index large, and how full its chunks are.

mod fullness;

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use prom_model::METRIC_NAME;
use tsdb::index::{IndexReader, LabelArena, Postings, Series};

use super::super::output::Output;
use super::{DATABASE, database, go_text};

/// Analyzes churn, label pair cardinality and compaction efficiency of a block
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// How many items to show in each list
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Run extended analysis
    #[arg(long)]
    extended: bool,
    /// Series selector to analyze. Only 1 set of matchers is supported now
    #[arg(long = "match", value_name = "SELECTOR")]
    selector: Option<String>,
    /// Database path
    #[arg(value_name = "DB PATH", default_value = DATABASE)]
    database: PathBuf,
    /// Block to analyze (default is the last block)
    #[arg(value_name = "BLOCK ID")]
    block: Option<String>,
}

/// Prints the analysis.
pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    let matchers = flags.selector.as_deref().map(database::matchers).transpose()?;
    let block = database::block(&flags.database, flags.block.as_deref())?;
    let (meta, index) = (block.meta(), block.index());
    let range = meta.max_time.wrapping_sub(meta.min_time);
    let mut out = Output::standard();
    out.line(&format!("Block ID: {}", meta.ulid))?;
    out.line(&format!("Duration: {}", go_text::duration(range)))?;
    out.line(&format!("Total Series: {}", meta.stats.num_series))?;
    let selected = match &matchers {
        Some(matchers) => index.postings_for_matchers(matchers)?,
        None => index.all_postings()?,
    };
    let mut counts = Counts::default();
    counts.count(index, &selected, range)?;
    if let Some(selector) = &flags.selector {
        out.line(&format!("Matcher: {selector}"))?;
    }
    let names = counts.values(index, matchers.is_some())?;
    out.line(&format!("Label names: {}", names.len()))?;
    if matchers.is_some() {
        out.line(&format!("Matched series: {}", selected.len()))?;
    }
    out.line(&format!("Postings (unique label pairs): {}", counts.pairs.len()))?;
    out.line(&format!("Postings entries (total label pairs): {}", counts.entries))?;
    let churned = |uncovered: u64| (uncovered as f64 / range as f64) as u64;
    let mut list = |title: &str, mut items: Vec<(u64, String)>| {
        // Of the same size, by name: the same block, the same text.
        items
            .sort_unstable_by(|(size, name), (other, other_name)| other.cmp(size).then(name.cmp(other_name)));
        out.line(&format!("\n{title}:"))?;
        items.iter().take(flags.limit).try_for_each(|(size, name)| out.line(&format!("{size} {name}")))
    };
    let pairs = |size: &dyn Fn(&Pair) -> u64| -> Vec<(u64, String)> {
        let sized = counts.pairs.iter().map(|((name, value), pair)| (size(pair), format!("{name}={value}")));
        sized.collect()
    };
    list("Label pairs most involved in churning", pairs(&|pair| churned(pair.uncovered)))?;
    let churning = counts.names.iter().map(|(name, uncovered)| (churned(*uncovered), name.clone()));
    list("Label names most involved in churning", churning.collect())?;
    list("Most common label pairs", pairs(&|pair| pair.series))?;
    let lengths = names.iter().map(|(name, values)| (values.bytes, name.clone()));
    list("Label names with highest cumulative label value length", lengths.collect())?;
    let cardinalities = names.iter().map(|(name, values)| (values.number, name.clone()));
    list("Highest cardinality labels", cardinalities.collect())?;
    let metrics = counts.pairs.iter().filter(|((name, _), _)| name == METRIC_NAME);
    let metrics = metrics.map(|((_, value), pair)| (pair.series, value.clone()));
    list("Highest cardinality metric names", metrics.collect())?;
    let outcome = if flags.extended { fullness::run(&block, &selected, &mut out) } else { Ok(()) };
    out.finish()?;
    outcome?;
    if counts.without_chunks > 0 {
        bail!("{} series of block {} have no chunks", counts.without_chunks, meta.ulid);
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Pair {
    series: u64,
    /// Milliseconds of the block in which a series with the label is not there, over all series.
    uncovered: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Values {
    number: u64,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Counts {
    pairs: HashMap<(String, String), Pair>,
    /// The same by label name alone.
    names: HashMap<String, u64>,
    entries: u64,
    without_chunks: u64,
}

impl Counts {
    fn count(&mut self, index: &IndexReader, selected: &Postings, range: i64) -> anyhow::Result<()> {
        let (mut reader, mut symbols) = (index.series_reader(), index.symbol_cache());
        let (mut series, mut labels) = (Series::default(), LabelArena::default());
        // Counted by symbol; text is made once per pair.
        let mut pairs: HashMap<(u32, u32), Pair> = HashMap::new();
        for reference in selected.iter() {
            reader.read(reference, &mut series)?;
            let covered = match (series.chunks.first(), series.chunks.last()) {
                (Some(first), Some(last)) => last.max_time.wrapping_sub(first.min_time) as u64,
                _ => {
                    self.without_chunks += 1;
                    0
                }
            };
            let uncovered = (range as u64).wrapping_sub(covered);
            for label in &series.labels {
                let pair = pairs.entry(*label).or_default();
                pair.series += 1;
                pair.uncovered = pair.uncovered.wrapping_add(uncovered);
                self.entries += 1;
            }
        }
        #[expect(clippy::iter_over_hash_type, reason = "sums do not depend on the order")]
        for (label, counted) in pairs {
            symbols.resolve(&[label], &mut labels)?;
            let Some((name, value)) = labels.iter().next() else { continue };
            let uncovered = self.names.entry(name.to_owned()).or_default();
            *uncovered = uncovered.wrapping_add(counted.uncovered);
            let pair = self.pairs.entry((name.to_owned(), value.to_owned())).or_default();
            pair.series += counted.series;
            pair.uncovered = pair.uncovered.wrapping_add(counted.uncovered);
        }
        Ok(())
    }

    /// The values of each label name: those of the index, or of the selected series.
    fn values(&self, index: &IndexReader, only_selected: bool) -> anyhow::Result<Vec<(String, Values)>> {
        let mut names: HashMap<String, Values> = HashMap::new();
        let mut add = |name: &str, value: &str| {
            let values = names.entry(name.to_owned()).or_default();
            values.number += 1;
            values.bytes += value.len() as u64;
        };
        if only_selected {
            self.pairs.keys().for_each(|(name, value)| add(name, value));
        } else {
            for (name, _) in index.label_names() {
                let Some(mut walk) = index.label_values(&name) else { continue };
                while let Some(entry) = walk.next_entry()? {
                    add(&name, &String::from_utf8_lossy(entry.value));
                }
            }
        }
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(names)
    }
}
