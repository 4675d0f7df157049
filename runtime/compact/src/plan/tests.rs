//! Thanos' own cases as tables, and what holds for any blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use block::{FileEntry, Meta, NoCompactReason, Resolution, Thanos, layout};
use proptest::prelude::*;
use serde_json::json;
use tsdb::BlockId;
use tsdb::block::BlockMeta;

use super::select::select;
use super::*;

const RANGES: [i64; 5] = [20, 60, 180, 540, 1620];
const HOUR: i64 = 3_600_000;

fn id(number: u128) -> BlockId {
    BlockId::new(0, number)
}

fn meta(number: u128, from: i64, to: i64) -> Meta {
    let thanos = Thanos { labels: [("cluster".to_owned(), "eu".to_owned())].into(), ..Thanos::default() };
    Meta { block: BlockMeta::new(id(number), from, to), thanos }
}

/// Blocks as `number from to`, those to be left out with a `-` before the number, failed ones with a `!`.
fn chosen(blocks: &str) -> Vec<u128> {
    let mut excluded = BTreeSet::new();
    let mut metas: Vec<Meta> = Vec::new();
    for block in blocks.split(',') {
        let mut fields = block.split_whitespace();
        let name = fields.next().unwrap();
        let number: u128 = name.trim_start_matches(['-', '!']).parse().unwrap();
        let mut time = || fields.next().unwrap().parse::<i64>().unwrap();
        let mut meta = meta(number, time(), time());
        meta.block.compaction.failed = name.starts_with('!');
        if name.starts_with('-') {
            excluded.insert(id(number));
        }
        if let Some(tombstones) = fields.next() {
            meta.block.stats.num_tombstones = tombstones.parse().unwrap();
            meta.block.stats.num_series = fields.next().unwrap().parse().unwrap();
        }
        metas.push(meta);
    }
    metas.sort_by_key(|meta| meta.block.min_time);
    let metas: Vec<&Meta> = metas.iter().collect();
    select(&RANGES, &excluded, &metas).iter().map(|meta| meta.id().as_u128()).collect()
}

#[test]
fn blocks_are_chosen_as_by_prometheus() {
    for (blocks, expected) in [
        ("1 0 20", &[][..]),
        ("1 0 20, 2 20 40", &[]),
        ("1 0 20, 2 20 40, 3 40 60", &[]),
        ("1 0 20, 2 20 40, 3 40 60, 4 60 80", &[1, 2, 3]),
        ("6 0 60, 7 60 120, 8 120 180, 9 180 200, 10 200 220", &[6, 7, 8]),
        ("1 0 20, 2 20 40, 4 60 80", &[]),
        ("1 0 20, 2 20 40, 4 60 80, 5 80 100", &[1, 2]),
        ("1 0 20, 2 20 40, 3 40 60, 4 60 120, 5 120 180", &[1, 2, 3]),
        ("6 0 60, 8 120 180, 9 180 200, 10 200 220", &[6, 8]),
        ("2 20 40, 4 60 120, 5 960 980, 6 120 180, 7 720 960", &[2, 4, 6]),
        ("1 -40 -20, 2 -20 0, 3 0 20, 4 20 40", &[1, 2]),
        // Tombstones and series.
        ("1 0 540 3 10", &[]),
        ("1 0 540 3 10, 2 540 560", &[1]),
        ("1 0 60 3 10, 2 60 80", &[]),
        ("1 0 540 0 0, 2 540 560", &[]),
        // The newest block is the one that ends last, whatever its name.
        ("5 0 360, 6 540 560, 7 360 420, 8 420 540", &[7, 8]),
        // Overlaps.
        ("1 0 20, 2 19 40, 3 40 60", &[1, 2]),
        ("1 0 20, 2 20 40, 3 30 50", &[2, 3]),
        ("1 0 20, 2 10 40, 3 30 50", &[1, 2, 3]),
        ("5 0 360, 6 340 560, 7 360 420, 8 420 540", &[5, 6, 7, 8]),
        ("1 0 10, 2 9 20, 3 30 40, 4 39 50", &[1, 2]),
        // A range with a block that failed.
        ("1 0 20, !2 20 40, 3 40 60, 4 60 80", &[]),
        ("1 0 20, !2 20 40, 4 60 80, 5 80 100", &[]),
        ("1 0 20, !2 20 40, 3 40 60, 4 60 120, 5 120 180, 6 180 200", &[]),
    ] {
        assert_eq!(chosen(blocks), expected, "{blocks}");
    }
}

