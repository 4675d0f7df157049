//! A block that is read out of the bucket by ranges is the block; what the bucket does to it meanwhile is an error.

use std::path::Path;
use std::sync::Arc;

use block::{BlockId, Meta};
use bytes::Bytes;
use compact::source::{OpenError, OpenSource};
use error_kind::{ErrorKind, Kind};
use objstore::layers::{Fault, Faulty, Operation, Script};
use objstore::{Bucket, BucketError, BucketRef, Memory, Put};
use prom_model::{ManualClock, TimestampMs};
use tsdb::block::{BlockMeta, BlockReader, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::{Encoding, XorAppender};
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;
use tsdb::index::{LabelArena, SymbolTable};

const SERIES: usize = 12_000;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(TimestampMs::from_millis(1_000_000)))
}

/// A block of some megabytes in a bucket, and its files on a disk.
async fn block() -> (Arc<Memory>, Arc<ManualClock>, Meta, SimFs) {
    let (disk, parent) = (SimFs::new(), Path::new("/blocks"));
    disk.create_dir_all(parent).unwrap();
    let values: Vec<String> = (0..SERIES).map(|number| format!("value-{number:05}")).collect();
    let texts = values.iter().map(String::as_str).chain(["__name__", "metric", "zone"]);
    let table: Arc<SymbolTable> = Arc::new(texts.collect());
    let symbol = |text: &str| table.find(text).unwrap();
    let id = BlockId::new(1, 1);
    let fs: Arc<dyn Fs> = Arc::new(disk.clone());
    let mut writer = BlockWriter::with_segments_of(fs, parent, id, Arc::clone(&table), 1 << 20).unwrap();
    let mut appender = XorAppender::new();
    for sample in 0..60u32 {
        assert!(appender.append(i64::from(sample) * 1000, f64::from(sample * sample % 7919) / 3.0));
    }
    let data = appender.into_bytes();
    let chunk = ChunkData { min_time: 0, max_time: 59_000, encoding: Encoding::Xor, data: &data };
    for value in &values {
        let labels = [(symbol("__name__"), symbol("metric")), (symbol("zone"), symbol(value))];
        writer.add_series(&labels, &[chunk]).unwrap();
    }
    let meta = writer.finish(BlockMeta::new(id, 0, 60_000), &Tombstones::default()).unwrap().unwrap();
    let clock = clock();
    let bucket = Arc::new(Memory::new("blocks", clock.clone()));
    let folder = parent.join(id.to_string());
    let mut files = vec!["index".to_owned(), "tombstones".to_owned()];
    let segments = disk.list(&folder.join("chunks")).unwrap();
    assert!(segments.len() > 3, "{segments:?}");
    files.extend(segments.iter().map(|entry| format!("chunks/{}", entry.name)));
    let mut meta = Meta { block: meta, thanos: block::Thanos::default() };
    for path in files {
        let bytes = Bytes::from(disk.contents(&folder.join(&path)).unwrap());
        let size_bytes = bytes.len() as u64;
        meta.thanos.files.push(block::FileEntry { rel_path: path.clone(), size_bytes, ..Default::default() });
        bucket.put(&format!("{id}/{path}"), Arc::new(bytes), Put::Replace).await.unwrap();
    }
    (bucket, clock, meta, disk)
}

/// Labels and chunks of all series.
fn scan(block: &BlockReader) -> Result<Vec<(String, Vec<u8>)>, tsdb::Corruption> {
    let (mut cache, mut arena) = (block.index().symbol_cache(), LabelArena::default());
    let (mut scan, mut all) = (block.scan()?, Vec::new());
    while let Some(series) = scan.next_series()? {
        cache.resolve(&series.labels, &mut arena)?;
        let mut bytes = Vec::new();
        for at in 0..scan.series().chunks.len() {
            let (_, chunk) = scan.chunk_at(at)?.unwrap();
            bytes.extend_from_slice(chunk.data);
        }
        all.push((arena.value("zone").to_owned(), bytes));
    }
    Ok(all)
}

/// Scans on a thread that may wait.
async fn scan_remote(block: BlockReader) -> Result<Vec<(String, Vec<u8>)>, tsdb::Corruption> {
    tokio::task::spawn_blocking(move || scan(&block)).await.unwrap()
}

#[tokio::test]
async fn the_bucket_gives_what_the_disk_gives_in_few_calls() {
    let (bucket, _, meta, disk) = block().await;
    let local = BlockReader::open(&disk, &Path::new("/blocks").join(meta.block.ulid.to_string())).unwrap();
    let expected = scan(&local).unwrap();
    assert_eq!(expected.len(), SERIES);
    for memory_bytes in [1 << 20, 64 << 20] {
        let faulty = Arc::new(Faulty::new(bucket.clone(), Script::Clean));
        let bucket: BucketRef = faulty.clone();
        let OpenSource { block, files } = OpenSource::open(&bucket, &meta, memory_bytes).await.unwrap();
        assert!(scan_remote(block).await.unwrap() == expected);
        files.confirm().await.unwrap();
        assert!(files.failure().is_none());
        let log = faulty.log();
        let read = log.iter().filter(|call| call.operation == Operation::GetRange).count() as u64;
        let bytes: u64 = meta.thanos.files.iter().map(|file| file.size_bytes).sum();
        let small = bytes / (64 << 10) + 40;
        assert!(read <= small, "{read} calls for {bytes} bytes");
        assert!(memory_bytes < 64 << 20 || read < small / 2, "{read} calls for {bytes} bytes");
    }
}

