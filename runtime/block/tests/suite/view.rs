//! Which blocks of a bucket are seen, and what one bad block does to the others.

use std::sync::Arc;

use block::filter::{
    ConsistencyDelay, Duplicates, Filter, IgnoreDeletionMarks, LabelShard, NoCompactMarks, NoDownsampleMarks,
    ParquetMigrated, ReplicaLabels, TimeBound, TimeRange, is_covered,
};
use block::{
    BlockError, BlockId, BlockState, DeletionMark, Discovery, Fetcher, FetcherConfig, FetcherMetrics, GoTime,
    Mark, Meta, NoCompactMark, NoCompactReason, NoDownsampleMark, NoDownsampleReason, Resolution, Source,
    View, layout, write_mark,
};
use objstore::BucketRef;
use objstore::layers::{Fault, Faulty, Operation, Script};
use prom_model::{Clock, GoRegex, ManualClock, PromDuration, RelabelAction, RelabelConfig};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;

use super::world::{HOUR, START, clock, id, memory, meta, put, put_block};

fn fetcher(bucket: &BucketRef, clock: &Arc<ManualClock>, discovery: Discovery, filters: Filters) -> Fetcher {
    let config = FetcherConfig { discovery, ..FetcherConfig::default() };
    let metrics = FetcherMetrics::register(&mut Registry::default());
    Fetcher::new(Arc::clone(bucket), Arc::clone(clock) as Arc<dyn Clock>, config, filters, metrics)
}

type Filters = Vec<Box<dyn Filter>>;

/// Looks with both strategies, which see the same.
async fn look(bucket: &BucketRef, clock: &Arc<ManualClock>, filters: impl Fn() -> Filters) -> View {
    let one = fetcher(bucket, clock, Discovery::Concurrent, filters()).fetch().await.unwrap();
    let other = fetcher(bucket, clock, Discovery::Recursive, filters()).fetch().await.unwrap();
    assert_eq!(one.metas, other.metas);
    assert_eq!(one.dropped, other.dropped);
    assert!(one.partial.keys().eq(other.partial.keys()));
    assert!(one.partial.values().all(|partial| partial.newest.is_none()));
    assert_eq!(one.deletion_marks, other.deletion_marks);
    assert_eq!(one.errors.len(), other.errors.len());
    other
}

fn seen(view: &View) -> Vec<BlockId> {
    view.metas.keys().copied().collect()
}

#[tokio::test]
async fn one_bad_block_does_not_hide_the_others() {
    let clock = clock();
    let bucket = memory(&clock);
    let good = [id(1), id(2)];
    for (block, hours) in good.into_iter().zip([0, 2]) {
        put_block(bucket.as_ref(), &meta(block, hours)).await;
    }
    put(bucket.as_ref(), &layout::object(id(3), "index"), "a").await;
    let meta_of = |block| layout::object(block, layout::META);
    put(bucket.as_ref(), &meta_of(id(4)), "{").await;
    put(bucket.as_ref(), &meta_of(id(5)), meta(id(6), 0).to_bytes().unwrap()).await;
    put(bucket.as_ref(), &meta_of(id(7)), vec![b' '; 2 << 20]).await;
    let mut newer = meta(id(8), 0);
    newer.thanos.version = 9;
    put(bucket.as_ref(), &meta_of(id(8)), newer.to_bytes().unwrap()).await;
    put(bucket.as_ref(), "debug/metas/x.json", "x").await;
    put(bucket.as_ref(), "01HK153X00AAAAAAAAAAAAAAAA", "no folder").await;
    put(bucket.as_ref(), &layout::object(good[1], layout::DELETION_MARK), "{\"version\":9}").await;
    let view = look(&bucket, &clock, || vec![Box::new(IgnoreDeletionMarks(PromDuration::ZERO))]).await;
    assert_eq!(seen(&view), good);
    assert_eq!(view.partial.keys().copied().collect::<Vec<_>>(), [id(3)]);
    assert_eq!(view.partial[&id(3)].newest, Some(clock.now()));
    let bad: Vec<BlockId> = view.errors.iter().map(|(block, _)| *block).collect();
    assert_eq!(bad, [good[1], id(4), id(5), id(7), id(8)]);
    assert!(
        matches!(*view.errors[0].1, BlockError::Mark(_)) && matches!(*view.errors[1].1, BlockError::Meta(_))
    );
    assert!(!view.is_complete());

    // A store that fails once, at any call, costs the block of that call at most.
    for discovery in [Discovery::Concurrent, Discovery::Recursive] {
        for call in 2..=12 {
            let faulty: BucketRef =
                Arc::new(Faulty::new(Arc::clone(&bucket), Script::once(call, Fault::FailBefore)));
            let view = fetcher(&faulty, &clock, discovery, Vec::new()).fetch().await.unwrap();
            assert!(view.metas.len() + 1 >= good.len() && view.partial.len() <= 1, "{call}");
            assert!(!view.partial.contains_key(&id(1)), "what could not be read is not partial");
        }
    }
}

