//! What a damaged index-header does: it is an error that says where, never a wrong answer, and is built again.

use std::path::Path;
use std::sync::Arc;

use block::index_header::{IndexHeader, build};
use block::{BlockId, layout};
use bytes::Bytes;
use objstore::layers::{Fault, Faulty, Script};
use objstore::{Bucket, BucketRef};
use tsdb::encoding::{crc32c, put_u32, put_uvarint, put_uvarint_bytes};
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;
use tsdb::index::Toc;

use super::world::{clock, id, memory, put};

/// A section: its length, its content, the checksum of the content.
fn section(content: &[u8], to: &mut Vec<u8>) {
    put_u32(to, content.len() as u32);
    to.extend_from_slice(content);
    put_u32(to, crc32c(content));
}

/// An index of format 2 with so many values of one label, made by hand: symbols, a gap where series would be, postings.
fn index(values: u32) -> Vec<u8> {
    let value = |number: u32| format!("value-{number:06}");
    let mut bytes = vec![0xBA, 0xAA, 0xD7, 0x00, 2];
    let mut symbols = Vec::new();
    put_u32(&mut symbols, values + 1);
    put_uvarint_bytes(&mut symbols, b"name");
    (0..values).for_each(|number| put_uvarint_bytes(&mut symbols, value(number).as_bytes()));
    section(&symbols, &mut bytes);
    bytes.resize(bytes.len().next_multiple_of(16), 0);
    let series = bytes.len() as u64;
    bytes.resize(bytes.len() + 16 * values as usize, 0xEE);
    let postings = bytes.len() as u64;
    let (mut table, mut list) = (Vec::new(), Vec::new());
    put_u32(&mut table, values);
    for number in 0..values {
        put_uvarint(&mut table, 2);
        put_uvarint_bytes(&mut table, b"name");
        put_uvarint_bytes(&mut table, value(number).as_bytes());
        put_uvarint(&mut table, bytes.len() as u64);
        list.clear();
        put_u32(&mut list, 1);
        put_u32(&mut list, (series / 16) as u32 + number);
        section(&list, &mut bytes);
    }
    let postings_table = bytes.len() as u64;
    section(&table, &mut bytes);
    let symbols = 5;
    let toc = Toc { symbols, series, label_indices: 0, label_indices_table: 0, postings, postings_table };
    toc.write(&mut bytes);
    bytes
}

async fn header_of(index: Vec<u8>) -> (SimFs, BucketRef, BlockId) {
    let (disk, bucket, block) = (SimFs::new(), memory(&clock()), id(1));
    put(bucket.as_ref(), &layout::object(block, layout::INDEX), index).await;
    let fs: Arc<dyn Fs> = Arc::new(disk.clone());
    build(bucket.as_ref(), block, &fs, Path::new("/data/index-header")).await.unwrap();
    (disk, bucket, block)
}

/// The bytes of an index-header with so many values of one label.
pub(crate) async fn good_header(values: u32) -> Vec<u8> {
    let (disk, ..) = header_of(index(values)).await;
    disk.contents(Path::new("/data/index-header")).unwrap()
}

#[tokio::test]
async fn a_damaged_header_is_an_error_and_is_built_again() {
    let path = Path::new("/data/index-header");
    let (disk, bucket, block) = header_of(index(100)).await;
    let good = disk.contents(path).unwrap();
    let header = IndexHeader::open(Arc::new(Bytes::from(good.clone()))).unwrap();
    assert_eq!(header.index_version(), 2);
    let first = header.postings_extent("name", "value-000000").unwrap().unwrap();
    let last = header.postings_extent("name", "value-000099").unwrap().unwrap();
    assert_eq!((first.start, last.end), (header.toc().postings, header.toc().postings_table));
    assert_eq!(header.postings_extent("name", "value-x").unwrap(), None);
    // The series are in the bucket only.
    assert!(header.index().scan().next_into(&mut Default::default()).is_err());

    for length in 0..good.len() {
        assert!(IndexHeader::open(Arc::new(Bytes::from(good[..length].to_vec()))).is_err(), "{length} bytes");
    }
    for at in 0..good.len() {
        for bit in [0, 3, 7] {
            let mut damaged = good.clone();
            damaged[at] ^= 1 << bit;
            // The gap before the series is covered by no checksum, and nobody reads it. Version 2 and version 3 are one.
            if let Ok(header) = IndexHeader::open(Arc::new(Bytes::from(damaged.clone()))) {
                let found = header.postings_extent("name", "value-000042").unwrap();
                assert!(found.is_some(), "byte {at}");
            }
        }
    }
    let mut damaged = good.clone();
    damaged[40] ^= 1;
    disk.put(path, &damaged).unwrap();
    let fs: Arc<dyn Fs> = Arc::new(disk.clone());
    IndexHeader::open_or_build(bucket.as_ref(), block, &fs, path).await.unwrap();
    assert_eq!(disk.contents(path).unwrap(), good);
    // With a good one there, the bucket is not asked.
    bucket.delete(&layout::object(block, layout::INDEX)).await.unwrap();
    IndexHeader::open_or_build(bucket.as_ref(), block, &fs, path).await.unwrap();
}