#[tokio::test]
async fn a_bucket_that_fails_is_told_from_a_block_that_is_damaged() {
    let (bucket, _, meta, _) = block().await;
    let calls = {
        let faulty = Arc::new(Faulty::new(bucket.clone(), Script::Clean));
        let bucket: BucketRef = faulty.clone();
        let source = OpenSource::open(&bucket, &meta, 4 << 20).await.unwrap();
        scan_remote(source.block).await.unwrap();
        faulty.calls()
    };
    let mut failures = 0;
    for fault in [Fault::FailBefore, Fault::SilentlyShort, Fault::ShortBody, Fault::Missing] {
        for number in (1..=calls).step_by(3) {
            let bucket: BucketRef = Arc::new(Faulty::new(bucket.clone(), Script::once(number, fault)));
            let source = match OpenSource::open(&bucket, &meta, 4 << 20).await {
                Ok(source) => source,
                Err(error) => {
                    assert_ne!(error.kind(), ErrorKind::Corrupt, "{fault:?} at {number}: {error:?}");
                    failures += 1;
                    continue;
                }
            };
            // A call that only fetched ahead may have failed for nobody.
            let Err(error) = scan_remote(source.block).await else { continue };
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{fault:?} at {number}: {error}");
            let failure = source.files.failure().expect("what the bucket said");
            assert!(fault != Fault::Missing || failure.is_not_found(), "{failure:?}");
            assert!(
                fault != Fault::SilentlyShort || matches!(failure, BucketError::Changed { .. }),
                "{failure:?}"
            );
            failures += 1;
        }
    }
    assert!(failures > 15, "{failures} of {calls} calls");
}

#[tokio::test]
async fn a_listing_without_an_object_does_not_mean_that_it_is_gone() {
    let (bucket, _, meta, _) = block().await;
    for entries in [1, 1_000] {
        let faulty = Faulty::new(bucket.clone(), Script::once(1, Fault::ListPageLost)).with_page(entries);
        let faulty = Arc::new(faulty);
        let bucket: BucketRef = faulty.clone();
        let source = OpenSource::open(&bucket, &meta, 4 << 20).await.unwrap();
        assert_eq!(faulty.log()[0].fault, Some(Fault::ListPageLost));
        scan_remote(source.block).await.unwrap();
    }
}

#[tokio::test]
async fn an_object_that_is_written_anew_meanwhile_is_noticed() {
    let (bucket, clock, meta, _) = block().await;
    let bucket: BucketRef = bucket;
    let name = format!("{}/chunks/000002", meta.block.ulid);
    let bytes = objstore::read_all(&*bucket, &name, 64 << 20).await.unwrap();
    // The same bytes at another time.
    let source = OpenSource::open(&bucket, &meta, 4 << 20).await.unwrap();
    clock.set(TimestampMs::from_millis(2_000_000));
    bucket.put(&name, Arc::new(bytes.clone()), Put::Replace).await.unwrap();
    scan_remote(source.block).await.unwrap();
    let changed = source.files.confirm().await;
    assert!(matches!(&changed, Err(BucketError::Changed { name: found }) if *found == name), "{changed:?}");
    // Half of them.
    let source = OpenSource::open(&bucket, &meta, 4 << 20).await.unwrap();
    let half = bytes.slice(..bytes.len() / 2);
    bucket.put(&name, Arc::new(half), Put::Replace).await.unwrap();
    let error = scan_remote(source.block).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(matches!(source.files.failure(), Some(BucketError::Changed { .. })));
    // From now on the block is not what its meta.json says.
    let error = OpenSource::open(&bucket, &meta, 4 << 20).await.unwrap_err();
    assert!(matches!(&error, OpenError::NotAsDescribed { path, .. } if path == "chunks/000002"), "{error:?}");
    bucket.delete(&name).await.unwrap();
    let error = OpenSource::open(&bucket, &meta, 4 << 20).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("it is not there"), "{error}");
}

#[tokio::test]
async fn damage_in_the_bucket_is_damage() {
    let (bucket, _, meta, _) = block().await;
    let bucket: BucketRef = bucket;
    let name = format!("{}/index", meta.block.ulid);
    let mut bytes = objstore::read_all(&*bucket, &name, 64 << 20).await.unwrap().to_vec();
    // In the first symbols.
    bytes[40] ^= 1;
    bucket.put(&name, Arc::new(Bytes::from(bytes)), Put::Replace).await.unwrap();
    let error = OpenSource::open(&bucket, &meta, 4 << 20).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
}
