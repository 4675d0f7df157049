//! What is printed of the findings, and what they make of the exit code.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use block::findings::{Finding, Severity};
use serde_json::json;

use crate::commands::tools::output::Output;

/// The result of a look at a bucket.
pub(super) struct Report<'a> {
    pub(super) bucket: &'a str,
    /// Blocks that were looked at.
    pub(super) blocks: usize,
    /// Blocks that are marked for deletion and were not looked at.
    pub(super) marked: usize,
    /// Sorted by block.
    pub(super) findings: Vec<Finding>,
}

impl Report<'_> {
    /// Prints all findings: a line for each, or one JSON document.
    pub(super) fn print(&self, format: &str) -> anyhow::Result<()> {
        let mut output = Output::standard();
        if format == "json" {
            let document = json!({
                "bucket": self.bucket,
                "blocks": self.blocks,
                "markedForDeletion": self.marked,
                "badBlocks": self.worst().len(),
                "codes": self.codes(),
                "findings": self.findings,
            });
            output.line(&serde_json::to_string_pretty(&document)?)?;
            return output.finish();
        }
        let width = self.findings.iter().map(|finding| finding.code.len()).max().unwrap_or_default();
        for finding in &self.findings {
            let Finding { block, severity, code, detail, .. } = finding;
            output.line(&format!("{block}  {severity:<6}  {code:<width$}  {}", on_one_line(detail)))?;
        }
        let worst = self.worst();
        if worst.is_empty() {
            output.line(&format!("{} blocks, nothing found", self.blocks))?;
        } else {
            let count = |wanted| worst.values().filter(|severity| **severity == wanted).count();
            output.line(&format!(
                "{} of {} blocks with findings: {} damaged, {} with defects, {} with notes only",
                worst.len(),
                self.blocks,
                count(Severity::Damage),
                count(Severity::Defect),
                count(Severity::Note)
            ))?;
        }
        output.finish()
    }

    /// The worst of each block.
    fn worst(&self) -> BTreeMap<String, Severity> {
        let mut worst = BTreeMap::new();
        for finding in &self.findings {
            let known = worst.entry(finding.block.to_string()).or_insert(finding.severity);
            *known = finding.severity.max(*known);
        }
        worst
    }

    /// How many blocks have each code.
    fn codes(&self) -> BTreeMap<&'static str, usize> {
        let pairs: BTreeSet<_> = self.findings.iter().map(|finding| (finding.code, finding.block)).collect();
        let mut codes = BTreeMap::new();
        for (code, _) in pairs {
            *codes.entry(code).or_default() += 1;
        }
        codes
    }

    /// An error if a block is as bad as this or worse.
    pub(super) fn outcome(&self, threshold: Option<Severity>) -> anyhow::Result<()> {
        let Some(threshold) = threshold else { return Ok(()) };
        let bad = self.worst().values().filter(|severity| **severity >= threshold).count();
        match bad {
            0 => Ok(()),
            1 => bail!("1 of {} blocks is bad", self.blocks),
            bad => bail!("{bad} of {} blocks are bad", self.blocks),
        }
    }
}

/// Labels may hold anything; a line stays a line, and a terminal is told nothing.
fn on_one_line(text: &str) -> String {
    let shown = text.chars().map(|character| match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    });
    shown.collect()
}
