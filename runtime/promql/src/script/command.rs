//! The commands of a script.

use prom_model::{GoSearch, Labels, PromDuration};
use promql_syntax::{
    Expr, SequenceValue, is_start_timestamps, parse as parse_query, series_description, start_timestamps,
};

use super::ScriptError;

/// One command.
#[derive(Debug)]
pub(super) enum Command {
    /// Forgets everything.
    Clear,
    /// Adds series.
    Load(Load),
    /// Evaluates a query.
    Eval(Box<Eval>),
}

/// `load` and `load_with_nhcb`
#[derive(Debug)]
pub(super) struct Load {
    pub(super) line: usize,
    /// The distance between samples, milliseconds.
    pub(super) interval: i64,
    pub(super) with_nhcb: bool,
    pub(super) series: Vec<LoadedSeries>,
}

/// A series with its values and, for each, the offset of its start timestamp.
#[derive(Debug)]
pub(super) struct LoadedSeries {
    pub(super) labels: Labels,
    pub(super) values: Vec<SequenceValue>,
    pub(super) starts: Vec<Option<i64>>,
}

/// `eval`
#[derive(Debug)]
pub(super) struct Eval {
    pub(super) line: usize,
    pub(super) query: String,
    pub(super) expr: Expr,
    pub(super) times: Times,
    pub(super) expected: Expected,
}

/// When a query is evaluated, milliseconds since the epoch.
#[derive(Debug, Clone, Copy)]
pub(super) enum Times {
    Instant(i64),
    Range { start: i64, end: i64, step: i64 },
}

/// What must come out.
#[derive(Debug, Default)]
pub(super) struct Expected {
    pub(super) fail: Option<Text>,
    pub(super) warnings: Vec<Text>,
    pub(super) infos: Vec<Text>,
    pub(super) no_warnings: bool,
    pub(super) no_infos: bool,
    pub(super) ordered: bool,
    pub(super) string: Option<String>,
    pub(super) scalar: Option<f64>,
    /// Start, end and step of the samples of an instant query for a range.
    pub(super) range_vector: Option<(i64, i64, i64)>,
    pub(super) series: Vec<(Labels, Vec<SequenceValue>)>,
}

/// What a text must be.
#[derive(Debug)]
pub(super) enum Text {
    Any,
    Exactly(String),
    Matching { expression: GoSearch, pattern: String },
}

impl Text {
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Text::Any => true,
            Text::Exactly(expected) => expected == text,
            Text::Matching { expression, .. } => expression.is_match(text),
        }
    }
}

/// Reads a script.
pub(super) fn parse(text: &str) -> Result<Vec<Command>, ScriptError> {
    let lines = text.lines().map(str::trim).map(|line| if line.starts_with('#') { "" } else { line });
    let mut lines = lines.enumerate().map(|(at, line)| (at + 1, line)).peekable();
    let mut commands = Vec::new();
    while let Some((number, line)) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let word = line.split_whitespace().next().unwrap_or_default().to_lowercase();
        let mut block = Vec::new();
        if word != "clear" {
            while let Some(next) = lines.next_if(|(_, line)| !line.is_empty()) {
                block.push(next);
            }
        }
        commands.push(if word == "clear" {
            Command::Clear
        } else if word.starts_with("load") {
            Command::Load(load(number, line, &block)?)
        } else if word.starts_with("eval") {
            Command::Eval(Box::new(eval(number, line, &block)?))
        } else {
            return Err(slip(number, format!("invalid command {line:?}")));
        });
    }
    Ok(commands)
}

fn slip(line: usize, reason: impl Into<String>) -> ScriptError {
    ScriptError { line, reason: reason.into() }
}

fn millis(line: usize, text: &str) -> Result<i64, ScriptError> {
    let duration: Result<PromDuration, _> = text.parse();
    duration
        .map(PromDuration::as_millis)
        .map_err(|error| slip(line, format!("invalid duration {text:?}: {error}")))
}

fn load(number: usize, line: &str, block: &[(usize, &str)]) -> Result<Load, ScriptError> {
    let (word, interval) =
        line.split_once(char::is_whitespace).ok_or_else(|| slip(number, "load needs a duration"))?;
    let with_nhcb = match word {
        "load" => false,
        "load_with_nhcb" => true,
        _ => return Err(slip(number, "invalid load command. (load[_with_nhcb] <step:duration>)")),
    };
    let mut load =
        Load { line: number, interval: millis(number, interval.trim())?, with_nhcb, series: Vec::new() };
    let mut pending: Option<(usize, Labels, Vec<Option<i64>>)> = None;
    for (number, line) in block.iter().copied() {
        if is_start_timestamps(line) {
            let read = start_timestamps(line).map_err(|error| slip(number, error.to_string()))?;
            let (labels, offsets) = (read.labels, read.offsets_ms);
            if let Some((line, ..)) = pending.replace((number, labels, offsets)) {
                return Err(slip(line, "@st line has no following sample line"));
            }
            continue;
        }
        let described = series_description(line).map_err(|error| slip(number, error.to_string()))?;
        let mut starts = Vec::new();
        if let Some((line, labels, offsets)) = pending.take() {
            if labels != described.labels {
                return Err(slip(line, "@st metric does not match the following sample line metric"));
            }
            if offsets.len() != described.values.len() {
                let (starts, values) = (offsets.len(), described.values.len());
                return Err(slip(line, format!("@st line has {starts} values but sample line has {values}")));
            }
            starts = offsets;
        }
        // A series that is written twice is the latter.
        load.series.retain(|series: &LoadedSeries| series.labels != described.labels);
        load.series.push(LoadedSeries { labels: described.labels, values: described.values, starts });
    }
    match pending {
        Some((line, ..)) => Err(slip(line, "@st line has no following sample line")),
        None => Ok(load),
    }
}

