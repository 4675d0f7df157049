//! Seeded changes to files: what people and broken tools do to them.

/// A small generator of numbers; the same seed gives the same run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// Values of all types, good and bad for any field.
const VALUES: &[&str] = &[
    "",
    "~",
    "null",
    "Null",
    "0",
    "1",
    "-1",
    "1.5",
    "08",
    "0x1F",
    "1_000",
    "1e3",
    "99999999999999999999",
    "true",
    "yes",
    "no",
    "'yes'",
    "on",
    "text",
    "''",
    "\"\"",
    "[]",
    "{}",
    "[a, b]",
    "{a: b}",
    "[~]",
    "10s",
    "1h30m",
    "1m1h",
    "5",
    "5x",
    "-5s",
    "0s",
    "1y2w",
    "100000y",
    "10MB",
    "10",
    "1.5GiB",
    "10mb",
    "http://host:9090/x",
    "http://host:port",
    ":x",
    "%zz",
    "http://[::1",
    "(.*)",
    "(",
    "a{2,1}",
    "[a",
    "(?P<x>a)",
    "(?<x>a)",
    "\\d+",
    "(?i)a",
    "a**",
    "x{1001}",
    "$1",
    "${1}_x",
    "a-b",
    "9a",
    "__name__",
    "é",
    "a/b",
    "*/x",
    "a*.yml",
    "node",
    "pod",
    "GET",
    "v1",
    "v2",
    "https",
    "TLS12",
    "TLS9",
    "replace",
    "REPLACE",
    "keep",
    "hashmod",
    "labelmap",
    "labeldrop",
    "dropequal",
    "lowercase",
    "2024-01-01",
    "!!str 5",
    "!!int x",
    "!foo x",
    "|\n      block\n",
    "'it''s'",
    "\"\\x41\"",
    "@a",
    "`a`",
    "&x y",
    "*x",
    "*nope",
    "<<",
    "a: b",
    "'a: b'",
    "# c",
    "sum(up)",
    "sum(",
    "up == 1",
    "rate(x[5m])",
    "rate(x)",
    "up{a=\"b\"}",
    "{{ $value }}",
    "\"{{ .x\"",
    "'{{ $labels.a }}'",
    "'{{ foo }}'",
    "'{{ end }}'",
    "'{{ if .x }}a{{ end }}'",
    "'{{ range query \"up\" }}{{ . }}{{ end }}'",
    "up offset 5m",
    "1 + ",
    "up @ start()",
    "vector(1)",
    "absent(up)",
    "inf",
    ".inf",
    ".nan",
    "nan",
];

/// Names of fields from all sections.
const NAMES: &[&str] = &[
    "job_name",
    "global",
    "scrape_interval",
    "scrape_timeout",
    "regex",
    "action",
    "target_label",
    "source_labels",
    "separator",
    "modulus",
    "replacement",
    "url",
    "name",
    "expr",
    "record",
    "alert",
    "for",
    "labels",
    "annotations",
    "groups",
    "rules",
    "basic_auth",
    "authorization",
    "oauth2",
    "bearer_token",
    "tls_config",
    "proxy_url",
    "role",
    "refresh_interval",
    "static_configs",
    "targets",
    "headers",
    "queue_config",
    "sigv4",
    "unknown",
    "Job_name",
    "<<",
    "relabel_configs",
    "limit",
    "interval",
    "keep_firing_for",
    "query_offset",
    "no_proxy",
    "username",
    "password",
    "password_file",
    "type",
    "port",
    "names",
    "files",
    "follow_redirects",
    "honor_labels",
    "sample_limit",
    "scheme",
];

