//! Labels as bytes to symbols of the query.

use promql::{Projection, Symbol, Symbols};
use storeapi::LabelBytes;

/// Turns the label sets of one selection, one after another, into symbols.
///
/// They come sorted: most labels are those of the set before, at the same place, and for them bytes are compared and nothing is
/// looked up. Nothing is allocated for a label.
#[derive(Debug)]
pub(super) struct Names {
    projection: Projection,
    last: LabelBytes,
    /// The symbols of each label of the last set; no name where nobody looks at it.
    symbols: Vec<(Option<Symbol>, Symbol)>,
}

impl Names {
    pub(super) fn new(projection: Projection) -> Self {
        Names { projection, last: LabelBytes::default(), symbols: Vec::new() }
    }

    /// Appends the labels of a set that the query looks at.
    pub(super) fn resolve(
        &mut self,
        labels: &LabelBytes,
        symbols: &mut Symbols,
        into: &mut Vec<(Symbol, Symbol)>,
    ) {
        let mut last = self.last.iter();
        let mut count = 0;
        for (at, (name, value)) in labels.iter().enumerate() {
            let known = last.next().zip(self.symbols.get(at).copied());
            let known_name = known.filter(|((last, _), _)| *last == name);
            let name = match known_name {
                Some((_, (symbol, _))) => symbol,
                None => intern_name(name, &self.projection, symbols),
            };
            let value = match known {
                Some(((_, last), (known_name, symbol))) if last == value && known_name.is_some() => symbol,
                _ if name.is_none() => Symbol::EMPTY,
                _ => with_text(value, |text| symbols.intern(text)),
            };
            match self.symbols.get_mut(at) {
                Some(place) => *place = (name, value),
                None => self.symbols.push((name, value)),
            }
            if let Some(name) = name
                && value != Symbol::EMPTY
            {
                into.push((name, value));
            }
            count = at + 1;
        }
        self.symbols.truncate(count);
        self.last = labels.clone();
    }
}

fn intern_name(name: &[u8], projection: &Projection, symbols: &mut Symbols) -> Option<Symbol> {
    with_text(name, |text| projection.keeps(text).then(|| symbols.intern(text)))
}

fn with_text<T>(bytes: &[u8], look: impl FnOnce(&str) -> T) -> T {
    match std::str::from_utf8(bytes) {
        Ok(text) => look(text),
        Err(_) => look(&String::from_utf8_lossy(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set<'a>(pairs: &[(&'a str, &'a str)]) -> LabelBytes {
        LabelBytes::from_pairs(pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    }

    fn texts(names: &mut Names, symbols: &mut Symbols, pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut found = Vec::new();
        names.resolve(&set(pairs), symbols, &mut found);
        let text = |symbol| symbols.text(symbol).to_owned();
        found.iter().map(|(name, value)| (text(*name), text(*value))).collect()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn labels_are_those_of_each_set_whatever_stood_before() {
        let (mut names, mut symbols) = (Names::new(Projection::All), Symbols::default());
        for pairs in [
            &[("__name__", "up"), ("a", "1"), ("b", "2")][..],
            &[("__name__", "up"), ("a", "1"), ("c", "2"), ("d", "1")],
            &[("__name__", "up"), ("c", "1")],
            &[],
            &[("__name__", "up"), ("c", "1"), ("d", "2")],
        ] {
            assert_eq!(texts(&mut names, &mut symbols, pairs), owned(pairs));
        }
    }

    #[test]
    fn labels_that_nobody_looks_at_are_left_out() {
        let projection = Projection::Only(vec!["b".to_owned()]);
        let (mut names, mut symbols) = (Names::new(projection), Symbols::default());
        let first = [("a", "x"), ("b", "x")];
        assert_eq!(texts(&mut names, &mut symbols, &first), owned(&[("b", "x")]));
        let second = [("b", "x"), ("c", "x")];
        assert_eq!(texts(&mut names, &mut symbols, &second), owned(&[("b", "x")]));
        assert_eq!(symbols.find("a"), None);
    }

    #[test]
    fn empty_values_are_absent_and_bytes_that_are_no_text_are_replaced() {
        let (mut names, mut symbols) = (Names::new(Projection::All), Symbols::default());
        let mut found = Vec::new();
        let labels = LabelBytes::from_pairs([(&b"a"[..], &b""[..]), (b"b", b"\xff")]);
        names.resolve(&labels, &mut symbols, &mut found);
        let [(_, value)] = found.as_slice() else { panic!("one label") };
        assert_eq!(symbols.text(*value), "\u{fffd}");
    }
}
