//! Requests to one Prometheus' HTTP API, and what its refusals mean in gRPC.

use std::error::Error;

use bytes::Bytes;
use reqwest::{RequestBuilder, Response, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use server::http_client::{ClientError, HttpClient};
use tonic::{Code, Status};

/// A client of one Prometheus. Clones share connections.
#[derive(Debug, Clone)]
pub struct PrometheusClient {
    http: HttpClient,
    base: Url,
}

/// A base URL that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{url:?} is no base URL of a Prometheus; write it as in http://localhost:9090")]
pub struct BaseUrlError {
    url: String,
}

/// A question that was not answered.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The client's credentials cannot be read.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No answer came.
    #[error("perform {method} request against {url}")]
    Request {
        /// GET or POST.
        method: &'static str,
        /// Where.
        url: String,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
    /// The answer broke off.
    #[error("read body")]
    Body(#[source] reqwest::Error),
    /// Prometheus said no.
    #[error("expected 2xx response, got {status}. Body: {body}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said.
        body: String,
    },
    /// The answer is not of the shape that it has to have.
    #[error("unmarshal response of {path}")]
    Shape {
        /// The part of the API.
        path: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The answer has status 2xx and says that it failed.
    #[error("{0}")]
    NotSuccess(String),
}

/// An error with its causes, as one line.
pub(super) fn line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some libraries repeat their cause in their own text.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

impl Failure {
    /// The HTTP status, if there was an answer.
    pub(super) fn http_status(&self) -> Option<u16> {
        match self {
            Failure::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let code = match failure.http_status() {
            Some(400) => Code::InvalidArgument,
            Some(404) => Code::NotFound,
            Some(503) => Code::Unavailable,
            _ => Code::Internal,
        };
        Status::new(code, line(&failure))
    }
}

/// The envelope of the API.
#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(default)]
    status: String,
    #[serde(default)]
    error: String,
    data: Option<T>,
}

impl PrometheusClient {
    /// A client for the Prometheus at this URL; a path in it is a prefix, a query goes along with each request.
    ///
    /// # Errors
    /// When the URL is none of http or https.
    pub fn new(http: HttpClient, url: &str) -> Result<Self, BaseUrlError> {
        let invalid = || BaseUrlError { url: url.to_owned() };
        let base = Url::parse(url).map_err(|_| invalid())?;
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(invalid());
        }
        Ok(PrometheusClient { http, base })
    }

    /// The URL of a part of the API.
    pub(super) fn url(&self, path: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// A POST request.
    pub(super) fn post(&self, path: &[&str]) -> Result<RequestBuilder, ClientError> {
        self.http.post(self.url(path, &[]).as_str())
    }

    /// Asks, and gives the answer whatever its status is.
    pub(super) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Response, Failure> {
        let url = self.url(path, query);
        let request = self.http.get(url.as_str())?;
        let failed = |source: reqwest::Error| Failure::Request {
            method: "GET",
            url: url.to_string(),
            source: source.without_url(),
        };
        request.send().await.map_err(failed)
    }

    /// Asks, and gives the body of an answer with status 2xx.
    pub(super) async fn get_2xx(&self, path: &[&str], query: &[(&str, String)]) -> Result<Bytes, Failure> {
        let response = self.get(path, query).await?;
        let status = response.status();
        let body = response.bytes().await.map_err(Failure::Body)?;
        if status.is_success() {
            return Ok(body);
        }
        Err(Failure::Refused { status: status.as_u16(), body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Asks the API, and gives its `data`; the default where there is none.
    pub(super) async fn data<T: DeserializeOwned + Default>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<T, Failure> {
        let body = self.get_2xx(path, query).await?;
        if body.is_empty() {
            return Ok(T::default());
        }
        let shape = |source| Failure::Shape { path: format!("/{}", path.join("/")), source };
        let answer: Envelope<T> = serde_json::from_slice(&body).map_err(shape)?;
        if answer.status != "success" {
            return Err(Failure::NotSuccess(answer.error));
        }
        Ok(answer.data.unwrap_or_default())
    }
}

/// Milliseconds since the epoch as the API takes them: seconds, as Go prints a float.
pub(super) fn seconds(millis: i64) -> String {
    let fraction = millis.rem_euclid(1000) * 1_000_000;
    (millis.div_euclid(1000) as f64 + fraction as f64 / 1e9).to_string()
}

#[cfg(test)]
mod tests {
    use server::http_client::Settings;

    use super::*;

    fn client(base: &str) -> PrometheusClient {
        let http = HttpClient::new(Settings::default()).expect("default settings are sound");
        PrometheusClient::new(http, base).expect("a base URL")
    }

    #[test]
    fn a_prefix_and_a_query_of_the_base_url_stay() {
        for (base, url) in [
            ("http://h:1", "http://h:1/api/v1/labels?start=1"),
            ("http://h:1/", "http://h:1/api/v1/labels?start=1"),
            ("http://h:1/prom/x/", "http://h:1/prom/x/api/v1/labels?start=1"),
            ("http://h:1/prom?tenant=a", "http://h:1/prom/api/v1/labels?tenant=a&start=1"),
        ] {
            let made = client(base).url(&["api", "v1", "labels"], &[("start", "1".to_owned())]);
            assert_eq!(made.as_str(), url);
        }
        let made = client("http://h:1").url(&["api", "v1", "label", "a/ü?", "values"], &[]);
        assert_eq!(made.as_str(), "http://h:1/api/v1/label/a%2F%C3%BC%3F/values");
        let http = HttpClient::new(Settings::default()).expect("default settings are sound");
        for url in ["localhost:9090", "ftp://h", "http://", ""] {
            assert!(PrometheusClient::new(http.clone(), url).is_err(), "{url}");
        }
    }

    #[test]
    fn times_are_seconds_as_go_prints_them() {
        for (millis, text) in [
            (0, "0"),
            (1_795_361_229_426, "1795361229.426"),
            (1_795_219_200_000, "1795219200"),
            (-1, "-0.0010000000000000009"),
            (-1500, "-1.5"),
            (i64::MAX, "9223372036854776"),
            (i64::MIN, "-9223372036854776"),
        ] {
            assert_eq!(seconds(millis), text);
        }
    }

    #[test]
    fn refusals_keep_their_meaning() {
        for (status, code) in [
            (400, Code::InvalidArgument),
            (404, Code::NotFound),
            (422, Code::Internal),
            (500, Code::Internal),
            (503, Code::Unavailable),
            (401, Code::Internal),
        ] {
            let status = Status::from(Failure::Refused { status, body: "why".to_owned() });
            assert_eq!(status.code(), code);
            assert!(status.message().ends_with("Body: why"), "{status}");
        }
    }
}