#[tokio::test]
async fn filters_take_away_each_for_its_reason() {
    let clock = clock();
    let bucket = memory(&clock);
    let with = |number: u64, hours: i64, change: &dyn Fn(&mut Meta)| {
        let mut meta = meta(id(number), hours);
        change(&mut meta);
        meta
    };
    let blocks = [
        with(1, 0, &|_| {}),
        with(2, 100, &|_| {}),
        with(3, 2, &|meta| drop(meta.thanos.labels.insert("cluster".to_owned(), "us".to_owned()))),
        with(4, 4, &|meta| meta.thanos.upload_time = GoTime::from(clock.now())),
        with(5, 6, &|meta| {
            meta.thanos.upload_time = GoTime::from(clock.now());
            meta.thanos.source = Source::Compactor;
        }),
        with(6, 8, &|_| {}),
        with(7, 8, &|meta| meta.block.compaction.sources = vec![id(6), id(7)]),
        with(8, 8, &|meta| {
            meta.block.compaction.sources = vec![id(6)];
            meta.thanos.downsample.resolution = Resolution::FIVE_MINUTES;
        }),
        with(9, 8, &|meta| meta.block.compaction.sources.clear()),
        with(10, 10, &|_| {}),
        with(11, 10, &|meta| meta.thanos.extensions = serde_json::json!({"parquet_migrated": true})),
    ];
    for meta in &blocks {
        put_block(bucket.as_ref(), meta).await;
    }
    write_mark(bucket.as_ref(), &DeletionMark::new(id(10), clock.now(), "")).await.unwrap();
    let no_compact = NoCompactMark::new(id(1), clock.now(), NoCompactReason::Manual, "");
    write_mark(bucket.as_ref(), &no_compact).await.unwrap();
    let no_downsample = NoDownsampleMark::new(id(5), clock.now(), NoDownsampleReason::Manual, "");
    write_mark(bucket.as_ref(), &no_downsample).await.unwrap();
    clock.advance_ms(HOUR / 2);
    let shard = RelabelConfig {
        source_labels: vec!["cluster".to_owned()],
        regex: GoRegex::new("eu").unwrap(),
        action: RelabelAction::Keep,
        ..RelabelConfig::default()
    };
    let filters = |max: &str| -> Filters {
        vec![
            Box::new(ParquetMigrated),
            Box::new(TimeRange { min: "2020-01-01T00:00:00Z".parse().unwrap(), max: max.parse().unwrap() }),
            Box::new(LabelShard { rules: vec![shard.clone()], without: Vec::new() }),
            Box::new(ConsistencyDelay(PromDuration::from_hours(1))),
            Box::new(IgnoreDeletionMarks(PromDuration::from_mins(20))),
            Box::new(Duplicates),
            Box::new(NoCompactMarks),
            Box::new(NoDownsampleMarks),
        ]
    };
    // Blocks whose upload time is not set are as old as their IDs.
    clock.advance_ms(HOUR / 4);
    let view = look(&bucket, &clock, || filters("50h")).await;
    assert_eq!(seen(&view), [id(5)], "all but the compactor's are too fresh");
    clock.advance_ms(HOUR / 2);
    let view = look(&bucket, &clock, || filters("50h")).await;
    assert_eq!(seen(&view), [1, 4, 5, 7, 8, 9].map(id));
    let dropped: Vec<(BlockId, BlockState)> =
        view.dropped.iter().map(|(block, state)| (*block, *state)).collect();
    assert_eq!(
        dropped,
        [
            (id(2), BlockState::TimeExcluded),
            (id(3), BlockState::LabelExcluded),
            (id(6), BlockState::Duplicate),
            (id(10), BlockState::MarkedForDeletion),
            (id(11), BlockState::ParquetMigrated),
        ]
    );
    assert!(view.no_compact_marks.contains_key(&id(1)) && view.no_downsample_marks.contains_key(&id(5)));
    // The range moves with the clock.
    clock.advance_ms(60 * HOUR);
    let view = look(&bucket, &clock, || filters("50h")).await;
    assert!(view.metas.contains_key(&id(2)));
    assert_eq!(
        "-2h".parse::<TimeBound>().unwrap().resolve(clock.now()).as_millis(),
        START + 61 * HOUR + HOUR / 4 - 2 * HOUR
    );
    assert!("yesterday".parse::<TimeBound>().is_err());
}

