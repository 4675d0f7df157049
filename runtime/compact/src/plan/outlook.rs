//! All that is to be done in the groups of a bucket, played through without doing it.

use std::collections::BTreeSet;
use std::sync::Arc;

use block::{FileEntry, Meta, layout};
use tsdb::BlockId;

use super::group::Group;
use super::job::{Job, block_bytes, index_bytes};
use super::planner::{Halt, Known, Marking, Next, Planner};

/// What is to come, up to the moment at which nothing is left to be done.
#[derive(Debug, Clone, Default)]
pub struct Outlook {
    /// The jobs: group by group, in the order in which they are to be done.
    pub jobs: Vec<PlannedJob>,
    /// The marks that are to be written.
    pub marks: Vec<Marking>,
    /// Why nothing would be done in a group.
    pub halts: Vec<Halt>,
}

/// A job that is to be done, or one on what earlier ones will have made.
#[derive(Debug, Clone)]
pub struct PlannedJob {
    /// The job.
    pub job: Job,
    /// The name that its result has in later jobs.
    pub output: BlockId,
    /// How many of its sources are made by earlier jobs.
    pub made_before: usize,
}

impl Outlook {
    /// Plays the steps through: each job's result takes the place of its sources, and has the sum of their sizes.
    pub fn of(planner: &Planner, groups: &[Group], known: Known<'_>) -> Self {
        let mut outlook = Outlook::default();
        let mut excluded = known.excluded.clone();
        for group in groups {
            let mut group = group.clone();
            let mut made: BTreeSet<BlockId> = BTreeSet::new();
            loop {
                let step = planner.step(&group, Known { excluded: &excluded, ..known });
                excluded.extend(step.marks.iter().map(|mark| mark.block));
                outlook.marks.extend(step.marks);
                let job = match step.next {
                    Next::Nothing => break,
                    Next::Halt(halt) => {
                        outlook.halts.push(halt);
                        break;
                    }
                    Next::Job(job) => *job,
                };
                // No block of a bucket was made in 1970.
                let output = BlockId::new(0, outlook.jobs.len() as u128 + 1);
                let ids = job.source_ids();
                let made_before = ids.iter().filter(|id| made.contains(id)).count();
                group.replace(&ids, Some(Arc::new(result(&job, output, known))));
                made.insert(output);
                outlook.jobs.push(PlannedJob { job, output, made_before });
            }
        }
        outlook
    }

    /// How many blocks are read by all jobs; those that are made on the way count as well.
    pub fn blocks(&self) -> usize {
        self.jobs.iter().map(|planned| planned.job.sources.len()).sum()
    }
}

fn result(job: &Job, id: BlockId, known: Known<'_>) -> Meta {
    let mut block = job.output(id);
    let mut index = 0u64;
    for meta in &job.sources {
        let (to, of) = (&mut block.stats, &meta.block.stats);
        to.num_samples = to.num_samples.saturating_add(of.num_samples);
        to.num_chunks = to.num_chunks.saturating_add(of.num_chunks);
        to.num_series = to.num_series.max(of.num_series);
        let size = index_bytes(meta).or_else(|| known.index_bytes.get(&meta.id()).copied());
        index = index.saturating_add(size.unwrap_or(0));
    }
    let bytes = job.sources.iter().map(|meta| block_bytes(meta)).fold(0, u64::saturating_add);
    let mut thanos = job.thanos();
    let file = |rel_path: &str, size_bytes| FileEntry {
        rel_path: rel_path.to_owned(),
        size_bytes,
        ..FileEntry::default()
    };
    thanos.files = vec![
        file("chunks/000001", bytes.saturating_sub(index)),
        file(layout::INDEX, index),
        file(layout::META, 0),
    ];
    Meta { block, thanos }
}
