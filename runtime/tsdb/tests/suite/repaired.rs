//! What can be repaired without loss becomes, byte for byte, the block that it was before it was damaged.

use std::fs;
use std::sync::Arc;

use tsdb::BlockId;
use tsdb::block::{BlockMeta, RepairError, examine, repair};
use tsdb::fs::RealFs;

use super::examined::files;
use super::fixtures;

/// Damaged blocks that lost nothing, and whether what comes out is what was there before the damage.
const REPAIRABLE: [(&str, bool); 17] = [
    ("00-base", true),
    ("chunk-meta-time-mismatch", true),
    ("chunks-duplicated", true),
    ("chunks-out-of-order", true),
    ("index-postings-bad-ref", true),
    ("index-postings-flipped", true),
    ("index-postings-huge-count", true),
    ("index-postings-missing-series", true),
    ("index-postings-table-flipped", true),
    ("index-postings-table-huge-count", true),
    ("index-postings-unsorted", true),
    ("meta-mint-after-maxt", true),
    ("meta-negative-level", true),
    ("meta-wrong-stats", true),
    ("series-no-chunks", false),
    ("series-unsorted", true),
    ("series-unsorted-labels", true),
];

#[test]
fn of_damage_that_lost_nothing_nothing_is_left() {
    let Some(fixtures) = fixtures::folder("repair") else { return };
    let zoo = fixtures.join("corrupt-blocks");
    let base = fixtures::folders(&zoo.join("00-base")).remove(0);
    let target = tempfile::tempdir().unwrap();
    for (number, (name, same)) in (0u128..).zip(REPAIRABLE) {
        let damaged = fixtures::folders(&zoo.join(name)).remove(0);
        let meta = BlockMeta::parse(fs::read(damaged.join("meta.json")).unwrap()).unwrap();
        let range =
            if meta.min_time < meta.max_time { (meta.min_time, meta.max_time) } else { (i64::MIN, i64::MAX) };
        let before = examine(&files(&damaged), range.0, range.1);
        assert!(before.problems.are_repairable(), "{name}: {:?}", before.problems);
        let id = BlockId::new(1_704_067_200_000, number);
        let new = repair(&files(&damaged), &meta, &before, Arc::new(RealFs), target.path(), id);
        let new = new.unwrap().unwrap();
        let folder = target.path().join(id.to_string());
        let after = examine(&files(&folder), new.min_time, new.max_time);
        assert!(after.problems.is_empty(), "{name}: {:?}", after.problems);
        assert_eq!((new.ulid, new.compaction.parents[0].ulid), (id, meta.ulid));
        assert_eq!((new.min_time, new.max_time), (1_704_067_200_000, 1_704_074_400_000), "{name}");
        if same {
            assert_eq!(new.stats.num_samples, 3120, "{name}");
            for file in ["index", "chunks/000001"] {
                // Where chunks or series stood in another order, they are now at other places.
                let moved = ["chunks-out-of-order", "series-unsorted", "chunks-duplicated"].contains(&name);
                let (ours, theirs) =
                    (fs::read(folder.join(file)).unwrap(), fs::read(base.join(file)).unwrap());
                assert!(moved || ours == theirs, "{name}: {file}");
            }
        }
    }
}

#[test]
fn what_would_lose_samples_is_refused() {
    let Some(fixtures) = fixtures::folder("repair") else { return };
    let target = tempfile::tempdir().unwrap();
    for name in ["chunks-crc-wrong", "chunks-overlapping", "index-series-flipped", "index-missing"] {
        let damaged = fixtures::folders(&fixtures.join("corrupt-blocks").join(name)).remove(0);
        let meta = BlockMeta::parse(fs::read(damaged.join("meta.json")).unwrap()).unwrap();
        let found = examine(&files(&damaged), meta.min_time, meta.max_time);
        let id = BlockId::new(1, 1);
        let refused = repair(&files(&damaged), &meta, &found, Arc::new(RealFs), target.path(), id);
        assert!(matches!(refused, Err(RepairError::Lossy(of)) if of == meta.ulid), "{name}");
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0, "{name}");
    }
}
