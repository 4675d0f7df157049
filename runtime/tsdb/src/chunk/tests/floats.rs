//! Float chunks.

use proptest::prelude::*;

use crate::chunk::*;
use crate::corruption::Fault;

fn chunk(samples: &[(i64, f64)]) -> Vec<u8> {
    let mut appender = XorAppender::new();
    for (timestamp, value) in samples {
        assert!(appender.append(*timestamp, *value));
        assert_eq!(
            appender.last().map(|(at, value)| (at, value.to_bits())),
            Some((*timestamp, value.to_bits()))
        );
    }
    let bytes = appender.into_bytes();
    // The memory was used before.
    let mut encoder = XorEncoder::default();
    assert!(encoder.encode(&[7; 3], &[f64::NAN; 3]).is_some());
    let (timestamps, values): (Vec<i64>, Vec<f64>) = samples.iter().copied().unzip();
    assert_eq!(encoder.encode(&timestamps, &values), Some(bytes.as_slice()), "all at once");
    bytes
}

proptest! {
    #[test]
    fn four_columns_with_one_time_are_encoded_as_each_by_itself(
        samples in samples(),
        others in prop::collection::vec(any::<[u64; 3]>(), 0..200),
    ) {
        let (timestamps, first): (Vec<i64>, Vec<f64>) = samples.into_iter().unzip();
        let column = |at: usize| -> Vec<f64> { others.iter().map(|bits| f64::from_bits(bits[at])).collect() };
        let columns = [first, column(0), column(1), column(2)];
        let shortest = columns.iter().map(Vec::len).min().unwrap();
        let mut encoder = XorEncoder::default();
        let four = encoder.encode_four(&timestamps, columns.each_ref().map(Vec::as_slice)).unwrap();
        let four = four.map(<[u8]>::to_vec);
        for (column, together) in columns.iter().zip(&four) {
            prop_assert_eq!(encoder.encode(&timestamps, &column[..shortest]), Some(together.as_slice()));
        }
    }
}

#[test]
fn more_samples_than_a_chunk_can_have_are_refused() {
    let most = usize::from(SAMPLES_MAX);
    let mut encoder = XorEncoder::default();
    assert!(encoder.encode(&vec![0; most], &vec![0.0; most]).is_some());
    assert!(encoder.encode(&vec![0; most + 1], &vec![0.0; most + 1]).is_none());
}

fn bits(columns: &Columns) -> Vec<(i64, u64)> {
    columns.iter().map(|(timestamp, value)| (timestamp, value.to_bits())).collect()
}

fn decoded(bytes: &[u8]) -> Result<Vec<(i64, u64)>, ChunkError> {
    let mut columns = Columns::default();
    decode_floats(Encoding::Xor, bytes, Order::Any, &mut columns)?;
    Ok(bits(&columns))
}

