//! Any bytes as a segment: a chunk or an error at every offset, never a panic, never memory beyond what a chunk may take.
//!
//! With an odd first byte header and checksums are made right first.
#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tsdb::block::{CHUNK_BYTES_MAX, Segments};
use tsdb::chunk::{Encoding, Scratch, summarise};
use tsdb::encoding::crc32c;
use tsdb::index::ChunkRef;
use tsdb::stored::StoredFile;

fn mend(bytes: &mut Vec<u8>) {
    let header = [0x85, 0xbd, 0x40, 0xdd, 1, 0, 0, 0];
    bytes.splice(0..bytes.len().min(8), header);
    let mut at = 8;
    while at < bytes.len() {
        let (mut length, mut shift) = (0usize, 0);
        while let Some(byte) = bytes.get(at).copied() {
            at += 1;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 || shift > 14 {
                break;
            }
        }
        let end = at + length + 1;
        let Some(content) = bytes.get(at..end) else { return };
        let sum = crc32c(content);
        let Some(stored) = bytes.get_mut(end..end + 4) else { return };
        stored.copy_from_slice(&sum.to_be_bytes());
        at = end + 4;
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let mut bytes = bytes.to_vec();
    if first & 1 == 1 {
        mend(&mut bytes);
    }
    let length = bytes.len() as u32;
    let file = StoredFile::new("chunks/000001", Arc::new(Bytes::from(bytes)));
    let Ok(segments) = Segments::open(vec![file]) else { return };
    let mut reader = segments.reader();
    let mut scratch = Scratch::default();
    for offset in (0..length + 2).take(512) {
        let Ok(chunk) = reader.read(ChunkRef::new(0, offset)) else { continue };
        assert!(chunk.data.len() as u64 <= CHUNK_BYTES_MAX.min(length.into()));
        if let Ok(encoding) = Encoding::from_u8(chunk.encoding) {
            let _ = summarise(encoding, chunk.data, &mut scratch);
        }
    }
    assert!(reader.read(ChunkRef::new(1, 8)).is_err());
});
