//! Rust files: each says what it is for, none grows without a reason, none is forgotten.

use std::collections::BTreeSet;

use tests::repository;

use crate::no_problems;

/// Files above this many lines need a reason in [`LONG`].
const LINES_REASONED: usize = 600;
/// No file is longer.
const LINES_MAX: usize = 900;

/// Long files, each with its reason.
const LONG: &[(&str, &str)] = &[];

#[test]
fn every_file_says_what_it_is_for() {
    let problems = repository::with_ending(".rs")
        .into_iter()
        .filter(|path| {
            let text = repository::text(path);
            let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            first.strip_prefix("//!").is_none_or(|rest| rest.trim().len() < 10)
        })
        .map(|path| format!("{path}: open it with `//!` and a sentence on what it is for"))
        .collect();
    no_problems(problems);
}

#[test]
fn files_stay_short() {
    let mut problems = Vec::new();
    for path in repository::with_ending(".rs") {
        let lines = repository::text(&path).lines().count();
        let reasoned = LONG.iter().any(|(long, _)| *long == path);
        if lines > LINES_MAX {
            problems.push(format!("{path}: {lines} lines; {LINES_MAX} is the end"));
        } else if lines > LINES_REASONED && !reasoned {
            problems.push(format!("{path}: {lines} lines; split it, or give the reason in LONG"));
        } else if lines <= LINES_REASONED && reasoned {
            problems.push(format!("{path}: {lines} lines; take it off LONG"));
        }
    }
    for (path, _) in LONG.iter().filter(|(path, _)| !repository::exists(path)) {
        problems.push(format!("{path}: gone; take it off LONG"));
    }
    no_problems(problems);
}

#[test]
fn no_file_is_forgotten() {
    let all: BTreeSet<String> = repository::with_ending(".rs").into_iter().collect();
    let mut reached = BTreeSet::new();
    let mut open: Vec<String> = all.iter().filter(|path| is_root(path)).cloned().collect();
    while let Some(path) = open.pop() {
        if !reached.insert(path.clone()) {
            continue;
        }
        open.extend(modules(&path, &repository::text(&path)).into_iter().filter(|next| all.contains(next)));
    }
    let problems = all
        .difference(&reached)
        .map(|path| format!("{path}: no `mod` line leads here, so nothing compiles or runs it"))
        .collect();
    no_problems(problems);
}

/// Whether cargo compiles the file without a `mod` line.
fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        [.., "src", "lib.rs" | "main.rs"] | [.., "build.rs"] => true,
        [.., "src", "bin", _] | [.., "benches" | "examples" | "fuzz_targets", _] => true,
        // `tests/NAME.rs` and `tests/NAME/main.rs` beside a manifest are test binaries.
        [folder @ .., "tests", _] | [folder @ .., "tests" | "benches", _, "main.rs"] => {
            repository::exists(&format!("{}/Cargo.toml", folder.join("/")))
        }
        _ => false,
    }
}

/// Files that the `mod` and `include!` lines of a file name.
fn modules(path: &str, text: &str) -> Vec<String> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let own = matches!(file, "lib.rs" | "main.rs" | "mod.rs" | "build.rs") || is_root(path);
    let below = if own { folder.to_string() } else { path.trim_end_matches(".rs").to_string() };
    let mut found = Vec::new();
    let mut named = None;
    for line in text.lines().map(str::trim) {
        if let Some(quoted) = line.strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]")) {
            named = Some(format!("{folder}/{quoted}"));
        } else if let Some(quoted) = line.split("include!(\"").nth(1).and_then(|rest| rest.split('"').next())
        {
            found.push(format!("{folder}/{quoted}"));
        } else if let Some(name) = module(line) {
            match named.take() {
                Some(path) => found.push(path),
                None => found.extend([format!("{below}/{name}.rs"), format!("{below}/{name}/mod.rs")]),
            }
        }
    }
    found
}

/// The name in `mod NAME;`, with any visibility.
fn module(line: &str) -> Option<&str> {
    let line = line.split("//").next().unwrap_or(line).trim().strip_suffix(';')?;
    let (before, name) = line.rsplit_once("mod ")?;
    let visible = before.trim();
    (visible.is_empty() || visible.starts_with("pub") || visible.ends_with(']')).then_some(name.trim())
}

#[test]
fn one_format_for_all() {
    let configurations: Vec<String> =
        repository::files().into_iter().filter(|path| path.ends_with("rustfmt.toml")).collect();
    assert_eq!(configurations, [".rustfmt.toml"], "one configuration formats every file");
    let skipped = repository::with_ending(".rs")
        .into_iter()
        .filter(|path| {
            repository::text(path).lines().any(|line| line.trim() == concat!("#[rustfmt::", "skip]"))
        })
        .map(|path| format!("{path}: leave the layout to rustfmt"))
        .collect();
    no_problems(skipped);
}

#[test]
fn module_lines_are_recognised() {
    assert_eq!(module("pub(crate) mod shards;"), Some("shards"));
    assert_eq!(module("#[cfg(test)] mod tests;"), Some("tests"));
    assert_eq!(module("mod tests {"), None);
    assert_eq!(module("// a mod line;"), None);
    assert_eq!(modules("a/src/x.rs", "mod y;"), ["a/src/x/y.rs", "a/src/x/y/mod.rs"]);
    assert_eq!(modules("a/src/lib.rs", "mod y;"), ["a/src/y.rs", "a/src/y/mod.rs"]);
}
