//! promtool lists, analyses and dumps blocks that we wrote, and says the same as we do.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::{Encoding, XorAppender};
use tsdb::fs::RealFs;
use tsdb::fs::sim::Chance;
use tsdb::index::SymbolTable;

const START: i64 = 1_704_067_200_000;
const SERIES: usize = 300;

type Labels = Vec<(String, String)>;
type Samples = Vec<(i64, f64)>;

fn series(chance: &mut Chance) -> BTreeMap<Labels, Samples> {
    let mut all = BTreeMap::new();
    for number in 0..SERIES {
        let labels: Labels = [
            ("__name__".to_owned(), format!("metric_{}", number % 7)),
            ("instance".to_owned(), format!("{number:04}")),
            ("path".to_owned(), format!("/a \"{}\"\\\n\u{e9}", number % 3)),
        ]
        .into();
        let mut time = START;
        let samples = (0..200 + chance.below(200))
            .map(|_| {
                time += 1 + chance.below(15_000) as i64;
                let value = match chance.below(8) {
                    0 => f64::from_bits(chance.next_u64()),
                    1 => f64::INFINITY,
                    2 => -0.0,
                    _ => chance.below(1000) as f64,
                };
                (time, value)
            })
            .collect();
        all.insert(labels, samples);
    }
    all
}

fn write(parent: &Path, all: &BTreeMap<Labels, Samples>) -> BlockMeta {
    let texts = all.keys().flatten().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    let symbols = Arc::new(texts.collect::<SymbolTable>());
    let id = BlockId::new(START as u64, 5);
    let fs = Arc::new(RealFs);
    // Several segments, so that references to the second and later ones are judged too.
    let mut writer = BlockWriter::with_segments_of(fs, parent, id, Arc::clone(&symbols), 100_000).unwrap();
    for (labels, samples) in all {
        let symbol = |text: &str| symbols.find(text).unwrap();
        let labels: Vec<(u32, u32)> =
            labels.iter().map(|(name, value)| (symbol(name), symbol(value))).collect();
        let encoded: Vec<(i64, i64, Vec<u8>)> = samples
            .chunks(120)
            .map(|samples| {
                let mut chunk = XorAppender::new();
                assert!(samples.iter().all(|(time, value)| chunk.append(*time, *value)));
                (samples[0].0, samples[samples.len() - 1].0, chunk.into_bytes())
            })
            .collect();
        let chunks: Vec<ChunkData<'_>> = encoded
            .iter()
            .map(|(min_time, max_time, data)| ChunkData {
                min_time: *min_time,
                max_time: *max_time,
                encoding: Encoding::Xor,
                data,
            })
            .collect();
        writer.add_series(&labels, &chunks).unwrap();
    }
    let meta = BlockMeta::new(id, START, START + 7_200_000);
    writer.finish(meta, &Tombstones::default()).unwrap().unwrap()
}

fn promtool(arguments: &[&str], data: &Path) -> String {
    let output = Command::new("promtool").args(arguments).arg(data).output().expect("promtool is installed");
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "promtool {arguments:?}: {err}");
    out
}

#[test]
#[expect(clippy::print_stderr, reason = "a suite that is left out must say so")]
fn says_the_same_of_a_block_of_ours() {
    if Command::new("promtool").arg("--version").output().is_err() {
        eprintln!("LEFT OUT: there is no promtool, so it was not asked about our blocks");
        return;
    }
    let data = tempfile::tempdir().unwrap();
    // promtool wants a log, even an empty one.
    std::fs::create_dir(data.path().join("wal")).unwrap();
    let all = series(&mut Chance::new(7));
    let meta = write(data.path(), &all);
    assert!(std::fs::read_dir(data.path().join(meta.ulid.to_string()).join("chunks")).unwrap().count() > 3);

    let listed = promtool(&["tsdb", "list"], data.path());
    let line = listed.lines().find(|line| line.starts_with(&meta.ulid.to_string())).unwrap();
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let stats = &meta.stats;
    assert!(
        numbers.ends_with(&[
            stats.num_samples,
            stats.num_chunks,
            stats.num_series,
            numbers[numbers.len() - 1]
        ]) || numbers.ends_with(&[stats.num_samples, stats.num_chunks, stats.num_series]),
        "{line}"
    );

    let analysed = promtool(&["tsdb", "analyze"], data.path());
    assert!(analysed.contains(&format!("Series: {SERIES}\n")), "{analysed}");
    // instance, 7 names, 3 paths.
    assert!(analysed.contains(&format!("Postings (unique label pairs): {}\n", SERIES + 10)), "{analysed}");
    assert!(
        analysed.contains(&format!("Postings entries (total label pairs): {}\n", 3 * SERIES)),
        "{analysed}"
    );

    let dumped = promtool(&["tsdb", "dump"], data.path());
    let mut lines = dumped.lines();
    for (labels, samples) in &all {
        let text: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}={}", prom_model::quote(value))).collect();
        let text = format!("{{{}}}", text.join(", "));
        for (time, value) in samples {
            let line = lines.next().unwrap();
            let rest = line.strip_prefix(&text).unwrap_or_else(|| panic!("{line} instead of {text}"));
            let (found, at) = rest.trim_start().split_once(' ').unwrap();
            assert_eq!(at.parse::<i64>().unwrap(), *time, "{line}");
            let found: f64 = found.replace("Inf", "inf").parse().unwrap();
            assert!(
                found.to_bits() == value.to_bits() || found.is_nan() && value.is_nan(),
                "{line}: {value}"
            );
        }
    }
    assert_eq!(lines.next(), None);
}
