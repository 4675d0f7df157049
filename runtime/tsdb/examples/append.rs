//! Appends to a head without end and says what is acknowledged, one line per batch on standard output: the program that the
//! crash tests kill.
//!
//! `append FOLDER [always]`: with `always` every batch is synced.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use tsdb::BlockId;
use tsdb::fs::RealFs;
use tsdb::head::{Db, DbOptions, Fsync, HeadOptions};
use tsdb::wal::{PAGE_SIZE, WalOptions};

const SERIES: i64 = 50;
const INTERVAL: i64 = 1000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = arguments.first().ok_or("append FOLDER [always]")?;
    let fsync =
        if arguments.get(1).is_some_and(|word| word == "always") { Fsync::Always } else { Fsync::Segment };
    // Short ranges and segments: blocks are cut and the log is truncated all the time.
    let head = HeadOptions {
        chunk_range_ms: 200 * INTERVAL,
        wal: WalOptions { segment_size: 8 * PAGE_SIZE as u64, ..WalOptions::default() },
        fsync,
        ..HeadOptions::default()
    };
    let options = DbOptions { head, ..DbOptions::default() };
    let (db, replay) = Db::open(Arc::new(RealFs), Path::new(folder), options, &mut |_| {})?;
    let (blocks, _) = db.blocks()?;
    let in_blocks = blocks.iter().map(|block| block.meta.max_time).max().unwrap_or(0);
    let newest = db.head().stats().times.map_or(0, |(_, newest)| newest).max(in_blocks);
    let mut step = newest / INTERVAL + 1;
    let mut out = std::io::stdout().lock();
    writeln!(out, "opened {step} {:?}", replay.damage)?;
    loop {
        let mut appender = db.head().appender();
        for number in 0..SERIES {
            let instance = format!("{number}");
            let series = appender.series(&[("__name__", "m"), ("instance", &instance)])?;
            appender.append(series, step * INTERVAL, (step * SERIES + number) as f64)?;
        }
        appender.commit()?;
        writeln!(out, "{step}")?;
        out.flush()?;
        if step % 50 == 0 {
            let id = step as u64;
            let mut number = 0;
            db.compact(&mut || {
                number += 1;
                BlockId::new(id, number)
            })?;
        }
        step += 1;
    }
}
