//! Which samples are taken, what a reader sees, what comes back after opening again.

use prom_model::{MatchOp, STALE_NAN};

use crate::chunk::Encoding;
use crate::wal::record::MetricType;

use super::*;

#[test]
fn samples_are_taken_and_refused_as_prometheus_does() {
    let head = Head::in_memory(HeadOptions::default());
    let series = add(&head, &[("__name__", "up")], 3 * 60 * MINUTE, 1.0);
    let mut appender = head.appender();
    let newest = 3 * 60 * MINUTE;
    assert_eq!(appender.append(series, newest, 1.0), Ok(()), "the same again");
    assert_eq!(appender.append(series, newest, 2.0), Err(AppendError::Duplicate { timestamp: newest }));
    let older = newest - MINUTE;
    assert_eq!(
        appender.append(series, older, 1.0),
        Err(AppendError::OutOfOrder { timestamp: older, newest })
    );
    let min_valid_time = newest - 60 * MINUTE;
    let before = min_valid_time - 1;
    assert_eq!(
        appender.append(series, before, 1.0),
        Err(AppendError::OutOfBounds { timestamp: before, min_valid_time })
    );
    let unknown = SeriesRef(99);
    assert_eq!(appender.append(unknown, newest, 1.0), Err(AppendError::UnknownSeries(unknown)));
    // Within the batch the same rules hold.
    let later = newest + MINUTE;
    assert_eq!(appender.append(series, later, f64::NAN), Ok(()));
    assert_eq!(appender.append(series, later, f64::NAN), Ok(()));
    assert_eq!(appender.append(series, later, 0.0), Err(AppendError::Duplicate { timestamp: later }));
    assert_eq!(appender.commit().unwrap().samples, 1);
}

#[test]
fn labels_are_those_of_a_series_or_refused() {
    let head = Head::in_memory(HeadOptions::default());
    let mut appender = head.appender();
    let series = appender.series(&[("a", "1"), ("b", ""), ("c", "2")]).unwrap();
    assert_eq!(appender.series(&[("a", "1"), ("c", "2")]), Ok(series), "an empty value is an absent label");
    for wrong in [&[][..], &[("a", "")], &[("", "x")], &[("b", "1"), ("a", "1")], &[("a", "1"), ("a", "2")]] {
        assert!(matches!(appender.series(wrong), Err(AppendError::Labels(_))), "{wrong:?}");
    }
}

