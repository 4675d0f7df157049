//! Queriers that ask queriers: the service `thanos.Query`.

use api::thanos::QueryService;
use futures::TryStreamExt;
use storeapi::thanos::query_server::Query;
use storeapi::thanos::{QueryRangeRequest, QueryRequest, query_range_response, query_response};
use tonic::{Code, Request};

use super::memory::{Memory, NOW};

fn instant(query: &str) -> QueryRequest {
    QueryRequest {
        query: query.to_owned(),
        time_seconds: NOW / 1000,
        enable_partial_response: true,
        ..QueryRequest::default()
    }
}

async fn frames(request: QueryRequest) -> Result<Vec<query_response::Result>, tonic::Status> {
    let service = QueryService::new(Memory::new().api());
    let stream = service.query(Request::new(request)).await?.into_inner();
    let frames: Vec<_> = stream.try_collect().await?;
    Ok(frames.into_iter().filter_map(|frame| frame.result).collect())
}

#[tokio::test]
async fn series_come_one_by_one_or_in_batches_and_counts_at_the_end() {
    use query_response::Result as Frame;
    let one_by_one = frames(instant("up")).await.unwrap();
    assert!(
        matches!(&one_by_one[..], [Frame::Timeseries(first), Frame::Timeseries(_), Frame::Timeseries(_), Frame::Stats(_)]
        if first.samples[0].timestamp == NOW && first.labels[0].value == "up")
    );
    let batches = frames(QueryRequest { response_batch_size: 2, ..instant("up") }).await.unwrap();
    assert!(
        matches!(&batches[..], [Frame::TimeseriesBatch(first), Frame::TimeseriesBatch(last), Frame::Stats(_)]
        if (first.series.len(), last.series.len()) == (2, 1))
    );
    let scalar = frames(instant("1+2")).await.unwrap();
    assert!(
        matches!(&scalar[..], [Frame::Timeseries(series), Frame::Stats(_)] if series.samples[0].value == 3.0)
    );
    assert!(matches!(&frames(instant("\"text\"")).await.unwrap()[..], [Frame::Stats(_)]));
}

#[tokio::test]
async fn failures_have_thanos_codes() {
    let error = frames(instant("sum(")).await.unwrap_err();
    let unclosed = "1:5: parse error: unclosed left parenthesis";
    assert_eq!((error.code(), error.message()), (Code::Unknown, unclosed));
    let error = frames(QueryRequest { engine: 9, ..instant("up") }).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::InvalidArgument, "invalid engine parameter"));
    // In an instant query that may be incomplete, the failure of evaluation is a warning.
    let late = QueryRequest { timeout_seconds: -1, ..instant("up") };
    assert!(matches!(&frames(late.clone()).await.unwrap()[..], [query_response::Result::Warnings(text)]
        if text == "query timed out in query execution"));
    let error = frames(QueryRequest { enable_partial_response: false, ..late }).await.unwrap_err();
    assert_eq!(error.code(), Code::Aborted);
}

#[tokio::test]
async fn ranges_have_a_value_at_each_step() {
    use query_range_response::Result as Frame;
    let service = QueryService::new(Memory::new().api());
    let request = QueryRangeRequest {
        query: "sum(up)".to_owned(),
        start_time_seconds: 1000,
        end_time_seconds: 1060,
        interval_seconds: 30,
        ..QueryRangeRequest::default()
    };
    let stream = service.query_range(Request::new(request.clone())).await.unwrap().into_inner();
    let frames: Vec<_> = stream.try_collect().await.unwrap();
    let frames: Vec<_> = frames.into_iter().filter_map(|frame| frame.result).collect();
    assert!(matches!(&frames[..], [Frame::Timeseries(series), Frame::Stats(_)]
        if series.samples.iter().map(|sample| sample.timestamp).eq([1_000_000, 1_030_000, 1_060_000])));
    let nothing = QueryRangeRequest { interval_seconds: 0, ..request };
    let error = service.query_range(Request::new(nothing)).await.map(drop).unwrap_err();
    assert_eq!(error.message(), "unexpected error: runtime error: integer divide by zero");
}
