//! One call to many endpoints.

use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use store::{Context, TENANT_KEY, go_text};
use storeapi::thanos::PartialResponseStrategy;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::{Companion, Gathered};

/// One message of an answer.
pub(super) enum Told<T> {
    Data(T),
    Warning(String),
    /// Of a kind that nobody here knows.
    Nothing,
}

/// How a call is made and what is said about it.
pub(super) struct Call<'a> {
    /// What is asked for, as in `rules`.
    pub(super) what: &'static str,
    /// The name of the service in messages, as in `status`.
    pub(super) service: &'static str,
    /// `PartialResponseStrategy` of the request.
    pub(super) strategy: i32,
    pub(super) timeout: Option<Duration>,
    pub(super) context: &'a Context,
}

impl Call<'_> {
    /// A request with the tenant of the call.
    pub(super) fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        if let Some(tenant) = &self.context.tenant
            && let Ok(value) = MetadataValue::try_from(tenant.as_str())
        {
            request.metadata_mut().insert(TENANT_KEY, value);
        }
        request
    }

    /// Calls all of them at once. What they gave comes in the order of the endpoints.
    pub(super) async fn make<M, T, C, F>(
        &self,
        companions: Vec<Companion>,
        call: C,
        read: fn(M) -> Told<T>,
    ) -> Gathered<Vec<T>>
    where
        C: Fn(&Companion, store::Channel) -> F,
        F: Future<Output = Result<Response<Streaming<M>>, Status>>,
    {
        let mut warnings = Vec::new();
        let mut running: FuturesUnordered<_> = companions
            .iter()
            .enumerate()
            .map(|(at, companion)| {
                let call = &call;
                async move { (at, self.ask(companion, call, read).await) }
            })
            .collect();
        let mut answers = Vec::new();
        let all = async {
            while let Some((at, (data, failed))) = running.next().await {
                answers.push((at, data));
                for (code, text) in failed {
                    if self.strategy == i32::from(PartialResponseStrategy::Abort) && code != Code::Ok {
                        return Err(Status::new(code, text));
                    }
                    warnings.push(text);
                }
            }
            Ok(())
        };
        tokio::select! {
            biased;
            () = self.context.cancel.cancelled() => return Err(Status::cancelled("context canceled")),
            done = all => done?,
        }
        answers.sort_by_key(|(at, _)| *at);
        warnings.sort_unstable();
        Ok((answers.into_iter().flat_map(|(_, data)| data).collect(), warnings))
    }

    /// What one endpoint gave, and what went wrong; warnings that it told itself have the code `Ok`.
    async fn ask<M, T, C, F>(
        &self,
        companion: &Companion,
        call: &C,
        read: fn(M) -> Told<T>,
    ) -> (Vec<T>, Vec<(Code, String)>)
    where
        C: Fn(&Companion, store::Channel) -> F,
        F: Future<Output = Result<Response<Streaming<M>>, Status>>,
    {
        let Call { what, service, .. } = self;
        let client = format!("{what} from {service} client {}", companion.address);
        let channel = match &companion.channel {
            Ok(channel) => channel.clone(),
            Err(why) => return (Vec::new(), vec![(Code::Unavailable, format!("fetching {client}: {why}"))]),
        };
        let mut stream = match within(self.timeout, call(companion, channel)).await {
            Ok(response) => response.into_inner(),
            Err(status) => {
                let text = format!("fetching {client}: {}", go_text(&status));
                return (Vec::new(), vec![(status.code(), text)]);
            }
        };
        let (mut data, mut warnings) = (Vec::new(), Vec::new());
        loop {
            match within(self.timeout, stream.message()).await {
                Ok(None) => return (data, warnings),
                Ok(Some(message)) => match read(message) {
                    Told::Data(item) => data.push(item),
                    Told::Warning(text) => warnings.push((Code::Ok, text)),
                    Told::Nothing => {}
                },
                Err(status) => {
                    warnings.push((status.code(), format!("receiving {client}: {}", go_text(&status))));
                    return (data, warnings);
                }
            }
        }
    }
}

async fn within<T>(
    limit: Option<Duration>,
    what: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, what)
            .await
            .unwrap_or_else(|_| Err(Status::deadline_exceeded(format!("no answer in {limit:?}")))),
        None => what.await,
    }
}
