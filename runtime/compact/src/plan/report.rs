//! What a compactor would do, as text and as JSON.

use std::fmt;

use block::findings::Finding;
use block::{Meta, Resolution};
use serde::Serialize;
use tsdb::BlockId;

use super::outlook::{Outlook, PlannedJob};

/// What a compactor would do with a bucket as it is: `--plan`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PlanReport {
    /// The bucket.
    pub bucket: String,
    /// How many blocks are looked at.
    pub blocks: usize,
    /// Compactions, group by group, in the order in which they are done.
    pub compactions: Vec<PlannedWork>,
    /// Downsampling of blocks that are there now; what compactions make comes on top.
    pub downsamplings: Vec<PlannedWork>,
    /// Blocks that would get a mark.
    pub marks: Vec<PlannedMark>,
    /// Blocks that would be deleted, or marked for deletion.
    pub deletions: Vec<Deletion>,
    /// What is wrong with blocks, as far as their metadata tell.
    pub findings: Vec<Finding>,
    /// Why nothing at all would be done in a group (`--compact.halt-compat`).
    pub halts: Vec<String>,
    /// The largest memory that a job takes, bytes.
    pub peak_memory_bytes: u64,
    /// The largest disk that a job takes, bytes.
    pub peak_disk_bytes: u64,
}

/// A job that would be done.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedWork {
    /// The group in words, as in `0@{cluster="eu"}`.
    pub group: String,
    /// The key of the group.
    pub key: String,
    /// The blocks that are read. Those of 1970 are made by jobs before.
    pub blocks: Vec<BlockId>,
    /// The start of the new block, milliseconds.
    pub min_time: i64,
    /// Its end, milliseconds, exclusive.
    pub max_time: i64,
    /// Its level.
    pub level: i64,
    /// Its resolution, milliseconds.
    pub resolution: i64,
    /// Whether blocks share time.
    pub vertical: bool,
    /// How many bytes are read.
    pub bytes: u64,
    /// How much memory it takes at most, bytes; none where nobody has computed it.
    pub memory_bytes: Option<u64>,
    /// How much disk it takes at most, bytes.
    pub disk_bytes: Option<u64>,
}

/// A mark that would be written.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedMark {
    /// The block.
    pub block: BlockId,
    /// The file of the mark.
    pub marker: &'static str,
    /// Why.
    pub reason: String,
    /// Why, in more words.
    pub details: String,
}

/// A block that would go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deletion {
    /// The block.
    pub block: BlockId,
    /// Whether its objects would go, or it would get a mark first.
    pub now: bool,
    /// Why.
    pub why: String,
}

impl PlanReport {
    /// Adds what is to be compacted.
    pub fn add_outlook(&mut self, outlook: &Outlook) {
        self.compactions.extend(outlook.jobs.iter().map(PlannedWork::of_job));
        self.marks.extend(outlook.marks.iter().map(|mark| PlannedMark {
            block: mark.block,
            marker: block::layout::NO_COMPACT_MARK,
            reason: crate::quarantine::reason_words(&mark.reason),
            details: mark.details.clone(),
        }));
        self.halts.extend(outlook.halts.iter().map(ToString::to_string));
    }

    /// Fills in the peaks over all jobs.
    pub fn sum_up(&mut self) {
        let all = || self.compactions.iter().chain(&self.downsamplings);
        let memory = all().filter_map(|work| work.memory_bytes).max().unwrap_or(0);
        let disk = all().filter_map(|work| work.disk_bytes).max().unwrap_or(0);
        (self.peak_memory_bytes, self.peak_disk_bytes) = (memory, disk);
    }
}

impl PlannedWork {
    /// A block that would be downsampled.
    pub(crate) fn of_downsampling(meta: &Meta, to: Resolution) -> Self {
        let group = crate::plan::groups([std::sync::Arc::new(meta.clone())]);
        PlannedWork {
            group: group.first().map(crate::plan::Group::words).unwrap_or_default(),
            key: block::group_key(&meta.thanos),
            blocks: vec![meta.id()],
            min_time: meta.block.min_time,
            max_time: meta.block.max_time,
            level: meta.block.compaction.level,
            resolution: to.0,
            vertical: false,
            bytes: super::job::block_bytes(meta),
            memory_bytes: None,
            disk_bytes: None,
        }
    }

    fn of_job(planned: &PlannedJob) -> Self {
        let job = &planned.job;
        let (min_time, max_time) = job.range();
        PlannedWork {
            group: job.group_words.clone(),
            key: job.group.clone(),
            blocks: job.source_ids(),
            min_time,
            max_time,
            level: job.level(),
            resolution: job.resolution.0,
            vertical: job.overlapping != super::Overlapping::No,
            bytes: job.source_bytes(),
            memory_bytes: None,
            disk_bytes: None,
        }
    }
}

impl fmt::Display for PlanReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} blocks", self.bucket, self.blocks)?;
        for halt in &self.halts {
            writeln!(f, "halt: {halt}")?;
        }
        for (what, works) in [("compact", &self.compactions), ("downsample", &self.downsamplings)] {
            for work in works {
                writeln!(f, "{what} {work}")?;
            }
        }
        for mark in &self.marks {
            writeln!(f, "mark {} {}: {}: {}", mark.block, mark.marker, mark.reason, mark.details)?;
        }
        for deletion in &self.deletions {
            let what = if deletion.now { "delete" } else { "mark for deletion" };
            writeln!(f, "{what} {}: {}", deletion.block, deletion.why)?;
        }
        for found in &self.findings {
            writeln!(f, "{} {} {}: {}", found.severity, found.block, found.code, found.detail)?;
        }
        write!(
            f,
            "{} compactions, {} downsamplings, {} marks, {} deletions; at most {} bytes of memory and {} bytes of disk for a job",
            self.compactions.len(),
            self.downsamplings.len(),
            self.marks.len(),
            self.deletions.len(),
            self.peak_memory_bytes,
            self.peak_disk_bytes,
        )
    }
}

impl fmt::Display for PlannedWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<String> = self.blocks.iter().map(ToString::to_string).collect();
        let length = block::go_duration(self.max_time.saturating_sub(self.min_time));
        write!(
            f,
            "{}: {} blocks, {} bytes -> {length} of {}ms at {} ({}..{}), level {}{}",
            self.group,
            ids.len(),
            self.bytes,
            self.resolution,
            block::GoTime::from(prom_model::TimestampMs::from_millis(self.min_time)),
            self.min_time,
            self.max_time,
            self.level,
            if self.vertical { ", vertical" } else { "" },
        )?;
        if let (Some(memory), Some(disk)) = (self.memory_bytes, self.disk_bytes) {
            write!(f, ", {memory} bytes of memory, {disk} bytes of disk")?;
        }
        write!(f, ": {}", ids.join(" "))
    }
}
