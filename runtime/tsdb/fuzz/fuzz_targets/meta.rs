//! Any bytes as meta.json: what is read is written and read again as the same; never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tsdb::block::BlockMeta;

fuzz_target!(|input: &[u8]| {
    let Ok(meta) = BlockMeta::parse(input.to_vec()) else { return };
    let written = meta.to_json();
    assert_eq!(BlockMeta::parse(written).expect("we wrote it"), meta);
});
