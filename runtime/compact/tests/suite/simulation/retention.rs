//! Retention beside compaction, downsampling, crashes, late blocks and marks by hand, on metadata alone: no range of time may be
//! gone in every resolution that should still have it.

use std::collections::{BTreeMap, BTreeSet};

use block::filter::is_covered;
use block::{BlockId, Downsample, Meta, Resolution, Retention, Thanos};
use compact::lineage::{Bucketful, Guard, HeldBecause, sources_of};
use objstore::Chance;
use prom_model::{PromDuration, TimestampMs};
use serde_json::Map;
use tsdb::block::BlockMeta;

use super::seeds;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const DELETE_DELAY: i64 = 48 * HOUR;
const RESOLUTIONS: [Resolution; 3] = [Resolution::RAW, Resolution::FIVE_MINUTES, Resolution::ONE_HOUR];

/// A block that was cut from a head: its samples must stay.
#[derive(Debug, Clone, Copy)]
struct Origin {
    group: u8,
    block: BlockId,
    end: i64,
}

#[derive(Debug)]
struct Stored {
    meta: Meta,
    marked: Option<i64>,
}

struct World {
    chance: Chance,
    now: i64,
    next: u64,
    guard: Guard,
    blocks: BTreeMap<BlockId, Stored>,
    no_downsample: BTreeSet<BlockId>,
    unusable: BTreeMap<BlockId, String>,
    origins: Vec<Origin>,
    log: Vec<String>,
}

fn resolution(meta: &Meta) -> Resolution {
    meta.thanos.downsample.resolution
}

