//! Regular expressions as Go's `regexp` runs them: they match anywhere in a text.

use regex_automata::meta;

use super::{
    COMPILED_BYTES_MAX, Dot, GoRegexError, GoRegexErrorKind, Groups, PATTERN_BYTES_MAX, Template, parser,
};

/// A compiled Go regular expression that is not anchored.
#[derive(Debug, Clone)]
pub struct GoSearch {
    /// Names of the capture groups; index 0 is the whole match and has none.
    group_names: Vec<Option<String>>,
    program: meta::Regex,
}

impl GoSearch {
    /// Compiles a pattern as `regexp.Compile` does: `.` matches no line feed.
    pub fn new(pattern: &str) -> Result<Self, GoRegexError> {
        let refuse = |kind| GoRegexError { kind, fragment: String::new(), position: 0 };
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(refuse(GoRegexErrorKind::TooLarge));
        }
        let parsed = parser::parse(pattern, Dot::AnyButNewline)?;
        let program = meta::Regex::builder()
            .configure(meta::Config::new().nfa_size_limit(Some(COMPILED_BYTES_MAX)))
            .build_from_hir(&parsed.hir)
            .map_err(|_| refuse(GoRegexErrorKind::TooLarge))?;
        Ok(GoSearch { group_names: parsed.group_names, program })
    }

    /// Whether some part of the text matches.
    pub fn is_match(&self, text: &str) -> bool {
        self.program.is_match(text)
    }

    /// The text with each match replaced by `template`, filled by the rules of Go's `Expand`.
    pub fn replace_all(&self, text: &str, template: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for captures in self.program.captures_iter(text) {
            let Some(whole) = captures.get_match() else { continue };
            out.push_str(text.get(end..whole.start()).unwrap_or_default());
            end = whole.end();
            out.push_str(&Template(template).fill(&self.group_names, text, &Groups(captures)));
        }
        out.push_str(text.get(end..).unwrap_or_default());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::GoSearch;

    #[test]
    fn replaces_as_go_does() {
        for (pattern, template, text, expect) in [
            ("a(x*)b", "T", "-ab-axxb-", "-T-T-"),
            ("a(x*)b", "$1", "-ab-axxb-", "--xx-"),
            ("a(x*)b", "$1W", "-ab-axxb-", "---"),
            ("a(x*)b", "${1}W", "-ab-axxb-", "-W-xxW-"),
            ("a*", "x", "baaac", "xbxcx"),
            ("^", "> ", "ab", "> ab"),
            (".", "x", "a\nb", "x\nx"),
            ("(?P<host>[^:]+):\\d+", "$host", "web:80, db:1", "web, db"),
        ] {
            let search = GoSearch::new(pattern).unwrap();
            assert_eq!(search.replace_all(text, template), expect, "{pattern}");
        }
        assert!(GoSearch::new("b+").unwrap().is_match("abbc"));
        assert_eq!(
            GoSearch::new("(").unwrap_err().to_string(),
            "error parsing regexp: missing closing ): `(`"
        );
    }
}
