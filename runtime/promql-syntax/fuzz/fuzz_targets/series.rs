//! Any text as a series with values, and as start timestamps: errors lie inside it; never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use promql_syntax::{series_description, start_timestamps};

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    // Repetitions are short to write; what they take is bounded, but not small.
    if text
        .split('x')
        .skip(1)
        .any(|after| after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len() > 3)
    {
        return;
    }
    for error in [series_description(&text).err(), start_timestamps(&text).err()].into_iter().flatten() {
        assert!(text.get(error.span.start..error.span.end).is_some(), "{error:?}");
    }
});
