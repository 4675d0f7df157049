//! A damaged block is an error of the call, never data that differ.

use std::path::Path;

use futures::StreamExt;
use store::{Context, Store};
use storeapi::thanos::{LabelMatcher, SeriesRequest};
use storeapi::{Series, SeriesFrame};
use tonic::Status;

use super::{folder, served, wire};

const BLOCK: &str = "01M81XFSHB0B9YKMCGC8M40CY8";

fn everything() -> SeriesRequest {
    let matcher = LabelMatcher { r#type: 2, name: "__name__".to_owned(), value: ".+".to_owned() };
    SeriesRequest { min_time: 0, max_time: i64::MAX, matchers: vec![matcher], ..SeriesRequest::default() }
}

async fn ask(bucket: &Path) -> Result<Vec<Series>, Status> {
    let (store, _folder) = served(folder(bucket), |_| {}).await;
    if store.blocks() == 0 {
        return Err(Status::data_loss("the block is not served"));
    }
    let mut frames = store.series(everything(), Context::unlimited()).await?;
    let mut all = Vec::new();
    while let Some(frame) = frames.next().await {
        if let SeriesFrame::Batch(batch) = frame? {
            all.extend(batch);
        }
    }
    Ok(all)
}

pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn no_flipped_byte_becomes_data() {
    let Some(wire) = wire() else { return };
    let bucket = tempfile::tempdir().unwrap();
    copy(&wire.join("bucket").join(BLOCK), &bucket.path().join(BLOCK));
    let whole = ask(bucket.path()).await.unwrap();
    assert!(whole.len() > 100, "{} series", whole.len());
    let mut refused = 0;
    for (file, places) in [("index", 60), ("chunks/000001", 40)] {
        let path = bucket.path().join(BLOCK).join(file);
        let good = std::fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(good.len() / places) {
            let mut bad = good.clone();
            bad[at] ^= 0x24;
            std::fs::write(&path, &bad).unwrap();
            match ask(bucket.path()).await {
                Ok(found) => assert_eq!(found, whole, "byte {at} of {file}"),
                Err(_) => refused += 1,
            }
        }
        for length in [0, 5, good.len() / 3, good.len() / 2, good.len() - 1] {
            std::fs::write(&path, &good[..length]).unwrap();
            match ask(bucket.path()).await {
                Ok(found) => assert_eq!(found, whole, "{length} bytes of {file}"),
                Err(_) => refused += 1,
            }
        }
        std::fs::write(&path, &good).unwrap();
    }
    assert!(refused > 50, "only {refused} damages were seen");
}