fn group(meta: &Meta) -> &str {
    meta.thanos.labels.get("group").map_or("", String::as_str)
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::from_seed(seed);
        let mut kept = || match chance.below(4) {
            0 => PromDuration::ZERO,
            _ => PromDuration::from_days(3 + chance.below(40) as i64),
        };
        let retention = Retention { raw: kept(), five_minutes: kept(), one_hour: kept() };
        let guard = Guard { retention, downsampling: true, as_thanos: false };
        let (blocks, unusable) = (BTreeMap::new(), BTreeMap::new());
        let (no_downsample, origins, log) = (BTreeSet::new(), Vec::new(), Vec::new());
        World { chance, now: 100 * DAY, next: 1, guard, blocks, no_downsample, unusable, origins, log }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.chance.below(limit as u64) as usize
    }

    fn put(
        &mut self,
        group: &str,
        range: (i64, i64),
        resolution: Resolution,
        sources: Vec<BlockId>,
    ) -> BlockId {
        let id = BlockId::new(self.next, 0);
        self.next += 1;
        let mut block = BlockMeta::new(id, range.0, range.1);
        block.compaction.sources = sources;
        let labels = [("group".to_owned(), group.to_owned())].into();
        let downsample = Downsample { resolution, extra: Map::new() };
        let meta = Meta { block, thanos: Thanos { labels, downsample, ..Thanos::default() } };
        self.blocks.insert(id, Stored { meta, marked: None });
        id
    }

    /// The blocks that a compactor sees.
    fn seen(&self) -> Vec<&Meta> {
        self.blocks.values().filter(|stored| stored.marked.is_none()).map(|stored| &stored.meta).collect()
    }

    fn arrive(&mut self) {
        let group = self.below(2) as u8;
        let late = if self.below(4) == 0 { self.below(200) as i64 * HOUR } else { 2 * HOUR };
        let start = (self.now - late) / (2 * HOUR) * (2 * HOUR);
        let id = self.put(&group.to_string(), (start, start + 2 * HOUR), Resolution::RAW, Vec::new());
        // Some do not say what they are made of.
        if self.below(10) > 0
            && let Some(stored) = self.blocks.get_mut(&id)
        {
            stored.meta.block.compaction.sources = vec![id];
        }
        self.origins.push(Origin { group, block: id, end: start + 2 * HOUR });
    }

    /// Makes one block of some that are next to each other, and marks some of them: a crash may come anywhere.
    fn compact(&mut self) {
        let seen = self.seen();
        if seen.is_empty() {
            return;
        }
        let first = seen[self.chance.clone().below(seen.len() as u64) as usize].clone();
        self.chance.next_u64();
        let width = [8, 48, 336][self.below(3)] * HOUR;
        let window = first.block.min_time.div_euclid(width) * width;
        let fits = |meta: &&Meta| {
            group(meta) == group(&first)
                && resolution(meta) == resolution(&first)
                && meta.block.min_time >= window
                && meta.block.max_time <= window + width
                && !self.unusable.contains_key(&meta.id())
        };
        let parts: Vec<Meta> = self.seen().into_iter().filter(fits).cloned().collect();
        if parts.len() < 2 {
            return;
        }
        let range = (
            parts.iter().map(|meta| meta.block.min_time).min().unwrap(),
            parts.iter().map(|meta| meta.block.max_time).max().unwrap(),
        );
        let sources: BTreeSet<BlockId> =
            parts.iter().flat_map(|meta| sources_of(&meta.block).into_owned()).collect();
        let made = self.put(group(&first), range, resolution(&first), sources.into_iter().collect());
        let marked = if self.below(3) == 0 { self.below(parts.len()) } else { parts.len() };
        self.log.push(format!("{made} of {} blocks, {marked} marked", parts.len()));
        for part in &parts[..marked] {
            self.mark(part.id());
        }
    }

    fn downsample(&mut self, block: BlockId, may_fail: bool) {
        let meta = self.blocks[&block].meta.clone();
        let to = match resolution(&meta) {
            Resolution::RAW => Resolution::FIVE_MINUTES,
            Resolution::FIVE_MINUTES => Resolution::ONE_HOUR,
            _ => return,
        };
        if self.no_downsample.contains(&block) || self.unusable.contains_key(&block) {
            return;
        }
        let sources = sources_of(&meta.block).into_owned();
        let made = self.put(group(&meta), (meta.block.min_time, meta.block.max_time), to, sources);
        // One that cannot be verified is known to be so from the start.
        if may_fail && self.below(6) == 0 {
            self.unusable.insert(made, "not verified".to_owned());
        }
        self.log.push(format!("{made} of {block} at {to}"));
    }

    /// Downsamples one block that is long enough, or that retention waits for.
    fn downsample_some(&mut self) {
        let held = self.decide().held;
        let waiting = held.iter().filter(|held| held.is_to_be_downsampled()).map(|held| held.block);
        let long = self.seen().into_iter().filter(|meta| {
            let least = if resolution(meta) == Resolution::RAW { 40 } else { 240 };
            meta.block.max_time - meta.block.min_time >= least * HOUR
        });
        let mut due: Vec<BlockId> = waiting.chain(long.map(Meta::id)).collect();
        due.sort();
        due.dedup();
        if !due.is_empty() {
            let at = self.below(due.len());
            self.downsample(due[at], true);
        }
    }

    fn decide(&self) -> compact::lineage::Decision {
        let blocks = Bucketful {
            metas: self.seen(),
            no_downsample: self.no_downsample.clone(),
            unusable: self.unusable.clone(),
        };
        self.guard.decide(&blocks, TimestampMs::from_millis(self.now))
    }

    fn retain(&mut self, may_crash: bool) {
        let mut expired = self.decide().delete;
        if may_crash && self.below(3) == 0 {
            let done = self.below(expired.len() + 1);
            expired.truncate(done);
        }
        for one in expired {
            self.log.push(format!("{} {}", one.block, one.details));
            self.mark(one.block);
        }
    }

    /// Marks what other blocks hold.
    fn collect_garbage(&mut self) {
        let seen = self.seen();
        let holds = |whole: &Meta, part: &Meta| {
            let (of_whole, of_part) = (&whole.block.compaction.sources, sources_of(&part.block));
            let is_larger = of_whole.len() > of_part.len() || whole.id() < part.id();
            whole.id() != part.id()
                && group(whole) == group(part)
                && resolution(whole) == resolution(part)
                && is_covered(&of_part, of_whole)
                && is_larger
                && whole.block.min_time <= part.block.min_time
                && part.block.max_time <= whole.block.max_time
                && !self.unusable.contains_key(&whole.id())
        };
        let garbage = seen.iter().find(|part| seen.iter().any(|whole| holds(whole, part)));
        if let Some(garbage) = garbage.map(|meta| meta.id()) {
            self.mark(garbage);
        }
    }

    fn mark(&mut self, block: BlockId) {
        if let Some(stored) = self.blocks.get_mut(&block) {
            stored.marked.get_or_insert(self.now);
        }
    }

    fn delete(&mut self) {
        let now = self.now;
        self.blocks.retain(|_, stored| stored.marked.is_none_or(|marked| now - marked < DELETE_DELAY));
    }

    /// Somebody marks a block by hand.
    fn disturb(&mut self) {
        if !self.blocks.is_empty() {
            let at = self.below(self.blocks.len());
            let block = self.blocks.keys().nth(at).copied().unwrap();
            self.no_downsample.insert(block);
        }
    }

    fn step(&mut self) {
        match self.below(16) {
            0..=3 => self.arrive(),
            4..=6 => self.now += (1 + self.below(60) as i64) * HOUR,
            7..=9 => self.compact(),
            10 | 11 => self.downsample_some(),
            12 => self.retain(true),
            13 => self.delete(),
            14 => self.collect_garbage(),
            _ => self.disturb(),
        }
    }

    fn is_over(&self, end: i64, resolution: Resolution) -> bool {
        let Retention { raw, five_minutes, one_hour } = self.guard.retention;
        let kept = match resolution {
            Resolution::RAW => raw,
            Resolution::FIVE_MINUTES => five_minutes,
            _ => one_hour,
        };
        !kept.is_zero() && self.now > end + kept.as_millis()
    }

    /// The first origin that is in no resolution in which it should be, or from which it can still be made.
    fn lost(&self) -> Option<Origin> {
        let finds = |origin: &Origin, up_to: Resolution| {
            self.blocks.values().any(|Stored { meta, .. }| {
                resolution(meta) <= up_to
                    && group(meta) == origin.group.to_string()
                    && sources_of(&meta.block).contains(&origin.block)
                    && meta.block.min_time <= origin.end - 2 * HOUR
                    && origin.end <= meta.block.max_time
                    && !self.unusable.contains_key(&meta.id())
            })
        };
        let is_lost = |origin: &&Origin| {
            let finest = RESOLUTIONS.into_iter().find(|resolution| !self.is_over(origin.end, *resolution));
            finest.is_some_and(|finest| !finds(origin, finest))
        };
        self.origins.iter().find(is_lost).copied()
    }
}

