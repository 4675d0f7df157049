//! Which lists are read, and which matchers are cheaper to try on the series.

use std::sync::Arc;

use prom_model::Matcher;
use tsdb::Corruption;
use tsdb::index::{IndexReader, MatcherPlan};

/// A matcher of which the lists are read.
#[derive(Debug)]
pub(super) struct Step {
    /// What the list is kept under.
    pub(super) key: Arc<str>,
    pub(super) plan: MatcherPlan,
}

/// What is to be done for the matchers of a call.
#[derive(Debug)]
pub(super) struct Plan {
    /// Never empty; at least one selects.
    pub(super) steps: Vec<Step>,
    /// Matchers to be tried on series.
    pub(super) lazy: Vec<Matcher>,
    /// Bytes of lists that are not read for it, as far as they were looked at.
    pub(super) lazy_bytes: u64,
}

/// So many bytes of lists are never worth trying a matcher on series instead.
const LISTS_CHEAP: u64 = 64 << 10;
/// Trying a matcher on a series costs about as much as reading so many bytes of lists.
const TRY_BYTES: u64 = 64;
/// Looking at a value costs about a part of reading a series and trying its value.
const VALUES_PER_SERIES: u64 = 4;
/// So many values are looked at in any case.
const VALUES_CHEAP: u64 = 256;

/// Plans; `None` where no series can satisfy all.
///
/// Matchers that list what they want come first, as they are cheap to look up and usually select the fewest series. Against
/// those few the others are weighed: looking through all values of a label, and reading many lists, may cost more than reading
/// the series that are left and trying the matcher on each.
pub(super) fn plan(index: &IndexReader, matchers: &[Matcher]) -> Result<Option<Plan>, Corruption> {
    let mut kept: Vec<(&Matcher, MatcherPlan)> = Vec::new();
    let mut lazy: Vec<Matcher> = Vec::new();
    let mut lazy_bytes = 0;
    let (listed, others): (Vec<_>, Vec<_>) =
        matchers.iter().partition(|matcher| IndexReader::is_listed(matcher));
    for matcher in listed {
        let plan = index.plan(matcher)?;
        match (plan.lists.is_empty(), plan.subtracts) {
            (true, false) => return Ok(None),
            (true, true) => {}
            (false, _) => kept.push((matcher, plan)),
        }
    }
    let mut sized = Vec::new();
    for matcher in others {
        match index.label_extent(matcher.name())? {
            Some(extent) => sized.push((extent.values, matcher)),
            // No series has the label.
            None if matcher.matches_empty() => {}
            None => return Ok(None),
        }
    }
    sized.sort_by_key(|(values, _)| *values);
    for (values, matcher) in sized {
        let fewest = fewest(&kept);
        if u64::from(values) > fewest.saturating_mul(VALUES_PER_SERIES).max(VALUES_CHEAP) {
            lazy.push(matcher.clone());
            continue;
        }
        let plan = index.plan(matcher)?;
        match (plan.lists.is_empty(), plan.subtracts) {
            (true, false) => return Ok(None),
            (true, true) => {}
            (false, _) => kept.push((matcher, plan)),
        }
    }
    if !kept.iter().any(|(_, plan)| !plan.subtracts) {
        let all = index.all_postings_extent()?;
        let lists = all.into_iter().collect();
        let everything = MatcherPlan { subtracts: false, lists };
        let steps = kept.iter().map(|(matcher, plan)| Step { key: key(matcher), plan: plan.clone() });
        let steps = std::iter::once(Step { key: "".into(), plan: everything }).chain(steps).collect();
        return Ok(Some(Plan { steps, lazy, lazy_bytes }));
    }
    let fewest = fewest(&kept);
    let worth = fewest.saturating_mul(TRY_BYTES).max(LISTS_CHEAP);
    let mut steps = Vec::with_capacity(kept.len());
    for (matcher, plan) in kept {
        let leads = !plan.subtracts && plan.series_max() == fewest;
        if leads || plan.bytes() <= worth {
            steps.push(Step { key: key(matcher), plan });
        } else {
            lazy_bytes += plan.bytes();
            lazy.push(matcher.clone());
        }
    }
    Ok(Some(Plan { steps, lazy, lazy_bytes }))
}

/// The most series that can be left, as far as it is known.
fn fewest(kept: &[(&Matcher, MatcherPlan)]) -> u64 {
    let selecting = kept.iter().filter(|(_, plan)| !plan.subtracts);
    selecting.map(|(_, plan)| plan.series_max()).min().unwrap_or(u64::MAX)
}

fn key(matcher: &Matcher) -> Arc<str> {
    matchers_key(std::slice::from_ref(matcher)).into()
}

/// A text that only these matchers have.
pub(super) fn matchers_key(matchers: &[Matcher]) -> String {
    let mut key = String::new();
    for matcher in matchers {
        for part in [matcher.name(), matcher.op().as_str(), matcher.value()] {
            key.push_str(&part.len().to_string());
            key.push(':');
            key.push_str(part);
        }
    }
    key
}
