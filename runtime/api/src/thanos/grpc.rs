//! The service `thanos.Query`: queriers that ask queriers.

mod series;

use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use futures::stream::BoxStream;
use prom_model::Matcher;
use promql::{Answer, QueryRange, Symbols, Value};
use storeapi::prometheus::TimeSeries;
use storeapi::thanos::query_server::{Query, QueryServer};
use storeapi::thanos::{
    EngineType, QueryRangeRequest, QueryRangeResponse, QueryRequest, QueryResponse, QueryStats, ShardInfo,
    StoreMatchers, TimeSeriesBatch, query_range_response, query_response,
};
use tonic::{Request, Response, Status};

use super::answer::warnings;
use super::parameters::default_lookback_delta;
use super::query::Wanted;
use super::{EngineName, Reading, ThanosApi};
use crate::evaluate::{Evaluated, Question};

/// Answers queries with the same evaluator as the HTTP API.
#[derive(Debug, Clone)]
pub struct QueryService(ThanosApi);

impl QueryService {
    /// A service over what the HTTP API works with.
    pub fn new(api: ThanosApi) -> Self {
        QueryService(api)
    }

    /// The service for a server, without a limit on the size of messages.
    pub fn into_server(self) -> QueryServer<Self> {
        QueryServer::new(self)
            .max_decoding_message_size(storeapi::MESSAGE_MAX)
            .max_encoding_message_size(storeapi::MESSAGE_MAX)
    }
}

/// What both requests share, as they give it.
struct Asked {
    query: String,
    range: QueryRange,
    timeout_seconds: i64,
    max_resolution_seconds: i64,
    replica_labels: Vec<String>,
    store_matchers: Vec<StoreMatchers>,
    dedup: bool,
    partial_response: bool,
    shard: Option<ShardInfo>,
    lookback_delta_seconds: i64,
    engine: i32,
    tenant: Option<String>,
}

/// Why there is no answer: the call failed, or evaluation did.
enum Failed {
    Call(Status),
    Evaluation(String),
}

impl QueryService {
    fn wanted(&self, asked: Asked) -> Result<Wanted, Status> {
        let settings = &self.0.settings;
        let engine = match EngineType::try_from(asked.engine) {
            Ok(EngineType::DefaultEngine) => settings.engine,
            Ok(EngineType::PrometheusEngine) => EngineName::Prometheus,
            Ok(EngineType::ThanosEngine) => EngineName::Thanos,
            Err(_) => return Err(Status::invalid_argument("invalid engine parameter")),
        };
        let store_match: Vec<Vec<Matcher>> = asked
            .store_matchers
            .iter()
            .map(|set| storeapi::from_wire(&set.label_matchers))
            .collect::<Result<_, _>>()
            .map_err(|error| Status::unknown(error.to_string()))?;
        let max_resolution = match asked.max_resolution_seconds {
            0 => settings.instant_max_source_resolution,
            seconds => seconds.saturating_mul(1000),
        };
        let lookback_delta = match asked.lookback_delta_seconds {
            seconds @ 1.. => seconds.saturating_mul(1000),
            _ => default_lookback_delta(settings, max_resolution),
        };
        let replica_labels = if asked.replica_labels.is_empty() {
            settings.replica_labels.clone()
        } else {
            asked.replica_labels
        };
        let timeout = match asked.timeout_seconds {
            0 => None,
            seconds => Some(Duration::from_secs(seconds.max(0).unsigned_abs())),
        };
        let reading = Reading {
            dedup: asked.dedup,
            replica_labels,
            store_match: store_match.into(),
            max_resolution,
            partial_response: asked.partial_response,
            shard: asked.shard,
            limit: 0,
            times: None,
            tenant: asked.tenant.unwrap_or_else(|| settings.tenancy.default.clone()),
            cancel: Default::default(),
            budget: self.0.budget(),
        };
        let question = Question {
            query: asked.query,
            range: asked.range,
            lookback_delta: Some(lookback_delta),
            timeout,
            step_stats: false,
            analyze: false,
        };
        Ok(Wanted::new(question, engine, reading))
    }

