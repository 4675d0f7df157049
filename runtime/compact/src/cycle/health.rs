//! How a compactor's groups, blocks and queues are: what is wrong, since when, and what to run.

use std::collections::{BTreeMap, BTreeSet};

use block::findings::Finding;
use prom_model::TimestampMs;
use serde::Serialize;
use tsdb::BlockId;

use super::outcome::Queue;
use crate::plan::Group;

/// How everything is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Health {
    /// The moment of which this is true, milliseconds since the epoch.
    pub at: i64,
    /// Whether nothing has to be done by anybody.
    pub healthy: bool,
    /// Why nothing more is done (`--compact.halt-compat`).
    pub halted: Option<String>,
    /// The queues.
    pub queues: Vec<QueueHealth>,
    /// The groups, in the order of their keys.
    pub groups: Vec<GroupHealth>,
    /// The blocks that something is wrong with, in the order of their IDs.
    pub blocks: Vec<BlockHealth>,
}

/// How a queue is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueueHealth {
    /// Which.
    pub queue: Queue,
    /// When it last came to its end without an error of its own, milliseconds since the epoch.
    pub succeeded_at: Option<i64>,
    /// Since when it fails.
    pub failing_since: Option<i64>,
    /// The last error.
    pub error: Option<String>,
}

/// How a group is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupHealth {
    /// The key.
    pub key: String,
    /// The group in words, as in `0@{cluster="eu"}`.
    pub group: String,
    /// How many blocks it has.
    pub blocks: usize,
    /// How many compactions are still to be done.
    pub due: usize,
    /// The start of the oldest block that is still to be compacted, milliseconds.
    pub oldest_due: Option<i64>,
    /// When it last came to its end, milliseconds since the epoch.
    pub done_at: Option<i64>,
    /// Since when its compaction fails.
    pub failing_since: Option<i64>,
    /// The last error.
    pub error: Option<String>,
    /// When it is tried again.
    pub next_attempt: Option<i64>,
    /// Its blocks that are set aside.
    pub set_aside: Vec<BlockId>,
}

/// What is wrong with a block.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlockHealth {
    /// The block.
    pub block: BlockId,
    /// The group in words, where it is known.
    pub group: Option<String>,
    /// What it is, as in `chunk-checksum`.
    pub code: String,
    /// Where and how.
    pub detail: String,
    /// What was done about it.
    pub action: &'static str,
    /// Since when it is known, milliseconds since the epoch.
    pub since: i64,
    /// What to run.
    pub run: Vec<String>,
}

/// What a compactor remembers of its health.
#[derive(Debug, Default)]
pub(super) struct Book {
    halted: Option<String>,
    queues: BTreeMap<Queue, QueueHealth>,
    groups: BTreeMap<String, GroupHealth>,
    blocks: BTreeMap<BlockId, BlockHealth>,
}

impl Book {
    pub(super) fn health(&self, now: TimestampMs) -> Health {
        let queues: Vec<QueueHealth> = self.queues.values().cloned().collect();
        let groups: Vec<GroupHealth> = self.groups.values().cloned().collect();
        let blocks: Vec<BlockHealth> = self.blocks.values().cloned().collect();
        let healthy = self.halted.is_none()
            && queues.iter().all(|queue| queue.failing_since.is_none())
            && groups.iter().all(|group| group.failing_since.is_none())
            && blocks.iter().all(|block| [REPAIRED, WAITED_FOR].contains(&block.action));
        Health { at: now.as_millis(), healthy, halted: self.halted.clone(), queues, groups, blocks }
    }

    pub(super) fn halt(&mut self, why: Option<String>) {
        self.halted = why;
    }

    pub(super) fn queue(&mut self, queue: Queue, now: TimestampMs, error: Option<String>) {
        let now = now.as_millis();
        let entry = self.queues.entry(queue).or_insert(QueueHealth {
            queue,
            succeeded_at: None,
            failing_since: None,
            error: None,
        });
        match error {
            None => (entry.succeeded_at, entry.failing_since, entry.error) = (Some(now), None, None),
            Some(error) => {
                entry.failing_since = entry.failing_since.or(Some(now));
                entry.error = Some(error);
            }
        }
    }

