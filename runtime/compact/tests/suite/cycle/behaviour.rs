//! What a compactor does with buckets of small blocks that are made here.

use std::path::Path;
use std::sync::Arc;

use block::{BlockId, DeletionMark, NoCompactMark, Retention, layout, read_mark};
use compact::cycle::{Compactor, CompactorConfig};
use compact::lease::{LeaseConfig, Leases};
use objstore::{Bucket, BucketRef, Chance, read_all};
use prom_model::{Clock, ManualClock, PromDuration};
use tokio_util::sync::CancellationToken;
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;

use super::made::{HOUR, Made, START, id, put_block};
use super::world::{clock, compactor, compactor_with, config, disk, memory, metas, names, put};

pub(super) fn compactor_on(
    bucket: &BucketRef,
    clock: &Arc<ManualClock>,
    config: CompactorConfig,
) -> Compactor {
    compactor(config, bucket, disk(), Arc::clone(clock) as Arc<dyn Clock>)
}

/// The blocks as `from-to L level n samples`, in hours.
pub(super) async fn blocks(bucket: &dyn Bucket) -> Vec<String> {
    let mut blocks: Vec<(i64, String)> = Vec::new();
    for meta in metas(bucket).await.values() {
        let hour = |time: i64| (time - START) / HOUR;
        let (block, resolution) = (&meta.block, meta.thanos.downsample.resolution.0 / 60_000);
        let of = if resolution == 0 { String::new() } else { format!(" of {resolution}m") };
        let words = format!(
            "{}-{} L{} {}{of}",
            hour(block.min_time),
            hour(block.max_time),
            block.compaction.level,
            block.stats.num_samples
        );
        blocks.push((block.min_time, words));
    }
    blocks.sort();
    blocks.into_iter().map(|(_, words)| words).collect()
}

/// Five blocks of two hours each: four are due.
pub(super) async fn five(bucket: &dyn Bucket) {
    for at in 0..5 {
        put_block(bucket, &Made::new(u64::try_from(at).unwrap() + 1, 2 * at, 2 * at + 2)).await;
    }
}

#[tokio::test]
async fn marked_sources_are_kept_for_the_delay_and_then_deleted() {
    let clock = clock();
    let bucket = memory(&clock);
    five(bucket.as_ref()).await;
    let delayed = CompactorConfig { delete_delay: PromDuration::from_hours(48), ..config("/data") };
    let compactor = compactor_on(&bucket, &clock, delayed);
    compactor.prepare().await.unwrap();
    let outcome = compactor.run_once().await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!((outcome.compacted.len(), outcome.marked.len(), outcome.deleted.len()), (1, 4, 0));
    assert_eq!(blocks(bucket.as_ref()).await.len(), 6);
    for block in &outcome.marked {
        let mark = read_mark::<DeletionMark>(bucket.as_ref(), *block).await.unwrap().unwrap();
        assert_eq!(mark.mark.details, "source of compacted block");
    }
    clock.advance_ms(47 * HOUR);
    assert!(compactor.run_once().await.deleted.is_empty());
    clock.advance_ms(2 * HOUR);
    assert_eq!(compactor.run_once().await.deleted.len(), 4);
    assert_eq!(blocks(bucket.as_ref()).await, ["0-8 L2 480", "8-10 L1 120"]);
    assert!(!compactor.run_once().await.has_changed());
}

#[tokio::test]
async fn halt_compat_halts_at_a_block_that_cannot_be_mended() {
    let clock = clock();
    let bucket = memory(&clock);
    five(bucket.as_ref()).await;
    put(bucket.as_ref(), &layout::object(id(2), layout::INDEX), "no index at all").await;
    let before = names(bucket.as_ref()).await;
    let halting = CompactorConfig { halt_compat: true, ..config("/data") };
    let compactor = compactor_on(&bucket, &clock, halting);
    let outcome = compactor.run_once().await;
    let why = outcome.halted.unwrap();
    assert!(why.contains(&format!("block with not healthy index found {}: ", id(2))), "{why}");
    assert_eq!(names(bucket.as_ref()).await, before);
    // Without it the others go on.
    let outcome = compactor_on(&bucket, &clock, config("/data")).run_once().await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(outcome.set_aside.len(), 1);
}

