//! Listings: everything, once, sorted, and nothing else.

use futures::{StreamExt, TryStreamExt};

use super::{list, listed_names, put, table};
use crate::{BucketRef, Listing};

table![
    an_empty_bucket_lists_nothing,
    shallow_listing_has_objects_and_folders,
    recursive_listing_has_objects_only,
    listing_a_folder_with_and_without_slash,
    listing_of_a_nested_folder,
    a_folder_that_is_not_there_is_empty,
    an_object_is_no_folder,
    prefixes_that_are_not_folders_do_not_match,
    listing_is_sorted_by_bytes,
    more_objects_than_a_page,
    more_folders_than_a_page,
    listed_attributes_are_those_of_the_objects,
    a_folder_goes_with_its_last_object,
    a_listing_can_be_dropped_midway,
    deletes_during_a_listing_do_no_harm,
];

async fn fill(bucket: &BucketRef, names: &[&str]) {
    for name in names {
        put(bucket, name, name.to_string()).await;
    }
}

const NESTED: &[&str] = &["1/a/x", "1/a/y", "1/b/c/d", "1/top", "2/top", "top"];

async fn an_empty_bucket_lists_nothing(bucket: BucketRef) {
    for listing in [Listing::Shallow, Listing::Recursive] {
        assert!(list(&bucket, "", listing).await.is_empty());
    }
}

async fn shallow_listing_has_objects_and_folders(bucket: BucketRef) {
    fill(&bucket, NESTED).await;
    assert_eq!(listed_names(&bucket, "", Listing::Shallow).await, ["1/", "2/", "top"]);
    let entries = list(&bucket, "", Listing::Shallow).await;
    for entry in entries {
        assert_eq!(entry.is_folder(), entry.attributes.is_none(), "{entry:?}");
    }
}

async fn recursive_listing_has_objects_only(bucket: BucketRef) {
    fill(&bucket, NESTED).await;
    assert_eq!(listed_names(&bucket, "", Listing::Recursive).await, NESTED);
    assert!(list(&bucket, "", Listing::Recursive).await.iter().all(|entry| !entry.is_folder()));
}

async fn listing_a_folder_with_and_without_slash(bucket: BucketRef) {
    fill(&bucket, NESTED).await;
    for folder in ["1", "1/"] {
        assert_eq!(
            listed_names(&bucket, folder, Listing::Shallow).await,
            ["1/a/", "1/b/", "1/top"],
            "{folder}"
        );
        assert_eq!(
            listed_names(&bucket, folder, Listing::Recursive).await,
            ["1/a/x", "1/a/y", "1/b/c/d", "1/top"],
            "{folder}"
        );
    }
}

async fn listing_of_a_nested_folder(bucket: BucketRef) {
    fill(&bucket, NESTED).await;
    assert_eq!(listed_names(&bucket, "1/b", Listing::Shallow).await, ["1/b/c/"]);
    assert_eq!(listed_names(&bucket, "1/b/c/", Listing::Shallow).await, ["1/b/c/d"]);
    assert_eq!(listed_names(&bucket, "1/b", Listing::Recursive).await, ["1/b/c/d"]);
}

async fn a_folder_that_is_not_there_is_empty(bucket: BucketRef) {
    fill(&bucket, NESTED).await;
    for folder in ["3", "3/", "1/a/x/y", "1/c/"] {
        assert!(list(&bucket, folder, Listing::Shallow).await.is_empty(), "{folder}");
        assert!(list(&bucket, folder, Listing::Recursive).await.is_empty(), "{folder}");
    }
}

async fn an_object_is_no_folder(bucket: BucketRef) {
    fill(&bucket, NESTED).await;
    for folder in ["top", "top/", "1/top"] {
        assert!(list(&bucket, folder, Listing::Shallow).await.is_empty(), "{folder}");
        assert!(list(&bucket, folder, Listing::Recursive).await.is_empty(), "{folder}");
    }
}

async fn prefixes_that_are_not_folders_do_not_match(bucket: BucketRef) {
    fill(&bucket, &["block-1/x", "block-10/x", "block/x", "blocks"]).await;
    assert_eq!(listed_names(&bucket, "block", Listing::Recursive).await, ["block/x"]);
    assert_eq!(listed_names(&bucket, "block-1", Listing::Shallow).await, ["block-1/x"]);
    assert!(listed_names(&bucket, "bloc", Listing::Recursive).await.is_empty());
}

