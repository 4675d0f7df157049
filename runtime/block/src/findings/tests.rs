//! Overlaps and duplicates, by groups.

use tsdb::BlockId;

use super::*;
use crate::Meta;

fn meta(number: u128, range: (i64, i64), cluster: &str, resolution: i64, source: u128) -> Meta {
    let (id, source) = (BlockId::new(0, number), BlockId::new(0, source));
    let (from, to) = range;
    let text = format!(
        r#"{{"ulid":"{id}","minTime":{from},"maxTime":{to},"version":1,"compaction":{{"level":2,"sources":["{source}"]}},
           "thanos":{{"labels":{{"cluster":"{cluster}"}},"downsample":{{"resolution":{resolution}}},"source":"compactor"}}}}"#,
    );
    Meta::from_bytes(text.as_bytes()).unwrap()
}

fn blocks(found: &[Finding]) -> Vec<u128> {
    found.iter().map(|finding| finding.block.as_u128()).collect()
}

#[test]
fn blocks_that_touch_do_not_overlap_and_groups_do_not_meet() {
    let apart = [
        meta(1, (0, 10), "eu", 0, 1),
        meta(2, (10, 20), "eu", 0, 2),
        meta(3, (0, 20), "us", 0, 3),
        meta(4, (0, 20), "eu", 300_000, 4),
        meta(5, (20, 10), "eu", 0, 5),
    ];
    assert_eq!(overlaps(&apart), []);
    let mut inside = apart.to_vec();
    inside.push(meta(6, (5, 11), "eu", 0, 6));
    inside.push(meta(7, (19, 30), "eu", 0, 7));
    let found = overlaps(&inside);
    assert_eq!(blocks(&found), [1, 6, 2, 7], "in the order of time");
    assert!(found[2].detail.contains("[5, 11), "), "{}", found[2].detail);
    assert!(found[2].detail.contains("[19, 30)"), "{}", found[2].detail);
}

#[test]
fn many_partners_are_counted() {
    let many: Vec<Meta> = (0..50).map(|number| meta(number, (0, 10), "eu", 0, number)).collect();
    let found = overlaps(&many);
    assert_eq!(found.len(), 50);
    assert!(found.iter().all(|finding| finding.detail.ends_with(" and 44 more")), "{}", found[0].detail);
}

#[test]
fn of_the_same_compaction_the_first_is_kept() {
    let metas = [
        meta(3, (0, 10), "eu", 0, 9),
        meta(1, (0, 10), "eu", 0, 9),
        meta(2, (0, 10), "eu", 0, 8),
        meta(4, (0, 10), "us", 0, 9),
        meta(5, (0, 12), "eu", 0, 9),
    ];
    let found = duplicates(&metas);
    assert_eq!(blocks(&found), [3]);
    assert!(found[0].detail.contains(&BlockId::new(0, 1).to_string()), "{}", found[0].detail);
}