#[tokio::test]
async fn blocks_that_share_time_and_agree_are_merged() {
    let clock = clock();
    let bucket = memory(&clock);
    five(bucket.as_ref()).await;
    // The same block once more, and one with a part of another's samples.
    put_block(bucket.as_ref(), &Made::new(11, 0, 2)).await;
    put_block(bucket.as_ref(), &Made { every: 2, ..Made::new(12, 2, 4) }).await;
    let outcome = compactor_on(&bucket, &clock, config("/data")).run_once().await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert!(outcome.set_aside.is_empty(), "{outcome:?}");
    assert_eq!(blocks(bucket.as_ref()).await, ["0-8 L3 480", "8-10 L1 120"]);
}

#[tokio::test]
async fn of_blocks_that_contradict_each_other_the_younger_is_set_aside() {
    let clock = clock();
    let bucket = memory(&clock);
    five(bucket.as_ref()).await;
    // Another Prometheus with the same labels, which scrapes a second later.
    put_block(bucket.as_ref(), &Made { offset: 1_000, ..Made::new(11, 2, 4) }).await;
    let compactor = compactor_on(&bucket, &clock, config("/data"));
    let outcome = compactor.run_once().await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(outcome.set_aside, [(id(11), "overlap-unequal".to_owned())]);
    assert_eq!(blocks(bucket.as_ref()).await, ["0-8 L2 480", "2-4 L1 120", "8-10 L1 120"]);
    let mark = read_mark::<NoCompactMark>(bucket.as_ref(), id(11)).await.unwrap().unwrap().mark;
    for named in [id(11), id(2)] {
        assert!(mark.details.contains(&named.to_string()), "{}", mark.details);
    }
    // A new process knows it from the mark.
    let next = compactor_on(&bucket, &clock, config("/data"));
    next.run_once().await;
    let health = next.health();
    assert!(!health.healthy);
    assert_eq!(health.blocks.len(), 1);
    assert_eq!((health.blocks[0].block, health.blocks[0].code.as_str()), (id(11), "overlap-unequal"));
    assert!(health.blocks[0].run[0].contains("tools bucket verify"));
    assert_eq!(health.groups[0].set_aside, [id(11)]);
    serde_json::to_string(&health).unwrap();
}

#[tokio::test]
async fn halt_compat_halts_where_thanos_does() {
    let clock = clock();
    let bucket = memory(&clock);
    five(bucket.as_ref()).await;
    put_block(bucket.as_ref(), &Made::new(11, 2, 4)).await;
    let halting = CompactorConfig { halt_compat: true, ..config("/data") };
    let before = names(bucket.as_ref()).await;
    let compactor = compactor_on(&bucket, &clock, halting.clone());
    let outcome = compactor.run_once().await;
    let why = outcome.halted.clone().unwrap();
    assert!(why.contains("pre compaction overlap check: overlaps found while gathering blocks."), "{why}");
    assert!(!outcome.is_success());
    assert_eq!(compactor.health().halted, Some(why));
    assert_eq!(names(bucket.as_ref()).await, before);
    let plan = compactor.plan().await.unwrap();
    assert_eq!((plan.halts.len(), plan.compactions.len()), (1, 0));
    // The halt ends with its reason.
    bucket.delete(&layout::object(id(11), layout::META)).await.unwrap();
    assert!(compactor.run_once().await.is_success());
    assert_eq!(compactor.health().halted, None);
}

