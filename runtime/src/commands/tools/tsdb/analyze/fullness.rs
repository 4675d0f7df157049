//! `tools tsdb analyze --extended`: samples, bytes and buckets per chunk as histograms.

use tsdb::block::BlockReader;
use tsdb::chunk::{Encoding, HistogramColumns, Order, decode_float_histograms, sample_count};
use tsdb::index::{Postings, Series};

use super::super::super::output::Output;

/// Reads the chunks of the series and prints the histograms.
pub(super) fn run(block: &BlockReader, selected: &Postings, out: &mut Output) -> anyhow::Result<()> {
    let (mut reader, mut chunks) = (block.index().series_reader(), block.segments().reader());
    let (mut series, mut columns) = (Series::default(), HistogramColumns::default());
    let mut lists: [Vec<u64>; 5] = Default::default();
    let [float_samples, float_bytes, samples, bytes, buckets] = &mut lists;
    let mut total = 0u64;
    for reference in selected.iter() {
        reader.read(reference, &mut series)?;
        for chunk in &series.chunks {
            let stored = chunks.read(chunk.reference)?;
            let file = tsdb::block::segment_name(chunk.reference.segment());
            let start = u64::from(chunk.reference.offset());
            let encoding = Encoding::from_u8(stored.encoding).map_err(|fault| tsdb::Corruption {
                file: file.as_str().into(),
                section: tsdb::Section::Chunk,
                offset: start,
                fault,
            })?;
            total += 1;
            let placed = |error: tsdb::chunk::ChunkError| error.in_file(file.as_str(), start);
            let number = u64::from(sample_count(encoding, stored.data).map_err(placed)?);
            let length = stored.data.len() as u64;
            if encoding.is_histogram() {
                decode_float_histograms(encoding, stored.data, Order::Any, &mut columns).map_err(placed)?;
                samples.push(number);
                bytes.push(length);
                buckets.push(columns.buckets.len() as u64);
            } else {
                float_samples.push(number);
                float_bytes.push(length);
            }
        }
    }
    out.line("\nCompaction analysis:\n")?;
    for (title, list) in [
        ("samples per float chunk", float_samples),
        ("bytes per float chunk", float_bytes),
        ("samples per histogram chunk", samples),
        ("bytes per histogram chunk", bytes),
        ("buckets per histogram chunk", buckets),
    ] {
        out.write(&histogram(title, list, total))?;
    }
    Ok(())
}

/// A list of numbers as a histogram of about ten rows; `#` stands for a hundredth of all chunks.
fn histogram(title: &str, numbers: &[u64], total: u64) -> String {
    let (Some(min), Some(max)) = (numbers.iter().min().copied(), numbers.iter().max().copied()) else {
        return format!("{title}: N/A\n\n");
    };
    let mut step = 10;
    while step < (max - min) / 10 && step <= 10_000 {
        step *= 10;
    }
    let (start, end) = (min - min % step, max - max % step + step);
    let rows = (end - start) / step + 1;
    let mut counts = vec![0u64; rows as usize];
    for number in numbers {
        if let Some(count) = counts.get_mut(((number - start) / step) as usize) {
            *count += 1;
        }
    }
    let average = numbers.iter().sum::<u64>() / numbers.len() as u64;
    let mut text = format!("{title} (min/avg/max): {min}/{average}/{max}\n");
    let digits = |number: u64| number.to_string().len();
    let most = counts.iter().max().copied().unwrap_or_default();
    let (left, right, wide) = (digits(end), digits(end + step), digits(most));
    for (row, count) in (0u64..).zip(&counts) {
        let (from, to) = (row * step + start + 1, (row + 1) * step + start);
        let bar = "#".repeat((100 * count / total.max(1)) as usize);
        text.push_str(&format!("[{from:left$}, {to:right$}]: {count:wide$} {bar}\n"));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::histogram;

    #[test]
    fn numbers_fall_into_rows() {
        let text = histogram("samples", &[1, 5, 100, 100], 4);
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.first(), Some(&"samples (min/avg/max): 1/51/100"));
        assert_eq!(rows.get(1), Some(&format!("[  1,  10]: 2 {}", "#".repeat(50)).as_str()));
        assert_eq!(rows.get(11), Some(&format!("[101, 110]: 2 {}", "#".repeat(50)).as_str()));
        assert_eq!(histogram("samples", &[], 4), "samples: N/A\n\n");
    }
}
