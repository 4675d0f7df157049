//! The same formats a second time, as slowly and plainly as possible: one bit after the other, nothing shared with the
//! decoders, and a writer for the encodings that the product only reads.

use prom_model::{CUSTOM_BUCKETS_SCHEMA, FloatHistogram, Histogram, STALE_NAN, Span, is_stale};

use crate::chunk::{CounterReset, Encoding};

/// A sample: timestamp, start timestamp, and one of three values. Floats as bits, so that they compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) at: i64,
    pub(super) start: i64,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Float(u64),
    Whole(Histogram),
    Floats(FloatHistogram),
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u64> {
        let byte = *self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit.into())
    }

    fn bits(&mut self, count: u32) -> Option<u64> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | self.bit()?))
    }

    /// As many ones as there are before a zero, `max` at most.
    fn ones(&mut self, max: u32) -> Option<u32> {
        for count in 0..max {
            if self.bit()? == 0 {
                return Some(count);
            }
        }
        Some(max)
    }

    fn uvarint(&mut self) -> Option<u64> {
        let mut value = 0u128;
        for at in 0..10 {
            let byte = self.bits(8)?;
            value |= u128::from(byte & 127) << (7 * at);
            if byte < 128 {
                return u64::try_from(value).ok();
            }
        }
        None
    }

    fn varint(&mut self) -> Option<i64> {
        let value = self.uvarint()?;
        Some(if value % 2 == 0 { (value / 2) as i64 } else { !((value / 2) as i64) })
    }

    /// A number in which 100…0 is positive.
    fn lopsided(&mut self, bits: u32) -> Option<i64> {
        let value = self.bits(bits)? as i128;
        let half = 1i128 << (bits - 1);
        Some((if value > half { value - 2 * half } else { value }) as i64)
    }

    fn class(&mut self) -> Option<u32> {
        Some([0, 3, 6, 9, 12, 18, 25, 56, 64][self.ones(8)? as usize])
    }

    fn int(&mut self) -> Option<i64> {
        match self.class()? {
            0 => Some(0),
            64 => Some(self.bits(64)? as i64),
            width => self.lopsided(width),
        }
    }

    fn uint(&mut self) -> Option<u64> {
        let width = self.class()?;
        self.bits(width)
    }

    fn ended(&mut self) -> Option<()> {
        let rest = self.bytes.len() * 8 - self.at;
        // Eight: a byte that an older Prometheus had begun.
        (rest <= 8 && self.bits(rest as u32)? == 0).then_some(())
    }
}

#[derive(Clone, Copy, Default)]
struct Window {
    value: u64,
    leading: u32,
    trailing: u32,
}

impl Window {
    fn changed(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let width = 64 - self.leading - self.trailing;
        self.value ^= bits.bits(width)? << self.trailing;
        Some(())
    }

    fn fresh(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let leading = bits.bits(5)? as u32;
        let width = bits.bits(6)? as u32;
        let width = if width == 0 { 64 } else { width };
        self.trailing = 64u32.checked_sub(leading + width)?;
        self.leading = leading;
        self.changed(bits)
    }

    fn xor(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        match bits.ones(2)? {
            0 => Some(()),
            1 => self.changed(bits),
            _ => self.fresh(bits),
        }
    }

    /// Whether it is a stale marker.
    fn xor2(&mut self, bits: &mut Bits<'_>) -> Option<bool> {
        match bits.ones(3)? {
            0 => {}
            1 => self.changed(bits)?,
            2 => self.fresh(bits)?,
            _ => return Some(true),
        }
        Some(false)
    }
}

/// All samples of a chunk, or nothing.
pub(super) fn decode(encoding: Encoding, bytes: &[u8]) -> Option<Vec<Sample>> {
    match encoding {
        Encoding::Xor => xor(bytes),
        Encoding::Xor2 => xor2(bytes),
        Encoding::Aggregate => None,
        _ => histograms(encoding, bytes),
    }
}

fn xor(bytes: &[u8]) -> Option<Vec<Sample>> {
    let mut bits = Bits { bytes, at: 0 };
    let count = bits.bits(16)?;
    let (mut at, mut delta) = (0i64, 0i64);
    let mut window = Window::default();
    let mut samples = Vec::new();
    for n in 0..count {
        match n {
            0 => {
                at = bits.varint()?;
                window.value = bits.bits(64)?;
            }
            1 => {
                delta = bits.uvarint()? as i64;
                window_after(&mut at, delta, &mut window, &mut bits)?;
            }
            _ => {
                let change = match bits.ones(4)? {
                    0 => 0,
                    1 => bits.lopsided(14)?,
                    2 => bits.lopsided(17)?,
                    3 => bits.lopsided(20)?,
                    _ => bits.bits(64)? as i64,
                };
                delta = delta.wrapping_add(change);
                window_after(&mut at, delta, &mut window, &mut bits)?;
            }
        }
        samples.push(Sample { at, start: 0, value: Value::Float(window.value) });
    }
    bits.ended()?;
    Some(samples)
}