#[tokio::test]
async fn a_full_disk_is_tried_again_once_there_is_room() {
    let clock = clock();
    let bucket = memory(&clock);
    five(bucket.as_ref()).await;
    let fs = SimFs::new();
    fs.create_dir_all(Path::new("/data")).unwrap();
    let disk: Arc<dyn Fs> = Arc::new(fs.clone());
    let compactor = compactor(config("/data"), &bucket, disk, Arc::clone(&clock) as Arc<dyn Clock>);
    compactor.prepare().await.unwrap();
    fs.set_capacity(Some(1_500));
    let before = blocks(bucket.as_ref()).await;
    let outcome = compactor.run_once().await;
    assert!(!outcome.failures.is_empty(), "{outcome:?}");
    assert_eq!(blocks(bucket.as_ref()).await, before);
    assert!(compactor.health().groups[0].failing_since.is_some());
    // It is left alone for a while.
    fs.set_capacity(None);
    assert!(!compactor.run_once().await.has_changed());
    clock.advance_ms(2 * 60_000);
    assert!(compactor.run_once().await.is_success());
    assert_eq!(blocks(bucket.as_ref()).await, ["0-8 L2 480", "8-10 L1 120"]);
    assert!(compactor.health().healthy, "{:?}", compactor.health());
}

#[tokio::test]
async fn a_job_that_takes_too_much_is_named_and_left_undone() {
    let clock = clock();
    let bucket = memory(&clock);
    five(bucket.as_ref()).await;
    let bounded = CompactorConfig { disk_bytes_max: Some(1_000), ..config("/data") };
    let compactor = compactor_on(&bucket, &clock, bounded);
    let outcome = compactor.run_once().await;
    assert_eq!(outcome.failures.len(), 1, "{outcome:?}");
    assert!(outcome.failures[0].2.contains("bytes of disk, and may take 1000"), "{outcome:?}");
    assert_eq!(compactor.health().blocks[0].code, "over-budget");
    assert_eq!(blocks(bucket.as_ref()).await.len(), 5);
}

#[tokio::test]
async fn a_downsampling_that_takes_too_much_is_named_and_left_undone() {
    let clock = clock();
    let bucket = memory(&clock);
    put_block(bucket.as_ref(), &Made { cluster: "us", ..Made::new(21, 0, 48) }).await;
    five(bucket.as_ref()).await;
    let unbounded = compactor_on(&bucket, &clock, config("/data"));
    let plan = unbounded.plan().await.unwrap();
    let needs = plan.downsamplings[0].disk_bytes.unwrap();
    let bounded = |bytes: u64| CompactorConfig { disk_bytes_max: Some(bytes), ..config("/data") };
    let compactor = compactor_on(&bucket, &clock, bounded(needs - 1));
    let outcome = compactor.run_once().await;
    assert_eq!(outcome.failures.len(), 1, "{outcome:?}");
    let (_, what, words) = &outcome.failures[0];
    assert_eq!(what, &format!("downsample {}", id(21)));
    assert_eq!(words, &format!("the job takes {needs} bytes of disk, and may take {}", needs - 1));
    assert!(outcome.downsampled.is_empty());
    let health = compactor.health();
    assert_eq!((health.blocks[0].block, health.blocks[0].code.as_str()), (id(21), "over-budget"));
    // Other work goes on, and the block is downsampled once it may take as much.
    assert_eq!(outcome.compacted.len(), 1);
    let outcome = compactor_on(&bucket, &clock, bounded(needs)).run_once().await;
    assert_eq!(outcome.downsampled.len(), 2, "to five minutes and to an hour: {outcome:?}");
}

