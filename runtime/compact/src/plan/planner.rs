//! What is the next thing to do in a group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use block::{Meta, NoCompactReason, Resolution};
use tsdb::BlockId;

use super::group::Group;
use super::job::{Job, Overlapping, index_bytes};
use super::levels::Levels;
use super::select::{overlapping, select};

/// An index becomes larger by being merged: so much of the limit is used.
const INDEX_SHARE: f64 = 0.85;

/// The rules.
#[derive(Debug, Clone, Copy)]
pub struct Planner {
    /// What blocks grow to.
    pub levels: Levels,
    /// How many bytes the indices of the sources may have in sum; `--compact.block-max-index-size`.
    pub index_bytes_max: u64,
    /// Whether blocks that share time are declared to be merged; `--compact.enable-vertical-compaction`, and on where there are
    /// replica labels.
    pub vertical: bool,
    /// Whether blocks that share time stop everything where that is not declared, as in Thanos; `--compact.halt-compat`.
    pub halt_on_overlap: bool,
}

/// What is known of the blocks beside their metadata.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Blocks that are not to be compacted: marked, set aside, or not to be trusted.
    pub excluded: &'a BTreeSet<BlockId>,
    /// The size of the index of blocks whose metadata do not tell it, bytes. Without an entry it counts as 0.
    pub index_bytes: &'a BTreeMap<BlockId, u64>,
}

/// A block that is to get a no-compact mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marking {
    /// The block.
    pub block: BlockId,
    /// Why.
    pub reason: NoCompactReason,
    /// Why, in Thanos' words.
    pub details: String,
}

/// What is to be done next: first the marks, then the rest.
#[derive(Debug, Clone)]
pub struct Step {
    /// Blocks that are to be left out from now on.
    pub marks: Vec<Marking>,
    /// What comes after.
    pub next: Next,
}

/// What is to be done in a group.
#[derive(Debug, Clone)]
pub enum Next {
    /// All is done.
    Nothing,
    /// Blocks are to be compacted.
    Job(Box<Job>),
    /// Nothing more must be done, in any group.
    Halt(Halt),
}

/// Why Thanos halts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// Blocks share time.
    #[error("group {group}: pre compaction overlap check: overlaps found while gathering blocks. {overlaps}")]
    Overlaps {
        /// The key of the group.
        group: String,
        /// The ranges that are in several blocks, in Prometheus' words.
        overlaps: String,
    },
    /// Blocks that do not share time were made from the same blocks.
    #[error("group {group}: overlapping sources detected for plan [{blocks}]")]
    Sources {
        /// The key of the group.
        group: String,
        /// The blocks.
        blocks: String,
    },
    /// A block is damaged in a way that cannot be mended.
    #[error("group {group}: block with not healthy index found {block}: {found}")]
    Damaged {
        /// The group in words.
        group: String,
        /// The block.
        block: BlockId,
        /// What was found.
        found: String,
    },
}

impl Planner {
    /// Decides what is to be done next in a group. The same group, and the same of what is known, give the same step.
    pub fn step(&self, group: &Group, known: Known<'_>) -> Step {
        let blocks: Vec<&Meta> = group.blocks.iter().map(AsRef::as_ref).collect();
        let mut step = Step { marks: Vec::new(), next: Next::Nothing };
        if blocks.len() < 2 {
            return step;
        }
        if self.halt_on_overlap
            && !self.vertical
            && let Some(overlaps) = overlap_words(&blocks)
        {
            step.next = Next::Halt(Halt::Overlaps { group: group.key.clone(), overlaps });
            return step;
        }
        let mut excluded = known.excluded.clone();
        loop {
            let blocks = self.blocks_in_line(&blocks, &excluded);
            let chosen = select(self.levels.ranges_ms(), &excluded, &blocks);
            let marks = match self.too_large(&chosen, known) {
                Some(mark) => vec![mark],
                None => downsampled_overlaps(&chosen),
            };
            if marks.is_empty() {
                step.next = self.job(group, &chosen);
                return step;
            }
            excluded.extend(marks.iter().map(|mark| mark.block));
            step.marks.extend(marks);
        }
    }

