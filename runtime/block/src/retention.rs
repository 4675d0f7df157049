//! Which blocks are older than their resolution is kept.

use std::collections::BTreeMap;

use prom_model::{PromDuration, TimestampMs};
use tsdb::BlockId;

use crate::{Meta, Resolution, go_duration};

/// How long samples of each resolution are kept; zero means forever. `--retention.resolution-*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Raw samples.
    pub raw: PromDuration,
    /// Samples of a resolution of five minutes.
    pub five_minutes: PromDuration,
    /// Samples of a resolution of an hour.
    pub one_hour: PromDuration,
}

/// What retention wants of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// The block.
    pub block: BlockId,
    /// The words for the deletion mark.
    pub details: String,
    /// The next coarser resolution in milliseconds, where it is kept longer, its group has blocks of it, and none of them holds
    /// this block's samples: with this block they would be gone.
    pub last_of_its_range: Option<i64>,
}

impl Retention {
    /// How long samples of a resolution are kept, if not forever.
    fn of(&self, resolution: Resolution) -> Option<PromDuration> {
        let kept = match resolution {
            Resolution::RAW => self.raw,
            Resolution::FIVE_MINUTES => self.five_minutes,
            Resolution::ONE_HOUR => self.one_hour,
            _ => PromDuration::ZERO,
        };
        (kept != PromDuration::ZERO).then_some(kept)
    }

    /// The blocks that are too old at `now`, oldest first. Judged by the end of a block, in whole seconds.
    pub fn expired<'a>(&self, metas: impl IntoIterator<Item = &'a Meta>, now: TimestampMs) -> Vec<Expired> {
        let mut groups: BTreeMap<&BTreeMap<String, String>, Vec<&Meta>> = BTreeMap::new();
        for meta in metas {
            groups.entry(&meta.thanos.labels).or_default().push(meta);
        }
        let mut expired: Vec<(i64, Expired)> = Vec::new();
        for blocks in groups.values() {
            for meta in blocks {
                let Some(kept) = self.of(meta.thanos.downsample.resolution) else { continue };
                let end = TimestampMs::from_millis((meta.block.max_time / 1000).saturating_mul(1000));
                if now <= end.saturating_add(kept) {
                    continue;
                }
                let details = format!("block exceeding retention of {}", go_duration(kept.as_millis()));
                let last_of_its_range = self.lost_with(meta, kept, blocks);
                expired.push((meta.block.max_time, Expired { block: meta.id(), details, last_of_its_range }));
            }
        }
        expired.sort_by_key(|(end, expired)| (*end, expired.block));
        expired.into_iter().map(|(_, expired)| expired).collect()
    }

    fn lost_with(&self, meta: &Meta, kept: PromDuration, group: &[&Meta]) -> Option<i64> {
        let coarser = match meta.thanos.downsample.resolution {
            Resolution::RAW => Resolution::FIVE_MINUTES,
            Resolution::FIVE_MINUTES => Resolution::ONE_HOUR,
            _ => return None,
        };
        if self.of(coarser).is_some_and(|longer| longer <= kept) {
            return None;
        }
        let mut ranges: Vec<(i64, i64)> = group
            .iter()
            .filter(|other| other.thanos.downsample.resolution >= coarser)
            .map(|other| (other.block.min_time, other.block.max_time))
            .collect();
        if ranges.is_empty() {
            // Nothing is downsampled here, so nobody waits for it.
            return None;
        }
        ranges.sort_unstable();
        let mut covered_to = meta.block.min_time;
        for (from, to) in ranges {
            if from > covered_to {
                break;
            }
            covered_to = covered_to.max(to);
        }
        (covered_to < meta.block.max_time).then_some(coarser.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn meta(number: u128, from: i64, to: i64, resolution: i64) -> Meta {
        let id = BlockId::new(0, number);
        let text = format!(
            r#"{{"ulid":"{id}","minTime":{},"maxTime":{},"version":1,"compaction":{{"level":1,"sources":["{id}"]}},
               "thanos":{{"labels":{{"cluster":"eu"}},"downsample":{{"resolution":{resolution}}},"source":"sidecar"}}}}"#,
            from * HOUR,
            to * HOUR,
        );
        Meta::from_bytes(text.as_bytes()).unwrap()
    }

    fn expired(retention: Retention, metas: &[Meta], now: i64) -> Vec<(u128, Option<i64>)> {
        let found = retention.expired(metas, TimestampMs::from_millis(now * HOUR + 1));
        found.into_iter().map(|one| (one.block.as_u128(), one.last_of_its_range)).collect()
    }

    #[test]
    fn a_block_goes_once_its_end_is_too_old() {
        let retention = Retention { raw: PromDuration::from_hours(10), ..Retention::default() };
        let metas = [meta(1, 0, 2, 0), meta(2, 2, 4, 0), meta(3, 0, 2, 300_000)];
        assert_eq!(expired(retention, &metas[..2], 11), []);
        assert_eq!(expired(retention, &metas[..2], 12), [(1, None)]);
        assert_eq!(expired(retention, &metas[..2], 14), [(1, None), (2, None)]);
        assert_eq!(expired(Retention::default(), &metas, 1_000), []);
        let found = retention.expired(&metas[..1], TimestampMs::from_millis(100 * HOUR));
        assert_eq!(found[0].details, "block exceeding retention of 10h0m0s");
    }

    #[test]
    fn the_last_samples_of_a_range_are_told() {
        let retention = Retention { raw: PromDuration::from_hours(10), ..Retention::default() };
        let metas = [meta(1, 0, 2, 0), meta(2, 2, 4, 0), meta(3, 0, 2, 300_000)];
        assert_eq!(expired(retention, &metas, 100), [(1, None), (2, Some(300_000))]);
        let short = Retention { five_minutes: PromDuration::from_hours(5), ..retention };
        assert_eq!(expired(short, &metas, 6), []);
        // No block of an hour's resolution is there, so nobody waits for one.
        assert_eq!(expired(short, &metas, 100), [(1, None), (3, None), (2, None)]);
        let covered = [meta(1, 0, 4, 0), meta(2, 0, 2, 300_000), meta(3, 2, 8, 3_600_000)];
        assert_eq!(expired(retention, &covered, 100), [(1, None)]);
    }
}
