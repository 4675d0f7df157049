//! Postings as they are kept: their number, and the distance of each from the one before, as variable-length integers.

use bytes::Bytes;
use tsdb::encoding::{Reader, put_uvarint};
use tsdb::index::Postings;

/// The bytes of a list.
pub(super) fn pack(postings: &Postings) -> Bytes {
    let mut bytes = Vec::with_capacity(postings.len() + postings.len() / 2 + 5);
    put_uvarint(&mut bytes, postings.len() as u64);
    let mut previous = 0u32;
    for series in postings.iter() {
        put_uvarint(&mut bytes, u64::from(series.0.wrapping_sub(previous)));
        previous = series.0;
    }
    bytes.shrink_to_fit();
    bytes.into()
}

/// The list of these bytes; `None` where they are none.
pub(super) fn unpack(bytes: &[u8]) -> Option<Postings> {
    let mut reader = Reader::new(bytes, 0);
    let count = usize::try_from(reader.uvarint().ok()?).ok()?;
    // A distance takes a byte at least.
    if count > reader.len() {
        return None;
    }
    let mut list = Vec::with_capacity(count);
    let mut previous = 0u32;
    for _ in 0..count {
        let distance = u32::try_from(reader.uvarint().ok()?).ok()?;
        previous = previous.checked_add(distance)?;
        list.push(previous);
    }
    if reader.is_empty() { Postings::from_ascending(list) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_back_and_damage_does_not() {
        for list in [vec![], vec![0], vec![7, 8, 9, 1000, u32::MAX], (0..5000).map(|n| n * 3).collect()] {
            let postings = Postings::from_ascending(list.clone()).unwrap();
            let packed = pack(&postings);
            let back: Vec<u32> = unpack(&packed).unwrap().iter().map(|series| series.0).collect();
            assert_eq!(back, list);
            if !list.is_empty() {
                assert_eq!(unpack(&packed[..packed.len() - 1]), None);
            }
        }
        for damaged in [&[2, 5, 0][..], &[1, 0xff, 0xff, 0xff, 0xff, 0x7f], &[9, 1], &[0, 0], &[]] {
            assert_eq!(unpack(damaged), None, "{damaged:?}");
        }
    }
}
