//! What is asked of which data.

use crate::data::{Kind, OFFSET, START, Set};

/// Queries over some series.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) what: String,
    pub(crate) sets: Vec<Set>,
    pub(crate) queries: Vec<Query>,
    pub(crate) has_floats_only: bool,
    /// How many replicas there are of all series, each behind a store gateway of its own.
    pub(crate) replicas: usize,
}

/// A query and when it is asked, seconds after the first sample; an instant query has no step.
pub(crate) struct Query {
    text: String,
    start: i64,
    end: i64,
    step: Option<i64>,
}

impl Query {
    fn range(text: impl Into<String>, start: i64, end: i64, step: i64) -> Query {
        Query { text: text.into(), start, end, step: Some(step) }
    }

    fn instant(text: impl Into<String>, time: i64) -> Query {
        Query { text: text.into(), start: time, end: time, step: None }
    }

    pub(crate) fn shown(&self) -> String {
        match self.step {
            Some(step) => format!("{} @{step}s", self.text),
            None => self.text.clone(),
        }
    }

    /// The path of Prometheus' API.
    pub(crate) fn path(&self) -> String {
        let query: String = self.text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let at = |seconds: i64| START / 1000 + seconds;
        match self.step {
            Some(step) => {
                let (start, end) = (at(self.start), at(self.end));
                format!("/api/v1/query_range?query={query}&start={start}&end={end}&step={step}&nocache=1")
            }
            None => format!("/api/v1/query?query={query}&time={}&nocache=1", at(self.end)),
        }
    }
}

const HOUR: i64 = 3600;

/// A thousand pods with ten codes each, and what else hangs on series in a cluster.
fn requests(series: usize, interval: i64, samples: usize) -> Set {
    Set {
        metric: "http_requests_total",
        labels: |series| {
            let pod = series / 10;
            vec![
                ("cluster", "eu-west-1".to_owned()),
                ("code", format!("{}", 200 + series % 10)),
                ("container", "server".to_owned()),
                ("instance", format!("10.0.{}.{}:8080", pod / 250, pod % 250)),
                ("job", "shop/api".to_owned()),
                ("namespace", format!("ns-{:02}", pod % 40)),
                ("pod", format!("api-{:05}-x{}", pod, pod % 7)),
            ]
        },
        series,
        interval,
        samples,
        kind: Kind::Counter,
        offset: OFFSET,
    }
}

fn scaled(series: usize, scale: f64) -> usize {
    ((series as f64 * scale) as usize).max(10)
}

