//! Names: what is one, and that it comes back as it was given.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;

use super::{assert_missing, get, listed_names, put, table};
use crate::{BucketError, BucketRef, Entry, Listing, Put};

table![
    names_with_punctuation_come_back,
    unicode_names_come_back,
    percent_signs_are_not_decoded,
    names_are_case_sensitive,
    long_names,
    names_that_are_prefixes_of_others,
    invalid_names_are_refused_by_every_operation,
    invalid_folders_are_refused,
    errors_name_the_object,
    the_bucket_has_a_name,
];

async fn come_back(bucket: &BucketRef, names: &[&str]) {
    for (index, name) in names.iter().enumerate() {
        put(bucket, name, format!("{index}")).await;
    }
    for (index, name) in names.iter().enumerate() {
        assert_eq!(get(bucket, name).await, format!("{index}"), "{name}");
        assert!(bucket.exists(name).await.unwrap(), "{name}");
    }
    let mut sorted: Vec<&str> = names.to_vec();
    sorted.sort_unstable();
    assert_eq!(listed_names(bucket, "", Listing::Recursive).await, sorted);
    for name in names {
        bucket.delete(name).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_missing(bucket.attributes(name).await);
    }
}

async fn names_with_punctuation_come_back(bucket: BucketRef) {
    come_back(
        &bucket,
        &["a b/c d", "plus+and=and&", "tilde~[x]*?", "d/quote\"'`", "hash#semi;colon:", "at@,$!()"],
    )
    .await;
}

async fn unicode_names_come_back(bucket: BucketRef) {
    come_back(&bucket, &["ü/ö/ß.json", "温度/計", "emoji-😀", "combining-e\u{301}", "й"]).await;
}

async fn percent_signs_are_not_decoded(bucket: BucketRef) {
    come_back(&bucket, &["%41", "A", "100%", "%2F", "%25", "a%20b", "a b"]).await;
}

async fn names_are_case_sensitive(bucket: BucketRef) {
    come_back(&bucket, &["Meta.json", "meta.json", "META.JSON"]).await;
}

async fn long_names(bucket: BucketRef) {
    let part = "p".repeat(200);
    let deep = ["d"; 40].join("/");
    come_back(&bucket, &[&format!("{part}/{part}/{part}"), &deep]).await;
}

async fn names_that_are_prefixes_of_others(bucket: BucketRef) {
    come_back(&bucket, &["a/meta", "a/meta.json", "a/meta.json.bak", "ab/meta", "a-b/meta"]).await;
    put(&bucket, "a/meta.json", "1").await;
    assert!(!bucket.exists("a/meta").await.unwrap());
    assert_missing(bucket.get("a/meta").await);
}

async fn invalid_names_are_refused_by_every_operation(bucket: BucketRef) {
    let too_long = "x".repeat(1025);
    for name in ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/./b", "a\0", "a\nb", &too_long] {
        let body = Arc::new(Bytes::from_static(b"x"));
        let errors = [
            bucket.get(name).await.err(),
            bucket.get_range(name, 0, 1).await.err(),
            bucket.exists(name).await.err(),
            bucket.attributes(name).await.err(),
            bucket.put(name, body.clone(), Put::Replace).await.err(),
            bucket.put(name, body, Put::Create).await.err(),
            bucket.delete(name).await.err(),
        ];
        for error in errors {
            assert!(matches!(error, Some(BucketError::InvalidName { .. })), "{name:?}: {error:?}");
        }
    }
    assert!(listed_names(&bucket, "", Listing::Recursive).await.is_empty());
}

async fn invalid_folders_are_refused(bucket: BucketRef) {
    for folder in ["/", "/a", "a//", "..", "../a/", "a/../b"] {
        for listing in [Listing::Shallow, Listing::Recursive] {
            let listed: Result<Vec<Entry>, _> = bucket.list(folder, listing).try_collect().await;
            assert!(matches!(listed, Err(BucketError::InvalidName { .. })), "{folder:?}: {listed:?}");
        }
    }
}

async fn errors_name_the_object(bucket: BucketRef) {
    let error = bucket.get("some/object").await.unwrap_err();
    assert!(error.to_string().contains("some/object"), "{error}");
    let error = bucket.attributes("other/object").await.unwrap_err();
    assert!(error.to_string().contains("other/object"), "{error}");
}

async fn the_bucket_has_a_name(bucket: BucketRef) {
    assert!(!bucket.name().is_empty());
    assert!(!format!("{bucket:?}").is_empty());
}
