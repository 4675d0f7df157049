//! Any bytes as an index-header: an error that lies inside it, or tables whose every entry can be read. Of a header that opens,
//! each list is found where the table says.
#![no_main]

use std::sync::Arc;

use block::index_header::IndexHeader;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tsdb::encoding::{crc32c, put_u32};

/// Also with all checksums as they should be: otherwise nothing behind them is ever reached.
fn with_checksums(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    let toc = bytes.len().checked_sub(20)?;
    let number = |bytes: &[u8], at: usize| {
        let eight = bytes.get(at..)?.first_chunk::<8>()?;
        usize::try_from(u64::from_be_bytes(*eight)).ok()
    };
    let table = number(&bytes, toc + 8)?;
    for start in [14, table] {
        let length = u32::from_be_bytes(*bytes.get(start..)?.first_chunk::<4>()?) as usize;
        seal(&mut bytes, start.checked_add(4)?, length);
    }
    seal(&mut bytes, toc.checked_sub(52)?, 48);
    seal(&mut bytes, toc, 16);
    Some(bytes)
}

/// Puts the checksum behind the bytes that it is of.
fn seal(bytes: &mut [u8], start: usize, length: usize) {
    let Some(end) = start.checked_add(length) else { return };
    let Some(sum) = bytes.get(start..end).map(crc32c) else { return };
    let mut four = Vec::new();
    put_u32(&mut four, sum);
    if let Some(place) = end.checked_add(4).and_then(|behind| bytes.get_mut(end..behind)) {
        place.copy_from_slice(&four);
    }
}

fn check(bytes: &[u8]) {
    let header = match IndexHeader::open(Arc::new(Bytes::copy_from_slice(bytes))) {
        Ok(header) => header,
        Err(corruption) => {
            assert!(corruption.offset <= bytes.len() as u64, "{corruption}");
            return;
        }
    };
    let mut symbols = header.index().symbols().walk();
    let mut symbol = Vec::new();
    while symbols.next_into(&mut symbol).expect("the symbols were checked") {
        symbol.clear();
    }
    let names: Vec<String> = header.index().label_names().map(|(name, _)| name.into_owned()).collect();
    for name in names {
        let Some(mut values) = header.index().label_values(&name) else { continue };
        while let Some(entry) = values.next_entry().expect("the table was checked") {
            let Ok(value) = std::str::from_utf8(entry.value) else { continue };
            let (value, offset) = (value.to_owned(), entry.offset);
            let extent = header.postings_extent(&name, &value).expect("the table was checked");
            assert_eq!(extent.expect("the table has it").start, offset);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    if let Some(sealed) = with_checksums(bytes) {
        check(&sealed);
    }
});
