//! The index: its sections, every series, and what the series say against what the postings say.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::corruption::{Corruption, Fault, Section};
use crate::index::{LabelIndex, Series, SeriesReader, SeriesRef, SymbolCache, Symbols, Toc, Version};
use crate::stored::{StoredFile, Window};

use super::chunks::ChunkPass;
use super::postings::{Fingerprint, PostingsPass, UsesSum, label_hash};
use super::{ProblemKind, Problems};

/// The name of the label that holds the metric name.
const METRIC_NAME: &[u8] = b"__name__";

/// What is known of an index after it was checked.
#[derive(Default)]
pub(super) struct Checked {
    /// How many series were read.
    pub(super) series: u64,
    /// Whether all were.
    complete: bool,
    unit: u64,
    first: u64,
    /// A bit for each place at which a series begins.
    places: Vec<u64>,
}

impl Checked {
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether a series begins where the reference says.
    pub(super) fn may_exist(&self, series: SeriesRef) -> bool {
        let Some(place) = self.place(series) else { return false };
        self.places.get(place / 64).is_some_and(|word| word & (1 << (place % 64)) != 0)
    }

    fn place(&self, series: SeriesRef) -> Option<usize> {
        usize::try_from(u64::from(series.0).checked_sub(self.first)?).ok()
    }

    fn mark(&mut self, offset: u64) {
        let reference = SeriesRef((offset / self.unit.max(1)) as u32);
        if let Some(place) = self.place(reference)
            && let Some(word) = self.places.get_mut(place / 64)
        {
            *word |= 1 << (place % 64);
        }
    }
}

/// The parts of an index, as far as they are legible.
pub(super) struct Parts<'a> {
    pub(super) file: &'a StoredFile,
    pub(super) version: Version,
    pub(super) toc: Toc,
    /// `None` where the table is damaged.
    pub(super) symbols: Option<Symbols>,
    /// Whether the numbers of symbols say what stands before what.
    pub(super) sorted: bool,
    /// Symbols that are not UTF-8, ascending.
    not_utf8: Vec<u32>,
    /// The symbol of the empty text.
    empty: Option<u32>,
    /// The symbol of the label that holds the metric name.
    metric_name: Option<u32>,
}

/// Checks an index and, by way of its series, the chunks.
pub(super) fn check(file: Option<&StoredFile>, pass: &mut ChunkPass<'_>) -> Checked {
    let Some(file) = file else {
        let name = crate::block::INDEX_FILE;
        pass.found.problems.add(ProblemKind::IndexMissing, name, 0, false, || "no such file".to_owned());
        return Checked::default();
    };
    let opened = Toc::read_version(file).and_then(|version| Ok((version, Toc::read(file)?)));
    let (version, toc) = match opened {
        Ok(opened) => opened,
        Err(corruption) => {
            pass.found.problems.add_corruption(&corruption, false);
            return Checked::default();
        }
    };
    let parts = open_parts(file, version, toc, &mut pass.found.problems);
    check_label_indices(&parts, &mut pass.found.problems);
    let mut lists = PostingsPass::open(&parts, &mut pass.found.problems);
    let (checked, uses) = check_series(&parts, &mut lists, pass);
    // Only where they do not agree it is found out where.
    if !lists.agree(&parts, &checked, uses) {
        let labels = labels_of(&parts, &mut lists);
        lists.check(&parts, &checked, labels, &mut pass.found.problems);
    }
    checked
}

fn open_parts<'a>(file: &'a StoredFile, version: Version, toc: Toc, problems: &mut Problems) -> Parts<'a> {
    let mut parts = Parts {
        file,
        version,
        toc,
        symbols: None,
        sorted: true,
        not_utf8: Vec::new(),
        empty: None,
        metric_name: None,
    };
    match Symbols::open_in_any_order(file, version, toc.symbols, toc.series) {
        Ok((symbols, unsorted)) => {
            if let Some(at) = unsorted {
                parts.sorted = false;
                let corruption = file.corruption(Section::Symbols, at, Fault::Order("symbols"));
                problems.add_corruption(&corruption, false);
            }
            if let Err(corruption) = look_at_texts(&symbols, &mut parts) {
                problems.add_corruption(&corruption, false);
            }
            parts.symbols = Some(symbols);
        }
        Err(corruption) => problems.add_corruption(&corruption, false),
    }
    parts
}

