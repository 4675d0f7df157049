//! Chunks as they should not be: an error, never a panic, and never samples that were not there.

use promql::Samples;
use query::{Content, Deduplication, Encoded, Merger, Merging, Piece, PieceError};
use tsdb::chunk::Encoding;

use super::chunks::{Random, Shape, replicas};

const ALL: (i64, i64) = (i64::MIN, i64::MAX);

#[test]
fn chunks_of_random_bytes_are_errors() {
    let mut random = Random(7);
    let mut merger = Merger::new();
    let shape = Shape { replicas: 3, counter: false, histograms: true, repeats_last: false, calm: false };
    let mut refused = 0;
    for _ in 0..3000 {
        let chunks = replicas(&mut random, shape);
        let mut data: Vec<Vec<u8>> = chunks
            .iter()
            .map(|chunk| match chunk.piece().content {
                Content::Column(encoded) => encoded.data.to_vec(),
                _ => unreachable!(),
            })
            .collect();
        let one = random.below(data.len() as u64) as usize;
        let damaged = &mut data[one];
        match random.below(3) {
            0 => damaged.truncate(random.below(damaged.len() as u64) as usize),
            1 => {
                let at = random.below(damaged.len() as u64) as usize;
                damaged[at] ^= 1 << random.below(8);
            }
            _ => damaged.iter_mut().for_each(|byte| *byte = random.below(256) as u8),
        }
        let pieces: Vec<Piece<'_>> = chunks
            .iter()
            .zip(&data)
            .map(|(chunk, data)| {
                let piece = chunk.piece();
                let Content::Column(encoded) = piece.content else { unreachable!() };
                Piece { content: Content::Column(Encoded { data, ..encoded }), ..piece }
            })
            .collect();
        for function in ["", "rate"] {
            for replicas in [None, Some(Deduplication::Penalty), Some(Deduplication::Chain)] {
                let mut samples = Samples::default();
                let read = merger.read(&Merging::new(function, replicas, ALL), &pieces, &mut samples);
                refused += u32::from(read.is_err());
                let rises = |times: &[i64]| times.windows(2).all(|pair| pair[0] < pair[1]);
                assert!(rises(&samples.timestamps) && rises(&samples.histogram_timestamps));
            }
        }
    }
    assert!(refused > 1000, "only {refused} were refused");
}

fn read(content: Content<'_>) -> Result<Samples, PieceError> {
    let mut samples = Samples::default();
    let piece = Piece { min_time: 0, max_time: 100, is_raw: false, content };
    Merger::new().read(&Merging::new("", None, ALL), &[piece], &mut samples).map(|()| samples)
}

fn encoded(data: &[u8]) -> Encoded<'_> {
    Encoded { encoding: Some(Encoding::Xor), data }
}

fn floats(samples: &[(i64, f64)]) -> Vec<u8> {
    let mut appender = tsdb::chunk::XorAppender::new();
    for (time, value) in samples {
        appender.append(*time, *value);
    }
    appender.into_bytes()
}

#[test]
fn averages_are_sums_over_counts_of_the_same_windows() {
    let sums = floats(&[(10, 6.0), (20, 9.0)]);
    let average = |counts: &[(i64, f64)]| {
        read(Content::Average { count: encoded(&floats(counts)), sum: encoded(&sums) })
    };
    let samples = average(&[(10, 2.0), (20, 3.0)]).unwrap();
    assert_eq!((samples.timestamps, samples.values), (vec![10, 20], vec![3.0, 3.0]));
    let error = average(&[(10, 2.0)]).unwrap_err();
    assert_eq!(error.to_string(), "sum and count iterator not aligned");
    let error = average(&[(10, 2.0), (21, 2.0)]).unwrap_err();
    assert_eq!(error.to_string(), "sum and count timestamps not aligned");
}

#[test]
fn what_nobody_can_read_is_said_as_thanos_says_it() {
    let unknown = Encoded { encoding: None, data: b"" };
    let error = read(Content::Column(unknown)).unwrap_err();
    assert_eq!(error.to_string(), "invalid chunk encoding \"<unknown>\"");
    assert_eq!(read(Content::Absent).unwrap_err().to_string(), "no valid chunk found");
    assert!(read(Content::Column(Encoded { encoding: Some(Encoding::Aggregate), data: b"" })).is_err());
}

#[test]
fn chained_replicas_give_all_samples_of_each_time_one() {
    let (one, two) = (floats(&[(1, 1.0), (3, 1.0), (5, 1.0)]), floats(&[(2, 2.0), (3, 2.0), (9, 2.0)]));
    let pieces = [(1, 5, &one), (2, 9, &two)].map(|(min_time, max_time, data)| Piece {
        min_time,
        max_time,
        is_raw: true,
        content: Content::Column(encoded(data)),
    });
    let mut samples = Samples::default();
    let merging = Merging::new("", Some(Deduplication::Chain), ALL);
    Merger::new().read(&merging, &pieces, &mut samples).unwrap();
    assert_eq!(samples.timestamps, [1, 2, 3, 5, 9]);
}
