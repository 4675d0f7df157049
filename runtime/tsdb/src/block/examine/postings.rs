//! The postings against the series.

use std::cmp::Ordering;

use crate::corruption::{Corruption, Fault, Section};
use crate::encoding::{Reader, crc32c};
use crate::index::{SeriesRef, check_place, walk_entries};
use crate::stored::{SectionStream, Window};

use super::index::{Checked, Labels, Parts, text_cache};
use super::{ProblemKind, Problems};

/// Lists of more bytes are not taken into memory.
const LIST_BYTES_MAX: u64 = 1 << 20;

/// The number of the series of a label and a sum over them: lists with the same fingerprint have the same series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Fingerprint {
    count: u32,
    sum: u64,
}

impl Fingerprint {
    pub(super) fn add(&mut self, series: SeriesRef) {
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.wrapping_add(mix(series.0.into()));
    }
}

/// Spreads a number over 64 bits (the finalizer of SplitMix64).
fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The number of uses of labels by series and a sum over them, whichever way round they are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct UsesSum {
    count: u64,
    sum: u64,
}

impl UsesSum {
    pub(super) fn add(&mut self, label_hash: u64, series: SeriesRef) {
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.wrapping_add(mix(label_hash.wrapping_add(series.0.into())));
    }
}

/// What a label counts with.
pub(super) fn label_hash((name, value): (u32, u32)) -> u64 {
    mix(u64::from(name) << u32::BITS | u64::from(value))
}

/// The postings offset table, known to be legible or not.
#[derive(Default)]
pub(super) struct PostingsPass {
    legible: bool,
    sorted: bool,
    /// Where the list of all series is.
    place_of_all: Option<u64>,
    /// The list of all series, sorted, once it was needed; empty where it is damaged.
    all: Option<Vec<u32>>,
}

impl PostingsPass {
    /// Walks over the table once, to know whether it can be relied upon and where the list of all series is.
    pub(super) fn open(parts: &Parts<'_>, problems: &mut Problems) -> Self {
        let mut pass = PostingsPass { legible: false, sorted: true, place_of_all: None, all: None };
        let mut all = None;
        let mut previous: Option<(Vec<u8>, Vec<u8>)> = None;
        let walked = walk(parts, |at, name, value, offset| {
            if name.is_empty() && value.is_empty() {
                all = Some(offset);
            }
            // Format 1 has no order.
            if previous.as_ref().is_some_and(|(one, two)| (one.as_slice(), two.as_slice()) >= (name, value))
                && parts.version != crate::index::Version::V1
            {
                pass.sorted = false;
                problems.add(ProblemKind::IndexPostingsTable, parts.file.name(), at, true, || {
                    format!("{} does not stand behind the entry before", label(name, value))
                });
            }
            let (one, two) = previous.get_or_insert_default();
            one.clear();
            one.extend_from_slice(name);
            two.clear();
            two.extend_from_slice(value);
        });
        match walked {
            Ok(()) => pass.legible = true,
            Err(corruption) => {
                problems.add_corruption(&corruption, true);
                return pass;
            }
        }
        pass.sorted &= parts.version != crate::index::Version::V1;
        pass.place_of_all = all;
        match all {
            Some(_) => {}
            None => problems.add(
                ProblemKind::IndexPostingsTable,
                parts.file.name(),
                parts.toc.postings_table,
                true,
                || "no list of all series".to_owned(),
            ),
        }
        pass
    }

    /// Where the first series behind an offset begins by the list of all series.
    pub(super) fn next_series(&mut self, parts: &Parts<'_>, offset: u64, unit: u64) -> Option<u64> {
        let place = self.place_of_all;
        let all = self.all.get_or_insert_with(|| {
            let (mut all, mut window) = (Vec::new(), Window::new(parts.file.clone()));
            let read = place.map(|place| read_list(parts, &mut window, place, |series| all.push(series)));
            if !matches!(read, Some(Ok(()))) {
                all.clear();
            }
            all.sort_unstable();
            all
        });
        let behind = all.partition_point(|series| u64::from(*series).saturating_mul(unit) <= offset);
        all.get(behind).map(|series| u64::from(*series).saturating_mul(unit))
    }

