//! Native histograms among the values: `{{schema:0 sum:5 count:4 buckets:[1 2 1]}}`, also as steps of a sequence.

use prom_model::{CounterResetHint, FloatHistogram, IncompatibleBuckets, Span as BucketSpan};

use super::{CONTEXT, Read, Reader, SequenceValue};
use crate::lexer::{HistogramKey, SeriesTokenKind};

const IN_HISTOGRAM: &str = "histogram description";
const KEY: &str = "histogram description key, e.g. buckets:[5 10 7]";

const INCOMPATIBLE: &str =
    "cannot apply this operation on histograms with a mix of exponential and custom bucket schemas";

/// What was said about a histogram.
#[derive(Default)]
struct Described {
    keys: Vec<HistogramKey>,
    histogram: FloatHistogram,
    offset: i32,
    negative_offset: i32,
}

impl Described {
    fn has(&self, key: HistogramKey) -> bool {
        self.keys.contains(&key)
    }

    fn finish(mut self) -> FloatHistogram {
        let span = |offset, buckets: &[f64]| match u32::try_from(buckets.len()) {
            Ok(0) | Err(_) => Vec::new(),
            Ok(length) => vec![BucketSpan { offset, length }],
        };
        self.histogram.positive_spans = span(self.offset, &self.histogram.positive_buckets);
        self.histogram.negative_spans = span(self.negative_offset, &self.histogram.negative_buckets);
        self.histogram
    }
}

