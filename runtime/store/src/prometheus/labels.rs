//! Names and values of labels: Prometheus' answers with the external labels among them.

use std::collections::BTreeSet;

use prom_model::Matcher;
use storeapi::thanos::{LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse};
use tonic::Status;

use super::PrometheusStore;
use super::client::{Failure, seconds};
use super::matchers::{selector, without_external};
use super::series_api::series;

/// A name or a value as it came, which was UTF-8.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl PrometheusStore {
    pub(super) async fn names(&self, request: LabelNamesRequest) -> Result<LabelNamesResponse, Status> {
        let external = self.peer.labels();
        let Some(matchers) = without_external(&request.matchers, &external)? else {
            return Ok(LabelNamesResponse::default());
        };
        let range = (request.start, request.end);
        let mut names: BTreeSet<String> = if self.asks_with(&matchers) {
            self.listed(&["api", "v1", "labels"], &matchers, range, request.limit).await?
        } else {
            let sets = series(&self.client, &matchers, range, request.limit).await?;
            sets.iter().flat_map(|set| set.0.iter()).map(|(name, _)| text(name)).collect()
        };
        if !names.is_empty() {
            names.extend(external.iter().map(|label| label.name.clone()));
        }
        names.retain(|name| !request.without_replica_labels.contains(name));
        Ok(LabelNamesResponse { names: names.into_iter().collect(), ..LabelNamesResponse::default() })
    }

    pub(super) async fn values(&self, request: LabelValuesRequest) -> Result<LabelValuesResponse, Status> {
        if request.label.is_empty() {
            return Err(Status::invalid_argument("label name parameter cannot be empty"));
        }
        let answer = |values| Ok(LabelValuesResponse { values, ..LabelValuesResponse::default() });
        if request.without_replica_labels.contains(&request.label) {
            return answer(Vec::new());
        }
        let external = self.peer.labels();
        let Some(matchers) = without_external(&request.matchers, &external)? else {
            return answer(Vec::new());
        };
        let range = (request.start, request.end);
        if let Some(value) = external.get(&request.label) {
            let there = matchers.is_empty()
                || !series(&self.client, &matchers, range, request.limit).await?.is_empty();
            return answer(if there { vec![value.to_owned()] } else { Vec::new() });
        }
        let values: BTreeSet<String> = if self.asks_with(&matchers) {
            let path = ["api", "v1", "label", request.label.as_str(), "values"];
            self.listed(&path, &matchers, range, request.limit).await?
        } else {
            let sets = series(&self.client, &matchers, range, request.limit).await?;
            sets.iter().filter_map(|set| set.0.get(request.label.as_bytes())).map(text).collect()
        };
        answer(values.into_iter().collect())
    }

    /// Whether Prometheus' label calls can be asked with these matchers.
    fn asks_with(&self, matchers: &[Matcher]) -> bool {
        matchers.is_empty() || self.peer.label_calls_take_matchers()
    }

    /// What a label call lists.
    pub(super) async fn listed(
        &self,
        path: &[&str],
        matchers: &[Matcher],
        (start, end): (i64, i64),
        limit: i64,
    ) -> Result<BTreeSet<String>, Failure> {
        let mut query = Vec::new();
        if !matchers.is_empty() {
            query.push(("match[]", selector(matchers)));
        }
        query.extend([("start", seconds(start)), ("end", seconds(end))]);
        if limit > 0 {
            query.push(("limit", limit.to_string()));
        }
        self.client.data(path, &query).await
    }
}