#[test]
fn a_batch_that_is_dropped_leaves_no_sample() {
    let sim = SimFs::new();
    let (head, _) = open(&sim, HeadOptions::default());
    let series = add(&head, &[("a", "1")], 1000, 1.0);
    let mut appender = head.appender();
    appender.append(series, 2000, 2.0).unwrap();
    let other = appender.series(&[("a", "2")]).unwrap();
    appender.append(other, 2000, 2.0).unwrap();
    drop(appender);
    let before = contents(&head);
    assert_eq!(before.values().flatten().count(), 1);
    let mut appender = head.appender();
    appender.append(series, 1500, 3.0).unwrap();
    appender.append(other, 1500, 4.0).unwrap();
    appender.commit().unwrap();
    let after = contents(&head);
    assert_eq!(after[r#"{a="1"}"#], [float(1000, 1.0), float(1500, 3.0)]);
    drop(head);
    assert_eq!(contents(&open(&sim, HeadOptions::default()).0), after);
}

#[test]
fn matchers_select_as_in_promql() {
    let head = Head::in_memory(HeadOptions::default());
    for (name, job, env) in [("up", "a", "x"), ("up", "b", ""), ("down", "a", ""), ("down", "c", "y")] {
        add(&head, &[("__name__", name), ("env", env), ("job", job)], 1000, 1.0);
    }
    let select = |matchers: &[(MatchOp, &str, &str)]| -> Vec<String> {
        let matchers: Vec<Matcher> =
            matchers.iter().map(|(op, name, value)| Matcher::new(*op, *name, *value).unwrap()).collect();
        let text =
            |series: SeriesView<'_>| series.labels().map(|(_, value)| value).collect::<Vec<_>>().join("-");
        head.select(&matchers, 0, 2000).series().map(text).collect()
    };
    assert_eq!(select(&[]), ["down-y-c", "down-a", "up-x-a", "up-b"].map(str::to_owned));
    assert_eq!(select(&[(MatchOp::Equal, "job", "a")]), ["down-a", "up-x-a"]);
    assert_eq!(select(&[(MatchOp::Equal, "job", "a"), (MatchOp::Equal, "__name__", "up")]), ["up-x-a"]);
    assert_eq!(select(&[(MatchOp::Equal, "env", "")]), ["down-a", "up-b"]);
    assert_eq!(select(&[(MatchOp::NotEqual, "env", "x")]), ["down-y-c", "down-a", "up-b"]);
    assert_eq!(select(&[(MatchOp::NotEqual, "env", "")]), ["down-y-c", "up-x-a"]);
    assert_eq!(select(&[(MatchOp::Regex, "job", "a|c")]), ["down-y-c", "down-a", "up-x-a"]);
    assert_eq!(select(&[(MatchOp::NotRegex, "job", "a|c")]), ["up-b"]);
    assert_eq!(select(&[(MatchOp::Regex, "env", ".*")]).len(), 4);
    assert_eq!(select(&[(MatchOp::Regex, "env", ".+")]).len(), 2);
    assert_eq!(select(&[(MatchOp::Equal, "nothing", "a")]), [""; 0]);
    assert_eq!(head.label_names(), ["__name__", "env", "job"]);
    assert_eq!(head.label_values("job"), ["a", "b", "c"]);
    assert!(head.select(&[], 2001, 3000).is_empty());
}

#[test]
fn chunks_are_cut_by_count_and_never_reach_over_a_range() {
    let head = Head::in_memory(HeadOptions::default());
    let series = add(&head, &[("a", "1")], 0, 0.0);
    let mut appender = head.appender();
    for at in 1..=1000i64 {
        appender.append(series, at * 15_000, at as f64).unwrap();
    }
    appender.commit().unwrap();
    let snapshot = head.select(&[], 0, i64::MAX);
    let chunks: Vec<(i64, i64, u16)> = snapshot
        .series()
        .flat_map(|series| series.chunks())
        .map(|chunk| (chunk.min_time(), chunk.max_time(), chunk.samples()))
        .collect();
    let range = 120 * MINUTE;
    assert!(chunks.iter().all(|(from, to, _)| from / range == to / range), "{chunks:?}");
    assert!(
        chunks.iter().all(|(_, _, samples)| (100..=120).contains(samples) || *samples < 50),
        "{chunks:?}"
    );
    assert_eq!(chunks.iter().map(|(_, _, samples)| u64::from(*samples)).sum::<u64>(), 1001);
}

#[test]
fn all_kinds_of_samples_come_back_after_opening_again() {
    let sim = SimFs::new();
    let options =
        HeadOptions { out_of_order_window_ms: 60 * MINUTE, exemplars_max: 10, ..HeadOptions::default() };
    let (head, _) = open(&sim, options);
    let mut appender = head.appender();
    let series = appender.series(&[("__name__", "mixed"), ("job", "a")]).unwrap();
    // The kind changes within a batch.
    appender.append(series, 1000, 1.0).unwrap();
    appender.append_histogram(series, 2000, &histogram(1)).unwrap();
    appender.append(series, 3000, STALE_NAN).unwrap();
    appender.append_float_histogram(series, 4000, &histogram(2).to_float()).unwrap();
    appender.append_histogram(series, 5000, &histogram(3)).unwrap();
    assert_eq!(appender.append_histogram(series, 5000, &histogram(3)), Ok(()));
    assert!(appender.append_histogram(series, 5000, &histogram(4)).is_err());
    appender.append_exemplar(series, 2000, 0.5, &[("trace_id", "abc")]).unwrap();
    assert!(appender.append_exemplar(series, 1000, 0.5, &[("trace_id", "old")]).is_err());
    appender.set_metadata(series, MetricType::Histogram, "seconds", "how long").unwrap();
    appender.commit().unwrap();
    // Out of order, of all kinds, enough for a chunk.
    let mut appender = head.appender();
    for at in 0..100 {
        appender.append(series, 1500 + at, at as f64).unwrap();
    }
    appender.append_histogram(series, 2500, &histogram(1)).unwrap();
    appender.append_float_histogram(series, 2600, &histogram(1).to_float()).unwrap();
    assert_eq!(appender.commit().unwrap().out_of_order, 102);
    let before = contents(&head);
    let exemplars = head.exemplars(&[], 0, 9000);
    assert_eq!(before.values().flatten().count(), 107);
    assert_eq!(exemplars.len(), 1);
    drop(head);
    for _ in 0..2 {
        let (head, replay) = open(&sim, options);
        assert_eq!(contents(&head), before);
        assert_eq!(head.exemplars(&[], 0, 9000), exemplars);
        assert_eq!((replay.damage, replay.unknown_series, replay.unknown_records), (vec![], 0, 0));
    }
}

#[test]
fn many_samples_come_back_from_chunks_and_log() {
    let sim = SimFs::new();
    let (head, _) = open(&sim, HeadOptions::default());
    for scrape in 0..500i64 {
        let mut appender = head.appender();
        for target in 0..20 {
            let target = target.to_string();
            let series = appender.series(&[("__name__", "m"), ("target", &target)]).unwrap();
            appender.append(series, scrape * 15_000, scrape as f64 * 1.5).unwrap();
        }
        appender.commit().unwrap();
    }
    let before = contents(&head);
    drop(head);
    let (head, replay) = open(&sim, HeadOptions::default());
    assert_eq!(replay.samples, 10_000);
    assert_eq!(contents(&head), before);
    let snapshot = head.select(&[], i64::MIN, i64::MAX);
    let on_disk =
        snapshot.series().flat_map(|series| series.chunks()).filter(|chunk| chunk.max_time() < 450 * 15_000);
    assert!(on_disk.map(|chunk| chunk.read().unwrap().len()).sum::<usize>() > 1000);
    assert!(
        snapshot.series().flat_map(|series| series.chunks()).all(|chunk| chunk.encoding() == Encoding::Xor)
    );
}

#[test]
fn a_damaged_head_chunk_file_is_set_aside_and_the_log_has_its_samples() {
    let path = Path::new("/data/chunks_head/000001");
    for at in [0, 3, 4, 9, 40, 300, 1000, 2000] {
        let sim = SimFs::new();
        let (head, _) = open(&sim, HeadOptions::default());
        for scrape in 0..500i64 {
            add(&head, &[("a", "1")], scrape * 15_000, (scrape * scrape) as f64);
            add(&head, &[("a", "2")], scrape * 15_000, scrape as f64);
        }
        let before = contents(&head);
        drop(head);
        let mut bytes = sim.contents(path).unwrap();
        let Some(byte) = bytes.get_mut(at) else {
            continue;
        };
        *byte ^= 0x10;
        sim.put(path, &bytes).unwrap();
        let (head, replay) = open(&sim, HeadOptions::default());
        assert_eq!(replay.damage.len(), 1, "byte {at}");
        assert_eq!(&*replay.damage[0].file, "chunks_head/000001");
        assert_eq!(contents(&head), before, "byte {at}");
        drop(head);
        let (head, replay) = open(&sim, HeadOptions::default());
        assert_eq!((replay.damage, contents(&head)), (vec![], before));
    }
}

#[test]
fn a_head_chunk_file_that_a_crash_cut_off_is_no_damage() {
    let path = Path::new("/data/chunks_head/000001");
    let sim = SimFs::new();
    let (head, _) = open(&sim, HeadOptions::default());
    for scrape in 0..500i64 {
        add(&head, &[("a", "1")], scrape * 15_000, (scrape * scrape) as f64);
    }
    let before = contents(&head);
    drop(head);
    let bytes = sim.contents(path).unwrap();
    for cut in (0..bytes.len()).step_by(41) {
        sim.put(path, &bytes[..cut]).unwrap();
        let (head, replay) = open(&sim, HeadOptions::default());
        assert_eq!((replay.damage, contents(&head)), (vec![], before.clone()), "cut at {cut}");
        drop(head);
        let (head, replay) = open(&sim, HeadOptions::default());
        assert_eq!((replay.damage, contents(&head)), (vec![], before.clone()), "cut at {cut}, opened again");
        drop(head);
        let fs: Arc<dyn Fs> = Arc::new(sim.clone());
        for entry in fs.list(Path::new("/data/chunks_head")).unwrap() {
            fs.remove_file(&Path::new("/data/chunks_head").join(entry.name)).unwrap();
        }
    }
}

#[test]
fn what_stands_before_damage_in_the_log_comes_back_and_the_log_goes_on() {
    let sim = SimFs::new();
    let (head, _) = open(&sim, HeadOptions::default());
    for scrape in 0..50i64 {
        add(&head, &[("a", "1")], scrape * 15_000, scrape as f64);
    }
    drop(head);
    let path = Path::new("/data/wal/00000000");
    let mut bytes = sim.contents(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    sim.put(path, &bytes).unwrap();
    let (head, replay) = open(&sim, HeadOptions::default());
    assert_eq!(replay.damage.len(), 1);
    assert_eq!(replay.set_aside, [Path::new("/data/wal/00000000.damaged")]);
    let kept = contents(&head).values().next().unwrap().len();
    assert!((20..30).contains(&kept), "{kept}");
    add(&head, &[("a", "1")], 1_000_000, 7.0);
    let before = contents(&head);
    drop(head);
    let (head, replay) = open(&sim, HeadOptions::default());
    assert_eq!((replay.damage, contents(&head)), (vec![], before));
}
