//! Damaged blocks, alone, beside good ones of their group, and in a bucket of good groups: the good ones become what they become
//! without them, and each bad one is named.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use block::{BlockId, Meta, NoCompactMark, layout, read_mark};
use compact::cycle::{Health, Outcome};
use objstore::{Bucket, BucketRef};
use prom_model::Clock;

use super::world::{clock, compactor, config, digest, disk, files, fill, fixtures, memory, metas, put};

const HOUR: i64 = 3_600_000;

/// What a run has left.
struct After {
    bucket: BucketRef,
    metas: BTreeMap<BlockId, Meta>,
    outcome: Outcome,
    health: Health,
}

impl After {
    /// The blocks as `[from, to) level samples`, hours from the first day of the zoo.
    fn blocks(&self, cluster: &str) -> Vec<String> {
        let mut blocks: Vec<(i64, String)> = self
            .metas
            .values()
            .filter(|meta| meta.thanos.labels.get("cluster").is_some_and(|label| label == cluster))
            .map(|meta| {
                let block = &meta.block;
                let hour = |time: i64| (time - 1_704_067_200_000) / HOUR;
                let (from, to, level) = (hour(block.min_time), hour(block.max_time), block.compaction.level);
                (block.min_time, format!("{from}-{to} L{level} {}", block.stats.num_samples))
            })
            .collect();
        blocks.sort();
        blocks.into_iter().map(|(_, words)| words).collect()
    }

    /// The codes under which the compactor names blocks, and what it did about each.
    fn named(&self) -> Vec<String> {
        let named = self.health.blocks.iter();
        let named: Vec<String> = named.map(|block| format!("{} ({})", block.code, block.action)).collect();
        // What stands in the health is what was done.
        for (block, _, reason) in &self.outcome.repaired {
            let known = self.health.blocks.iter().find(|known| known.block == *block).unwrap();
            assert_eq!((known.code.as_str(), known.action), (reason.as_str(), "repaired"));
        }
        named
    }
}

async fn run(bucket: BucketRef) -> After {
    let clock = clock();
    let compactor = compactor(config("/data"), &bucket, disk(), clock as Arc<dyn Clock>);
    compactor.prepare().await.unwrap();
    let outcome = compactor.run_once().await;
    let metas = metas(bucket.as_ref()).await;
    After { bucket, metas, outcome, health: compactor.health() }
}

fn cases(zoo: &Path) -> Vec<PathBuf> {
    let names: BTreeSet<String> =
        files(zoo).keys().filter_map(|name| name.split_once('/').map(|(case, _)| case.to_owned())).collect();
    // A case may have no file at all.
    let mut cases: BTreeSet<PathBuf> = names.iter().map(|name| zoo.join(name)).collect();
    cases.insert(zoo.join("empty-directory"));
    cases.into_iter().collect()
}

/// Copies blocks under other names and with another cluster.
async fn fill_as(bucket: &dyn Bucket, folders: &[PathBuf], cluster: &str, number: u128) {
    for (at, folder) in folders.iter().enumerate() {
        let old: BlockId = folder.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let new = BlockId::new(old.millis(), number * 100 + at as u128);
        for (name, bytes) in files(folder) {
            let bytes = match name.as_str() {
                layout::META => {
                    let mut meta = Meta::of_block(old, &bytes).unwrap();
                    meta.block.ulid = new;
                    meta.block.compaction.sources = vec![new];
                    meta.thanos.labels.insert("cluster".to_owned(), cluster.to_owned());
                    meta.to_bytes().unwrap()
                }
                _ => bytes,
            };
            put(bucket, &layout::object(new, &name), bytes).await;
        }
    }
}

fn blocks_of(folder: &Path) -> Vec<PathBuf> {
    let names: BTreeSet<String> = files(folder)
        .keys()
        .filter_map(|name| name.split_once('/').map(|(block, _)| block.to_owned()))
        .collect();
    names.into_iter().map(|name| folder.join(name)).collect()
}

/// What is expected of each case beside its neighbours: how the block is named (`-` for not at all), and the blocks in the end.
const VERDICTS: &str = include_str!("zoo/verdicts.txt");

