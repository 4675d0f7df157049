//! Ways in which a configuration goes wrong, from a seed.

use tests::reload::{CONFIG, RULES};

/// Bytes that mean something to YAML, or nothing to anyone.
const SUSPICIOUS: &[u8] = b"\0\t\n :-{}[]\"'#&*!|>%@`azAZ09~\x7f\xc3";

/// What was done to the inputs.
#[derive(Debug)]
pub(super) struct Mutation {
    pub(super) what: &'static str,
    /// `in/config` or `in/rules`.
    pub(super) folder: &'static str,
    /// `None`: the file is removed.
    pub(super) bytes: Option<Vec<u8>>,
}

/// A small generator of numbers that look random (xorshift64).
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap_or(0)
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

/// A thousand zeros a byte: gzip of more than any configuration has.
fn bomb() -> Vec<u8> {
    let mut child = std::process::Command::new("python3")
        .args(["-c", "import gzip,sys; sys.stdout.buffer.write(gzip.compress(bytes(200 << 20), 9))"])
        .output()
        .expect("python3 runs");
    assert!(child.status.success());
    std::mem::take(&mut child.stdout)
}

/// Makes mutations; heavy ones are made once.
pub(super) struct Mutations {
    chance: Chance,
    bomb: Vec<u8>,
    huge: Vec<u8>,
}

impl Mutations {
    pub(super) fn new(seed: u64) -> Self {
        let huge = [CONFIG.as_bytes(), "# x\n".repeat(10 << 20).as_bytes()].concat();
        Self { chance: Chance::new(seed), bomb: bomb(), huge }
    }

    pub(super) fn next(&mut self) -> Mutation {
        let rules = self.chance.below(3) == 0;
        let (folder, text) = if rules { ("in/rules", RULES) } else { ("in/config", CONFIG) };
        let generation = self.chance.below(1_000_000).to_string();
        let text = text.replace("GENERATION", &generation);
        let kinds = if rules { 9 } else { 14 };
        let (what, bytes) = match self.chance.below(kinds) {
            0 => ("truncated", Some(text.as_bytes()[..self.chance.below(text.len())].to_vec())),
            1 => ("bytes changed", Some(self.changed(text.as_bytes()))),
            2 => ("a line twice", Some(self.line_twice(&text))),
            3 => ("a line less", Some(self.line_less(&text))),
            4 => ("a key misspelt", Some(self.misspelt(&text))),
            5 => ("indented", Some(self.indented(&text))),
            6 => ("not UTF-8", Some([text.as_bytes(), b"a: \xff\xfe\n"].concat())),
            7 => ("removed", None),
            8 if rules => ("bad PromQL", Some(self.bad_promql(&text))),
            8 => ("unset variable", Some(text.replace("$(REPLICA)", "$(NOT_SET_ANYWHERE)").into_bytes())),
            9 => (
                "empty",
                Some(self.chance.of(&["", "\n", "# nothing\n", "---\n", "{", "a"]).as_bytes().to_vec()),
            ),
            10 => ("bad value", Some(self.bad_value(&text))),
            11 if self.chance.below(20) == 0 => ("gzip bomb", Some(self.bomb.clone())),
            12 if self.chance.below(20) == 0 => ("huge", Some(self.huge.clone())),
            _ => ("broken gzip", Some([&[0x1f, 0x8b, 0x08], text.as_bytes()].concat())),
        };
        Mutation { what, folder, bytes }
    }

    fn changed(&mut self, text: &[u8]) -> Vec<u8> {
        let mut bytes = text.to_vec();
        for _ in 0..=self.chance.below(4) {
            let at = self.chance.below(bytes.len());
            bytes[at] = SUSPICIOUS[self.chance.below(SUSPICIOUS.len())];
        }
        bytes
    }

    fn line_twice(&mut self, text: &str) -> Vec<u8> {
        let mut lines: Vec<&str> = text.lines().collect();
        let (from, to) = (self.chance.below(lines.len()), self.chance.below(lines.len()));
        lines.insert(to, lines[from]);
        lines.join("\n").into_bytes()
    }

    fn line_less(&mut self, text: &str) -> Vec<u8> {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.remove(self.chance.below(lines.len()));
        lines.join("\n").into_bytes()
    }

    fn misspelt(&mut self, text: &str) -> Vec<u8> {
        let keys: Vec<usize> = text.match_indices(':').map(|(at, _)| at).collect();
        let at = keys[self.chance.below(keys.len())];
        let mut text = text.to_owned();
        text.insert(at, 'x');
        text.into_bytes()
    }

    fn indented(&mut self, text: &str) -> Vec<u8> {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let at = self.chance.below(lines.len());
        lines[at] = match self.chance.below(3) {
            0 => format!("  {}", lines[at]),
            1 => format!("\t{}", lines[at]),
            _ => lines[at].trim_start().to_owned(),
        };
        lines.join("\n").into_bytes()
    }

    fn bad_promql(&mut self, text: &str) -> Vec<u8> {
        let bad = self.chance.of(&[
            "sum(",
            "up ==",
            "rate(up)",
            "up[5m",
            "sum by job (up)",
            "1 +* 2",
            "{}",
            "up offset",
            "foo{bar=~\"(\"}",
        ]);
        text.replace("up == 0", bad).into_bytes()
    }

    fn bad_value(&mut self, text: &str) -> Vec<u8> {
        let (from, to) = [
            ("scrape_interval: 5s", "scrape_interval: soon"),
            ("scrape_interval: 5s", "scrape_interval: 0s"),
            ("scrape_interval: 5s", "scrape_interval: [5s]"),
            ("scrape_interval: 5s", "scrape_timeout: 2h"),
            ("(.*):\\d+", "(.*"),
            ("(.*):\\d+", "(?=x)"),
            ("target_label: host", "target_label: ''"),
            ("target_label: host", "action: hashmod"),
            ("job_name: self", "job_name: ''"),
            ("job_name: self", "job_name: self\n- job_name: self"),
            ("job_name: self", "job_name: self\n  scheme: ftp"),
            ("rule_files: [rules/*.yml]", "rule_files: rules/*.yml"),
            ("rule_files: [rules/*.yml]", "rule_files: ['rules/*/x/[.yml']"),
            ("scrape_configs:", "remote_write: [{url: ''}]\nscrape_configs:"),
            ("scrape_configs:", "alerting: {alertmanagers: [{api_version: v9}]}\nscrape_configs:"),
        ][self.chance.below(15)];
        text.replace(from, to).into_bytes()
    }
}
