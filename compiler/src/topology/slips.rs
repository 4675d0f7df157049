//! What people write by habit and KDL does not take: bare `15s`, `true`, paths, `name: value`, lists in brackets.
//!
//! One linear pass over the text, without recursion, finds these slips, says what to write instead and repairs the text
//! in place, byte for byte, so that the rest of the file is read in the same pass.

mod blocks;
mod strings;

use std::ops::Range;

use super::tree::Scalar;

/// Slips after which a text is taken for another language.
pub const SLIPS_MAX: usize = 100;

/// Deepest nesting of blocks and of block comments. Real topologies need six.
pub const NESTING_MAX: usize = 48;

/// How far the end of a string in foreign quotes is looked for.
const QUOTED_BYTES_MAX: usize = 500;
/// Longest piece of the text in a message, in characters.
const QUOTE_CHARS_MAX: usize = 60;

/// One slip.
#[derive(Debug)]
pub struct Slip {
    /// Code of the finding.
    pub code: &'static str,
    /// What a message points at.
    pub span: Range<usize>,
    /// What is wrong; empty when a neighbour says it.
    pub message: String,
    /// What to write.
    pub help: String,
    /// Bytes that the repair replaces.
    pub range: Range<usize>,
    /// What they are replaced by: ASCII of the same length.
    pub instead: String,
    /// What the author meant, when a value was replaced.
    pub means: Option<Scalar>,
}

/// What the pass found.
#[derive(Debug, Default)]
pub struct Scan {
    /// Place and kind of the first level that is too deep.
    pub too_deep: Option<(usize, &'static str)>,
    /// Slips in the order of the text.
    pub slips: Vec<Slip>,
    /// Whether the text cannot be repaired: what the parser says about it would mislead.
    pub hopeless: bool,
}

/// Looks through the text.
pub fn scan(text: &str) -> Scan {
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes(),
        scan: Scan::default(),
        open: Vec::new(),
        brackets: 0,
        parentheses: 0,
        line: Line { start: 0, end: 0, comment_end: None },
    };
    scanner.run();
    scanner.scan.slips.sort_by_key(|slip| slip.range.start);
    scanner.scan
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    scan: Scan,
    /// Blocks that are open.
    open: Vec<Block>,
    /// Open square brackets.
    brackets: usize,
    /// Open parentheses that annotate nothing.
    parentheses: usize,
    /// The line that was looked at last: long lines are measured once.
    line: Line,
}

struct Block {
    /// Where its brace stands.
    at: usize,
    /// Whether `/-` takes it away.
    slashed: bool,
    /// Whether `/-` takes the whole node away.
    gone: bool,
}

struct Line {
    start: usize,
    end: usize,
    /// Where the last `*/` of the line stands.
    comment_end: Option<usize>,
}

