//! `thanos.Status`: `/api/v1/status/tsdb`.

use futures::stream::BoxStream;
use serde::Deserialize;
use storeapi::thanos::{
    HeadStatistics, Statistic, TsdbStatistics, TsdbStatisticsEntry, TsdbStatisticsRequest,
    TsdbStatisticsResponse, status_server, tsdb_statistics_response,
};
use tokio::time::timeout;
use tonic::{Request, Status};

use super::super::matchers::refused;
use super::{Answer, PrometheusServices, stream};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Tsdb {
    head_stats: Head,
    series_count_by_metric_name: Vec<Count>,
    label_value_count_by_label_name: Vec<Count>,
    memory_in_bytes_by_label_name: Vec<Count>,
    series_count_by_label_value_pair: Vec<Count>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Head {
    num_series: u64,
    num_label_pairs: i64,
    chunk_count: i64,
    min_time: i64,
    max_time: i64,
}

#[derive(Deserialize)]
struct Count {
    name: String,
    value: u64,
}

impl Tsdb {
    /// With at most `limit` counts of a kind; 0 and less: all.
    fn message(self, limit: i32) -> TsdbStatisticsEntry {
        let most = usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let counts = |counts: Vec<Count>| {
            counts
                .into_iter()
                .take(most)
                .map(|count| Statistic { name: count.name, value: count.value })
                .collect()
        };
        let head = self.head_stats;
        TsdbStatisticsEntry {
            head_statistics: Some(HeadStatistics {
                num_series: head.num_series,
                num_label_pairs: head.num_label_pairs,
                chunk_count: head.chunk_count,
                min_time: head.min_time,
                max_time: head.max_time,
            }),
            series_count_by_metric_name: counts(self.series_count_by_metric_name),
            label_value_count_by_label_name: counts(self.label_value_count_by_label_name),
            memory_in_bytes_by_label_name: counts(self.memory_in_bytes_by_label_name),
            series_count_by_label_value_pair: counts(self.series_count_by_label_value_pair),
        }
    }
}

#[tonic::async_trait]
impl status_server::Status for PrometheusServices {
    type TSDBStatisticsStream = BoxStream<'static, Result<TsdbStatisticsResponse, Status>>;

    async fn tsdb_statistics(
        &self,
        request: Request<TsdbStatisticsRequest>,
    ) -> Answer<TsdbStatisticsResponse> {
        let request = request.into_inner();
        if !self.probe.is_ready() {
            return Err(Status::unknown("not ready"));
        }
        let response = |statistics| {
            let result = tsdb_statistics_response::Result::Statistics(statistics);
            stream(vec![TsdbStatisticsResponse { result: Some(result) }])
        };
        let matchers = storeapi::from_wire(&request.matchers).map_err(refused)?;
        let external = self.peer.labels();
        if !matchers.iter().all(|matcher| matcher.matches_labels(&external)) {
            return response(TsdbStatistics::default());
        }
        let mut query = Vec::new();
        if request.limit > 0 {
            query.push(("limit", request.limit.to_string()));
        }
        let path = ["api", "v1", "status", "tsdb"];
        let asked = timeout(self.status_timeout, self.client.data::<Tsdb>(&path, &query)).await;
        let tsdb = asked.map_err(|_| Status::deadline_exceeded("context deadline exceeded"))??;
        // Only receive has several tenants.
        let statistics = [(String::new(), tsdb.message(request.limit))].into();
        response(TsdbStatistics { statistics })
    }
}
