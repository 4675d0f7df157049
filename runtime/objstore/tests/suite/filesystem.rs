//! The folder as a bucket: Thanos' layout, and nothing outside of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use objstore::{Bucket, BucketError, Entry, Filesystem, Listing, Put, read_all};
use tempfile::TempDir;

async fn put(bucket: &Filesystem, name: &str, text: &'static str) -> Result<(), BucketError> {
    bucket.put(name, Arc::new(Bytes::from_static(text.as_bytes())), Put::Replace).await.map(drop)
}

async fn names(bucket: &Filesystem, folder: &str, listing: Listing) -> Vec<String> {
    let entries: Vec<Entry> = bucket.list(folder, listing).try_collect().await.unwrap();
    entries.into_iter().map(|entry| entry.name).collect()
}

#[tokio::test]
async fn names_are_verbatim_on_the_disk_both_ways() {
    let disk = TempDir::new().unwrap();
    let bucket = Filesystem::new(disk.path()).unwrap();
    for name in ["01ARZ3NDEKTSV4RRFFQ69G5FAV/meta.json", "ü ~[x]/100%.json"] {
        put(&bucket, name, "{}").await.unwrap();
        assert_eq!(fs::read(disk.path().join(name)).unwrap(), b"{}");
    }
    fs::create_dir_all(disk.path().join("by/hand %41")).unwrap();
    fs::write(disk.path().join("by/hand %41/ö"), "theirs").unwrap();
    assert_eq!(read_all(&bucket, "by/hand %41/ö", 100).await.unwrap(), "theirs");
    assert_eq!(names(&bucket, "by", Listing::Recursive).await, ["by/hand %41/ö"]);
}

#[tokio::test]
async fn only_objects_are_left_on_the_disk() {
    let disk = TempDir::new().unwrap();
    let bucket = Filesystem::new(disk.path().join("data")).unwrap();
    assert!(names(&bucket, "", Listing::Shallow).await.is_empty());
    put(&bucket, "a/b/c", "1").await.unwrap();
    put(&bucket, "a/b/c", "2").await.unwrap();
    let create = bucket.put("a/b/c", Arc::new(Bytes::from_static(b"3")), Put::Create).await;
    assert!(matches!(create, Err(BucketError::AlreadyExists { .. })));
    let left: Vec<_> =
        fs::read_dir(disk.path().join("data/a/b")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["c"]);
    bucket.delete("a/b/c").await.unwrap();
    assert!(disk.path().join("data").is_dir());
    assert_eq!(fs::read_dir(disk.path().join("data")).unwrap().count(), 0);
}

#[tokio::test]
async fn empty_folders_and_unfinished_files_are_not_shown_and_go() {
    let disk = TempDir::new().unwrap();
    let bucket = Filesystem::new(disk.path()).unwrap();
    put(&bucket, "a/b/c", "1").await.unwrap();
    // What a write that a crash ended leaves behind.
    fs::write(disk.path().join("a/b/.pronoia-put-1-0"), "half").unwrap();
    fs::create_dir_all(disk.path().join("empty/below")).unwrap();
    assert_eq!(names(&bucket, "", Listing::Recursive).await, ["a/b/c"]);
    assert_eq!(names(&bucket, "", Listing::Shallow).await, ["a/"]);
    assert_eq!(names(&bucket, "a/b", Listing::Shallow).await, ["a/b/c"]);
    bucket.delete("a/b/c").await.unwrap();
    assert!(!disk.path().join("a").exists());
    let error = put(&bucket, "a/.pronoia-put-x", "1").await.unwrap_err();
    assert!(matches!(error, BucketError::InvalidName { .. }), "{error:?}");
}

