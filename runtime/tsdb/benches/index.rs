//! Opening a block of a million series, finding series in it, writing blocks: `cargo bench -p tsdb --bench index`.
//!
//! Each series has eleven labels, one of them with a value of its own, and one chunk. Times are CPU time of one thread, the best
//! of several runs; the file is in the page cache. Memory is measured in a process of its own that does nothing but open.
#![expect(clippy::print_stdout, reason = "the table is the result")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs the disk and processes")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use prom_model::{MatchOp, Matcher};
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockReader, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::{Encoding, XorAppender};
use tsdb::fs::{Fs, RealFs};
use tsdb::index::{ChunkMeta, ChunkRef, IndexWriter, LabelArena, Series, SymbolTableBuilder};
use tsdb::stored::Scratch;

const SERIES: u32 = 1_000_000;
const START: i64 = 1_704_067_200_000;
const END: i64 = START + 7_200_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--open") {
        return measure(Path::new(&arguments[at + 1]));
    }
    let target = tempfile::tempdir().expect("a folder");
    println!("{:<44}{:>14}{:>16}", "writing", "CPU s", "per second");
    index_alone(target.path());
    for (series, samples) in [(50_000, 240), (SERIES, 12)] {
        let (cpu, folder) = timed(|| write(target.path(), series, samples));
        let total = u64::from(series) * samples as u64;
        let what = format!("{series} series of {samples} samples, with encoding");
        println!("{what:<44}{cpu:>14.3}{:>16}", format!("{:.2} M samples", total as f64 / cpu / 1e6));
        if series < SERIES {
            let block = BlockReader::open(&RealFs, &folder).expect("a block");
            let (cpu, ()) = timed(|| copy(&block, target.path()));
            let what = format!("{series} series of {samples} samples, as chunks");
            println!("{what:<44}{cpu:>14.3}{:>16}", format!("{:.2} M samples", total as f64 / cpu / 1e6));
            continue;
        }
        let size = fs::metadata(folder.join("index")).expect("an index").len();
        println!("\nindex of {SERIES} series: {} MB", size / 1_000_000);
        let myself = std::env::current_exe().expect("a name");
        let status = Command::new(myself).arg("--open").arg(&folder).status().expect("a process");
        assert!(status.success());
    }
}

/// Seconds that this thread was on a processor.
fn cpu() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|text| text.parse::<f64>().ok()).expect("nanoseconds") / 1e9
}

fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = cpu();
    let done = work();
    (cpu() - start, done)
}

/// The kernel counts in steps of some milliseconds: short work is done until it has taken long enough.
fn timed_often<T>(mut work: impl FnMut() -> T) -> (f64, T) {
    let start = cpu();
    let mut times = 0u32;
    loop {
        let done = work();
        times += 1;
        let taken = cpu() - start;
        if taken > 0.1 {
            return (taken / f64::from(times), done);
        }
    }
}

fn resident_kilobytes() -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("kilobytes")
}

