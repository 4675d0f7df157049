//! Frames of `Series`: what is written is read again, shared and not copied, and nothing that comes in does harm.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;
use storeapi::{AggrChunk, Aggregate, Chunk, LabelBytes, Parts, Series, SeriesFrame};

fn chunk() -> impl Strategy<Value = Chunk> {
    (0..3i32, prop::collection::vec(any::<u8>(), 0..40), any::<u64>())
        .prop_map(|(encoding, data, hash)| Chunk { encoding, data: data.into(), hash })
}

fn aggregates() -> impl Strategy<Value = AggrChunk> {
    let parts = prop::collection::vec(prop::option::of(chunk()), 6);
    (any::<i64>(), any::<i64>(), parts).prop_map(|(min_time, max_time, chunks)| {
        let mut parts = Parts::None;
        for (aggregate, chunk) in Aggregate::ALL.into_iter().zip(chunks) {
            if let Some(chunk) = chunk {
                parts.push(aggregate, chunk);
            }
        }
        AggrChunk { min_time, max_time, parts }
    })
}

fn series() -> impl Strategy<Value = Series> {
    let labels = prop::collection::btree_map("[a-c]{1,2}|[à-ü]{1,70}", "[a-c]{0,2}|x{200}", 0..5);
    (labels, prop::collection::vec(aggregates(), 0..4)).prop_map(|(labels, chunks)| {
        let pairs = labels.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        Series { labels: LabelBytes::from_pairs(pairs), chunks }
    })
}

type LabelTexts = BTreeMap<String, String>;

fn label_texts(name: &'static str, value: &'static str) -> impl Strategy<Value = LabelTexts> {
    prop::collection::btree_map(name, value, 0..5)
}

fn frame() -> impl Strategy<Value = SeriesFrame> {
    prop_oneof![
        series().prop_map(SeriesFrame::Series),
        prop::collection::vec(series(), 0..4).prop_map(SeriesFrame::Batch),
        ".{0,20}".prop_map(SeriesFrame::Warning),
        (".{0,20}", prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(type_url, value)| SeriesFrame::Hints(prost_types::Any { type_url, value })),
    ]
}

proptest! {
    #[test]
    fn a_frame_that_was_written_is_read_again(frame in frame()) {
        let wire = Bytes::from(frame.encode_to_vec());
        prop_assert_eq!(wire.len(), frame.encoded_len());
        prop_assert_eq!(SeriesFrame::decode(wire).expect("what we wrote"), frame);
    }

    #[test]
    fn bytes_from_anywhere_do_no_harm(wire in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(frame) = SeriesFrame::decode(Bytes::from(wire)) {
            let again = Bytes::from(frame.encode_to_vec());
            prop_assert_eq!(SeriesFrame::decode(again).expect("what we wrote"), frame);
        }
    }

    #[test]
    fn the_order_is_that_of_label_sets(
        both in label_texts("a[a-h]", "[a-c]{0,2}|x{1,60}"),
        one in label_texts("b[a-c]?", "[a-c]{0,2}|x{1,60}"),
        two in label_texts("b[a-c]?", "[a-c]{0,2}|x{1,60}"),
    ) {
        let all = |own: &LabelTexts| -> LabelTexts { both.clone().into_iter().chain(own.clone()).collect() };
        let (one, two) = (all(&one), all(&two));
        let bytes = |texts: &LabelTexts| {
            LabelBytes::from_pairs(texts.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
        };
        prop_assert_eq!(bytes(&one).cmp(&bytes(&two)), one.iter().cmp(two.iter()));
    }
}

#[test]
fn chunks_and_labels_share_the_memory_of_the_frame() {
    let labels = LabelBytes::from_pairs([(&b"job"[..], &b"api"[..])]);
    let data = Bytes::from(vec![7u8; 300]);
    let chunks = vec![AggrChunk::raw(1, 2, Chunk::hashed(Chunk::XOR, data))];
    let frame = SeriesFrame::Batch(vec![Series { labels, chunks }]);
    let wire = Bytes::from(frame.encode_to_vec());
    let SeriesFrame::Batch(batch) = SeriesFrame::decode(wire.clone()).expect("what we wrote") else {
        panic!("a batch")
    };
    let inside = wire.as_ptr_range();
    let chunk = batch[0].chunks[0].parts.get(Aggregate::Raw).expect("a raw chunk");
    assert!(inside.contains(&chunk.data.as_ptr()));
    assert!(inside.contains(&batch[0].labels.as_wire().as_ptr()));
}

#[test]
fn labels_after_the_chunks_and_in_another_form_are_labels_all_the_same() {
    // A series: chunk first, then a label whose value comes before its name.
    let wire = [0x0a, 10, 0x12, 2, 0x08, 1, 0x0a, 4, 0x12, 1, b'v', 0x20];
    assert!(SeriesFrame::decode(Bytes::copy_from_slice(&wire)).is_err(), "it ends inside a field");
    let wire = [0x0a, 14, 0x12, 4, 0x08, 1, 0x10, 2, 0x0a, 6, 0x12, 1, b'v', 0x0a, 1, b'n'];
    let SeriesFrame::Series(series) = SeriesFrame::decode(Bytes::copy_from_slice(&wire)).expect("good")
    else {
        panic!("a series")
    };
    assert_eq!(series.labels, LabelBytes::from_pairs([(&b"n"[..], &b"v"[..])]));
    assert_eq!((series.chunks[0].min_time, series.chunks[0].max_time), (1, 2));
}

#[test]
fn labels_are_added_replaced_and_removed() {
    let labels = LabelBytes::from_pairs([(&b"b"[..], &b"1"[..]), (b"d", b"2")]);
    let more = labels.with([(&b"a"[..], &b"x"[..]), (b"d", b"y"), (b"e", b"z")]);
    let wanted = [("a", "x"), ("b", "1"), ("d", "y"), ("e", "z")];
    let wanted =
        LabelBytes::from_pairs(wanted.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    assert_eq!(more, wanted);
    assert_eq!(more.without(|name| name == b"a" || name == b"e").get(b"d"), Some(&b"y"[..]));
}
