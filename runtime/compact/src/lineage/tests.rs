//! Which blocks go and which stay, one rule at a time. Random buckets are in `tests/suite/simulation`.

use block::{Downsample, Meta, Resolution, Retention, Thanos};
use prom_model::{PromDuration, TimestampMs};
use serde_json::Map;
use tsdb::BlockId;
use tsdb::block::BlockMeta;

use super::*;

const HOUR: i64 = 3_600_000;

fn id(number: u128) -> BlockId {
    BlockId::new(0, number)
}

fn meta(number: u128, (from, to): (i64, i64), resolution: Resolution, sources: &[u128]) -> Meta {
    let mut block = BlockMeta::new(id(number), from * HOUR, to * HOUR);
    block.compaction.sources = sources.iter().map(|source| id(*source)).collect();
    let labels = [("cluster".to_owned(), "eu".to_owned())].into();
    let downsample = Downsample { resolution, extra: Map::new() };
    Meta { block, thanos: Thanos { labels, downsample, ..Thanos::default() } }
}

fn guard(raw: i64, five_minutes: i64, one_hour: i64) -> Guard {
    let hours = PromDuration::from_hours;
    let retention =
        Retention { raw: hours(raw), five_minutes: hours(five_minutes), one_hour: hours(one_hour) };
    Guard { retention, downsampling: true, as_thanos: false }
}

/// What is deleted and what is held at an hour.
fn decide(guard: Guard, metas: &[Meta], hour: i64) -> (Vec<u128>, Vec<u128>) {
    decide_of(guard, &Bucketful { metas: metas.iter().collect(), ..Bucketful::default() }, hour)
}

fn decide_of(guard: Guard, blocks: &Bucketful<'_>, hour: i64) -> (Vec<u128>, Vec<u128>) {
    let decision = guard.decide(blocks, TimestampMs::from_millis(hour * HOUR + 1));
    let deleted = decision.delete.iter().map(|one| one.block.as_u128()).collect();
    (deleted, decision.held.iter().map(|one| one.block.as_u128()).collect())
}

const RAW: Resolution = Resolution::RAW;
const FIVE: Resolution = Resolution::FIVE_MINUTES;
const ONE: Resolution = Resolution::ONE_HOUR;

#[test]
fn a_block_goes_once_the_coarser_blocks_hold_all_of_it() {
    let raw = meta(1, (0, 48), RAW, &[1, 2]);
    let guard = guard(100, 0, 0);
    assert_eq!(decide(guard, std::slice::from_ref(&raw), 148), (vec![], vec![1]));
    let half = [raw.clone(), meta(5, (0, 24), FIVE, &[1])];
    assert_eq!(decide(guard, &half, 148), (vec![], vec![1]));
    let no_source = [raw.clone(), meta(5, (0, 48), FIVE, &[1, 3])];
    assert_eq!(decide(guard, &no_source, 148), (vec![], vec![1]));
    let both = [raw.clone(), meta(5, (0, 24), FIVE, &[1]), meta(6, (24, 50), FIVE, &[2, 3])];
    assert_eq!(decide(guard, &both, 148), (vec![1], vec![]));
    // Not yet too old, or nothing is ever too old.
    assert_eq!(decide(guard, std::slice::from_ref(&raw), 147), (vec![], vec![]));
    let forever = Guard { retention: Retention::default(), ..guard };
    assert_eq!(decide(forever, &[raw], 9_999), (vec![], vec![]));
}

#[test]
fn only_a_resolution_that_is_kept_longer_is_waited_for() {
    let raw = [meta(1, (0, 48), RAW, &[1])];
    for (five, one, hour, held) in [
        (0, 0, 200, true),
        (200, 0, 200, true),
        // Five minutes are not kept longer, an hour is.
        (100, 0, 200, true),
        (100, 100, 200, false),
        (50, 60, 200, false),
        // It would be too old in five minutes as well, and in an hour.
        (120, 130, 200, false),
        (120, 0, 200, true),
    ] {
        let expected = if held { (vec![], vec![1]) } else { (vec![1], vec![]) };
        assert_eq!(decide(guard(100, five, one), &raw, hour), expected, "{five} {one}");
    }
    let five = [meta(1, (0, 48), FIVE, &[1])];
    assert_eq!(decide(guard(0, 100, 0), &five, 200), (vec![], vec![1]));
    assert_eq!(decide(guard(0, 100, 90), &five, 200), (vec![1], vec![]));
    let one = [meta(1, (0, 48), ONE, &[1])];
    assert_eq!(decide(guard(0, 0, 100), &one, 200), (vec![1], vec![]));
}

#[test]
fn other_groups_and_blocks_that_say_nothing_hold_nothing() {
    let raw = meta(1, (0, 48), RAW, &[1]);
    let mut of_others = meta(5, (0, 48), FIVE, &[1]);
    of_others.thanos.labels.insert("cluster".to_owned(), "us".to_owned());
    assert_eq!(decide(guard(100, 0, 0), &[raw.clone(), of_others], 200), (vec![], vec![1]));
    let silent = meta(5, (0, 48), FIVE, &[]);
    assert_eq!(decide(guard(100, 0, 0), &[raw.clone(), silent], 200), (vec![], vec![1]));
    // A label without a value is none; a block that does not say its sources is its own.
    let mut same = meta(5, (0, 48), FIVE, &[1]);
    same.thanos.labels.insert("zone".to_owned(), String::new());
    assert_eq!(decide(guard(100, 0, 0), &[meta(1, (0, 48), RAW, &[]), same], 200), (vec![1], vec![]));
}

#[test]
fn thanos_way_and_no_downsampling_delete_whatever_is_too_old() {
    let raw = [meta(1, (0, 48), RAW, &[1])];
    let guard = guard(100, 0, 0);
    assert_eq!(decide(Guard { as_thanos: true, ..guard }, &raw, 200), (vec![1], vec![]));
    assert_eq!(decide(Guard { downsampling: false, ..guard }, &raw, 200), (vec![1], vec![]));
}

#[test]
fn what_is_held_says_why_and_what_to_do() {
    let metas = [
        meta(1, (0, 48), RAW, &[1]),
        meta(2, (48, 96), RAW, &[2]),
        meta(3, (96, 144), RAW, &[3]),
        meta(4, (144, 192), RAW, &[4]),
        meta(5, (144, 192), FIVE, &[4]),
    ];
    let blocks = Bucketful {
        metas: metas.iter().collect(),
        no_downsample: [id(2)].into(),
        unusable: [(id(3), "chunk-checksum".to_owned()), (id(5), "not verified".to_owned())].into(),
    };
    let decision = guard(100, 0, 0).decide(&blocks, TimestampMs::from_millis(1_000 * HOUR));
    assert_eq!(decision.delete, []);
    let words: Vec<String> = decision.held.iter().map(ToString::to_string).collect();
    for (at, expected) in [
        "its samples from 0 to 172800000 ms are in no block of resolution 300000 ms, which is kept longer: it is to be \
         downsampled first",
        "it has a no-downsample mark; remove the mark",
        "it cannot be downsampled (chunk-checksum); repair it",
        "cannot be relied on; repair them, or mark them for deletion",
    ]
    .into_iter()
    .enumerate()
    {
        assert!(words[at].contains(expected), "{}", words[at]);
    }
    let remedy: Vec<bool> = decision.held.iter().map(Held::is_to_be_downsampled).collect();
    assert_eq!(remedy, [true, false, false, false]);
}
