//! The chunks of one series out of several answers: each once, in the order of their times.

use std::cmp::Ordering;

use storeapi::{AggrChunk, Aggregate, Chunk};
use xxhash_rust::xxh64::xxh64;

/// Sorts by first time, then last time, then content, and leaves out chunks that are there already.
///
/// Two chunks are the same where they hold the same aggregates with the same bytes, whatever times they are given with: a chunk
/// that is still written to is told with different ends by different stores.
pub(super) fn unite(chunks: &mut Vec<AggrChunk>) {
    if is_in_order_and_apart(chunks) {
        return;
    }
    drop_known(chunks);
    sort(chunks);
}

/// Chunks of two answers, each of them sorted, are merged; others are sorted.
fn sort(chunks: &mut Vec<AggrChunk>) {
    let falls = chunks.array_windows().position(|[one, two]| compare(one, two).is_gt());
    let Some(end) = falls else { return };
    let others = chunks.get(end + 1..).unwrap_or_default();
    if !others.is_sorted_by(|one, two| compare(one, two).is_le()) {
        chunks.sort_by(compare);
        return;
    }
    let mut others = chunks.split_off(end + 1).into_iter().peekable();
    let ones = std::mem::replace(chunks, Vec::with_capacity(end + 1 + others.len()));
    for one in ones {
        while let Some(other) = others.next_if(|other| compare(other, &one).is_lt()) {
            chunks.push(other);
        }
        chunks.push(one);
    }
    chunks.extend(others);
}

/// Chunks that do not touch in time are sorted and all different.
fn is_in_order_and_apart(chunks: &[AggrChunk]) -> bool {
    chunks.is_sorted_by(|one, two| one.max_time < two.min_time)
}

/// Leaves the first of chunks that are the same.
fn drop_known(chunks: &mut Vec<AggrChunk>) {
    let mut hashes: Vec<u64> = chunks.iter().map(hash).collect();
    hashes.sort_unstable();
    if hashes.is_sorted_by(|one, two| one < two) {
        return;
    }
    let mut places: Vec<(u64, usize)> =
        chunks.iter().enumerate().map(|(place, chunk)| (hash(chunk), place)).collect();
    places.sort_unstable();
    let mut gone: Vec<usize> = Vec::new();
    for alike in places.chunk_by(|one, two| one.0 == two.0) {
        for (at, (_, place)) in alike.iter().enumerate().skip(1) {
            // Hashes may collide: each is compared with those before it.
            let mut before = alike.iter().take(at).map(|(_, place)| *place);
            let is = |known: usize| {
                chunks.get(known).zip(chunks.get(*place)).is_some_and(|(one, two)| same(one, two))
            };
            if before.any(is) {
                gone.push(*place);
            }
        }
    }
    if gone.is_empty() {
        return;
    }
    gone.sort_unstable();
    let (mut place, mut gone) = (0, gone.into_iter().peekable());
    chunks.retain(|_| {
        let goes = gone.next_if_eq(&place).is_some();
        place += 1;
        !goes
    });
}

fn hash(chunk: &AggrChunk) -> u64 {
    let part = |part: &Chunk| if part.hash == 0 { xxh64(&part.data, 0) } else { part.hash };
    chunk.parts.iter().fold(0, |all: u64, (aggregate, chunk)| {
        all.rotate_left(7) ^ part(chunk).wrapping_add(aggregate as u64)
    })
}

fn same(one: &AggrChunk, two: &AggrChunk) -> bool {
    let hashes_differ = |one: &Chunk, two: &Chunk| one.hash != two.hash && one.hash != 0 && two.hash != 0;
    let equal = |one: &Chunk, two: &Chunk| {
        !hashes_differ(one, two) && one.encoding == two.encoding && one.data == two.data
    };
    let (mut of_one, mut of_two) = (one.parts.iter(), two.parts.iter());
    loop {
        match (of_one.next(), of_two.next()) {
            (None, None) => return true,
            (Some((its, one)), Some((other, two))) if its == other && equal(one, two) => {}
            _ => return false,
        }
    }
}

