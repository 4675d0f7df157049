//! The answer of a query as text, piece by piece.

use bytes::Bytes;
use promql::{
    Answer, Column, Held, InstantSample, LabelSet, RangeSeries, Row, Samples, StepSamples, Steps, Symbols,
    Value,
};

use super::histogram::push_histogram;
use super::number::{push_bare_float, push_float, push_plain_float, push_time, push_whole};
use super::text::{push_text, push_text_for_html, push_texts};

/// A piece ends behind the value with which it has so many bytes.
const PIECE_BYTES: usize = 64 << 10;

/// How long the parts of a query took, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Timings {
    pub(crate) preparation: f64,
    pub(crate) queue: f64,
    pub(crate) evaluation: f64,
}

/// Gives the text of an answer in pieces, made when they are asked for.
#[derive(Debug)]
pub(crate) struct AnswerText {
    value: Value,
    symbols: Symbols,
    /// How many series are shown.
    shown: usize,
    at: Place,
    tail: Vec<u8>,
    ended: bool,
    /// The memory of the value.
    _held: Option<Held>,
}

/// What is written next.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    started: bool,
    series: usize,
    part: Part,
    /// Of that part.
    next: usize,
    /// Whether the part has a value already.
    open: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Labels,
    Floats,
    Histograms,
}

