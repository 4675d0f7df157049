//! Reads: whole objects, ranges, and what is not there.

use futures::StreamExt;

use super::{assert_missing, get, noise, put, table};
use crate::{BucketError, BucketRef, read_all};

table![
    an_object_comes_back,
    an_empty_object_comes_back,
    a_big_object_comes_back_in_pieces,
    ranges_at_all_borders,
    ranges_of_a_big_object,
    a_range_over_the_end_is_clipped,
    a_range_behind_the_end_is_refused,
    a_range_of_an_empty_object_is_refused,
    a_range_of_no_bytes,
    ranges_of_any_length_do_not_overflow,
    what_is_missing_is_not_found,
    a_folder_is_not_an_object,
    exists_says_so,
    attributes_have_size_and_time,
    a_limit_on_what_is_read_holds,
    many_readers_at_once,
    a_body_can_be_dropped_midway,
];

async fn an_object_comes_back(bucket: BucketRef) {
    let bytes = noise(1, 100_003);
    put(&bucket, "a/b", bytes.clone()).await;
    assert_eq!(get(&bucket, "a/b").await, bytes);
    let got = bucket.get("a/b").await.unwrap();
    assert_eq!(got.attributes.size, 100_003);
}

async fn an_empty_object_comes_back(bucket: BucketRef) {
    put(&bucket, "empty", "").await;
    assert!(get(&bucket, "empty").await.is_empty());
    assert_eq!(bucket.attributes("empty").await.unwrap().size, 0);
    assert!(bucket.exists("empty").await.unwrap());
}

async fn a_big_object_comes_back_in_pieces(bucket: BucketRef) {
    let bytes = noise(2, 5 << 20);
    put(&bucket, "big", bytes.clone()).await;
    let mut body = bucket.get("big").await.unwrap().body;
    let mut at = 0;
    while let Some(piece) = body.next().await {
        let piece = piece.unwrap();
        assert_eq!(piece, bytes[at..at + piece.len()], "at {at}");
        at += piece.len();
    }
    assert_eq!(at, bytes.len());
}

async fn ranges_at_all_borders(bucket: BucketRef) {
    let bytes = noise(3, 12);
    put(&bucket, "x", bytes.clone()).await;
    for offset in 0..12_u64 {
        for length in 1..=14_u64 {
            let end = (offset + length).min(12);
            let expected = &bytes[offset as usize..end as usize];
            let found = bucket.get_range("x", offset, length).await;
            assert_eq!(found.expect("inside"), expected, "{offset}+{length}");
        }
    }
}

async fn ranges_of_a_big_object(bucket: BucketRef) {
    let size = (3 << 20) + 17;
    let bytes = noise(4, size);
    put(&bucket, "x", bytes.clone()).await;
    for (offset, length) in [(0, size), (1, size - 1), (1 << 20, 1 << 20), ((1 << 20) - 1, 2), (size - 1, 1)]
    {
        let found = bucket.get_range("x", offset as u64, length as u64).await.unwrap();
        assert_eq!(found, bytes[offset..offset + length], "{offset}+{length}");
    }
}

async fn a_range_over_the_end_is_clipped(bucket: BucketRef) {
    put(&bucket, "x", "0123456789").await;
    assert_eq!(bucket.get_range("x", 7, 100).await.unwrap(), "789");
    assert_eq!(bucket.get_range("x", 0, 11).await.unwrap(), "0123456789");
    assert_eq!(bucket.get_range("x", 9, 2).await.unwrap(), "9");
}

async fn a_range_behind_the_end_is_refused(bucket: BucketRef) {
    put(&bucket, "x", "0123456789").await;
    for offset in [10, 11, 1_000, u64::MAX] {
        let error = bucket.get_range("x", offset, 1).await.unwrap_err();
        assert!(matches!(error, BucketError::OutOfRange { size: 10, .. }), "{offset}: {error:?}");
    }
}

async fn a_range_of_an_empty_object_is_refused(bucket: BucketRef) {
    put(&bucket, "x", "").await;
    let error = bucket.get_range("x", 0, 1).await.unwrap_err();
    assert!(matches!(error, BucketError::OutOfRange { size: 0, .. }), "{error:?}");
}

