//! `http_*` of the API's requests, as Thanos' dashboards read them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderName, Method, Request, StatusCode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, NativeHistogramConfig, exponential_buckets};
use prometheus_client::registry::Registry;

/// Upper bounds, seconds.
const SECONDS: [f64; 17] =
    [0.001, 0.01, 0.1, 0.3, 0.6, 1.0, 3.0, 6.0, 9.0, 20.0, 30.0, 60.0, 90.0, 120.0, 240.0, 360.0, 720.0];
/// More tenants than this are counted as one: the label comes from clients.
const TENANTS_MAX: usize = 1000;
const OTHER_TENANTS: &str = "other";

type Labels = Vec<(&'static str, String)>;
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// Where the tenant of a request stands.
#[derive(Debug, Clone)]
pub struct TenantHeader {
    /// The header.
    pub name: HeaderName,
    /// The tenant of requests without it.
    pub default: String,
}

/// Metrics of requests; clones share them.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    tenant: Option<TenantHeader>,
    tenants: Arc<Mutex<BTreeSet<String>>>,
    requests: Family<Labels, Counter>,
    seconds: Histograms,
    request_bytes: Histograms,
    response_bytes: Histograms,
    inflight: Family<Labels, Gauge>,
}

impl HttpMetrics {
    /// Registers them. With a header for tenants each series has a label `tenant` (query, query-frontend, receive).
    pub fn register(tenant: Option<TenantHeader>, registry: &mut Registry) -> Self {
        fn native() -> NativeHistogramConfig {
            NativeHistogramConfig::new(1.1).max_buckets(100)
        }
        fn seconds() -> Histogram {
            Histogram::new_classic_and_native(SECONDS, native())
        }
        fn bytes() -> Histogram {
            Histogram::new_classic_and_native(exponential_buckets(64.0, 2.0, 10), native())
        }
        let metrics = Self {
            tenant,
            tenants: Arc::default(),
            requests: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            request_bytes: Family::new_with_constructor(bytes),
            response_bytes: Family::new_with_constructor(bytes),
            inflight: Family::default(),
        };
        registry.register("http_requests", "Tracks the number of HTTP requests.", metrics.requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Tracks the latencies for HTTP requests.",
            metrics.seconds.clone(),
        );
        registry.register(
            "http_request_size_bytes",
            "Tracks the size of HTTP requests.",
            metrics.request_bytes.clone(),
        );
        registry.register(
            "http_response_size_bytes",
            "Tracks the size of HTTP responses.",
            metrics.response_bytes.clone(),
        );
        registry.register(
            "http_inflight_requests",
            "Current number of HTTP requests the handler is responding to.",
            metrics.inflight.clone(),
        );
        metrics
    }

    /// Counts the start of a request.
    pub(super) fn begin<B>(&self, request: &Request<B>, handler: &'static str) -> Counting {
        let tenant = self.tenant.as_ref().map(|header| self.tenant(request, header));
        let mut labels: Labels = vec![("handler", handler.to_owned())];
        labels.push(("method", upper(request.method()).to_owned()));
        labels.extend(tenant.clone().map(|tenant| ("tenant", tenant)));
        let inflight = self.inflight.get_or_create_owned(&labels);
        inflight.inc();
        Counting {
            metrics: self.clone(),
            handler,
            method: upper(request.method()).to_ascii_lowercase(),
            tenant,
            request_bytes: size(request),
            inflight,
        }
    }

