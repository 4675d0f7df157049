//! Small blocks, in buckets and on disks, for the other modules.

use std::path::Path;
use std::sync::Arc;

use block::{BlockId, Downsample, Meta, Resolution, Source, Thanos, layout};
use bytes::Bytes;
use futures::TryStreamExt;
use objstore::{Bucket, BucketRef, Listing, Memory, Put, read_all};
use prom_model::{ManualClock, TimestampMs};
use serde_json::Map;
use tsdb::block::BlockMeta;
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;

/// 2024-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_704_067_200_000;
pub(crate) const HOUR: i64 = 3_600_000;

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(TimestampMs::from_millis(START)))
}

pub(crate) fn memory(clock: &Arc<ManualClock>) -> BucketRef {
    Arc::new(Memory::new("test", Arc::clone(clock) as Arc<dyn prom_model::Clock>))
}

/// The block of this number; its ID was made so many milliseconds after [`START`].
pub(crate) fn id(number: u64) -> BlockId {
    BlockId::new(START as u64 + number, u128::from(number))
}

/// Two hours of `{cluster="eu"}` from `START + hours` on.
pub(crate) fn meta(block: BlockId, hours: i64) -> Meta {
    let mut of_tsdb = BlockMeta::new(block, START + hours * HOUR, START + (hours + 2) * HOUR);
    of_tsdb.stats.num_samples = 10;
    let labels = [("cluster".to_owned(), "eu".to_owned())].into();
    let downsample = Downsample { resolution: Resolution::RAW, extra: Map::new() };
    let thanos = Thanos { labels, downsample, source: Source::Sidecar, ..Thanos::default() };
    Meta { block: of_tsdb, thanos }
}

pub(crate) async fn put(bucket: &dyn Bucket, name: &str, bytes: impl Into<Bytes>) {
    bucket.put(name, Arc::new(bytes.into()), Put::Replace).await.unwrap();
}

/// Puts a block into a bucket as if somebody had uploaded it.
pub(crate) async fn put_block(bucket: &dyn Bucket, meta: &Meta) {
    let block = meta.id();
    put(bucket, &layout::object(block, "chunks/000001"), "chunks").await;
    put(bucket, &layout::object(block, layout::INDEX), "index").await;
    put(bucket, &layout::object(block, layout::META), meta.to_bytes().unwrap()).await;
}

pub(crate) async fn names(bucket: &dyn Bucket) -> Vec<String> {
    bucket.list("", Listing::Recursive).map_ok(|entry| entry.name).try_collect().await.unwrap()
}

/// Where Prometheus' blocks are on a simulated disk.
pub(crate) const DATA: &str = "/data";

/// Writes a block as Prometheus does, with two segments; the content does not matter to those who carry it.
pub(crate) fn write_block(disk: &SimFs, meta: &Meta) {
    let folder = Path::new(DATA).join(meta.id().to_string());
    disk.create_dir_all(&folder.join("chunks")).unwrap();
    for (segment, bytes) in [("000001", 600), ("000002", 200)] {
        let text = format!("{} {segment} ", meta.id()).repeat(bytes / 32);
        disk.put(&folder.join("chunks").join(segment), text.as_bytes()).unwrap();
    }
    disk.put(&folder.join("index"), format!("index of {}", meta.id()).as_bytes()).unwrap();
    disk.put(&folder.join("meta.json"), &meta.block.to_json()).unwrap();
    for folder in [folder.join("chunks"), folder.clone(), DATA.into(), "/".into()] {
        disk.sync_dir(&folder).unwrap();
    }
}

/// The files of a block on disk that belong into a bucket, with their bytes.
pub(crate) fn files_on_disk(disk: &SimFs, block: BlockId) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(DATA).join(block.to_string());
    let read = |path: &str| (path.to_owned(), disk.contents(&folder.join(path)).unwrap());
    ["chunks/000001", "chunks/000002", "index"].into_iter().map(read).collect()
}

/// Whether the bucket has the block whole: meta.json, and every file that is on disk with the same bytes.
pub(crate) async fn is_whole(bucket: &dyn Bucket, disk: &SimFs, block: BlockId) -> bool {
    for (path, bytes) in files_on_disk(disk, block) {
        match read_all(bucket, &layout::object(block, &path), 1 << 20).await {
            Ok(found) if found == bytes => {}
            _ => return false,
        }
    }
    bucket.exists(&layout::object(block, layout::META)).await.unwrap()
}