/// The next word of a line, and the rest.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}

fn eval(number: usize, line: &str, block: &[(usize, &str)]) -> Result<Eval, ScriptError> {
    let invalid = || {
        slip(
            number,
            "must be `eval instant at <time> <query>` or `eval range from <start> to <end> step <step> <query>`",
        )
    };
    let (command, rest) = word(line);
    let modifier = command
        .strip_prefix("eval")
        .and_then(|rest| rest.strip_prefix('_').or(rest.is_empty().then_some("")));
    let modifier = modifier.ok_or_else(invalid)?;
    let (kind, mut rest) = word(rest);
    let mut named = |name: &str| -> Result<i64, ScriptError> {
        let (found, behind) = word(rest);
        let (value, behind) = word(behind);
        rest = behind;
        if found == name { millis(number, value) } else { Err(invalid()) }
    };
    let times = match kind {
        "instant" => Times::Instant(named("at")?),
        "range" => Times::Range { start: named("from")?, end: named("to")?, step: named("step")? },
        _ => return Err(invalid()),
    };
    let query = rest.to_owned();
    let (expr, errors) = parse_query(&query);
    let Some(expr) = expr.filter(|_| errors.is_empty()) else {
        let reason = errors.first().map(|error| error.located(&query)).unwrap_or_default();
        return Err(slip(number, reason));
    };
    let mut expected = Expected::default();
    match modifier {
        "" => {}
        "ordered" => expected.ordered = true,
        "fail" => expected.fail = Some(Text::Any),
        "warn" => expected.warnings.push(Text::Any),
        "info" => expected.infos.push(Text::Any),
        _ => return Err(invalid()),
    }
    for (number, line) in block.iter().copied() {
        expectation(&mut expected, number, line)?;
        let is_instant = matches!(times, Times::Instant(_)) && expected.range_vector.is_none();
        if is_instant && expected.series.last().is_some_and(|(_, values)| values.len() > 1) {
            return Err(slip(
                number,
                "an instant query gives one value per series; `expect range vector` allows several",
            ));
        }
    }
    Ok(Eval { line: number, query, expr, times, expected })
}

fn expectation(expected: &mut Expected, number: usize, line: &str) -> Result<(), ScriptError> {
    if let Some(message) = line.strip_prefix("expected_fail_message") {
        expected.fail = Some(Text::Exactly(message.trim().to_owned()));
    } else if let Some(pattern) = line.strip_prefix("expected_fail_regexp") {
        expected.fail = Some(expression(number, pattern)?);
    } else if let Some(range) = line.strip_prefix("expect range vector") {
        let words: Vec<&str> = range.split_whitespace().collect();
        let &["from", start, "to", end, "step", step] = words.as_slice() else {
            return Err(slip(number, format!("invalid range vector definition {line:?}")));
        };
        expected.range_vector = Some((millis(number, start)?, millis(number, end)?, millis(number, step)?));
    } else if let Some(text) = line.strip_prefix("expect string") {
        let (expr, errors) = parse_query(text.trim());
        match expr {
            Some(Expr::String(text)) if errors.is_empty() => expected.string = Some(text.value),
            _ => {
                return Err(slip(
                    number,
                    "expected string literal not valid - a quoted string literal is required",
                ));
            }
        }
    } else if let Some(rest) = line.strip_prefix("expect ") {
        statement(expected, number, rest)?;
    } else if let Some(value) = number_of(line) {
        expected.scalar = Some(value);
    } else {
        let described = series_description(line).map_err(|error| slip(number, error.to_string()))?;
        expected.series.push((described.labels, described.values));
    }
    Ok(())
}

fn statement(expected: &mut Expected, number: usize, statement: &str) -> Result<(), ScriptError> {
    let (kind, rest) = word(statement);
    let text = if rest.is_empty() {
        Text::Any
    } else if let Some(message) = rest.strip_prefix("msg:") {
        Text::Exactly(message.trim().to_owned())
    } else if let Some(pattern) = rest.strip_prefix("regex:") {
        expression(number, pattern)?
    } else {
        return Err(slip(
            number,
            "invalid expect statement, must match `expect <type> <match_type>: <string>` format",
        ));
    };
    match kind {
        "ordered" => expected.ordered = true,
        "fail" if expected.fail.is_some() => {
            return Err(slip(number, "invalid expect lines, multiple expect fail lines are not allowed"));
        }
        "fail" => expected.fail = Some(text),
        "warn" => expected.warnings.push(text),
        "info" => expected.infos.push(text),
        "no_warn" => expected.no_warnings = true,
        "no_info" => expected.no_infos = true,
        _ => return Err(slip(number, format!("invalid expected error/annotation type {kind}"))),
    }
    let contradicts = expected.no_warnings && !expected.warnings.is_empty()
        || expected.no_infos && !expected.infos.is_empty();
    if contradicts {
        return Err(slip(number, "invalid expect lines, an annotation is both expected and excluded"));
    }
    Ok(())
}

fn expression(number: usize, pattern: &str) -> Result<Text, ScriptError> {
    let pattern = pattern.trim();
    GoSearch::new(pattern)
        .map(|expression| Text::Matching { expression, pattern: pattern.to_owned() })
        .map_err(|error| slip(number, format!("invalid regex {pattern}: {error}")))
}

/// A number alone on its line, also with a sign.
fn number_of(line: &str) -> Option<f64> {
    match parse_query(line) {
        (Some(Expr::Number(number)), errors) if errors.is_empty() => Some(number.value),
        _ => None,
    }
}
