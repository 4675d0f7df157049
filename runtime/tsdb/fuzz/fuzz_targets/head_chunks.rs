//! Any bytes as a head chunk file: chunks or damage, never a panic; a head opens beside it and opens again without damage.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use tsdb::encoding::crc32c;
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;
use tsdb::head::{Head, HeadOptions, read_chunk};

fuzz_target!(|input: &[u8]| {
    let Some((mode, bytes)) = input.split_first() else { return };
    let mut file = vec![0x01, 0x30, 0xbc, 0x91, 1, 0, 0, 0];
    if mode & 1 == 0 {
        file.extend_from_slice(bytes);
    } else {
        // Chunks with the right checksums: of each a length, then so many bytes of head and data.
        let mut rest = bytes;
        while let Some((length, behind)) = rest.split_first() {
            let (chunk, behind) = behind.split_at(usize::from(*length).min(behind.len()));
            file.extend_from_slice(chunk);
            file.extend_from_slice(&crc32c(chunk).to_be_bytes());
            rest = behind;
        }
    }
    let (mut offset, mut chunks) = (8usize, 0);
    while let Ok(Some((chunk, length))) = read_chunk(&file[offset..], offset as u64) {
        assert!(chunk.data.len() < length);
        (offset, chunks) = (offset + length, chunks + 1);
    }
    let sim = SimFs::new();
    let fs: Arc<dyn Fs> = Arc::new(sim.clone());
    fs.create_dir_all(Path::new("/data/chunks_head")).expect("a folder");
    sim.put(Path::new("/data/chunks_head/000001"), &file).expect("a file");
    let open = |min_valid_time| {
        Head::open(fs.clone(), Path::new("/data"), HeadOptions::default(), min_valid_time, &mut |_| {}).expect("a head").1
    };
    let damage = open(i64::MIN).damage;
    assert!(damage.len() <= 1);
    assert!(open(i64::MIN).damage.is_empty());
});
