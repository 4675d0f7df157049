//! Statistics of several heads added up.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use store::Context;
use storeapi::thanos::status_client::StatusClient;
use storeapi::thanos::tsdb_statistics_response::Result as Answer;
use storeapi::thanos::{
    HeadStatistics, Statistic, TsdbStatistics, TsdbStatisticsEntry, TsdbStatisticsRequest,
    TsdbStatisticsResponse,
};

use super::gather::{Call, Told};
use crate::{FanOut, Gathered, Offer};

impl FanOut {
    /// All statistics as they came.
    pub(super) async fn all_statistics(
        &self,
        request: TsdbStatisticsRequest,
        context: Context,
    ) -> Gathered<Vec<TsdbStatistics>> {
        let call = Call {
            what: "tsdb statistics",
            service: "status",
            strategy: request.partial_response_strategy,
            timeout: self.settings.response_timeout,
            context: &context,
        };
        let ask = |_: &_, channel| {
            let request = call.request(request.clone());
            async move {
                let client = StatusClient::new(channel).max_decoding_message_size(storeapi::MESSAGE_MAX);
                { client }.tsdb_statistics(request).await
            }
        };
        let read = |message: TsdbStatisticsResponse| match message.result {
            Some(Answer::Statistics(statistics)) => Told::Data(statistics),
            Some(Answer::Warning(text)) => Told::Warning(text),
            None => Told::Nothing,
        };
        call.make(self.companions.offering(Offer::Status), ask, read).await
    }
}

/// By tenant: numbers added, times widened. How many values a label has is not added: several heads know the same values, so the
/// greatest number is taken.
pub(super) fn merge(all: Vec<TsdbStatistics>) -> TsdbStatistics {
    let mut merged: BTreeMap<String, TsdbStatisticsEntry> = BTreeMap::new();
    for (tenant, entry) in all.into_iter().flat_map(|statistics| statistics.statistics) {
        let known = merged.entry(tenant).or_default();
        let (head, its) =
            (known.head_statistics.get_or_insert_default(), entry.head_statistics.unwrap_or_default());
        add_head(head, &its);
        add(&mut known.series_count_by_metric_name, entry.series_count_by_metric_name, u64::saturating_add);
        add(&mut known.label_value_count_by_label_name, entry.label_value_count_by_label_name, u64::max);
        add(
            &mut known.memory_in_bytes_by_label_name,
            entry.memory_in_bytes_by_label_name,
            u64::saturating_add,
        );
        add(
            &mut known.series_count_by_label_value_pair,
            entry.series_count_by_label_value_pair,
            u64::saturating_add,
        );
    }
    TsdbStatistics { statistics: merged }
}

fn add_head(head: &mut HeadStatistics, its: &HeadStatistics) {
    head.num_series = head.num_series.saturating_add(its.num_series);
    head.num_label_pairs = head.num_label_pairs.saturating_add(its.num_label_pairs);
    head.chunk_count = head.chunk_count.saturating_add(its.chunk_count);
    if head.min_time <= 0 || head.min_time > its.min_time {
        head.min_time = its.min_time;
    }
    head.max_time = head.max_time.max(its.max_time);
}

fn add(known: &mut Vec<Statistic>, its: Vec<Statistic>, join: fn(u64, u64) -> u64) {
    let mut by_name: BTreeMap<String, u64> = BTreeMap::new();
    for Statistic { name, value } in std::mem::take(known).into_iter().chain(its) {
        by_name.entry(name).and_modify(|known| *known = join(*known, value)).or_insert(value);
    }
    let list = by_name.into_iter().map(|(name, value)| Statistic { name, value });
    known.extend(list);
    // Stable: equal values stay in the order of names.
    known.sort_by_key(|statistic| Reverse(statistic.value));
}
