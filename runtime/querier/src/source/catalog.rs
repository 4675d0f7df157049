//! Label names and values of stores.

use std::collections::BTreeSet;

use prom_model::Matcher;
use promql::SourceError;
use query::{Catalog, Found, Scope};
use storeapi::thanos::{LabelMatcher, LabelNamesRequest, LabelValuesRequest};
use storeapi::to_wire;
use tonic::Status;

use super::{StoreFailure, StoreSource};

impl Catalog for StoreSource {
    fn label_names(&self, scope: &Scope) -> Result<Found, SourceError> {
        self.look(scope, "LabelNames", |source, matchers| {
            let request = LabelNamesRequest {
                partial_response_strategy: source.strategy(),
                start: scope.min_time,
                end: scope.max_time,
                matchers,
                without_replica_labels: source.options.removed_labels(),
                limit: source.options.limit,
                ..LabelNamesRequest::default()
            };
            async move {
                let answer = source.store.label_names(request, source.context.clone()).await?;
                Ok((answer.names, answer.warnings))
            }
        })
    }

    fn label_values(&self, name: &str, scope: &Scope) -> Result<Found, SourceError> {
        self.look(scope, "LabelValues", |source, matchers| {
            let request = LabelValuesRequest {
                label: name.to_owned(),
                partial_response_strategy: source.strategy(),
                start: scope.min_time,
                end: scope.max_time,
                matchers,
                without_replica_labels: source.options.removed_labels(),
                limit: source.options.limit,
                ..LabelValuesRequest::default()
            };
            async move {
                let answer = source.store.label_values(request, source.context.clone()).await?;
                Ok((answer.values, answer.warnings))
            }
        })
    }

    /// Stores do not say before they are asked.
    fn series_at_most(&self, _matchers: &[Matcher], _min_time: i64, _max_time: i64) -> u64 {
        u64::MAX
    }
}

impl StoreSource {
    /// Asks once for each set of matchers, and puts the answers together.
    fn look<'s, F>(
        &'s self,
        scope: &Scope,
        call: &'static str,
        ask: impl Fn(&'s Self, Vec<LabelMatcher>) -> F,
    ) -> Result<Found, SourceError>
    where
        F: Future<Output = Result<(Vec<String>, Vec<String>), Status>>,
    {
        let everything = [Vec::new()];
        let sets = if scope.matchers.is_empty() { &everything[..] } else { &scope.matchers[..] };
        let (mut texts, mut warnings) = (BTreeSet::new(), Vec::new());
        for set in sets {
            let answer = async {
                tokio::select! {
                    biased;
                    () = self.context.cancel.cancelled() => Err(Status::cancelled("context canceled")),
                    answer = ask(self, to_wire(set)) => answer,
                }
            };
            let (found, said) = self
                .runtime
                .block_on(self.caller.scope(answer))
                .map_err(|status| StoreFailure::new(call, status))?;
            texts.extend(found);
            for text in said {
                if !warnings.contains(&text) {
                    warnings.push(text);
                }
            }
        }
        Ok(Found { texts: texts.into_iter().collect(), warnings })
    }
}
