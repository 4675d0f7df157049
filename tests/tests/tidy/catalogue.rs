//! Every check code has its page and its case, and no page or case is about a code that is gone.

use std::collections::{BTreeMap, BTreeSet};

use tests::repository;

use crate::no_problems;

/// Every code that the compiler can say, with the first file that says it.
fn codes() -> BTreeMap<String, String> {
    let mut codes = BTreeMap::new();
    for path in repository::below("compiler/src") {
        if !path.ends_with(".rs") || path.ends_with("/tests.rs") || path.contains("/tests/") {
            continue;
        }
        let text = repository::text(&path);
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        for quoted in shipped.split('"').filter(|quoted| is_code(quoted)) {
            codes.entry(quoted.to_string()).or_insert_with(|| path.clone());
        }
    }
    assert!(codes.contains_key("KDL001"), "the compiler says KDL001 for text that is not KDL: {codes:?}");
    codes
}

/// Three letters or digits and three digits: `IDN002`, `K8S001`.
fn is_code(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 6
        && bytes[0].is_ascii_uppercase()
        && bytes[..3].iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && bytes[3..].iter().all(u8::is_ascii_digit)
        && !matches!(&bytes[..3], b"SHA" | b"MD5" | b"CRC")
}

#[test]
fn every_code_has_its_page() {
    let codes = codes();
    let pages: BTreeSet<String> = repository::below("compiler/checks")
        .iter()
        .filter_map(|path| Some(path.strip_prefix("compiler/checks/")?.strip_suffix(".md")?.to_string()))
        .filter(|name| is_code(name))
        .collect();
    let mut problems: Vec<String> = codes
        .iter()
        .filter(|(code, _)| !pages.contains(*code))
        .map(|(code, path)| format!("{code} ({path}): write compiler/checks/{code}.md"))
        .collect();
    for page in pages.iter().filter(|page| !codes.contains_key(*page)) {
        problems.push(format!("compiler/checks/{page}.md: the compiler never says {page}"));
    }
    for page in &pages {
        let first = repository::text(&format!("compiler/checks/{page}.md"));
        let first = first.lines().next().unwrap_or_default();
        if !["error", "warning", "info"].iter().any(|word| first.starts_with(&format!("# {page} {word}: "))) {
            problems
                .push(format!("compiler/checks/{page}.md: begin with `# {page} error: …`, found `{first}`"));
        }
    }
    no_problems(problems);
}

#[test]
fn every_code_has_a_case() {
    // A page names its own code, so it proves nothing here; unit tests beside the code do.
    let cases: String = ["compiler/tests", "compiler/src"]
        .iter()
        .flat_map(|folder| repository::below(folder))
        .filter(|path| path.contains("/tests/") || path.ends_with("/tests.rs"))
        .collect::<Vec<_>>()
        .iter()
        .map(|path| repository::text(path))
        .collect::<Vec<_>>()
        .join("\n");
    let problems = codes()
        .iter()
        .filter(|(code, _)| !cases.contains(code.as_str()))
        .map(|(code, path)| format!("{code} ({path}): no test of the compiler provokes it"))
        .collect();
    no_problems(problems);
}

#[test]
fn codes_are_recognised() {
    assert!(is_code("K8S001") && is_code("IDN002"));
    assert!(!is_code("IDN02") && !is_code("SHA256") && !is_code("123456") && !is_code("abc123"));
}