#[tokio::test]
async fn replicas_fall_into_one_group_and_metrics_tell_the_states() {
    let clock = clock();
    let bucket = memory(&clock);
    let mut replica = meta(id(1), 0);
    replica.thanos.labels = [("replica".to_owned(), "a".to_owned())].into();
    put_block(bucket.as_ref(), &replica).await;
    put_block(bucket.as_ref(), &meta(id(2), 0)).await;
    put(bucket.as_ref(), &layout::object(id(3), "index"), "a").await;
    let mut registry = Registry::default();
    let metrics = FetcherMetrics::register(&mut registry);
    let filters: Filters =
        vec![Box::new(ReplicaLabels { names: vec!["replica".to_owned(), "rule".to_owned()] })];
    let clock = Arc::clone(&clock) as Arc<dyn Clock>;
    let fetcher = Fetcher::new(Arc::clone(&bucket), clock, FetcherConfig::default(), filters, metrics);
    for _ in 0..2 {
        let view = fetcher.fetch().await.unwrap();
        let labels = view.metas[&id(1)].thanos.external_labels().to_string();
        assert_eq!(labels, r#"{replica="deduped"}"#);
        assert_eq!(view.metas[&id(2)].thanos.external_labels().to_string(), r#"{cluster="eu"}"#);
    }
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    for line in [
        "thanos_blocks_meta_syncs_total 2",
        "thanos_blocks_meta_sync_failures_total 0",
        "thanos_blocks_meta_sync_duration_seconds_count 2",
        "thanos_blocks_meta_base_syncs_total 2",
        "thanos_blocks_meta_synced{state=\"loaded\"} 2",
        "thanos_blocks_meta_synced{state=\"no-meta-json\"} 1",
        "thanos_blocks_meta_synced{state=\"marked-for-no-downsample\"} 0",
        "thanos_blocks_meta_modified{modified=\"replica-label-removed\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn a_copy_is_used_until_the_object_changes() {
    let clock = clock();
    let inner = memory(&clock);
    put_block(inner.as_ref(), &meta(id(1), 0)).await;
    let disk = SimFs::new();
    let faulty = Arc::new(Faulty::new(Arc::clone(&inner), Script::Clean));
    let reads = || faulty.log().iter().filter(|call| call.operation == Operation::Get).count();
    let fresh = || {
        let fs: Arc<dyn Fs> = Arc::new(disk.clone());
        let config = FetcherConfig { cache: Some((fs, "/data".into())), ..FetcherConfig::default() };
        let metrics = FetcherMetrics::register(&mut Registry::default());
        let bucket = Arc::clone(&faulty) as BucketRef;
        Fetcher::new(bucket, Arc::clone(&clock) as Arc<dyn Clock>, config, Vec::new(), metrics)
    };
    let fetcher = fresh();
    for _ in 0..3 {
        fetcher.fetch().await.unwrap();
    }
    assert_eq!(reads(), 1, "from memory");
    fresh().fetch().await.unwrap();
    assert_eq!(reads(), 1, "from disk, after a restart");
    // The same size, another time: the copies count no longer.
    clock.advance_ms(1_000);
    let changed = meta(id(1), 2);
    put(inner.as_ref(), &layout::object(id(1), layout::META), changed.to_bytes().unwrap()).await;
    assert_eq!(*fetcher.fetch().await.unwrap().metas[&id(1)], changed);
    assert_eq!(*fresh().fetch().await.unwrap().metas[&id(1)], changed);
    assert_eq!(reads(), 2);
    // Damage on disk is a question more; a disk that fails as well.
    disk.put(format!("/data/meta-syncer/{}/meta.json", id(1)).as_ref(), b"{").unwrap();
    assert_eq!(fresh().fetch().await.unwrap().metas.len(), 1);
    disk.set_capacity(Some(0));
    put_block(inner.as_ref(), &meta(id(2), 0)).await;
    assert_eq!(fresh().fetch().await.unwrap().metas.len(), 2);
    // Copies of blocks that are gone are removed.
    inner.delete(&layout::object(id(1), layout::META)).await.unwrap();
    for file in ["index", "chunks/000001"] {
        inner.delete(&layout::object(id(1), file)).await.unwrap();
    }
    fresh().fetch().await.unwrap();
    let left: Vec<String> =
        disk.list("/data/meta-syncer".as_ref()).unwrap().into_iter().map(|entry| entry.name).collect();
    assert!(!left.contains(&id(1).to_string()), "{left:?}");
}

#[tokio::test]
async fn what_was_read_wrongly_once_does_not_stay() {
    let clock = clock();
    let bucket = memory(&clock);
    let disk = SimFs::new();
    let fresh = || {
        let fs: Arc<dyn Fs> = Arc::new(disk.clone());
        let cache = Some((fs, "/data".into()));
        let config = FetcherConfig { cache, read_twice: true, ..FetcherConfig::default() };
        let metrics = FetcherMetrics::register(&mut Registry::default());
        Fetcher::new(Arc::clone(&bucket), Arc::clone(&clock) as Arc<dyn Clock>, config, Vec::new(), metrics)
    };
    let right = meta(id(1), 0);
    let mut wrong = right.clone();
    wrong.thanos.labels.insert("cluster".to_owned(), "us".to_owned());
    // The object's size and time stay the same: only the bytes that come are other ones.
    put_block(bucket.as_ref(), &wrong).await;
    let fetcher = fresh();
    assert_eq!(*fetcher.fetch().await.unwrap().metas[&id(1)], wrong);
    put_block(bucket.as_ref(), &right).await;
    assert_eq!(*fresh().fetch().await.unwrap().metas[&id(1)], right, "after a restart");
    for look in 2..5 {
        assert_eq!(*fetcher.fetch().await.unwrap().metas[&id(1)], right, "look {look}");
    }
    // From now on nobody asks again.
    put_block(bucket.as_ref(), &wrong).await;
    assert_eq!(*fetcher.fetch().await.unwrap().metas[&id(1)], right);
    assert_eq!(*fresh().fetch().await.unwrap().metas[&id(1)], right);
    // What cannot be read again is not forgotten.
    put_block(bucket.as_ref(), &meta(id(2), 2)).await;
    let fetcher = fresh();
    fetcher.fetch().await.unwrap();
    put(bucket.as_ref(), &layout::object(id(2), layout::META), vec![b'{'; meta_bytes(&meta(id(2), 2))]).await;
    assert_eq!(seen(&fetcher.fetch().await.unwrap()), [id(1), id(2)]);
}

fn meta_bytes(meta: &Meta) -> usize {
    meta.to_bytes().unwrap().len()
}

#[test]
fn a_block_that_does_not_say_what_it_was_made_from_is_no_part_of_another() {
    assert!(is_covered(&[id(1)], &[id(1), id(2)]));
    assert!(!is_covered(&[id(1), id(3)], &[id(1), id(2)]));
    assert!(!is_covered(&[], &[id(1)]) && !is_covered(&[], &[]));
    assert!(!is_covered(&[id(1)], &[]));
    assert_eq!(DeletionMark::FILE, "deletion-mark.json");
}