    fn tenant<B>(&self, request: &Request<B>, header: &TenantHeader) -> String {
        let named = request.headers().get(&header.name).and_then(|value| value.to_str().ok());
        let tenant = named.filter(|name| !name.is_empty()).unwrap_or(&header.default).to_owned();
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if !tenants.contains(&tenant) {
            if tenants.len() >= TENANTS_MAX {
                return OTHER_TENANTS.to_owned();
            }
            tenants.insert(tenant.clone());
        }
        tenant
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Counting {
    metrics: HttpMetrics,
    handler: &'static str,
    method: String,
    tenant: Option<String>,
    request_bytes: f64,
    inflight: Gauge,
}

impl Counting {
    /// Counts its end.
    #[expect(clippy::cast_precision_loss, reason = "buckets of sizes need no more than 53 bits")]
    pub(super) fn end(&self, status: StatusCode, response_bytes: u64, took: Duration) {
        let mut labels: Labels = vec![
            ("code", status.as_str().to_owned()),
            ("handler", self.handler.to_owned()),
            ("method", self.method.clone()),
        ];
        labels.extend(self.tenant.clone().map(|tenant| ("tenant", tenant)));
        let metrics = &self.metrics;
        metrics.requests.get_or_create_owned(&labels).inc();
        metrics.seconds.get_or_create_owned(&labels).observe(took.as_secs_f64());
        metrics.request_bytes.get_or_create_owned(&labels).observe(self.request_bytes);
        metrics.response_bytes.get_or_create_owned(&labels).observe(response_bytes as f64);
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.inflight.dec();
    }
}

/// A method that anybody can make up does not become a label.
fn upper(method: &Method) -> &str {
    let known = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
        Method::PATCH,
    ];
    if known.contains(method) { method.as_str() } else { "UNKNOWN" }
}

/// About the size of a request, as Go's client library estimates it: line, headers, body.
#[expect(clippy::cast_precision_loss, reason = "buckets of sizes need no more than 53 bits")]
fn size<B>(request: &Request<B>) -> f64 {
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let line = request.uri().to_string().len() + request.method().as_str().len() + "HTTP/1.1".len();
    let body: u64 = request
        .headers()
        .get(http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or(0);
    (line + headers) as f64 + body as f64
}

/// The handler that Thanos names for a path of the API; other paths are not counted.
pub(super) fn handler(path: &str) -> Option<&'static str> {
    let (_, call) = path.rsplit_once("/api/v1/")?;
    Some(match call {
        "query" | "query_explain" | "query_range_explain" => "query",
        "query_range" => "query_range",
        "series" => "series",
        "labels" => "label_names",
        "stores" => "stores",
        "alerts" => "alerts",
        "rules" => "rules",
        "targets" => "targets",
        "metadata" => "metadata",
        "query_exemplars" => "exemplars",
        "blocks" => "blocks",
        "blocks/mark" => "blocks_mark",
        "receive" => "receive",
        "status/flags" => "status_flags",
        "status/runtimeinfo" => "status_runtime",
        "status/buildinfo" => "status_build",
        "status/tsdb" => "status_tsdb",
        "format_query" => "format_query",
        "parse_query" => "parse_query",
        label if label.starts_with("label/") && label.ends_with("/values") => "label_values",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn handlers_have_thanos_names() {
        assert_eq!(handler("/api/v1/label/{name}/values"), Some("label_values"));
        assert_eq!(handler("/thanos/api/v1/labels"), Some("label_names"));
        assert_eq!(handler("/metrics"), None);
    }

    #[test]
    fn clients_cannot_make_up_series_without_end() {
        let mut registry = Registry::default();
        let header =
            TenantHeader { name: HeaderName::from_static("thanos-tenant"), default: "nobody".into() };
        let metrics = HttpMetrics::register(Some(header), &mut registry);
        for tenant in 0..5000 {
            let request = Request::builder().header("thanos-tenant", tenant.to_string()).body(()).unwrap();
            metrics.begin(&request, "query").end(StatusCode::OK, 10, Duration::ZERO);
        }
        let request = Request::builder().method("BREW").body(()).unwrap();
        metrics.begin(&request, "query").end(StatusCode::OK, 10, Duration::ZERO);
        let (_, text) = Metrics::new(registry).exposition("").unwrap();
        let text = String::from_utf8(text).unwrap();
        let series = text.lines().filter(|line| line.starts_with("http_requests_total{")).count();
        assert_eq!(series, TENANTS_MAX + 2, "named tenants, the others, and the unknown method");
        assert!(text.contains("method=\"unknown\",tenant=\"other\"} 1\n"), "{text}");
        assert!(text.contains("http_inflight_requests{handler=\"query\",method=\"GET\",tenant=\"7\"} 0\n"));
    }
}
