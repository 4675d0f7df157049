//! JSON objects, field by field, in Go's texts.

use prom_model::Labels;
use storeapi::thanos::LabelSet;

use crate::json::{push_float_digits, push_text_for_html, push_whole};

/// Writes the fields of one object; [`Object::end`] closes it.
#[derive(Debug)]
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl<'o> Object<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Object { out, empty: true }
    }

    /// Begins a field, whose value the caller writes.
    pub(super) fn field(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        push_text_for_html(self.out, name);
        self.out.push(b':');
        self.out
    }

    /// Where the caller goes on with a field that it has begun.
    pub(super) fn raw(&mut self) -> &mut Vec<u8> {
        self.out
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        push_text_for_html(self.field(name), value);
    }

    pub(super) fn text_unless_empty(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.text(name, value);
        }
    }

    pub(super) fn whole(&mut self, name: &str, value: i64) {
        push_whole(self.field(name), value);
    }

    pub(super) fn float(&mut self, name: &str, value: f64) {
        push_float_digits(self.field(name), value);
    }

    pub(super) fn time(&mut self, name: &str, value: Option<&prost_types::Timestamp>) {
        self.text(name, &timestamp(value));
    }

    pub(super) fn labels(&mut self, name: &str, value: Option<&LabelSet>) {
        let labels = value.map(|set| set.labels.as_slice()).unwrap_or_default();
        let mut pairs: Vec<_> =
            labels.iter().map(|label| (label.name.as_str(), label.value.as_str())).collect();
        // A name may stand in a message twice; the last one counts.
        pairs.sort_by_key(|(name, _)| *name);
        pairs.reverse();
        pairs.dedup_by_key(|(name, _)| *name);
        pairs.reverse();
        push_pairs(self.field(name), pairs);
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }
}

/// Writes an object of texts.
pub(super) fn push_pairs<'t>(out: &mut Vec<u8>, pairs: impl IntoIterator<Item = (&'t str, &'t str)>) {
    let mut object = Object::new(out);
    for (name, value) in pairs {
        object.text(name, value);
    }
    object.end();
}

/// Writes labels as an object.
pub(super) fn push_labels(out: &mut Vec<u8>, labels: &Labels) {
    push_pairs(out, labels.iter().map(|label| (label.name.as_str(), label.value.as_str())));
}

/// Writes a list; `null` for an empty one is the caller's business.
pub(super) fn push_list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut push: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push(out, item);
    }
    out.push(b']');
}

/// A time as in RFC 3339 with as many digits as it has; without one, Go's zero time.
pub(super) fn timestamp(time: Option<&prost_types::Timestamp>) -> String {
    match time {
        None => "0001-01-01T00:00:00Z".to_owned(),
        Some(time) => nanoseconds(i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos)),
    }
}

/// Nanoseconds since the epoch as in RFC 3339.
pub(super) fn nanoseconds(nanos: i128) -> String {
    let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or_default();
    let fraction = nanos.rem_euclid(1_000_000_000);
    let whole = crate::time::to_rfc3339(seconds.saturating_mul(1000));
    if fraction == 0 {
        return whole;
    }
    let digits = format!("{fraction:09}");
    let digits = digits.trim_end_matches('0');
    match whole.strip_suffix('Z') {
        Some(front) => format!("{front}.{digits}Z"),
        None => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_digits_that_they_have() {
        let time = |seconds, nanos| timestamp(Some(&prost_types::Timestamp { seconds, nanos }));
        assert_eq!(time(1_704_067_200, 0), "2024-01-01T00:00:00Z");
        assert_eq!(time(1_704_067_200, 5_000_000), "2024-01-01T00:00:00.005Z");
        assert_eq!(time(1_704_067_200, 123_456_789), "2024-01-01T00:00:00.123456789Z");
        assert_eq!(timestamp(None), "0001-01-01T00:00:00Z");
    }
}