#[test]
fn blocks_that_are_left_out_split_a_range() {
    for (blocks, expected) in [
        ("-1 0 20", &[][..]),
        ("-1 0 20, 2 20 40, 3 40 60, 4 60 80", &[2, 3]),
        ("1 0 20, -2 20 40, 3 40 60, 4 60 80", &[]),
        ("1 0 20, 2 20 40, 3 40 60, -4 60 80", &[1, 2, 3]),
        ("-1 0 20, 2 20 40, 3 40 60, -4 60 80", &[2, 3]),
        ("-1 0 20, -2 20 40, -3 40 60, -4 60 80", &[]),
        ("1 0 20, -2 20 40, 4 60 80, 5 80 100", &[]),
        ("2 20 40, 4 60 120, 5 960 980, -6 120 180, 7 720 960", &[2, 4]),
        ("2 20 40, -4 60 120, 5 960 980, 6 120 180, 7 720 960", &[]),
        ("-1 0 540 3 10, 2 540 560", &[]),
        ("-1 0 20, 2 19 40, 3 40 60", &[]),
    ] {
        assert_eq!(chosen(blocks), expected, "{blocks}");
    }
}

fn planner() -> Planner {
    Planner { levels: Levels::default(), index_bytes_max: 64 << 30, vertical: false, halt_on_overlap: false }
}

fn group_of(metas: Vec<Meta>) -> Group {
    groups(metas.into_iter().map(Arc::new)).remove(0)
}

fn step(planner: &Planner, group: &Group, excluded: &[u128]) -> Step {
    let excluded = excluded.iter().map(|number| id(*number)).collect();
    planner.step(group, Known { excluded: &excluded, index_bytes: &BTreeMap::new() })
}

fn sources(next: &Next) -> Vec<u128> {
    match next {
        Next::Job(job) => job.source_ids().iter().map(|id| id.as_u128()).collect(),
        _ => Vec::new(),
    }
}

fn with_index(mut meta: Meta, bytes: u64) -> Meta {
    let index = FileEntry { rel_path: layout::INDEX.to_owned(), size_bytes: bytes, ..FileEntry::default() };
    meta.thanos.files = vec![index];
    meta
}

#[test]
fn the_block_with_the_largest_index_is_left_out() {
    let planner = Planner { index_bytes_max: 100, ..planner() };
    let eight = |sizes: [u64; 4]| {
        let blocks = (0..4i64)
            .zip(sizes)
            .map(|(at, size)| with_index(meta(at as u128 + 1, 2 * at * HOUR, 2 * (at + 1) * HOUR), size));
        let fresh = with_index(meta(9, 8 * HOUR, 10 * HOUR), 90);
        group_of(blocks.chain([fresh]).collect())
    };
    let first = step(&planner, &eight([41, 20, 10, 20]), &[]);
    assert_eq!(first.marks.iter().map(|mark| mark.block).collect::<Vec<_>>(), [id(1)]);
    assert_eq!(first.marks[0].reason, NoCompactReason::IndexSizeExceeding);
    assert!(first.marks[0].details.contains("could exceed: 100 with this block"), "{:?}", first.marks);
    assert_eq!(sources(&first.next), [2, 3, 4]);
    // The limit is met, not passed: 85 of 100.
    assert_eq!(sources(&step(&planner, &eight([25, 20, 20, 19]), &[]).next), [1, 2, 3, 4]);
    assert_eq!(sources(&step(&planner, &eight([25, 20, 20, 20]), &[]).next), [2, 3, 4]);
    // Nothing is left to be joined, and each is marked once.
    let none = step(&planner, &eight([90, 91, 92, 93]), &[]);
    assert!(matches!(none.next, Next::Nothing));
    // The last one has nobody left to be joined with.
    assert_eq!(none.marks.iter().map(|mark| mark.block).collect::<Vec<_>>(), [1, 2, 3].map(id));
}

#[test]
fn downsampled_blocks_that_overlap_are_left_alone() {
    let fine = |number, from: i64, to: i64| {
        let mut meta = meta(number, from * HOUR, to * HOUR);
        meta.thanos.downsample.resolution = Resolution::FIVE_MINUTES;
        meta
    };
    let group = group_of(vec![fine(1, 0, 48), fine(2, 24, 72), fine(3, 72, 96)]);
    for planner in [planner(), Planner { vertical: true, ..planner() }] {
        let step = step(&planner, &group, &[]);
        let marked: Vec<BlockId> = step.marks.iter().map(|mark| mark.block).collect();
        assert_eq!(marked, [id(1), id(2)]);
        assert_eq!(step.marks[0].reason, NoCompactReason::DownsampleVerticalCompaction);
        assert!(matches!(step.next, Next::Nothing));
    }
}