async fn a_range_of_no_bytes(bucket: BucketRef) {
    put(&bucket, "x", "0123456789").await;
    assert!(bucket.get_range("x", 3, 0).await.unwrap().is_empty());
    assert!(matches!(bucket.get_range("x", 10, 0).await, Err(BucketError::OutOfRange { .. })));
    assert_missing(bucket.get_range("missing", 0, 0).await);
}

async fn ranges_of_any_length_do_not_overflow(bucket: BucketRef) {
    put(&bucket, "x", "0123456789").await;
    assert_eq!(bucket.get_range("x", 4, u64::MAX).await.unwrap(), "456789");
    assert_eq!(bucket.get_range("x", 0, u64::MAX).await.unwrap(), "0123456789");
    assert_eq!(bucket.get_range("x", 9, u64::MAX - 9).await.unwrap(), "9");
}

async fn what_is_missing_is_not_found(bucket: BucketRef) {
    put(&bucket, "a/b", "x").await;
    for name in ["missing", "a/c", "a/b/c", "b"] {
        assert_missing(bucket.get(name).await);
        assert_missing(bucket.get_range(name, 0, 1).await);
        assert_missing(bucket.attributes(name).await);
        assert_missing(read_all(bucket.as_ref(), name, 10).await);
    }
}

async fn a_folder_is_not_an_object(bucket: BucketRef) {
    put(&bucket, "a/b/c", "x").await;
    for name in ["a", "a/b"] {
        assert_missing(bucket.get(name).await);
        assert_missing(bucket.get_range(name, 0, 1).await);
        assert_missing(bucket.attributes(name).await);
        assert!(!bucket.exists(name).await.unwrap(), "{name}");
    }
}

async fn exists_says_so(bucket: BucketRef) {
    assert!(!bucket.exists("a").await.unwrap());
    put(&bucket, "a", "x").await;
    assert!(bucket.exists("a").await.unwrap());
    assert!(!bucket.exists("a/b").await.unwrap());
    bucket.delete("a").await.unwrap();
    assert!(!bucket.exists("a").await.unwrap());
}

async fn attributes_have_size_and_time(bucket: BucketRef) {
    put(&bucket, "a", "0123456").await;
    let first = bucket.attributes("a").await.unwrap();
    assert_eq!(first.size, 7);
    put(&bucket, "a", "01").await;
    let second = bucket.attributes("a").await.unwrap();
    assert_eq!(second.size, 2);
    assert!(second.modified >= first.modified, "{first:?} then {second:?}");
    assert_eq!(bucket.get("a").await.unwrap().attributes.size, 2);
}

async fn a_limit_on_what_is_read_holds(bucket: BucketRef) {
    put(&bucket, "a", "0123456789").await;
    assert_eq!(read_all(bucket.as_ref(), "a", 10).await.unwrap(), "0123456789");
    let error = read_all(bucket.as_ref(), "a", 9).await.unwrap_err();
    assert!(matches!(error, BucketError::TooLarge { size: 10, limit: 9, .. }), "{error:?}");
}

async fn many_readers_at_once(bucket: BucketRef) {
    let bytes = noise(5, 70_000);
    put(&bucket, "a", bytes.clone()).await;
    let reads = (0..32_u64).map(|number| {
        let (bucket, bytes) = (bucket.clone(), bytes.clone());
        async move {
            let offset = number * 1_000;
            let found = bucket.get_range("a", offset, 5_000).await.unwrap();
            assert_eq!(found, bytes[offset as usize..offset as usize + 5_000]);
        }
    });
    futures::future::join_all(reads).await;
}

async fn a_body_can_be_dropped_midway(bucket: BucketRef) {
    let bytes = noise(6, 3 << 20);
    put(&bucket, "a", bytes.clone()).await;
    let mut body = bucket.get("a").await.unwrap().body;
    assert!(body.next().await.unwrap().is_ok());
    drop(body);
    assert_eq!(get(&bucket, "a").await, bytes);
}
