//! Entries of the index become label sets as they travel, and lists of chunks.

use std::ops::Range;
use std::sync::Arc;

use block::index_header::IndexHeader;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use prom_model::Matcher;
use storeapi::{LabelBytes, LabelWriter};
use tsdb::index::{ChunkMeta, Postings, Series, SymbolCache};
use tsdb::{Corruption, Fault};

use super::pages::Pages;
use super::{HEAD_BYTES, Head};
use crate::bucket::block::Block;
use crate::bucket::call::Call;
use crate::bucket::error::ReadError;
use crate::bucket::postings::of_index;

type Memo<T> = HashMap<u32, T, FixedState>;

/// What a batch of series became.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) list: Vec<Head>,
    pub(super) chunks: Vec<ChunkMeta>,
    /// For each series whether its labels in the block begin with those of the series before.
    pub(super) extends: Vec<bool>,
    /// Whether any does.
    pub(super) any_extends: bool,
    pub(super) label_bytes: usize,
}

impl Decoded {
    pub(super) fn held_bytes(&self) -> usize {
        self.list.len() * (HEAD_BYTES + 1) + self.chunks.len() * size_of::<ChunkMeta>() + self.label_bytes
    }
}

/// An entry whose bytes are not all there.
#[derive(Debug)]
pub(super) struct Short {
    /// Its place in the postings.
    pub(super) place: usize,
    /// Where it lies, as far as is known by now.
    pub(super) range: Range<u64>,
    /// What it is if there are no more bytes.
    pub(super) corruption: Corruption,
}

/// Turns series of one block into labels; keeps what it has learned about symbols.
#[derive(Debug)]
pub(super) struct Decoder {
    header: Arc<IndexHeader>,
    call: Arc<Call>,
    symbols: SymbolCache,
    names: Memo<Name>,
    /// The external labels that are not taken off, sorted.
    external: Vec<(Vec<u8>, Vec<u8>)>,
    lazy: Vec<Lazy>,
    writer: LabelWriter,
    series: Series,
    /// The labels of the series before.
    previous: Vec<(u32, u32)>,
    written: Written,
    /// Whether what is added and taken off leaves the order of the series as it is, but for what [`super::order`] repairs.
    keeps_order: bool,
}

/// Labels as they were written last: the next series mostly begins with the same.
#[derive(Debug, Default)]
struct Written {
    labels: Vec<(u32, u32)>,
    /// For each label, how many bytes there were and how many external labels stood among them once it was written.
    ends: Vec<(usize, usize)>,
    wire: LabelBytes,
}

impl Written {
    /// How many labels these begin with alike; what was written of them, and how many external labels are in it.
    fn common(&self, labels: &[(u32, u32)]) -> (usize, &[u8], usize) {
        let alike = self.labels.iter().zip(labels).take_while(|(one, other)| one == other).count();
        let (end, external) =
            alike.checked_sub(1).and_then(|at| self.ends.get(at)).copied().unwrap_or_default();
        (alike, self.wire.as_wire().get(..end).unwrap_or_default(), external)
    }
}

/// What is to be done with a label of this name.
#[derive(Debug, Clone)]
struct Name {
    text: Box<[u8]>,
    /// So many external labels stand before it.
    behind: usize,
    /// It is taken off, or an external label takes its place.
    gone: bool,
}

/// A matcher that is tried on series, with what it said to values so far.
#[derive(Debug)]
struct Lazy {
    matcher: Matcher,
    /// Its label in this index; `None` where no series has it.
    name: Option<u32>,
    empty: bool,
    known: Memo<bool>,
}

impl Decoder {
    pub(super) fn new(
        header: &Arc<IndexHeader>,
        block: &Block,
        call: &Arc<Call>,
        lazy: Vec<Matcher>,
    ) -> Result<Self, ReadError> {
        let index = header.index();
        let removed = |name: &str| call.removed.binary_search_by(|known| known.as_str().cmp(name)).is_ok();
        let external: Vec<(Vec<u8>, Vec<u8>)> = block
            .external
            .iter()
            .filter(|label| !removed(&label.name))
            .map(|label| (label.name.as_bytes().to_vec(), label.value.as_bytes().to_vec()))
            .collect();
        let touches = |name: &str| {
            call.removed.binary_search_by(|known| known.as_str().cmp(name)).is_ok()
                || external.binary_search_by(|(known, _)| known.as_slice().cmp(name.as_bytes())).is_ok()
        };
        let keeps_order = !index.label_names().any(|(name, _)| touches(&name));
        let find = |matcher: Matcher| {
            let name = index.symbols().find(matcher.name().as_bytes())?;
            let empty = matcher.matches_empty();
            Ok(Lazy { matcher, name, empty, known: Memo::default() })
        };
        let lazy = lazy.into_iter().map(find).collect::<Result<_, Corruption>>()?;
        Ok(Decoder {
            symbols: index.symbol_cache(),
            header: Arc::clone(header),
            call: Arc::clone(call),
            names: Memo::default(),
            external,
            lazy,
            writer: LabelWriter::default(),
            series: Series::default(),
            previous: Vec::new(),
            written: Written::default(),
            keeps_order,
        })
    }

    pub(super) fn keeps_order(&self) -> bool {
        self.keeps_order
    }