fn verdicts() -> BTreeMap<&'static str, (&'static str, &'static str)> {
    let lines = VERDICTS.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut fields = line.split(" | ");
            let mut field = || fields.next().unwrap_or_else(|| panic!("{line}")).trim();
            (field(), (field(), field()))
        })
        .collect()
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "the table is what a run is for")]
async fn a_bad_block_beside_good_ones_is_named_and_they_are_compacted() {
    let Some(fixtures) = fixtures("damaged blocks") else { return };
    let verdicts = verdicts();
    let mut wrong = Vec::new();
    let cases = cases(&fixtures.join("corrupt-blocks"));
    for case in &cases {
        let name = case.file_name().unwrap().to_str().unwrap();
        let bucket = memory(&clock());
        fill(bucket.as_ref(), case).await;
        fill(bucket.as_ref(), &fixtures.join("corrupt-blocks-neighbours")).await;
        let after = run(bucket).await;
        let named = after.named().join(", ");
        let found = (if named.is_empty() { "-".to_owned() } else { named }, after.blocks("zoo").join(", "));
        eprintln!("{name} | {} | {}", found.0, found.1);
        let expected = verdicts.get(name).copied().unwrap_or(("", ""));
        if (found.0.as_str(), found.1.as_str()) != expected || !after.outcome.is_success() {
            wrong.push(format!("{name}: {found:?}, not {expected:?}; {:?}", after.outcome.failures));
        }
        // Whoever is set aside has the evidence beside it.
        for (block, reason) in &after.outcome.set_aside {
            let mark = read_mark::<NoCompactMark>(after.bucket.as_ref(), *block).await.unwrap().unwrap();
            assert_eq!(compact::quarantine::reason_words(&mark.mark.reason), *reason, "{name}");
            let evidence = layout::object(*block, compact::quarantine::EVIDENCE);
            assert!(after.bucket.exists(&evidence).await.unwrap(), "{name}");
        }
    }
    eprintln!("{} of {} cases as expected", cases.len() - wrong.len(), cases.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "the figures are what a run is for")]
async fn a_bad_block_in_a_bucket_does_not_touch_the_other_groups() {
    let Some(fixtures) = fixtures("damaged blocks") else { return };
    let mut good: Vec<PathBuf> = blocks_of(&fixtures.join("corrupt-blocks/00-base"));
    good.extend(blocks_of(&fixtures.join("corrupt-blocks-neighbours")));
    assert_eq!(good.len(), 5);
    let groups = ["one", "two", "three", "four"];
    let healthy = async || {
        let bucket = memory(&clock());
        for (number, cluster) in (1u128..).zip(groups) {
            fill_as(bucket.as_ref(), &good, cluster, number).await;
        }
        bucket
    };
    let without = run(healthy().await).await;
    assert!(without.outcome.is_success(), "{:?}", without.outcome);
    let mut digests = BTreeMap::new();
    for meta in without.metas.values() {
        let key = (meta.thanos.labels.clone(), meta.block.min_time);
        digests.insert(key, digest(without.bucket.as_ref(), meta).await);
    }
    let cases = cases(&fixtures.join("corrupt-blocks"));
    let mut same = 0;
    for case in &cases {
        let name = case.file_name().unwrap().to_str().unwrap();
        let bucket = healthy().await;
        fill(bucket.as_ref(), case).await;
        let with = run(bucket).await;
        assert!(with.outcome.is_success(), "{name}: {:?}", with.outcome);
        for cluster in groups {
            assert_eq!(with.blocks(cluster), without.blocks(cluster), "{name}");
        }
        let mut found = BTreeMap::new();
        for meta in with.metas.values().filter(|meta| {
            meta.thanos.labels.get("cluster").is_some_and(|label| groups.contains(&label.as_str()))
        }) {
            let key = (meta.thanos.labels.clone(), meta.block.min_time);
            found.insert(key, digest(with.bucket.as_ref(), meta).await);
        }
        assert_eq!(found, digests, "{name}");
        // In the same pass over the groups, whatever was done about the bad one.
        assert_eq!(with.outcome.passes, without.outcome.passes, "{name}");
        same += 1;
    }
    eprintln!("healthy groups reached their level in the same number of passes: {same} of {}", cases.len());
}

#[tokio::test]
async fn a_bad_block_alone_stops_nothing() {
    let Some(fixtures) = fixtures("damaged blocks") else { return };
    for case in cases(&fixtures.join("corrupt-blocks")) {
        let bucket = memory(&clock());
        fill(bucket.as_ref(), &case).await;
        let after = run(bucket).await;
        assert!(after.outcome.is_success(), "{}: {:?}", case.display(), after.outcome);
    }
}
