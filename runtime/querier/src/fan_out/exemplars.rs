//! Exemplars of several stores, by series.

use std::cmp::Ordering;

use prom_model::Matcher;
use promql_syntax::{ParseOptions, parse_with, prometheus_error_text};
use store::{Context, may_match};
use storeapi::LabelBytes;
use storeapi::thanos::exemplars_client::ExemplarsClient;
use storeapi::thanos::exemplars_response::Result as Answer;
use storeapi::thanos::{Exemplar, ExemplarData, ExemplarsRequest, ExemplarsResponse};
use tonic::Status;

use super::gather::{Call, Told};
use super::labels::{compare, strip};
use crate::{Companion, FanOut, Gathered, Offer};

impl FanOut {
    /// All exemplars as they came.
    pub(super) async fn all_exemplars(
        &self,
        request: ExemplarsRequest,
        context: Context,
    ) -> Gathered<Vec<ExemplarData>> {
        let (expr, errors) = parse_with(&request.query, &ParseOptions::ALL);
        let Some(expr) = expr.filter(|_| errors.is_empty()) else {
            let text = prometheus_error_text(&errors, &request.query).unwrap_or_default();
            return Err(Status::unknown(text));
        };
        let all = promql_syntax::selectors(&expr);
        let selectors: Vec<Vec<Matcher>> = all
            .iter()
            .filter_map(|selector| without(selector.matchers(), &self.settings.selector_labels))
            .collect();
        if selectors.is_empty() && !all.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        if selectors.iter().all(Vec::is_empty) {
            return Err(Status::invalid_argument("no matchers specified (excluding external labels)"));
        }
        let call = Call {
            what: "exemplars",
            service: "exemplars",
            strategy: request.partial_response_strategy,
            timeout: self.settings.response_timeout,
            context: &context,
        };
        let ask = |companion: &Companion, channel| {
            let query = query_for(companion, &selectors).unwrap_or_default();
            let request = call.request(ExemplarsRequest { query, ..request.clone() });
            async move {
                let client = ExemplarsClient::new(channel).max_decoding_message_size(storeapi::MESSAGE_MAX);
                { client }.exemplars(request).await
            }
        };
        let read = |message: ExemplarsResponse| match message.result {
            Some(Answer::Data(data)) => Told::Data(data),
            Some(Answer::Warning(text)) => Told::Warning(text),
            None => Told::Nothing,
        };
        let mut companions = self.companions.offering(Offer::Exemplars);
        companions.retain(|companion| query_for(companion, &selectors).is_some());
        call.make(companions, ask, read).await
    }
}

/// The matchers that are not about labels of everything here; `None` where one of those does not fit.
fn without(matchers: &[Matcher], external: &LabelBytes) -> Option<Vec<Matcher>> {
    let mut own = Vec::new();
    for matcher in matchers {
        match external.get(matcher.name().as_bytes()) {
            Some(value) if !value.is_empty() => {
                if !matcher.matches(&String::from_utf8_lossy(value)) {
                    return None;
                }
            }
            _ => own.push(matcher.clone()),
        }
    }
    Some(own)
}

/// The query for one endpoint: the selectors that may match there, added up. Prometheus does not know its external labels, so
/// matchers on them are left out unless a querier is asked. `None` where nothing can match.
fn query_for(companion: &Companion, selectors: &[Vec<Matcher>]) -> Option<String> {
    let is_external = |name: &str| companion.label_sets.iter().any(|set| set.get(name.as_bytes()).is_some());
    let text = |matchers: &Vec<Matcher>| {
        let kept: Vec<String> = matchers
            .iter()
            .filter(|matcher| companion.component == "query" || !is_external(matcher.name()))
            .map(ToString::to_string)
            .collect();
        format!("{{{}}}", kept.join(", "))
    };
    let parts: Vec<String> =
        selectors.iter().filter(|matchers| may_match(matchers, &companion.label_sets)).map(text).collect();
    (!parts.is_empty()).then(|| parts.join("+"))
}

/// Exemplars by series in the order of their labels, each once in the order of their times.
pub(super) fn merge(mut all: Vec<ExemplarData>, replica_labels: &[String]) -> Vec<ExemplarData> {
    all.retain(|data| !data.exemplars.is_empty());
    for data in &mut all {
        strip(&mut data.series_labels, replica_labels);
        for exemplar in &mut data.exemplars {
            strip(&mut exemplar.labels, &[]);
        }
    }
    let by_series = |one: &ExemplarData, two: &ExemplarData| {
        compare(one.series_labels.as_ref(), two.series_labels.as_ref())
    };
    all.sort_by(by_series);
    let mut merged: Vec<ExemplarData> = Vec::with_capacity(all.len());
    for data in all {
        match merged.last_mut() {
            Some(last) if by_series(last, &data).is_eq() => last.exemplars.extend(data.exemplars),
            _ => merged.push(data),
        }
    }
    for data in &mut merged {
        data.exemplars.sort_by(order);
        data.exemplars.dedup_by(|later, first| order(first, later).is_eq());
    }
    merged
}

fn order(one: &Exemplar, two: &Exemplar) -> Ordering {
    one.ts
        .cmp(&two.ts)
        .then_with(|| compare(one.labels.as_ref(), two.labels.as_ref()))
        .then_with(|| one.value.total_cmp(&two.value))
}
