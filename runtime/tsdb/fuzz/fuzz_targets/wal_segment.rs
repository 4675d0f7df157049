//! Any bytes as a segment of the write-ahead log, or as records in one: a head opens on it, says what is damaged, and opens again
//! without damage and with the same samples.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use tsdb::encoding::crc32c;
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;
use tsdb::head::{Head, HeadOptions};

/// Samples of a head: how many series, and how many samples of each chunk.
fn contents(head: &Head) -> Vec<Vec<(i64, i64, u16)>> {
    let snapshot = head.select(&[], i64::MIN, i64::MAX);
    let chunks = |series: tsdb::head::SeriesView<'_>| {
        series.chunks().map(|chunk| (chunk.min_time(), chunk.max_time(), chunk.samples())).collect()
    };
    snapshot.series().map(chunks).collect()
}

fuzz_target!(|input: &[u8]| {
    let Some((mode, bytes)) = input.split_first() else { return };
    let segment = if mode & 1 == 0 {
        bytes.to_vec()
    } else {
        // Records behind a byte of length each, with the right checksums.
        let (mut segment, mut rest) = (Vec::new(), bytes);
        while let Some((length, behind)) = rest.split_first() {
            let (record, behind) = behind.split_at(usize::from(*length).min(behind.len()));
            if segment.len() % (32 * 1024) + 7 + record.len() > 32 * 1024 {
                break;
            }
            segment.push(1);
            segment.extend_from_slice(&(record.len() as u16).to_be_bytes());
            segment.extend_from_slice(&crc32c(record).to_be_bytes());
            segment.extend_from_slice(record);
            rest = behind;
        }
        segment
    };
    let sim = SimFs::new();
    let fs: Arc<dyn Fs> = Arc::new(sim.clone());
    fs.create_dir_all(Path::new("/data/wal")).expect("a folder");
    sim.put(Path::new("/data/wal/00000000"), &segment).expect("a file");
    let options = HeadOptions { exemplars_max: 8, ..HeadOptions::default() };
    let open = || Head::open(fs.clone(), Path::new("/data"), options, i64::MIN, &mut |_| {}).expect("a head");
    let (head, replay) = open();
    let before = contents(&head);
    assert_eq!(replay.damage.is_empty(), replay.set_aside.is_empty());
    drop(head);
    let (head, replay) = open();
    // A log that gives one number to two series makes chunks that contradict each other; the log itself stays sound.
    let in_log = replay.damage.iter().filter(|damage| !damage.file.starts_with("chunks_head/")).count();
    assert_eq!(in_log, 0, "{:?}", replay.damage);
    assert_eq!(before.len(), head.select(&[], i64::MIN, i64::MAX).len());
});
