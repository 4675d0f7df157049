//! The data that every implementation is tested with.

use bytes::Bytes;
use storeapi::{AggrChunk, Chunk, LabelBytes};
use tsdb::chunk::XorAppender;

/// The first sample of most series, milliseconds since the epoch.
pub const START: i64 = 1_600_000_000_000;
/// From one sample to the next.
pub const STEP: i64 = 60_000;
/// The last sample of most series.
pub const END: i64 = START + 59 * STEP;

/// A series without external labels.
#[derive(Debug, Clone, PartialEq)]
pub struct TestSeries {
    /// Names and values, sorted by name.
    pub labels: Vec<(String, String)>,
    /// Times and values, in the order of time.
    pub samples: Vec<(i64, f64)>,
}

/// Series with the external labels of whoever has them.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Names and values, sorted by name.
    pub external: Vec<(String, String)>,
    /// The series.
    pub series: Vec<TestSeries>,
}

/// All data of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// What one Prometheus or bucket would have.
    pub parts: Vec<Part>,
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut pairs: Vec<_> =
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    pairs.sort_unstable();
    pairs
}

fn samples(from: i64, to: i64, value: impl Fn(i64) -> f64) -> Vec<(i64, f64)> {
    (from..=to).map(|at| (START + at * STEP, value(at))).collect()
}

impl Dataset {
    /// The data as one part has it: plain series, odd names and values, series that begin late, end early or have a gap, and one
    /// with a label of its own that an external label has too.
    pub fn one() -> Self {
        Dataset {
            parts: vec![Part { external: pairs(&[("cluster", "eu"), ("replica", "a")]), series: series() }],
        }
    }

    /// Two replicas with the same series, of which each lacks some, and a third part of another cluster.
    pub fn several() -> Self {
        let all = series();
        let lacking = |nth: usize| -> Vec<TestSeries> {
            all.iter().enumerate().filter(|(at, _)| at % 5 != nth).map(|(_, series)| series.clone()).collect()
        };
        let part = |cluster, replica, series| Part {
            external: pairs(&[("cluster", cluster), ("replica", replica)]),
            series,
        };
        let us = all.iter().take(7).cloned().collect();
        Dataset { parts: vec![part("eu", "a", lacking(1)), part("eu", "b", lacking(3)), part("us", "a", us)] }
    }
}

fn series() -> Vec<TestSeries> {
    let mut all = Vec::new();
    let mut add = |labels: &[(&str, &str)], samples: Vec<(i64, f64)>| {
        all.push(TestSeries { labels: pairs(labels), samples });
    };
    for job in ["api", "db", "node"] {
        for instance in ["a:9090", "b:9090", "c:9090"] {
            add(&[("__name__", "up"), ("job", job), ("instance", instance)], samples(0, 59, |_| 1.0));
        }
    }
    for (at, code) in ["200", "404", "500"].into_iter().enumerate() {
        for method in ["GET", "POST"] {
            let labels = [("__name__", "requests_total"), ("job", "api"), ("code", code), ("method", method)];
            add(&labels, samples(0, 59, move |step| (step * 7 * (at as i64 + 1)) as f64));
        }
    }
    // With another label, and without: order of sets that begin alike.
    add(&[("__name__", "requests_total"), ("job", "api")], samples(0, 59, |step| step as f64));
    add(&[("__name__", "requests_total")], samples(0, 59, |step| -step as f64));
    add(&[("__name__", "odd"), ("path", "/a\"b\\c\n")], samples(0, 59, |_| f64::NAN));
    add(&[("__name__", "odd"), ("path", "Überraschung ☃")], samples(0, 59, |_| f64::INFINITY));
    add(&[("__name__", "odd"), ("path", &"x".repeat(300))], samples(0, 59, |_| -0.0));
    add(&[("__name__", "odd"), ("path", "a.b|c*d")], samples(0, 59, |step| 1.0 / (step + 1) as f64));
    add(&[("__name__", "early"), ("job", "api")], samples(0, 9, |step| step as f64));
    add(&[("__name__", "late"), ("job", "api")], samples(50, 59, |step| step as f64));
    let mut gap = samples(0, 9, |step| step as f64);
    gap.extend(samples(40, 59, |step| step as f64));
    add(&[("__name__", "gap"), ("job", "db")], gap);
    add(&[("__name__", "single"), ("job", "db")], samples(30, 30, |_| 42.0));
    add(&[("__name__", "many_chunks"), ("job", "db")], samples(0, 599, |step| (step % 17) as f64));
    // What is outside wins over what is inside.
    add(&[("__name__", "mine"), ("cluster", "own"), ("job", "db")], samples(0, 59, |step| step as f64));
    all
}

impl Part {
    /// A series with the external labels, which win over its own.
    pub fn labels_of(&self, series: &TestSeries) -> LabelBytes {
        let own = series.labels.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        LabelBytes::from_pairs(own)
            .with(self.external.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    }
}

impl TestSeries {
    /// Its samples in chunks of 120 at most, each with its hash.
    pub fn chunks(&self) -> Vec<AggrChunk> {
        let chunk = |samples: &[(i64, f64)]| {
            let mut appender = XorAppender::new();
            for (time, value) in samples {
                appender.append(*time, *value);
            }
            let data = Bytes::from(appender.into_bytes());
            let (first, last) = (samples[0].0, samples[samples.len() - 1].0);
            AggrChunk::raw(first, last, Chunk::hashed(Chunk::XOR, data))
        };
        self.samples.chunks(120).map(chunk).collect()
    }
}