    /// Notes which groups there are; what is no longer there is forgotten.
    pub(super) fn groups(&mut self, groups: &[Group], set_aside: &BTreeSet<BlockId>) {
        let keys: BTreeSet<&str> = groups.iter().map(|group| group.key.as_str()).collect();
        self.groups.retain(|key, _| keys.contains(key.as_str()));
        for group in groups {
            let entry = self.groups.entry(group.key.clone()).or_insert_with(|| GroupHealth {
                key: group.key.clone(),
                group: group.words(),
                blocks: 0,
                due: 0,
                oldest_due: None,
                done_at: None,
                failing_since: None,
                error: None,
                next_attempt: None,
                set_aside: Vec::new(),
            });
            entry.blocks = group.blocks.len();
            let ids = group.blocks.iter().map(|meta| meta.id());
            entry.set_aside = ids.filter(|id| set_aside.contains(id)).collect();
        }
    }

    pub(super) fn due(&mut self, key: &str, due: usize, oldest: Option<i64>) {
        if let Some(group) = self.groups.get_mut(key) {
            (group.due, group.oldest_due) = (due, oldest);
        }
    }

    pub(super) fn group_done(&mut self, key: &str, now: TimestampMs, blocks: usize) {
        if let Some(group) = self.groups.get_mut(key) {
            (group.due, group.oldest_due, group.blocks) = (0, None, blocks);
            group.done_at = Some(now.as_millis());
            (group.failing_since, group.error, group.next_attempt) = (None, None, None);
        }
    }

    pub(super) fn group_failed(&mut self, key: &str, now: TimestampMs, error: String, next: TimestampMs) {
        if let Some(group) = self.groups.get_mut(key) {
            group.failing_since = group.failing_since.or(Some(now.as_millis()));
            (group.error, group.next_attempt) = (Some(error), Some(next.as_millis()));
        }
    }

    pub(super) fn failing_groups(&self) -> usize {
        self.groups.values().filter(|group| group.failing_since.is_some()).count()
    }

    /// Blocks that are left alone because of what was found in them.
    pub(super) fn set_aside(&self) -> usize {
        self.blocks.values().filter(|block| block.action == SET_ASIDE).count()
    }

    /// Notes what was done about a block.
    pub(super) fn block(
        &mut self,
        finding: &Finding,
        group: Option<String>,
        action: &'static str,
        now: TimestampMs,
        run: Vec<String>,
    ) {
        let since = match self.blocks.get(&finding.block) {
            Some(known) if known.code == finding.code => known.since,
            _ => now.as_millis(),
        };
        let entry = BlockHealth {
            block: finding.block,
            group,
            code: finding.code.to_owned(),
            detail: finding.detail.clone(),
            action,
            since,
            run,
        };
        self.blocks.insert(finding.block, entry);
    }

    /// Whether it is known already that a block was set aside, and why.
    pub(super) fn is_set_aside(&self, block: BlockId) -> bool {
        self.blocks.get(&block).is_some_and(|known| known.action == SET_ASIDE)
    }

    /// Forgets blocks that are gone. What was repaired is told for a day.
    pub(super) fn retain_blocks(&mut self, now: TimestampMs, is_there: impl Fn(BlockId) -> bool) {
        self.blocks.retain(|_, block| match block.action {
            REPAIRED => now.as_millis().saturating_sub(block.since) < REPAIRED_SHOWN_MS,
            _ => is_there(block.block),
        });
    }
}

/// For how long it is told that a block was repaired.
const REPAIRED_SHOWN_MS: i64 = 24 * 3_600_000;
/// A new block took its place.
pub(super) const REPAIRED: &str = "repaired";
/// It got a mark, so that it is left alone.
pub(super) const SET_ASIDE: &str = "set aside";
/// It is not used, and not touched.
pub(super) const LEFT_OUT: &str = "left out";
/// It is an upload that goes on, or is deleted once it is clear that it does not.
pub(super) const WAITED_FOR: &str = "waited for";
/// It is older than it is to be kept, and stays.
pub(super) const KEPT: &str = "kept";
