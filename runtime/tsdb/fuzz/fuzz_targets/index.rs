//! Any bytes as an index: an answer or an error, never a panic; all ways of asking agree with each other.
//!
//! With an odd first byte the checksums are made right first, so that what is under them is reached.
#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tsdb::block::{BlockFiles, examine};
use tsdb::encoding::crc32c;
use tsdb::index::{IndexReader, LabelArena, Series};
use tsdb::stored::StoredFile;

const TOC_BYTES: usize = 52;

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u64::from_be_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?)).ok()
}

/// Makes the checksum of `start..end` right, if it stands behind it in the file.
fn mend(bytes: &mut [u8], start: usize, end: usize) -> Option<()> {
    let sum = crc32c(bytes.get(start..end)?);
    bytes.get_mut(end..end.checked_add(4)?)?.copy_from_slice(&sum.to_be_bytes());
    Some(())
}

/// Of a section whose length takes four bytes; gives its end.
fn mend_section(bytes: &mut [u8], at: usize) -> Option<usize> {
    let length = u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?) as usize;
    let start = at + 4;
    mend(bytes, start, start.checked_add(length)?)?;
    Some(start + length + 4)
}

fn mend_all(bytes: &mut [u8]) -> Option<()> {
    let toc = bytes.len().checked_sub(TOC_BYTES)?;
    mend(bytes, toc, bytes.len() - 4)?;
    let offsets: Vec<usize> = (0..6).filter_map(|field| number(bytes, toc + 8 * field)).collect();
    let [symbols, series, _, _, postings, table] = offsets[..] else { return None };
    mend_section(bytes, symbols);
    mend_section(bytes, table);
    let mut at = series.checked_next_multiple_of(16)?;
    while at < postings.min(bytes.len()) {
        let (mut length, mut shift) = (0usize, 0);
        let mut start = at;
        loop {
            let byte = *bytes.get(start)?;
            start += 1;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 || shift > 21 {
                break;
            }
        }
        if mend(bytes, start, start + length).is_none() {
            break;
        }
        at = (start + length + 4).next_multiple_of(16);
    }
    let mut at = postings.checked_next_multiple_of(4)?;
    while at < table {
        at = mend_section(bytes, at)?.next_multiple_of(4);
    }
    Some(())
}

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let mut bytes = bytes.to_vec();
    if first & 1 == 1 {
        mend_all(&mut bytes);
    }
    let file = StoredFile::new("index", Arc::new(Bytes::from(bytes)));
    let files = BlockFiles { index: Some(file.clone()), ..BlockFiles::default() };
    let found = examine(&files, i64::MIN, i64::MAX);
    let Ok(index) = IndexReader::open(file) else { return };
    let (mut series, mut arena, mut cache) = (Series::default(), LabelArena::default(), index.symbol_cache());
    let mut scan = index.scan();
    let mut scanned = 0u64;
    while let Ok(true) = scan.next_into(&mut series) {
        scanned += 1;
        let mut again = Series::default();
        index.series_reader().read(series.reference, &mut again).expect("it was read");
        assert_eq!(again, series);
        if cache.resolve(&series.labels, &mut arena).is_ok() {
            for (name, value) in arena.iter() {
                let _ = index.postings(name, value);
            }
        }
    }
    assert!(found.counts.series >= scanned);
    let names: Vec<String> = index.label_names().map(|(name, _)| name.into_owned()).collect();
    for name in names {
        let Some(mut walk) = index.label_values(&name) else { continue };
        while let Ok(Some(_)) = walk.next_entry() {}
        let any = prom_model::Matcher::new(prom_model::MatchOp::NotEqual, name, "").expect("no expression");
        let none = any.clone().inverse();
        if let (Ok(with), Ok(without), Ok(all)) =
            (index.postings_for_matchers(&[any]), index.postings_for_matchers(&[none]), index.all_postings())
        {
            assert!(with.iter().all(|series| !without.contains(series)));
            assert!(without.len() <= all.len());
        }
    }
});
