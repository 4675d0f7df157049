//! Damaged sources: a merge names the block at fault, or makes what it would have made without the damage; never anything else.
#![expect(clippy::disallowed_methods, reason = "recordings are files")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use compact::merge::{Merged, Overlaps, merge};
use compact::{SourceError, Target, WriteError};
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockReader};
use tsdb::fs::sim::{Chance, SimFs};
use tsdb::fs::{Fs, RealFs};

use super::world::{self, HOUR, START};

fn merged(
    fs: &Arc<dyn Fs>,
    parent: &Path,
    blocks: &[BlockReader],
    overlaps: Overlaps,
) -> Result<Merged, WriteError> {
    let id = BlockId::new(START as u64, 99);
    let target = Target { fs: Arc::clone(fs), parent, id, memory_bytes: 1 << 20 };
    let merged = merge(blocks, overlaps, &target, BlockMeta::new(id, START, START + 8 * HOUR));
    let left = fs.list(parent).unwrap();
    assert!(left.iter().all(|entry| !entry.name.contains('.')), "{left:?}");
    assert_eq!(
        left.iter().any(|entry| entry.name == id.to_string()),
        merged.as_ref().is_ok_and(|merged| merged.block.is_some())
    );
    merged
}

#[test]
fn a_flipped_bit_is_named_or_changes_nothing() {
    let (mut named, mut harmless) = (0, 0);
    for seed in 0..240u64 {
        let disk = SimFs::new();
        let (fs, parent): (Arc<dyn Fs>, _) = (Arc::new(disk.clone()), Path::new("/blocks"));
        fs.create_dir_all(parent).unwrap();
        let mut chance = Chance::new(seed / 12);
        let mut sources = world::sources(&mut chance);
        sources.retain(|source| !source.series.is_empty());
        let blocks: Vec<BlockReader> =
            (1..).zip(&sources).map(|(number, source)| world::write(&fs, parent, number, source)).collect();
        let overlaps = if seed.is_multiple_of(2) { Overlaps::OneToOne } else { Overlaps::Penalty };
        let content = |merged: &Merged| {
            merged.block.as_ref().map(|written| {
                let folder = parent.join(written.meta.ulid.to_string());
                world::read(&BlockReader::open(&*fs, &folder).unwrap())
            })
        };
        let expected = content(&merged(&fs, parent, &blocks, overlaps).unwrap());
        let mut chance = Chance::new(seed);
        let victim = blocks[chance.below(blocks.len() as u64) as usize].meta().ulid;
        let file = parent.join(victim.to_string());
        let file = file.join(if chance.coin() { "index" } else { "chunks/000001" });
        let length = fs.open(&file).unwrap().len();
        let at = chance.below(length);
        let byte = fs.open(&file).unwrap().read_range(at, 1).unwrap()[0];
        let mut open = fs.append(&file).unwrap();
        open.write_all_at(&[byte ^ 1 << chance.below(8)], at).unwrap();
        drop(open);
        fs.remove_dir_all(&parent.join(BlockId::new(START as u64, 99).to_string())).ok();
        let opened: Result<Vec<BlockReader>, _> = blocks
            .iter()
            .map(|block| BlockReader::open(&*fs, &parent.join(block.meta().ulid.to_string())))
            .collect();
        // What opens a block knows which one it is.
        let Ok(blocks) = opened else {
            named += 1;
            continue;
        };
        match merged(&fs, parent, &blocks, overlaps) {
            Ok(merged) => {
                assert_eq!(content(&merged), expected, "seed {seed}: {} byte {at}", file.display());
                harmless += 1;
            }
            Err(WriteError::Source(SourceError { block, .. })) => {
                assert_eq!(block, victim, "seed {seed}: {} byte {at}", file.display());
                named += 1;
            }
            Err(other) => panic!("seed {seed}: {other:?}"),
        }
    }
    assert!(named > 150 && harmless > 0, "{named} named, {harmless} harmless");
}

/// Cases of damage that a merge heals or is not concerned by, with the samples that come out.
const HARMLESS: &[(&str, u64)] = &[
    ("00-base", 12_480),
    ("bucket-duplicated-compaction", 12_480),
    ("bucket-overlapping-blocks", 12_480),
    ("chunks-duplicated", 12_480),
    ("chunks-overlapping", 12_480),
    ("deletion-mark-garbage", 12_480),
    ("deletion-mark-version-9", 12_480),
    ("index-postings-missing-series", 12_480),
    ("meta-empty-thanos-labels", 12_480),
    ("meta-files-size-mismatch", 12_480),
    ("meta-negative-level", 12_480),
    ("meta-no-thanos-section", 12_480),
    ("meta-thanos-version-9", 12_480),
    ("meta-unknown-fields", 12_480),
    ("meta-wrong-stats", 12_480),
    ("meta-wrong-ulid", 12_480),
    ("no-compact-mark-garbage", 12_480),
    ("series-without-metric-name", 12_480),
];

/// The block of a case and its three neighbours, merged.
fn case(folder: &Path, neighbours: &[BlockReader]) -> Option<Result<u64, String>> {
    let mut blocks = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        match BlockReader::open(&RealFs, &path) {
            Ok(block) => blocks.push(block),
            Err(corruption) => return Some(Err(format!("cannot be opened: {corruption}"))),
        }
    }
    blocks.extend(neighbours.iter().cloned());
    let parent = tempfile::tempdir().unwrap();
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    Some(match merged(&fs, parent.path(), &blocks, Overlaps::OneToOne) {
        Ok(merged) => {
            merged.samples.balance().unwrap();
            Ok(merged.samples.written)
        }
        Err(WriteError::Source(SourceError { block, reason })) => {
            assert!(neighbours.iter().all(|good| good.meta().ulid != block));
            let cause =
                std::error::Error::source(&reason).map(|cause| format!(": {cause}")).unwrap_or_default();
            Err(format!("{reason}{cause}"))
        }
        Err(other) => panic!("{}: {other:?}", folder.display()),
    })
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "a suite that is left out must say so; the figures are what a run is for"
)]
fn each_recorded_damage_is_named_or_harmless() {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("LEFT OUT: PRONOIA_SHARED is not set, so recorded damage was not merged");
        return;
    };
    let fixtures = Path::new(&shared).join("fixtures");
    let mut neighbours: Vec<BlockReader> = std::fs::read_dir(fixtures.join("corrupt-blocks-neighbours"))
        .unwrap()
        .map(|entry| BlockReader::open(&RealFs, &entry.unwrap().path()).unwrap())
        .collect();
    neighbours.sort_by_key(|block| block.meta().min_time);
    neighbours.truncate(3);
    let mut outcomes: BTreeMap<String, Result<u64, String>> = BTreeMap::new();
    for entry in std::fs::read_dir(fixtures.join("corrupt-blocks")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir()
            && let Some(outcome) = case(&entry.path(), &neighbours)
        {
            outcomes.insert(entry.file_name().to_string_lossy().into_owned(), outcome);
        }
    }
    let named = outcomes.values().filter(|outcome| outcome.is_err()).count();
    eprintln!(
        "{} recorded cases merged with good neighbours, in {named} the damaged block was named",
        outcomes.len()
    );
    let harmless: Vec<(&str, u64)> = outcomes
        .iter()
        .filter_map(|(name, outcome)| Some((name.as_str(), *outcome.as_ref().ok()?)))
        .collect();
    assert_eq!(harmless, HARMLESS);
}
