//! The same verdict as `promtool`, on files that are changed at random.

use std::collections::BTreeMap;

use super::corpus::{DEBIAN, File, check, golden, options, own, problems};
use super::mutation::{Random, mutate, scramble};
use super::promtool::verdict;

/// So many files in every run; `PROM_CONFIG_CASES` asks for more, `PROM_CONFIG_SEED` for others.
const CASES: usize = 300;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Kinds of service discovery that Debian builds its `promtool` without.
const NOT_IN_DEBIAN: &[&str] = &["consul", "kubernetes", "kuma", "linode", "nomad"];

/// The text without the sections that Debian's `promtool` does not have.
fn for_debian(text: &str) -> String {
    let mut kept = String::new();
    let mut within: Option<usize> = None;
    for line in text.lines() {
        let bare = line.trim_start();
        let indent = line.len() - bare.len();
        // Entries of a list may stand on the column of their field.
        if within.is_some_and(|outer| indent > outer || indent == outer && bare.starts_with('-')) {
            continue;
        }
        within = None;
        let name = bare.strip_suffix("_sd_configs:").unwrap_or_default();
        if NOT_IN_DEBIAN.contains(&name) {
            within = Some(indent);
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// The files that the release of `promtool` takes.
fn corpus() -> Vec<File> {
    let mut files = own();
    files.extend(golden().into_iter().step_by(3));
    for file in &mut files {
        file.text = for_debian(&file.text);
    }
    files.retain(|file| problems(file.content, file.text.as_bytes(), &options(DEBIAN)).is_empty());
    assert!(files.len() >= 15, "enough files are for {DEBIAN}");
    files
}

#[test]
fn changed_files_get_the_verdict_of_promtool() {
    compare(&corpus(), CASES, |random, text| {
        let mut text = text.as_bytes().to_vec();
        for _ in 0..=random.below(3) / 2 {
            text = mutate(random, &text).0;
        }
        text
    });
}

#[test]
fn scrambled_yaml_gets_the_verdict_of_promtool() {
    let mut files = corpus();
    files.retain(|file| file.path.to_string_lossy().contains("yaml") || file.text.len() < 1500);
    compare(&files, CASES / 2, |random, text| scramble(random, text).into_bytes());
}

fn compare(files: &[File], cases: usize, change: impl Fn(&mut Random, &str) -> Vec<u8>) {
    let (cases, seed) = (number("PROM_CONFIG_CASES", cases), number("PROM_CONFIG_SEED", 1));
    let folder = tempfile::tempdir().unwrap();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut different = Vec::new();
    for case in 0..cases {
        let mut random = Random::new((seed * 1_000_003 + case) as u64);
        let file = &files[random.below(files.len())];
        let text = change(&mut random, &file.text);
        let ours = check(file.content, &text, &options(DEBIAN));
        let theirs = verdict(folder.path(), file.content, &text);
        let loads = ours.problems.is_empty();
        let outcome = match (loads, theirs.loads) {
            _ if !loads && !ours.certain => "left to Prometheus",
            (true, true) => "both load",
            (false, false) => "both refuse",
            (true, false) => "taken by us alone",
            (false, true) => "refused by us alone",
        };
        *counts.entry(outcome).or_default() += 1;
        let ours_alone = outcome.ends_with("by us alone");
        let ours = ours.problems;
        if ours_alone && !is_explained(&String::from_utf8_lossy(&text), &theirs.output) {
            let name = file.path.file_name().unwrap().to_string_lossy();
            if let Some(folder) = std::env::var_os("PROM_CONFIG_KEEP") {
                std::fs::write(std::path::Path::new(&folder).join(format!("{case}.yml")), &text).unwrap();
            }
            let theirs =
                theirs.output.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join(" ");
            different.push(format!("case {case}, {name}, {outcome}:\n  ours: {ours:?}\n  theirs: {theirs}"));
        }
    }
    if std::env::var_os("PROM_CONFIG_CASES").is_some() {
        #[expect(clippy::print_stderr, reason = "figures of a run by hand")]
        {
            eprintln!("{cases} cases, seed {seed}: {counts:?}");
        }
    }
    assert!(counts.contains_key("both load") && counts.contains_key("both refuse"), "{counts:?}");
    assert!(different.is_empty(), "{counts:?}\n{}", different.join("\n"));
}

/// Differences that have a reason.
fn is_explained(text: &str, output: &str) -> bool {
    // Lightsail and EC2 without a region ask the machine, which is not in the text.
    let asks = output.contains("SD configuration requires a region");
    // The library for rule files looks a little beyond the end of the document, how far depends on its comments.
    let ends = text.contains("\n...") || text.contains("\n---");
    let beyond = ends && output.contains("yaml: line");
    // A line separator ends a line and stays in the text; here it becomes a plain line feed.
    let separator = text.contains(['\u{2028}', '\u{2029}']) && output.to_lowercase().contains("2028");
    asks || beyond || separator
}
