//! promtool opens merged blocks, and finds the samples in them that the slow reference says.
#![expect(clippy::disallowed_methods, reason = "promtool is a program that reads files")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use compact::Target;
use compact::merge::{Overlaps, merge};
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockReader};
use tsdb::fs::sim::Chance;
use tsdb::fs::{Fs, RealFs};

use super::reference;
use super::world::{self, HOUR, START, Value};

fn promtool(arguments: &[&str], data: &Path) -> String {
    let output =
        Command::new("promtool").args(arguments).arg(data).output().expect("promtool (Debian: prometheus)");
    assert!(output.status.success(), "promtool {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn promtool_reads_merged_blocks() {
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let mut dumped = 0;
    for seed in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let (sources, data) = (folder.path().join("sources"), folder.path().join("data"));
        std::fs::create_dir(&sources).unwrap();
        // It wants a log, even an empty one.
        std::fs::create_dir_all(data.join("wal")).unwrap();
        let mut all = world::sources(&mut Chance::new(seed));
        for source in &mut all {
            // The release that Debian has dumps no histograms.
            source.series.retain(|labels, _| labels[0].1.as_str() < "metric_2");
        }
        all.retain(|source| !source.series.is_empty());
        let blocks: Vec<BlockReader> =
            (1..).zip(&all).map(|(number, source)| world::write(&fs, &sources, number, source)).collect();
        let end = START + 6 * HOUR;
        let id = BlockId::new(START as u64, 99);
        let target = Target { fs: Arc::clone(&fs), parent: &data, id, memory_bytes: 1 << 20 };
        let merged = merge(&blocks, Overlaps::OneToOne, &target, BlockMeta::new(id, START, end)).unwrap();
        let expected = reference::merged(&all, Overlaps::OneToOne, (START, end - 1));
        let Some(written) = merged.block else { continue };
        let analysed = promtool(&["tsdb", "analyze"], &data);
        assert!(analysed.contains(&format!("Series: {}\n", expected.len())), "{analysed}");
        let text = promtool(&["tsdb", "dump"], &data);
        let found: Vec<(i64, String)> = text
            .lines()
            .map(|line| {
                let mut words = line.rsplit(' ');
                (words.next().unwrap().parse().unwrap(), words.next().unwrap().to_owned())
            })
            .collect();
        let samples = expected.values().flatten().flat_map(|chunk| &chunk.samples);
        let expected: Vec<(i64, String)> = samples
            .map(|(time, value)| match value {
                Value::Float(bits) => {
                    let mut text = String::new();
                    prom_model::push_go_float(&mut text, f64::from_bits(*bits));
                    (*time, text)
                }
                _ => panic!("a histogram"),
            })
            .collect();
        assert_eq!(found, expected, "seed {seed}");
        assert_eq!(found.len() as u64, written.meta.stats.num_samples);
        dumped += found.len();
    }
    assert!(dumped > 0);
}
