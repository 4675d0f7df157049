//! The answer of a query as text, piece by piece.

mod series;
mod stats;

use bytes::Bytes;
use promql::{Answer, Held, InstantSample, Symbols, Value};

use self::series::{Place, StepTexts, fill_matrix, fill_ranges, push_labels};
use self::stats::push_stats;
use super::histogram::push_histogram;
use super::number::{KnownDigits, push_float, push_float_digits, push_plain_float, push_time};
use super::text::{push_text_for_html, push_texts};

pub(crate) use self::stats::Timings;

/// A piece ends behind the value with which it has so many bytes.
const PIECE_BYTES: usize = 64 << 10;

/// What stands around the series of an answer.
#[derive(Debug, Default)]
pub(crate) struct Manner {
    /// Of the series at most so many are shown (0: all).
    pub(crate) limit: usize,
    /// What the query took, where that is shown.
    pub(crate) stats: Option<Timings>,
    /// The JSON of the analysis, where there is one.
    pub(crate) analysis: Option<Vec<u8>>,
    pub(crate) warnings: Vec<String>,
    /// Behind so many of the warnings the one about the limit is put.
    pub(crate) own_warnings: usize,
    pub(crate) infos: Vec<String>,
}

/// Gives the text of an answer in pieces, made when they are asked for.
#[derive(Debug)]
pub(crate) struct AnswerText {
    value: Value,
    symbols: Symbols,
    /// What stands before the values of a range query.
    steps: StepTexts,
    known: KnownDigits,
    /// How many series are shown.
    shown: usize,
    at: Place,
    tail: Vec<u8>,
    ended: bool,
    /// The memory of the value.
    _held: [Held; 2],
}

impl AnswerText {
    /// The text of a good answer.
    pub(crate) fn new(answer: Answer, manner: Manner) -> Self {
        let count = match &answer.value {
            Value::Scalar { .. } | Value::String { .. } => 0,
            Value::Vector { samples, .. } => samples.len(),
            Value::Matrix { series, .. } => series.len(),
            Value::RangeVector { series } => series.len(),
        };
        let Manner { limit, stats, analysis, mut warnings, infos, .. } = manner;
        let cut = limit > 0 && count > limit && !matches!(answer.value, Value::Scalar { .. });
        if cut {
            warnings
                .insert(manner.own_warnings.min(warnings.len()), "results truncated due to limit".to_owned());
        }
        let mut tail = Vec::new();
        if let Some(timings) = stats {
            push_stats(&mut tail, &answer, timings);
        }
        if let Some(analysis) = analysis {
            tail.extend_from_slice(b",\"analysis\":");
            tail.extend_from_slice(&analysis);
        }
        tail.push(b'}');
        push_notes(&mut tail, &warnings, &infos);
        tail.push(b'}');
        let (steps, known) = match &answer.value {
            Value::Matrix { steps, series } if !series.is_empty() => {
                (StepTexts::new(*steps), KnownDigits::new())
            }
            _ => (StepTexts::default(), KnownDigits::default()),
        };
        AnswerText {
            steps,
            known,
            value: answer.value,
            symbols: answer.symbols,
            shown: if cut { limit } else { count },
            at: Place::default(),
            tail,
            ended: false,
            _held: answer.held,
        }
    }

    fn fill(&mut self, out: &mut Vec<u8>) {
        if !self.at.started {
            self.at.started = true;
            out.extend_from_slice(b"{\"status\":\"success\",\"data\":{\"resultType\":\"");
            let kind: &[u8] = match &self.value {
                Value::Scalar { .. } => b"scalar",
                Value::String { .. } => b"string",
                Value::Vector { .. } => b"vector",
                Value::Matrix { .. } | Value::RangeVector { .. } => b"matrix",
            };
            out.extend_from_slice(kind);
            out.extend_from_slice(b"\",\"result\":[");
        }
        let done = match &self.value {
            Value::Scalar { time, value } => {
                push_time_trimmed(out, *time);
                out.push(b',');
                push_plain_float(out, *value);
                true
            }
            Value::String { time, text } => {
                push_time_trimmed(out, *time);
                out.push(b',');
                push_text_for_html(out, text);
                true
            }
            Value::Vector { time, samples } => {
                let samples = samples.get(..self.shown).unwrap_or(samples);
                fill_vector(out, *time, samples, &self.symbols, &mut self.at)
            }
            Value::Matrix { steps, series } => {
                let series = series.get(..self.shown).unwrap_or(series);
                fill_matrix(out, (*steps, &self.steps), series, &self.symbols, &mut self.known, &mut self.at)
            }
            Value::RangeVector { series } => {
                let series = series.get(..self.shown).unwrap_or(series);
                fill_ranges(out, series, &self.symbols, &mut self.at)
            }
        };
        if done {
            out.push(b']');
            out.append(&mut self.tail);
            self.ended = true;
        }
    }
}

impl Iterator for AnswerText {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let mut out = Vec::with_capacity(if self.shown > 1 { PIECE_BYTES + 4096 } else { 1024 });
        self.fill(&mut out);
        Some(out.into())
    }
}

/// Times of scalars and strings are floats for Prometheus: without zeros at the end.
fn push_time_trimmed(out: &mut Vec<u8>, millis: i64) {
    push_float_digits(out, millis as f64 / 1000.0);
}
fn fill_vector(
    out: &mut Vec<u8>,
    time: i64,
    samples: &[InstantSample],
    symbols: &Symbols,
    at: &mut Place,
) -> bool {
    while let Some(sample) = samples.get(at.series) {
        if out.len() >= PIECE_BYTES {
            return false;
        }
        if at.series > 0 {
            out.push(b',');
        }
        at.series += 1;
        push_labels(out, &sample.labels, symbols);
        match &sample.histogram {
            None => {
                out.extend_from_slice(b",\"value\":[");
                push_time(out, time);
                out.push(b',');
                push_float(out, sample.value);
            }
            Some(histogram) => {
                out.extend_from_slice(b",\"histogram\":[");
                push_time(out, time);
                out.push(b',');
                push_histogram(out, histogram);
            }
        }
        out.extend_from_slice(b"]}");
    }
    true
}
/// Writes warnings and infos, where there are any.
fn push_notes(out: &mut Vec<u8>, warnings: &[String], infos: &[String]) {
    if !warnings.is_empty() {
        out.extend_from_slice(b",\"warnings\":");
        push_texts(out, warnings.iter().map(String::as_str));
    }
    if !infos.is_empty() {
        out.extend_from_slice(b",\"infos\":");
        push_texts(out, infos.iter().map(String::as_str));
    }
}
