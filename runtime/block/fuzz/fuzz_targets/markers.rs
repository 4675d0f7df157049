//! Any bytes as a mark, and as the state of a shipper: one of these, nothing, or an error; what was read is written so that it
//! reads the same.
#![no_main]

use block::shipper::ShipperState;
use block::{BlockId, DeletionMark, Mark, NoCompactMark, NoDownsampleMark};
use libfuzzer_sys::fuzz_target;

fn check<M: Mark>(bytes: &[u8]) {
    let block: BlockId = "01HK153X00AAAAAAAAAAAAAAAA".parse().expect("a block ID");
    let Ok(Some(mark)) = M::of_block(block, bytes) else { return };
    assert_eq!(mark.block(), block);
    let written = mark.to_bytes().expect("what was read can be written");
    let again = M::of_block(block, &written).expect("what was written can be read").expect("a mark");
    assert_eq!(again.to_bytes().expect("what was read can be written"), written);
}

fuzz_target!(|bytes: &[u8]| {
    check::<DeletionMark>(bytes);
    check::<NoCompactMark>(bytes);
    check::<NoDownsampleMark>(bytes);
    let Ok(state) = ShipperState::from_bytes(bytes) else { return };
    let written = state.to_bytes().expect("what was read can be written");
    let again = ShipperState::from_bytes(&written).expect("what was written can be read");
    assert_eq!(again.uploaded, state.uploaded);
});
