//! Label names and values of blocks and head.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use hashbrown::HashSet;
use prom_model::Matcher;
use promql::SourceError;
use tsdb::Corruption;
use tsdb::block::BlockReader;
use tsdb::head::Head;
use tsdb::index::{IndexReader, Series};

use super::{Blocks, damaged};
use crate::{Catalog, Found, Scope};

/// So many blocks, those with the most series, are asked how many series a query has: the others have about as many or fewer.
const LOOKED_AT: usize = 4;

impl Catalog for Blocks {
    fn label_names(&self, scope: &Scope) -> Result<Found, SourceError> {
        let mut names = BTreeSet::new();
        for block in self.overlapping(scope.min_time, scope.max_time) {
            add_block_names(block, scope, &mut names).map_err(damaged)?;
        }
        if let Some(head) = &self.head {
            add_head_names(head, scope, &mut names);
        }
        Ok(Found { texts: names.into_iter().collect(), warnings: Vec::new() })
    }

    fn label_values(&self, name: &str, scope: &Scope) -> Result<Found, SourceError> {
        let mut values = BTreeSet::new();
        for block in self.overlapping(scope.min_time, scope.max_time) {
            add_block_values(block.index(), name, scope, &mut values).map_err(damaged)?;
        }
        if let Some(head) = &self.head {
            add_head_values(head, name, scope, &mut values);
        }
        Ok(Found { texts: values.into_iter().collect(), warnings: Vec::new() })
    }

    fn series_at_most(&self, matchers: &[Matcher], min_time: i64, max_time: i64) -> u64 {
        let of = |block: &BlockReader| {
            block.index().postings_for_matchers(matchers).map_or(0, |found| found.len())
        };
        let mut blocks: Vec<_> = self.overlapping(min_time, max_time).collect();
        blocks.sort_unstable_by_key(|block| Reverse(block.meta().stats.num_series));
        let most = blocks.into_iter().take(LOOKED_AT).map(|block| of(block)).max().unwrap_or(0);
        let head = self.head.as_ref().map_or(0, |head| head.stats().series);
        most as u64 + head as u64
    }
}

fn add_block_names(
    block: &BlockReader,
    scope: &Scope,
    names: &mut BTreeSet<String>,
) -> Result<(), Corruption> {
    let index = block.index();
    if scope.matchers.is_empty() {
        names.extend(index.label_names().map(|(name, _)| name.into_owned()));
        return Ok(());
    }
    let mut symbols = HashSet::<u32, foldhash::fast::FixedState>::default();
    each_series(index, &scope.matchers, |series| {
        symbols.extend(series.labels.iter().map(|(name, _)| *name));
    })?;
    add_texts(index, symbols, names)
}

fn add_block_values(
    index: &IndexReader,
    name: &str,
    scope: &Scope,
    values: &mut BTreeSet<String>,
) -> Result<(), Corruption> {
    if scope.matchers.is_empty() {
        let Some(mut walk) = index.label_values(name) else { return Ok(()) };
        while let Some(entry) = walk.next_entry()? {
            values.insert(String::from_utf8_lossy(entry.value).into_owned());
        }
        return Ok(());
    }
    let mut cache = index.symbol_cache();
    let mut named: Option<u32> = None;
    let mut symbols = HashSet::<u32, foldhash::fast::FixedState>::default();
    let mut failed = None;
    each_series(index, &scope.matchers, |series| {
        let found = series.labels.iter().find(|(symbol, _)| match named {
            Some(known) => known == *symbol,
            None => match cache.text(*symbol) {
                Ok(text) => text == name,
                Err(damage) => {
                    failed = Some(damage);
                    false
                }
            },
        });
        if let Some((symbol, value)) = found {
            named = Some(*symbol);
            symbols.insert(*value);
        }
    })?;
    match failed {
        Some(damage) => Err(damage),
        None => add_texts(index, symbols, values),
    }
}

/// Visits the series that satisfy any set of matchers.
fn each_series(
    index: &IndexReader,
    sets: &[Vec<Matcher>],
    mut visit: impl FnMut(&Series),
) -> Result<(), Corruption> {
    let lists: Vec<_> = sets.iter().map(|set| index.postings_for_matchers(set)).collect::<Result<_, _>>()?;
    let (mut reader, mut series) = (index.series_reader(), Series::default());
    for reference in tsdb::index::Postings::union(&lists).iter() {
        reader.read(reference, &mut series)?;
        visit(&series);
    }
    Ok(())
}

fn add_texts(
    index: &IndexReader,
    symbols: HashSet<u32, foldhash::fast::FixedState>,
    into: &mut BTreeSet<String>,
) -> Result<(), Corruption> {
    let mut cache = index.symbol_cache();
    for symbol in symbols {
        let text = cache.text(symbol)?;
        if !into.contains(text) {
            into.insert(text.to_owned());
        }
    }
    Ok(())
}

fn add_head_names(head: &Head, scope: &Scope, names: &mut BTreeSet<String>) {
    if scope.matchers.is_empty() {
        if in_head(head, scope) {
            names.extend(head.label_names());
        }
        return;
    }
    for set in &scope.matchers {
        for series in head.select(set, scope.min_time, scope.max_time).series() {
            names.extend(series.labels().map(|(name, _)| name.to_owned()));
        }
    }
}

fn add_head_values(head: &Head, name: &str, scope: &Scope, values: &mut BTreeSet<String>) {
    if scope.matchers.is_empty() {
        if in_head(head, scope) {
            values.extend(head.label_values(name));
        }
        return;
    }
    for set in &scope.matchers {
        for series in head.select(set, scope.min_time, scope.max_time).series() {
            let found = series.labels().find(|(known, _)| *known == name);
            values.extend(found.map(|(_, value)| value.to_owned()));
        }
    }
}

/// Whether the head has samples of the time.
fn in_head(head: &Head, scope: &Scope) -> bool {
    let stats = head.stats();
    let times = stats.times.into_iter().chain(stats.out_of_order_times);
    times.into_iter().any(|(first, last)| first <= scope.max_time && scope.min_time <= last)
}
