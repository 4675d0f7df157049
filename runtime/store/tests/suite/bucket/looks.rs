//! What is served follows the bucket: new blocks, blocks that are gone, blocks that cannot be read.

use std::path::Path;
use std::time::Duration;

use store::Store;
use storeapi::LabelBytes;

use super::damage::copy;
use super::{folder, served, wire};

const FIRST: &str = "01M81XFSHB0B9YKMCGC8M40CY8";
const SECOND: &str = "01M81XFSMT621M6VQBJBQ9XRSM";

fn put(wire: &Path, bucket: &Path, block: &str) {
    copy(&wire.join("bucket").join(block), &bucket.join(block));
}

#[tokio::test]
async fn what_is_served_follows_the_bucket() {
    let Some(wire) = wire() else { return };
    let bucket = tempfile::tempdir().unwrap();
    put(&wire, bucket.path(), FIRST);
    let (store, local) =
        served(folder(bucket.path()), |config| config.header_idle = Some(Duration::ZERO)).await;
    assert_eq!(store.blocks(), 1);
    put(&wire, bucket.path(), SECOND);
    // A block that is being uploaded has no meta.json yet, one that is damaged no index that could be read.
    std::fs::create_dir_all(bucket.path().join("01M81XFSRD34SD2VZ9ZCM1WMNG/chunks")).unwrap();
    put(&wire, bucket.path(), "01M81XFSTSZB0T0HS1P789Q3FD");
    std::fs::write(bucket.path().join("01M81XFSTSZB0T0HS1P789Q3FD/index"), b"nothing").unwrap();
    store.sync().await.unwrap();
    assert_eq!(store.blocks(), 2);
    assert!(local.path().join(SECOND).join("index-header").exists());
    store.close_unused_headers();
    let about = store.about();
    assert_eq!(about.label_sets.len(), 1, "{about:?}");
    let external = about.label_sets[0].clone();
    let expect = LabelBytes::from_pairs([(&b"cluster"[..], &b"eu1"[..]), (b"replica", b"a")]);
    assert_eq!(external, expect);
    std::fs::remove_dir_all(bucket.path().join(FIRST)).unwrap();
    store.sync().await.unwrap();
    assert_eq!(store.blocks(), 1);
    assert!(!local.path().join(FIRST).exists(), "the index-header of a block that is gone goes too");
    std::fs::create_dir_all(local.path().join(FIRST)).unwrap();
    store.first_sync().await.unwrap();
    assert!(!local.path().join(FIRST).exists(), "and so does one that an earlier start has left");
}

#[tokio::test]
async fn index_headers_have_the_bytes_of_thanos() {
    let Some(wire) = wire() else { return };
    let (store, local) = served(folder(&wire.join("bucket")), |_| {}).await;
    let mut compared = 0;
    for entry in std::fs::read_dir(wire.join("index-headers")).unwrap() {
        let block = entry.unwrap().file_name();
        let read = |folder: &Path| std::fs::read(folder.join(&block).join("index-header")).unwrap();
        assert!(read(local.path()) == read(&wire.join("index-headers")), "index-header of {block:?}");
        compared += 1;
    }
    assert_eq!(compared, store.blocks());
}
