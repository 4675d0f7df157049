//! Bad blocks: either they are named, or what is made of them is sound. Nothing panics.

use std::path::Path;
use std::sync::Arc;

use compact::downsample::downsample;
use compact::{Target, WriteError};
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockReader, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::Encoding;
use tsdb::fs::Fs;
use tsdb::fs::sim::{Chance, SimFs};
use tsdb::index::SymbolTable;

use super::generated;
use super::random::examined;

const FIVE_MINUTES: i64 = 300_000;
const HOUR: i64 = 3_600_000;

/// Writes a block of one series; `None` where no writer takes such chunks.
fn write(disk: &Arc<dyn Fs>, folder: &Path, chunks: &[(i64, i64, Encoding, Vec<u8>)]) -> Option<BlockReader> {
    let symbols: SymbolTable = ["__name__", "a"].into_iter().collect();
    let id = BlockId::new(9, 9);
    let mut writer = BlockWriter::create(Arc::clone(disk), folder, id, Arc::new(symbols)).unwrap();
    let data: Vec<ChunkData<'_>> = chunks
        .iter()
        .map(|(min_time, max_time, encoding, data)| ChunkData {
            min_time: *min_time,
            max_time: *max_time,
            encoding: *encoding,
            data,
        })
        .collect();
    writer.add_series(&[(0, 1)], &data).ok()?;
    let (first, last) = (chunks[0].0, chunks[chunks.len() - 1].1);
    writer.finish(BlockMeta::new(id, first, last + 1), &Tombstones::default()).unwrap().unwrap();
    Some(BlockReader::open(disk.as_ref(), &folder.join(id.to_string())).unwrap())
}

/// Downsamples a block that may be bad; gives what was made.
fn attempt(
    disk: &Arc<dyn Fs>,
    folder: &Path,
    source: &BlockReader,
    from: i64,
    to: i64,
) -> Option<BlockReader> {
    let id = BlockId::new(10, from as u128);
    let target = Target { fs: Arc::clone(disk), parent: folder, id, memory_bytes: 1 << 20 };
    match downsample(source, from, to, &target, source.meta().clone()) {
        Ok(Some(_)) => {
            let folder = folder.join(id.to_string());
            let problems = examined(disk, &folder, i64::MIN, i64::MAX).problems;
            assert!(problems.is_empty(), "{problems:?}");
            Some(BlockReader::open(disk.as_ref(), &folder).unwrap())
        }
        Ok(None) => None,
        Err(WriteError::Source(error)) => {
            assert_eq!(error.block, source.meta().ulid);
            let left = disk.list(folder).unwrap();
            assert!(left.iter().all(|entry| !entry.name.starts_with(&id.to_string())), "{left:?}");
            None
        }
        Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
    }
}

fn change(chance: &mut Chance, data: &mut Vec<u8>) {
    for _ in 0..1 + chance.below(3) {
        let at = chance.below(data.len() as u64) as usize;
        match chance.below(4) {
            0 => data.truncate(at.max(3)),
            1 => data[at] = chance.next_u64() as u8,
            _ => data[at] ^= 1 << chance.below(8),
        }
    }
}

#[test]
fn changed_chunks_are_named_or_give_sound_windows() {
    let (mut made_of_raw, mut made_of_windows, mut tried) = (0, 0, 0);
    for seed in 0..150 {
        let mut chance = Chance::new(seed);
        let (folder, whole) = (Path::new("/blocks"), generated::series(&mut chance));
        let mut chunks: Vec<_> = whole
            .into_iter()
            .take(12)
            .map(|chunk| (chunk.times().0, chunk.times().1, chunk.encoding, chunk.data))
            .collect();
        for change_raw in [true, false] {
            let disk: Arc<dyn Fs> = Arc::new(SimFs::new());
            disk.create_dir_all(folder).unwrap();
            let mut sound = chunks.clone();
            let at = chance.below(chunks.len() as u64) as usize;
            if change_raw {
                change(&mut chance, &mut sound[at].3);
            }
            let Some(raw) = write(&disk, folder, &sound) else { continue };
            tried += 1;
            let Some(five) = attempt(&disk, folder, &raw, 0, FIVE_MINUTES) else { continue };
            made_of_raw += 1;
            let mut windows = Vec::new();
            let mut scan = five.scan().unwrap();
            scan.next_series().unwrap();
            while let Some((meta, stored)) = scan.chunk_at(windows.len()).unwrap() {
                windows.push((meta.min_time, meta.max_time, Encoding::Aggregate, stored.data.to_vec()));
            }
            let at = chance.below(windows.len() as u64) as usize;
            change(&mut chance, &mut windows[at].3);
            // And raw samples among windows, where there is room.
            if let Some(last) = chunks.pop().filter(|chunk| chunk.0 > windows[windows.len() - 1].1) {
                windows.push(last);
            }
            let disk: Arc<dyn Fs> = Arc::new(SimFs::new());
            disk.create_dir_all(folder).unwrap();
            if let Some(five) = write(&disk, folder, &windows) {
                made_of_windows += i32::from(attempt(&disk, folder, &five, FIVE_MINUTES, HOUR).is_some());
            }
            if chunks.is_empty() {
                break;
            }
        }
    }
    assert!(
        tried > 200 && made_of_raw > 100 && made_of_windows > 5,
        "{tried} {made_of_raw} {made_of_windows}"
    );
}
