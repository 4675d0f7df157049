//! The pages of the checks: every code has one, and its examples do what they say.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use compiler::diagnostic::has_errors;
use compiler::pipeline::{Outcome, Request, render};
use compiler::source::MemoryWorld;

/// Files that the examples may name.
const FILES: [(&str, &str); 1] = [("lib/defaults.kdl", "kube-state-metrics\n")];

struct Block {
    language: String,
    must_fail: bool,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(info) if !open => {
                let (language, rest) = info.split_once(',').unwrap_or((info, ""));
                let block = Block {
                    language: language.to_string(),
                    must_fail: rest == "must-fail",
                    text: String::new(),
                };
                blocks.push(block);
                open = true;
            }
            Some(_) => open = false,
            None if open => {
                if let Some(block) = blocks.last_mut() {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
            }
            None => {}
        }
    }
    blocks
}

fn run(code: &str, block: &Block) -> Outcome {
    let mut world = MemoryWorld { today: "2026-01-01".to_string(), ..MemoryWorld::default() };
    for (path, text) in FILES {
        world.files.insert(path.to_string(), text.as_bytes().to_vec());
    }
    let mut request = Request { path: "topology.kdl".to_string(), ..Request::default() };
    let mut bytes = block.text.clone().into_bytes();
    if block.language == "yaml" {
        request.templates.insert("service.yaml.j2".to_string(), block.text.clone());
        bytes = b"topology a {\n    prometheus {\n        scrape self\n    }\n}\n".to_vec();
    }
    if code == "KDL012" && block.must_fail {
        bytes = block.text.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin 1")).collect();
    }
    if code == "RES007" {
        bytes = block.text.replace('…', &"x".repeat(600 << 10)).into_bytes();
    }
    world.files.insert(request.path.clone(), bytes);
    render(&world, &request)
}

#[test]
fn every_page_shows_what_it_means() {
    let mut failures = Vec::new();
    for (path, page) in super::files("checks", ".md") {
        let code = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let mut fail = |what: String| failures.push(format!("{code}: {what}"));
        let severities = ["error", "warning", "info", "hazard"];
        let titled = |severity: &&str| page.starts_with(&format!("# {code} {severity}: "));
        let Some(severity) = severities.into_iter().find(|severity| titled(severity)) else {
            fail("the title is not `# CODE severity: title`".to_string());
            continue;
        };
        let headings: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
        if headings != ["## Bad", "## Good"] {
            fail(format!("headings are {headings:?}"));
        }
        let blocks = blocks(&page);
        if blocks.iter().map(|block| block.must_fail).collect::<Vec<_>>() != [true, false] {
            fail("there must be one bad block and then a good one".to_string());
        }
        for block in &blocks {
            let outcome = run(&code, block);
            let found: Vec<String> =
                outcome.diagnostics.iter().map(|found| format!("{} {}", found.code, found.message)).collect();
            let mut of_code = outcome.diagnostics.iter().filter(|found| found.code == code).peekable();
            let yields = of_code.peek().is_some();
            // Under `bare` most findings are remarks only.
            let severe =
                block.text.contains("profile=bare") || of_code.any(|found| found.severity.word() == severity);
            match block.must_fail {
                true if !yields => fail(format!("the bad block does not yield it, but {found:#?}")),
                true if !severe => fail(format!("the bad block yields it, but as no {severity}: {found:#?}")),
                false if yields => fail(format!("the good block yields it: {found:#?}")),
                false if has_errors(&outcome.diagnostics) => {
                    fail(format!("the good block is wrong: {found:#?}"))
                }
                _ => {}
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Codes as they stand in the sources of the compiler, tests aside.
fn codes(folder: &Path, codes: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" && name != "report" {
            self::codes(&path, codes)?;
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "report.rs" {
            let text = fs::read_to_string(&path)?;
            // What follows the tests of a file is not the compiler's.
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            for call in ["Diagnostic::error(", "Diagnostic::warning(", "Diagnostic::info("] {
                for after in text.split(call).skip(1) {
                    let Some(code) = after.trim_start().strip_prefix('"') else { continue };
                    codes.insert(code.split('"').next().unwrap_or_default().to_string());
                }
            }
        }
    }
    Ok(())
}

#[test]
fn every_code_has_a_page() {
    let mut raised = BTreeSet::new();
    codes(&super::folder("src"), &mut raised).expect("sources can be read");
    let pages: BTreeSet<String> = super::files("checks", ".md")
        .iter()
        .filter_map(|(path, _)| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    let missing: Vec<&String> = raised.difference(&pages).collect();
    assert!(missing.is_empty(), "no page in compiler/checks for {missing:?}");
}
