//! OpenMetrics' text format, line by line: samples; the rest is checked and passed over.

use std::io::{self, BufRead, Read};

use prom_model::{METRIC_NAME, NameScheme};

/// A longer line is refused: it has one series and one exemplar at most.
const LINE_BYTES_MAX: usize = 1 << 20;

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    /// The text breaks the format.
    #[error("line {line}: {what}")]
    Format {
        /// From 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// It could not be read.
    #[error("line {line}")]
    Io {
        /// From 1.
        line: u64,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
}

/// A sample; a buffer that is filled again and again.
#[derive(Debug, Default)]
pub(super) struct SampleLine {
    labels: Vec<(String, String)>,
    used: usize,
    /// Milliseconds; the format has seconds, and lets them be absent.
    pub(super) timestamp: Option<i64>,
    /// The value.
    pub(super) value: f64,
}

impl SampleLine {
    /// Name and value of each label, with that of the metric, in the order of the text.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().take(self.used).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A pair of empty texts behind the last.
    fn slot(&mut self) -> Option<&mut (String, String)> {
        if self.labels.len() == self.used {
            self.labels.push(Default::default());
        }
        self.used += 1;
        let slot = self.labels.get_mut(self.used - 1)?;
        slot.0.clear();
        slot.1.clear();
        Some(slot)
    }
}

/// Reads a text that ends with `# EOF`.
#[derive(Debug)]
pub(super) struct OpenMetricsReader<R> {
    input: R,
    line: u64,
    text: Vec<u8>,
    has_ended: bool,
}

impl<R: BufRead> OpenMetricsReader<R> {
    /// Begins at the first line.
    pub(super) fn new(input: R) -> Self {
        OpenMetricsReader { input, line: 0, text: Vec::new(), has_ended: false }
    }

    /// The number of the line that was read last, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Reads the next sample; `false` behind the last.
    pub(super) fn next_into(&mut self, sample: &mut SampleLine) -> Result<bool, LineError> {
        loop {
            self.line += 1;
            self.text.clear();
            let mut limited = (&mut self.input).take(LINE_BYTES_MAX as u64 + 1);
            let read = limited.read_until(b'\n', &mut self.text);
            let length = read.map_err(|source| LineError::Io { line: self.line, source })?;
            let format = |what: String| LineError::Format { line: self.line, what };
            if length == 0 {
                return if self.has_ended {
                    Ok(false)
                } else {
                    Err(format("data does not end with # EOF".into()))
                };
            }
            if self.has_ended {
                return Err(format("unexpected data after # EOF".into()));
            }
            if length > LINE_BYTES_MAX {
                return Err(format(format!("longer than {LINE_BYTES_MAX} bytes")));
            }
            let line = self.text.strip_suffix(b"\n").unwrap_or(&self.text);
            let line = std::str::from_utf8(line).map_err(|_| format("not UTF-8".into()))?;
            if line == "# EOF" {
                self.has_ended = true;
            } else if let Some(comment) = line.strip_prefix("# ") {
                check_comment(comment).map_err(|what| format(what.to_owned()))?;
            } else {
                Cursor { rest: line }.sample(sample).map_err(|what| format(what.to_owned()))?;
                return Ok(true);
            }
        }
    }
}

/// `TYPE`, `HELP` and `UNIT` say something about a metric; nothing else may stand in a comment.
fn check_comment(comment: &str) -> Result<(), &'static str> {
    const TYPES: [&str; 8] =
        ["counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset", "unknown"];
    let (keyword, rest) = comment.split_once(' ').ok_or("a comment that is not TYPE, HELP, UNIT or EOF")?;
    let mut cursor = Cursor { rest };
    let mut name = String::new();
    match keyword {
        "TYPE" | "HELP" | "UNIT" if rest.starts_with('"') => cursor.quoted(&mut name)?,
        "TYPE" | "HELP" | "UNIT" => name.push_str(cursor.until(|c| c == ' ')),
        _ => return Err("a comment that is not TYPE, HELP, UNIT or EOF"),
    }
    if name.is_empty() {
        return Err("a comment without a metric name");
    }
    let text = match cursor.rest.strip_prefix(' ') {
        Some(text) => text,
        None if keyword == "TYPE" => return Err("TYPE without a type"),
        None => "",
    };
    match keyword {
        "TYPE" if !TYPES.contains(&text) => Err("an unknown metric type"),
        "UNIT" if !text.is_empty() && name.strip_suffix(text).is_none_or(str::is_empty) => {
            Err("a unit that is not the end of the metric name")
        }
        _ => Ok(()),
    }
}

struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn eat(&mut self, what: char) -> bool {
        match self.rest.strip_prefix(what) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    /// What stands before a character, or all.
    fn until(&mut self, end: impl FnMut(char) -> bool) -> &'a str {
        let at = self.rest.find(end).unwrap_or(self.rest.len());
        let (before, rest) = self.rest.split_at(at);
        self.rest = rest;
        before
    }

    /// Text in quotes with `\\`, `\"` and `\n`.
    fn quoted(&mut self, into: &mut String) -> Result<(), &'static str> {
        if !self.eat('"') {
            return Err("a text without quotes");
        }
        loop {
            into.push_str(self.until(|c| c == '"' || c == '\\'));
            if self.eat('"') {
                return Ok(());
            }
            let mut rest = self.rest.chars();
            match (rest.next(), rest.next()) {
                (Some('\\'), Some('n')) => into.push('\n'),
                (Some('\\'), Some(escaped @ ('\\' | '"'))) => into.push(escaped),
                // Others stay as they are, as Prometheus has it.
                (Some('\\'), Some(other)) => into.extend(['\\', other]),
                _ => return Err("a text whose quotes do not end"),
            }
            self.rest = rest.as_str();
        }
    }

    fn sample(&mut self, sample: &mut SampleLine) -> Result<(), &'static str> {
        sample.used = 0;
        let name = self.until(|c| matches!(c, '{' | ' ' | '\t'));
        if !name.is_empty() {
            if !NameScheme::Legacy.is_valid_metric_name(name) {
                return Err("not a metric name");
            }
            let slot = sample.slot().ok_or("no labels")?;
            slot.0.push_str(METRIC_NAME);
            slot.1.push_str(name);
        }
        if self.eat('{') {
            self.labels(sample, name.is_empty())?;
        }
        if sample.labels().next().is_none() {
            return Err("a sample without a metric name");
        }
        if !self.rest.starts_with([' ', '\t']) {
            return Err("no space in front of the value");
        }
        self.spaces();
        sample.value = number(self.until(|c| matches!(c, ' ' | '\t'))).ok_or("not a value")?;
        self.spaces();
        sample.timestamp = None;
        if !self.rest.is_empty() && !self.rest.starts_with('#') {
            let seconds =
                number(self.until(|c| matches!(c, ' ' | '\t'))).filter(|seconds| seconds.is_finite());
            sample.timestamp = Some((seconds.ok_or("not a timestamp")? * 1000.0) as i64);
            self.spaces();
        }
        if self.eat('#') {
            return self.exemplar();
        }
        if self.rest.is_empty() { Ok(()) } else { Err("text behind the timestamp") }
    }

    /// The labels behind `{`, and `}`. The first may be the metric's name in quotes.
    fn labels(&mut self, sample: &mut SampleLine, name_is_inside: bool) -> Result<(), &'static str> {
        let mut may_be_name = name_is_inside;
        loop {
            self.spaces();
            if self.eat('}') {
                return Ok(());
            }
            let slot = sample.slot().ok_or("no labels")?;
            if self.rest.starts_with('"') {
                self.quoted(&mut slot.0)?;
            } else {
                slot.0.push_str(self.until(|c| matches!(c, '=' | ' ' | ',' | '}' | '"')));
                if !NameScheme::Legacy.is_valid_label_name(&slot.0) {
                    return Err("not a label name");
                }
                may_be_name = false;
            }
            self.spaces();
            if self.eat('=') {
                self.spaces();
                self.quoted(&mut slot.1)?;
            } else if may_be_name && !slot.0.is_empty() {
                slot.1 = std::mem::replace(&mut slot.0, METRIC_NAME.to_owned());
            } else {
                return Err("a label without a value");
            }
            may_be_name = false;
            self.spaces();
            if !self.eat(',') && !self.rest.starts_with('}') {
                return Err("labels that do not end with }");
            }
        }
    }

    /// `{labels} value [timestamp]` behind `#`; read and forgotten.
    fn exemplar(&mut self) -> Result<(), &'static str> {
        self.spaces();
        let mut exemplar = SampleLine::default();
        if !self.eat('{') {
            return Err("an exemplar without labels");
        }
        self.labels(&mut exemplar, false)?;
        self.spaces();
        number(self.until(|c| matches!(c, ' ' | '\t'))).ok_or("an exemplar without a value")?;
        self.spaces();
        if !self.rest.is_empty() {
            number(self.rest).ok_or("not the timestamp of an exemplar")?;
        }
        Ok(())
    }
}