fn compare(one: &AggrChunk, two: &AggrChunk) -> Ordering {
    let times = |chunk: &AggrChunk| (chunk.min_time, chunk.max_time);
    // Content decides only so that the order of the answers does not.
    let content = |chunk: &AggrChunk, aggregate| {
        chunk.parts.get(aggregate).map(|part| (part.encoding, part.data.clone()))
    };
    times(one).cmp(&times(two)).then_with(|| {
        Aggregate::ALL
            .into_iter()
            .map(|aggregate| content(one, aggregate).cmp(&content(two, aggregate)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use storeapi::Parts;

    use super::*;

    fn raw(min_time: i64, max_time: i64, data: &'static [u8]) -> AggrChunk {
        AggrChunk::raw(min_time, max_time, Chunk::hashed(Chunk::XOR, Bytes::from_static(data)))
    }

    fn unhashed(mut chunk: AggrChunk) -> AggrChunk {
        if let Parts::One(_, part) = &mut chunk.parts {
            part.hash = 0;
        }
        chunk
    }

    #[test]
    fn the_same_bytes_are_kept_once_even_with_other_times_or_without_a_hash() {
        let mut chunks =
            vec![raw(20, 30, b"b"), raw(0, 10, b"a"), raw(0, i64::MAX, b"a"), unhashed(raw(20, 30, b"b"))];
        unite(&mut chunks);
        assert_eq!(chunks, [raw(0, 10, b"a"), raw(20, 30, b"b")]);
    }

    #[test]
    fn many_chunks_are_united_as_few_are() {
        let data: Vec<&'static [u8]> = vec![b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h", b"i", b"j"];
        let all: Vec<_> =
            data.iter().enumerate().map(|(at, data)| raw(at as i64 * 10, at as i64 * 10 + 5, data)).collect();
        let mut twice = all.clone();
        twice.extend(all.iter().rev().cloned().map(unhashed));
        unite(&mut twice);
        assert_eq!(twice, all);
    }

    #[test]
    fn aggregates_are_the_same_only_together() {
        let of = |count: &'static [u8], sum: &'static [u8]| {
            let mut parts = Parts::None;
            parts.push(Aggregate::Count, Chunk::hashed(Chunk::XOR, Bytes::from_static(count)));
            parts.push(Aggregate::Sum, Chunk::hashed(Chunk::XOR, Bytes::from_static(sum)));
            AggrChunk { min_time: 0, max_time: 10, parts }
        };
        let mut chunks = vec![of(b"n", b"s"), of(b"n", b"s"), of(b"n", b"t")];
        unite(&mut chunks);
        assert_eq!(chunks, [of(b"n", b"s"), of(b"n", b"t")]);
    }

    #[test]
    fn a_colliding_hash_does_not_lose_a_chunk() {
        let with_hash = |data: &'static [u8]| {
            AggrChunk::raw(0, 10, Chunk { encoding: Chunk::XOR, data: Bytes::from_static(data), hash: 7 })
        };
        let mut chunks: Vec<_> = (0..10).map(|_| with_hash(b"a")).collect();
        chunks.push(with_hash(b"b"));
        unite(&mut chunks);
        assert_eq!(chunks, [with_hash(b"a"), with_hash(b"b")]);
    }

    fn chunk() -> impl Strategy<Value = AggrChunk> {
        (0i64..40, 0i64..4, 0u16..400, any::<bool>()).prop_map(|(start, length, content, is_hashed)| {
            let data = Bytes::copy_from_slice(&content.to_le_bytes());
            let chunk = AggrChunk::raw(start, start + length, Chunk::hashed(Chunk::XOR, data));
            if is_hashed { chunk } else { unhashed(chunk) }
        })
    }

    /// Chunks of an answer, which is sorted or not.
    fn answer() -> impl Strategy<Value = Vec<AggrChunk>> {
        (prop::collection::vec(chunk(), 0..50), any::<bool>()).prop_map(|(mut chunks, is_sorted)| {
            if is_sorted {
                chunks.sort_by(compare);
            }
            chunks
        })
    }

    proptest! {
        #[test]
        fn two_answers_are_united_as_if_all_were_compared_with_all(
            one in answer(),
            two in answer(),
        ) {
            let mut expected: Vec<AggrChunk> = Vec::new();
            for chunk in one.iter().chain(&two) {
                if !expected.iter().any(|known| same(known, chunk)) {
                    expected.push(chunk.clone());
                }
            }
            expected.sort_by(compare);
            let mut united = one;
            united.extend(two);
            unite(&mut united);
            prop_assert_eq!(united, expected);
        }
    }
}
