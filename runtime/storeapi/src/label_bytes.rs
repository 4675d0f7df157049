//! The labels of a series as the bytes they have on the wire.

use std::cmp::Ordering;
use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use prom_model::Labels;
use xxhash_rust::xxh64::Xxh64;

use crate::codec::{Fields, Value, WireError, bytes_len, put_length, slice, varint};
use crate::thanos::Label;

/// A label set, sorted by name, kept as the bytes of a message's repeated field `labels` (number 1, each a `Label`).
///
/// A clone shares the bytes. The order is that of Prometheus: by the first name that differs, then by its value; a set that
/// another one begins with comes first.
#[derive(Clone, Default)]
pub struct LabelBytes(Bytes);

impl LabelBytes {
    /// Writes labels, which the caller has sorted by name.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut bytes = BytesMut::new();
        for (name, value) in pairs {
            push(&mut bytes, name, value);
        }
        LabelBytes(bytes.freeze())
    }

    /// Writes a label set.
    pub fn from_labels(labels: &Labels) -> Self {
        Self::from_pairs(labels.iter().map(|label| (label.name.as_bytes(), label.value.as_bytes())))
    }

    /// Takes bytes as they are on the wire: only fields `labels`, one after another.
    pub(crate) fn from_wire(bytes: Bytes) -> Result<Self, WireError> {
        if is_canonical(&bytes) {
            return Ok(LabelBytes(bytes));
        }
        let mut labels = Collector::default();
        let mut fields = Fields::new(&bytes);
        while let Some((number, value)) = fields.next()? {
            if let (1, Value::Bytes(label)) = (number, value) {
                labels.push(label)?;
            }
        }
        Ok(labels.finish())
    }

    /// The bytes as they stand in a message `Series` (or `LabelSet`).
    pub fn as_wire(&self) -> &Bytes {
        &self.0
    }

    /// Names and values in the order of the names.
    pub fn iter(&self) -> Pairs<'_> {
        Pairs { rest: &self.0 }
    }

    /// Whether there are no labels.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a label.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The set without the labels for which `gone` says so.
    #[must_use]
    pub fn without(&self, gone: impl Fn(&[u8]) -> bool) -> Self {
        if !self.iter().any(|(name, _)| gone(name)) {
            return self.clone();
        }
        Self::from_pairs(self.iter().filter(|(name, _)| !gone(name)))
    }

    /// The set with these labels, sorted by name, added or put in the place of its own.
    #[must_use]
    pub fn with<'a>(&'a self, others: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut bytes = BytesMut::with_capacity(self.0.len() + 64);
        let mut own = self.iter().peekable();
        for (name, value) in others {
            while let Some((known, its)) = own.next_if(|(known, _)| *known < name) {
                push(&mut bytes, known, its);
            }
            own.next_if(|(known, _)| *known == name);
            push(&mut bytes, name, value);
        }
        for (known, its) in own {
            push(&mut bytes, known, its);
        }
        LabelBytes(bytes.freeze())
    }

    /// xxhash64 of name, 0xFF, value, 0xFF for the labels for which `counts` says so: the hash of shards and hashrings.
    pub fn hash_of(&self, counts: impl Fn(&[u8]) -> bool) -> u64 {
        let mut hash = Xxh64::new(0);
        for (name, value) in self.iter().filter(|(name, _)| counts(name)) {
            hash.update(name);
            hash.update(&[0xff]);
            hash.update(value);
            hash.update(&[0xff]);
        }
        hash.digest()
    }

    /// As messages; what is not UTF-8 is replaced.
    pub fn to_messages(&self) -> Vec<Label> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.iter().map(|(name, value)| Label { name: text(name), value: text(value) }).collect()
    }

    /// As a label set; what is not UTF-8 is replaced, and labels without a value are absent.
    pub fn to_labels(&self) -> Labels {
        let mut labels = Labels::new();
        for label in self.to_messages() {
            labels.set(label.name, label.value);
        }
        labels
    }
}

/// Writes many label sets one after another; those that are near each other share a piece of memory.
#[derive(Debug, Default)]
pub struct LabelWriter(BytesMut);

/// So much memory is taken at once.
const ARENA_BYTES: usize = 64 << 10;

impl LabelWriter {
    /// Adds a label to the set that is being written; the caller adds them sorted by name.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        self.begin(name.len() + value.len() + 24);
        push(&mut self.0, name, value);
    }

    /// Adds labels as they stand in another set, see [`LabelBytes::as_wire`].
    pub fn push_wire(&mut self, labels: &[u8]) {
        self.begin(labels.len());
        self.0.extend_from_slice(labels);
    }

    fn begin(&mut self, wanted: usize) {
        if self.0.capacity() - self.0.len() < wanted && self.0.is_empty() {
            self.0 = BytesMut::with_capacity(ARENA_BYTES.max(wanted));
        }
    }

    /// The bytes that were written since the last set.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was written since the last set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The labels that were added since the last set.
    pub fn finish(&mut self) -> LabelBytes {
        LabelBytes(self.0.split().freeze())
    }
}

impl fmt::Debug for LabelBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes| String::from_utf8_lossy(bytes);
        f.debug_map().entries(self.iter().map(|(name, value)| (text(name), text(value)))).finish()
    }
}

