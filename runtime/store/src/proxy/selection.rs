//! Which of the stores a request is for.

use std::collections::BTreeSet;

use prom_model::Matcher;
use storeapi::LabelBytes;
use storeapi::thanos::LabelMatcher;
use tonic::Status;

use super::selector::matchers_for;
use super::{Member, TsdbSelector};

/// What a request asks for, as far as it decides which stores are asked.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) min_time: i64,
    pub(super) max_time: i64,
    pub(super) matchers: &'a [Matcher],
    /// `storeMatch[]`: conditions on the address, of which one list must hold; none: every store.
    pub(super) addresses: &'a [Vec<Matcher>],
}

impl Wanted<'_> {
    /// Whether a store may have something of it.
    pub(super) fn concerns(&self, member: &Member) -> bool {
        let about = &member.about;
        self.min_time <= about.max_time
            && self.max_time >= about.min_time
            && self.is_at(member)
            && may_match(self.matchers, &about.label_sets)
    }

    fn is_at(&self, member: &Member) -> bool {
        if self.addresses.is_empty() {
            return true;
        }
        let Some(address) = member.address.as_deref() else { return false };
        let matches = |matcher: &Matcher| matcher.name() != "__address__" || matcher.matches(address);
        self.addresses.iter().any(|matchers| matchers.iter().all(matches))
    }
}

/// Whether series of one of these label sets may satisfy the matchers; of no known label set: always.
pub fn may_match(matchers: &[Matcher], sets: &[LabelBytes]) -> bool {
    let fits = |set: &LabelBytes, matcher: &Matcher| {
        set.get(matcher.name().as_bytes())
            .is_none_or(|value| matcher.matches(&String::from_utf8_lossy(value)))
    };
    sets.is_empty() || sets.iter().any(|set| matchers.iter().all(|matcher| fits(set, matcher)))
}

/// A store that a request is for, with the matchers that go beyond those of the request.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) member: Member,
    pub(super) extra: Vec<LabelMatcher>,
}

/// The stores that a request is for.
pub(super) fn select(members: Vec<Member>, selector: &TsdbSelector, wanted: &Wanted<'_>) -> Vec<Selected> {
    let select = |member: Member| {
        let sets = selector.select(&member.about.label_sets)?;
        if !wanted.concerns(&member) {
            return None;
        }
        let extra = if selector.selects_all() {
            Vec::new()
        } else {
            matchers_for(&sets.into_iter().cloned().collect::<BTreeSet<_>>())
        };
        Some(Selected { member, extra })
    };
    members.into_iter().filter_map(select).collect()
}

/// The matchers of a request that are not about the labels that this store puts on everything; `None` where one of those does
/// not fit, so that there is nothing.
pub(super) fn own_matchers(
    matchers: &[LabelMatcher],
    external: &LabelBytes,
) -> Result<Option<Vec<Matcher>>, Status> {
    let matchers =
        storeapi::from_wire(matchers).map_err(|error| Status::invalid_argument(error.to_string()))?;
    let mut own = Vec::with_capacity(matchers.len());
    for matcher in matchers {
        match external.get(matcher.name().as_bytes()) {
            Some(value) if !value.is_empty() => {
                if !matcher.matches(&String::from_utf8_lossy(value)) {
                    return Ok(None);
                }
            }
            _ => own.push(matcher),
        }
    }
    Ok(Some(own))
}

#[cfg(test)]
mod tests {
    use prom_model::MatchOp;

    use super::*;
    use crate::About;

    fn sets(sets: &[&[(&str, &str)]]) -> Vec<LabelBytes> {
        let set = |pairs: &&[(&str, &str)]| {
            LabelBytes::from_pairs(pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
        };
        sets.iter().map(set).collect()
    }

    fn is_asked(about: About, wanted: &Wanted<'_>) -> bool {
        let member = Member::away("10.0.0.1:10901", about, "");
        !select(vec![member], &TsdbSelector::default(), wanted).is_empty()
    }

    #[test]
    fn a_store_is_asked_when_its_times_touch_the_range() {
        let about = About { min_time: 10, max_time: 20, ..About::whole() };
        let asked = |min_time, max_time| {
            is_asked(about.clone(), &Wanted { min_time, max_time, matchers: &[], addresses: &[] })
        };
        assert_eq!(
            [asked(0, 9), asked(0, 10), asked(15, 15), asked(20, 30), asked(21, 30)],
            [false, true, true, true, false]
        );
    }

    #[test]
    fn a_store_is_asked_when_one_of_its_label_sets_may_match() {
        let about = |label_sets| About { label_sets, ..About::whole() };
        let matchers = [
            Matcher::equal("cluster", "b"),
            Matcher::new(MatchOp::NotEqual, "job", "x").expect("is no expression"),
        ];
        let asked = |label_sets| {
            let wanted = Wanted { min_time: 0, max_time: 1, matchers: &matchers, addresses: &[] };
            is_asked(about(label_sets), &wanted)
        };
        assert!(asked(sets(&[])));
        assert!(asked(sets(&[&[("cluster", "a")], &[("cluster", "b")]])));
        assert!(asked(sets(&[&[("zone", "z")]])));
        assert!(!asked(sets(&[&[("cluster", "a")], &[("cluster", "c")]])));
        assert!(!asked(sets(&[&[("cluster", "b"), ("job", "x")]])));
    }

    #[test]
    fn addresses_are_matched_with_or_between_lists() {
        let lists = [
            vec![Matcher::equal("__address__", "other:1")],
            vec![Matcher::new(MatchOp::Regex, "__address__", "10\\..*").expect("compiles")],
        ];
        let wanted = |addresses| Wanted { min_time: 0, max_time: 1, matchers: &[], addresses };
        assert!(is_asked(About::whole(), &wanted(&lists)));
        assert!(!is_asked(About::whole(), &wanted(&lists[..1])));
    }
}
