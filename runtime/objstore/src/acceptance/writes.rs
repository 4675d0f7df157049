//! Writes: whole or not at all, over what was there or only where nothing was.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;

use super::{assert_missing, get, listed_names, noise, put, table};
use crate::{Body, BucketError, BucketRef, Listing, Put};

table![
    a_write_is_seen_by_the_next_read,
    overwriting_replaces_everything,
    overwriting_with_less_leaves_nothing_over,
    a_body_of_twelve_mebibytes,
    a_body_in_small_pieces,
    a_body_that_fails_leaves_nothing,
    a_body_that_fails_leaves_the_old_object,
    a_body_of_another_size_leaves_nothing,
    a_big_body_that_fails_leaves_nothing,
    create_makes_what_is_missing,
    create_leaves_what_is_there,
    create_after_delete,
    one_of_many_creators_wins,
    concurrent_writes_leave_one_of_them_whole,
    concurrent_writes_to_many_names,
    delete_removes_one_object,
    deleting_what_is_missing_is_harmless,
    deleting_a_folder_removes_nothing,
    writing_again_after_delete,
    readers_see_old_or_new_and_nothing_between,
];

/// Pieces, and an error at the end if so wanted.
#[derive(Debug)]
struct Pieces {
    size: u64,
    pieces: Vec<Bytes>,
    breaks: bool,
}

impl Body for Pieces {
    fn size(&self) -> u64 {
        self.size
    }

    fn open(&self) -> BoxStream<'static, std::io::Result<Bytes>> {
        let end = self.breaks.then(|| Err(std::io::Error::other("the disk is gone")));
        let pieces: Vec<_> = self.pieces.iter().cloned().map(Ok).chain(end).collect();
        Box::pin(futures::stream::iter(pieces))
    }
}

async fn a_write_is_seen_by_the_next_read(bucket: BucketRef) {
    for number in 0..10 {
        let name = format!("a/{number}");
        put(&bucket, &name, format!("{number}")).await;
        assert_eq!(get(&bucket, &name).await, format!("{number}"));
        assert_eq!(listed_names(&bucket, "a", Listing::Shallow).await.len(), number + 1);
    }
}

async fn overwriting_replaces_everything(bucket: BucketRef) {
    put(&bucket, "a", "first").await;
    put(&bucket, "a", "second").await;
    assert_eq!(get(&bucket, "a").await, "second");
    assert_eq!(listed_names(&bucket, "", Listing::Recursive).await, ["a"]);
}

async fn overwriting_with_less_leaves_nothing_over(bucket: BucketRef) {
    put(&bucket, "a", noise(1, 10_000)).await;
    put(&bucket, "a", "s").await;
    assert_eq!(get(&bucket, "a").await, "s");
    put(&bucket, "a", "").await;
    assert_eq!(get(&bucket, "a").await, "");
}

async fn a_body_of_twelve_mebibytes(bucket: BucketRef) {
    let bytes = noise(2, 12 << 20);
    put(&bucket, "big/one", bytes.clone()).await;
    assert!(get(&bucket, "big/one").await == bytes, "another content");
    assert_eq!(listed_names(&bucket, "", Listing::Recursive).await, ["big/one"]);
    assert_eq!(bucket.attributes("big/one").await.unwrap().size, 12 << 20);
}

async fn a_body_in_small_pieces(bucket: BucketRef) {
    let bytes = noise(3, 300_000);
    let pieces: Vec<Bytes> =
        (0..300).map(|number| bytes.slice(number * 1_000..(number + 1) * 1_000)).collect();
    let body = Pieces { size: 300_000, pieces, breaks: false };
    bucket.put("a", Arc::new(body), Put::Replace).await.unwrap();
    assert_eq!(get(&bucket, "a").await, bytes);
}

async fn a_body_that_fails_leaves_nothing(bucket: BucketRef) {
    let body = Pieces { size: 10, pieces: vec![Bytes::from_static(b"01234")], breaks: true };
    let error = bucket.put("a/b", Arc::new(body), Put::Replace).await.unwrap_err();
    assert!(matches!(error, BucketError::Source { .. }), "{error:?}");
    assert_missing(bucket.attributes("a/b").await);
    assert!(listed_names(&bucket, "", Listing::Recursive).await.is_empty());
}

async fn a_body_that_fails_leaves_the_old_object(bucket: BucketRef) {
    put(&bucket, "a", "old").await;
    let body = Pieces { size: 10, pieces: vec![Bytes::from_static(b"01234")], breaks: true };
    bucket.put("a", Arc::new(body), Put::Replace).await.unwrap_err();
    assert_eq!(get(&bucket, "a").await, "old");
}

async fn a_body_of_another_size_leaves_nothing(bucket: BucketRef) {
    for size in [4, 6] {
        let body = Pieces { size, pieces: vec![Bytes::from_static(b"01234")], breaks: false };
        let error = bucket.put("a", Arc::new(body), Put::Replace).await.unwrap_err();
        assert!(matches!(error, BucketError::Source { .. }), "{size}: {error:?}");
        assert_missing(bucket.attributes("a").await);
    }
}

async fn a_big_body_that_fails_leaves_nothing(bucket: BucketRef) {
    let piece = noise(4, 1 << 20);
    let body = Pieces { size: 14 << 20, pieces: vec![piece; 13], breaks: true };
    let error = bucket.put("a/big", Arc::new(body), Put::Replace).await.unwrap_err();
    assert!(matches!(error, BucketError::Source { .. }), "{error:?}");
    assert_missing(bucket.attributes("a/big").await);
    assert!(listed_names(&bucket, "", Listing::Recursive).await.is_empty());
}

