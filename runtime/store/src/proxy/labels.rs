//! Label names and values of several stores as one list.

use std::future::Future;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use storeapi::thanos::{LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse};
use tonic::Status;

use super::inflow::{GivenUp, lost, within};
use super::message::Failure;
use super::selection::{Selected, Wanted, own_matchers, select};
use super::{Access, Member, ProxyStore};
use crate::{Context, partial_response_disabled};

/// Texts, each once and sorted, and what went wrong with some of the stores.
#[derive(Debug, Default)]
struct Union {
    texts: Vec<String>,
    warnings: Vec<String>,
}

impl Union {
    fn finish(mut self, limit: i64) -> (Vec<String>, Vec<String>) {
        self.texts.sort_unstable();
        self.texts.dedup();
        if let Ok(limit) = usize::try_from(limit)
            && limit > 0
        {
            self.texts.truncate(limit);
        }
        (self.texts, self.warnings)
    }
}

/// One store's answer: texts and warnings.
type Answer = Result<(Vec<String>, Vec<String>), Status>;

/// What came of asking a store.
enum Outcome {
    Answered(Answer),
    GivenUp(GivenUp),
    /// Nobody was asked.
    Away,
}

impl From<Result<Answer, GivenUp>> for Outcome {
    fn from(answer: Result<Answer, GivenUp>) -> Self {
        answer.map_or_else(Outcome::GivenUp, Outcome::Answered)
    }
}

impl ProxyStore {
    pub(super) async fn names(
        &self,
        request: LabelNamesRequest,
        context: Context,
    ) -> Result<LabelNamesResponse, Status> {
        let Some(own) = own_matchers(&request.matchers, &self.settings.selector_labels)? else {
            return Ok(LabelNamesResponse::default());
        };
        let store_match = Arc::clone(&context.store_match);
        let wanted = Wanted {
            min_time: request.start,
            max_time: request.end,
            matchers: &own,
            addresses: &store_match,
        };
        let abort =
            partial_response_disabled(request.partial_response_disabled, request.partial_response_strategy);
        let ask = |selected: Selected| {
            let mut matchers = storeapi::to_wire(&own);
            matchers.extend(selected.extra);
            // The first names of each store need not be the first names of all: the union is cut, not its parts.
            let request = LabelNamesRequest { matchers, limit: 0, ..request.clone() };
            let context = context.clone();
            let member = selected.member;
            async move {
                let Access::Open(store) = &member.access else { return (member, Outcome::Away) };
                let removed = request.without_replica_labels.clone();
                let answer = within(
                    self.settings.response_timeout,
                    &member.conduct,
                    store.label_names(request, context),
                );
                let answer = answer.await.map(|answer| {
                    answer.map(|mut response| {
                        if !member.about.supports_without_replica_labels {
                            response.names.retain(|name| !removed.contains(name));
                        }
                        (response.names, response.warnings)
                    })
                });
                (member, Outcome::from(answer))
            }
        };
        let union = self.unite(&wanted, abort, "names", ask).await?;
        let (names, warnings) = union.finish(request.limit);
        Ok(LabelNamesResponse { names, warnings, hints: None })
    }

    pub(super) async fn values(
        &self,
        request: LabelValuesRequest,
        context: Context,
    ) -> Result<LabelValuesResponse, Status> {
        if request.label.is_empty() {
            return Err(Status::invalid_argument("label name parameter cannot be empty"));
        }
        let Some(own) = own_matchers(&request.matchers, &self.settings.selector_labels)? else {
            return Ok(LabelValuesResponse::default());
        };
        let store_match = Arc::clone(&context.store_match);
        let wanted = Wanted {
            min_time: request.start,
            max_time: request.end,
            matchers: &own,
            addresses: &store_match,
        };
        let abort =
            partial_response_disabled(request.partial_response_disabled, request.partial_response_strategy);
        let ask = |selected: Selected| {
            let mut matchers = storeapi::to_wire(&own);
            matchers.extend(selected.extra);
            let request = LabelValuesRequest { matchers, hints: None, ..request.clone() };
            let context = context.clone();
            let member = selected.member;
            async move {
                let Access::Open(store) = &member.access else { return (member, Outcome::Away) };
                let is_removed = !member.about.supports_without_replica_labels
                    && request.without_replica_labels.contains(&request.label);
                if is_removed {
                    return (member, Outcome::Answered(Ok((Vec::new(), Vec::new()))));
                }
                let answer = within(
                    self.settings.response_timeout,
                    &member.conduct,
                    store.label_values(request, context),
                );
                let answer =
                    answer.await.map(|answer| answer.map(|response| (response.values, response.warnings)));
                (member, Outcome::from(answer))
            }
        };
        let union = self.unite(&wanted, abort, "values", ask).await?;
        let (values, warnings) = union.finish(request.limit);
        Ok(LabelValuesResponse { values, warnings, hints: None })
    }

    /// Asks all stores at once.
    async fn unite<A>(
        &self,
        wanted: &Wanted<'_>,
        abort: bool,
        what: &str,
        ask: impl Fn(Selected) -> A,
    ) -> Result<Union, Status>
    where
        A: Future<Output = (Member, Outcome)>,
    {
        let mut asked: FuturesUnordered<A> =
            select(self.members.members(), &self.settings.selector, wanted).into_iter().map(ask).collect();
        let mut union = Union::default();
        while let Some((member, answer)) = asked.next().await {
            let failure = match (answer, &member.access) {
                (Outcome::Answered(Ok((texts, warnings))), _) => {
                    union.texts.extend(texts);
                    union.warnings.extend(warnings);
                    continue;
                }
                (Outcome::Answered(Err(status)), _) => Failure::of_labels(&member, what, &status),
                (Outcome::GivenUp(GivenUp::Lost), _) => Failure::of_labels(&member, what, &lost()),
                (Outcome::GivenUp(GivenUp::Silent), _) => {
                    let limit = self.settings.response_timeout.unwrap_or_default();
                    Failure::labels_silent(&member, what, limit)
                }
                (Outcome::Away, Access::Away(why)) => Failure::labels_away(&member, what, why),
                // An open store was asked.
                (Outcome::Away, Access::Open(_)) => continue,
            };
            if abort {
                return Err(failure.into_status());
            }
            union.warnings.push(failure.into_warning());
        }
        // The order of the answers is chance.
        union.warnings.sort_unstable();
        Ok(union)
    }
}
