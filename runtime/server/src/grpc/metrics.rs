//! `grpc_server_*` and `grpc_client_*`, as go-grpc-middleware names them.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::{Histogram, NativeHistogramConfig};
use prometheus_client::registry::Registry;
use tonic::Code;

use super::methods::Method;

/// Whose calls are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    Client,
}

type Labels = Vec<(&'static str, String)>;

/// Upper bounds of the classic buckets, seconds; clients wait longer than servers work.
const BUCKETS: [f64; 17] =
    [0.001, 0.01, 0.1, 0.3, 0.6, 1.0, 3.0, 6.0, 9.0, 20.0, 30.0, 60.0, 90.0, 120.0, 240.0, 360.0, 720.0];
const SERVER_BUCKETS: usize = 14;

/// The families of one side.
#[derive(Debug, Clone)]
pub(super) struct CallMetrics {
    started: Family<Labels, Counter>,
    handled: Family<Labels, Counter>,
    received: Family<Labels, Counter>,
    sent: Family<Labels, Counter>,
    seconds: Family<Labels, Histogram, Seconds>,
}

#[derive(Debug, Clone)]
struct Seconds(&'static [f64]);

impl MetricConstructor<Histogram> for Seconds {
    fn new_metric(&self) -> Histogram {
        let native = NativeHistogramConfig::new(1.1).max_buckets(256);
        Histogram::new_classic_and_native(self.0.iter().copied(), native)
    }
}

impl CallMetrics {
    pub(super) fn register(side: Side, registry: &mut Registry) -> Self {
        let buckets: &'static [f64] = match side {
            Side::Server => BUCKETS.split_at(SERVER_BUCKETS).0,
            Side::Client => &BUCKETS,
        };
        let metrics = Self {
            started: Family::default(),
            handled: Family::default(),
            received: Family::default(),
            sent: Family::default(),
            seconds: Family::new_with_constructor(Seconds(buckets)),
        };
        let (word, texts) = match side {
            Side::Server => ("server", SERVER_TEXTS),
            Side::Client => ("client", CLIENT_TEXTS),
        };
        let [started, handled, received, sent, seconds] = texts;
        registry.register(format!("grpc_{word}_started"), started, metrics.started.clone());
        registry.register(format!("grpc_{word}_handled"), handled, metrics.handled.clone());
        registry.register(format!("grpc_{word}_msg_received"), received, metrics.received.clone());
        registry.register(format!("grpc_{word}_msg_sent"), sent, metrics.sent.clone());
        registry.register(format!("grpc_{word}_handling_seconds"), seconds, metrics.seconds.clone());
        metrics
    }

    /// The series of one method; all codes are there from the start.
    pub(super) fn method(&self, method: &Method) -> Arc<MethodMetrics> {
        let labels: Labels = vec![
            ("grpc_method", method.name.clone()),
            ("grpc_service", method.service.clone()),
            ("grpc_type", method.kind.to_owned()),
        ];
        let handled = CODES.map(|(_, name)| {
            let mut labels = labels.clone();
            labels.insert(0, ("grpc_code", name.to_owned()));
            self.handled.get_or_create_owned(&labels)
        });
        Arc::new(MethodMetrics {
            started: self.started.get_or_create_owned(&labels),
            received: self.received.get_or_create_owned(&labels),
            sent: self.sent.get_or_create_owned(&labels),
            seconds: self.seconds.get_or_create_owned(&labels),
            handled,
        })
    }
}

/// What is counted of one method.
#[derive(Debug)]
pub(super) struct MethodMetrics {
    pub(super) started: Counter,
    pub(super) received: Counter,
    pub(super) sent: Counter,
    pub(super) seconds: Histogram,
    handled: [Counter; 17],
}

impl MethodMetrics {
    /// Counts the end of a call.
    pub(super) fn handled(&self, code: Code) {
        let place = CODES.iter().position(|(known, _)| *known == code);
        if let Some(counter) = place.and_then(|place| self.handled.get(place)) {
            counter.inc();
        }
    }
}

/// Codes by the names that Go gives them.
pub(super) const CODES: [(Code, &str); 17] = [
    (Code::Ok, "OK"),
    (Code::Cancelled, "Canceled"),
    (Code::Unknown, "Unknown"),
    (Code::InvalidArgument, "InvalidArgument"),
    (Code::DeadlineExceeded, "DeadlineExceeded"),
    (Code::NotFound, "NotFound"),
    (Code::AlreadyExists, "AlreadyExists"),
    (Code::PermissionDenied, "PermissionDenied"),
    (Code::ResourceExhausted, "ResourceExhausted"),
    (Code::FailedPrecondition, "FailedPrecondition"),
    (Code::Aborted, "Aborted"),
    (Code::OutOfRange, "OutOfRange"),
    (Code::Unimplemented, "Unimplemented"),
    (Code::Internal, "Internal"),
    (Code::Unavailable, "Unavailable"),
    (Code::DataLoss, "DataLoss"),
    (Code::Unauthenticated, "Unauthenticated"),
];

const SERVER_TEXTS: [&str; 5] = [
    "Total number of RPCs started on the server.",
    "Total number of RPCs completed on the server, regardless of success or failure.",
    "Total number of RPC stream messages received on the server.",
    "Total number of gRPC stream messages sent by the server.",
    "Histogram of response latency (seconds) of gRPC that had been application-level handled by the server.",
];

const CLIENT_TEXTS: [&str; 5] = [
    "Total number of RPCs started on the client.",
    "Total number of RPCs completed by the client, regardless of success or failure.",
    "Total number of RPC stream messages received by the client.",
    "Total number of gRPC stream messages sent by the client.",
    "Histogram of response latency (seconds) of the gRPC until it is finished by the application.",
];