/// Finds symbols that are empty or not UTF-8, and that of the metric name.
fn look_at_texts(symbols: &Symbols, parts: &mut Parts<'_>) -> Result<(), Corruption> {
    let (mut walk, mut bytes) = (symbols.walk(), Vec::new());
    let mut number = 0u32;
    loop {
        let at = walk.offset();
        bytes.clear();
        if !walk.next_into(&mut bytes)? {
            return Ok(());
        }
        let symbol = if parts.version == Version::V1 { at as u32 } else { number };
        number = number.saturating_add(1);
        if bytes.is_empty() {
            parts.empty = Some(symbol);
        } else if std::str::from_utf8(&bytes).is_err() {
            parts.not_utf8.push(symbol);
        } else if bytes == METRIC_NAME {
            parts.metric_name = Some(symbol);
        }
    }
}

fn check_label_indices(parts: &Parts<'_>, problems: &mut Problems) {
    let table = LabelIndex::read_all(parts.file, &parts.toc, |read| match read {
        Err(corruption) => problems.add_corruption(&corruption, true),
        Ok(index) => {
            let Some(symbols) = &parts.symbols else { return };
            if let Some(symbol) = index.values.iter().find(|symbol| !symbols.may_be_symbol(**symbol)) {
                let at = parts.toc.label_indices;
                problems.add(ProblemKind::IndexLabelIndex, parts.file.name(), at, true, || {
                    format!("symbol {symbol} of {} is not there", String::from_utf8_lossy(&index.name))
                });
            }
        }
    });
    if let Err(corruption) = table {
        problems.add_corruption(&corruption, true);
    }
}

pub(super) type Labels = HashMap<(u32, u32), Fingerprint, foldhash::fast::FixedState>;

/// Reads all series in the order of the file. Where an entry is damaged, the list of all series says where the next begins.
fn check_series(parts: &Parts<'_>, lists: &mut PostingsPass, pass: &mut ChunkPass<'_>) -> (Checked, UsesSum) {
    let (unit, end) = (parts.version.series_unit(), parts.toc.series_end());
    let first = parts.toc.series / unit;
    let places = (end / unit).saturating_sub(first) / 64 + 1;
    let mut checked = Checked { series: 0, complete: true, unit, first, places: vec![0; places as usize] };
    let mut reader = SeriesReader::over(parts.file, parts.version, parts.toc, parts.symbols.as_ref());
    let mut texts =
        parts.symbols.clone().map(|symbols| SymbolCache::new(symbols, Window::new(parts.file.clone())));
    let mut rules = SeriesRules { parts, previous: Vec::new(), sorted: Vec::new() };
    let (mut series, mut uses) = (Series::default(), UsesSum::default());
    let mut at = parts.toc.series.next_multiple_of(unit);
    while at < end {
        checked.mark(at);
        match reader.read_at(at, &mut series) {
            Ok(next) => {
                checked.series = checked.series.saturating_add(1);
                pass.found.counts.series = checked.series;
                let mut text = || text_of(&series, texts.as_mut());
                rules.check(at, &series, &mut pass.found.problems, &mut text);
                pass.series(at, &series, &mut text);
                once(&series).for_each(|label| uses.add(label_hash(*label), series.reference));
                at = next.next_multiple_of(unit);
            }
            Err(corruption) => {
                checked.complete = false;
                pass.found.problems.add_corruption(&corruption, false);
                match behind_damaged(parts, lists, &mut reader, at) {
                    Some(next) => at = next,
                    None => break,
                }
            }
        }
    }
    (checked, uses)
}

/// The labels of a series; one that it has twice is in its list once.
fn once(series: &Series) -> impl Iterator<Item = &(u32, u32)> {
    let seen = |place: usize, label| series.labels.get(..place).is_some_and(|before| before.contains(label));
    series
        .labels
        .iter()
        .enumerate()
        .filter(move |(place, label)| !seen(*place, *label))
        .map(|(_, label)| label)
}