impl Scanner<'_> {
    fn run(&mut self) {
        let (mut at, mut at_node, mut after_block) = (0, true, false);
        // `/-` was just read; it was read before the name of this node.
        let (mut slashed, mut gone) = (false, false);
        // The word before an equals sign.
        let mut word: Option<Range<usize>> = None;
        while at < self.bytes.len() && self.scan.too_deep.is_none() && !self.scan.hopeless {
            // So many slips are another language.
            self.scan.hopeless |= self.scan.slips.len() > SLIPS_MAX;
            let here = at;
            match self.bytes[at] {
                // What `/-` takes away may stand on the next line.
                b'\n' | b'\r' if slashed => at += 1,
                b'\n' | b'\r' | 0x0b | 0x0c | b';' => {
                    (at_node, after_block, slashed, gone, word) = (true, false, false, false, None);
                    at += 1;
                }
                b' ' | b'\t' => at += 1,
                _ if self.wide_blank(at).is_some() => {
                    let blank = self.wide_blank(at).unwrap_or('\u{a0}');
                    if matches!(blank, '\u{85}' | '\u{2028}' | '\u{2029}') {
                        (at_node, after_block, slashed, gone, word) = (true, false, false, false, None);
                    }
                    at += blank.len_utf8();
                }
                b'\\' => at = self.line_end(at) + 1,
                b'{' => {
                    self.block(at, at_node, after_block, slashed, gone);
                    (at_node, after_block, slashed, gone, word) = (true, false, false, false, None);
                    at += 1;
                }
                b'}' => {
                    let block = self.open.pop();
                    if block.is_none() {
                        let help = "remove it, or look above for the `{` that it should close".to_string();
                        self.slip(at..at + 1, "no block is open here".to_string(), help, " ", None);
                    }
                    // After `/-{ … }` the node goes on; after `/-a { … }` the next one may follow.
                    let goes_on = block.as_ref().is_some_and(|block| block.slashed);
                    gone = block.is_some_and(|block| block.gone);
                    (at_node, after_block) = (!goes_on, !goes_on && !gone);
                    (slashed, gone, word) = (false, gone && goes_on, None);
                    at += 1;
                }
                b'/' if self.bytes.get(at + 1) == Some(&b'/') => at = self.line_end(at),
                b'/' if self.bytes.get(at + 1) == Some(&b'*') => at = self.comment(at),
                b'/' if self.bytes.get(at + 1) == Some(&b'-') => {
                    slashed = true;
                    gone |= at_node || after_block;
                    at += 2;
                }
                b'[' | b']' | b',' => {
                    self.bracket_or_comma(at);
                    at += 1;
                }
                b'(' | b')' => at = self.parenthesis(at),
                b'=' => {
                    at = self.equals(at, word.take());
                    at_node = false;
                }
                byte => {
                    if after_block && !slashed {
                        self.second_node(at);
                    }
                    at = match byte {
                        b'#' | b'"' => self.hash_or_string(at, at_node),
                        _ => self.word(at, at_node),
                    };
                    word = (!at_node).then_some(here..at);
                    (at_node, after_block, slashed) = (false, false, false);
                }
            }
        }
        self.unclosed();
    }

    /// A type annotation is all that parentheses are for.
    fn parenthesis(&mut self, at: usize) -> usize {
        let name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let length = self.bytes[at + 1..].iter().take_while(name).count();
        let end = at + 1 + length;
        let next = self.bytes.get(end + 1);
        let value = next.is_some_and(|byte| !byte.is_ascii_whitespace() && !b"(){}[];=,".contains(byte));
        if self.bytes[at] == b'(' && length > 0 && self.bytes.get(end) == Some(&b')') && value {
            return end + 1;
        }
        let closes = self.bytes[at] == b')' && self.parentheses > 0;
        match self.bytes[at] {
            b'(' => self.parentheses += 1,
            _ => self.parentheses = self.parentheses.saturating_sub(1),
        }
        // One message for the pair.
        let message = if closes { "" } else { "a parenthesis is not a KDL value" };
        let help = "text with parentheses stands between double quotes".to_string();
        self.slip(at..at + 1, message.to_string(), help, " ", None);
        at + 1
    }

    /// A slip without a repair.
    fn hopeless(&mut self, at: Range<usize>, message: &str, help: String) {
        let same = "_".repeat(at.len());
        self.push(at.clone(), message.to_string(), help, at, same, None);
        self.scan.hopeless = true;
    }

    fn bracket_or_comma(&mut self, at: usize) {
        let (message, help) = match self.bytes[at] {
            b'[' if self.brackets == 0 => {
                ("lists have no brackets in KDL", "values stand one after another: `namespaces a b`")
            }
            b']' if self.brackets == 0 => ("no bracket is open here", "remove it"),
            b',' if self.brackets == 0 => {
                ("arguments have no commas between them", "separate them by blanks")
            }
            _ => ("", ""),
        };
        match self.bytes[at] {
            b'[' => self.brackets += 1,
            b']' => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        self.slip(at..at + 1, message.to_string(), help.to_string(), " ", None);
    }

    fn push(
        &mut self,
        span: Range<usize>,
        message: String,
        help: String,
        range: Range<usize>,
        instead: String,
        means: Option<Scalar>,
    ) {
        let code = if message.ends_with("is not a KDL value") { "KDL006" } else { "KDL001" };
        self.scan.slips.push(Slip { code, span, message, help, range, instead, means });
    }

    /// A slip whose repair is as long as its span: `instead` and then underscores.
    fn slip(
        &mut self,
        at: Range<usize>,
        message: String,
        help: String,
        instead: &str,
        means: Option<Scalar>,
    ) {
        let instead = format!("{instead}{}", "_".repeat(at.len().saturating_sub(instead.len())));
        self.push(at.clone(), message, help, at, instead, means);
    }

    fn line(&mut self, at: usize) -> &Line {
        if at < self.line.start || at > self.line.end || self.line.end == 0 {
            let newline = |byte: &u8| *byte == b'\n';
            let start = self.bytes[..at].iter().rposition(newline).map_or(0, |line| line + 1);
            let end = self.bytes[at..].iter().position(newline).map_or(self.bytes.len(), |line| at + line);
            let comment_end = self.bytes[start..end].windows(2).rposition(|pair| pair == b"*/");
            self.line = Line { start, end, comment_end: comment_end.map(|place| start + place) };
        }
        &self.line
    }

    fn line_end(&mut self, at: usize) -> usize {
        self.line(at).end
    }

    /// A blank or a line end outside of ASCII; a byte order mark counts as a blank.
    fn wide_blank(&self, at: usize) -> Option<char> {
        if self.bytes[at].is_ascii() {
            return None;
        }
        let char = self.text.get(at..)?.chars().next()?;
        (char.is_whitespace() || char == '\u{feff}').then_some(char)
    }

    /// End of a bare word. A slash belongs to it, as in a path that lacks its quotes, unless a comment starts there.
    fn word_end(&mut self, start: usize) -> usize {
        let mut at = start;
        let mut path = false;
        while let Some(byte) = self.bytes.get(at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => break,
                b';' | b'{' | b'}' | b'"' | b'\\' | b'[' | b']' => break,
                _ if self.wide_blank(at).is_some() => break,
                b'(' | b')' | b'=' if !path => break,
                b'/' => {
                    let next = self.bytes.get(at + 1).copied();
                    let url = self.bytes.get(at.wrapping_sub(1)) == Some(&b':');
                    let closed = self.line(at).comment_end.is_some_and(|end| end > at + 1);
                    // `rules/*.yaml` is a path; a comment that goes on below starts with a blank.
                    let comment = next == Some(b'*') && (closed || self.is_blank(at + 2));
                    if (next == Some(b'/') && !url && !path) || comment {
                        break;
                    }
                    path = true;
                }
                _ => {}
            }
            at += 1;
        }
        at.max(start + 1)
    }

    fn word(&mut self, start: usize, at_node: bool) -> usize {
        if let Some(end) = self.foreign_quotes(start) {
            return end;
        }
        let mut end = self.word_end(start);
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        let text = self.text;
        let mut call = false;
        if !at_node && self.bytes.get(end) == Some(&b'(') {
            // `sum(up)`: an expression that lacks its quotes.
            let blank = |byte: &u8| byte.is_ascii_whitespace() || b";{}\"".contains(byte);
            end += self.bytes[end..].iter().position(blank).unwrap_or(self.bytes.len() - end);
            call = true;
        }
        let mut word = &text[start..end];
        if !at_node && word.len() > 1 && word.ends_with(',') {
            // The comma is looked at by itself.
            end -= 1;
            word = &text[start..end];
        }
        let shown = short(word);
        let name = at_node || self.bytes.get(end) == Some(&b'=');
        let str = || Some(Scalar::Str(word.to_string()));
        let digit = word.starts_with(|c: char| c.is_ascii_digit());
        if digit && looks_like_unit(word) {
            if name {
                let turned = match word {
                    "5m" => "did you mean `m5`?".to_string(),
                    "1h" => "did you mean `h1`?".to_string(),
                    _ => "start it with a letter".to_string(),
                };
                self.slip(
                    start..end,
                    format!("`{shown}` is no name: it starts with a digit"),
                    turned,
                    "_",
                    str(),
                );
            } else {
                let help = format!("{} are strings: write \"{shown}\"", unit_kind(word));
                self.slip(start..end, format!("`{shown}` is not a KDL value"), help, "_", str());
            }
        } else if call {
            let help = format!("text with parentheses stands between double quotes: \"{shown}\"");
            self.slip(start..end, format!("`{shown}` is not a KDL value"), help, "_", str());
        } else if word.contains('/') {
            let help = format!("paths, images and URLs are strings: write \"{shown}\"");
            self.slip(start..end, format!("`{shown}` is not a KDL value"), help, "_", str());
        } else if !name && matches!(word, "true" | "false" | "null") {
            let means = if word == "null" { Scalar::Null } else { Scalar::Bool(word == "true") };
            let message = format!("`{shown}` is not a KDL value");
            self.slip(start..end, message, format!("write #{word}"), "_", Some(means));
        } else if word.len() > 1 && word.ends_with(':') && self.is_blank(end) {
            let name = short(&word[..word.len() - 1]);
            if at_node {
                let help =
                    format!("nodes have no colon, and their children stand between braces: `{name} {{ … }}`");
                self.push(
                    start..end,
                    format!("`{shown}` is YAML, not KDL"),
                    help,
                    end - 1..end,
                    " ".into(),
                    None,
                );
                // The structure of such a text lies in its indentation.
                self.scan.hopeless = true;
            } else {
                let value =
                    text[end..self.line_end(end)].split_whitespace().next().map_or("…".to_string(), short);
                let help = format!("properties are written name=value: {name}={value}");
                self.push(
                    start..end,
                    format!("`{shown}` is YAML, not KDL"),
                    help,
                    end - 1..end,
                    "=".into(),
                    None,
                );
            }
        }
        end
    }

    fn is_blank(&self, at: usize) -> bool {
        self.bytes.get(at).is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
    }

    fn equals(&mut self, at: usize, word: Option<Range<usize>>) -> usize {
        if self.bytes.get(at + 1) == Some(&b'=') {
            if let Some(word) = word.filter(|word| word.end == at && !self.is_blank(at + 2)) {
                let help = format!("write one equals sign: {}=…", short(&self.text[word]));
                self.slip(at..at + 2, "an equals sign too many".to_string(), help, "= ", None);
                return at + 2;
            }
            let help = "text with blanks or signs stands between double quotes".to_string();
            let means = Some(Scalar::Str("==".to_string()));
            self.slip(at..at + 2, "`==` is not a KDL value".to_string(), help, "_", means);
            return at + 2;
        }
        let Some(word) = word else {
            let help = "properties are written name=value".to_string();
            self.slip(at..at + 1, "an equals sign without a name before it".to_string(), help, " ", None);
            return at + 1;
        };
        let end = self.line_end(at);
        let rest = self.text[at + 1..end].trim_start();
        if rest.is_empty() || rest.starts_with([';', '}']) || rest.starts_with("//") {
            let name = short(&self.text[word.clone()]);
            let range = word.start..at + 1;
            let blank = " ".repeat(range.len());
            let help = format!("write {name}=…, or remove it");
            self.push(range.clone(), format!("`{name}` has no value"), help, range, blank, None);
        }
        at + 1
    }
}

