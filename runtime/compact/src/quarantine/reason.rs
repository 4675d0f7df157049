//! From what was found to what is done: a verdict, and the words of the mark.

use block::NoCompactReason;
use block::findings::{Finding, Severity};
use tsdb::block::ProblemKind;

use crate::SourceFault;

/// What is to be done with a block.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// Nothing is wrong with it.
    Sound,
    /// All that is wrong is mended by writing it anew, without the loss of a sample.
    Repair(Vec<Finding>),
    /// Samples are lost, or could be. The first finding gives the reason.
    SetAside(Vec<Finding>),
}

/// Codes that a compaction mends by itself, or that do no harm.
const HARMLESS: [&str; 2] = ["empty-block", "series-no-name"];

/// Judges what was found of one block.
pub(crate) fn judge(mut findings: Vec<Finding>) -> Verdict {
    findings.retain(|finding| finding.severity > Severity::Note && !HARMLESS.contains(&finding.code));
    if findings.is_empty() {
        return Verdict::Sound;
    }
    if findings.iter().all(|finding| finding.repairable) {
        return Verdict::Repair(findings);
    }
    // What cannot be mended comes first, and of that the worst.
    findings.sort_by_key(|finding| (finding.repairable, std::cmp::Reverse(finding.severity)));
    Verdict::SetAside(findings)
}

/// The reason that stands in a no-compact mark: Thanos' word where it has one.
pub(crate) fn no_compact_reason(code: &str) -> NoCompactReason {
    match code {
        "chunk-order" | "chunk-sample-order" => NoCompactReason::BlockIndexOutOfOrderChunk,
        other => NoCompactReason::Other(other.to_owned()),
    }
}

/// The codes that a mark of ours may have as its reason, and what they stand for: problems of the files, of the metadata, of
/// blocks beside each other.
const CODES: [&str; 44] = [
    "index-missing",
    "index-header",
    "index-toc",
    "index-symbols",
    "index-series",
    "index-label-index",
    "index-postings",
    "index-postings-table",
    "series-order",
    "series-duplicate",
    "series-labels",
    "series-no-labels",
    "series-no-name",
    "series-utf8",
    "series-no-chunks",
    "segment-header",
    "segment-missing",
    "chunk-unreadable",
    "chunk-checksum",
    "chunk-encoding",
    "chunk-data",
    "chunk-sample-order",
    "chunk-time-range",
    "chunk-outside-block",
    "chunk-order",
    "chunk-duplicate",
    "chunk-overlap",
    "chunk-empty",
    "chunk-exceeds-block",
    "chunk-unreferenced",
    "segment-trailing",
    "tombstones",
    "tombstones-unknown-series",
    "file-missing",
    "file-size",
    "file-unlisted",
    "meta-level",
    "meta-no-labels",
    "meta-no-sources",
    "meta-no-thanos",
    "meta-resolution",
    "meta-stats",
    "meta-time-range",
    "overlap-unequal",
];

/// The code behind the reason of a mark that says that a block is damaged; `None` for marks that say something else.
pub(crate) fn code_of_reason(reason: &NoCompactReason) -> Option<&'static str> {
    match reason {
        NoCompactReason::BlockIndexOutOfOrderChunk => Some("chunk-order"),
        NoCompactReason::Other(word) => CODES.iter().find(|code| *code == word).copied(),
        NoCompactReason::Manual
        | NoCompactReason::IndexSizeExceeding
        | NoCompactReason::DownsampleVerticalCompaction => None,
    }
}

/// A reason as it stands in a mark.
pub fn reason_words(reason: &NoCompactReason) -> String {
    match serde_json::to_value(reason) {
        Ok(serde_json::Value::String(words)) => words,
        _ => String::new(),
    }
}

/// The code of what a merge has met.
pub(crate) fn code_of_fault(fault: &SourceFault) -> &'static str {
    match fault {
        SourceFault::Damaged(corruption) => ProblemKind::of(corruption).code(),
        SourceFault::Unreadable { source, .. } => ProblemKind::of(source).code(),
        SourceFault::Chunk { .. } => ProblemKind::ChunkData.code(),
        SourceFault::Series { .. } => ProblemKind::SeriesOrder.code(),
    }
}

#[cfg(test)]
mod tests {
    use block::BlockId;

    use super::*;

    fn finding(code: &'static str, severity: Severity, repairable: bool) -> Finding {
        let finding = Finding::new(BlockId::new(0, 1), severity, code, "x");
        if repairable { finding.repairable() } else { finding }
    }

    #[test]
    fn a_block_is_repaired_only_if_all_that_is_wrong_can_be_mended() {
        let mended = finding("chunk-order", Severity::Damage, true);
        let lost = finding("chunk-checksum", Severity::Damage, false);
        let defect = finding("series-utf8", Severity::Defect, false);
        let note = finding("empty-block", Severity::Note, false);
        let nameless = finding("series-no-name", Severity::Defect, false);
        assert_eq!(judge(vec![note.clone(), nameless]), Verdict::Sound);
        assert_eq!(judge(vec![mended.clone(), note]), Verdict::Repair(vec![mended.clone()]));
        assert_eq!(
            judge(vec![mended.clone(), defect.clone(), lost.clone()]),
            Verdict::SetAside(vec![lost, defect, mended])
        );
    }

    #[test]
    fn every_reason_of_ours_is_known_again_from_its_mark() {
        for code in CODES {
            let reason = no_compact_reason(code);
            let words = reason_words(&reason);
            let again: NoCompactReason = serde_json::from_value(words.clone().into()).unwrap();
            assert_eq!(again, reason);
            let expected = if words == code { code } else { "chunk-order" };
            assert_eq!(code_of_reason(&again), Some(expected));
        }
        assert_eq!(code_of_reason(&NoCompactReason::Manual), None);
        assert_eq!(code_of_reason(&NoCompactReason::Other("by-somebody".to_owned())), None);
    }
}
