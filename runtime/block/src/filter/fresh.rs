//! Blocks that were uploaded a moment ago.

use async_trait::async_trait;
use prom_model::{PromDuration, TimestampMs};

use super::{Filter, Round};
use crate::fetcher::{BlockState, View};
use crate::meta::{Meta, Source};

/// Hides blocks until they have been in the bucket for a while, so that all readers see the same; `--consistency-delay`.
///
/// Blocks of a compactor are seen at once: their sources vanish meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct ConsistencyDelay(pub PromDuration);

#[async_trait]
impl Filter for ConsistencyDelay {
    async fn apply(&self, round: &Round<'_>, view: &mut View) {
        let fresh = view
            .metas
            .iter()
            .filter(|(_, meta)| !is_exempt(&meta.thanos.source) && round.now.since(uploaded(meta)) < self.0)
            .map(|(block, _)| *block);
        for block in fresh.collect::<Vec<_>>() {
            view.drop_block(block, BlockState::TooFresh);
        }
    }
}

const fn is_exempt(source: &Source) -> bool {
    matches!(source, Source::Compactor | Source::CompactorRepair | Source::BucketRepair)
}

fn uploaded(meta: &Meta) -> TimestampMs {
    let upload_time = meta.thanos.upload_time;
    if upload_time.is_unset() {
        // 48 bits.
        return TimestampMs::from_millis(meta.id().millis() as i64);
    }
    upload_time.to_timestamp()
}