#[tokio::test]
async fn a_plan_tells_all_and_changes_nothing() {
    let clock = clock();
    let bucket = memory(&clock);
    five(bucket.as_ref()).await;
    let old = Made { cluster: "us", ..Made::new(21, 0, 48) };
    put_block(bucket.as_ref(), &old).await;
    let retention = Retention { raw: PromDuration::from_days(10), ..Retention::default() };
    let kept = CompactorConfig { retention, downsampling: false, ..config("/data") };
    let before = names(bucket.as_ref()).await;
    let plan = compactor_on(&bucket, &clock, kept.clone()).plan().await.unwrap();
    assert_eq!(names(bucket.as_ref()).await, before);
    assert_eq!(plan.compactions.len(), 1);
    assert_eq!(plan.compactions[0].blocks, [1, 2, 3, 4].map(id));
    assert!(plan.peak_disk_bytes > 0 && plan.peak_memory_bytes > 0, "{plan}");
    assert_eq!(plan.deletions.len(), 6);
    assert!(plan.to_string().contains("compact 0@{cluster=\"eu\"}: 4 blocks"), "{plan}");
    // With downsampling the last copy stays.
    let plan =
        compactor_on(&bucket, &clock, CompactorConfig { downsampling: true, ..kept }).plan().await.unwrap();
    // One is long enough, and nothing more comes to the last one of the other stream; four are compacted first.
    let downsampled: Vec<_> = plan.downsamplings.iter().flat_map(|work| work.blocks.clone()).collect();
    assert_eq!((downsampled, plan.deletions.len()), (vec![id(21), id(5)], 0), "{plan}");
}

#[tokio::test]
async fn retention_waits_for_the_coarser_resolution() {
    let clock = clock();
    let bucket = memory(&clock);
    put_block(bucket.as_ref(), &Made::new(1, 0, 48)).await;
    let retention = Retention { raw: PromDuration::from_days(10), ..Retention::default() };
    let kept = CompactorConfig { retention, ..config("/data") };
    let compactor = compactor_on(&bucket, &clock, kept);
    let early = compactor.run_queue(compact::cycle::Queue::Retention).await;
    assert!(early.marked.is_empty(), "{early:?}");
    assert_eq!(compactor.health().blocks[0].action, "kept");
    let outcome = compactor.run_once().await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!((outcome.downsampled.len(), outcome.marked.as_slice()), (1, &[id(1)][..]));
    assert_eq!(blocks(bucket.as_ref()).await, ["0-48 L1 576 of 5m"]);
}

#[tokio::test]
async fn an_upload_that_was_given_up_is_deleted_and_a_young_one_is_not() {
    let clock = clock();
    let bucket = memory(&clock);
    put_block(bucket.as_ref(), &Made::new(1, 0, 2)).await;
    bucket.delete(&layout::object(id(1), layout::META)).await.unwrap();
    let compactor = compactor_on(&bucket, &clock, config("/data"));
    assert!(compactor.run_once().await.deleted.is_empty());
    assert_eq!(compactor.health().blocks[0].code, "meta-missing");
    clock.advance_ms(49 * HOUR);
    assert_eq!(compactor.run_once().await.deleted, [id(1)]);
    assert!(!names(bucket.as_ref()).await.iter().any(|name| name.starts_with(&id(1).to_string())));
}

#[tokio::test]
async fn what_an_interrupted_thanos_has_left_is_collected() {
    let clock = clock();
    let bucket = memory(&clock);
    five(bucket.as_ref()).await;
    put_block(bucket.as_ref(), &Made { sources: &[1, 2, 3, 4], ..Made::new(20, 0, 8) }).await;
    // One was marked and deleted before.
    for name in ["index", "chunks/000001", layout::META] {
        bucket.delete(&layout::object(id(3), name)).await.unwrap();
    }
    let delayed = CompactorConfig { delete_delay: PromDuration::from_hours(48), ..config("/data") };
    let compactor = compactor_on(&bucket, &clock, delayed);
    let outcome = compactor.run_once().await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(outcome.marked, [1, 2, 4].map(id));
    let mark = read_mark::<DeletionMark>(bucket.as_ref(), id(1)).await.unwrap().unwrap();
    assert_eq!(mark.mark.details, "outdated block");
    assert!(compactor.health().healthy, "{:?}", compactor.health());
}

#[tokio::test]
async fn a_block_that_is_said_to_be_in_another_stays_where_samples_would_go() {
    let clock = clock();
    let bucket = memory(&clock);
    five(bucket.as_ref()).await;
    // It has half of the samples of what it says to be made from.
    put_block(bucket.as_ref(), &Made { sources: &[1, 2, 3, 4], every: 2, ..Made::new(20, 0, 8) }).await;
    let compactor = compactor_on(&bucket, &clock, config("/data"));
    let outcome = compactor.run_once().await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert!(outcome.marked.is_empty() && outcome.deleted.is_empty(), "{outcome:?}");
    let codes: Vec<String> = compactor.health().blocks.iter().map(|block| block.code.clone()).collect();
    assert_eq!(codes, ["garbage-unproven"; 4]);
}

