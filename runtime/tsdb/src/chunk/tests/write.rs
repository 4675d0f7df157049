//! Writers, one bit after the other, for the encodings that the product only reads.

use prom_model::{CUSTOM_BUCKETS_SCHEMA, FloatHistogram, Histogram, STALE_NAN, Span, is_stale};

use super::reference::{Sample, Value};
use crate::chunk::Encoding;

#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(&mut self, value: u64, count: u32) {
        self.0.extend((0..count).rev().map(|at| value >> at & 1 == 1));
    }

    fn uvarint(&mut self, mut value: u64) {
        while value > 127 {
            self.put(value & 127 | 128, 8);
            value >>= 7;
        }
        self.put(value, 8);
    }

    fn varint(&mut self, value: i64) {
        self.uvarint((value << 1 ^ value >> 63) as u64);
    }

    fn int(&mut self, value: i64) {
        if value == 0 {
            return self.put(0, 1);
        }
        for (ones, width) in [(1u32, 3u32), (2, 6), (3, 9), (4, 12), (5, 18), (6, 25), (7, 56)] {
            let half = 1i64 << (width - 1);
            if value > -half && value <= half {
                self.put((1 << (ones + 1)) - 2, ones + 1);
                return self.put(value as u64, width);
            }
        }
        self.put(255, 8);
        self.put(value as u64, 64);
    }

    fn uint(&mut self, value: u64) {
        if value == 0 {
            return self.put(0, 1);
        }
        for (ones, width) in [(1u32, 3u32), (2, 6), (3, 9), (4, 12), (5, 18), (6, 25), (7, 56)] {
            if value < 1 << width {
                self.put((1 << (ones + 1)) - 2, ones + 1);
                return self.put(value, width);
            }
        }
        self.put(255, 8);
        self.put(value, 64);
    }

    fn bytes(&self) -> Vec<u8> {
        let byte =
            |bits: &[bool]| bits.iter().rev().enumerate().map(|(at, bit)| u8::from(*bit) << at).sum::<u8>();
        let mut padded = self.0.clone();
        padded.resize(padded.len().next_multiple_of(8), false);
        padded.chunks(8).map(byte).collect()
    }
}

#[derive(Clone, Copy, Default)]
struct Window {
    value: u64,
    /// Leading and trailing zeros of what changed last.
    last: Option<(u32, u32)>,
}

impl Window {
    /// Appends what changed behind the code for "in the window of before", or for "in another window".
    fn put(&mut self, bits: &mut Bits, value: u64, same: (u64, u32), other: (u64, u32)) {
        let changed = self.value ^ value;
        self.value = value;
        let (leading, trailing) = (changed.leading_zeros().min(31), changed.trailing_zeros());
        match self.last.filter(|last| leading >= last.0 && trailing >= last.1) {
            Some((leading, trailing)) => {
                bits.put(same.0, same.1);
                bits.put(changed >> trailing, 64 - leading - trailing);
            }
            None => {
                self.last = Some((leading, trailing));
                bits.put(other.0, other.1);
                bits.put(leading.into(), 5);
                bits.put(u64::from(64 - leading - trailing) % 64, 6);
                bits.put(changed >> trailing, 64 - leading - trailing);
            }
        }
    }

    fn xor(&mut self, bits: &mut Bits, value: u64) {
        if value == self.value { bits.put(0, 1) } else { self.put(bits, value, (0b10, 2), (0b11, 2)) }
    }

    fn xor2(&mut self, bits: &mut Bits, value: u64) {
        match value {
            stale if stale == STALE_NAN.to_bits() => bits.put(0b111, 3),
            same if same == self.value => bits.put(0, 1),
            other => self.put(bits, other, (0b10, 2), (0b110, 3)),
        }
    }
}

#[derive(Default)]
struct Starts {
    known: bool,
    from: usize,
    last: i64,
    difference: i64,
}

impl Starts {
    fn put(&mut self, bits: &mut Bits, n: usize, at: i64, before: i64, start: i64) {
        if n == 0 {
            self.known = start != 0;
            if self.known {
                bits.varint(at.wrapping_sub(start));
            }
        } else {
            let difference = before.wrapping_sub(start);
            if self.from > 0 {
                bits.int(difference.wrapping_sub(self.difference));
                self.difference = difference;
            } else if start != self.last || n == 127 {
                self.from = n;
                bits.int(difference);
                self.difference = difference;
            }
        }
        self.last = start;
    }

    fn header(&self) -> u8 {
        u8::from(self.known) << 7 | self.from as u8
    }
}

/// A chunk of these samples, whose histograms must have one layout.
pub(super) fn chunk(encoding: Encoding, samples: &[Sample]) -> Vec<u8> {
    let (mut bits, mut starts) = (Bits::default(), Starts::default());
    if encoding == Encoding::Xor2 {
        xor2(&mut bits, &mut starts, samples);
    } else {
        histograms(&mut bits, &mut starts, samples);
    }
    let mut bytes = (samples.len() as u16).to_be_bytes().to_vec();
    bytes.push(starts.header());
    bytes.extend(bits.bytes());
    bytes
}