    /// Whether every list can be read and all together say of all series what the series say. In memory are next to none of them.
    pub(super) fn agree(&self, parts: &Parts<'_>, checked: &Checked, uses: UsesSum) -> bool {
        let Some(symbols) = parts.symbols.as_ref().filter(|_| parts.sorted) else { return false };
        if !self.legible || !self.sorted || self.place_of_all.is_none() || !checked.is_complete() {
            return false;
        }
        let (mut names, mut values) = (symbols.cursor(), symbols.cursor());
        let (mut last, mut window) = (None::<(Vec<u8>, u32)>, Window::new(parts.file.clone()));
        let (mut found, mut agree) = (UsesSum::default(), true);
        let walked = walk(parts, |at, name, value, offset| {
            if !agree || check_place(parts.file, &parts.toc, at, offset).is_err() {
                agree = false;
                return;
            }
            let (mut previous, mut count, mut unknown) = (None, 0u64, false);
            let of_all = name.is_empty() && value.is_empty();
            let mut hash = 0;
            if !of_all {
                if last.as_ref().is_none_or(|(text, _)| text != name) {
                    last = names.find(name).ok().flatten().map(|symbol| (name.to_vec(), symbol));
                }
                let symbol = values.find(value).ok().flatten();
                let Some(label) = last.as_ref().map(|(_, symbol)| *symbol).zip(symbol) else {
                    agree = false;
                    return;
                };
                hash = label_hash(label);
            }
            let read = read_list(parts, &mut window, offset, |series| {
                unknown |= previous.is_some_and(|previous| series <= previous);
                unknown |= !checked.may_exist(SeriesRef(series));
                previous = Some(series);
                count = count.saturating_add(1);
                if !of_all {
                    found.add(hash, SeriesRef(series));
                }
            });
            agree = read.is_ok() && !unknown && (!of_all || count == checked.series);
        });
        agree && walked.is_ok() && found == uses
    }

    /// Reads every list and compares it with what the series say.
    pub(super) fn check(
        &mut self,
        parts: &Parts<'_>,
        checked: &Checked,
        labels: Labels,
        problems: &mut Problems,
    ) {
        if !self.legible {
            return;
        }
        let mut expected = Expected::new(parts, labels, self.sorted && checked.is_complete());
        let mut window = Window::new(parts.file.clone());
        let walked = walk(parts, |at, name, value, offset| {
            if let Err(corruption) = check_place(parts.file, &parts.toc, at, offset) {
                problems.add_corruption(&corruption, true);
                expected.skip(name, value, problems);
                return;
            }
            let mut found = Fingerprint::default();
            let (mut previous, mut unknown, mut unsorted) = (None, None, false);
            let read = read_list(parts, &mut window, offset, |series| {
                unsorted |= previous.is_some_and(|previous| series <= previous);
                previous = Some(series);
                if !checked.may_exist(SeriesRef(series)) {
                    unknown = Some(series);
                }
                found.add(SeriesRef(series));
            });
            if let Err(corruption) = read {
                problems.add_corruption(&corruption, true);
                expected.skip(name, value, problems);
                return;
            }
            if unsorted {
                problems
                    .add(ProblemKind::IndexPostings, parts.file.name(), offset, true, || label(name, value));
            }
            if let Some(series) = unknown {
                problems.add(ProblemKind::IndexPostings, parts.file.name(), offset, true, || {
                    format!("series {series} in the list of {}", label(name, value))
                });
            }
            if name.is_empty() && value.is_empty() {
                if checked.is_complete() && u64::from(found.count) != checked.series {
                    problems.add(ProblemKind::IndexPostings, parts.file.name(), offset, true, || {
                        format!("the list of all series has {} of {}", found.count, checked.series)
                    });
                }
            } else if let Some(stated) = expected.take(name, value, problems)
                && stated != found
            {
                problems.add(ProblemKind::IndexPostings, parts.file.name(), offset, true, || {
                    let label = label(name, value);
                    format!("the list of {label} has {} series, and {} have it", found.count, stated.count)
                });
            }
        });
        if let Err(corruption) = walked {
            problems.add_corruption(&corruption, true);
        }
        expected.finish(problems);
    }
}

/// The labels of all series in the order of the postings offset table.
struct Expected<'a> {
    parts: &'a Parts<'a>,
    texts: Option<crate::index::SymbolCache>,
    labels: std::iter::Peekable<std::vec::IntoIter<((u32, u32), Fingerprint)>>,
}

impl<'a> Expected<'a> {
    fn new(parts: &'a Parts<'a>, labels: Labels, known: bool) -> Self {
        let texts = text_cache(parts).filter(|_| known);
        let mut sorted: Vec<_> = if texts.is_some() { labels.into_iter().collect() } else { Vec::new() };
        sorted.sort_unstable_by_key(|(label, _)| *label);
        Expected { parts, texts, labels: sorted.into_iter().peekable() }
    }

    /// What the series say about a label of the table; `None` where they were not all read. Labels before it have no list.
    fn take(&mut self, name: &[u8], value: &[u8], problems: &mut Problems) -> Option<Fingerprint> {
        let texts = self.texts.as_mut()?;
        loop {
            let Some((label, stated)) = self.labels.peek().copied() else {
                return Some(Fingerprint::default());
            };
            let order = texts.bytes(label.0).ok()?.cmp(name);
            let order = order.then(texts.bytes(label.1).ok()?.cmp(value));
            match order {
                Ordering::Equal => {
                    self.labels.next();
                    return Some(stated);
                }
                Ordering::Greater => return Some(Fingerprint::default()),
                Ordering::Less => {
                    self.labels.next();
                    missing(self.parts, texts, label, problems);
                }
            }
        }
    }

