//! Histogram appenders: whatever the buckets do from sample to sample, the chunks hold the same observations; and a new chunk
//! begins where Prometheus begins one.

use prom_model::{CounterResetHint, FloatHistogram, Histogram, Span};
use proptest::prelude::*;

use crate::chunk::*;

/// Absolute buckets, without empty ones.
type Buckets = Vec<(i64, u64)>;

fn seen(histogram: &FloatHistogram) -> (u64, u64, Buckets, Buckets) {
    let used = |buckets: &mut dyn Iterator<Item = (i64, f64)>| -> Buckets {
        buckets.filter(|(_, count)| *count != 0.0).map(|(index, count)| (index, count.to_bits())).collect()
    };
    (
        histogram.sum.to_bits(),
        if histogram.is_stale() { 0 } else { histogram.count.to_bits() },
        used(&mut histogram.positive()),
        used(&mut histogram.negative()),
    )
}

/// A histogram of these buckets, index and count; runs of neighbours may be split.
fn histogram(gauge: bool, positive: &[(i32, i64)], negative: &[(i32, i64)], split: u64) -> Histogram {
    let side = |buckets: &[(i32, i64)]| {
        let (mut spans, mut deltas) = (Vec::<Span>::new(), Vec::new());
        let (mut next, mut before) = (0i32, 0i64);
        for (at, (index, count)) in buckets.iter().enumerate() {
            match spans.last_mut().filter(|_| *index == next && split >> (at % 64) & 1 == 0) {
                Some(span) => span.length += 1,
                None => spans.push(Span { offset: index - next, length: 1 }),
            }
            next = index + 1;
            deltas.push(count - before);
            before = *count;
        }
        (spans, deltas)
    };
    let ((positive_spans, positive_buckets), (negative_spans, negative_buckets)) =
        (side(positive), side(negative));
    let all = positive.iter().chain(negative).map(|(_, count)| *count as u64);
    Histogram {
        counter_reset_hint: if gauge { CounterResetHint::Gauge } else { CounterResetHint::Unknown },
        schema: 2,
        zero_threshold: 0.25,
        zero_count: 1,
        count: all.sum::<u64>() + 1,
        sum: positive.len() as f64,
        positive_spans,
        negative_spans,
        positive_buckets,
        negative_buckets,
        ..Histogram::default()
    }
}

/// Buckets that mostly grow, come and go.
fn walk() -> impl Strategy<Value = (bool, Vec<Option<Histogram>>)> {
    let step = (prop::collection::vec((0usize..24, 0i64..5), 0..6), any::<u64>(), 0u8..20);
    (any::<bool>(), prop::collection::vec(step, 1..40)).prop_map(|(gauge, steps)| {
        let mut counts = [[0i64; 12]; 2];
        let sample = |(hits, split, event): (Vec<(usize, i64)>, u64, u8)| {
            for (at, by) in hits {
                counts[at / 12][at % 12] += by;
            }
            match event {
                0 => return None,
                1 => counts = [[0; 12]; 2],
                2 if gauge => counts[0][split as usize % 12] = 0,
                _ => {}
            }
            let buckets = |side: usize| -> Vec<(i32, i64)> {
                let used = counts[side].iter().enumerate();
                // Empty buckets are named by chance.
                let named = used.filter(|(at, count)| **count > 0 || split >> (at + 20 + side) & 7 == 0);
                named.map(|(at, count)| (at as i32 * if at > 8 { 3 } else { 1 } - 4, *count)).collect()
            };
            Some(histogram(gauge, &buckets(0), &buckets(1), split & split >> 8))
        };
        (gauge, steps.into_iter().map(sample).collect())
    })
}

fn columns(encoding: Encoding, bytes: &[u8]) -> HistogramColumns<f64> {
    let mut columns = HistogramColumns::default();
    decode_float_histograms(encoding, bytes, Order::Rising, &mut columns).unwrap();
    columns
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn chunks_hold_the_observations_that_were_appended((gauge, samples) in walk()) {
        let mut wholes: Vec<HistogramAppender> = Vec::new();
        let mut floats: Vec<FloatHistogramAppender> = Vec::new();
        let mut expected = Vec::new();
        for (n, sample) in samples.iter().enumerate() {
            let mut sample = sample.clone().unwrap_or_else(Histogram::stale);
            if gauge {
                sample.counter_reset_hint = CounterResetHint::Gauge;
            }
            let (at, float) = (n as i64 * 1000, sample.to_float());
            match wholes.last_mut() {
                None => wholes.push(HistogramAppender::begin(None, at, &sample)),
                Some(appender) => {
                    let before = appender.len();
                    match appender.append(at, &sample) {
                        Appended::Cut(next) => {
                            prop_assert_eq!(appender.len(), before);
                            wholes.push(*next);
                        }
                        _ => prop_assert_eq!(appender.len(), before + 1),
                    }
                }
            }
            match floats.last_mut() {
                None => floats.push(FloatHistogramAppender::begin(None, at, &float)),
                Some(appender) => {
                    if let Appended::Cut(next) = appender.append(at, &float) {
                        floats.push(*next);
                    }
                }
            }
            expected.push((at, seen(&float)));
        }
        let found = |chunks: &mut dyn Iterator<Item = HistogramColumns<f64>>| -> Vec<_> {
            chunks.flat_map(|columns| columns.iter().map(|(at, h)| (at, seen(&h))).collect::<Vec<_>>()).collect()
        };
        let whole = found(&mut wholes.iter().map(|appender| columns(Encoding::Histogram, appender.bytes())));
        prop_assert_eq!(&whole, &expected);
        let float = found(&mut floats.iter().map(|appender| columns(Encoding::FloatHistogram, appender.bytes())));
        prop_assert_eq!(&float, &expected);
        for appender in &wholes {
            let resumed = HistogramAppender::resume(appender.bytes()).unwrap().unwrap();
            prop_assert_eq!(resumed.bytes(), appender.bytes());
        }
        for appender in &floats {
            let resumed = FloatHistogramAppender::resume(appender.bytes()).unwrap().unwrap();
            prop_assert_eq!(resumed.bytes(), appender.bytes());
        }
    }
}