#[tokio::test]
async fn what_only_its_samples_show_to_be_in_another_block_is_collected() {
    let clock = clock();
    let bucket = memory(&clock);
    let put = async |made: &Made| put_block(bucket.as_ref(), made).await;
    // 2 and 3 share time, and nobody has written down what became of their samples. Not all those of 4 are in the other block.
    put(&Made::new(2, 0, 2)).await;
    put(&Made { every: 2, ..Made::new(3, 0, 2) }).await;
    put(&Made { offset: 7, ..Made::new(4, 0, 2) }).await;
    put(&Made { sources: &[1, 2, 3, 4], ..Made::new(20, 0, 4) }).await;
    let compactor = compactor_on(&bucket, &clock, config("/data"));
    let outcome = compactor.run_once().await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(outcome.marked, [2, 3].map(id));
    let health = compactor.health();
    let [kept] = health.blocks.as_slice() else { panic!("{:?}", health.blocks) };
    assert_eq!((kept.block, kept.code.as_str()), (id(4), "garbage-unproven"));
    assert!(kept.detail.contains("the sample at 1704067200007 is not in the new block"), "{}", kept.detail);
}

#[tokio::test]
async fn what_is_to_be_deleted_is_not_compacted() {
    let clock = clock();
    let bucket = memory(&clock);
    five(bucket.as_ref()).await;
    let mark = DeletionMark::new(id(2), clock.now(), "by hand");
    block::write_mark(bucket.as_ref(), &mark).await.unwrap();
    let delayed = CompactorConfig { delete_delay: PromDuration::from_hours(48), ..config("/data") };
    let compactor = compactor_on(&bucket, &clock, delayed);
    for hours in [0, 25] {
        clock.advance_ms(hours * HOUR);
        let outcome = compactor.run_once().await;
        assert!(outcome.is_success(), "{outcome:?}");
    }
    let metas = metas(bucket.as_ref()).await;
    let compacted: Vec<_> = metas.values().filter(|meta| meta.block.compaction.level > 1).collect();
    assert!(!compacted.is_empty());
    assert!(compacted.iter().all(|meta| !meta.block.compaction.sources.contains(&id(2))), "{compacted:?}");
}

#[tokio::test]
async fn replicas_become_one_block_without_their_label() {
    let clock = clock();
    let bucket = memory(&clock);
    for at in 0..5 {
        for (number, replica) in [(1, "a"), (11, "b")] {
            let made =
                Made { replica: Some(replica), ..Made::new(number + at, 2 * at as i64, 2 * at as i64 + 2) };
            put_block(bucket.as_ref(), &made).await;
        }
    }
    let vertical = CompactorConfig { replica_labels: vec!["replica".to_owned()], ..config("/data") };
    let outcome = compactor_on(&bucket, &clock, vertical).run_once().await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(blocks(bucket.as_ref()).await, ["0-8 L3 480", "8-10 L2 120"]);
    let labels = metas(bucket.as_ref()).await.into_values().map(|meta| meta.thanos.labels);
    for labels in labels {
        assert_eq!(labels, [("cluster".to_owned(), "eu".to_owned())].into());
    }
}