pub(crate) fn all(scale: f64) -> Vec<Workload> {
    let six_hours = requests(scaled(10_000, scale), 15_000, 1440);
    let over = |text: &str, step: i64| Query::range(text, 0, 6 * HOUR, step);
    vec![
        Workload {
            name: "W1",
            what: "rates summed by group".to_owned(),
            sets: vec![six_hours.clone()],
            queries: vec![
                over("sum by (pod) (rate(http_requests_total[5m]))", 30),
                over("sum(rate(http_requests_total[5m]))", 30),
                over("sum by (namespace) (rate(http_requests_total[5m]))", 30),
                over("sum by (pod) (http_requests_total)", 30),
                over("count(http_requests_total)", 30),
                Query::instant("sum by (pod) (rate(http_requests_total[5m]))", 6 * HOUR),
            ],
            has_floats_only: true,
            replicas: 1,
        },
        Workload {
            name: "W10",
            what: "one and two replicas behind a querier".to_owned(),
            sets: vec![six_hours.clone()],
            queries: vec![
                over("sum by (pod) (rate(http_requests_total[5m]))", 30),
                over("count(http_requests_total)", 30),
            ],
            has_floats_only: true,
            replicas: 2,
        },
        Workload {
            name: "W2",
            what: "all series come out".to_owned(),
            sets: vec![six_hours.clone()],
            queries: vec![over("rate(http_requests_total[5m])", 30)],
            has_floats_only: true,
            replicas: 1,
        },
        Workload {
            name: "W3",
            what: "long ranges and subqueries".to_owned(),
            sets: vec![six_hours.clone(), days("a_total", scaled(100, scale))],
            queries: vec![
                over("sum by (namespace) (rate(http_requests_total[1h]))", 60),
                over("max_over_time(sum by (namespace) (rate(http_requests_total[5m]))[30m:1m])", 60),
                over("topk(10, rate(http_requests_total[5m]))", 60),
                Query::range("rate(a_total[1d])", 24 * HOUR, 24 * HOUR + 9990, 10),
                Query::range("changes(a_total[1d])", 24 * HOUR, 24 * HOUR + 9990, 10),
                Query::range("max_over_time(a_total[1d])", 24 * HOUR, 24 * HOUR + 9990, 10),
                Query::range("quantile_over_time(0.9, a_total[1h])", 24 * HOUR, 24 * HOUR + 9990, 10),
            ],
            has_floats_only: true,
            replicas: 1,
        },
        joins(scale),
        mix(scale),
        Workload {
            name: "W6",
            what: "native histograms".to_owned(),
            sets: vec![Set {
                metric: "latency_seconds",
                labels: |series| vec![("instance", format!("i{series:04}")), ("job", "api".to_owned())],
                series: scaled(500, scale),
                interval: 30_000,
                samples: 240,
                kind: Kind::Histogram,
                offset: OFFSET,
            }],
            queries: vec![
                Query::range("sum(rate(latency_seconds[1m]))", 0, 2 * HOUR, 30),
                Query::range("histogram_quantile(0.9, sum(rate(latency_seconds[1m])))", 0, 2 * HOUR, 30),
                Query::range("sum(histogram_count(rate(latency_seconds[1m])))", 0, 2 * HOUR, 30),
            ],
            has_floats_only: false,
            replicas: 1,
        },
    ]
}

fn days(metric: &'static str, series: usize) -> Set {
    Set {
        metric,
        labels: |series| vec![("instance", format!("i{series:04}"))],
        series,
        interval: 10_000,
        samples: 24 * 360 + 1000,
        kind: Kind::Counter,
        offset: OFFSET,
    }
}

