//! What the examination of index, chunks and tombstones says about a block.

use tsdb::BlockId;
use tsdb::block::Examination;

use super::{Finding, Severity};
use crate::Meta;

/// Everything that was found in the files of a block, and whether its meta.json tells the truth about them.
pub fn of_content(id: BlockId, meta: Option<&Meta>, examination: &Examination) -> Vec<Finding> {
    let mut found: Vec<Finding> = examination
        .problems
        .iter()
        .map(|problem| {
            let severity = if problem.kind.is_damage() { Severity::Damage } else { Severity::Defect };
            let more = problem.count.saturating_sub(problem.examples.len() as u64);
            let more = if more == 0 { String::new() } else { format!("; and {more} more") };
            let detail = format!("{}{more}", problem.examples.join("; "));
            let finding = Finding::new(id, severity, problem.kind.code(), detail);
            if problem.repairable { finding.repairable() } else { finding }
        })
        .collect();
    if !found.is_empty() {
        return found;
    }
    let counts = &examination.counts;
    let Some(meta) = meta else { return found };
    let stats = &meta.block.stats;
    let differences: Vec<String> = [
        ("series", stats.num_series, counts.series),
        ("chunks", stats.num_chunks, counts.chunks),
        ("samples", stats.num_samples, counts.samples),
    ]
    .into_iter()
    .filter(|(_, said, counted)| said != counted)
    .map(|(what, said, counted)| format!("{counted} {what}, {said} according to meta.json"))
    .collect();
    if !differences.is_empty() {
        found.push(Finding::new(id, Severity::Defect, "meta-stats", differences.join("; ")).repairable());
    } else if counts.samples == 0 {
        found.push(Finding::new(id, Severity::Note, "empty-block", "there is no sample in it"));
    }
    found
}
