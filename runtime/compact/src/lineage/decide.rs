//! Which blocks retention may delete now, and which it has to keep.

use std::collections::{BTreeMap, BTreeSet};

use block::{Expired, Meta, Resolution, Retention};
use prom_model::{PromDuration, TimestampMs};
use tsdb::BlockId;

use super::coverage::gap;
use super::held::{Held, HeldBecause};

/// The rules of retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// How long each resolution is kept.
    pub retention: Retention,
    /// Whether coarser resolutions are made at all: not with `--downsampling.disable`.
    pub downsampling: bool,
    /// Deletes what is too old whatever is lost, as Thanos does.
    pub as_thanos: bool,
}

/// What is known of the blocks of a bucket.
#[derive(Debug, Clone, Default)]
pub struct Bucketful<'a> {
    /// The blocks that are there to stay: whole, and not marked for deletion; with the labels that they are grouped by.
    pub metas: Vec<&'a Meta>,
    /// Those marked against downsampling.
    pub no_downsample: BTreeSet<BlockId>,
    /// Those that cannot be relied on, and why: damaged, set aside, not verified.
    pub unusable: BTreeMap<BlockId, String>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// To be marked for deletion, oldest first.
    pub delete: Vec<Expired>,
    /// To be kept although too old, oldest first.
    pub held: Vec<Held>,
}

const RESOLUTIONS: [Resolution; 3] = [Resolution::RAW, Resolution::FIVE_MINUTES, Resolution::ONE_HOUR];

impl Guard {
    /// Decides about every block at `now`.
    ///
    /// A block that is too old goes when there is no coarser resolution that is kept longer and not too old for the block as
    /// well; otherwise when blocks of the finest such resolution, of the same external labels and fit to be relied on, hold
    /// its sources and its range of time. The next coarser resolution is then seen to when these blocks are to go.
    pub fn decide(&self, blocks: &Bucketful<'_>, now: TimestampMs) -> Decision {
        let expired = self.retention.expired(blocks.metas.iter().copied(), now);
        if self.as_thanos || !self.downsampling {
            return Decision { delete: expired, held: Vec::new() };
        }
        let by_id: BTreeMap<BlockId, &Meta> = blocks.metas.iter().map(|meta| (meta.id(), *meta)).collect();
        let mut groups: BTreeMap<_, Vec<&Meta>> = BTreeMap::new();
        for meta in &blocks.metas {
            groups.entry(meta.thanos.external_labels()).or_default().push(meta);
        }
        let mut decision = Decision::default();
        for candidate in expired {
            let Some(meta) = by_id.get(&candidate.block) else { continue };
            let group = groups.get(&meta.thanos.external_labels()).map_or(&[][..], Vec::as_slice);
            match self.holds(meta, group, blocks, now) {
                Some(held) => decision.held.push(held),
                None => decision.delete.push(candidate),
            }
        }
        decision
    }

    /// Whether samples of a block are to be kept in a resolution at `now`; a block that is made of them otherwise goes at once.
    pub fn keeps(&self, meta: &Meta, resolution: Resolution, now: TimestampMs) -> bool {
        self.kept(resolution).is_none_or(|kept| !is_over(meta, kept, now))
    }

    fn holds(&self, meta: &Meta, group: &[&Meta], blocks: &Bucketful<'_>, now: TimestampMs) -> Option<Held> {
        let wanted = self.wanted(meta, now)?;
        let coarser = || group.iter().copied().filter(|other| other.thanos.downsample.resolution == wanted);
        let is_usable = |other: &&Meta| !blocks.unusable.contains_key(&other.id());
        let missing = gap(meta, coarser().filter(is_usable));
        if missing.is_empty() {
            return None;
        }
        let because = if let Some(why) = blocks.unusable.get(&meta.id()) {
            HeldBecause::Unusable { why: why.clone() }
        } else if blocks.no_downsample.contains(&meta.id()) {
            HeldBecause::MarkedAgainstDownsampling
        } else if gap(meta, coarser()) != missing {
            let unusable = coarser().filter(|other| !is_usable(other));
            let shares_time = |other: &&Meta| {
                other.block.min_time < meta.block.max_time && meta.block.min_time < other.block.max_time
            };
            HeldBecause::CoarserUnusable {
                blocks: unusable.filter(shares_time).map(|other| other.id()).collect(),
            }
        } else {
            HeldBecause::NotDownsampled
        };
        Some(Held::new(meta, wanted, missing, because))
    }

    /// The finest coarser resolution in which the samples of a block are still to be there once the block is gone.
    fn wanted(&self, meta: &Meta, now: TimestampMs) -> Option<Resolution> {
        let own = meta.thanos.downsample.resolution;
        let kept = self.kept(own)?;
        RESOLUTIONS.into_iter().filter(|coarser| *coarser > own).find(|coarser| match self.kept(*coarser) {
            None => true,
            Some(longer) => longer > kept && !is_over(meta, longer, now),
        })
    }

    /// How long samples of a resolution are kept, if not forever.
    fn kept(&self, resolution: Resolution) -> Option<PromDuration> {
        let kept = match resolution {
            Resolution::RAW => self.retention.raw,
            Resolution::FIVE_MINUTES => self.retention.five_minutes,
            Resolution::ONE_HOUR => self.retention.one_hour,
            _ => PromDuration::ZERO,
        };
        (!kept.is_zero()).then_some(kept)
    }
}

/// Whether a block ends longer ago than samples are kept, in whole seconds as retention counts.
fn is_over(meta: &Meta, kept: PromDuration, now: TimestampMs) -> bool {
    let end = TimestampMs::from_millis(meta.block.max_time.div_euclid(1000).saturating_mul(1000));
    now > end.saturating_add(kept)
}