fn joins(scale: f64) -> Workload {
    let side = |metric: &'static str| Set {
        metric,
        labels: |series| vec![("instance", format!("{:x}-{series}", series % 16)), ("job", "api".to_owned())],
        series: scaled(1000, scale),
        interval: 10_000,
        samples: 5000,
        kind: Kind::Counter,
        offset: OFFSET,
    };
    let over = |text: &str| Query::range(text, 0, 49_990, 10);
    Workload {
        name: "W4",
        what: "operators between vectors, 5,000 steps".to_owned(),
        sets: vec![side("a"), side("b")],
        queries: vec![
            over("sum(a + b)"),
            over("sum(a + on (job, instance) group_left b)"),
            over(r#"sum(a and b{instance=~"0.*"})"#),
            over(r#"sum(a or b{instance=~"0.*"})"#),
            over(r#"sum(a unless b{instance=~"0.*"})"#),
        ],
        has_floats_only: true,
        replicas: 1,
    }
}

fn mix(scale: f64) -> Workload {
    let pods = |metric: &'static str, series: usize| Set {
        metric,
        labels: |series| vec![("pod", format!("p{:05}", series / 3)), ("route", format!("r{}", series % 3))],
        series: scaled(series, scale),
        interval: 30_000,
        samples: 720,
        kind: Kind::Counter,
        offset: OFFSET,
    };
    let buckets = Set {
        metric: "http_duration_seconds_bucket",
        labels: |series| {
            vec![
                (
                    "le",
                    ["0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50", "100", "+Inf"][series % 11]
                        .to_owned(),
                ),
                ("pod", format!("p{:05}", series / 11)),
            ]
        },
        series: scaled(11_000, scale),
        interval: 30_000,
        samples: 720,
        kind: Kind::Counter,
        offset: OFFSET,
    };
    let texts = [
        "http_a_total",
        "rate(http_a_total[1m])",
        "sum(http_a_total)",
        "sum by (pod) (http_a_total)",
        "sum by (pod) (rate(http_a_total[1m]))",
        "topk(2, http_a_total)",
        "bottomk(2, http_a_total)",
        "avg by (route) (http_a_total)",
        "quantile(0.9, http_a_total)",
        "stddev(http_a_total)",
        "count_values('v', http_a_total % 10)",
        "increase(http_a_total[5m])",
        "delta(http_a_total[5m])",
        "irate(http_a_total[5m])",
        "deriv(http_a_total[5m])",
        "predict_linear(http_a_total[5m], 600)",
        "avg_over_time(http_a_total[5m])",
        "max_over_time(http_a_total[5m])",
        "stddev_over_time(http_a_total[5m])",
        "quantile_over_time(0.9, http_a_total[5m])",
        "changes(http_a_total[5m])",
        "resets(http_a_total[5m])",
        "count_over_time(http_a_total[5m])",
        "last_over_time(http_a_total[5m])",
        "abs(http_a_total)",
        "clamp(http_a_total, 5, 10)",
        "round(http_a_total)",
        "-http_a_total",
        "http_a_total > 10",
        "http_a_total * 2",
        "http_a_total + http_a_total",
        "http_a_total / on (pod, route) group_left http_b_total",
        "http_b_total and http_a_total",
        "sort(http_a_total)",
        "absent(nonexistent)",
        "label_replace(http_a_total, 'x', '$1', 'pod', 'p(.*)')",
        "histogram_quantile(0.9, http_duration_seconds_bucket)",
        "histogram_quantile(0.9, sum by (le) (rate(http_duration_seconds_bucket[1m])))",
        "sum_over_time(http_b_total[10m:1m])",
        "max_over_time(sum by (pod) (http_a_total)[10m:1m])",
    ];
    Workload {
        name: "W5",
        what: "a mix of functions".to_owned(),
        sets: vec![pods("http_a_total", 3000), pods("http_b_total", 1000), buckets],
        queries: texts.iter().map(|text| Query::range(*text, 0, 2 * HOUR, 30)).collect(),
        has_floats_only: false,
        replicas: 1,
    }
}

/// How cost grows with one thing at a time.
pub(crate) fn curves(scale: f64) -> Vec<Workload> {
    let text = "sum by (namespace) (rate(http_requests_total[5m]))";
    let mut curves: Vec<Workload> = [1_000, 10_000, 100_000, 300_000]
        .into_iter()
        .map(|series| Workload {
            name: "growth with series",
            what: format!("{series} series, 1 h @60 s"),
            sets: vec![requests(scaled(series, scale), 60_000, 60)],
            queries: vec![Query::range(text, 0, HOUR, 60)],
            has_floats_only: false,
            replicas: 1,
        })
        .collect();
    let six_hours = requests(scaled(1_000, scale), 15_000, 1440);
    curves.push(Workload {
        name: "growth with steps",
        what: "the same data, 10 to 10,800 steps".to_owned(),
        sets: vec![six_hours.clone()],
        queries: [2160, 216, 20, 2].map(|step| Query::range(text, 0, 6 * HOUR, step)).into(),
        has_floats_only: false,
        replicas: 1,
    });
    curves.push(Workload {
        name: "growth with the range",
        what: "the same steps, 1 m to 5 h".to_owned(),
        sets: vec![six_hours],
        queries: ["1m", "10m", "1h", "5h"]
            .map(|range| {
                let text = format!("sum by (namespace) (rate(http_requests_total[{range}]))");
                Query::range(text, 5 * HOUR, 6 * HOUR, 10)
            })
            .into(),
        has_floats_only: false,
        replicas: 1,
    });
    curves
}
