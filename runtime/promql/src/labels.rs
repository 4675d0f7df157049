//! Label sets inside a query: names and values are numbers, their text stands once.

use std::cmp::Ordering;
use std::hash::BuildHasher;

use hashbrown::HashTable;
use prom_model::Labels;

/// A label name or value inside one query; equal texts have equal symbols. The order of symbols means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Symbol(u32);

impl Symbol {
    /// The empty text: the value of a label that is absent.
    pub const EMPTY: Symbol = Symbol(0);
    /// `__name__`
    pub const METRIC_NAME: Symbol = Symbol(1);
    /// `__type__`
    pub const METRIC_TYPE: Symbol = Symbol(2);
    /// `__unit__`
    pub const METRIC_UNIT: Symbol = Symbol(3);
    /// `le`
    pub const BUCKET: Symbol = Symbol(4);

    /// Whether it names a label that belongs to the metric, which goes when the metric does: name, type and unit.
    pub const fn is_metadata(self) -> bool {
        matches!(self, Symbol::METRIC_NAME | Symbol::METRIC_TYPE | Symbol::METRIC_UNIT)
    }
}

/// The texts of a query's symbols.
#[derive(Debug)]
pub struct Symbols {
    texts: String,
    ends: Vec<u32>,
    table: HashTable<u32>,
    hasher: foldhash::fast::FixedState,
}

impl Default for Symbols {
    fn default() -> Self {
        let mut symbols = Symbols {
            texts: String::new(),
            ends: Vec::new(),
            table: HashTable::new(),
            hasher: foldhash::fast::FixedState::default(),
        };
        for text in ["", "__name__", "__type__", "__unit__", "le"] {
            symbols.intern(text);
        }
        symbols
    }
}

fn text_at<'t>(texts: &'t str, ends: &[u32], at: usize) -> &'t str {
    let start = if at == 0 { 0 } else { ends.get(at - 1).copied().unwrap_or(0) as usize };
    let end = ends.get(at).copied().unwrap_or(0) as usize;
    texts.get(start..end).unwrap_or("")
}

impl Symbols {
    /// The symbol of a text.
    ///
    /// Texts beyond 4 GiB in one query all become [`Symbol::EMPTY`]; its memory budget ends a query long before.
    pub fn intern(&mut self, text: &str) -> Symbol {
        let hash = self.hasher.hash_one(text);
        let (texts, ends) = (&self.texts, &self.ends);
        if let Some(&found) = self.table.find(hash, |&at| text_at(texts, ends, at as usize) == text) {
            return Symbol(found);
        }
        let (Ok(at), Ok(end)) =
            (u32::try_from(self.ends.len()), u32::try_from(self.texts.len() + text.len()))
        else {
            return Symbol::EMPTY;
        };
        self.texts.push_str(text);
        self.ends.push(end);
        let (texts, ends, hasher) = (&self.texts, &self.ends, &self.hasher);
        self.table.insert_unique(hash, at, |&at| hasher.hash_one(text_at(texts, ends, at as usize)));
        Symbol(at)
    }

    /// The symbol of a text that has one.
    pub fn find(&self, text: &str) -> Option<Symbol> {
        let hash = self.hasher.hash_one(text);
        self.table
            .find(hash, |&at| text_at(&self.texts, &self.ends, at as usize) == text)
            .copied()
            .map(Symbol)
    }

    /// The text of a symbol.
    pub fn text(&self, symbol: Symbol) -> &str {
        text_at(&self.texts, &self.ends, symbol.0 as usize)
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        self.texts.capacity() + self.ends.capacity() * 4 + self.table.capacity() * 5
    }
}

/// A label set, sorted by the text of the names, no value empty; equal sets are equal slices.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct LabelSet(Vec<(Symbol, Symbol)>);

impl LabelSet {
    /// An empty label set.
    pub const fn new() -> Self {
        LabelSet(Vec::new())
    }

    /// The labels, sorted by name.
    pub fn as_slice(&self) -> &[(Symbol, Symbol)] {
        &self.0
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Replaces all labels by these, which must be sorted by the text of their names and have no empty value.
    pub fn assign(&mut self, labels: &[(Symbol, Symbol)]) {
        self.0.clear();
        self.0.extend_from_slice(labels);
    }

    /// The value of a label; [`Symbol::EMPTY`] if it is absent.
    pub fn get(&self, name: Symbol) -> Symbol {
        self.0.iter().find(|(known, _)| *known == name).map_or(Symbol::EMPTY, |(_, value)| *value)
    }

    /// Sets a label, or removes it where the value is empty.
    pub fn set(&mut self, symbols: &Symbols, name: Symbol, value: Symbol) {
        if value == Symbol::EMPTY {
            return self.remove(name);
        }
        if let Some(label) = self.0.iter_mut().find(|(known, _)| *known == name) {
            label.1 = value;
            return;
        }
        let text = symbols.text(name);
        let at = self.0.partition_point(|(known, _)| symbols.text(*known) < text);
        self.0.insert(at, (name, value));
    }

    /// Removes a label.
    pub fn remove(&mut self, name: Symbol) {
        self.0.retain(|(known, _)| *known != name);
    }

    /// Keeps the labels for whose name `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(Symbol) -> bool) {
        self.0.retain(|(name, _)| keep(*name));
    }

    /// Removes name, type and unit of the metric.
    pub fn drop_metadata(&mut self) {
        self.retain(|name| !name.is_metadata());
    }

    /// Prometheus' order of label sets: label by label, first names, then values, as texts; the shorter set first.
    pub fn compare(&self, other: &Self, symbols: &Symbols) -> Ordering {
        for ((name, value), (other_name, other_value)) in self.0.iter().zip(&other.0) {
            if name != other_name {
                return symbols.text(*name).cmp(symbols.text(*other_name));
            }
            if value != other_value {
                return symbols.text(*value).cmp(symbols.text(*other_value));
            }
        }
        self.0.len().cmp(&other.0.len())
    }

    /// A hash for tables of one run; it differs from Prometheus' own.
    pub fn hash_with(&self, state: &impl BuildHasher) -> u64 {
        state.hash_one(&self.0)
    }

    /// The labels as text.
    pub fn to_labels(&self, symbols: &Symbols) -> Labels {
        self.0.iter().map(|(name, value)| (symbols.text(*name), symbols.text(*value))).collect()
    }

    /// The set of these labels.
    pub fn from_labels(labels: &Labels, symbols: &mut Symbols) -> Self {
        let labels = labels.iter().filter(|label| !label.value.is_empty());
        LabelSet(labels.map(|label| (symbols.intern(&label.name), symbols.intern(&label.value))).collect())
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(Symbol, Symbol)>()
    }
}