#[test]
fn overlaps_are_merged_where_declared_compared_otherwise_and_halt_where_asked() {
    let group = group_of(vec![meta(1, 0, 2 * HOUR), meta(2, HOUR, 3 * HOUR), meta(3, 4 * HOUR, 6 * HOUR)]);
    let overlapping = |planner: Planner| match step(&planner, &group, &[]).next {
        Next::Job(job) => {
            assert_eq!(job.range(), (0, 3 * HOUR));
            job.overlapping
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(overlapping(planner()), Overlapping::IfEqual);
    assert_eq!(overlapping(Planner { vertical: true, ..planner() }), Overlapping::Declared);
    assert_eq!(
        overlapping(Planner { vertical: true, halt_on_overlap: true, ..planner() }),
        Overlapping::Declared
    );
    let halting = Planner { halt_on_overlap: true, ..planner() };
    let Next::Halt(halt) = step(&halting, &group, &[1, 2, 3]).next else { panic!("no halt") };
    let expected = format!(
        "group {}: pre compaction overlap check: overlaps found while gathering blocks. [mint: {HOUR}, maxt: {}, range: 1h0m0s, blocks: 2]: <ulid: {}, mint: 0, maxt: {}, range: 2h0m0s>, <ulid: {}, mint: {HOUR}, maxt: {}, range: 2h0m0s>",
        group.key,
        2 * HOUR,
        id(1),
        2 * HOUR,
        id(2),
        3 * HOUR,
    );
    assert_eq!(halt.to_string(), expected);
    // Prometheus' compactor takes care of blocks that are left out, ours goes on.
    assert!(matches!(step(&planner(), &group, &[1, 2, 3]).next, Next::Nothing));
}

#[test]
fn a_block_that_is_left_out_beside_another_makes_no_hole() {
    let mut blocks: Vec<Meta> =
        (0..5i64).map(|at| meta(at as u128 + 1, 2 * at * HOUR, 2 * (at + 1) * HOUR)).collect();
    blocks.push(meta(7, 2 * HOUR, 4 * HOUR));
    let group = group_of(blocks);
    assert_eq!(sources(&step(&planner(), &group, &[7]).next), [1, 2, 3, 4]);
    // As Thanos does it.
    let vertical = Planner { vertical: true, ..planner() };
    assert_eq!(sources(&step(&vertical, &group, &[7]).next), [1, 2]);
    // Without its neighbour it leaves one.
    assert_eq!(sources(&step(&planner(), &group, &[2, 7]).next), [3, 4]);
}

#[test]
fn a_job_says_of_its_block_what_thanos_says() {
    let mut blocks: Vec<Meta> =
        (0..4i64).map(|at| meta(at as u128 + 1, 2 * at * HOUR, 2 * (at + 1) * HOUR)).collect();
    blocks[1].block.compaction.level = 2;
    blocks[1].block.compaction.sources = vec![id(70), id(60)];
    blocks[2].block.compaction.sources.clear();
    blocks[0].block.compaction.hints = vec!["from-stale-series".to_owned(), "from-out-of-order".to_owned()];
    blocks[0].thanos.extensions = json!({"parquet_migrated": true, "a": 1});
    blocks[3].thanos.extensions = json!({"a": 2});
    blocks.push(meta(9, 8 * HOUR, 10 * HOUR));
    let group = group_of(blocks);
    assert_eq!(group.words(), r#"0@{cluster="eu"}"#);
    let Next::Job(job) = step(&planner(), &group, &[]).next else { panic!("no job") };
    let output = job.output(id(100));
    assert_eq!((output.min_time, output.max_time, output.version), (0, 8 * HOUR, 1));
    assert_eq!(output.compaction.level, 3);
    assert_eq!(output.compaction.sources, [1, 3, 4, 60, 70].map(id));
    let parents: Vec<BlockId> = output.compaction.parents.iter().map(|parent| parent.ulid).collect();
    assert_eq!(parents, [1, 2, 3, 4].map(id));
    assert_eq!(output.compaction.hints, ["from-stale-series"]);
    assert_eq!(job.extensions, json!({"a": 1}));
    assert_eq!(job.thanos().labels, group.labels);
}

#[test]
fn levels_end_where_they_are_told_to() {
    assert_eq!(Levels::up_to(5).unwrap_err().to_string(), "level is bigger then default set of 5");
    let group =
        group_of((0..40i64).map(|at| meta(at as u128 + 1, 2 * at * HOUR, 2 * (at + 1) * HOUR)).collect());
    let longest = |level| {
        let planner = Planner { levels: Levels::up_to(level).unwrap(), ..planner() };
        let known = Known { excluded: &BTreeSet::new(), index_bytes: &BTreeMap::new() };
        let outlook = Outlook::of(&planner, std::slice::from_ref(&group), known);
        let ranges = outlook.jobs.iter().map(|planned| planned.job.range());
        ranges.map(|(from, to)| (to - from) / HOUR).max().unwrap_or(0)
    };
    assert_eq!([0, 1, 2, 3, 4].map(longest), [0, 0, 8, 48, 48]);
}

#[test]
fn an_outlook_ends_and_names_every_job() {
    // Two weeks of two hours, as a bucket has them that nobody has compacted.
    let group =
        group_of((0..180i64).map(|at| meta(at as u128 + 1, 2 * at * HOUR, 2 * (at + 1) * HOUR)).collect());
    let known = Known { excluded: &BTreeSet::new(), index_bytes: &BTreeMap::new() };
    let outlook = Outlook::of(&planner(), &[group], known);
    let count = |hours: i64| {
        outlook
            .jobs
            .iter()
            .filter(|planned| planned.job.range().1 - planned.job.range().0 == hours * HOUR)
            .count()
    };
    assert_eq!([count(8), count(48), count(336)], [44, 7, 1]);
    let mut report = PlanReport { bucket: "test".to_owned(), blocks: 180, ..PlanReport::default() };
    report.add_outlook(&outlook);
    report.sum_up();
    assert!(report.to_string().ends_with(
        "52 compactions, 0 downsamplings, 0 marks, 0 deletions; at most 0 bytes of memory and 0 bytes of disk for a job"
    ));
    assert_eq!(serde_json::to_value(&report).unwrap()["compactions"][0]["level"], 2);
}

proptest! {
    /// Whatever the blocks: a job has sources of the group that are not left out, and the plans come to an end.
    #[test]
    fn plans_end_and_keep_what_they_must(
        blocks in proptest::collection::vec((0i64..40, 1i64..30, any::<bool>()), 2..25),
        vertical in any::<bool>(),
    ) {
        let metas: Vec<Meta> = blocks.iter().enumerate().map(|(at, (from, length, _))| {
            meta(at as u128 + 1, from * HOUR, (from + length) * HOUR)
        }).collect();
        let excluded: BTreeSet<BlockId> = blocks.iter().enumerate()
            .filter(|(_, (_, _, out))| *out).map(|(at, _)| id(at as u128 + 1)).collect();
        let mut group = group_of(metas);
        let planner = Planner { vertical, ..planner() };
        let known = Known { excluded: &excluded, index_bytes: &BTreeMap::new() };
        let before: BTreeSet<BlockId> = group.blocks.iter().map(|meta| meta.id()).collect();
        for round in 0..blocks.len() * 2 + 2 {
            prop_assert!(round <= blocks.len() * 2, "no end");
            let step = planner.step(&group, known);
            let Next::Job(job) = step.next else { break };
            prop_assert!(job.sources.len() > 1);
            prop_assert!(job.source_ids().iter().all(|id| !excluded.contains(id)));
            let made = job.output(id(1_000 + round as u128));
            for source in &job.sources {
                prop_assert!(made.min_time <= source.block.min_time && source.block.max_time <= made.max_time);
                prop_assert!(source.block.compaction.sources.iter().all(|id| made.compaction.sources.contains(id)));
            }
            let shares = job.sources.iter().zip(job.sources.iter().skip(1)).any(|(one, next)| next.block.min_time < one.block.max_time);
            prop_assert_eq!(shares, job.overlapping != Overlapping::No);
            let thanos = job.thanos();
            group.replace(&job.source_ids(), Some(Arc::new(Meta { block: made, thanos })));
        }
        let after: BTreeSet<BlockId> = group.blocks.iter().flat_map(|meta| meta.block.compaction.sources.clone()).collect();
        prop_assert_eq!(before, after);
    }
}