/// Changes a text in one place; the second part of the result names the change.
pub(crate) fn mutate(random: &mut Random, text: &[u8]) -> (Vec<u8>, &'static str) {
    let lossy = String::from_utf8_lossy(text).into_owned();
    let mut lines: Vec<String> = lossy.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return (random.pick(VALUES).as_bytes().to_vec(), "value alone");
    }
    let at = random.below(lines.len());
    let what = match random.below(20) {
        0 => {
            lines.remove(at);
            "line removed"
        }
        1 => {
            let line = lines[at].clone();
            lines.insert(at, line);
            "line doubled"
        }
        2 | 3 => {
            rename(random, &mut lines[at]);
            "field renamed"
        }
        4..=10 => {
            revalue(random, &mut lines[at]);
            "value replaced"
        }
        11 => {
            lines[at].insert_str(0, "  ");
            "line moved in"
        }
        12 => {
            lines[at] = lines[at].strip_prefix("  ").unwrap_or(&lines[at]).to_owned();
            "line moved out"
        }
        13 => {
            let mut bytes = text.to_vec();
            bytes.truncate(random.below(bytes.len().max(1)));
            return (bytes, "cut off");
        }
        14 => {
            let mut bytes = text.to_vec();
            let place = random.below(bytes.len() + 1);
            let garbage: &[u8] = match random.below(14) {
                0 => b"\t",
                1 => b"\x00",
                2 => b"\xff",
                3 => b"'",
                4 => b"\"",
                5 => b"{",
                6 => b"]",
                7 => b": ",
                8 => b"- ",
                9 => b"#",
                10 => b"&a ",
                11 => b"\r",
                12 => b",",
                _ => b"%",
            };
            bytes.splice(place..place, garbage.iter().copied());
            return (bytes, "characters put in");
        }
        15 => {
            let mut bytes = text.to_vec();
            let place = random.below(bytes.len().max(1));
            if place < bytes.len() {
                bytes.remove(place);
            }
            return (bytes, "character removed");
        }
        16 | 17 => {
            let indent = lines[at].len() - lines[at].trim_start_matches([' ', '-']).len();
            let line = format!("{}{}: {}", " ".repeat(indent), random.pick(NAMES), random.pick(VALUES));
            lines.insert(at + usize::from(random.below(2) == 0), line);
            "field put in"
        }
        18 => {
            let other = random.below(lines.len());
            lines.swap(at, other);
            "lines swapped"
        }
        _ => {
            let end = (at + 1 + random.below(4)).min(lines.len());
            lines.drain(at..end);
            "lines removed"
        }
    };
    (lines.join("\n").into_bytes().into_iter().chain(*b"\n").collect(), what)
}

fn rename(random: &mut Random, line: &mut String) {
    let Some(colon) = line.find(':') else { return };
    let start = line.len() - line.trim_start_matches([' ', '-']).len();
    if start >= colon {
        return;
    }
    if random.below(2) == 0 {
        line.replace_range(start..colon, random.pick(NAMES));
    } else {
        // A slip: one character gone.
        let slip = start + random.below(colon - start);
        if line.is_char_boundary(slip) {
            line.remove(slip);
        }
    }
}

fn revalue(random: &mut Random, line: &mut String) {
    let value = random.pick(VALUES);
    match line.find(": ") {
        Some(colon) => line.replace_range(colon + 2.., value),
        None => match line.find("- ") {
            Some(dash) => line.replace_range(dash + 2.., value),
            None => line.push_str(value),
        },
    }
}

/// What YAML gives a meaning to.
const MARKS: &[&str] = &[
    "\t",
    "\r",
    "\n",
    "\n\n",
    " ",
    "  ",
    "'",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ": ",
    ":",
    "- ",
    "-",
    "? ",
    "?",
    "#",
    " #",
    "&a ",
    "*a",
    "*base",
    "!",
    "!!str ",
    "!!int ",
    "!<x> ",
    "!e!x ",
    "|",
    "|-",
    "|2",
    ">+",
    ">",
    "%",
    "%YAML 1.1\n",
    "@",
    "`",
    "~",
    "null",
    ",",
    "---",
    "\n---\n",
    "\n...\n",
    "\\",
    "\\x",
    "\\u00e9",
    "<<: ",
    "é",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{7f}",
    "=",
    "0",
    "\n\t",
    "\n  ",
    "\n-",
    "''",
    "\"\"",
    "\n# c\n",
    "[]",
    "{}",
    "|\n",
    "\n: ",
    "\n? ",
];

/// Puts in, takes out or moves characters with a meaning in YAML.
pub(crate) fn scramble(random: &mut Random, text: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(2) {
        let at = random.below(chars.len().max(1));
        match random.below(5) {
            0 if !chars.is_empty() => {
                chars.remove(at);
            }
            1 if !chars.is_empty() => {
                let end = (at + 1 + random.below(12)).min(chars.len());
                let taken: Vec<char> = chars.drain(at..end).collect();
                let to = random.below(chars.len() + 1);
                chars.splice(to..to, taken);
            }
            _ => {
                let mark: Vec<char> = random.pick(MARKS).chars().collect();
                chars.splice(at..at, mark);
            }
        }
    }
    chars.into_iter().collect()
}
