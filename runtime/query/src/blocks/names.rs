//! Symbols of a block to symbols of a query: each text is looked up once.

use hashbrown::HashMap;
use promql::{Projection, Symbol, Symbols};
use tsdb::Corruption;
use tsdb::index::SymbolCache;

/// Turns the labels of the series of one block into labels of one query.
#[derive(Debug)]
pub(super) struct Names {
    cache: SymbolCache,
    projection: Projection,
    /// Of each value one more than its place in `known`; 0 where it was not seen yet.
    values: Vec<u32>,
    known: Vec<Symbol>,
    /// Of each name its symbol, `None` where nobody looks at it.
    names: HashMap<u32, Option<Symbol>, foldhash::fast::FixedState>,
    /// The names of the last series: those of the next are most often the same.
    last: Vec<(u32, Option<Symbol>)>,
}

impl Names {
    pub(super) fn new(cache: SymbolCache, projection: Projection) -> Self {
        let names = HashMap::with_hasher(foldhash::fast::FixedState::default());
        Names { cache, projection, values: Vec::new(), known: Vec::new(), names, last: Vec::new() }
    }

    /// Bytes held, about.
    pub(super) fn bytes(&self) -> usize {
        self.cache.held_bytes()
            + (self.values.capacity() + self.known.capacity()) * 4
            + self.names.capacity() * 16
    }

    /// The labels that the query looks at, of a series whose labels are these symbols.
    pub(super) fn resolve(
        &mut self,
        labels: &[(u32, u32)],
        symbols: &mut Symbols,
        into: &mut Vec<(Symbol, Symbol)>,
    ) -> Result<(), Corruption> {
        into.clear();
        for (at, (name, value)) in labels.iter().enumerate() {
            let known = match self.last.get(at) {
                Some((last, known)) if last == name => *known,
                _ => {
                    let known = self.name(*name, symbols)?;
                    self.last.truncate(at);
                    self.last.push((*name, known));
                    known
                }
            };
            let Some(name) = known else { continue };
            let value = self.value(*value, symbols)?;
            if value != Symbol::EMPTY {
                into.push((name, value));
            }
        }
        Ok(())
    }

    fn name(&mut self, name: u32, symbols: &mut Symbols) -> Result<Option<Symbol>, Corruption> {
        if let Some(known) = self.names.get(&name) {
            return Ok(*known);
        }
        let text = self.cache.text(name)?;
        let known = self.projection.keeps(text).then(|| symbols.intern(text));
        self.names.insert(name, known);
        Ok(known)
    }

    fn value(&mut self, value: u32, symbols: &mut Symbols) -> Result<Symbol, Corruption> {
        let place = self.values.get(value as usize).copied().unwrap_or(0);
        if let Some(known) = place.checked_sub(1).and_then(|place| self.known.get(place as usize)) {
            return Ok(*known);
        }
        let symbol = symbols.intern(self.cache.text(value)?);
        self.known.push(symbol);
        let place = self.known.len() as u32;
        let at = value as usize;
        if at >= self.values.len() {
            self.values.resize((at + 1).next_power_of_two(), 0);
        }
        if let Some(slot) = self.values.get_mut(at) {
            *slot = place;
        }
        Ok(symbol)
    }
}

/// The labels of a series of the head.
pub(super) fn from_texts<'t>(
    labels: impl Iterator<Item = (&'t str, &'t str)>,
    projection: &Projection,
    symbols: &mut Symbols,
    into: &mut Vec<(Symbol, Symbol)>,
) {
    into.clear();
    let wanted = labels.filter(|(name, value)| !value.is_empty() && projection.keeps(name));
    into.extend(wanted.map(|(name, value)| (symbols.intern(name), symbols.intern(value))));
}
