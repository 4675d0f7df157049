//! Series of several blocks, read through the engine's door to storage: `cargo bench -p query --bench blocks`.
//!
//! Ten thousand series of ten labels, six hours with a sample each 15 s, in three blocks; each series is read by one thread in
//! batches as the engine reads them. Times are CPU time of the thread, the best of several runs; files are in the page cache.
#![expect(clippy::print_stdout, reason = "the table is the result")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs the disk and the thread's time")]

use std::path::Path;
use std::sync::Arc;

use prom_model::Matcher;
use promql::{Projection, Samples, Select, SeriesSource, Symbols};
use query::Blocks;
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockReader, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::{Encoding, XorAppender};
use tsdb::fs::RealFs;
use tsdb::index::SymbolTableBuilder;

const SERIES: u32 = 10_000;
const START: i64 = 1_704_067_200_000;
const RANGE: i64 = 7_200_000;
const STEP: i64 = 15_000;
/// As many as the engine takes at once for 720 steps.
const BATCH: usize = 174;

fn main() {
    let target = tempfile::tempdir().expect("a folder");
    let blocks: Vec<BlockReader> = (0..3).map(|number| write(target.path(), number)).collect();
    println!("{:<52}{:>12}{:>16}", "read", "CPU ms", "ns a sample");
    for (what, count, projection) in [
        ("one block, all labels", 1, Projection::All),
        ("one block, one label", 1, Projection::Only(vec!["job".to_owned()])),
        ("three blocks, merged", 3, Projection::All),
    ] {
        let storage = Blocks::new(blocks[..count].to_vec(), None);
        let (labels, nothing) = best(|| read(&storage, &projection, false));
        assert_eq!(nothing, 0);
        let (all, samples) = best(|| read(&storage, &projection, true));
        println!("{what:<52}{:>12.1}{:>16.2}", all * 1e3, all * 1e9 / samples as f64);
        println!("{:<52}{:>12.1}{:>16}", "  of which series and chunk references", labels * 1e3, "");
    }
}

/// Seconds that this thread was on a processor.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|text| text.parse::<f64>().ok()).expect("nanoseconds") / 1e9
}

fn best<T>(mut work: impl FnMut() -> T) -> (f64, T) {
    let start = cpu();
    let mut done = work();
    let mut least = cpu() - start;
    for _ in 0..4 {
        let start = cpu();
        done = work();
        least = least.min(cpu() - start);
    }
    (least, done)
}

fn read(storage: &Blocks, projection: &Projection, samples: bool) -> u64 {
    let select = Select {
        matchers: vec![Matcher::equal("__name__", "http_requests_total")],
        min_time: START,
        max_time: START + 3 * RANGE,
        query_times: (START, START + 3 * RANGE),
        projection: projection.clone(),
        step: 30_000,
        range: 0,
        function: "",
        histogram_stats_only: false,
        series_only: !samples,
        pauses: promql::Pauses::default(),
    };
    let mut set = storage.select(&select).expect("series");
    let (mut symbols, mut into, mut count) = (Symbols::default(), Samples::default(), 0);
    while let Some(batch) = set.next_batch(BATCH, &mut symbols).expect("series") {
        let mut reader = batch.reader();
        for series in 0..batch.len() {
            if samples {
                into.clear();
                reader.read(series, &mut into).expect("samples");
                count += into.timestamps.len() as u64;
            }
        }
    }
    count
}

fn write(parent: &Path, number: i64) -> BlockReader {
    let (start, end) = (START + number * RANGE, START + (number + 1) * RANGE);
    let mut symbols = SymbolTableBuilder::default();
    let mut series: Vec<([(u32, u32); 10], u32)> = (0..SERIES)
        .map(|series| {
            let labels = labels(series).map(|(name, value)| (symbols.add(name), symbols.add(&value)));
            (labels, series)
        })
        .collect();
    let (table, numbers) = symbols.build();
    let symbol = |number: u32| numbers[number as usize];
    for (labels, _) in &mut series {
        *labels = labels.map(|(name, value)| (symbol(name), symbol(value)));
    }
    series.sort_unstable();
    let id = BlockId::new(number as u64, 1);
    let mut writer = BlockWriter::create(Arc::new(RealFs), parent, id, Arc::new(table)).expect("a block");
    for (labels, series) in &series {
        let mut random = u64::from(*series) + 1;
        let mut value = number as f64 * 1e5;
        let chunks: Vec<(i64, i64, Vec<u8>)> = (start..end)
            .step_by((STEP * 120) as usize)
            .map(|first| {
                let mut chunk = XorAppender::new();
                let times = (0..120).map(|sample| first + sample * STEP);
                for time in times {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    value += (random >> 33) as f64 % 50.0;
                    assert!(chunk.append(time, value));
                }
                (first, first + 119 * STEP, chunk.into_bytes())
            })
            .collect();
        let chunks: Vec<ChunkData<'_>> = chunks
            .iter()
            .map(|(min_time, max_time, data)| ChunkData {
                min_time: *min_time,
                max_time: *max_time,
                encoding: Encoding::Xor,
                data,
            })
            .collect();
        writer.add_series(labels, &chunks).expect("a series");
    }
    writer.finish(BlockMeta::new(id, start, end), &Tombstones::default()).expect("a block").expect("series");
    BlockReader::open(&RealFs, &parent.join(id.to_string())).expect("a block")
}

/// The labels of a series, sorted by name.
fn labels(series: u32) -> [(&'static str, String); 10] {
    let pod = series / 20;
    [
        ("__name__", "http_requests_total".to_owned()),
        ("cluster", "eu".to_owned()),
        ("code", format!("{}", 200 + series % 4)),
        ("handler", format!("/api/v1/{}", series / 4 % 5)),
        ("instance", format!("10.0.{}.{}:8080", pod / 256, pod % 256)),
        ("job", format!("job-{}", pod % 20)),
        ("namespace", format!("namespace-{}", pod % 40)),
        ("node", format!("node-{}", pod % 60)),
        ("pod", format!("app-{}-x{pod}", pod % 50)),
        ("zone", format!("{}", pod % 3)),
    ]
}