/// What becomes of the second histogram, and what the header of its chunk then says.
fn second(first: &Histogram, second: &Histogram) -> (&'static str, CounterReset) {
    let mut appender = HistogramAppender::begin(None, 1000, first);
    let mut float = FloatHistogramAppender::begin(None, 1000, &first.to_float());
    let float_cuts = matches!(float.append(2000, &second.to_float()), Appended::Cut(_));
    let what = appender.append(2000, second);
    assert_eq!(float_cuts, matches!(what, Appended::Cut(_)));
    match what {
        Appended::Inside => ("inside", appender.counter_reset()),
        Appended::Rewritten => ("rewritten", appender.counter_reset()),
        Appended::Cut(next) => ("cut", next.counter_reset()),
    }
}

#[test]
fn a_new_chunk_begins_where_a_counter_is_reset_or_the_schema_changes() {
    let first = histogram(false, &[(0, 3), (1, 2), (4, 0)], &[(2, 1)], 0);
    let same = |change: fn(&mut Histogram)| {
        let mut changed = first.clone();
        change(&mut changed);
        second(&first, &changed)
    };
    assert_eq!(same(|_| {}), ("inside", CounterReset::Unknown));
    assert_eq!(same(|h| h.sum = prom_model::STALE_NAN), ("inside", CounterReset::Unknown));
    assert_eq!(same(|h| h.count -= 1), ("cut", CounterReset::Reset));
    assert_eq!(same(|h| h.zero_count = 0), ("cut", CounterReset::Reset));
    assert_eq!(same(|h| h.schema = 3), ("cut", CounterReset::Unknown));
    assert_eq!(same(|h| h.zero_threshold = 0.5), ("cut", CounterReset::Unknown));
    assert_eq!(same(|h| h.counter_reset_hint = CounterResetHint::CounterReset), ("cut", CounterReset::Reset));
    assert_eq!(same(|h| h.counter_reset_hint = CounterResetHint::Gauge), ("cut", CounterReset::Gauge));
    let to = |positive: &[(i32, i64)]| {
        second(&first, &Histogram { count: 99, ..histogram(false, positive, &[(2, 1)], 0) })
    };
    assert_eq!(to(&[(0, 3), (1, 2)]), ("inside", CounterReset::Unknown), "an empty bucket is gone");
    assert_eq!(to(&[(0, 3), (1, 2), (2, 1), (4, 0)]), ("rewritten", CounterReset::Unknown), "a bucket came");
    assert_eq!(
        to(&[(0, 3), (1, 2), (2, 1)]),
        ("rewritten", CounterReset::Unknown),
        "one came, an empty one is gone"
    );
    assert_eq!(to(&[(0, 3)]), ("cut", CounterReset::Reset), "a used bucket is gone");
    assert_eq!(to(&[(0, 2), (1, 9), (4, 0)]), ("cut", CounterReset::Reset), "a bucket fell");
    let gauge = Histogram { counter_reset_hint: CounterResetHint::Gauge, ..first.clone() };
    let lower = histogram(true, &[(0, 1)], &[(7, 1)], 0);
    assert_eq!(second(&gauge, &lower), ("rewritten", CounterReset::Gauge));
    assert_eq!(second(&gauge, &first).0, "cut");
    assert_eq!(second(&Histogram::stale(), &first).0, "cut");
}

#[test]
fn the_first_header_compares_with_the_chunk_before() {
    let first = histogram(false, &[(0, 3), (1, 2)], &[], 0);
    let before = HistogramAppender::begin(None, 1000, &first);
    let grown = histogram(false, &[(0, 4), (1, 2)], &[], 0);
    assert_eq!(HistogramAppender::begin(Some(&before), 2000, &grown).counter_reset(), CounterReset::NotReset);
    let fallen = histogram(false, &[(0, 1), (1, 2)], &[], 0);
    assert_eq!(HistogramAppender::begin(Some(&before), 2000, &fallen).counter_reset(), CounterReset::Reset);
    let before = FloatHistogramAppender::begin(None, 1000, &first.to_float());
    let header =
        |h: &Histogram| FloatHistogramAppender::begin(Some(&before), 2000, &h.to_float()).counter_reset();
    assert_eq!(header(&grown), CounterReset::NotReset);
    assert_eq!(header(&fallen), CounterReset::Reset);
    assert_eq!(header(&Histogram { schema: 7, ..grown.clone() }), CounterReset::NotReset);
}
