//! `tools tsdb list`: the blocks of a folder as a table.

use std::path::PathBuf;

use clap::Args;
use tsdb::block::BlockMeta;

use super::super::output::Output;
use super::{DATABASE, database, go_text};

/// Lists the blocks
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Print human readable values
    #[arg(short = 'r', long = "human-readable")]
    human_readable: bool,
    /// Database path
    #[arg(value_name = "DB PATH", default_value = DATABASE)]
    database: PathBuf,
}

/// Prints the table.
pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for block in database::blocks(&flags.database)? {
        // Opened too, so that a block that cannot be read is not listed as if it could.
        database::open(&block.folder)?;
        rows.push(row(&block.meta, database::size(&block.folder)?, flags.human_readable));
    }
    let mut out = Output::standard();
    out.write(&table(&rows, true))?;
    out.finish()
}

const HEADER: [&str; 8] =
    ["BLOCK ULID", "MIN TIME", "MAX TIME", "DURATION", "NUM SAMPLES", "NUM CHUNKS", "NUM SERIES", "SIZE"];
/// Columns are at least so wide, with two spaces behind.
const COLUMN_WIDTH_MIN: usize = 13;

/// A block as a row of the table.
pub(super) fn row(meta: &BlockMeta, size: u64, human_readable: bool) -> [String; 8] {
    let time = |millis: i64| if human_readable { calendar(millis) } else { millis.to_string() };
    [
        meta.ulid.to_string(),
        time(meta.min_time),
        time(meta.max_time),
        go_text::duration(meta.max_time.saturating_sub(meta.min_time)),
        meta.stats.num_samples.to_string(),
        meta.stats.num_chunks.to_string(),
        meta.stats.num_series.to_string(),
        if human_readable { base2(size) } else { size.to_string() },
    ]
}

/// Rows below one another, in columns that are wide enough.
pub(super) fn table(rows: &[[String; 8]], with_header: bool) -> String {
    let header = HEADER.map(str::to_owned);
    let all: Vec<&[String; 8]> = with_header.then_some(&header).into_iter().chain(rows).collect();
    let mut text = String::new();
    for row in &all {
        for (column, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if column + 1 < row.len() {
                let widest =
                    all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
                let width = widest.unwrap_or_default().saturating_add(2).max(COLUMN_WIDTH_MIN);
                text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count())));
            }
        }
        text.push('\n');
    }
    text
}

/// `2024-01-01 00:00:00 +0000 UTC`.
fn calendar(millis: i64) -> String {
    match jiff::Timestamp::from_second(millis.div_euclid(1000)) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string(),
        Err(_) => millis.to_string(),
    }
}

/// A size in the largest parts that it has: `1MiB2KiB3B`.
fn base2(bytes: u64) -> String {
    if bytes == 0 {
        return "0B".to_owned();
    }
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB"), (0, "B")];
    let mut text = String::new();
    for (shift, unit) in units {
        let part = (bytes >> shift) & if shift == 40 { u64::MAX } else { 1023 };
        if part > 0 {
            text.push_str(&format!("{part}{unit}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readable_values_read_as_promtool_prints_them() {
        assert_eq!(calendar(1_704_067_200_000), "2024-01-01 00:00:00 +0000 UTC");
        assert_eq!(base2(3 + (2 << 10) + (1 << 20)), "1MiB2KiB3B");
        assert_eq!(base2(4096), "4KiB");
    }

    #[test]
    fn columns_are_as_wide_as_the_widest_cell() {
        let cells =
            |text: &str| std::array::from_fn(|at| if at == 0 { text.to_owned() } else { at.to_string() });
        let text = table(&[cells("a"), cells("a longer first cell")], false);
        let expected = "a                    1            2            3            4            5            6            7\n";
        assert_eq!(text.split_inclusive('\n').next(), Some(expected));
    }
}
