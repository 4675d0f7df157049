//! What is still to be done: for `--plan`, for the gauges, for the doctor.

use std::collections::BTreeMap;

use block::{DeletionDecision, StoreTime, View, decide_deletion};

use super::Compactor;
use super::error::QueueError;
use super::views::{Judged, index_sizes};
use crate::plan::{Deletion, Known, Outlook, PlanReport, PlannedWork, groups};

impl Compactor {
    /// What would be done now, without doing anything: the bucket and the disk stay as they are, but for the copies of meta.json
    /// files in the data directory.
    ///
    /// # Errors
    /// When the blocks cannot be listed.
    pub async fn plan(&self) -> Result<PlanReport, QueueError> {
        let view = self.views.fresh().await?;
        let judged = Judged::of(&view);
        let outlook = self.outlook(&view, &judged).await;
        let mut report = PlanReport {
            bucket: self.bucket.name().to_owned(),
            blocks: view.metas.len(),
            findings: judged.findings,
            ..PlanReport::default()
        };
        report.add_outlook(&outlook);
        for (work, planned) in report.compactions.iter_mut().zip(&outlook.jobs) {
            // Where the bucket does not tell the size of a block, the job has none.
            if let Ok(estimate) = self.estimate(&planned.job).await {
                (work.memory_bytes, work.disk_bytes) =
                    (Some(estimate.memory_bytes), Some(estimate.disk_bytes));
            }
        }
        let due = if self.config.downsampling { self.due(&view) } else { Vec::new() };
        for due in due {
            let Some(meta) = view.metas.get(&due.block) else { continue };
            let mut work = PlannedWork::of_downsampling(meta, due.to);
            if let Ok(estimate) = self.estimate_downsampling(meta, due.to).await {
                (work.memory_bytes, work.disk_bytes) =
                    (Some(estimate.memory_bytes), Some(estimate.disk_bytes));
            }
            report.downsamplings.push(work);
        }
        for expired in self.decide_retention(&view).delete {
            report.deletions.push(Deletion { block: expired.block, now: false, why: expired.details });
        }
        let now = StoreTime::assume(self.clock.as_ref());
        for (block, found) in &view.deletion_marks {
            let decided = decide_deletion(self.bucket.as_ref(), *block, now, self.config.delete_delay).await;
            if let Ok(DeletionDecision::Delete(_)) = decided {
                let why = found.mark.details.clone();
                report.deletions.push(Deletion { block: *block, now: true, why });
            }
        }
        report.sum_up();
        Ok(report)
    }

    /// Counts what is to be done, for the gauges `thanos_compact_todo_*`.
    ///
    /// # Errors
    /// When the blocks cannot be listed.
    pub async fn count_todo(&self) -> Result<(), QueueError> {
        let view = self.views.fresh().await?;
        let judged = Judged::of(&view);
        let outlook = self.outlook(&view, &judged).await;
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.todo_compactions.set(gauge(outlook.jobs.len()));
        self.metrics.todo_compaction_blocks.set(gauge(outlook.blocks()));
        let due = if self.config.downsampling { self.due(&view).len() } else { 0 };
        self.metrics.todo_downsample_blocks.set(gauge(due));
        let metas = view.metas.values().map(AsRef::as_ref);
        let expired = self.config.retention.expired(metas, self.now()).len();
        self.metrics.todo_deletion_blocks.set(gauge(expired));
        let mut of_group: BTreeMap<&str, (usize, i64)> = BTreeMap::new();
        for planned in &outlook.jobs {
            let entry = of_group.entry(planned.job.group.as_str()).or_insert((0, i64::MAX));
            *entry = (entry.0.saturating_add(1), entry.1.min(planned.job.range().0));
        }
        let mut book = self.book();
        for (key, (due, oldest)) in of_group {
            book.due(key, due, Some(oldest));
        }
        Ok(())
    }

    async fn outlook(&self, view: &View, judged: &Judged) -> Outlook {
        let groups = groups(view.metas.values().filter(|meta| !meta.thanos.labels.is_empty()).cloned());
        let excluded = judged.excluded_from_compaction(view);
        let index_bytes = index_sizes(&self.bucket, view, self.config.meta_concurrency).await;
        Outlook::of(&self.planner, &groups, Known { excluded: &excluded, index_bytes: &index_bytes })
    }
}
