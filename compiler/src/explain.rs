//! The long texts behind the codes: `compiler/checks/CODE.md`, embedded. A new page needs no line here.

use crate::embedded::CHECK_PAGES;

/// One page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The code, `IDN002`.
    pub code: &'static str,
    /// `error`, `warning`, `info` or `hazard`; empty when the heading names none.
    pub severity: &'static str,
    /// What the check is about, from the heading.
    pub title: &'static str,
    /// The whole page, Markdown.
    pub text: &'static str,
}

/// All pages, sorted by code.
pub fn pages() -> impl Iterator<Item = Page> + Clone {
    CHECK_PAGES.iter().map(|(file, text)| page(file.strip_suffix(".md").unwrap_or(file), text))
}

/// The page of one code; upper and lower case are the same.
pub fn find(code: &str) -> Option<Page> {
    pages().find(|page| page.code.eq_ignore_ascii_case(code))
}

/// Reads the heading, `# CODE severity: title`.
fn page(code: &'static str, text: &'static str) -> Page {
    let heading = text.lines().next().unwrap_or("").trim_start_matches('#').trim();
    let rest = heading.strip_prefix(code).unwrap_or(heading).trim();
    let (severity, title) = rest
        .split_once(':')
        .filter(|(severity, _)| ["error", "warning", "info", "hazard"].contains(severity))
        .unwrap_or(("", rest));
    Page { code, severity, title: title.trim(), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_opens_with_its_code_severity_and_title() {
        assert!(find("kdl001").is_some_and(|page| page.title == "the file is not KDL"));
        for page in pages() {
            assert!(page.text.starts_with(&format!("# {} ", page.code)), "{}", page.code);
            assert!(
                !page.severity.is_empty() && !page.title.is_empty(),
                "{}: `# CODE severity: title`",
                page.code
            );
        }
    }
}