    async fn evaluate(&self, asked: Asked) -> Result<(Evaluated, EngineName), Failed> {
        let late = asked.timeout_seconds < 0;
        let wanted = self.wanted(asked).map_err(Failed::Call)?;
        let engine = wanted.engine;
        self.0.evaluator.prepare(&wanted.question).map_err(|reason| {
            Failed::Call(Status::unknown(super::answer::Refusal::unanswered(&reason).text()))
        })?;
        if late {
            return Err(Failed::Evaluation("query timed out in query execution".to_owned()));
        }
        match wanted.evaluate(&self.0).await {
            Ok(evaluated) => Ok((evaluated, engine)),
            Err(refusal) => Err(Failed::Evaluation(refusal.text().to_owned())),
        }
    }
}

#[tonic::async_trait]
impl Query for QueryService {
    type QueryStream = BoxStream<'static, Result<QueryResponse, Status>>;

    async fn query(&self, request: Request<QueryRequest>) -> Result<Response<Self::QueryStream>, Status> {
        let tenant = store::tenant(request.metadata());
        let request = request.into_inner();
        let time = match request.time_seconds {
            0 => self.0.evaluator.clock().now().as_millis(),
            seconds => seconds.saturating_mul(1000),
        };
        let partial_response = request.enable_partial_response;
        let asked = Asked {
            query: request.query,
            range: QueryRange::Instant { time },
            timeout_seconds: request.timeout_seconds,
            max_resolution_seconds: request.max_resolution_seconds,
            replica_labels: request.replica_labels,
            store_matchers: request.store_matchers,
            dedup: request.enable_dedup,
            partial_response,
            shard: request.shard_info,
            lookback_delta_seconds: request.lookback_delta_seconds,
            engine: request.engine,
            tenant,
        };
        use query_response::Result as Frame;
        let wrap = |frame| Ok(QueryResponse { result: Some(frame) });
        match self.evaluate(asked).await {
            Ok((evaluated, engine)) => {
                let frames = frames(evaluated, engine, request.response_batch_size, Kind::Instant);
                Ok(Response::new(Box::pin(mapped(frames, move |frame| {
                    wrap(match frame {
                        Out::Warning(text) => Frame::Warnings(text),
                        Out::One(series) => Frame::Timeseries(series),
                        Out::Batch(series) => Frame::TimeseriesBatch(TimeSeriesBatch { series }),
                        Out::Stats(stats) => Frame::Stats(stats),
                    })
                }))))
            }
            Err(Failed::Evaluation(text)) if partial_response => {
                Ok(Response::new(Box::pin(futures::stream::iter([wrap(Frame::Warnings(text))]))))
            }
            Err(failed) => Err(failed.into_status()),
        }
    }

    type QueryRangeStream = BoxStream<'static, Result<QueryRangeResponse, Status>>;

    async fn query_range(
        &self,
        request: Request<QueryRangeRequest>,
    ) -> Result<Response<Self::QueryRangeStream>, Status> {
        let tenant = store::tenant(request.metadata());
        let request = request.into_inner();
        let millis = |seconds: i64| seconds.saturating_mul(1000);
        let (start, end) = (millis(request.start_time_seconds), millis(request.end_time_seconds));
        let interval = millis(request.interval_seconds);
        let asked = Asked {
            query: request.query,
            range: QueryRange::Range { start, end, step: interval.max(1) },
            timeout_seconds: request.timeout_seconds,
            max_resolution_seconds: request.max_resolution_seconds,
            replica_labels: request.replica_labels,
            store_matchers: request.store_matchers,
            dedup: request.enable_dedup,
            partial_response: request.enable_partial_response,
            shard: request.shard_info,
            lookback_delta_seconds: request.lookback_delta_seconds,
            engine: request.engine,
            tenant,
        };
        use query_range_response::Result as Frame;
        let wrap = |frame| Ok(QueryRangeResponse { result: Some(frame) });
        if interval <= 0 {
            return Err(Status::aborted("unexpected error: runtime error: integer divide by zero"));
        }
        if (end.saturating_sub(start)) / interval > crate::v1::STEPS_MAX.saturating_mul(100) {
            return Err(Status::aborted("the query has too many steps"));
        }
        if end < start {
            let stats = wrap(Frame::Stats(QueryStats::default()));
            return Ok(Response::new(Box::pin(futures::stream::iter([stats]))));
        }
        match self.evaluate(asked).await {
            Ok((evaluated, engine)) => {
                let frames = frames(evaluated, engine, request.response_batch_size, Kind::Range);
                Ok(Response::new(Box::pin(mapped(frames, move |frame| {
                    wrap(match frame {
                        Out::Warning(text) => Frame::Warnings(text),
                        Out::One(series) => Frame::Timeseries(series),
                        Out::Batch(series) => Frame::TimeseriesBatch(TimeSeriesBatch { series }),
                        Out::Stats(stats) => Frame::Stats(stats),
                    })
                }))))
            }
            Err(failed) => Err(failed.into_status()),
        }
    }
}

