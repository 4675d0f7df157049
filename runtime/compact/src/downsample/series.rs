//! One series: its chunks are read in order and divided into runs that become chunks together.

use tsdb::block::Interval;
use tsdb::chunk::{AggregateChunk, ChunkError, Columns, Encoding, sample_count};
use tsdb::corruption::Fault;

use super::aggregates::AggregateMaker;
use super::floats::FloatMaker;
use super::histograms::{Family, HistogramMaker, Stored};
use super::kept::Kept;
use super::made::{Made, MadeChunk};
use super::window::chunk_count;

/// Makes the chunks of series; one serves all series of a block.
#[derive(Debug)]
pub(super) struct SeriesMaker {
    /// The length of the windows in the source, milliseconds; 0 where it has raw samples.
    from: i64,
    /// The length of the windows to be made.
    to: i64,
    floats: FloatMaker,
    histograms: HistogramMaker,
    aggregates: AggregateMaker,
    columns: Columns,
    /// Times of the histograms of a run.
    times: Vec<i64>,
    /// The chunks of a run as they are stored, one behind the other, and where each ends.
    stored: Vec<u8>,
    ends: Vec<StoredEnd>,
    made: Made,
}

/// A chunk of a run.
#[derive(Debug, Clone, Copy)]
struct StoredEnd {
    /// Where it ends.
    end: usize,
    encoding: Encoding,
    /// Its number in the series.
    number: usize,
    min_time: i64,
    max_time: i64,
}

/// A chunk of a series.
#[derive(Debug, Clone, Copy)]
pub(super) struct SourceChunk<'a> {
    pub(super) number: usize,
    pub(super) min_time: i64,
    pub(super) max_time: i64,
    pub(super) encoding: u8,
    pub(super) data: &'a [u8],
}

/// What is wrong with a chunk, and with which.
pub(super) type Broken = (usize, ChunkError);

/// A series while it is read.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    maker: &'a mut SeriesMaker,
    run: Run,
    kept: Kept<'a>,
    /// As it was before the run.
    kept_before: Kept<'a>,
    some_no_number: bool,
    samples: u64,
}

/// What the chunks that wait are.
#[derive(Debug, Clone, PartialEq)]
enum Run {
    Nothing,
    Floats,
    /// Raw histograms; which, is known once a sample was kept.
    Histograms(Option<Family>),
    FloatWindows,
    HistogramWindows(Family),
}

impl SeriesMaker {
    pub(super) fn new(from: i64, to: i64) -> Self {
        SeriesMaker {
            from,
            to,
            floats: FloatMaker::default(),
            histograms: HistogramMaker::default(),
            aggregates: AggregateMaker::default(),
            columns: Columns::default(),
            times: Vec::new(),
            stored: Vec::new(),
            ends: Vec::new(),
            made: Made::default(),
        }
    }

    /// Begins a series of which this was deleted.
    pub(super) fn begin<'a>(&'a mut self, deleted: &'a [Interval]) -> Reading<'a> {
        self.made.clear();
        self.forget();
        let kept = Kept::new(deleted);
        Reading { maker: self, run: Run::Nothing, kept, kept_before: kept, some_no_number: false, samples: 0 }
    }

    fn forget(&mut self) {
        self.columns.clear();
        self.times.clear();
        self.stored.clear();
        self.ends.clear();
    }

    /// The chunks of the series that was read last.
    pub(super) const fn made(&self) -> &Made {
        &self.made
    }

    fn hold(&mut self, chunk: SourceChunk<'_>, encoding: Encoding) {
        self.stored.extend_from_slice(chunk.data);
        let SourceChunk { number, min_time, max_time, .. } = chunk;
        self.ends.push(StoredEnd { end: self.stored.len(), encoding, number, min_time, max_time });
    }

    /// The chunks that wait.
    fn held(&self) -> Vec<(StoredEnd, &[u8])> {
        let mut start = 0;
        let chunks = self.ends.iter().map(|stored| {
            let data = self.stored.get(start..stored.end).unwrap_or_default();
            start = stored.end;
            (*stored, data)
        });
        chunks.collect()
    }
}