/// Goes through a schedule; gives how often something was lost.
fn run(seed: u64, as_thanos: bool) -> bool {
    let mut world = World::new(seed);
    world.guard.as_thanos = as_thanos;
    for step in 0..150 {
        world.step();
        if let Some(lost) = world.lost() {
            assert!(as_thanos, "seed {seed}, step {step}: {lost:?} is lost\n{:#?}", world.log);
            return true;
        }
    }
    // The disturbances end: within a few cycles nothing waits any more, but for what somebody has to look at.
    for _ in 0..3 {
        world.now += DELETE_DELAY;
        world.delete();
        for _ in 0..2 {
            let held = world.decide().held;
            for held in held.iter().filter(|held| held.is_to_be_downsampled()) {
                world.downsample(held.block, false);
            }
        }
        world.retain(false);
        assert!(as_thanos || world.lost().is_none(), "seed {seed}, in the end\n{:#?}", world.log);
    }
    let held = world.decide().held;
    let waits = held.iter().find(|held| held.because == HeldBecause::NotDownsampled);
    assert!(as_thanos || waits.is_none(), "seed {seed}: for ever {}", waits.unwrap());
    false
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are what a run is for")]
fn no_range_is_lost_in_every_resolution_that_should_have_it() {
    let (mut schedules, mut lost_by_thanos) = (0u64, 0u64);
    for seed in seeds(500) {
        run(seed, false);
        lost_by_thanos += u64::from(run(seed, true));
        schedules += 1;
    }
    eprintln!("retention: {schedules} schedules, 0 lost; by Thanos' rule {lost_by_thanos} of them lose");
    assert!(lost_by_thanos > schedules / 10, "the schedules do not put the guard to the test");
}
