//! What metadata, marks and the list of objects say about a block, without reading its data.

use error_kind::{ErrorKind, Kind};
use prom_model::TimestampMs;
use tsdb::BlockId;

use super::{Finding, Severity};
use crate::survey::{MarkState, MetaState, SurveyedBlock};
use crate::{Mark, Meta, MetaError, layout};

/// What is set right by writing the block and its meta.json anew.
const MENDED: [&str; 5] = ["file-size", "file-unlisted", "meta-level", "meta-no-sources", "meta-time-range"];

/// Everything that can be said without the index and the chunks; `now` is for ages.
pub fn of_block(id: BlockId, block: &SurveyedBlock, now: TimestampMs) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut say = |severity, code, detail: String| {
        let finding = Finding::new(id, severity, code, detail);
        found.push(if MENDED.contains(&code) { finding.repairable() } else { finding });
    };
    match &block.meta {
        MetaState::Missing => say(Severity::Damage, "meta-missing", partial(block, now)),
        MetaState::Failed(error) => say(Severity::Damage, "meta-unavailable", chain(error)),
        MetaState::Unusable(error) => {
            let code = match error {
                MetaError::Json(_) | MetaError::TooLarge(_) => "meta-unreadable",
                MetaError::Version(_) => "meta-version",
                MetaError::ThanosVersion(_) => "meta-thanos-version",
                MetaError::WrongBlock { .. } => "meta-wrong-id",
            };
            say(Severity::Damage, code, chain(error));
        }
        MetaState::Read { meta, has_thanos } => {
            if !has_thanos {
                let detail = "meta.json has no section thanos: a plain Prometheus block; upload it with `tools bucket upload-blocks`";
                say(Severity::Damage, "meta-no-thanos", detail.to_owned());
            } else if meta.thanos.labels.is_empty() {
                let detail = "without external labels nothing tells its producer, and it joins every other block without any";
                say(Severity::Damage, "meta-no-labels", detail.to_owned());
            }
            fields(meta, &mut say);
            objects(meta, block, &mut say);
        }
    }
    mark(id, &block.deletion, &mut found);
    mark(id, &block.no_compact, &mut found);
    mark(id, &block.no_downsample, &mut found);
    found
}

fn fields(meta: &Meta, say: &mut impl FnMut(Severity, &'static str, String)) {
    let block = &meta.block;
    if block.min_time >= block.max_time {
        let detail = format!("minTime {} is not before maxTime {}", block.min_time, block.max_time);
        say(Severity::Damage, "meta-time-range", detail);
    }
    if block.compaction.level < 1 {
        say(Severity::Defect, "meta-level", format!("compaction level is {}", block.compaction.level));
    }
    if block.compaction.sources.is_empty() {
        let detail =
            "compaction.sources is empty, which a garbage collection takes as contained in any other block";
        say(Severity::Defect, "meta-no-sources", detail.to_owned());
    }
    if ![0, 300_000, 3_600_000].contains(&meta.thanos.downsample.resolution.0) {
        let detail = format!(
            "resolution is {} ms; there are 0, 300000 and 3600000",
            meta.thanos.downsample.resolution
        );
        say(Severity::Defect, "meta-resolution", detail);
    }
}

/// Compares the list of files in meta.json with what is in the bucket.
fn objects(meta: &Meta, block: &SurveyedBlock, say: &mut impl FnMut(Severity, &'static str, String)) {
    let segments = block.objects.keys().filter(|name| is_segment(name)).count();
    if !block.objects.contains_key(layout::INDEX) {
        say(Severity::Damage, "index-missing", "there is no index".to_owned());
    }
    if segments == 0 && meta.block.stats.num_chunks > 0 {
        let chunks = meta.block.stats.num_chunks;
        say(Severity::Damage, "segment-missing", format!("no segment for the {chunks} chunks of meta.json"));
    }
    for file in meta.thanos.files.iter().filter(|file| file.rel_path != layout::META) {
        match block.objects.get(&file.rel_path) {
            None if file.rel_path == layout::INDEX || (segments == 0 && is_segment(&file.rel_path)) => {}
            None => say(Severity::Damage, "file-missing", format!("{} is in meta.json only", file.rel_path)),
            Some(object) if file.size_bytes != 0 && object.size != file.size_bytes => {
                let detail = format!(
                    "{} has {} bytes, {} according to meta.json",
                    file.rel_path, object.size, file.size_bytes
                );
                say(Severity::Defect, "file-size", detail);
            }
            Some(_) => {}
        }
    }
    let listed = |name: &str| meta.thanos.files.iter().any(|file| file.rel_path == name);
    for name in block.objects.keys().filter(|name| !meta.thanos.files.is_empty() && is_segment(name)) {
        if !listed(name) {
            say(Severity::Defect, "file-unlisted", format!("{name} is not in the list of meta.json"));
        }
    }
}

fn is_segment(name: &str) -> bool {
    name.strip_prefix(layout::CHUNKS)
        .and_then(|rest| rest.strip_prefix('/'))
        .is_some_and(|name| name.len() >= 6 && name.bytes().all(|byte| byte.is_ascii_digit()))
}

fn partial(block: &SurveyedBlock, now: TimestampMs) -> String {
    let names: Vec<&str> = block.objects.keys().map(String::as_str).take(4).collect();
    let there = format!("{} objects ({}…)", block.objects.len(), names.join(", "));
    let Some(modified) = block.modified() else { return format!("no meta.json; {there}") };
    let age = now.since(modified);
    let judgement = match age.as_millis() {
        age if age < 30 * 60 * 1000 => "may be an upload that is under way",
        age if age <= 48 * 60 * 60 * 1000 => "an upload that was given up, or waits",
        _ => "an upload that was given up; `tools bucket cleanup` removes it",
    };
    format!("no meta.json; {there}, the newest {age} old: {judgement}")
}

fn mark<M: Mark>(id: BlockId, state: &MarkState<M>, found: &mut Vec<Finding>) {
    match state {
        MarkState::Absent | MarkState::Read(_) => {}
        MarkState::Garbage => {
            let detail = format!("{} is no mark and is treated as absent; remove it or mark again", M::FILE);
            found.push(Finding::new(id, Severity::Defect, "mark-unreadable", detail));
        }
        MarkState::Failed(error) => {
            found.push(Finding::new(id, Severity::Damage, "mark-unavailable", chain(error)));
        }
        MarkState::Unusable(error) => {
            let code = match error {
                crate::MarkError::Version { .. } => "mark-version",
                crate::MarkError::WrongBlock { .. } => "mark-wrong-id",
                _ if error.kind() == ErrorKind::Corrupt => "mark-unreadable",
                _ => "mark-unavailable",
            };
            found.push(Finding::new(id, Severity::Defect, code, chain(error)));
        }
    }
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}