#[tokio::test]
async fn a_damaged_index_gives_no_header() {
    let good = index(3);
    for damaged in [Vec::new(), good[..20].to_vec(), good[..good.len() - 1].to_vec(), vec![0; 100]] {
        let (disk, bucket, block) = (SimFs::new(), memory(&clock()), id(1));
        put(bucket.as_ref(), &layout::object(block, layout::INDEX), damaged).await;
        let fs: Arc<dyn Fs> = Arc::new(disk.clone());
        let path = Path::new("/data/index-header");
        assert!(build(bucket.as_ref(), block, &fs, path).await.is_err());
        assert!(fs.stat(path).is_err());
    }
}

/// Every fault at every call: a header that is there afterwards says what the good one says.
#[tokio::test(start_paused = true)]
async fn a_store_that_fails_gives_no_wrong_header() {
    let path = Path::new("/data/index-header");
    let (disk, bucket, block) = header_of(index(100)).await;
    let good = disk.contents(path).unwrap();
    let fs: Arc<dyn Fs> = Arc::new(disk.clone());
    let clean = Faulty::new(Arc::clone(&bucket), Script::Clean);
    build(&clean, block, &fs, path).await.unwrap();
    let (mut built, mut refused) = (0, 0);
    for call in clean.log() {
        for fault in
            Fault::ALL.into_iter().filter(|fault| fault.can_hit(call.operation) && *fault != Fault::Hang)
        {
            for cut in 0..5 {
                drop(disk.remove_dir_all(Path::new("/data")));
                // The seed of the details is the number of the call: idle calls before it change where a body is cut.
                let faulty = Faulty::new(Arc::clone(&bucket), Script::once(call.number + cut, fault));
                for _ in 0..cut {
                    drop(faulty.exists("debug/x").await);
                }
                let opened = IndexHeader::open_or_build(&faulty, block, &fs, path).await;
                let Ok(header) = opened else {
                    refused += 1;
                    let left = disk.list(Path::new("/data")).unwrap_or_default();
                    assert!(
                        left.iter().all(|entry| entry.name == "index-header"),
                        "{fault:?} at {call:?}: {left:?}"
                    );
                    continue;
                };
                built += 1;
                let whole = IndexHeader::open(Arc::new(Bytes::from(good.clone()))).unwrap();
                for value in ["value-000000", "value-000063", "value-000099"] {
                    let extent = header.postings_extent("name", value).unwrap();
                    assert_eq!(
                        extent,
                        whole.postings_extent("name", value).unwrap(),
                        "{fault:?} at {call:?}"
                    );
                }
            }
        }
    }
    assert!(built > 0 && refused > 0, "{built} built, {refused} refused");
}

/// A header is not synced: what a loss of power leaves of it is either all of it, or is built again.
#[tokio::test]
async fn a_header_that_a_loss_of_power_tore_is_built_again() {
    let path = Path::new("/data/index-header");
    let good = good_header(100).await;
    let mut torn = 0;
    for seed in 0..50 {
        let (disk, bucket, block) = header_of(index(100)).await;
        disk.crash(seed);
        torn += usize::from(disk.contents(path).ok().is_none_or(|left| left != good));
        let fs: Arc<dyn Fs> = Arc::new(disk.clone());
        IndexHeader::open_or_build(bucket.as_ref(), block, &fs, path).await.unwrap();
        assert_eq!(disk.contents(path).unwrap(), good, "seed {seed}");
    }
    assert!(torn > 0);
}