async fn listing_is_sorted_by_bytes(bucket: BucketRef) {
    let mut names = ["b", "a/z", "a.txt", "a-/x", "a0", "a/a/a", "A", "ü", "z", "~"];
    fill(&bucket, &names).await;
    names.sort_unstable();
    assert_eq!(listed_names(&bucket, "", Listing::Recursive).await, names);
    let shallow = ["A", "a-/", "a.txt", "a/", "a0", "b", "z", "~", "ü"];
    assert_eq!(listed_names(&bucket, "", Listing::Shallow).await, shallow);
}

async fn put_many(bucket: &BucketRef, names: &[String]) {
    futures::stream::iter(names).for_each_concurrent(16, |name| put(bucket, name, "x")).await;
}

async fn more_objects_than_a_page(bucket: BucketRef) {
    let names: Vec<String> = (0..1_105).map(|number| format!("many/{number:05}")).collect();
    put_many(&bucket, &names).await;
    put(&bucket, "other", "x").await;
    assert_eq!(listed_names(&bucket, "many", Listing::Recursive).await, names);
    assert_eq!(listed_names(&bucket, "many/", Listing::Shallow).await, names);
    assert_eq!(listed_names(&bucket, "", Listing::Shallow).await, ["many/", "other"]);
    assert_eq!(listed_names(&bucket, "", Listing::Recursive).await.len(), names.len() + 1);
}

async fn more_folders_than_a_page(bucket: BucketRef) {
    let names: Vec<String> = (0..1_020).map(|number| format!("{number:05}/meta.json")).collect();
    put_many(&bucket, &names).await;
    let folders: Vec<String> = (0..1_020).map(|number| format!("{number:05}/")).collect();
    assert_eq!(listed_names(&bucket, "", Listing::Shallow).await, folders);
    assert_eq!(listed_names(&bucket, "", Listing::Recursive).await, names);
}

async fn listed_attributes_are_those_of_the_objects(bucket: BucketRef) {
    fill(&bucket, NESTED).await;
    put(&bucket, "1/empty", "").await;
    for listing in [Listing::Shallow, Listing::Recursive] {
        for entry in list(&bucket, "1", listing).await {
            if let Some(listed) = entry.attributes {
                let asked = bucket.attributes(&entry.name).await.unwrap();
                assert_eq!(listed.size, asked.size, "{}", entry.name);
                // Some stores tell whole seconds in one place and parts of them in the other.
                let apart = listed.modified.since(asked.modified).as_millis().abs();
                assert!(apart <= 1_000, "{}: {apart} ms", entry.name);
            }
        }
    }
}

async fn a_folder_goes_with_its_last_object(bucket: BucketRef) {
    fill(&bucket, &["1/a/b/c", "1/a/d", "2/x"]).await;
    bucket.delete("1/a/b/c").await.unwrap();
    assert_eq!(listed_names(&bucket, "1/a", Listing::Shallow).await, ["1/a/d"]);
    bucket.delete("1/a/d").await.unwrap();
    assert_eq!(listed_names(&bucket, "", Listing::Shallow).await, ["2/"]);
    bucket.delete("2/x").await.unwrap();
    assert!(listed_names(&bucket, "", Listing::Shallow).await.is_empty());
}

async fn a_listing_can_be_dropped_midway(bucket: BucketRef) {
    fill(&bucket, NESTED).await;
    let mut entries = bucket.list("", Listing::Recursive);
    assert!(entries.next().await.is_some());
    drop(entries);
    assert_eq!(listed_names(&bucket, "", Listing::Recursive).await, NESTED);
}

async fn deletes_during_a_listing_do_no_harm(bucket: BucketRef) {
    fill(&bucket, NESTED).await;
    let mut entries = bucket.list("", Listing::Recursive);
    let mut seen = Vec::new();
    while let Some(entry) = entries.try_next().await.unwrap() {
        bucket.delete(&entry.name).await.unwrap();
        seen.push(entry.name);
    }
    drop(entries);
    assert_eq!(seen, NESTED);
    assert!(list(&bucket, "", Listing::Recursive).await.is_empty());
}