/// The labels of a series, sorted by name.
fn labels(series: u32) -> [(&'static str, String); 11] {
    let pod = series / 100;
    [
        ("__name__", ["http_requests_total", "http_errors_total"][(series % 2) as usize].to_owned()),
        ("cluster", "eu".to_owned()),
        ("code", format!("{}", 200 + series / 2 % 10)),
        ("container", format!("app-{}", pod % 50)),
        ("handler", format!("/api/v1/{}", series / 20 % 5)),
        ("instance", format!("10.{}.{}.{}:8080", pod >> 12 & 63, pod >> 6 & 63, pod & 63)),
        ("job", format!("job-{}", pod % 20)),
        ("namespace", format!("namespace-{}", pod % 40)),
        ("node", format!("node-{}", pod % 300)),
        ("pod", format!("app-{}-x{pod}", pod % 50)),
        ("series", format!("{series:07}")),
    ]
}

fn write(parent: &Path, series: u32, samples: usize) -> PathBuf {
    let mut symbols = SymbolTableBuilder::default();
    let mut all: Vec<([(u32, u32); 11], u32)> = (0..series)
        .map(|number| {
            let labels = labels(number);
            (labels.map(|(name, value)| (symbols.add(name), symbols.add(&value))), number)
        })
        .collect();
    let (table, numbers) = symbols.build();
    let symbol = |number: u32| numbers[number as usize];
    for (labels, _) in &mut all {
        *labels = labels.map(|(name, value)| (symbol(name), symbol(value)));
    }
    all.sort_unstable();
    let id = BlockId::new(series.into(), 1);
    let mut writer = BlockWriter::create(Arc::new(RealFs), parent, id, Arc::new(table)).expect("a block");
    let step = (END - START) / samples as i64;
    for (labels, number) in &all {
        let mut chunks = Vec::new();
        let mut at = 0;
        while at < samples {
            let end = (at + 120).min(samples);
            let mut chunk = XorAppender::new();
            for sample in at..end {
                let value = f64::from(number % 97 * sample as u32 + number % 13);
                assert!(chunk.append(START + step * sample as i64, value));
            }
            chunks.push((START + step * at as i64, START + step * (end as i64 - 1), chunk.into_bytes()));
            at = end;
        }
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
    let meta = BlockMeta::new(id, START, END);
    writer.finish(meta, &Tombstones::default()).expect("a block").expect("series");
    parent.join(id.to_string())
}

/// Writes an index of 300,000 series of eight labels, which are symbols already: what a merge spends on its index.
fn index_alone(parent: &Path) {
    const COUNT: u32 = 300_000;
    let mut symbols = SymbolTableBuilder::default();
    let mut all: Vec<Vec<(u32, u32)>> = (0..COUNT)
        .map(|number| {
            let labels = labels(number);
            let used = labels.iter().filter(|(name, _)| !["cluster", "node", "container"].contains(name));
            used.map(|(name, value)| (symbols.add(name), symbols.add(value))).collect()
        })
        .collect();
    let (table, numbers) = symbols.build();
    let symbol = |number: u32| numbers[number as usize];
    for labels in &mut all {
        labels.iter_mut().for_each(|(name, value)| (*name, *value) = (symbol(*name), symbol(*value)));
    }
    all.sort_unstable();
    let table = Arc::new(table);
    let path = parent.join("index");
    for memory in [None, Some(4 << 20)] {
        let mut best = (f64::MAX, f64::MAX);
        let mut bytes = 0;
        for _ in 0..5 {
            let file = RealFs.create(&path).expect("a file");
            let scratch = Scratch::new(Arc::new(RealFs), parent.join("scratch"), memory.unwrap_or(u64::MAX));
            let (added, writer) = timed(|| {
                let mut writer = IndexWriter::bounded(file, Arc::clone(&table), &scratch).expect("an index");
                for (number, labels) in (0u64..).zip(&all) {
                    let reference = ChunkRef(8 + 60 * number);
                    let chunk = ChunkMeta { min_time: START, max_time: END - 1, reference };
                    writer.add_series(labels, &[chunk]).expect("a series");
                }
                writer
            });
            let (finished, length) = timed(|| writer.finish().expect("an index"));
            (best.0, best.1, bytes) = (best.0.min(added), best.1.min(finished), length);
        }
        let what = match memory {
            None => format!("index of {COUNT} series, {} MB", bytes / 1_000_000),
            Some(memory) => format!("  in {} MB of memory", memory >> 20),
        };
        let (added, finished) = (best.0, best.1);
        println!("{what:<44}{:>14.3}{:>16}", added + finished, format!("{added:.3} + {finished:.3}"));
    }
}

/// Writes the block again, chunk by chunk, as a compaction does where nothing overlaps.
fn copy(block: &BlockReader, parent: &Path) {
    let mut symbols = tsdb::index::SymbolTable::default();
    let (mut walk, mut text) = (block.index().symbols().walk(), Vec::new());
    while let Some(symbol) = walk.next_text(&mut text).expect("a symbol") {
        symbols.push(symbol);
    }
    let id = BlockId::new(7, 7);
    let mut writer = BlockWriter::create(Arc::new(RealFs), parent, id, Arc::new(symbols)).expect("a block");
    let mut scan = block.scan().expect("series");
    let mut data = Vec::new();
    while scan.next_series().expect("a series").is_some() {
        data.clear();
        let mut chunks = Vec::new();
        for at in 0..scan.series().chunks.len() {
            let (meta, chunk) = scan.chunk_at(at).expect("a chunk").expect("a chunk");
            let start = data.len();
            data.extend_from_slice(chunk.data);
            chunks.push((meta, Encoding::from_u8(chunk.encoding).expect("an encoding"), start..data.len()));
        }
        let chunks: Vec<ChunkData<'_>> = chunks
            .iter()
            .map(|(meta, encoding, range)| ChunkData {
                min_time: meta.min_time,
                max_time: meta.max_time,
                encoding: *encoding,
                data: &data[range.clone()],
            })
            .collect();
        writer.add_series(&scan.series().labels, &chunks).expect("a series");
    }
    writer.finish(block.meta().clone(), &Tombstones::default()).expect("a block").expect("series");
}

fn measure(folder: &Path) {
    let before = resident_kilobytes();
    let (first, block) = timed(|| BlockReader::open(&RealFs, folder).expect("a block"));
    let grown = resident_kilobytes() - before;
    let mut best = first;
    for _ in 0..5 {
        best = best.min(timed_often(|| BlockReader::open(&RealFs, folder).expect("a block")).0);
    }
    println!(
        "open: {:.1} ms (first {:.1} ms), {:.1} MB resident more",
        best * 1e3,
        first * 1e3,
        grown as f64 / 1024.0
    );
    println!("\n{:<60}{:>10}{:>14}", "matchers", "series", "CPU µs");
    let pods: Vec<String> = (0..100).map(|pod| format!("app-{}-x{}", pod * 97 % 50, pod * 97)).collect();
    let pods = pods.join("|");
    let name = || Matcher::equal("__name__", "http_requests_total");
    let regex = |label: &str, value: &str| Matcher::new(MatchOp::Regex, label, value).expect("a matcher");
    let not = |label: &str, value: &str| Matcher::new(MatchOp::NotEqual, label, value).expect("a matcher");
    for matchers in [
        vec![Matcher::equal("series", "0765432")],
        vec![name(), Matcher::equal("pod", "app-17-x4217")],
        vec![name(), Matcher::equal("namespace", "namespace-7")],
        vec![name(), regex("pod", &pods)],
        vec![name(), regex("pod", "app-17-x.*")],
        vec![name(), regex("pod", ".*-x42.*")],
        vec![name(), not("pod", "")],
        vec![name(), not("namespace", "namespace-7")],
        vec![name(), regex("pod", "app-1.*"), not("code", "200"), regex("namespace", ".*-[1-3]")],
        vec![regex("__name__", ".+")],
        vec![regex("series", ".*765.*")],
        vec![not("series", "")],
    ] {
        let mut best = f64::MAX;
        let mut series = 0;
        for _ in 0..3 {
            let (cpu, postings) =
                timed_often(|| block.index().postings_for_matchers(&matchers).expect("postings"));
            (best, series) = (best.min(cpu), postings.len());
        }
        let text: Vec<String> = matchers.iter().map(Matcher::to_string).collect();
        let mut text = text.join(", ");
        if text.len() > 58 {
            text = format!("{}…", text.chars().take(55).collect::<String>());
        }
        println!("{text:<60}{series:>10}{:>14.1}", best * 1e6);
    }
    let (cpu, values) = timed_often(|| {
        let mut walk = block.index().label_values("pod").expect("values");
        let mut values = 0;
        while walk.next_entry().expect("a value").is_some() {
            values += 1;
        }
        values
    });
    println!("{:<60}{values:>10}{:>14.1}", "all values of pod", cpu * 1e6);
    let (cpu, series) = timed(|| {
        let mut scan = block.index().scan();
        let mut series = Series::default();
        let mut count = 0u64;
        while scan.next_into(&mut series).expect("a series") {
            count += 1;
        }
        count
    });
    println!("{:<60}{series:>10}{:>14.1}", "all series, as symbols", cpu * 1e6);
    let (cpu, series) = timed(|| {
        let (mut scan, mut cache) = (block.index().scan(), block.index().symbol_cache());
        let (mut series, mut arena) = (Series::default(), LabelArena::default());
        let mut count = 0u64;
        while scan.next_into(&mut series).expect("a series") {
            cache.resolve(&series.labels, &mut arena).expect("labels");
            count += 1;
        }
        count
    });
    println!("{:<60}{series:>10}{:>14.1}", "all series, as text", cpu * 1e6);
}