async fn create(bucket: &BucketRef, name: &str, text: &'static str) -> Result<(), BucketError> {
    let body = Arc::new(Bytes::from_static(text.as_bytes()));
    bucket.put(name, body, Put::Create).await.map(drop)
}

async fn create_makes_what_is_missing(bucket: BucketRef) {
    match create(&bucket, "a/b", "x").await {
        Ok(()) => assert_eq!(get(&bucket, "a/b").await, "x"),
        Err(BucketError::NotSupported { .. }) => assert!(!bucket.creates_atomically()),
        Err(error) => panic!("{error:?}"),
    }
}

async fn create_leaves_what_is_there(bucket: BucketRef) {
    put(&bucket, "a", "first").await;
    let error = create(&bucket, "a", "second").await.unwrap_err();
    match error {
        BucketError::AlreadyExists { .. } => {}
        BucketError::NotSupported { .. } => assert!(!bucket.creates_atomically()),
        error => panic!("{error:?}"),
    }
    assert_eq!(get(&bucket, "a").await, "first");
}

async fn create_after_delete(bucket: BucketRef) {
    if !bucket.creates_atomically() {
        return;
    }
    create(&bucket, "a", "first").await.unwrap();
    bucket.delete("a").await.unwrap();
    create(&bucket, "a", "second").await.unwrap();
    assert_eq!(get(&bucket, "a").await, "second");
}

async fn one_of_many_creators_wins(bucket: BucketRef) {
    if !bucket.creates_atomically() {
        return;
    }
    let creators = (0..8_usize).map(|number| {
        let bucket = bucket.clone();
        async move { bucket.put("a", Arc::new(Bytes::from(format!("{number}"))), Put::Create).await.is_ok() }
    });
    let won = futures::future::join_all(creators).await;
    let winners: Vec<usize> =
        won.iter().enumerate().filter(|(_, won)| **won).map(|(number, _)| number).collect();
    assert_eq!(winners.len(), 1, "{won:?}");
    assert_eq!(get(&bucket, "a").await, winners[0].to_string());
}

async fn concurrent_writes_leave_one_of_them_whole(bucket: BucketRef) {
    let bodies: Vec<Bytes> = (0..8_u64).map(|seed| noise(seed, 200_000 + seed as usize)).collect();
    let writes = bodies.iter().map(|body| bucket.put("a", Arc::new(body.clone()), Put::Replace));
    for written in futures::future::join_all(writes).await {
        written.unwrap();
    }
    let left = get(&bucket, "a").await;
    assert!(bodies.contains(&left), "{} bytes of none of them", left.len());
    assert_eq!(listed_names(&bucket, "", Listing::Recursive).await, ["a"]);
}

async fn concurrent_writes_to_many_names(bucket: BucketRef) {
    let names: Vec<String> = (0..40).map(|number| format!("{}/{number:02}", number % 4)).collect();
    futures::future::join_all(names.iter().map(|name| put(&bucket, name, name.clone()))).await;
    for name in &names {
        assert_eq!(get(&bucket, name).await, *name);
    }
    assert_eq!(listed_names(&bucket, "", Listing::Recursive).await.len(), 40);
}

async fn delete_removes_one_object(bucket: BucketRef) {
    for name in ["a/1", "a/10", "a/1/x"] {
        // A disk cannot have a file and a folder of one name; other stores can.
        let written = bucket.put(name, Arc::new(Bytes::from_static(b"x")), Put::Replace).await;
        assert!(written.is_ok() || name == "a/1/x", "{name}: {written:?}");
    }
    bucket.delete("a/1").await.unwrap();
    assert_missing(bucket.attributes("a/1").await);
    assert!(bucket.exists("a/10").await.unwrap());
}

async fn deleting_what_is_missing_is_harmless(bucket: BucketRef) {
    put(&bucket, "a/b", "x").await;
    for name in ["missing", "a/c", "a/b/c", "c/d"] {
        match bucket.delete(name).await {
            Ok(()) | Err(BucketError::NotFound { .. }) => {}
            Err(error) => panic!("{name}: {error:?}"),
        }
    }
    assert_eq!(listed_names(&bucket, "", Listing::Recursive).await, ["a/b"]);
}

async fn deleting_a_folder_removes_nothing(bucket: BucketRef) {
    put(&bucket, "a/b/c", "x").await;
    for name in ["a", "a/b"] {
        match bucket.delete(name).await {
            Ok(()) | Err(BucketError::NotFound { .. }) => {}
            Err(error) => panic!("{name}: {error:?}"),
        }
    }
    assert_eq!(get(&bucket, "a/b/c").await, "x");
}

async fn writing_again_after_delete(bucket: BucketRef) {
    for round in 0..3 {
        put(&bucket, "a/b/c", format!("{round}")).await;
        assert_eq!(get(&bucket, "a/b/c").await, format!("{round}"));
        bucket.delete("a/b/c").await.unwrap();
        assert_missing(bucket.get("a/b/c").await);
    }
}

async fn readers_see_old_or_new_and_nothing_between(bucket: BucketRef) {
    let bodies = [noise(1, 400_000), noise(2, 300_000)];
    put(&bucket, "a", bodies[0].clone()).await;
    let writer = async {
        for number in 1..12_usize {
            put(&bucket, "a", bodies[number % 2].clone()).await;
        }
    };
    let reader = async {
        for _ in 0..12 {
            let read = get(&bucket, "a").await;
            assert!(bodies.contains(&read), "{} bytes of neither", read.len());
        }
    };
    futures::future::join(writer, reader).await;
}
