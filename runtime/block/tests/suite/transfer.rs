//! What an upload sends, what it finds there already, and what a download accepts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use block::{
    DeletionMark, Download, DownloadError, HashFunc, Meta, Upload, UploadError, Uploaded, layout, write_mark,
};
use objstore::layers::{Fault, Faulty, Operation, Script};
use objstore::{Bucket, BucketRef, read_all};
use prom_model::{Clock, ManualClock};
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;

use super::world::{DATA, clock, files_on_disk, id, is_whole, memory, meta, put, write_block};

async fn upload(
    bucket: &dyn Bucket,
    disk: &SimFs,
    clock: &ManualClock,
    meta: Meta,
    hash_func: HashFunc,
) -> Result<Uploaded, UploadError> {
    let fs: Arc<dyn Fs> = Arc::new(disk.clone());
    let folder = Path::new(DATA).join(meta.id().to_string());
    Upload { bucket, fs: &fs, folder, meta, clock, hash_func, concurrency: 4 }.run().await
}

#[tokio::test]
async fn meta_json_says_what_was_sent() {
    let (clock, disk) = (clock(), SimFs::new());
    let bucket = memory(&clock);
    write_block(&disk, &meta(id(1), 0));
    let done = upload(bucket.as_ref(), &disk, &clock, meta(id(1), 0), HashFunc::Sha256).await.unwrap();
    let Uploaded::Done(sent) = done else { panic!("{done:?}") };
    let bytes = read_all(bucket.as_ref(), &layout::object(id(1), layout::META), 1 << 20).await.unwrap();
    assert_eq!(Meta::of_block(id(1), &bytes).unwrap(), *sent);
    assert_eq!(sent.thanos.upload_time.to_timestamp(), clock.now());
    assert_eq!(sent.thanos.segment_files, ["000001", "000002"]);
    let files: Vec<(&str, u64, bool)> = sent
        .thanos
        .files
        .iter()
        .map(|file| {
            (
                file.rel_path.as_str(),
                file.size_bytes,
                file.hash.as_ref().is_some_and(|hash| hash.value.len() == 64),
            )
        })
        .collect();
    let sizes: Vec<u64> = files_on_disk(&disk, id(1)).iter().map(|(_, bytes)| bytes.len() as u64).collect();
    assert_eq!(
        files,
        [
            ("chunks/000001", sizes[0], true),
            ("chunks/000002", sizes[1], true),
            ("index", sizes[2], true),
            ("meta.json", 0, false)
        ]
    );
    let again = upload(bucket.as_ref(), &disk, &clock, meta(id(1), 0), HashFunc::None).await.unwrap();
    assert_eq!(again, Uploaded::AlreadyThere);
}

#[tokio::test]
async fn what_is_there_already_is_not_sent_again() {
    let (clock, disk) = (clock(), SimFs::new());
    let inner = memory(&clock);
    write_block(&disk, &meta(id(1), 0));
    let files = files_on_disk(&disk, id(1));
    put(inner.as_ref(), &layout::object(id(1), &files[0].0), files[0].1.clone()).await;
    // Of another size: an upload that was cut off on a store that shows it.
    put(inner.as_ref(), &layout::object(id(1), &files[1].0), "cut off").await;
    let faulty = Faulty::new(Arc::clone(&inner), Script::Clean);
    upload(&faulty, &disk, &clock, meta(id(1), 0), HashFunc::None).await.unwrap();
    let sent: Vec<String> = faulty
        .log()
        .into_iter()
        .filter(|call| call.operation == Operation::Put)
        .map(|call| call.name)
        .collect();
    let expected = ["chunks/000002", "index", "meta.json"].map(|file| layout::object(id(1), file));
    assert_eq!(sent, expected);
    assert!(is_whole(inner.as_ref(), &disk, id(1)).await);
}

#[tokio::test]
async fn what_cannot_be_a_good_block_is_not_made_visible() {
    let (clock, disk) = (clock(), SimFs::new());
    let bucket = memory(&clock);
    let mut unlabelled = meta(id(1), 0);
    unlabelled.thanos.labels.clear();
    write_block(&disk, &unlabelled);
    let refused = upload(bucket.as_ref(), &disk, &clock, unlabelled, HashFunc::None).await;
    assert!(matches!(refused, Err(UploadError::NoLabels(_))));
    write_block(&disk, &meta(id(2), 0));
    disk.put(&Path::new(DATA).join(id(2).to_string()).join("index"), b"").unwrap();
    let refused = upload(bucket.as_ref(), &disk, &clock, meta(id(2), 0), HashFunc::None).await;
    assert!(matches!(refused, Err(UploadError::Incomplete { .. })), "{refused:?}");
    write_block(&disk, &meta(id(3), 0));
    write_mark(bucket.as_ref(), &DeletionMark::new(id(3), clock.now(), "")).await.unwrap();
    let refused = upload(bucket.as_ref(), &disk, &clock, meta(id(3), 0), HashFunc::None).await;
    assert!(matches!(refused, Err(UploadError::MarkedForDeletion(_))));
    for block in [id(1), id(2), id(3)] {
        assert!(!bucket.exists(&layout::object(block, layout::META)).await.unwrap());
    }
}