impl AnswerText {
    /// The text of a good answer; of its series at most `limit` are shown (0: all).
    pub(crate) fn new(
        answer: Answer,
        query: &str,
        limit: usize,
        stats: Option<Timings>,
        mut warnings: Vec<String>,
        held: Option<Held>,
    ) -> Self {
        let count = match &answer.value {
            Value::Scalar { .. } | Value::String { .. } => 0,
            Value::Vector { samples, .. } => samples.len(),
            Value::Matrix { series, .. } => series.len(),
            Value::RangeVector { series } => series.len(),
        };
        let cut = limit > 0 && count > limit && !matches!(answer.value, Value::Scalar { .. });
        if cut {
            warnings.push("results truncated due to limit".to_owned());
        }
        let mut tail = Vec::new();
        if let Some(timings) = stats {
            push_stats(&mut tail, &answer, timings);
        }
        tail.push(b'}');
        let (of_query, infos) = (
            answer.annotations.texts(promql::Level::Warning, query, 10),
            answer.annotations.texts(promql::Level::Info, query, 10),
        );
        warnings.extend(of_query);
        push_notes(&mut tail, &warnings, &infos);
        tail.push(b'}');
        AnswerText {
            value: answer.value,
            symbols: answer.symbols,
            shown: if cut { limit } else { count },
            at: Place::default(),
            tail,
            ended: false,
            _held: held,
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
                fill_matrix(out, *steps, series, &self.symbols, &mut self.at)
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
    push_bare_float(out, millis as f64 / 1000.0);
}

fn push_labels(out: &mut Vec<u8>, labels: &LabelSet, symbols: &Symbols) {
    out.extend_from_slice(b"{\"metric\":{");
    for (at, (name, value)) in labels.as_slice().iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_text(out, symbols.text(*name));
        out.push(b':');
        push_text(out, symbols.text(*value));
    }
    out.push(b'}');
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

/// Writes series until the piece is full; `true` at the end. `floats` and `histograms` write those of one series from the place
/// on, and say whether they came to their end.
fn fill_series<S>(
    out: &mut Vec<u8>,
    series: &[S],
    symbols: &Symbols,
    at: &mut Place,
    labels: impl Fn(&S) -> &LabelSet,
    floats: impl Fn(&mut Vec<u8>, &S, &mut Place) -> bool,
    histograms: impl Fn(&mut Vec<u8>, &S, &mut Place) -> bool,
) -> bool {
    while let Some(one) = series.get(at.series) {
        if out.len() >= PIECE_BYTES {
            return false;
        }
        if at.part == Part::Labels {
            if at.series > 0 {
                out.push(b',');
            }
            push_labels(out, labels(one), symbols);
            (at.part, at.next, at.open) = (Part::Floats, 0, false);
        }
        if at.part == Part::Floats {
            if !floats(out, one, at) {
                return false;
            }
            if at.open {
                out.push(b']');
            }
            (at.part, at.next, at.open) = (Part::Histograms, 0, false);
        }
        if !histograms(out, one, at) {
            return false;
        }
        if at.open {
            out.push(b']');
        }
        out.push(b'}');
        at.series += 1;
        at.part = Part::Labels;
    }
    true
}

/// Begins a value of a series: the name of the list before the first.
fn begin(out: &mut Vec<u8>, at: &mut Place, name: &[u8], time: i64) {
    if at.open {
        out.extend_from_slice(b",[");
    } else {
        out.extend_from_slice(name);
        at.open = true;
    }
    push_time(out, time);
    out.push(b',');
}

const VALUES: &[u8] = b",\"values\":[[";
const HISTOGRAMS: &[u8] = b",\"histograms\":[[";

fn fill_matrix(out: &mut Vec<u8>, steps: Steps, series: &[Row], symbols: &Symbols, at: &mut Place) -> bool {
    fill_series(
        out,
        series,
        symbols,
        at,
        |row| &row.labels,
        |out, row, at| column_floats(out, steps, &row.column, at),
        |out, row, at| column_histograms(out, steps, &row.column, at),
    )
}

fn column_floats(out: &mut Vec<u8>, steps: Steps, column: &Column, at: &mut Place) -> bool {
    for (step, value) in column.float_points(at.next) {
        begin(out, at, VALUES, steps.time(step));
        push_float(out, value);
        out.push(b']');
        if out.len() >= PIECE_BYTES {
            at.next = step + 1;
            return false;
        }
    }
    at.next = column.len();
    true
}

fn column_histograms(out: &mut Vec<u8>, steps: Steps, column: &Column, at: &mut Place) -> bool {
    let from = at.next;
    for (step, histogram) in column.histograms().skip_while(|(step, _)| *step < from) {
        begin(out, at, HISTOGRAMS, steps.time(step));
        push_histogram(out, histogram);
        out.push(b']');
        if out.len() >= PIECE_BYTES {
            at.next = step + 1;
            return false;
        }
    }
    at.next = column.len();
    true
}

fn fill_ranges(out: &mut Vec<u8>, series: &[RangeSeries], symbols: &Symbols, at: &mut Place) -> bool {
    fill_series(
        out,
        series,
        symbols,
        at,
        |series| &series.labels,
        |out, series, at| sample_floats(out, &series.samples, at),
        |out, series, at| sample_histograms(out, &series.samples, at),
    )
}

fn sample_floats(out: &mut Vec<u8>, samples: &Samples, at: &mut Place) -> bool {
    let from = at.next;
    for (time, value) in samples.timestamps.iter().zip(&samples.values).skip(from) {
        begin(out, at, VALUES, *time);
        push_float(out, *value);
        out.push(b']');
        at.next += 1;
        if out.len() >= PIECE_BYTES {
            return false;
        }
    }
    true
}

fn sample_histograms(out: &mut Vec<u8>, samples: &Samples, at: &mut Place) -> bool {
    let from = at.next;
    for (time, histogram) in samples.histogram_timestamps.iter().zip(&samples.histograms).skip(from) {
        begin(out, at, HISTOGRAMS, *time);
        push_histogram(out, histogram);
        out.push(b']');
        at.next += 1;
        if out.len() >= PIECE_BYTES {
            return false;
        }
    }
    true
}

/// Writes warnings and infos, where there are any.
pub(super) fn push_notes(out: &mut Vec<u8>, warnings: &[String], infos: &[String]) {
    if !warnings.is_empty() {
        out.extend_from_slice(b",\"warnings\":");
        push_texts(out, warnings.iter().map(String::as_str));
    }
    if !infos.is_empty() {
        out.extend_from_slice(b",\"infos\":");
        push_texts(out, infos.iter().map(String::as_str));
    }
}

fn push_stats(out: &mut Vec<u8>, answer: &Answer, timings: Timings) {
    let Timings { preparation, queue, evaluation } = timings;
    let total = preparation + evaluation;
    out.extend_from_slice(b",\"stats\":{\"timings\":{");
    let fields: [(&[u8], f64); 6] = [
        (b"\"evalTotalTime\":", total),
        (b",\"resultSortTime\":", 0.0),
        (b",\"queryPreparationTime\":", preparation),
        (b",\"innerEvalTime\":", evaluation),
        (b",\"execQueueTime\":", queue),
        (b",\"execTotalTime\":", queue + total),
    ];
    for (name, seconds) in fields {
        out.extend_from_slice(name);
        push_bare_float(out, seconds);
    }
    out.extend_from_slice(b"},\"samples\":{");
    let stats = &answer.stats;
    // What was read is part of the statistics that are off by default, as all that is told for each step.
    let per_step = !stats.samples_per_step.is_empty();
    if per_step {
        push_steps(out, b"\"totalQueryableSamplesPerStep\":[", &stats.samples_per_step);
    }
    out.extend_from_slice(b"\"totalQueryableSamples\":");
    push_whole(out, stats.samples_total as i64);
    out.push(b',');
    if per_step {
        push_steps(out, b"\"samplesReadPerStep\":[", &stats.samples_read_per_step);
        out.extend_from_slice(b"\"samplesRead\":");
        push_whole(out, stats.samples_read as i64);
        out.push(b',');
    }
    out.extend_from_slice(b"\"peakSamples\":");
    push_whole(out, stats.samples_peak as i64);
    out.extend_from_slice(b"}}");
}

fn push_steps(out: &mut Vec<u8>, name: &[u8], steps: &[StepSamples]) {
    out.extend_from_slice(name);
    for (at, step) in steps.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",[" } else { b"[" });
        push_bare_float(out, step.time as f64 / 1000.0);
        out.push(b',');
        push_whole(out, step.samples as i64);
        out.push(b']');
    }
    out.extend_from_slice(b"],");
}
