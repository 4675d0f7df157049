//! What the server says about itself, and how much the databases behind it hold.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use storeapi::thanos::label_matcher::Type;
use storeapi::thanos::{HeadStatistics, LabelMatcher, Statistic, TsdbStatisticsEntry, TsdbStatisticsRequest};

use super::answer::{Refusal, success};
use super::object::{Object, push_list, push_pairs};
use super::parameters::{limit, selector};
use super::tenancy::Call;
use super::{Asked, strategy, words};
use crate::json::push_whole;
use crate::time::to_rfc3339;

/// So many entries of each list are shown where the request does not say.
const LIMIT: usize = 10;

pub(super) async fn flags(State(api): Asked) -> Response {
    let mut data = Vec::new();
    push_pairs(&mut data, api.identity.flags.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    success(&data, &[])
}

pub(super) async fn build_info(State(api): Asked) -> Response {
    let mut data = Vec::new();
    let nothing = ["revision", "branch", "buildUser", "buildDate", "goVersion"].map(|name| (name, ""));
    push_pairs(&mut data, [("version", api.identity.version.as_str())].into_iter().chain(nothing));
    success(&data, &[])
}

pub(super) async fn runtime_info(State(api): Asked) -> Response {
    let mut data = Vec::new();
    let mut object = Object::new(&mut data);
    object.text("startTime", &to_rfc3339(api.identity.start_time));
    object.text("CWD", &api.identity.working_directory);
    object.whole("goroutineCount", 0);
    object.whole("GOMAXPROCS", i64::try_from(api.identity.threads).unwrap_or(i64::MAX));
    object.text("GOGC", "");
    object.text("GODEBUG", "");
    object.whole("GOMEMLIMIT", i64::MAX);
    object.end();
    success(&data, &[])
}

pub(super) async fn statistics(State(api): Asked, call: Call) -> Result<Response, Refusal> {
    let limit = match limit(&call.form)? {
        0 => LIMIT,
        limit => limit,
    };
    let mut matchers = Vec::new();
    for text in call.form.all("match[]") {
        matchers.extend(storeapi::to_wire(&selector(text)?));
    }
    let tenancy = &api.settings.tenancy;
    let asked = call.tenant()?;
    let tenant = tenancy.enforced.then_some(asked);
    if let Some(tenant) = tenant {
        let (name, value) = (tenancy.label.clone(), tenant.to_owned());
        matchers.push(LabelMatcher { r#type: Type::Eq.into(), name, value });
    }
    let overflow = |_| Refusal::bad_data(format!("limit {limit} overflows int32"));
    let request = TsdbStatisticsRequest {
        tenant: String::new(),
        limit: i32::try_from(limit).map_err(overflow)?,
        partial_response_strategy: strategy(api.settings.partial_response.status),
        matchers,
    };
    let (context, _guard) = api.context(asked);
    let failed = |text: String| Refusal::internal(format!("retrieving tsdb statistics: {text}"));
    let gathered = api.fleet.statistics(request, context).await;
    let (mut found, warnings) =
        gathered.map_err(|status| failed(format!("proxy TSDBStatistics: {}", words(&status))))?;
    let entry = match tenant {
        Some(tenant) => {
            let own = found.statistics.remove(tenant);
            own.ok_or_else(|| failed(format!("{tenant} tenant not found")))?
        }
        None => merged(found.statistics.into_values()),
    };
    let mut data = Vec::new();
    push_entry(&mut data, &entry, limit);
    Ok(success(&data, &warnings))
}

/// The statistics of all tenants together.
fn merged(entries: impl Iterator<Item = TsdbStatisticsEntry>) -> TsdbStatisticsEntry {
    let mut all = TsdbStatisticsEntry::default();
    let mut head = HeadStatistics::default();
    for entry in entries {
        let own = entry.head_statistics.unwrap_or_default();
        head.num_series = head.num_series.saturating_add(own.num_series);
        head.num_label_pairs = head.num_label_pairs.saturating_add(own.num_label_pairs);
        head.chunk_count = head.chunk_count.saturating_add(own.chunk_count);
        if head.min_time <= 0 || head.min_time > own.min_time {
            head.min_time = own.min_time;
        }
        head.max_time = head.max_time.max(own.max_time);
        let (add, most): (Together, Together) = (u64::saturating_add, u64::max);
        merge(&mut all.series_count_by_metric_name, entry.series_count_by_metric_name, add);
        // Tenants share values of labels: the sum would say more than there are.
        merge(&mut all.label_value_count_by_label_name, entry.label_value_count_by_label_name, most);
        merge(&mut all.memory_in_bytes_by_label_name, entry.memory_in_bytes_by_label_name, add);
        merge(&mut all.series_count_by_label_value_pair, entry.series_count_by_label_value_pair, add);
    }
    all.head_statistics = Some(head);
    all
}

type Together = fn(u64, u64) -> u64;

/// Takes more into a list of numbers by name, the largest first.
fn merge(into: &mut Vec<Statistic>, more: Vec<Statistic>, together: Together) {
    if into.is_empty() {
        // The order of a single one stays as it came.
        *into = more;
        return;
    }
    let known = std::mem::take(into).into_iter().map(|one| (one.name, one.value));
    let mut by_name: BTreeMap<String, u64> = known.collect();
    for Statistic { name, value } in more {
        by_name.entry(name).and_modify(|known| *known = together(*known, value)).or_insert(value);
    }
    *into = by_name.into_iter().map(|(name, value)| Statistic { name, value }).collect();
    into.sort_by_key(|one| std::cmp::Reverse(one.value));
}

fn push_entry(out: &mut Vec<u8>, entry: &TsdbStatisticsEntry, limit: usize) {
    let head = entry.head_statistics.unwrap_or_default();
    let mut object = Object::new(out);
    let mut numbers = Object::new(object.field("headStats"));
    numbers.whole("numSeries", i64::try_from(head.num_series).unwrap_or(i64::MAX));
    numbers.whole("numLabelPairs", head.num_label_pairs);
    numbers.whole("chunkCount", head.chunk_count);
    numbers.whole("minTime", head.min_time);
    numbers.whole("maxTime", head.max_time);
    numbers.end();
    let mut list = |name: &str, statistics: &[Statistic]| {
        push_list(object.field(name), statistics.iter().take(limit), push_statistic);
    };
    list("seriesCountByMetricName", &entry.series_count_by_metric_name);
    list("labelValueCountByLabelName", &entry.label_value_count_by_label_name);
    list("memoryInBytesByLabelName", &entry.memory_in_bytes_by_label_name);
    list("seriesCountByLabelValuePair", &entry.series_count_by_label_value_pair);
    object.end();
}

fn push_statistic(out: &mut Vec<u8>, statistic: &Statistic) {
    let mut object = Object::new(out);
    object.text("name", &statistic.name);
    push_whole(object.field("value"), i64::try_from(statistic.value).unwrap_or(i64::MAX));
    object.end();
}
