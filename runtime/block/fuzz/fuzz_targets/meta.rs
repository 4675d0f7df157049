//! Any bytes as a meta.json: metadata or an error. What was read is written so that it reads the same, and is then written
//! with the same bytes.
#![no_main]

use block::{Meta, group_key};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(meta) = Meta::from_bytes(bytes) else { return };
    let written = meta.to_bytes().expect("what was read can be written");
    let again = Meta::from_bytes(&written).expect("what was written can be read");
    assert_eq!(again.to_bytes().expect("what was read can be written"), written);
    assert_eq!(group_key(&again.thanos), group_key(&meta.thanos));
    assert!(Meta::of_block(meta.id(), bytes).is_ok());
});