    /// Decodes the series at these places of the postings; stops at the first whose bytes are not all there.
    pub(super) fn decode(
        &mut self,
        source: &Pages,
        postings: &Postings,
        places: Range<usize>,
        done: &mut Decoded,
    ) -> Result<Option<Short>, ReadError> {
        for place in places {
            let Some(reference) = postings.get(place) else { break };
            if let Some(short) = self.read(source, place, reference)? {
                return Ok(Some(short));
            }
            self.take(done)?;
            if done.list.len() >= self.call.series_max {
                break;
            }
        }
        Ok(None)
    }

    /// Reads an entry into `series`.
    fn read(
        &mut self,
        source: &Pages,
        place: usize,
        reference: tsdb::index::SeriesRef,
    ) -> Result<Option<Short>, ReadError> {
        let index = self.header.index();
        let offset = index.series_offset(reference).map_err(of_index)?;
        let bytes = source.from(offset);
        let mut outcome = index.decode_series(reference, bytes, &mut self.series);
        let mut length = bytes.len() as u64;
        loop {
            match outcome {
                Ok(_) => return Ok(None),
                Err(corruption) => {
                    let Fault::Short { missing } = corruption.fault else {
                        return Err(of_index(corruption).into());
                    };
                    length = length.saturating_add(missing);
                    let range = offset..offset.saturating_add(length);
                    match source.range(range.clone()) {
                        Some(whole) if range.end <= index.series_end() => {
                            outcome = index.decode_series(reference, &whole, &mut self.series);
                        }
                        // An entry goes on at least as far as its length and checksum.
                        _ if range.end <= index.series_end() => {
                            let corruption = of_index(corruption);
                            return Ok(Some(Short { place, range, corruption }));
                        }
                        _ => return Err(of_index(corruption).into()),
                    }
                }
            }
        }
    }

    /// Adds what is in `series`, if it is wanted.
    fn take(&mut self, done: &mut Decoded) -> Result<(), ReadError> {
        let (first, call) = (done.chunks.len(), Arc::clone(&self.call));
        let in_time = |chunk: &&ChunkMeta| chunk.overlaps(call.min_time, call.max_time);
        if call.skip_chunks {
            if !self.series.chunks.iter().any(|chunk| in_time(&chunk)) {
                return Ok(());
            }
        } else {
            done.chunks.extend(self.series.chunks.iter().filter(in_time));
            if done.chunks.len() == first {
                return Ok(());
            }
        }
        let written = match self.is_wanted()? {
            true => self.labels()?,
            false => None,
        };
        let Some(labels) = written else {
            done.chunks.truncate(first);
            return Ok(());
        };
        let extends = !self.previous.is_empty() && self.series.labels.starts_with(&self.previous);
        self.previous.clone_from(&self.series.labels);
        done.any_extends |= extends;
        done.extends.push(extends);
        done.label_bytes += labels.as_wire().len();
        done.list.push(Head { labels, chunks: first..done.chunks.len() });
        Ok(())
    }

    /// Whether the matchers that are tried on series say yes.
    fn is_wanted(&mut self) -> Result<bool, ReadError> {
        for lazy in &mut self.lazy {
            let value = self.series.labels.iter().find(|(name, _)| Some(*name) == lazy.name);
            let says = match value {
                None => lazy.empty,
                Some((_, value)) => match lazy.known.get(value) {
                    Some(says) => *says,
                    None => {
                        let text = String::from_utf8_lossy(self.symbols.bytes(*value)?);
                        let says = lazy.matcher.matches(&text);
                        lazy.known.insert(*value, says);
                        says
                    }
                },
            };
            if !says {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The labels as they travel; `None` where they belong to another shard.
    fn labels(&mut self) -> Result<Option<LabelBytes>, ReadError> {
        let (alike, wire, mut added) = self.written.common(&self.series.labels);
        self.writer.push_wire(wire);
        self.written.ends.truncate(alike);
        for (name, value) in self.series.labels.iter().skip(alike) {
            if !self.names.contains_key(name) {
                let text: Box<[u8]> = self.symbols.bytes(*name)?.into();
                let behind = self.external.partition_point(|(known, _)| known.as_slice() < &*text);
                let replaced = self.external.get(behind).is_some_and(|(known, _)| known.as_slice() == &*text);
                let removed = self.call.removed.binary_search_by(|known| known.as_bytes().cmp(&text)).is_ok();
                self.names.insert(*name, Name { text, behind, gone: replaced || removed });
            }
            let Some(name) = self.names.get(name) else { continue };
            while added < name.behind {
                if let Some((name, value)) = self.external.get(added) {
                    self.writer.push(name, value);
                }
                added += 1;
            }
            if !name.gone {
                self.writer.push(&name.text, self.symbols.bytes(*value)?);
            }
            self.written.ends.push((self.writer.len(), added));
        }
        for (name, value) in self.external.get(added..).unwrap_or_default() {
            self.writer.push(name, value);
        }
        let labels = self.writer.finish();
        self.written.labels.clone_from(&self.series.labels);
        self.written.wire = labels.clone();
        Ok(match &self.call.shard {
            Some(shard) if !shard.has(&labels) => None,
            _ => Some(labels),
        })
    }
}