#[tokio::test]
async fn links_lead_nowhere_outside() {
    let disk = TempDir::new().unwrap();
    let (inside, outside) = (disk.path().join("bucket"), disk.path().join("outside"));
    fs::create_dir_all(inside.join("real")).unwrap();
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    fs::write(inside.join("real/object"), "object").unwrap();
    symlink(&outside, inside.join("out")).unwrap();
    symlink(outside.join("secret"), inside.join("real/link")).unwrap();
    symlink(inside.join("real"), inside.join("in")).unwrap();
    symlink(&inside, inside.join("loop")).unwrap();
    symlink("nowhere", inside.join("dangling")).unwrap();
    let bucket = Filesystem::new(&inside).unwrap();

    for name in ["out/secret", "real/link"] {
        let errors = [
            bucket.get(name).await.err(),
            bucket.get_range(name, 0, 1).await.err(),
            bucket.attributes(name).await.err(),
        ];
        for error in errors {
            assert!(matches!(error, Some(BucketError::AccessDenied { .. })), "{name}: {error:?}");
        }
    }
    for name in ["out/new", "out/deep/new"] {
        let error = put(&bucket, name, "x").await.unwrap_err();
        assert!(matches!(error, BucketError::AccessDenied { .. }), "{name}: {error:?}");
    }
    let error = bucket.delete("out/secret").await.unwrap_err();
    assert!(matches!(error, BucketError::AccessDenied { .. }), "{error:?}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);

    // A link inside the bucket reads; a loop ends; what leads outside is no object.
    assert_eq!(read_all(&bucket, "in/object", 100).await.unwrap(), "object");
    assert_eq!(names(&bucket, "", Listing::Recursive).await, ["real/object"]);
    // Writing replaces a link, not what it points at.
    put(&bucket, "real/link", "mine").await.unwrap();
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
    assert_eq!(read_all(&bucket, "real/link", 100).await.unwrap(), "mine");
}

#[tokio::test]
async fn a_file_and_a_folder_cannot_have_one_name() {
    let disk = TempDir::new().unwrap();
    let bucket = Filesystem::new(disk.path()).unwrap();
    put(&bucket, "a/b", "1").await.unwrap();
    for name in ["a/b/c", "a/b/c/d", "a"] {
        let error = put(&bucket, name, "2").await.unwrap_err();
        assert!(matches!(error, BucketError::InvalidName { .. }), "{name}: {error:?}");
    }
    assert_eq!(read_all(&bucket, "a/b", 10).await.unwrap(), "1");
    // An empty folder is neither.
    fs::create_dir(disk.path().join("empty")).unwrap();
    put(&bucket, "empty", "2").await.unwrap();
    let error = put(&bucket, &"n".repeat(300), "2").await.unwrap_err();
    assert!(matches!(error, BucketError::InvalidName { .. }), "{error:?}");
}

#[tokio::test]
async fn writers_and_removers_of_one_folder_do_not_lose_an_object() {
    let disk = TempDir::new().unwrap();
    let bucket = Arc::new(Filesystem::new(disk.path()).unwrap());
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let bucket = Arc::clone(&bucket);
            tokio::spawn(async move {
                let name = format!("a/b/{number}");
                for _ in 0..30 {
                    put(&bucket, &name, "x").await.unwrap();
                    assert!(bucket.exists(&name).await.unwrap());
                    bucket.delete(&name).await.unwrap();
                }
                put(&bucket, &name, "x").await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(names(&bucket, "", Listing::Recursive).await.len(), 8);
}

#[tokio::test]
async fn a_file_that_is_cut_while_it_is_read_is_no_object() {
    let disk = TempDir::new().unwrap();
    let bucket = Filesystem::new(disk.path()).unwrap();
    fs::write(disk.path().join("a"), vec![7; 3 << 20]).unwrap();
    let got = bucket.get("a").await.unwrap();
    fs::OpenOptions::new().write(true).open(disk.path().join("a")).unwrap().set_len(1 << 20).unwrap();
    let read: Result<Vec<Bytes>, _> = got.body.try_collect().await;
    assert!(matches!(read, Err(BucketError::ShortRead { .. })), "{read:?}");
}