impl Reading<'_> {
    /// Reads the next chunk.
    pub(super) fn chunk(&mut self, chunk: SourceChunk<'_>) -> Result<(), Broken> {
        let broken = |error| (chunk.number, error);
        let encoding = Encoding::from_u8(chunk.encoding);
        let encoding = encoding.map_err(|fault| broken(ChunkError { at: 0, fault }))?;
        match (encoding, self.maker.from) {
            (Encoding::Aggregate, 0) => {
                // Nobody can say which of them are the samples.
                Err(broken(ChunkError { at: 0, fault: Fault::Encoding(encoding.as_u8().into()) }))
            }
            (Encoding::Aggregate, _) => self.windows(chunk),
            (_, 0) => self.raw(chunk, encoding),
            // Raw samples among windows: they become such windows first.
            (_, from) => self.raw_among_windows(chunk, encoding, from),
        }
    }

    fn raw(&mut self, chunk: SourceChunk<'_>, encoding: Encoding) -> Result<(), Broken> {
        let broken = |error| (chunk.number, error);
        if encoding.is_float() {
            self.go_on_with(Run::Floats)?;
            let maker = &mut *self.maker;
            let read = self.kept.floats(encoding, chunk.data, &mut maker.columns);
            self.some_no_number |= read.map_err(broken)?;
            return Ok(());
        }
        if !matches!(self.run, Run::Histograms(_)) {
            self.go_on_with(Run::Histograms(None))?;
        }
        let stored = Stored { encoding, data: chunk.data };
        let (before, kept) = (self.maker.times.len(), self.kept);
        let maker = &mut *self.maker;
        let family = maker.histograms.times(stored, &mut self.kept, &mut maker.times).map_err(broken)?;
        let Some(family) = family else { return Ok(()) };
        match &mut self.run {
            Run::Histograms(known) if known.as_ref().is_none_or(|known| *known == family) => {
                *known = Some(family);
            }
            _ => {
                // The times of this chunk belong to the next run.
                let times = self.maker.times.split_off(before);
                let after = std::mem::replace(&mut self.kept, kept);
                self.go_on_with(Run::Histograms(Some(family)))?;
                (self.maker.times, self.kept) = (times, after);
            }
        }
        self.maker.hold(chunk, encoding);
        Ok(())
    }

    fn windows(&mut self, chunk: SourceChunk<'_>) -> Result<(), Broken> {
        let broken = |error| (chunk.number, error);
        let parts = AggregateChunk::new(chunk.data).map_err(broken)?;
        let family = self.maker.histograms.family_of_windows(&parts).map_err(broken)?;
        self.go_on_with(family.map_or(Run::FloatWindows, Run::HistogramWindows))?;
        self.maker.hold(chunk, Encoding::Aggregate);
        Ok(())
    }

    fn raw_among_windows(
        &mut self,
        chunk: SourceChunk<'_>,
        encoding: Encoding,
        from: i64,
    ) -> Result<(), Broken> {
        let mut maker = SeriesMaker::new(0, from);
        let mut reading = maker.begin(self.kept.deleted());
        reading.raw(chunk, encoding)?;
        reading.finish()?;
        for MadeChunk { min_time, max_time, data } in maker.made().iter() {
            let (number, encoding) = (chunk.number, Encoding::Aggregate.as_u8());
            self.windows(SourceChunk { number, min_time, max_time, encoding, data })?;
        }
        Ok(())
    }

    /// Makes chunks of those that wait, unless what comes belongs to them.
    fn go_on_with(&mut self, run: Run) -> Result<(), Broken> {
        if self.run == run {
            return Ok(());
        }
        self.make()?;
        self.run = run;
        self.kept_before = self.kept;
        Ok(())
    }

    fn make(&mut self) -> Result<(), Broken> {
        let mut made = std::mem::take(&mut self.maker.made);
        let samples = self.make_into(&mut made);
        self.maker.made = made;
        self.samples = self.samples.saturating_add(samples?);
        self.maker.forget();
        self.some_no_number = false;
        Ok(())
    }

    fn make_into(&mut self, made: &mut Made) -> Result<u64, Broken> {
        match &self.run {
            Run::Nothing => Ok(0),
            Run::Floats => {
                let SeriesMaker { floats, columns, to, .. } = &mut *self.maker;
                Ok(floats.make(&columns.timestamps, &columns.values, self.some_no_number, *to, made))
            }
            Run::Histograms(_) => {
                let mut maker = std::mem::take(&mut self.maker.histograms);
                let held = self.maker.held();
                let chunks: Vec<Stored<'_>> =
                    held.iter().map(|(end, data)| Stored { encoding: end.encoding, data }).collect();
                let samples = maker.make(&self.maker.times, &chunks, self.kept_before, self.maker.to, made);
                let samples = samples.map_err(|(at, error)| number_of(&held, at, error));
                self.maker.histograms = maker;
                samples
            }
            Run::FloatWindows | Run::HistogramWindows(_) => self.wider(made),
        }
    }

    /// Makes wider windows; chunks of narrower ones are never divided.
    fn wider(&mut self, made: &mut Made) -> Result<u64, Broken> {
        let (mut histograms, mut aggregates) =
            (std::mem::take(&mut self.maker.histograms), std::mem::take(&mut self.maker.aggregates));
        let held = self.maker.held();
        let (Some((first, _)), Some((last, _))) = (held.first(), held.last()) else { return Ok(0) };
        let mut chunks = Vec::with_capacity(held.len());
        let mut count = 0usize;
        for (end, data) in &held {
            let broken = |error| (end.number, error);
            chunks.push(AggregateChunk::new(data).map_err(broken)?);
            count += usize::from(sample_count(Encoding::Aggregate, data).map_err(broken)?);
        }
        let (from, to) = (self.maker.from, self.maker.to);
        let wanted = chunk_count(first.min_time, last.max_time, from, to, count);
        let mut samples = 0u64;
        for (at, batch) in chunks.chunks((chunks.len() / wanted).max(1)).enumerate() {
            let deleted = self.kept.deleted();
            let kept = Kept::behind(deleted, made.last_time());
            let taken = match self.run {
                Run::HistogramWindows(_) => histograms.of_windows(batch, kept, to, made),
                _ => aggregates.make(batch, kept, to, made),
            };
            let place = at * (chunks.len() / wanted).max(1);
            samples += taken.map_err(|(at, error)| number_of(&held, place + at, error))?;
        }
        (self.maker.histograms, self.maker.aggregates) = (histograms, aggregates);
        Ok(samples)
    }

    /// Makes chunks of all that is left. Gives how many samples the chunks of the series stand for.
    pub(super) fn finish(mut self) -> Result<u64, Broken> {
        self.make()?;
        Ok(self.samples)
    }
}

/// The error of a chunk of a run, as one of the series.
fn number_of(held: &[(StoredEnd, &[u8])], at: usize, error: ChunkError) -> Broken {
    (held.get(at).map_or(0, |(end, _)| end.number), error)
}