/// A float in decimal, or `NaN` and the infinities in any case.
fn number(text: &str) -> Option<f64> {
    let plain = text.strip_prefix(['+', '-']).unwrap_or(text);
    if plain.starts_with(['+', '-']) {
        return None;
    }
    if plain.eq_ignore_ascii_case("nan") {
        // The NaN that Prometheus stores; a sign is not for it.
        return (plain.len() == text.len()).then(|| f64::from_bits(0x7ff8_0000_0000_0001));
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let mut reader = OpenMetricsReader::new(text.as_bytes());
        let mut sample = SampleLine::default();
        let mut found = Vec::new();
        while reader.next_into(&mut sample).map_err(|error| error.to_string())? {
            let labels: Vec<String> =
                sample.labels().map(|(name, value)| format!("{name}={value:?}")).collect();
            found.push(format!("{} {} {:?}", labels.join(","), sample.value, sample.timestamp));
        }
        Ok(found)
    }

    #[test]
    fn samples_are_read_and_the_rest_is_passed_over() {
        let text = "# HELP a_total Some \\\"text\n# TYPE a_total counter\n# UNIT b_seconds seconds\n\
            a_total{x=\"1\",y=\"q\\\"\\\\\\n\"} 5 1.5 # {id=\"7\"} 3 1.25\n\
            b_seconds NaN -1\n{\"c.d\",\"e f\"=\"g\"} +Inf 1704067200.001\nd{} 1e3\n# EOF\n";
        let expected = [
            r#"__name__="a_total",x="1",y="q\"\\\n" 5 Some(1500)"#,
            r#"__name__="b_seconds" NaN Some(-1000)"#,
            r#"__name__="c.d",e f="g" inf Some(1704067200001)"#,
            r#"__name__="d" 1000 None"#,
        ];
        assert_eq!(read(text), Ok(expected.map(str::to_owned).to_vec()));
    }

    #[test]
    fn errors_name_the_line() {
        for (text, error) in [
            ("a 1 1\n", "line 2: data does not end with # EOF"),
            ("# EOF\na 1 1\n", "line 2: unexpected data after # EOF"),
            ("a 1 1\n\n# EOF\n", "line 2: a sample without a metric name"),
            ("# a comment\n# EOF\n", "line 1: a comment that is not TYPE, HELP, UNIT or EOF"),
            ("# TYPE a thing\n# EOF\n", "line 1: an unknown metric type"),
            ("a{x=1} 1 1\n# EOF\n", "line 1: a text without quotes"),
            ("a{x=\"1\" 1 1\n# EOF\n", "line 1: labels that do not end with }"),
            ("a{x=\"1\n# EOF\n", "line 1: a text whose quotes do not end"),
            ("a x 1\n# EOF\n", "line 1: not a value"),
            ("a 1 NaN\n# EOF\n", "line 1: not a timestamp"),
            ("a 1 1 1\n# EOF\n", "line 1: text behind the timestamp"),
            ("0a 1 1\n# EOF\n", "line 1: not a metric name"),
        ] {
            assert_eq!(read(text), Err(error.to_owned()), "{text}");
        }
    }
}