fn xor2(bits: &mut Bits, starts: &mut Starts, samples: &[Sample]) {
    let (mut window, mut before, mut delta) = (Window::default(), 0i64, 0i64);
    for (n, sample) in samples.iter().enumerate() {
        let Value::Float(value) = sample.value else { panic!("a float") };
        let stale = value == STALE_NAN.to_bits();
        let step = sample.at.wrapping_sub(before);
        let change = step.wrapping_sub(delta);
        match n {
            0 => {
                bits.varint(sample.at);
                bits.put(value, 64);
                if !stale {
                    window.value = value;
                }
            }
            1 => {
                bits.uvarint(step as u64);
                window.xor2(bits, value);
            }
            _ if change == 0 && stale => bits.put(0b11111, 5),
            _ if change == 0 && value == window.value => bits.put(0, 1),
            _ if change == 0 => window.put(bits, value, (0b100, 3), (0b101, 3)),
            _ => {
                match change {
                    -4096..4096 => bits.put(0b110 << 13 | change as u64 & 0x1fff, 16),
                    -524_288..524_288 => bits.put(0b1110 << 20 | change as u64 & 0xf_ffff, 24),
                    _ => {
                        bits.put(0b11110, 5);
                        bits.put(change as u64, 64);
                    }
                }
                window.xor2(bits, value);
            }
        }
        starts.put(bits, n, sample.at, before, sample.start);
        delta = if n == 0 { 0 } else { step };
        before = sample.at;
    }
}

fn histograms(bits: &mut Bits, starts: &mut Starts, samples: &[Sample]) {
    let layout = |bits: &mut Bits, schema: i32, zero: f64, spans: [&[Span]; 2], custom: &[f64]| {
        bits.put(255, 8);
        bits.put(zero.to_bits(), 64);
        bits.int(schema.into());
        for spans in spans {
            bits.uint(spans.len() as u64);
            for span in spans {
                bits.uint(span.length.into());
                bits.int(span.offset.into());
            }
        }
        if schema == CUSTOM_BUCKETS_SCHEMA {
            bits.uint(custom.len() as u64);
            for bound in custom {
                bits.put(0, 1);
                bits.put(bound.to_bits(), 64);
            }
        }
    };
    match samples.first().map(|sample| &sample.value) {
        Some(Value::Whole(h)) => {
            layout(
                bits,
                h.schema,
                h.zero_threshold,
                [&h.positive_spans, &h.negative_spans],
                &h.custom_values,
            );
        }
        Some(Value::Floats(h)) => {
            layout(
                bits,
                h.schema,
                h.zero_threshold,
                [&h.positive_spans, &h.negative_spans],
                &h.custom_values,
            );
        }
        _ => {}
    }
    let (mut before, mut delta) = (0i64, 0i64);
    let mut sum = Window::default();
    let mut wholes = vec![(0i64, 0i64); 4096];
    let mut windows = vec![Window::default(); 4096];
    for (n, sample) in samples.iter().enumerate() {
        let step = if n == 0 { 0 } else { sample.at.wrapping_sub(before) };
        bits.int(if n == 0 { sample.at } else { step.wrapping_sub(delta) });
        delta = step;
        match &sample.value {
            Value::Whole(histogram) => whole(bits, n, histogram, &mut sum, &mut wholes),
            Value::Floats(histogram) => floats(bits, n, histogram, &mut windows),
            Value::Float(_) => panic!("a histogram"),
        }
        starts.put(bits, n, sample.at, before, sample.start);
        before = sample.at;
    }
}

fn whole(bits: &mut Bits, n: usize, histogram: &Histogram, sum: &mut Window, state: &mut [(i64, i64)]) {
    let stale = is_stale(histogram.sum);
    let mut put = |bits: &mut Bits, at: usize, value: i64, unsigned: bool| {
        let (last, delta) = &mut state[at];
        if n == 0 {
            if unsigned { bits.uint(value as u64) } else { bits.int(value) }
        } else {
            let step = value.wrapping_sub(*last);
            bits.int(if stale { 0 } else { step.wrapping_sub(*delta) });
            *delta = step;
        }
        *last = value;
    };
    put(bits, 0, histogram.count as i64, true);
    put(bits, 1, histogram.zero_count as i64, true);
    if n == 0 {
        bits.put(histogram.sum.to_bits(), 64);
        sum.value = histogram.sum.to_bits();
    } else {
        sum.xor(bits, histogram.sum.to_bits());
    }
    for (at, value) in histogram.positive_buckets.iter().chain(&histogram.negative_buckets).enumerate() {
        put(bits, at + 2, *value, false);
    }
}

fn floats(bits: &mut Bits, n: usize, histogram: &FloatHistogram, state: &mut [Window]) {
    let numbers = [histogram.count, histogram.zero_count, histogram.sum];
    let buckets = histogram.positive_buckets.iter().chain(&histogram.negative_buckets);
    for (window, value) in state.iter_mut().zip(numbers.iter().chain(buckets)) {
        if n == 0 {
            bits.put(value.to_bits(), 64);
            window.value = value.to_bits();
        } else {
            window.xor(bits, value.to_bits());
        }
    }
}
