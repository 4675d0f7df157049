//! `runbook.md`: what runs where, for people.

use super::plan::Entry;
use crate::model::Cluster;
use crate::model::local::LeftOut;

/// The page.
pub(super) fn text(cluster: &Cluster, processes: &[Entry], left_out: &[LeftOut]) -> String {
    let mut text = format!("# {} on this machine\n\n", cluster.name);
    text.push_str(
        "Everything listens on 127.0.0.1 only. `processes.json` says how each process is started.\n\n",
    );
    text.push_str("| process | program | URL | other ports |\n|---|---|---|---|\n");
    for process in processes {
        let others: Vec<String> = process
            .ports
            .iter()
            .filter(|(name, _)| *name != "http")
            .map(|(name, port)| format!("{name} {port}"))
            .collect();
        let program = match process.program == process.component {
            true => process.program.to_string(),
            false => format!("{} {}", process.program, process.component),
        };
        let url = process.ready_url.trim_end_matches("-/ready");
        text.push_str(&format!("| {} | {program} | <{url}> | {} |\n", process.name, others.join(", ")));
    }
    text.push_str("\nA process is ready when its URL answers `/-/ready`.\n");
    if !left_out.is_empty() {
        text.push_str("\n## Not here\n\n");
    }
    for entry in left_out {
        text.push_str(&format!("- {}: {}\n", cell(&entry.what), entry.why));
    }
    text
}

/// Text of a user on one line.
fn cell(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || c == '|' { ' ' } else { c }).collect()
}
