//! Inputs that no editor writes: too large, too deep, not text.

use std::time::{Duration, Instant};

use compiler::diagnostic::Diagnostic;
use compiler::pipeline::{Outcome, Request, check};
use compiler::source::{FILE_SIZE_BYTES_MAX, MemoryWorld};

fn run(bytes: impl Into<Vec<u8>>) -> Outcome {
    let world = MemoryWorld::single("t.kdl", bytes);
    check(&world, &Request { path: "t.kdl".to_string(), ..Request::default() })
}

fn only(outcome: &Outcome) -> &Diagnostic {
    assert_eq!(outcome.diagnostics.len(), 1, "{:#?}", outcome.diagnostics);
    &outcome.diagnostics[0]
}

fn place(outcome: &Outcome, found: &Diagnostic) -> (usize, usize) {
    let place = found.span.and_then(|span| outcome.sources.place(span)).expect("a place");
    (place.line, place.column)
}

#[test]
fn a_file_past_the_limit_is_refused_unread() {
    let outcome = run(vec![b' '; 8 << 20]);
    let found = only(&outcome);
    assert_eq!(found.code, "KDL011");
    assert_eq!(found.message, "cannot read `t.kdl`: the file has 8388608 bytes, the limit is 4194304");
}

#[test]
fn a_million_levels_are_one_finding() {
    for (text, message) in [
        ("a {".repeat(1_000_000), "blocks are nested deeper than 48 levels"),
        ("/*".repeat(1_000_000), "comments are nested deeper than 48 levels"),
        (format!("topology a {{{}", "x {".repeat(1_000_000)), "blocks are nested deeper than 48 levels"),
    ] {
        let outcome = run(text);
        let found = only(&outcome);
        assert_eq!((found.code, found.message.as_str()), ("KDL011", message));
    }
}

#[test]
fn wrong_bytes_are_named_with_their_place() {
    let outcome = run(&b"topology a\n// caf\xE9\nquery\n"[..]);
    let found = only(&outcome);
    assert_eq!((found.code, found.message.as_str()), ("KDL012", "`t.kdl` is not UTF-8: byte 17 is wrong"));
    assert_eq!(place(&outcome, found), (2, 7));
    // A sequence that the end of the file cuts off.
    assert_eq!(only(&run(&b"topology a // \xF0\x9F\x98"[..])).code, "KDL012");
    // UTF-16 as some editors save it.
    let wide: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain("topology a".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(only(&run(wide)).code, "KDL012");
}

#[test]
fn a_byte_order_mark_and_foreign_line_ends_are_fine() {
    let unix = "topology a {\n    estimate nodes=3\n}\n";
    for text in [unix.replace('\n', "\r\n"), format!("\u{feff}{unix}"), unix.replace('\n', "\r")] {
        assert_eq!(run(text.clone()).diagnostics, [], "{text:?}");
    }
    let outcome = run("topology a {\r\n    estimate nodes=many\r\n}\r\n");
    assert_eq!(place(&outcome, only(&outcome)), (2, 20));
}

#[test]
fn control_characters_are_refused_with_a_place() {
    for text in
        ["topology a\0", "topology \"a\0b\"", "topology a {\n    \u{7f}query\n}\n", "topology \u{202e}a"]
    {
        let outcome = run(text);
        let place = outcome.diagnostics.iter().any(|found| found.span.is_some() && found.help.is_some());
        assert!(
            place && compiler::diagnostic::has_errors(&outcome.diagnostics),
            "{text:?}: {:#?}",
            outcome.diagnostics
        );
    }
}

#[test]
fn nothing_at_all_is_answered_with_a_beginning() {
    for text in ["", "\n\n", "// nothing\n", "\u{feff}"] {
        let outcome = run(text);
        let found = only(&outcome);
        assert_eq!(found.message, "there is no `topology` node", "{text:?}");
        assert!(found.help.as_deref().is_some_and(|help| help.contains("pronoia init")));
    }
}

#[test]
fn a_chain_of_includes_ends() {
    let mut world = MemoryWorld::single("t.kdl", "include \"0.kdl\"\ntopology a\n");
    for number in 0..40 {
        world.files.insert(format!("{number}.kdl"), format!("include \"{}.kdl\"\n", number + 1).into_bytes());
    }
    let outcome = check(&world, &Request { path: "t.kdl".to_string(), ..Request::default() });
    assert_eq!(only(&outcome).code, "KDL011");
}

#[test]
fn variables_that_name_variables_do_not_explode() {
    let long = "x".repeat(2000);
    let text = format!("var A default={long}\ntopology a zone=\"{}\"\n", "${A}".repeat(2000));
    let outcome = run(text);
    let found = only(&outcome);
    assert_eq!(
        (found.code, found.message.as_str()),
        ("KDL011", "the string grows past 1 MiB after substitution")
    );
}

/// Everything is linear: a file full of slips takes no longer than a valid one of its size.
#[test]
fn large_files_of_slips_are_answered_in_time() {
    let size = 400_000;
    let endless = [
        "1s ", "a/", "'", "« ", "[", "#x ", "= ", "\\", "/*/ ", "}", "x: ", "\"\\d\" ", "a{}", "//*\n", "{}",
    ];
    assert!(size as u64 <= FILE_SIZE_BYTES_MAX);
    for piece in endless {
        let started = Instant::now();
        let outcome = run(format!("topology a {{\n    query {}\n}}\n", piece.repeat(size / piece.len())));
        let _ = outcome.diagnostics.len();
        assert!(started.elapsed() < Duration::from_secs(60), "{piece:?} took {:?}", started.elapsed());
    }
}