impl Reader<'_> {
    /// Reads one histogram, or a sequence of them.
    pub(super) fn histograms(&mut self) -> Read<()> {
        let (histogram, hint_written) = self.histogram()?;
        let subtract = self.at(&SeriesTokenKind::Sub);
        if subtract || self.at(&SeriesTokenKind::Add) {
            self.bump();
            // Prometheus keeps only what the last histogram said about its hint.
            let (step, hint_written) = self.histogram()?;
            self.expect(&SeriesTokenKind::Times, CONTEXT)?;
            let times = self.repetitions()?;
            return self.histogram_sequence(histogram, &step, subtract, times, hint_written);
        }
        let times = if self.eat(&SeriesTokenKind::Times) { self.repetitions()? } else { 0 };
        self.repeat(&SequenceValue::Histogram { histogram, hint_written }, times + 1)
    }

    fn histogram_sequence(
        &mut self,
        mut current: FloatHistogram,
        step: &FloatHistogram,
        subtract: bool,
        times: usize,
        hint_written: bool,
    ) -> Read<()> {
        for _ in 0..times {
            if current.schema > step.schema {
                let (from, to) = (step.schema, current.schema);
                let message = format!("error combining histograms: cannot merge from schema {from} to {to}");
                return Err(self.error(self.last, message));
            }
            let mut next = current.clone();
            let combined = if subtract { next.sub(step) } else { next.add(step) };
            combined.map_err(|IncompatibleBuckets| self.error(self.last, INCOMPATIBLE))?;
            self.values.push(SequenceValue::Histogram {
                histogram: std::mem::replace(&mut current, next),
                hint_written,
            });
        }
        self.values.push(SequenceValue::Histogram { histogram: current, hint_written });
        Ok(())
    }

    /// Reads a histogram, and whether its counter reset hint is written.
    fn histogram(&mut self) -> Read<(FloatHistogram, bool)> {
        self.expect(&SeriesTokenKind::OpenHistogram, CONTEXT)?;
        let mut described = Described::default();
        if self.eat(&SeriesTokenKind::Space) {
            self.expect(&SeriesTokenKind::CloseHistogram, CONTEXT)?;
            return Ok((described.finish(), false));
        }
        if !self.eat(&SeriesTokenKind::CloseHistogram) {
            loop {
                self.description(&mut described)?;
                let space = self.eat(&SeriesTokenKind::Space);
                if self.eat(&SeriesTokenKind::CloseHistogram) {
                    break;
                }
                if !space {
                    return Err(self.unexpected(IN_HISTOGRAM, KEY));
                }
            }
        }
        let hint_written = described.has(HistogramKey::CounterResetHint);
        Ok((described.finish(), hint_written))
    }

    /// Reads one `key:value`.
    fn description(&mut self, described: &mut Described) -> Read<()> {
        // Until one is complete, Prometheus does not know where it is.
        let (context, expected) = if described.keys.is_empty() { (CONTEXT, "") } else { (IN_HISTOGRAM, KEY) };
        let SeriesTokenKind::Key(key) = self.token.kind else {
            return Err(self.unexpected(context, expected));
        };
        self.bump();
        let result = self.described_value(key, described);
        let repeated = described.has(key);
        result.map_err(|wrong| match wrong {
            Wrong::Token => self.unexpected(context, expected),
            Wrong::Error(error) => error,
        })?;
        if repeated {
            let message = format!("duplicate key \"{}\" in histogram", key.as_str());
            return Err(self.error(crate::Span::default(), message));
        }
        described.keys.push(key);
        Ok(())
    }

    fn described_value(&mut self, key: HistogramKey, described: &mut Described) -> Result<(), Wrong> {
        self.token_is(&SeriesTokenKind::Colon)?;
        let histogram = &mut described.histogram;
        match key {
            HistogramKey::Sum => histogram.sum = self.signed_float()?,
            HistogramKey::Count => histogram.count = self.signed_float()?,
            HistogramKey::ZeroBucket => histogram.zero_count = self.signed_float()?,
            HistogramKey::ZeroBucketWidth => histogram.zero_threshold = self.float()?,
            HistogramKey::Schema => histogram.schema = self.integer()?,
            HistogramKey::Offset => described.offset = self.integer()?,
            HistogramKey::NegativeOffset => described.negative_offset = self.integer()?,
            HistogramKey::Buckets => histogram.positive_buckets = self.buckets()?,
            HistogramKey::NegativeBuckets => histogram.negative_buckets = self.buckets()?,
            HistogramKey::CustomValues => histogram.custom_values = self.buckets()?,
            HistogramKey::CounterResetHint => histogram.counter_reset_hint = self.hint()?,
        }
        Ok(())
    }

    fn hint(&mut self) -> Result<CounterResetHint, Wrong> {
        let SeriesTokenKind::Hint(hint) = self.token.kind else { return Err(Wrong::Token) };
        self.bump();
        Ok(hint)
    }

    fn signed_float(&mut self) -> Result<f64, Wrong> {
        let negative = self.eat(&SeriesTokenKind::Sub);
        let value = self.float()?;
        Ok(if negative { -value } else { value })
    }

    fn float(&mut self) -> Result<f64, Wrong> {
        if !self.at(&SeriesTokenKind::Number) {
            return Err(Wrong::Token);
        }
        Ok(self.number(CONTEXT)?)
    }

    fn integer(&mut self) -> Result<i32, Wrong> {
        let negative = self.eat(&SeriesTokenKind::Sub);
        if !self.at(&SeriesTokenKind::Number) {
            return Err(Wrong::Token);
        }
        // Too large numbers wrap, as they do in Prometheus.
        let value = self.unsigned(CONTEXT)? as i64;
        Ok(if negative { value.wrapping_neg() as i32 } else { value as i32 })
    }

    /// Reads `[1 2 3]`. Behind the first number Prometheus leaves out what does not belong there, without a word.
    fn buckets(&mut self) -> Result<Vec<f64>, Wrong> {
        self.token_is(&SeriesTokenKind::LeftBracket)?;
        let mut buckets = vec![self.signed_float()?];
        while !self.eat(&SeriesTokenKind::RightBracket) {
            match self.token.kind {
                SeriesTokenKind::End | SeriesTokenKind::Error(_) => return Err(Wrong::Token),
                SeriesTokenKind::Space => {
                    self.bump();
                    if matches!(self.token.kind, SeriesTokenKind::Number | SeriesTokenKind::Sub) {
                        buckets.push(self.signed_float()?);
                    }
                }
                _ => self.bump(),
            }
        }
        Ok(buckets)
    }

    fn token_is(&mut self, kind: &SeriesTokenKind) -> Result<(), Wrong> {
        if self.eat(kind) { Ok(()) } else { Err(Wrong::Token) }
    }
}

/// Why a description cannot be read.
enum Wrong {
    /// The current token cannot stand here.
    Token,
    Error(crate::ParseError),
}

impl From<crate::ParseError> for Wrong {
    fn from(error: crate::ParseError) -> Self {
        Wrong::Error(error)
    }
}