fn window_after(at: &mut i64, delta: i64, window: &mut Window, bits: &mut Bits<'_>) -> Option<()> {
    *at = at.wrapping_add(delta);
    window.xor(bits)
}

struct Starts {
    known: bool,
    from: u64,
    difference: i64,
    start: i64,
}

impl Starts {
    fn next(&mut self, n: u64, at: i64, before: i64, bits: &mut Bits<'_>) -> Option<i64> {
        if n == 0 && self.known {
            self.start = at.wrapping_sub(bits.varint()?);
        } else if n > 0 && self.from > 0 && n >= self.from {
            let change = bits.int()?;
            self.difference = if n == self.from { change } else { self.difference.wrapping_add(change) };
            self.start = before.wrapping_sub(self.difference);
        }
        Some(self.start)
    }
}

fn starts(byte: u64) -> Starts {
    Starts { known: byte > 127, from: byte & 127, difference: 0, start: 0 }
}

fn xor2(bytes: &[u8]) -> Option<Vec<Sample>> {
    let mut bits = Bits { bytes, at: 0 };
    let count = bits.bits(16)?;
    let mut starts = starts(bits.bits(8)?);
    let (mut at, mut delta) = (0i64, 0i64);
    let mut window = Window::default();
    let mut samples = Vec::new();
    for n in 0..count {
        let before = at;
        let mut stale = false;
        match n {
            0 => {
                at = bits.varint()?;
                let value = bits.bits(64)?;
                stale = value == STALE_NAN.to_bits();
                if !stale {
                    window.value = value;
                }
            }
            1 => {
                delta = bits.uvarint()? as i64;
                stale = window.xor2(&mut bits)?;
            }
            _ => match bits.ones(4)? {
                0 => {}
                1 if bits.bit()? == 0 => window.changed(&mut bits)?,
                1 => window.fresh(&mut bits)?,
                2 => {
                    delta = delta.wrapping_add((bits.bits(13)? << 51) as i64 >> 51);
                    stale = window.xor2(&mut bits)?;
                }
                3 => {
                    delta = delta.wrapping_add((bits.bits(20)? << 44) as i64 >> 44);
                    stale = window.xor2(&mut bits)?;
                }
                _ if bits.bit()? == 0 => {
                    delta = delta.wrapping_add(bits.bits(64)? as i64);
                    stale = window.xor2(&mut bits)?;
                }
                _ => stale = true,
            },
        }
        at = if n == 0 { at } else { before.wrapping_add(delta) };
        let start = starts.next(n, at, before, &mut bits)?;
        let value = if stale { STALE_NAN.to_bits() } else { window.value };
        samples.push(Sample { at, start, value: Value::Float(value) });
    }
    bits.ended()?;
    Some(samples)
}

fn spans(bits: &mut Bits<'_>) -> Option<Vec<Span>> {
    let mut index = 0i64;
    let mut spans = Vec::new();
    for _ in 0..bits.uint()? {
        let length = u32::try_from(bits.uint()?).ok()?;
        let offset = i32::try_from(bits.int()?).ok()?;
        index = index + i64::from(offset) + i64::from(length);
        i32::try_from(index).ok()?;
        spans.push(Span { offset, length });
    }
    Some(spans)
}

