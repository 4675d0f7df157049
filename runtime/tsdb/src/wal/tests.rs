//! What the log promises: what was written is read, before any damage, on a full disk, after a failed sync.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::corruption::{Corruption, Fault};
use crate::fs::Fs;
use crate::fs::sim::{Chance, SimFs};

use super::*;

const FOLDER: &str = "/data/wal";

fn disk() -> (SimFs, Arc<dyn Fs>) {
    let sim = SimFs::new();
    let fs: Arc<dyn Fs> = Arc::new(sim.clone());
    fs.create_dir_all(Path::new(FOLDER)).unwrap();
    (sim, fs)
}

/// Records of many lengths: empty, small, of pages, of more than a small segment.
fn records(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut chance = Chance::new(seed);
    let mut record = |_| {
        let length = match chance.below(20) {
            0 => 0,
            1 => chance.below(200_000),
            2 => 32 * 1024 - 7,
            3 => 32 * 1024 - 7 - chance.below(20),
            _ => chance.below(3000),
        };
        let compressible = chance.coin();
        (0..length).map(|_| if compressible { 7 } else { chance.next_u64() as u8 }).collect()
    };
    (0..count).map(&mut record).collect()
}

fn write(fs: &Arc<dyn Fs>, options: WalOptions, records: &[Vec<u8>]) {
    let mut wal = Wal::open(fs.clone(), Path::new(FOLDER), options).unwrap();
    for batch in records.chunks(3) {
        wal.log(&batch.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
    }
    wal.sync().unwrap();
}

fn read(fs: &dyn Fs) -> (Vec<Vec<u8>>, Option<Corruption>, Option<u64>) {
    let mut reader = RecordReader::new(fs, segments(fs, Path::new(FOLDER)).unwrap());
    let mut records = Vec::new();
    loop {
        match reader.next_record() {
            Ok(Some(record)) => records.push(record.to_vec()),
            Ok(None) => return (records, None, reader.torn()),
            Err(damage) => return (records, Some(damage), None),
        }
    }
}

#[test]
fn records_of_any_length_come_back_over_many_segments() {
    for compression in [Compression::None, Compression::Snappy, Compression::Zstd] {
        let (_, fs) = disk();
        let options = WalOptions { compression, segment_size: 4 * PAGE_SIZE as u64 };
        let written = records(1, 300);
        write(&fs, options, &written[..150]);
        write(&fs, options, &written[150..]);
        assert!(segments(&*fs, Path::new(FOLDER)).unwrap().len() > 5);
        assert_eq!(read(&*fs), (written, None, None));
    }
}

#[test]
fn a_live_reader_sees_each_record_once_it_is_whole() {
    let (sim, fs) = disk();
    let options = WalOptions { segment_size: 2 * PAGE_SIZE as u64, ..WalOptions::default() };
    let written = records(2, 60);
    let mut wal = Wal::open(fs.clone(), Path::new(FOLDER), options).unwrap();
    let mut live = LiveReader::new(fs.clone(), Path::new(FOLDER));
    assert_eq!(live.next_record().unwrap(), None);
    for record in &written {
        wal.log(&[record]).unwrap();
        assert_eq!(live.next_record().unwrap(), Some(record.as_slice()));
        assert_eq!(live.next_record().unwrap(), None);
    }
    // Half a record, then the rest of it.
    let last = segments(&*fs, Path::new(FOLDER)).unwrap().pop().unwrap();
    let before = sim.contents(&last.path).unwrap();
    wal.log(&[b"the last one"]).unwrap();
    let whole = sim.contents(&last.path).unwrap();
    sim.put(&last.path, &whole[..before.len() + 9]).unwrap();
    assert_eq!(live.next_record().unwrap(), None);
    sim.put(&last.path, &whole).unwrap();
    assert_eq!(live.next_record().unwrap(), Some(&b"the last one"[..]));
}

#[test]
fn a_log_that_is_cut_off_anywhere_keeps_the_whole_records() {
    let (sim, fs) = disk();
    let written = records(3, 40);
    write(&fs, WalOptions::default(), &written);
    let path = Path::new(FOLDER).join("00000000");
    let whole = sim.contents(&path).unwrap();
    let mut chance = Chance::new(4);
    for cut in (0..300).map(|_| chance.below(whole.len() as u64) as usize) {
        sim.put(&path, &whole[..cut]).unwrap();
        let (found, damage, torn) = read(&*fs);
        assert_eq!(damage, None, "cut at {cut}");
        assert_eq!(found, written[..found.len()], "cut at {cut}");
        if let Some(torn) = torn {
            cut_torn_tail(&*fs, &path, torn).unwrap();
            assert_eq!(read(&*fs), (found, None, None));
        }
    }
}

#[test]
fn damage_is_named_set_aside_and_costs_nothing_before_it() {
    let mut chance = Chance::new(5);
    for _ in 0..200 {
        let (sim, fs) = disk();
        let options = WalOptions { segment_size: 2 * PAGE_SIZE as u64, ..WalOptions::default() };
        let written = records(6, 40);
        write(&fs, options, &written);
        let all = segments(&*fs, Path::new(FOLDER)).unwrap();
        let victim = &all[chance.below(all.len() as u64 - 1) as usize];
        let mut bytes = sim.contents(&victim.path).unwrap();
        let at = chance.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << chance.below(8);
        sim.put(&victim.path, &bytes).unwrap();
        let mut reader = RecordReader::new(&*fs, all.clone());
        let mut found = Vec::new();
        let damage = loop {
            match reader.next_record() {
                Ok(Some(record)) => found.push(record.to_vec()),
                Ok(None) => break None,
                Err(damage) => break Some(damage),
            }
        };
        let Some(damage) = damage else {
            // The flag of compression is outside the checksum; a record may then come back as other bytes.
            continue;
        };
        assert!(damage.offset <= at as u64 + 4 * PAGE_SIZE as u64, "{damage}");
        let known = found.iter().zip(&written).take_while(|(found, written)| found == written).count();
        assert!(known + 1 >= found.len(), "{damage}");
        let (index, good) = reader.damaged_at();
        let repaired = set_aside(&*fs, Path::new(FOLDER), index, good).unwrap();
        assert_eq!(repaired.set_aside.len() as u64, all.last().unwrap().index - index + 1);
        assert!(repaired.set_aside.iter().all(|path| fs.stat(path).is_ok()));
        write(&fs, options, &[b"after".to_vec()]);
        found.push(b"after".to_vec());
        assert_eq!(read(&*fs), (found, None, None), "{damage}");
    }
}

#[test]
fn a_missing_segment_is_damage() {
    let (_, fs) = disk();
    let options = WalOptions { segment_size: PAGE_SIZE as u64, ..WalOptions::default() };
    write(&fs, options, &records(7, 40));
    fs.remove_file(&Path::new(FOLDER).join("00000001")).unwrap();
    let (_, damage, _) = read(&*fs);
    let damage = damage.unwrap();
    assert_eq!(
        (&*damage.file, damage.fault),
        ("wal/00000002", Fault::Rule("the segment before this one is missing"))
    );
}

#[test]
fn a_full_disk_refuses_and_forgets_what_it_refused() {
    for room in (0..200_000).step_by(1171) {
        let (sim, fs) = disk();
        let options = WalOptions { segment_size: 2 * PAGE_SIZE as u64, ..WalOptions::default() };
        let mut wal = Wal::open(fs.clone(), Path::new(FOLDER), options).unwrap();
        sim.set_capacity(Some(room));
        let mut kept = Vec::new();
        for batch in records(8, 60).chunks(2) {
            let bytes: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
            match wal.log(&bytes) {
                Ok(()) => kept.extend_from_slice(batch),
                Err(error) => assert!(matches!(error, LogError::Write { .. }), "{error}"),
            }
        }
        sim.set_capacity(None);
        wal.log(&[b"there is room again"]).unwrap();
        kept.push(b"there is room again".to_vec());
        assert_eq!(read(&*fs), (kept, None, None), "room for {room}");
    }
}

#[test]
fn a_failed_sync_closes_the_log() {
    let (sim, fs) = disk();
    let mut wal = Wal::open(fs.clone(), Path::new(FOLDER), WalOptions::default()).unwrap();
    wal.log(&[b"one"]).unwrap();
    sim.fail_sync_at(sim.syncs());
    assert!(matches!(wal.sync(), Err(LogError::Sync { .. })));
    assert!(matches!(wal.sync(), Err(LogError::Failed)));
    assert!(matches!(wal.log(&[b"two"]), Err(LogError::Failed)));
    assert!(matches!(wal.next_segment(), Err(LogError::Failed)));
}

#[test]
fn what_was_synced_survives_a_loss_of_power_at_any_operation() {
    let options = WalOptions { segment_size: 2 * PAGE_SIZE as u64, ..WalOptions::default() };
    for seed in 0..400 {
        let (sim, fs) = disk();
        let written = records(seed, 12);
        fs.sync_dir(Path::new("/")).unwrap();
        fs.sync_dir(Path::new("/data")).unwrap();
        sim.kill_at(sim.operations() + Chance::new(seed).below(45));
        let mut synced = 0;
        let mut work = || -> Result<(), LogError> {
            let mut wal = Wal::open(fs.clone(), Path::new(FOLDER), options)?;
            for (at, record) in written.iter().enumerate() {
                wal.log(&[record])?;
                wal.sync()?;
                synced = at + 1;
            }
            Ok(())
        };
        let _ = work();
        sim.crash(seed);
        let (found, _, _) = read(&*fs);
        assert!(found.len() >= synced, "seed {seed}: {} of {synced}", found.len());
        assert_eq!(found, written[..found.len()], "seed {seed}");
    }
}

#[test]
fn errors_of_reading_are_not_damage() {
    let (sim, fs) = disk();
    write(&fs, WalOptions::default(), &records(9, 3));
    let all = segments(&*fs, Path::new(FOLDER)).unwrap();
    sim.fail_at(sim.operations(), io::ErrorKind::PermissionDenied);
    let damage = RecordReader::new(&*fs, all).next_record().unwrap_err();
    assert!(matches!(damage.fault, Fault::Io(_)), "{damage}");
}
