//! Indices of format 1, as Prometheus 2.0 wrote them: symbols and series named by their offsets, no order among lists.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use prom_model::{MatchOp, Matcher};
use tsdb::block::{BlockFiles, ProblemKind, examine};
use tsdb::encoding::{crc32c, put_u32, put_u64, put_uvarint, put_uvarint_bytes, put_varint};
use tsdb::index::{IndexReader, Series, Version};
use tsdb::stored::StoredFile;

const SERIES: [[(&str, &str); 2]; 4] = [
    [("__name__", "a"), ("job", "x")],
    [("__name__", "a"), ("job", "y")],
    [("__name__", "b"), ("job", "x")],
    [("__name__", "b"), ("zone", "y")],
];

/// Appends length, content, checksum.
fn put_section(bytes: &mut Vec<u8>, content: &[u8]) -> u64 {
    let at = bytes.len() as u64;
    put_u32(bytes, content.len() as u32);
    bytes.extend_from_slice(content);
    put_u32(bytes, crc32c(content));
    at
}

pub(crate) fn index() -> Vec<u8> {
    let mut bytes = vec![0xba, 0xaa, 0xd7, 0x00, 1];
    let texts = ["__name__", "a", "b", "job", "x", "y", "zone"];
    let mut content = Vec::new();
    put_u32(&mut content, texts.len() as u32);
    let mut symbols = BTreeMap::new();
    for text in texts {
        // Behind the header, the length of the section, and what is there already.
        symbols.insert(text, 5 + 4 + content.len() as u64);
        put_uvarint_bytes(&mut content, text.as_bytes());
    }
    let mut toc = vec![put_section(&mut bytes, &content)];
    toc.push(bytes.len() as u64);
    let mut lists: BTreeMap<(&str, &str), Vec<u32>> = BTreeMap::new();
    for (number, labels) in SERIES.iter().enumerate() {
        let at = bytes.len() as u32;
        let mut content = Vec::new();
        put_uvarint(&mut content, labels.len() as u64);
        for (name, value) in labels {
            put_uvarint(&mut content, symbols[name]);
            put_uvarint(&mut content, symbols[value]);
            lists.entry((name, value)).or_default().push(at);
        }
        lists.entry(("", "")).or_default().push(at);
        put_uvarint(&mut content, 1);
        put_varint(&mut content, 1000 * number as i64);
        put_uvarint(&mut content, 500);
        put_uvarint(&mut content, 8);
        put_uvarint(&mut bytes, content.len() as u64);
        bytes.extend_from_slice(&content);
        put_u32(&mut bytes, crc32c(&content));
    }
    toc.push(bytes.len() as u64);
    let mut content = Vec::new();
    for number in [1, 2, symbols["x"] as u32, symbols["y"] as u32] {
        put_u32(&mut content, number);
    }
    let label_index = put_section(&mut bytes, &content);
    let postings = bytes.len() as u64;
    let mut entries = Vec::new();
    // The order of lists was that of a hash table.
    for ((name, value), list) in lists.iter().rev() {
        let mut content = Vec::new();
        put_u32(&mut content, list.len() as u32);
        list.iter().for_each(|series| put_u32(&mut content, *series));
        entries.push((*name, *value, put_section(&mut bytes, &content)));
    }
    let mut content = Vec::new();
    put_u32(&mut content, 1);
    put_uvarint(&mut content, 1);
    put_uvarint_bytes(&mut content, b"job");
    put_uvarint(&mut content, label_index);
    toc.push(put_section(&mut bytes, &content));
    toc.push(postings);
    let mut content = Vec::new();
    put_u32(&mut content, entries.len() as u32);
    for (name, value, offset) in entries {
        put_uvarint(&mut content, 2);
        put_uvarint_bytes(&mut content, name.as_bytes());
        put_uvarint_bytes(&mut content, value.as_bytes());
        put_uvarint(&mut content, offset);
    }
    toc.push(put_section(&mut bytes, &content));
    let start = bytes.len();
    toc.into_iter().for_each(|offset| put_u64(&mut bytes, offset));
    let sum = crc32c(&bytes[start..]);
    put_u32(&mut bytes, sum);
    bytes
}

pub(crate) fn file(bytes: Vec<u8>) -> StoredFile {
    StoredFile::new("index", Arc::new(Bytes::from(bytes)))
}

#[test]
fn everything_is_found_in_it() {
    let index = IndexReader::open(file(index())).unwrap();
    assert_eq!(index.version(), Version::V1);
    let mut scan = index.scan();
    let mut series = Series::default();
    for labels in SERIES {
        assert!(scan.next_into(&mut series).unwrap());
        assert_eq!(index.labels(&series).unwrap(), labels.into());
        assert_eq!(series.chunks[0].max_time - series.chunks[0].min_time, 500);
    }
    assert!(!scan.next_into(&mut series).unwrap());
    let names: Vec<String> = index.label_names().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["__name__", "job", "zone"]);
    let mut values = index.label_values("job").unwrap();
    for value in [b"x", b"y"] {
        assert_eq!(values.next_entry().unwrap().unwrap().value, value);
    }
    assert_eq!(values.next_entry().unwrap(), None);
    for (op, name, value, expected) in [
        (MatchOp::Equal, "job", "x", vec![0, 2]),
        (MatchOp::NotEqual, "job", "x", vec![1, 3]),
        (MatchOp::Regex, "__name__", "b.*", vec![2, 3]),
        (MatchOp::Equal, "zone", "", vec![0, 1, 2]),
    ] {
        let matcher = Matcher::new(op, name, value).unwrap();
        let found = index.postings_for_matchers(std::slice::from_ref(&matcher)).unwrap();
        let mut reader = index.series_reader();
        let found: Vec<usize> = found
            .iter()
            .map(|reference| {
                reader.read(reference, &mut series).unwrap();
                let labels = index.labels(&series).unwrap();
                SERIES.iter().position(|known| labels == (*known).into()).unwrap()
            })
            .collect();
        assert_eq!(found, expected, "{matcher}");
    }
}

#[test]
fn it_is_examined_to_its_last_byte() {
    let bytes = index();
    let examined = |bytes: Vec<u8>| {
        let files = BlockFiles { index: Some(file(bytes)), ..BlockFiles::default() };
        let found = examine(&files, 0, 10_000);
        found.problems.iter().map(|problem| problem.kind).collect::<Vec<ProblemKind>>()
    };
    // There are no segments, and nothing else is wrong.
    assert_eq!(examined(bytes.clone()), [ProblemKind::SegmentMissing]);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        let found = examined(damaged);
        assert!(found != [ProblemKind::SegmentMissing], "a changed byte {at} was not found");
    }
}
