//! Start timestamps of the values of a series: a line `up{job="a"}@st _ -30sx3` before the series' own.

use prom_model::{Labels, PromDuration, quote};

use super::{VALUES_MAX, labels};
use crate::lexer::Lexer;
use crate::{ParseError, Span};

/// The start timestamps of a series, one for each of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartTimestamps {
    /// The labels of the series.
    pub labels: Labels,
    /// Milliseconds from the time of the value to its start, negative into the past; `None` without a start.
    pub offsets_ms: Vec<Option<i64>>,
}

/// Whether a line gives start timestamps, and not values.
pub fn is_start_timestamps(line: &str) -> bool {
    parts(line).is_some()
}

/// Reads a line of start timestamps.
pub fn start_timestamps(line: &str) -> Result<StartTimestamps, ParseError> {
    let Some((series, values)) = parts(line) else {
        let message = "invalid @st line: missing value sequence".to_owned();
        return Err(ParseError { span: Span::new(0, line.len()), message });
    };
    // Series and items are parts of the line, so the difference of their places is the place in it.
    let place = |part: &str| part.as_ptr().addr().saturating_sub(line.as_ptr().addr());
    let labels = labels::read(&mut Lexer::for_series(series), series).map_err(|mut error| {
        let before = place(series);
        error.span = Span::new(error.span.start + before, error.span.end + before);
        error
    })?;
    let mut offsets_ms = Vec::new();
    for item in values.split_whitespace() {
        read_item(item, &mut offsets_ms).map_err(|wrong| {
            let start = place(item);
            let message = format!("invalid @st sequence: invalid ST item {}: {wrong}", quote(item));
            ParseError { span: Span::new(start, start + item.len()), message }
        })?;
    }
    Ok(StartTimestamps { labels, offsets_ms })
}

/// The series and the values of such a line.
fn parts(line: &str) -> Option<(&str, &str)> {
    let (series, values) = line.trim().split_once([' ', '\t'])?;
    Some((series.strip_suffix("@st")?, values))
}

fn read_item(item: &str, offsets: &mut Vec<Option<i64>>) -> Result<(), String> {
    const NO_COUNT: &str = "invalid repeat count";
    let count = |text: &str, said: usize| {
        let count = text.parse::<usize>().ok().and_then(|count| count.checked_add(said));
        count.filter(|count| *count > 0 && *count <= VALUES_MAX).ok_or_else(|| NO_COUNT.to_owned())
    };
    if item == "_" {
        offsets.push(None);
        return Ok(());
    }
    if let Some(times) = item.strip_prefix("_x") {
        offsets.extend(std::iter::repeat_n(None, count(times, 0)?));
        return Ok(());
    }
    let (mut offset, rest) = duration(item)?;
    if rest.is_empty() {
        offsets.push(Some(offset));
        return Ok(());
    }
    if let Some(times) = rest.strip_prefix('x') {
        offsets.extend(std::iter::repeat_n(Some(offset), count(times, 1)?));
        return Ok(());
    }
    let negative = rest.starts_with('-');
    let Some(step) = rest.strip_prefix(['+', '-']) else {
        let found: String = rest.chars().take(1).collect();
        return Err(format!("unexpected character '{found}' after duration"));
    };
    let (step, rest) = duration(step).map_err(|wrong| format!("invalid step duration: {wrong}"))?;
    let step = if negative { -step } else { step };
    let times = rest.strip_prefix('x').ok_or("expected 'x<count>' after step duration")?;
    for _ in 0..count(times, 1)? {
        offsets.push(Some(offset));
        offset = offset.saturating_add(step);
    }
    Ok(())
}

/// Reads a duration with or without a sign, milliseconds, and what follows it.
fn duration(text: &str) -> Result<(i64, &str), String> {
    if text.is_empty() {
        return Err("empty duration".to_owned());
    }
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.len() - unsigned.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits == 0 {
        return Err(format!("expected digits in duration {}", quote(text)));
    }
    let (number, rest) = unsigned.split_at(digits);
    let unit = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic() && c != 'x').len();
    let (written, rest) = unsigned.split_at(number.len() + unit);
    let duration: PromDuration =
        written.parse().map_err(|error| format!("invalid duration {}: {error}", quote(written)))?;
    let millis = duration.as_millis();
    Ok((if negative { -millis } else { millis }, rest))
}