#[tokio::test]
async fn two_compactors_do_each_job_once() {
    let clock = clock();
    let bucket = memory(&clock);
    for (number, cluster) in [(0, "eu"), (10, "us"), (20, "ap"), (30, "af")] {
        for at in 0..5 {
            let made = Made { cluster, ..Made::new(number + at + 1, 2 * at as i64, 2 * at as i64 + 2) };
            put_block(bucket.as_ref(), &made).await;
        }
    }
    let mut compactors = Vec::new();
    for seed in [1, 2] {
        let mut chance = Chance::from_seed(seed);
        let leases = Leases::enter(Arc::clone(&bucket), LeaseConfig::new("test"), &mut chance).await.unwrap();
        let dyn_clock = Arc::clone(&clock) as Arc<dyn Clock>;
        compactors.push(compactor_with(config("/data"), &bucket, disk(), dyn_clock, seed, Some(leases)));
    }
    let (one, other) = (&compactors[0], &compactors[1]);
    let (first, second) = tokio::join!(one.run_once(), other.run_once());
    // Who found a group taken finds it done, or does the rest.
    let third = one.run_once().await;
    let all: usize = [&first, &second, &third].iter().map(|outcome| outcome.compacted.len()).sum();
    assert_eq!(all, 4, "{first:?} {second:?} {third:?}");
    for outcome in [&first, &second, &third] {
        assert!(outcome.is_success(), "{outcome:?}");
    }
    let expected = [
        "0-8 L2 480",
        "0-8 L2 480",
        "0-8 L2 480",
        "0-8 L2 480",
        "8-10 L1 120",
        "8-10 L1 120",
        "8-10 L1 120",
        "8-10 L1 120",
    ];
    assert_eq!(blocks(bucket.as_ref()).await, expected);
}

#[tokio::test]
async fn the_queues_run_until_they_are_told_to_stop() {
    let clock = clock();
    let bucket = memory(&clock);
    five(bucket.as_ref()).await;
    let compactor = compactor_on(&bucket, &clock, config("/data"));
    let stop = CancellationToken::new();
    let watch = async {
        while blocks(bucket.as_ref()).await.len() != 2 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    tokio::join!(compactor.run(&stop), watch);
    assert_eq!(blocks(bucket.as_ref()).await, ["0-8 L2 480", "8-10 L1 120"]);
}

#[tokio::test]
async fn downloading_the_sources_gives_the_same_block() {
    let clock = clock();
    let mut indices = Vec::new();
    for stream_sources in [true, false] {
        let bucket = memory(&clock);
        five(bucket.as_ref()).await;
        let compactor = compactor_on(&bucket, &clock, CompactorConfig { stream_sources, ..config("/data") });
        let outcome = compactor.run_once().await;
        let made: BlockId = outcome.compacted[0];
        indices.push(read_all(bucket.as_ref(), &layout::object(made, layout::INDEX), 1 << 20).await.unwrap());
    }
    assert_eq!(indices[0], indices[1]);
}

#[test]
fn metrics_have_the_names_that_dashboards_read() {
    let mut registry = prometheus_client::registry::Registry::default();
    compact::cycle::CompactMetrics::register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let typed = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    // The suffix of counters stands in their samples; those of groups come with the groups.
    let mut found: Vec<&str> = typed.collect();
    found.sort_unstable();
    let expected = [
        "thanos_compact_aborted_partial_uploads_deletion_attempts counter",
        "thanos_compact_block_cleanup_failures counter",
        "thanos_compact_block_cleanup_loops counter",
        "thanos_compact_blocks_cleaned counter",
        "thanos_compact_blocks_marked counter",
        "thanos_compact_blocks_repaired counter",
        "thanos_compact_blocks_set_aside gauge",
        "thanos_compact_garbage_collected_blocks counter",
        "thanos_compact_garbage_collection counter",
        "thanos_compact_garbage_collection_duration_seconds histogram",
        "thanos_compact_garbage_collection_failures counter",
        "thanos_compact_groups_failing gauge",
        "thanos_compact_halted gauge",
        "thanos_compact_iterations counter",
        "thanos_compact_retries counter",
        "thanos_compact_todo_compaction_blocks gauge",
        "thanos_compact_todo_compactions gauge",
        "thanos_compact_todo_deletion_blocks gauge",
        "thanos_compact_todo_downsample_blocks gauge",
        "thanos_delete_delay_seconds gauge",
    ];
    assert_eq!(found, expected);
    assert!(
        text.contains("thanos_compact_blocks_marked_total{marker=\"deletion-mark.json\",reason=\"\"} 0"),
        "{text}"
    );
}