impl PartialEq for LabelBytes {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for LabelBytes {}

impl PartialOrd for LabelBytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LabelBytes {
    /// Sets that are compared mostly begin alike: the labels that are the same are found by their bytes, and only the first pair
    /// that differs is read.
    fn cmp(&self, other: &Self) -> Ordering {
        let same = common_prefix(&self.0, &other.0);
        if same == self.0.len() && same == other.0.len() {
            return Ordering::Equal;
        }
        let start = label_start(&self.0, same);
        let rest = |bytes| Pairs { rest: <[u8]>::get(bytes, start..).unwrap_or_default() };
        let (mut one, mut two) = (rest(&self.0), rest(&other.0));
        loop {
            return match (one.next(), two.next()) {
                (Some(mine), Some(its)) if mine == its => continue,
                (mine, its) => mine.cmp(&its),
            };
        }
    }
}

/// How many bytes are the same at the beginning.
#[inline]
fn common_prefix(one: &[u8], two: &[u8]) -> usize {
    let (mut ones, mut twos) = (one.chunks_exact(8), two.chunks_exact(8));
    let mut same = 0;
    for (one, two) in ones.by_ref().zip(twos.by_ref()) {
        if one != two {
            break;
        }
        same += 8;
    }
    let rest = |bytes| <[u8]>::get(bytes, same..).unwrap_or_default();
    same + rest(one).iter().zip(rest(two)).take_while(|(one, two)| one == two).count()
}

/// Where the label begins in which this byte lies; where the next one does, if it is the last byte of one.
#[inline]
fn label_start(bytes: &[u8], at: usize) -> usize {
    let mut start = 0;
    while let Some((length, after)) = bytes.get(start + 1..).and_then(|rest| varint(rest).ok()) {
        let end = (bytes.len() - after.len()).saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        if end > at {
            break;
        }
        start = end;
    }
    start
}

impl std::hash::Hash for LabelBytes {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<'a> IntoIterator for &'a LabelBytes {
    type Item = (&'a [u8], &'a [u8]);
    type IntoIter = Pairs<'a>;

    fn into_iter(self) -> Pairs<'a> {
        self.iter()
    }
}

/// Goes through the labels of a set.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (_, rest) = self.rest.split_first()?;
        let (length, rest) = varint(rest).ok()?;
        let (label, rest) = rest.split_at_checked(length as usize)?;
        self.rest = rest;
        let (name, label) = text(label, NAME)?;
        let (value, _) = text(label, VALUE)?;
        Some((name, value))
    }
}

/// The keys of a label's two fields.
const NAME: u8 = 0x0a;
const VALUE: u8 = 0x12;

/// The text of a field that may be left out when empty, and what follows it.
#[inline]
fn text(label: &[u8], key: u8) -> Option<(&[u8], &[u8])> {
    match label.split_first() {
        Some((first, rest)) if *first == key => {
            let (length, rest) = varint(rest).ok()?;
            rest.split_at_checked(usize::try_from(length).ok()?)
        }
        _ => Some((&[], label)),
    }
}

/// Whether [`Pairs`] can read these bytes to their end, and nothing else is in them.
fn is_canonical(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((key, after)) = rest.split_first() {
        let Some((label, after)) = varint(after)
            .ok()
            .filter(|_| *key == NAME)
            .and_then(|(length, after)| after.split_at_checked(usize::try_from(length).ok()?))
        else {
            return false;
        };
        let end = text(label, NAME).and_then(|(_, label)| text(label, VALUE)).map(|(_, label)| label);
        if end != Some(&[]) {
            return false;
        }
        rest = after;
    }
    true
}

pub(crate) fn push(into: &mut impl BufMut, name: &[u8], value: &[u8]) {
    let field = |text: &[u8]| if text.is_empty() { 0 } else { bytes_len(text.len()) };
    put_length(into, 1, field(name) + field(value));
    for (number, text) in [(1, name), (2, value)] {
        if !text.is_empty() {
            put_length(into, number, text.len());
            into.put_slice(text);
        }
    }
}

/// Labels that do not lie one after another in their message, or not in the usual form.
#[derive(Debug, Default)]
pub(crate) struct Collector(BytesMut);

impl Collector {
    /// Adds a message `Label`.
    pub(crate) fn push(&mut self, label: &[u8]) -> Result<(), WireError> {
        let (mut name, mut value): (&[u8], &[u8]) = (&[], &[]);
        let mut fields = Fields::new(label);
        while let Some((number, field)) = fields.next()? {
            match (number, field) {
                (1, Value::Bytes(text)) => name = text,
                (2, Value::Bytes(text)) => value = text,
                (1 | 2, _) => return Err(WireError::WireType(number)),
                _ => {}
            }
        }
        push(&mut self.0, name, value);
        Ok(())
    }

    pub(crate) fn finish(self) -> LabelBytes {
        LabelBytes(self.0.freeze())
    }
}

/// The labels at the beginning of a message `Series`, as a slice of it; and what follows them.
pub(crate) fn leading<'a>(message: &Bytes, series: &'a [u8]) -> Result<(LabelBytes, &'a [u8]), WireError> {
    let mut rest = series;
    while let Some((&NAME, after)) = rest.split_first() {
        let (length, after) = varint(after)?;
        let length = usize::try_from(length).map_err(|_| WireError::Short)?;
        rest = after.get(length..).ok_or(WireError::Short)?;
    }
    let labels = series.get(..series.len() - rest.len()).unwrap_or_default();
    Ok((LabelBytes::from_wire(slice(message, labels))?, rest))
}
