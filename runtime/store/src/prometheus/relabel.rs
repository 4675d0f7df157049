//! What becomes of the labels of a series on their way out: external labels are put in, replica labels are taken away.

use bytes::Bytes;
use prom_model::Labels;
use storeapi::LabelBytes;

/// The external labels that go into every series, and the names that go out of every series.
#[derive(Debug, Clone, Default)]
pub(super) struct Relabel {
    /// Sorted by name; without those that are removed again.
    added: Vec<(Bytes, Bytes)>,
    /// Sorted.
    removed: Vec<Bytes>,
}

impl Relabel {
    pub(super) fn new(external: &Labels, without: &[String]) -> Self {
        let mut removed: Vec<Bytes> =
            without.iter().map(|name| Bytes::copy_from_slice(name.as_bytes())).collect();
        removed.sort_unstable();
        removed.dedup();
        let copy = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let added = external
            .iter()
            .filter(|label| !without.contains(&label.name))
            .map(|label| (copy(&label.name), copy(&label.value)))
            .collect();
        Relabel { added, removed }
    }

    /// The labels as they go out. What needs no change is shared, not copied.
    pub(super) fn apply(&self, labels: LabelBytes) -> LabelBytes {
        let labels = if self.removed.is_empty() { labels } else { labels.without(|name| self.removes(name)) };
        if self.is_in(&labels) {
            return labels;
        }
        labels.with(self.added.iter().map(|(name, value)| (name.as_ref(), value.as_ref())))
    }

    /// Whether the external labels are there already, as Prometheus adds them itself to what it streams.
    fn is_in(&self, labels: &LabelBytes) -> bool {
        let mut missing = self.added.iter().peekable();
        for (name, value) in labels {
            match missing.peek() {
                None => return true,
                Some((wanted, its)) if wanted == name => {
                    if its != value {
                        return false;
                    }
                    missing.next();
                }
                Some((wanted, _)) if wanted.as_ref() < name => return false,
                Some(_) => {}
            }
        }
        missing.next().is_none()
    }

    /// Whether a label of this name is an external one.
    pub(super) fn adds(&self, name: &[u8]) -> bool {
        self.added.binary_search_by(|(known, _)| known.as_ref().cmp(name)).is_ok()
    }

    fn removes(&self, name: &[u8]) -> bool {
        self.removed.binary_search_by(|known| known.as_ref().cmp(name)).is_ok()
    }

    /// From which name on own labels can change the order, given all names of own labels; `None` where they cannot.
    ///
    /// Where a label of one name goes out of some series and others never had it, any two series can change places.
    pub(super) fn first_changed<'a>(&self, own: impl IntoIterator<Item = &'a str>) -> Option<Bytes> {
        let mut first: Option<&[u8]> = None;
        for name in own.into_iter().map(str::as_bytes) {
            if self.removes(name) {
                return Some(Bytes::new());
            }
            if self.adds(name) && first.is_none_or(|first| name < first) {
                first = Some(name);
            }
        }
        first.map(Bytes::copy_from_slice)
    }
}