async fn download(bucket: &BucketRef, disk: &SimFs) -> Result<Meta, DownloadError> {
    let fs: Arc<dyn Fs> = Arc::new(disk.clone());
    let folder = PathBuf::from("/work").join(id(1).to_string());
    Download { bucket: bucket.as_ref(), block: id(1), fs: &fs, folder, concurrency: 2 }.run().await
}

#[tokio::test]
async fn a_download_is_whole_or_not_there() {
    let (clock, disk) = (clock(), SimFs::new());
    let bucket = memory(&clock);
    write_block(&disk, &meta(id(1), 0));
    upload(bucket.as_ref(), &disk, &clock, meta(id(1), 0), HashFunc::Sha256).await.unwrap();
    let folder = Path::new("/work").join(id(1).to_string());
    let files = files_on_disk(&disk, id(1));
    for _ in 0..2 {
        download(&bucket, &disk).await.unwrap();
        for (path, bytes) in &files {
            assert_eq!(disk.contents(&folder.join(path)).unwrap(), *bytes);
        }
    }
    disk.remove_dir_all(Path::new("/work")).unwrap();
    let index = layout::object(id(1), "index");
    let flipped: Vec<u8> = files[2].1.iter().map(|byte| byte ^ 1).collect();
    for damaged in [b"short".to_vec(), flipped] {
        put(bucket.as_ref(), &index, damaged).await;
        assert!(matches!(download(&bucket, &disk).await, Err(DownloadError::NotAsDescribed { .. })));
        assert!(disk.list(Path::new("/work")).unwrap_or_default().is_empty());
    }
    bucket.delete(&index).await.unwrap();
    assert!(matches!(download(&bucket, &disk).await, Err(DownloadError::Bucket { .. })));
    let mut escaping = meta(id(1), 0);
    escaping.thanos.files = vec![block::FileEntry {
        rel_path: "../../etc/cron.d/x".to_owned(),
        size_bytes: 1,
        ..Default::default()
    }];
    put(bucket.as_ref(), &layout::object(id(1), layout::META), escaping.to_bytes().unwrap()).await;
    assert!(matches!(download(&bucket, &disk).await, Err(DownloadError::Path { .. })));
}

/// Every fault at every call of a download: the folder is whole, or not there.
#[tokio::test(start_paused = true)]
async fn a_store_that_fails_gives_no_wrong_download() {
    let (clock, disk) = (clock(), SimFs::new());
    let bucket = memory(&clock);
    write_block(&disk, &meta(id(1), 0));
    upload(bucket.as_ref(), &disk, &clock, meta(id(1), 0), HashFunc::Sha256).await.unwrap();
    let clean = Arc::new(Faulty::new(Arc::clone(&bucket), Script::Clean));
    download(&(Arc::clone(&clean) as BucketRef), &disk).await.unwrap();
    let folder = Path::new("/work").join(id(1).to_string());
    for call in clean.log() {
        // What nothing but its shape vouches for is meta.json.
        let of_meta = call.name.ends_with(layout::META);
        let apt = |fault: &Fault| {
            fault.can_hit(call.operation) && *fault != Fault::Hang && !(of_meta && *fault == Fault::BitFlip)
        };
        for fault in Fault::ALL.into_iter().filter(apt) {
            disk.remove_dir_all(Path::new("/work")).unwrap();
            let faulty: BucketRef =
                Arc::new(Faulty::new(Arc::clone(&bucket), Script::once(call.number, fault)));
            let done = download(&faulty, &disk).await;
            match done {
                Ok(_) => {
                    for (path, bytes) in files_on_disk(&disk, id(1)) {
                        assert_eq!(
                            disk.contents(&folder.join(path)).unwrap(),
                            bytes,
                            "{fault:?} at {call:?}"
                        );
                    }
                }
                Err(_) => {
                    let left = disk.list(Path::new("/work")).unwrap_or_default();
                    assert!(left.is_empty(), "{fault:?} at {call:?}: {left:?}");
                    disk.create_dir_all(Path::new("/work")).unwrap();
                }
            }
        }
    }
}