    /// The blocks without those that are left out beside one that is not: no hole comes from joining others around them. Where
    /// blocks may overlap, Thanos sees a hole all the same; where not, it stops.
    fn blocks_in_line<'a>(&self, blocks: &[&'a Meta], excluded: &BTreeSet<BlockId>) -> Vec<&'a Meta> {
        if self.vertical {
            return blocks.to_vec();
        }
        let is_out = |meta: &Meta| excluded.contains(&meta.id());
        let shares_time = |one: &Meta, other: &Meta| {
            one.block.min_time < other.block.max_time && other.block.min_time < one.block.max_time
        };
        let beside = |meta: &Meta| blocks.iter().any(|other| !is_out(other) && shares_time(meta, other));
        blocks.iter().copied().filter(|meta| !is_out(meta) || !beside(meta)).collect()
    }

    fn job(&self, group: &Group, chosen: &[&Meta]) -> Next {
        if chosen.is_empty() {
            return Next::Nothing;
        }
        let ids: BTreeSet<BlockId> = chosen.iter().map(|meta| meta.id()).collect();
        let sources: Vec<Arc<Meta>> =
            group.blocks.iter().filter(|meta| ids.contains(&meta.id())).cloned().collect();
        if self.halt_on_overlap && !self.vertical && share_sources(chosen) {
            let blocks: Vec<String> = chosen.iter().map(|meta| words(meta)).collect();
            return Next::Halt(Halt::Sources { group: group.key.clone(), blocks: blocks.join(" ") });
        }
        let overlapping = match overlapping(chosen).is_empty() {
            true => Overlapping::No,
            false if self.vertical => Overlapping::Declared,
            false => Overlapping::IfEqual,
        };
        Next::Job(Box::new(Job::new(group, sources, overlapping)))
    }

    /// The block with the largest index, where the new block could have a larger one than is allowed.
    fn too_large(&self, chosen: &[&Meta], known: Known<'_>) -> Option<Marking> {
        let limit = (self.index_bytes_max as f64 * INDEX_SHARE) as u64;
        let mut sum = 0u64;
        let mut largest: Option<(u64, BlockId)> = None;
        for meta in chosen {
            let id = meta.id();
            let size = index_bytes(meta).or_else(|| known.index_bytes.get(&id).copied()).unwrap_or(0);
            if largest.is_none_or(|(known, _)| known < size) {
                largest = Some((size, id));
            }
            sum = sum.saturating_add(size);
            if sum >= limit
                && let Some((_, block)) = largest
            {
                let limit = self.index_bytes_max;
                let details = format!(
                    "largeTotalIndexSizeFilter: Total compacted block's index size could exceed: {limit} with this block. See https://github.com/thanos-io/thanos/issues/1424"
                );
                return Some(Marking { block, reason: NoCompactReason::IndexSizeExceeding, details });
            }
        }
        None
    }
}

/// Aggregates cannot be merged where they share time: such blocks are left alone.
fn downsampled_overlaps(chosen: &[&Meta]) -> Vec<Marking> {
    if overlapping(chosen).is_empty() {
        return Vec::new();
    }
    let downsampled = chosen.iter().filter(|meta| meta.thanos.downsample.resolution != Resolution::RAW);
    let mark = |meta: &&Meta| {
        Marking {
        block: meta.id(),
        reason: NoCompactReason::DownsampleVerticalCompaction,
        details: "verticalCompactionDownsampleFilter: Downsampled block, see https://github.com/thanos-io/thanos/issues/6775"
            .to_owned(),
    }
    };
    downsampled.map(mark).collect()
}

fn share_sources(chosen: &[&Meta]) -> bool {
    let mut seen = BTreeSet::new();
    chosen.iter().flat_map(|meta| &meta.block.compaction.sources).any(|source| !seen.insert(*source))
}

fn words(meta: &Meta) -> String {
    let block = &meta.block;
    format!("{} (min time: {}, max time: {})", block.ulid, block.min_time, block.max_time)
}

/// The ranges of time that are in several blocks, each with these blocks, as Prometheus names them.
fn overlap_words(blocks: &[&Meta]) -> Option<String> {
    let mut bounds: Vec<i64> =
        blocks.iter().flat_map(|meta| [meta.block.min_time, meta.block.max_time]).collect();
    bounds.sort_unstable();
    bounds.dedup();
    let mut found: Vec<(i64, i64, Vec<&Meta>)> = Vec::new();
    for (start, end) in bounds.iter().zip(bounds.iter().skip(1)) {
        let covers = |meta: &&&Meta| meta.block.min_time <= *start && *end <= meta.block.max_time;
        let shared: Vec<&Meta> = blocks.iter().filter(covers).copied().collect();
        if shared.len() < 2 {
            continue;
        }
        match found.last_mut() {
            Some((_, before, same)) if *before == *start && *same == shared => *before = *end,
            _ => found.push((*start, *end, shared)),
        }
    }
    let range = |start: i64, end: i64| block::go_duration(end.saturating_sub(start));
    let one = |(start, end, shared): &(i64, i64, Vec<&Meta>)| {
        let blocks: Vec<String> = shared
            .iter()
            .map(|meta| {
                let (mint, maxt) = (meta.block.min_time, meta.block.max_time);
                format!("<ulid: {}, mint: {mint}, maxt: {maxt}, range: {}>", meta.id(), range(mint, maxt))
            })
            .collect();
        let range = range(*start, *end);
        format!(
            "[mint: {start}, maxt: {end}, range: {range}, blocks: {}]: {}",
            shared.len(),
            blocks.join(", ")
        )
    };
    let words: Vec<String> = found.iter().map(one).collect();
    (!words.is_empty()).then(|| words.join("\n"))
}
