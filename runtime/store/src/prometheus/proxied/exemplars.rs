//! `thanos.Exemplars`: `/api/v1/query_exemplars`.

use futures::stream::BoxStream;
use serde::Deserialize;
use storeapi::thanos::{
    Exemplar, ExemplarData, ExemplarsRequest, ExemplarsResponse, exemplars_response, exemplars_server,
};
use tonic::{Request, Status};

use super::super::client::seconds;
use super::{Answer, JsonLabels, PrometheusServices, enriched, plain, stream};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SeriesExemplars {
    #[serde(default)]
    series_labels: JsonLabels,
    #[serde(default)]
    exemplars: Vec<JsonExemplar>,
}

#[derive(Deserialize)]
struct JsonExemplar {
    #[serde(default)]
    labels: JsonLabels,
    /// A float as text.
    #[serde(default, deserialize_with = "float")]
    value: f64,
    /// Seconds.
    #[serde(default)]
    timestamp: f64,
}

fn float<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    text.parse().map_err(|_| serde::de::Error::custom(format_args!("{text:?} is no number")))
}

#[tonic::async_trait]
impl exemplars_server::Exemplars for PrometheusServices {
    type ExemplarsStream = BoxStream<'static, Result<ExemplarsResponse, Status>>;

    async fn exemplars(&self, request: Request<ExemplarsRequest>) -> Answer<ExemplarsResponse> {
        let request = request.into_inner();
        let query =
            [("query", request.query), ("start", seconds(request.start)), ("end", seconds(request.end))];
        let found: Vec<SeriesExemplars> = self.client.data(&["api", "v1", "query_exemplars"], &query).await?;
        let external = self.peer.labels();
        let exemplar = |exemplar: JsonExemplar| Exemplar {
            labels: plain(exemplar.labels),
            value: exemplar.value,
            ts: (exemplar.timestamp * 1000.0).round() as i64,
        };
        let response = |series: SeriesExemplars| {
            let data = ExemplarData {
                series_labels: enriched(series.series_labels, &external),
                exemplars: series.exemplars.into_iter().map(exemplar).collect(),
            };
            ExemplarsResponse { result: Some(exemplars_response::Result::Data(data)) }
        };
        stream(found.into_iter().map(response).collect())
    }
}
