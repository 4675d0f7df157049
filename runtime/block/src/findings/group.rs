//! What is wrong between blocks of one group: overlaps, and the same compaction done twice.

use std::collections::BTreeMap;

use super::{Finding, Severity};
use crate::{Meta, group_key};

/// Blocks of one group that share time, each named with those that it overlaps.
///
/// Give it blocks that are in use: without those that are marked for deletion, and with external labels.
pub fn overlaps<'a>(metas: impl IntoIterator<Item = &'a Meta>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (group, mut blocks) in groups(metas) {
        blocks.sort_by_key(|meta| (meta.block.min_time, meta.block.max_time, meta.id()));
        let mut partners: BTreeMap<usize, Partners> = BTreeMap::new();
        let mut open: Vec<usize> = Vec::new();
        for (at, meta) in blocks.iter().enumerate() {
            open.retain(|earlier| {
                blocks.get(*earlier).is_some_and(|earlier| earlier.block.max_time > meta.block.min_time)
            });
            for earlier in &open {
                partners.entry(*earlier).or_default().add(at);
                partners.entry(at).or_default().add(*earlier);
            }
            open.push(at);
        }
        for (at, others) in partners {
            let Some(meta) = blocks.get(at) else { continue };
            let shown: Vec<String> = others
                .shown
                .iter()
                .filter_map(|other| blocks.get(*other))
                .map(|other| format!("{} [{}, {})", other.id(), other.block.min_time, other.block.max_time))
                .collect();
            let more = others.count.saturating_sub(shown.len());
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            let (from, to) = (meta.block.min_time, meta.block.max_time);
            let detail = format!("[{from}, {to}) of group {group} overlaps {}{more}", shown.join(", "));
            found.push(Finding::new(meta.id(), Severity::Defect, "overlap", detail));
        }
    }
    found
}

/// Blocks that another one of their group repeats: same range, level, sources and statistics. The oldest of them is the one to
/// keep and is not named.
pub fn duplicates<'a>(metas: impl IntoIterator<Item = &'a Meta>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (group, mut blocks) in groups(metas) {
        blocks.sort_by_key(|meta| meta.id());
        for (at, meta) in blocks.iter().enumerate() {
            let before = blocks.get(..at).unwrap_or_default();
            let kept = before.iter().find(|kept| {
                let (a, b) = (&kept.block, &meta.block);
                (a.min_time, a.max_time, a.compaction.level) == (b.min_time, b.max_time, b.compaction.level)
                    && a.compaction.sources == b.compaction.sources
                    && a.stats == b.stats
            });
            if let Some(kept) = kept {
                let detail = format!("made from the same blocks as {} of group {group}", kept.id());
                found.push(Finding::new(meta.id(), Severity::Defect, "duplicated-compaction", detail));
            }
        }
    }
    found
}

/// More partners are counted, not named.
const SHOWN_MAX: usize = 5;

/// The blocks that one block overlaps.
#[derive(Debug, Default)]
struct Partners {
    count: usize,
    shown: Vec<usize>,
}

impl Partners {
    fn add(&mut self, other: usize) {
        self.count += 1;
        if self.shown.len() < SHOWN_MAX {
            self.shown.push(other);
        }
    }
}

fn groups<'a>(metas: impl IntoIterator<Item = &'a Meta>) -> BTreeMap<String, Vec<&'a Meta>> {
    let mut groups: BTreeMap<String, Vec<&Meta>> = BTreeMap::new();
    for meta in metas.into_iter().filter(|meta| meta.block.min_time < meta.block.max_time) {
        groups.entry(group_key(&meta.thanos)).or_default().push(meta);
    }
    groups
}
