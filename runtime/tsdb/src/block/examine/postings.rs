//! Whether each list of postings has exactly the series that have its label.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::index::{IndexReader, Series, SeriesRef};

use super::{ProblemKind, Problems};

/// How many series have a label, and a fingerprint of which ones they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Count {
    series: u64,
    fingerprint: u64,
}

impl Count {
    fn add(&mut self, series: SeriesRef) {
        self.series = self.series.wrapping_add(1);
        self.fingerprint = self.fingerprint.wrapping_add(mixed(series.0.into()));
    }
}

/// Spreads the bits, so that sums of different sets differ (the finaliser of MurmurHash3).
const fn mixed(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    bits ^ bits >> 33
}

/// What the lists should have, by the symbols of name and value.
#[derive(Debug, Default)]
pub(super) struct LabelCounts(HashMap<(u32, u32), Count, RandomState>);

impl LabelCounts {
    pub(super) fn add(&mut self, series: &Series) {
        for (at, label) in series.labels.iter().enumerate() {
            // A label that a series has twice is in its list once.
            if series.labels.get(..at).is_none_or(|before| !before.contains(label)) {
                self.0.entry(*label).or_default().add(series.reference);
            }
        }
    }

    /// Reads all lists. What they should have is known only where all series could be read.
    pub(super) fn compare(mut self, index: &IndexReader, series_are_whole: bool, problems: &mut Problems) {
        let mut wrong = 0_u64;
        let names: Vec<Vec<u8>> =
            index.table().names().map(|(name, _)| name.to_vec()).filter(|name| !name.is_empty()).collect();
        for name in names {
            let Some(mut walk) = index.table().walk(&name) else { continue };
            loop {
                let (value, offset) = match walk.next_entry() {
                    Ok(Some(entry)) => (entry.value.to_vec(), entry.offset),
                    Ok(None) => break,
                    Err(corruption) => {
                        problems.add_corruption(&corruption);
                        break;
                    }
                };
                let postings = match index.postings_at(offset) {
                    Ok(postings) => postings,
                    Err(corruption) => {
                        self.forget(index, &name, &value);
                        problems.add_corruption(&corruption);
                        continue;
                    }
                };
                let mut count = Count::default();
                postings.iter().for_each(|series| count.add(series));
                let expected = self.forget(index, &name, &value).unwrap_or_default();
                if series_are_whole && count != expected {
                    wrong = wrong.wrapping_add(1);
                    let label = format!(
                        "{}={}",
                        String::from_utf8_lossy(&name),
                        prom_model::quote(&String::from_utf8_lossy(&value))
                    );
                    let detail = match count.series == expected.series {
                        true => format!("the list of {label} has other series than those with this label"),
                        false => format!(
                            "the list of {label} has {} series, {} have this label",
                            count.series, expected.series
                        ),
                    };
                    problems.add(ProblemKind::IndexPostings, detail);
                }
            }
        }
        let left = self.0.len();
        if series_are_whole && left > 0 && wrong == 0 {
            problems.add(
                ProblemKind::IndexPostingsTable,
                format!("{left} labels of series have no list of postings"),
            );
        }
    }

    /// What a list should have; nothing is left behind.
    fn forget(&mut self, index: &IndexReader, name: &[u8], value: &[u8]) -> Option<Count> {
        let symbol = |text| index.symbols().find(text).ok().flatten();
        self.0.remove(&(symbol(name)?, symbol(value)?))
    }
}
