//! Seeded damage to everything that lies beside a block: an error, nothing, or something that reads the same once written;
//! never a panic.
//!
//! `PRONOIA_MUTATIONS` says how many damaged inputs each decoder gets.

use std::sync::Arc;

use block::index_header::IndexHeader;
use block::shipper::ShipperState;
use block::{DeletionMark, Mark, Meta, NoCompactMark, NoCompactReason, NoDownsampleMark, NoDownsampleReason};
use bytes::Bytes;
use objstore::Chance;
use prom_model::Clock;
use tsdb::encoding::crc32c;

use super::header::good_header;
use super::world::{clock, id, meta};

/// Pieces that JSON of this kind is made of, and some that it is not.
const PIECES: [&str; 20] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "-1",
    "1",
    "9223372036854775808",
    "1e400",
    "\\u0000",
    "\\ud800",
    "\"version\":1",
    "\"thanos\":{",
    "\"labels\":null",
    "\u{fffd}",
    "01HK153X00AAAAAAAAAAAAAAAA",
];

fn mutations() -> u64 {
    std::env::var("PRONOIA_MUTATIONS").ok().map_or(3_000, |text| text.parse().expect("a number"))
}

/// One to four changes: bits, bytes, cuts, repetitions, pieces.
fn damage(good: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..=chance.below(4) {
        let at = chance.below(bytes.len() as u64 + 1) as usize;
        let end = (at + chance.below(24) as usize).min(bytes.len());
        match chance.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            1 if at < bytes.len() => bytes[at] = chance.next_u64() as u8,
            2 => drop(bytes.drain(at..end)),
            3 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            4 => {
                let piece = PIECES[chance.below(PIECES.len() as u64) as usize];
                bytes.splice(at..end, piece.bytes());
            }
            _ if chance.below(16) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
    bytes
}

/// Gives every decoder its damaged inputs; `check` says whether one was read.
#[expect(clippy::print_stderr, reason = "the figures are what a run is for")]
fn run(what: &str, good: &[Vec<u8>], mut check: impl FnMut(&[u8], &mut Chance) -> bool) {
    let (count, mut read) = (mutations(), 0_u64);
    let mut chance = Chance::from_seed(11);
    for _ in 0..count {
        let pick = chance.below(good.len() as u64) as usize;
        let bytes = damage(&good[pick], &mut chance);
        read += u64::from(check(&bytes, &mut chance));
    }
    eprintln!("{what}: {count} damaged inputs, {read} read, the others refused, 0 panics");
}

#[test]
fn metadata() {
    let mut rich = meta(id(1), 0);
    rich.thanos.extensions = serde_json::json!({"a": [1, {"b": null}]});
    rich.block.compaction.parents = vec![rich.block.description()];
    let good = [meta(id(1), 0).to_bytes().unwrap(), rich.to_bytes().unwrap()];
    run("meta.json", &good, |bytes, _| {
        let Ok(meta) = Meta::from_bytes(bytes) else { return false };
        let written = meta.to_bytes().unwrap();
        assert_eq!(Meta::from_bytes(&written).unwrap().to_bytes().unwrap(), written);
        true
    });
}

#[test]
fn marks() {
    let now = clock().now();
    let good = [
        DeletionMark::new(id(1), now, "why").to_bytes().unwrap(),
        NoCompactMark::new(id(1), now, NoCompactReason::Manual, "why").to_bytes().unwrap(),
        NoDownsampleMark::new(id(1), now, NoDownsampleReason::Manual, "why").to_bytes().unwrap(),
    ];
    fn check<M: Mark>(bytes: &[u8]) -> bool {
        let Ok(Some(mark)) = M::of_block(id(1), bytes) else { return false };
        let written = mark.to_bytes().unwrap();
        assert_eq!(M::of_block(id(1), &written).unwrap().unwrap().to_bytes().unwrap(), written);
        assert_eq!(mark.block(), id(1));
        true
    }
    run("marks", &good, |bytes, _| {
        check::<DeletionMark>(bytes) | check::<NoCompactMark>(bytes) | check::<NoDownsampleMark>(bytes)
    });
}

#[test]
fn states_of_shippers() {
    let good = [ShipperState::new(vec![id(1), id(2)]), ShipperState::new(Vec::new())];
    run("states of shippers", &good.map(|state| state.to_bytes().unwrap()), |bytes, _| {
        let Ok(state) = ShipperState::from_bytes(bytes) else { return false };
        let written = state.to_bytes().unwrap();
        assert_eq!(ShipperState::from_bytes(&written).unwrap().uploaded, state.uploaded);
        true
    });
}

#[tokio::test]
async fn index_headers() {
    let good = [good_header(40).await, good_header(3).await];
    run("index-headers", &good, |bytes, chance| {
        let mut bytes = bytes.to_vec();
        if chance.below(2) == 0 {
            // With all checksums as they should be: otherwise nothing behind them is reached.
            seal(&mut bytes);
        }
        let header = match IndexHeader::open(Arc::new(Bytes::from(bytes.clone()))) {
            Ok(header) => header,
            Err(corruption) => {
                assert!(corruption.offset <= bytes.len() as u64, "{corruption}");
                return false;
            }
        };
        let names: Vec<String> = header.index().label_names().map(|(name, _)| name.into_owned()).collect();
        for name in names {
            let Some(mut values) = header.index().label_values(&name) else { continue };
            while let Some(entry) = values.next_entry().unwrap() {
                let (Ok(value), start) = (String::from_utf8(entry.value.to_vec()), entry.offset) else {
                    continue;
                };
                assert_eq!(header.postings_extent(&name, &value).unwrap().unwrap().start, start);
            }
        }
        true
    });
}

/// Computes the checksums of an index-header anew, as far as its sections can be found.
fn seal(bytes: &mut [u8]) {
    let Some(toc) = bytes.len().checked_sub(20) else { return };
    let table = bytes.get(toc + 8..toc + 16).and_then(|eight| eight.try_into().ok()).map(u64::from_be_bytes);
    let table = table.and_then(|table| usize::try_from(table).ok()).unwrap_or(0);
    let section = |bytes: &[u8], at: usize| {
        let length = bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_be_bytes)?;
        Some((at + 4, length as usize))
    };
    let sections =
        [section(bytes, 14), section(bytes, table), toc.checked_sub(52).map(|at| (at, 48)), Some((toc, 16))];
    for (start, length) in sections.into_iter().flatten() {
        let Some(end) = start.checked_add(length).filter(|end| end + 4 <= bytes.len()) else { continue };
        let sum = crc32c(&bytes[start..end]);
        bytes[end..end + 4].copy_from_slice(&sum.to_be_bytes());
    }
}
