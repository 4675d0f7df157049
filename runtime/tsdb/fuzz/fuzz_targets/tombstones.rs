//! Any bytes as tombstones: what is read is written and read again as the same; never a panic.
//!
//! With an odd first byte header and checksum are made right first.
#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tsdb::block::Tombstones;
use tsdb::encoding::crc32c;
use tsdb::stored::StoredFile;

fn read(bytes: Vec<u8>) -> Option<Tombstones> {
    Tombstones::read(&StoredFile::new("tombstones", Arc::new(Bytes::from(bytes)))).ok()
}

fuzz_target!(|input: &[u8]| {
    let Some((first, content)) = input.split_first() else { return };
    let bytes = if first & 1 == 1 {
        [&[0x01, 0x30, 0xba, 0x30, 1], content, &crc32c(content).to_be_bytes()].concat()
    } else {
        content.to_vec()
    };
    let Some(tombstones) = read(bytes) else { return };
    for (_, intervals) in tombstones.iter() {
        assert!(intervals.is_sorted_by(|one, next| one.max_time < next.min_time));
    }
    assert_eq!(read(tombstones.to_bytes()), Some(tombstones));
});
