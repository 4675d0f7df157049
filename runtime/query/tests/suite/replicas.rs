//! Columns and iterators give the same samples, for random replicas of random series.

use promql::Samples;
use query::{Deduplication, Merger, Merging, Piece, Wanted};

use super::chunks::{Chunk, Random, Shape, replicas};
use super::iterators::{
    Adjustable, Bounded, Chunk as ChunkIterator, Chunks, Counter, Iterate, Kind, Penalised, Value,
};

fn bits(value: Value) -> (bool, u64) {
    match value {
        Value::Float(value) => (false, value.to_bits()),
        Value::Histogram(number) => (true, number as u64),
    }
}

/// Samples with their times, as bits.
type Found = Vec<(i64, (bool, u64))>;

fn columns(merger: &mut Merger, merging: &Merging, chunks: &[Chunk]) -> Found {
    let pieces: Vec<Piece<'_>> = chunks.iter().map(Chunk::piece).collect();
    samples(merger, merging, &pieces)
}

fn samples(merger: &mut Merger, merging: &Merging, pieces: &[Piece<'_>]) -> Found {
    let mut samples = Samples::default();
    merger.read(merging, pieces, &mut samples).unwrap();
    let floats = samples.timestamps.iter().zip(&samples.values);
    let histograms = samples.histogram_timestamps.iter().zip(&samples.histograms);
    let mut all: Vec<_> = floats.map(|(time, value)| (*time, bits(Value::Float(*value)))).collect();
    all.extend(histograms.map(|(time, found)| (*time, bits(Value::Histogram(found.sum as i64)))));
    all.sort_unstable();
    all.retain(|(time, _)| *time >= merging.times.0 && *time <= merging.times.1);
    all
}

/// The chunks of each replica: each chunk goes to the first replica that has ended before.
fn split(chunks: &[Chunk]) -> Vec<Vec<&Chunk>> {
    let mut found: Vec<Vec<&Chunk>> = Vec::new();
    for chunk in chunks {
        let ends_before = |replica: &Vec<&Chunk>| replica[replica.len() - 1].times().1 < chunk.times().0;
        match found.iter().position(ends_before) {
            Some(at) => found[at].push(chunk),
            None => found.push(vec![chunk]),
        }
    }
    found
}

fn iterators(merging: &Merging, chunks: &[Chunk]) -> Found {
    let walk = |chunks: &[&Chunk]| -> Box<dyn Iterate> {
        let chunks: Vec<_> = chunks.iter().map(|chunk| ChunkIterator::new(&chunk.samples)).collect();
        let inner: Box<dyn Iterate> = match merging.wanted {
            Wanted::Counter => Box::new(Counter::new(chunks)),
            _ => Box::new(Chunks::new(chunks)),
        };
        Box::new(Bounded::new(inner, merging.times))
    };
    let mut replicas = match merging.replicas {
        Some(_) => split(chunks),
        None => vec![chunks.iter().collect()],
    }
    .into_iter();
    let mut iterator = walk(&replicas.next().unwrap());
    let mut alone = true;
    for replica in replicas {
        let adjustable = |inner| -> Box<dyn Iterate> {
            if merging.monotonic { Box::new(Adjustable::new(inner)) } else { inner }
        };
        let first = if alone { adjustable(iterator) } else { iterator };
        iterator = Box::new(Penalised::new(first, adjustable(walk(&replica))));
        alone = false;
    }
    let mut found = Vec::new();
    while iterator.next() != Kind::None {
        found.push((iterator.time(), bits(iterator.value())));
    }
    found.retain(|(time, _)| *time >= merging.times.0 && *time <= merging.times.1);
    found
}

fn compare(seed: u64, sets: u64, function: &str, shape: impl Fn(&mut Random) -> Shape) {
    let mut random = Random(seed);
    let mut merger = Merger::new();
    let mut samples = 0;
    for set in 0..sets {
        let shape = shape(&mut random);
        let chunks = replicas(&mut random, shape);
        let ends: Vec<_> = chunks.iter().map(Chunk::times).collect();
        let (first, last) = (ends[0].0, ends.iter().map(|(_, end)| *end).max().unwrap());
        let span = (last - first) as u64 + 1;
        let times = if random.one_in(3) {
            (first, last)
        } else {
            let start = first + random.below(span) as i64 / 2;
            (start, start + random.below(span) as i64)
        };
        let dedup = (!random.one_in(8)).then_some(Deduplication::Penalty);
        let merging = Merging::new(function, dedup, times);
        let (expected, found) = (iterators(&merging, &chunks), columns(&mut merger, &merging, &chunks));
        let told = || chunks.iter().map(|chunk| format!("{:?}\n", chunk.samples)).collect::<String>();
        assert_eq!(found, expected, "set {set} of seed {seed}: {shape:?} {merging:?}\n{}", told());
        samples += found.len();
    }
    assert!(samples as u64 > sets, "samples are compared");
}

#[test]
fn floats_of_two_replicas() {
    compare(1, 40_000, "", |_| Shape {
        replicas: 2,
        counter: false,
        histograms: false,
        repeats_last: false,
        calm: false,
    });
}

#[test]
fn long_runs_of_up_to_four_replicas() {
    for (seed, function) in [(6, ""), (7, "rate"), (8, "xrate")] {
        compare(seed, 3000, function, |random| Shape {
            replicas: 1 + random.below(4),
            counter: !function.is_empty(),
            histograms: random.one_in(8),
            repeats_last: !function.is_empty() && random.one_in(8),
            calm: true,
        });
    }
}

#[test]
fn floats_and_histograms_of_up_to_five_replicas() {
    compare(2, 30_000, "avg_over_time", |random| Shape {
        replicas: 1 + random.below(5),
        counter: false,
        histograms: true,
        repeats_last: false,
        calm: false,
    });
}

#[test]
fn counters_of_two_replicas() {
    compare(3, 30_000, "rate", |random| Shape {
        replicas: 2,
        counter: true,
        histograms: false,
        repeats_last: random.one_in(2),
        calm: false,
    });
}

#[test]
fn counters_of_up_to_six_replicas() {
    compare(4, 30_000, "increase", |random| Shape {
        replicas: 1 + random.below(6),
        counter: true,
        histograms: random.one_in(4),
        repeats_last: random.one_in(2),
        calm: false,
    });
}

#[test]
fn counters_that_may_fall_between_replicas() {
    compare(5, 20_000, "xrate", |random| Shape {
        replicas: 1 + random.below(4),
        counter: true,
        histograms: random.one_in(4),
        repeats_last: random.one_in(2),
        calm: false,
    });
}

/// Whether a value falls where the turn may have passed, and where it must have passed.
fn falls_between(found: &Found, chunks: &[Chunk]) -> (bool, bool) {
    let value = |(_, (_, bits)): &(i64, (bool, u64))| f64::from_bits(*bits);
    let replicas = split(chunks);
    let having = |wanted: &(i64, (bool, u64))| -> Vec<bool> {
        let has = |(time, value): &(i64, Value)| (*time, bits(*value)) == *wanted;
        replicas.iter().map(|replica| replica.iter().flat_map(|chunk| &chunk.samples).any(has)).collect()
    };
    let (mut may, mut must) = (false, false);
    for pair in found.windows(2).filter(|pair| value(&pair[1]) < value(&pair[0])) {
        let (before, after) = (having(&pair[0]), having(&pair[1]));
        may |=
            (0..before.len()).any(|one| (0..after.len()).any(|two| one != two && before[one] && after[two]));
        must |= !before.iter().zip(&after).any(|(before, after)| *before && *after);
    }
    (may, must)
}

#[test]
fn scraped_counters_keep_their_resets_unless_the_turn_passes_to_a_lower_value() {
    let (mut random, mut merger) = (Random(9), Merger::new());
    let (mut kept, mut taken_out) = (0, 0);
    for set in 0..20_000 {
        let calm = random.one_in(2);
        let shape = Shape {
            replicas: 1 + random.below(3),
            counter: true,
            histograms: false,
            repeats_last: false,
            calm,
        };
        let chunks = replicas(&mut random, shape);
        let ends: Vec<_> = chunks.iter().map(Chunk::times).collect();
        let (first, last) = (ends[0].0, ends.iter().map(|(_, end)| *end).max().unwrap());
        let times = (first + random.below((last - first) as u64 / 2 + 1) as i64, last);
        let merging = Merging::new("rate", Some(Deduplication::Penalty), times);
        let raw: Vec<Piece<'_>> =
            chunks.iter().map(|chunk| Piece { is_raw: true, ..chunk.piece() }).collect();
        let found = samples(&mut merger, &merging, &raw);
        let (without, with) =
            (iterators(&merging, &chunks), iterators(&Merging::new("", merging.replicas, times), &chunks));
        let told = || chunks.iter().map(|chunk| format!("{:?}\n", chunk.samples)).collect::<String>();
        // Chunks of one replica may overlap too.
        let ((may_fall, must_fall), count) = (falls_between(&with, &chunks), split(&chunks).len());
        if count == 1 || (count == 2 && !may_fall) {
            assert_eq!(found, with, "set {set}: {shape:?} {times:?}\n{}", told());
        } else if must_fall {
            assert_eq!(found, without, "set {set}: {shape:?} {times:?}\n{}", told());
        } else {
            assert!(found == with || found == without, "set {set}: {shape:?} {times:?}\n{}", told());
        }
        kept += usize::from(found == with && with != without);
        taken_out += usize::from(found == without && with != without);
    }
    assert!(kept > 1000 && taken_out > 1000, "{kept} {taken_out}");
}
