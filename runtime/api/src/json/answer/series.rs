//! Series with many values: of a range query at its steps, of a range selector at times of their own.

use promql::{Column, LabelSet, RangeSeries, Row, Samples, Steps, Symbols};

use super::PIECE_BYTES;
use crate::json::histogram::push_histogram;
use crate::json::number::{KnownDigits, push_float, push_time};
use crate::json::text::push_text;

/// What is written next.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) started: bool,
    pub(super) series: usize,
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

/// The end of a value.
const END: &[u8] = b"\"]";

/// The texts `"],[TIME,"` of all steps, each with the end of the value before: they are the same for each series.
#[derive(Debug, Default)]
pub(super) struct StepTexts {
    text: Vec<u8>,
    ends: Vec<u32>,
}

impl StepTexts {
    pub(super) fn new(steps: Steps) -> Self {
        let mut texts = StepTexts::default();
        for time in steps.times() {
            texts.text.extend_from_slice(END);
            texts.text.extend_from_slice(b",[");
            push_time(&mut texts.text, time);
            texts.text.extend_from_slice(b",\"");
            texts.ends.push(texts.text.len() as u32);
        }
        texts
    }

    /// The text of a step.
    #[inline]
    fn get(&self, step: usize) -> &[u8] {
        let start = step.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(step).copied().unwrap_or(0);
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }
}

pub(super) fn push_labels(out: &mut Vec<u8>, labels: &LabelSet, symbols: &Symbols) {
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

/// Writes series until the piece is full; `true` at the end. `floats` and `histograms` write those of one series from the place
/// on, and say whether they came to their end.
fn fill_series<S>(
    out: &mut Vec<u8>,
    series: &[S],
    symbols: &Symbols,
    at: &mut Place,
    labels: impl Fn(&S) -> &LabelSet,
    mut floats: impl FnMut(&mut Vec<u8>, &S, &mut Place) -> bool,
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

pub(super) fn fill_matrix(
    out: &mut Vec<u8>,
    (steps, texts): (Steps, &StepTexts),
    series: &[Row],
    symbols: &Symbols,
    known: &mut KnownDigits,
    at: &mut Place,
) -> bool {
    fill_series(
        out,
        series,
        symbols,
        at,
        |row| &row.labels,
        |out, row, at| column_floats(out, texts, &row.column, known, at),
        |out, row, at| column_histograms(out, steps, &row.column, at),
    )
}

fn column_floats(
    out: &mut Vec<u8>,
    texts: &StepTexts,
    column: &Column,
    known: &mut KnownDigits,
    at: &mut Place,
) -> bool {
    for (step, value) in column.float_points(at.next) {
        if out.len() >= PIECE_BYTES {
            at.next = step;
            return false;
        }
        let before = texts.get(step);
        if at.open {
            out.extend_from_slice(before);
        } else {
            at.open = true;
            out.extend_from_slice(b",\"values\":[");
            out.extend_from_slice(before.get(END.len() + 1..).unwrap_or_default());
        }
        known.push(out, value);
    }
    if at.open {
        out.extend_from_slice(END);
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

pub(super) fn fill_ranges(
    out: &mut Vec<u8>,
    series: &[RangeSeries],
    symbols: &Symbols,
    at: &mut Place,
) -> bool {
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