fn histograms(encoding: Encoding, bytes: &[u8]) -> Option<Vec<Sample>> {
    let mut bits = Bits { bytes, at: 0 };
    let with_starts = matches!(encoding, Encoding::HistogramSt | Encoding::FloatHistogramSt);
    let floats = matches!(encoding, Encoding::FloatHistogram | Encoding::FloatHistogramSt);
    let first = bits.bits(16)?;
    let third = bits.bits(8)?;
    let (count, reset) = match with_starts {
        true => (first & 0x3fff, CounterReset::from_u8((first >> 8) as u8)),
        false => (first, CounterReset::from_u8(third as u8)),
    };
    let mut starts = starts(if with_starts { third } else { 0 });
    if count == 0 {
        bits.ended()?;
        return Some(Vec::new());
    }
    let zero_threshold = match bits.bits(8)? {
        0 => 0.0,
        255 => f64::from_bits(bits.bits(64)?),
        power => 2f64.powi(power as i32 - 244),
    };
    let schema =
        i32::try_from(bits.int()?).ok().filter(|s| (-9..=52).contains(s) || *s == CUSTOM_BUCKETS_SCHEMA)?;
    let (positive_spans, negative_spans) = (spans(&mut bits)?, spans(&mut bits)?);
    let mut custom_values = Vec::new();
    if schema == CUSTOM_BUCKETS_SCHEMA {
        for _ in 0..bits.uint()? {
            custom_values.push(match bits.uint()? {
                0 => f64::from_bits(bits.bits(64)?),
                short => (short - 1) as f64 / 1000.0,
            });
        }
    }
    let length = |spans: &[Span]| spans.iter().map(|span| span.length as usize).sum::<usize>();
    let (positive, negative) = (length(&positive_spans), length(&negative_spans));
    let layout = Histogram {
        schema,
        zero_threshold,
        positive_spans,
        negative_spans,
        custom_values,
        ..Histogram::default()
    };
    let mut samples = Vec::new();
    let (mut at, mut at_delta) = (0i64, 0i64);
    let (mut total, mut total_delta, mut zero, mut zero_delta) = (0i64, 0i64, 0i64, 0i64);
    let mut numbers = [Window::default(); 3];
    let mut wholes: Vec<(i64, i64)> = Vec::new();
    let mut windows: Vec<Window> = Vec::new();
    let mut ended = false;
    for n in 0..count {
        let before = at;
        let change = bits.int()?;
        if n == 0 {
            at = change;
        } else {
            at_delta = at_delta.wrapping_add(change);
            at = at.wrapping_add(at_delta);
        }
        if floats {
            for number in &mut numbers {
                if n == 0 {
                    number.value = bits.bits(64)?;
                } else {
                    number.xor(&mut bits)?;
                }
            }
        } else {
            let mut next = |value: &mut i64, delta: &mut i64| {
                if n == 0 {
                    *value = bits.uint()? as i64;
                } else {
                    *delta = delta.wrapping_add(bits.int()?);
                    *value = value.wrapping_add(*delta);
                }
                Some(())
            };
            next(&mut total, &mut total_delta)?;
            next(&mut zero, &mut zero_delta)?;
            if n == 0 {
                numbers[2].value = bits.bits(64)?;
            } else {
                numbers[2].xor(&mut bits)?;
            }
        }
        let sum = f64::from_bits(numbers[2].value);
        let stale = is_stale(sum);
        if ended && !stale {
            return None;
        }
        ended = stale;
        for bucket in 0..positive + negative {
            match (n, floats) {
                (0, true) => windows.push(Window { value: bits.bits(64)?, ..Window::default() }),
                (0, false) => wholes.push((bits.int()?, 0)),
                _ if stale => {}
                (_, true) => windows[bucket].xor(&mut bits)?,
                (_, false) => {
                    let (value, delta) = &mut wholes[bucket];
                    *delta = delta.wrapping_add(bits.int()?);
                    *value = value.wrapping_add(*delta);
                }
            }
        }
        let start = starts.next(n, at, before, &mut bits)?;
        let hint = reset.hint(n as usize);
        let value = match (floats, stale) {
            (true, true) => Value::Floats(FloatHistogram::stale()),
            (false, true) => Value::Whole(Histogram::stale()),
            (true, false) => Value::Floats(FloatHistogram {
                counter_reset_hint: hint,
                count: f64::from_bits(numbers[0].value),
                zero_count: f64::from_bits(numbers[1].value),
                sum,
                schema,
                zero_threshold,
                positive_spans: layout.positive_spans.clone(),
                negative_spans: layout.negative_spans.clone(),
                custom_values: layout.custom_values.clone(),
                positive_buckets: windows[..positive]
                    .iter()
                    .map(|window| f64::from_bits(window.value))
                    .collect(),
                negative_buckets: windows[positive..]
                    .iter()
                    .map(|window| f64::from_bits(window.value))
                    .collect(),
            }),
            (false, false) => Value::Whole(Histogram {
                counter_reset_hint: hint,
                count: total as u64,
                zero_count: zero as u64,
                sum,
                positive_buckets: wholes[..positive].iter().map(|(value, _)| *value).collect(),
                negative_buckets: wholes[positive..].iter().map(|(value, _)| *value).collect(),
                ..layout.clone()
            }),
        };
        samples.push(Sample { at, start, value });
    }
    bits.ended()?;
    Some(samples)
}