/// A piece of the text for a message.
fn short(text: &str) -> String {
    match text.char_indices().nth(QUOTE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

/// A word that begins like a number and is none: `15s`, `2Gi`, `0.42.4`, `10.0.0.1:80`.
fn looks_like_unit(word: &str) -> bool {
    let number = word.replace('_', "");
    let prefixed = ["0x", "0o", "0b"].iter().any(|prefix| number.starts_with(prefix));
    !prefixed && number.parse::<f64>().is_err()
}

fn unit_kind(word: &str) -> &'static str {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '_'));
    match unit {
        "" => "versions and addresses",
        "ms" | "s" | "m" | "h" | "d" | "w" | "y" => "durations",
        "Ki" | "Mi" | "Gi" | "Ti" | "Pi" | "K" | "M" | "G" | "T" | "k" | "KB" | "MB" | "GB" | "TB" | "B"
        | "KiB" | "MiB" | "GiB" | "TiB" => "sizes",
        _ if unit.starts_with(':') => "versions and addresses",
        _ if word.contains('/') => "paths and addresses",
        _ if word.chars().all(|c| c.is_ascii_digit() || c == '-') => "dates",
        _ => "values that start with a digit",
    }
}

#[cfg(test)]
mod tests {
    use kdl::KdlDocument;
    use proptest::prelude::*;

    use super::*;

    const PIECES: [&str; 36] = [
        "a",
        " ",
        "  ",
        "\t",
        "\n",
        "\r\n",
        ";",
        "; ",
        " {",
        "}",
        " { b; c }",
        " {\n",
        "\n}",
        "{ x }",
        "// note\n",
        "/* b */",
        "/* two\n lines */",
        " /-",
        " /- ",
        " /-\n",
        " \\\n",
        " k=1",
        " k = \"v\"",
        " (t)1",
        "\n(t)n",
        " 1_000",
        " 0xFF",
        " \"s\"",
        " #\"raw\"#",
        " #true ",
        " -1.50",
        "ü",
        " \"\"\"\n  x\n   y\n  \"\"\"",
        "\u{feff}",
        " \"a\\\n   b\"",
        " \"\\u{e9}\\\\\"",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        /// What KDL takes is no slip.
        #[test]
        fn valid_text_is_left_alone(pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..24)) {
            let text = pieces.concat();
            if KdlDocument::parse_v2(&text).is_ok() {
                let found = scan(&text);
                prop_assert!(found.slips.is_empty() && !found.hopeless, "{:?}: {:?}", text, found);
            }
        }
    }

    #[test]
    fn repairs_keep_every_place() {
        let text = "topology a {\n every 15s\n query x: 'é', [b] c=\n store { keep } compact\n \"open\n";
        for slip in scan(text).slips {
            assert_eq!(slip.range.len(), slip.instead.len(), "{slip:?}");
            assert!(slip.instead.is_ascii() && text.get(slip.range.clone()).is_some(), "{slip:?}");
        }
    }
}