impl Failed {
    fn into_status(self) -> Status {
        match self {
            Failed::Call(status) => status,
            Failed::Evaluation(text) => Status::aborted(text),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Instant,
    Range,
}

/// A frame of either answer.
enum Out {
    Warning(String),
    One(TimeSeries),
    Batch(Vec<TimeSeries>),
    Stats(QueryStats),
}

fn mapped<T>(
    frames: impl Iterator<Item = Out> + Send + 'static,
    wrap: impl Fn(Out) -> Result<T, Status> + Send + 'static,
) -> impl Stream<Item = Result<T, Status>> + Send + 'static
where
    T: Send + 'static,
{
    futures::stream::iter(frames.map(wrap))
}

/// The frames of an answer, made when they are asked for: warnings, series, counts.
fn frames(
    evaluated: Evaluated,
    engine: EngineName,
    batch_size: i64,
    kind: Kind,
) -> impl Iterator<Item = Out> + Send + 'static {
    let Evaluated { answer, .. } = evaluated;
    let mut texts = warnings(&answer.annotations);
    texts.sort_unstable();
    let warning = (!texts.is_empty()).then(|| Out::Warning(texts.join(", ")));
    // Thanos counts with one of its engines only.
    let stats = match engine {
        EngineName::Prometheus => QueryStats::default(),
        EngineName::Thanos => QueryStats {
            samples_total: i64::try_from(answer.stats.samples_total).unwrap_or(i64::MAX),
            peak_samples: i64::try_from(answer.stats.samples_peak).unwrap_or(i64::MAX),
        },
    };
    let size = usize::try_from(batch_size).unwrap_or(0).min(1 << 16);
    let series = Written { answer: Arc::new(answer), kind, next: 0 };
    warning.into_iter().chain(Batches { series, size }).chain([Out::Stats(stats)])
}

struct Batches {
    series: Written,
    size: usize,
}

impl Iterator for Batches {
    type Item = Out;

    fn next(&mut self) -> Option<Out> {
        if self.size <= 1 {
            return self.series.next().map(Out::One);
        }
        let batch: Vec<TimeSeries> = self.series.by_ref().take(self.size).collect();
        (!batch.is_empty()).then_some(Out::Batch(batch))
    }
}

/// The series of an answer as messages.
struct Written {
    answer: Arc<Answer>,
    kind: Kind,
    next: usize,
}

impl Iterator for Written {
    type Item = TimeSeries;

    fn next(&mut self) -> Option<TimeSeries> {
        let at = self.next;
        self.next += 1;
        let symbols: &Symbols = &self.answer.symbols;
        match &self.answer.value {
            Value::Scalar { time, value } if at == 0 => Some(series::scalar(*time, *value)),
            Value::Vector { time, samples } => Some(series::instant(samples.get(at)?, *time, symbols)),
            Value::Matrix { steps, series } if self.kind == Kind::Range => {
                Some(series::row(series.get(at)?, *steps, symbols))
            }
            _ => None,
        }
    }
}
