//! What is written for people holds: KDL in Markdown parses, named files exist, examples and golden trees are pairs.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use compiler::diagnostic::{Diagnostic, Severity};
use compiler::pipeline::{self, Request};
use compiler::source::{ReadError, Sources, World, glob_matcher};
use compiler::topology;
use tests::repository;

use crate::no_problems;

/// All that the root folder holds beside folders of the code.
const ROOT: &[&str] = &[
    ".cargo",
    ".ci",
    ".clippy.toml",
    ".config",
    ".deny.toml",
    ".dockerignore",
    ".gitignore",
    ".rustfmt.toml",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "compiler",
    "examples",
    "golden",
    "runtime",
    "templates",
    "tests",
];

/// One fenced block of Markdown.
struct Block {
    path: String,
    line: usize,
    words: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for path in repository::with_ending(".md") {
        let mut open: Option<Block> = None;
        for (number, line) in repository::text(&path).lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), open.as_mut()) {
                (Some(words), None) => {
                    let (words, line) = (words.trim().to_string(), number + 1);
                    open = Some(Block { path: path.clone(), line, words, text: String::new() });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some(block)) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{path}: a fence is not closed");
    }
    blocks
}

/// A block of Markdown as `examples/block.kdl`: it may include what lies in `examples/`.
struct Page {
    text: String,
    folder: PathBuf,
}

impl World for Page {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        if path == "block.kdl" {
            return Ok(self.text.clone().into_bytes());
        }
        fs::read(self.folder.join(path)).map_err(|_| ReadError::NotFound)
    }

    fn glob(&self, pattern: &str) -> Result<Vec<String>, ReadError> {
        let matcher = glob_matcher(pattern)?;
        Ok(repository::below("examples")
            .iter()
            .filter_map(|path| path.strip_prefix("examples/"))
            .filter(|path| matcher.is_match(path))
            .map(str::to_string)
            .collect())
    }

    fn variable(&self, _: &str) -> Option<String> {
        Some("value".to_string())
    }

    fn today(&self) -> String {
        String::new()
    }
}

/// Errors of decoding; a block without a topology is a piece of one.
fn decoding_errors(block: &Block) -> Vec<Diagnostic> {
    let whole = block.text.lines().any(|line| line.starts_with("topology "));
    let text = if whole { block.text.clone() } else { format!("{}\ntopology block {{}}\n", block.text) };
    let page = Page { text, folder: repository::root().join("examples") };
    let (mut sources, mut diagnostics) = (Sources::default(), Vec::new());
    topology::read(&page, "block.kdl", None, &mut sources, &mut diagnostics);
    diagnostics.retain(|diagnostic| diagnostic.severity == Severity::Error);
    diagnostics
}

#[test]
fn kdl_in_markdown_parses() {
    let mut problems = Vec::new();
    // The compiler's own suite runs the blocks of the pages, with the files and the rendering that some of them need.
    for block in blocks().into_iter().filter(|block| !block.path.starts_with("compiler/checks/")) {
        let place = format!("{}:{}", block.path, block.line);
        match block.words.as_str() {
            "kdl" => problems.extend(
                decoding_errors(&block)
                    .into_iter()
                    .map(|error| format!("{place}: {} {}", error.code, error.message)),
            ),
            "kdl,must-fail" => {
                let page = Page { text: block.text.clone(), folder: repository::root().join("examples") };
                let request = Request { path: "block.kdl".to_string(), ..Request::default() };
                let said = pipeline::check(&page, &request).diagnostics;
                if !said.iter().any(|said| said.severity > Severity::Info) {
                    problems.push(format!("{place}: must fail, yet nothing is wrong with it"));
                }
            }
            other if other.starts_with("kdl") => {
                problems.push(format!("{place}: `{other}` means nothing; write `kdl` or `kdl,must-fail`"));
            }
            _ => {}
        }
    }
    no_problems(problems);
}

#[test]
fn broken_kdl_would_be_found() {
    let block =
        |text: &str| Block { path: String::new(), line: 1, words: "kdl".to_string(), text: text.to_string() };
    assert!(decoding_errors(&block("topology t { prometheus replicas=2; }")).is_empty());
    assert!(decoding_errors(&block("store replicas=2")).is_empty());
    assert!(!decoding_errors(&block("store replica=2")).is_empty());
}

/// Paths that a document names: targets of links, and code in backticks that looks like a path.
fn named_paths(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            found.extend(line.split('`').skip(1).step_by(2).filter(|code| is_path(code)).map(str::to_string));
            found.extend(
                line.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_string),
            );
        }
    }
    found
        .into_iter()
        .map(|path| path.split('#').next().unwrap_or_default().to_string())
        .filter(|path| !path.is_empty() && !path.contains("://"))
        .collect()
}

/// Whether code is a path below the repository: its first part is something in the root folder.
fn is_path(code: &str) -> bool {
    let plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    let first = code.split('/').next().unwrap_or_default();
    plain && ROOT.contains(&first) && (code.contains('/') || code.contains('.'))
}

#[test]
fn documents_name_files_that_exist() {
    let mut problems = Vec::new();
    for path in repository::with_ending(".md") {
        if path.starts_with("golden/") {
            continue;
        }
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for named in named_paths(&repository::text(&path)) {
            let beside = if folder.is_empty() { named.clone() } else { format!("{folder}/{named}") };
            if !repository::exists(&named) && !repository::exists(&beside) {
                problems.push(format!("{path}: names `{named}`, which is not there"));
            }
        }
    }
    no_problems(problems);
}

#[test]
fn the_root_holds_what_it_should() {
    let entries = fs::read_dir(repository::root()).expect("the root can be read");
    let problems = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !ROOT.contains(&name.as_str()))
        .filter(|name| ![".git", ".pronoia", "out", "target"].contains(&name.as_str()))
        .map(|name| format!("{name}: the root holds nothing of this name"))
        .chain(ROOT.iter().filter(|name| !repository::exists(name)).map(|name| format!("{name}: is missing")))
        .collect();
    no_problems(problems);
}

#[test]
fn examples_and_golden_trees_are_pairs() {
    let examples: BTreeSet<String> = fs::read_dir(repository::root().join("examples"))
        .expect("there are examples")
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".kdl")?.to_string()))
        .collect();
    let trees: BTreeSet<String> = repository::folders("golden").into_iter().collect();
    let mut problems: Vec<String> = examples
        .iter()
        .filter(|name| !trees.contains(*name))
        .map(|name| format!("examples/{name}.kdl: has no golden tree; run `make golden`"))
        .collect();
    // Environments of an example have trees of their own: `golden/NAME.ENV`.
    problems.extend(
        trees
            .iter()
            .filter(|name| !examples.contains(name.split('.').next().unwrap_or(name)))
            .map(|name| format!("golden/{name}: no example renders it; run `make golden`")),
    );
    no_problems(problems);
}