/// Timestamps with every class of change, values with every kind of window, NaN payload and sign.
fn samples() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let step = prop_oneof![
        4 => Just(15_000i64),
        3 => 14_900..15_100i64,
        1 => -9_000..70_000i64,
        1 => -140_000..1_200_000i64,
        1 => any::<i64>(),
    ];
    let value = prop_oneof![
        4 => Just(None),
        3 => (0u32..50).prop_map(|n| Some(f64::from(n).to_bits())),
        2 => any::<u64>().prop_map(Some),
        1 => (0u64..64).prop_map(|bit| Some(1u64 << bit)),
        1 => Just(Some(prom_model::STALE_NAN.to_bits())),
    ];
    (any::<i64>(), proptest::collection::vec((step, value), 0..200)).prop_map(|(start, steps)| {
        let (mut timestamp, mut last) = (start, 0u64);
        let sample = |(step, value): (i64, Option<u64>)| {
            timestamp = timestamp.wrapping_add(step);
            last = value.unwrap_or(last);
            (timestamp, f64::from_bits(last))
        };
        steps.into_iter().map(sample).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_goes_in_comes_out(samples in samples()) {
        let bytes = chunk(&samples);
        let expected: Vec<_> = samples.iter().map(|(timestamp, value)| (*timestamp, value.to_bits())).collect();
        prop_assert_eq!(decoded(&bytes), Ok(expected));
    }

    #[test]
    fn an_appender_goes_on_where_another_stopped(samples in samples(), cut in any::<prop::sample::Index>()) {
        let (before, after) = samples.split_at(cut.index(samples.len() + 1));
        let mut resumed = XorAppender::resume(&chunk(before)).unwrap();
        for (timestamp, value) in after {
            resumed.append(*timestamp, *value);
        }
        prop_assert_eq!(resumed.into_bytes(), chunk(&samples));
    }

    #[test]
    fn a_cut_chunk_is_an_error(samples in samples(), cut in any::<prop::sample::Index>()) {
        let bytes = chunk(&samples);
        let cut = &bytes[..cut.index(bytes.len())];
        prop_assert!(decoded(cut).is_err());
    }
}

#[test]
fn regular_chunks_are_reported() {
    let mut columns = Columns::default();
    let found = |samples: &[(i64, f64)], columns: &mut Columns| {
        decode_floats(Encoding::Xor, &chunk(samples), Order::Rising, columns).unwrap()
    };
    assert_eq!(found(&[(5, 1.0)], &mut columns), Decoded { samples: 1, interval: None });
    assert_eq!(found(&[(10, 1.0), (20, 1.0), (30, 1.0)], &mut columns).interval, Some(10));
    assert_eq!(found(&[(40, 1.0), (50, 1.0), (61, 1.0)], &mut columns).interval, None);
    assert_eq!(columns.timestamps, [5, 10, 20, 30, 40, 50, 61]);
}

#[test]
fn a_byte_that_an_older_prometheus_had_begun_is_no_damage() {
    // The last sample ends with a byte; Prometheus 2.42 leaves an empty one behind it.
    let mut bytes = chunk(&[(10, 1.0)]);
    bytes.push(0);
    let mut columns = Columns::default();
    decode_floats(Encoding::Xor, &bytes, Order::Rising, &mut columns).unwrap();
    assert_eq!((columns.timestamps.as_slice(), columns.values.as_slice()), (&[10][..], &[1.0][..]));
    let mut check = |behind: &[u8], trailing: u64| {
        let longer = [bytes.as_slice(), behind].concat();
        let found = decode_floats(Encoding::Xor, &longer, Order::Rising, &mut columns);
        let at = bytes.len() - 1;
        assert_eq!(found, Err(ChunkError { at, fault: Fault::Trailing(trailing) }));
    };
    check(&[0], 2);
    *bytes.last_mut().unwrap() = 1;
    let found = decode_floats(Encoding::Xor, &bytes, Order::Rising, &mut columns);
    assert_eq!(found, Err(ChunkError { at: bytes.len() - 1, fault: Fault::Trailing(1) }));
}

#[test]
fn damage_is_named_and_leaves_the_columns_as_they_were() {
    let mut columns = Columns::default();
    let good = chunk(&[(10, 1.0), (20, 2.0), (35, 2.0), (40, 5.0)]);
    decode_floats(Encoding::Xor, &good, Order::Rising, &mut columns).unwrap();
    let before = columns.clone();
    let mut check = |bytes: &[u8], at: usize, fault: Fault| {
        let found = decode_floats(Encoding::Xor, bytes, Order::Rising, &mut columns);
        assert_eq!(found, Err(ChunkError { at, fault }));
        assert_eq!(columns, before);
    };
    let mut too_many = good.clone();
    too_many[..2].copy_from_slice(&[0xff, 0xff]);
    check(&too_many, good.len(), Fault::Short { missing: 16_374 });
    let mut longer = good.clone();
    longer.push(0);
    check(&longer, good.len(), Fault::Trailing(1));
    check(&good[..1], 1, Fault::Short { missing: 1 });
    check(&[], 0, Fault::Short { missing: 2 });
    check(&chunk(&[(10, 1.0), (10, 2.0)]), 12, Fault::Order("timestamps"));
    check(&chunk(&[(10, 1.0), (20, 2.0), (20, 2.0)]), 15, Fault::Order("timestamps"));
}

proptest! {
    #[test]
    fn a_chunk_that_is_walked_over_has_the_faults_of_one_that_is_decoded(
        samples in samples(), at in any::<prop::sample::Index>(), flipped in 0u8..=255, cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = chunk(&samples);
        let place = at.index(bytes.len());
        bytes[place] ^= flipped;
        let whole = cut.index(4) > 0;
        let bytes = if whole { bytes.as_slice() } else { &bytes[..cut.index(bytes.len())] };
        let mut columns = Columns::default();
        let decoded = decode_floats(Encoding::Xor, bytes, Order::Rising, &mut columns).map(|decoded| Summary {
            samples: decoded.samples as u64,
            times: columns.timestamps.first().copied().zip(columns.timestamps.last().copied()),
        });
        prop_assert_eq!(summarise(Encoding::Xor, bytes, &mut Scratch::default()), decoded);
    }
}
