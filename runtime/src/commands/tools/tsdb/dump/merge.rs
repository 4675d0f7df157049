//! Series of several blocks and of the head as one: by labels, the samples of each by time.

use prom_model::{Labels, Matcher};
use tsdb::block::{BlockReader, ChunkReader, Interval};
use tsdb::chunk::{
    Columns, Encoding, HistogramColumns, Order, decode_float_histograms, decode_floats, decode_histograms,
};
use tsdb::head::{Sample, SampleValue, SeriesView, Snapshot};
use tsdb::index::{Postings, Series, SeriesReader, SymbolCache};
use tsdb::{Corruption, Fault, Section};

/// One block, at one of its series.
#[derive(Debug)]
struct Source<'a> {
    block: &'a BlockReader,
    postings: Postings,
    at: usize,
    reader: SeriesReader<'a>,
    symbols: SymbolCache,
    chunks: ChunkReader<'a>,
    series: Series,
    /// The labels of the series; `None` at the end.
    labels: Option<Labels>,
    damaged: u64,
}

impl<'a> Source<'a> {
    fn new(block: &'a BlockReader, selectors: &[Vec<Matcher>]) -> Result<Self, Corruption> {
        let selected: Vec<Postings> = (selectors.iter())
            .map(|matchers| block.index().postings_for_matchers(matchers))
            .collect::<Result<_, _>>()?;
        let mut source = Source {
            block,
            postings: Postings::union(&selected),
            at: 0,
            reader: block.index().series_reader(),
            symbols: block.index().symbol_cache(),
            chunks: block.segments().reader(),
            series: Series::default(),
            labels: None,
            damaged: 0,
        };
        source.advance();
        Ok(source)
    }

    /// Goes to the next series that can be read.
    fn advance(&mut self) {
        self.labels = None;
        while let Some(reference) = self.postings.get(self.at) {
            self.at += 1;
            match self.read(reference) {
                Ok(labels) => {
                    self.labels = Some(labels);
                    return;
                }
                Err(damage) => {
                    tracing::error!(block = %self.block.meta().ulid, %damage, "left a series out");
                    self.damaged += 1;
                }
            }
        }
    }

    fn read(&mut self, reference: tsdb::index::SeriesRef) -> Result<Labels, Corruption> {
        self.reader.read(reference, &mut self.series)?;
        let mut labels = tsdb::index::LabelArena::default();
        self.symbols.resolve(&self.series.labels, &mut labels)?;
        Ok(labels.to_labels())
    }
}

/// Goes through the series of blocks and of the head.
#[derive(Debug)]
pub(super) struct Merged<'a> {
    sources: Vec<Source<'a>>,
    /// What is left of the head's series, the next one last.
    head: Vec<(Labels, SeriesView<'a>)>,
    /// Those that have the series at which this stands.
    here: Vec<usize>,
    labels: Labels,
    times: (i64, i64),
    samples: Vec<Sample>,
    buffers: Buffers,
}

#[derive(Debug, Default)]
struct Buffers {
    floats: Columns,
    wholes: HistogramColumns<u64>,
    float_histograms: HistogramColumns<f64>,
}