    /// Goes past a label whose list is damaged.
    fn skip(&mut self, name: &[u8], value: &[u8], problems: &mut Problems) {
        self.take(name, value, problems);
    }

    fn finish(mut self, problems: &mut Problems) {
        let Some(texts) = self.texts.as_mut() else { return };
        for (label, _) in self.labels {
            missing(self.parts, texts, label, problems);
        }
    }
}

fn missing(
    parts: &Parts<'_>,
    texts: &mut crate::index::SymbolCache,
    (name, value): (u32, u32),
    problems: &mut Problems,
) {
    let mut text = |symbol| texts.bytes(symbol).map(<[u8]>::to_vec).unwrap_or_default();
    let (name, value) = (text(name), text(value));
    problems.add(ProblemKind::IndexPostingsTable, parts.file.name(), parts.toc.postings_table, true, || {
        format!("no list of {}", label(&name, &value))
    });
}

fn label(name: &[u8], value: &[u8]) -> String {
    format!("{}={:?}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
}

/// Walks over all entries of the table: offset of the entry, name, value, offset of the list.
fn walk(parts: &Parts<'_>, mut take: impl FnMut(u64, &[u8], &[u8], u64)) -> Result<(), Corruption> {
    let section = Section::PostingsTable;
    let mut stream = SectionStream::open(parts.file, section, parts.toc.postings_table, parts.file.len())?;
    let walked = walk_entries(parts.file, &mut stream, |at, entry| {
        take(at, entry.name, entry.value, entry.offset);
        Ok(())
    });
    stream.conclude(walked).map(|_| ())
}

/// Hands every number of a list to `take`; nothing where its checksum or its count is wrong.
fn read_list(
    parts: &Parts<'_>,
    window: &mut Window,
    offset: u64,
    take: impl FnMut(u32),
) -> Result<(), Corruption> {
    let (file, end) = (parts.file, parts.toc.postings_end());
    file.check_range(Section::Postings, offset, 8, end)?;
    let length = Reader::new(window.get(Section::Postings, offset, 4)?, offset).u32();
    let length = u64::from(length.map_err(|at| file.at(Section::Postings, at))?);
    file.check_range(Section::Postings, offset, length.saturating_add(8), end)?;
    if length > LIST_BYTES_MAX {
        return read_large_list(parts, offset, take);
    }
    let bytes = window.get(Section::Postings, offset.saturating_add(4), length.saturating_add(4))?;
    let fail = |fault| Err(file.corruption(Section::Postings, offset, fault));
    let Some((content, sum)) = bytes.split_last_chunk::<4>() else {
        return fail(Fault::Short { missing: 4 });
    };
    let (expected, found) = (u32::from_be_bytes(*sum), crc32c(content));
    if expected != found {
        return fail(Fault::Checksum { expected, found });
    }
    let (numbers, rest) = content.as_chunks::<4>();
    let Some((count, numbers)) = numbers.split_first() else { return fail(Fault::Short { missing: 4 }) };
    let count = u32::from_be_bytes(*count);
    if count as usize != numbers.len() || !rest.is_empty() {
        let fault =
            Fault::OutOfRange { what: "number of postings", value: count.into(), max: numbers.len() as u64 };
        return fail(fault);
    }
    numbers.iter().map(|four| u32::from_be_bytes(*four)).for_each(take);
    Ok(())
}

/// As [`read_list`], in two passes over a list that is not taken into memory.
fn read_large_list(parts: &Parts<'_>, offset: u64, mut take: impl FnMut(u32)) -> Result<(), Corruption> {
    let (file, end) = (parts.file, parts.toc.postings_end());
    SectionStream::open(file, Section::Postings, offset, end)?.finish()?;
    let mut stream = SectionStream::open(file, Section::Postings, offset, end)?;
    let (count, max) = (stream.u32()?, stream.left() / 4);
    if u64::from(count).saturating_mul(4) != stream.left() {
        let fault = Fault::OutOfRange { what: "number of postings", value: count.into(), max };
        return Err(file.corruption(Section::Postings, offset, fault));
    }
    while stream.left() > 0 {
        stream.read(|reader| {
            // At least one, or more bytes are loaded.
            take(reader.u32()?);
            let (numbers, _) = reader.rest().as_chunks::<4>();
            numbers.iter().for_each(|four| take(u32::from_be_bytes(*four)));
            reader.take(numbers.len().saturating_mul(4)).map(|_| ())
        })?;
    }
    Ok(())
}