/// Where the series behind a damaged one begins.
fn behind_damaged(
    parts: &Parts<'_>,
    lists: &mut PostingsPass,
    reader: &mut SeriesReader<'_>,
    at: u64,
) -> Option<u64> {
    let unit = parts.version.series_unit();
    let behind = reader
        .extent(at)
        .ok()
        .map(|(start, length)| start.saturating_add(length).saturating_add(4).next_multiple_of(unit));
    lists.next_series(parts, at, unit).or(behind).filter(|next| *next > at)
}

/// Reads all series that can be read once more, and gives for each label which have it.
fn labels_of(parts: &Parts<'_>, lists: &mut PostingsPass) -> Labels {
    let mut labels: Labels = HashMap::default();
    let (unit, end) = (parts.version.series_unit(), parts.toc.series_end());
    let mut reader = SeriesReader::over(parts.file, parts.version, parts.toc, parts.symbols.as_ref());
    let mut series = Series::default();
    let mut at = parts.toc.series.next_multiple_of(unit);
    while at < end {
        let next = match reader.read_at(at, &mut series) {
            Ok(next) => {
                once(&series).for_each(|label| labels.entry(*label).or_default().add(series.reference));
                Some(next.next_multiple_of(unit))
            }
            Err(_) => behind_damaged(parts, lists, &mut reader, at),
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    labels
}

/// Rules that concern a series and the one before it.
struct SeriesRules<'a> {
    parts: &'a Parts<'a>,
    previous: Vec<(u32, u32)>,
    sorted: Vec<(u32, u32)>,
}

impl SeriesRules<'_> {
    fn check(
        &mut self,
        at: u64,
        series: &Series,
        problems: &mut Problems,
        labels: &mut dyn FnMut() -> String,
    ) {
        let name: Arc<str> = Arc::clone(self.parts.file.name());
        let mut add = |kind, repairable| problems.add(kind, &name, at, repairable, &mut *labels);
        if series.chunks.is_empty() {
            add(ProblemKind::SeriesNoChunks, true);
        }
        let symbols = || series.labels.iter().flat_map(|(name, value)| [*name, *value]);
        if symbols().any(|symbol| Some(symbol) == self.parts.empty) {
            add(ProblemKind::SeriesLabels, false);
        }
        if symbols().any(|symbol| self.parts.not_utf8.binary_search(&symbol).is_ok()) {
            add(ProblemKind::SeriesUtf8, false);
        }
        self.sorted.clear();
        self.sorted.extend_from_slice(&series.labels);
        self.sorted.sort_unstable();
        if self.sorted.windows(2).any(|pair| matches!(pair, [one, next] if one.0 == next.0)) {
            add(ProblemKind::SeriesLabels, false);
        }
        if self.sorted.is_empty() {
            add(ProblemKind::SeriesNoLabels, false);
            return;
        }
        if self.parts.symbols.is_some()
            && !series.labels.iter().any(|(name, _)| Some(*name) == self.parts.metric_name)
        {
            add(ProblemKind::SeriesNoName, true);
        }
        if !self.parts.sorted || self.parts.symbols.is_none() {
            return;
        }
        if self.sorted != series.labels && !series.labels.is_sorted_by(|one, next| one.0 <= next.0) {
            add(ProblemKind::SeriesLabels, true);
        }
        match self.previous.cmp(&self.sorted) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => add(ProblemKind::SeriesDuplicate, false),
            std::cmp::Ordering::Greater => add(ProblemKind::SeriesOrder, true),
        }
        std::mem::swap(&mut self.previous, &mut self.sorted);
    }
}

/// The labels of a series for a message: legible even where they are not.
fn text_of(series: &Series, texts: Option<&mut SymbolCache>) -> String {
    let Some(texts) = texts else { return format!("series {}", series.reference.0) };
    let mut text = |symbol| match texts.bytes(symbol) {
        Ok(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Err(_) => "?".to_owned(),
    };
    let labels: Vec<String> =
        series.labels.iter().map(|(name, value)| format!("{}={:?}", text(*name), text(*value))).collect();
    format!("series {} {{{}}}", series.reference.0, labels.join(", "))
}

/// Looks a text up, where the table of symbols is in order.
pub(super) fn text_cache(parts: &Parts<'_>) -> Option<SymbolCache> {
    let symbols = parts.symbols.clone().filter(|_| parts.sorted)?;
    Some(SymbolCache::new(symbols, Window::new(parts.file.clone())))
}