impl<'a> Merged<'a> {
    /// The series that any of the selectors matches, with samples from the first of `times` to the last.
    ///
    /// # Errors
    /// What is wrong with the postings of a block.
    pub(super) fn new(
        blocks: &'a [BlockReader],
        snapshots: &'a [Snapshot],
        selectors: &[Vec<Matcher>],
        times: (i64, i64),
    ) -> Result<Self, Corruption> {
        let sources = blocks.iter().map(|block| Source::new(block, selectors)).collect::<Result<_, _>>()?;
        let mut head: Vec<(Labels, SeriesView<'a>)> = (snapshots.iter())
            .flat_map(Snapshot::series)
            .map(|series| (series.labels().collect(), series))
            .collect();
        head.sort_by(|one, other| other.0.cmp(&one.0));
        head.dedup_by(|one, other| one.0 == other.0);
        let (labels, buffers) = (Labels::new(), Buffers::default());
        Ok(Merged { sources, head, here: Vec::new(), labels, times, samples: Vec::new(), buffers })
    }

    /// Goes to the next series.
    pub(super) fn next_series(&mut self) -> Option<&Labels> {
        for at in self.here.drain(..) {
            if let Some(source) = self.sources.get_mut(at) {
                source.advance();
            }
        }
        self.head.pop_if(|(labels, _)| *labels == self.labels);
        let in_blocks = self.sources.iter().filter_map(|source| source.labels.as_ref());
        self.labels = in_blocks.chain(self.head.last().map(|(labels, _)| labels)).min()?.clone();
        let same = |source: &Source<'_>| source.labels.as_ref() == Some(&self.labels);
        self.here
            .extend(self.sources.iter().enumerate().filter(|(_, source)| same(source)).map(|(at, _)| at));
        Some(&self.labels)
    }

    /// The samples of the series, by time, each time once.
    ///
    /// # Errors
    /// What is wrong with a chunk.
    pub(super) fn samples(&mut self) -> Result<&[Sample], Corruption> {
        self.samples.clear();
        for at in &self.here {
            let Some(source) = self.sources.get_mut(*at) else { continue };
            let deleted = source.block.tombstones().of(source.series.reference);
            for chunk in
                source.series.chunks.iter().filter(|chunk| chunk.overlaps(self.times.0, self.times.1))
            {
                let stored = source.chunks.read(chunk.reference)?;
                let wanted =
                    |time: i64| self.times.0 <= time && time <= self.times.1 && !is_deleted(deleted, time);
                let damage = |offset: u64, fault: Fault| Corruption {
                    file: tsdb::block::segment_name(chunk.reference.segment()).into(),
                    section: Section::Chunk,
                    offset,
                    fault,
                };
                let start = u64::from(chunk.reference.offset());
                let encoding = Encoding::from_u8(stored.encoding).map_err(|fault| damage(start, fault))?;
                add(encoding, stored.data, &mut self.buffers, &mut self.samples, wanted)
                    .map_err(|error| damage(start + error.at as u64, error.fault))?;
            }
        }
        if let Some((_, series)) = self.head.last().filter(|(labels, _)| *labels == self.labels) {
            self.samples.extend(series.samples(self.times.0, self.times.1)?);
        }
        if !self.samples.is_sorted_by(|one, next| one.timestamp < next.timestamp) {
            self.samples.sort_by_key(|sample| sample.timestamp);
            self.samples.dedup_by_key(|sample| sample.timestamp);
        }
        Ok(&self.samples)
    }

    /// How many series could not be read at all.
    pub(super) fn damaged(&self) -> u64 {
        self.sources.iter().map(|source| source.damaged).sum()
    }
}

fn is_deleted(deleted: &[Interval], time: i64) -> bool {
    deleted.iter().any(|interval| interval.covers(time, time))
}

/// Adds the wanted samples of a chunk.
fn add(
    encoding: Encoding,
    data: &[u8],
    buffers: &mut Buffers,
    samples: &mut Vec<Sample>,
    wanted: impl Fn(i64) -> bool,
) -> Result<(), tsdb::chunk::ChunkError> {
    match encoding {
        Encoding::Histogram | Encoding::HistogramSt => {
            decode_histograms(encoding, data, Order::Rising, &mut buffers.wholes)?;
            let found = buffers.wholes.iter().filter(|(time, _)| wanted(*time));
            samples.extend(found.map(|(timestamp, value)| Sample {
                timestamp,
                value: SampleValue::Histogram(Box::new(value)),
            }));
        }
        Encoding::FloatHistogram | Encoding::FloatHistogramSt => {
            decode_float_histograms(encoding, data, Order::Rising, &mut buffers.float_histograms)?;
            let found = buffers.float_histograms.iter().filter(|(time, _)| wanted(*time));
            samples.extend(found.map(|(timestamp, value)| Sample {
                timestamp,
                value: SampleValue::FloatHistogram(Box::new(value)),
            }));
        }
        _ => {
            buffers.floats.clear();
            decode_floats(encoding, data, Order::Rising, &mut buffers.floats)?;
            let found = buffers.floats.iter().filter(|(time, _)| wanted(*time));
            samples.extend(
                found.map(|(timestamp, value)| Sample { timestamp, value: SampleValue::Float(value) }),
            );
        }
    }
    Ok(())
}
