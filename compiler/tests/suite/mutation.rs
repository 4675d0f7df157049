//! Broken copies of valid topologies: whatever the bytes, the compiler answers with findings at places that exist.

use compiler::pipeline::{Outcome, Request, check};
use compiler::source::MemoryWorld;
use proptest::prelude::*;

/// Pieces that are put into a topology.
const PIECES: [&str; 30] = [
    "{",
    "}",
    "\"",
    "\"\"\"",
    "#\"",
    "\"#",
    "/*",
    "*/",
    "//",
    "/-",
    "\\",
    "=",
    ";",
    "\n",
    "#true",
    "true",
    "15s",
    "${",
    "}",
    "$${A}",
    "(env)",
    "é",
    "\u{1F600}",
    "\u{0}",
    "\u{feff}",
    "\r",
    "[",
    "]",
    "'",
    ",",
];

/// Every finding points into its file, at whole characters, and so do its other places.
fn assert_places(outcome: &Outcome, input: &str) {
    for found in &outcome.diagnostics {
        for span in found.span.iter().chain(found.related.iter().map(|(span, _)| span)) {
            let file = outcome.sources.get(span.file).expect("the file is one that was read");
            let (start, end) = (span.start as usize, span.end as usize);
            assert!(start <= end && end <= file.text.len(), "{found:?} is outside of the file\n{input}");
            assert!(
                file.text.is_char_boundary(start) && file.text.is_char_boundary(end),
                "{found:?} cuts a character\n{input}"
            );
            assert!(outcome.sources.place(*span).is_some());
        }
        assert!(!found.message.is_empty());
    }
}

fn originals() -> Vec<(MemoryWorld, Request, String)> {
    let mut originals: Vec<(MemoryWorld, Request, String)> =
        super::annotated::all().iter().map(|case| (case.world(), case.request(), case.text())).collect();
    for (path, text) in super::files("../examples", ".kdl") {
        let path = path.file_name().expect("a name").to_string_lossy().into_owned();
        let request = Request { path: path.clone(), ..Request::default() };
        originals.push((MemoryWorld::single(&path, text.clone()), request, text));
    }
    originals
}

#[derive(Debug, Clone)]
enum Change {
    Delete(usize, usize),
    Duplicate(usize, usize),
    Insert(usize, usize),
    Byte(usize, u8),
    Cut(usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        (any::<usize>(), 1..40_usize).prop_map(|(at, length)| Change::Delete(at, length)),
        (any::<usize>(), 1..80_usize).prop_map(|(at, length)| Change::Duplicate(at, length)),
        (any::<usize>(), 0..PIECES.len()).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        any::<usize>().prop_map(Change::Cut),
    ];
    proptest::collection::vec(change, 1..5)
}

fn apply(text: &str, changes: &[Change]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for change in changes {
        let length = bytes.len();
        let place = |at: usize| at % (length + 1);
        match *change {
            Change::Delete(at, many) => drop(bytes.drain(place(at)..(place(at) + many).min(length))),
            Change::Duplicate(at, many) => {
                let piece = bytes[place(at)..(place(at) + many).min(length)].to_vec();
                bytes.splice(place(at)..place(at), piece);
            }
            Change::Insert(at, piece) => drop(bytes.splice(place(at)..place(at), PIECES[piece].bytes())),
            Change::Byte(at, byte) if length > 0 => bytes[at % length] = byte,
            Change::Byte(..) => {}
            Change::Cut(at) => bytes.truncate(place(at)),
        }
    }
    bytes
}

#[test]
fn no_case_points_outside_of_its_files() {
    for (world, request, text) in originals() {
        assert_places(&check(&world, &request), &text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn broken_topologies_are_answered(pick in any::<prop::sample::Index>(), changes in changes()) {
        thread_local! {
            static ORIGINALS: Vec<(MemoryWorld, Request, String)> = originals();
        }
        ORIGINALS.with(|originals| {
            let (world, request, text) = &originals[pick.index(originals.len())];
            let bytes = apply(text, &changes);
            let mut world = world.clone();
            world.files.insert(request.path.clone(), bytes.clone());
            assert_places(&check(&world, request), &String::from_utf8_lossy(&bytes));
        });
    }
}
