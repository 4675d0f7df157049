//! What functions over ranges cost: CPU time per stored sample and per step, beside a walk over each range alone.
//!
//! `cargo bench -p promql --bench ranges [-- FUNCTION…]`. Series lie in memory and are copied, not decoded; rows go into one sum. CPU
//! time comes from `/proc`. Both ways must agree to the bit, or the line says so.
#![expect(clippy::print_stdout, reason = "the table is the result")]
#![expect(clippy::disallowed_methods, reason = "a measurement reads the CPU time of its process")]

use std::sync::Arc;

use prom_model::SystemClock;
use promql::{
    Control, Engine, EngineOptions, Point, QueryRange, SampleReader, Samples, Select, SeriesBatch, SeriesSet,
    SeriesSource, SourceError, Symbol, Symbols, Value,
};
use promql_syntax::{ParseOptions, parse_with};

const START: i64 = 1_704_067_200_000;
const ROUNDS: usize = 5;

/// Series, ranges and steps of a table.
struct Workload {
    title: &'static str,
    series: usize,
    samples: usize,
    interval: i64,
    range: i64,
    range_text: &'static str,
    step: i64,
    steps: i64,
    /// Whether values are whole numbers, as counters mostly are.
    whole: bool,
}

type Walk = fn(&[i64], &[f64], i64, i64) -> f64;

/// The functions, and a walk over one range that does the same; of those that need it, the query around the range.
const FUNCTIONS: [(&str, &str, Option<Walk>); 25] = [
    ("rate", "rate(RANGE)", Some(walk::rate)),
    ("increase", "increase(RANGE)", None),
    ("delta", "delta(RANGE)", None),
    ("irate", "irate(RANGE)", None),
    ("deriv", "deriv(RANGE)", Some(|t, v, _, _| walk::slope(t, v))),
    ("predict_linear", "predict_linear(RANGE, 60)", None),
    ("changes", "changes(RANGE)", Some(|_, v, _, _| walk::pairs(v, |a, b| a != b))),
    ("resets", "resets(RANGE)", Some(|_, v, _, _| walk::pairs(v, |a, b| b < a))),
    ("count_over_time", "count_over_time(RANGE)", Some(|_, v, _, _| v.len() as f64)),
    ("present_over_time", "present_over_time(RANGE)", None),
    ("sum_over_time", "sum_over_time(RANGE)", Some(|_, v, _, _| walk::sum(v))),
    ("avg_over_time", "avg_over_time(RANGE)", Some(|_, v, _, _| walk::mean(v))),
    ("min_over_time", "min_over_time(RANGE)", Some(|_, v, _, _| v.iter().copied().fold(v[0], f64::min))),
    ("max_over_time", "max_over_time(RANGE)", Some(|_, v, _, _| v.iter().copied().fold(v[0], f64::max))),
    ("ts_of_max_over_time", "ts_of_max_over_time(RANGE)", None),
    ("stddev_over_time", "stddev_over_time(RANGE)", Some(|_, v, _, _| walk::variance(v).sqrt())),
    ("stdvar_over_time", "stdvar_over_time(RANGE)", None),
    ("quantile_over_time", "quantile_over_time(0.9, RANGE)", Some(|_, v, _, _| walk::quantile(v, 0.9))),
    ("mad_over_time", "mad_over_time(RANGE)", Some(|_, v, _, _| walk::mad(v))),
    ("first_over_time", "first_over_time(RANGE)", Some(|_, v, _, _| v[0])),
    ("last_over_time", "last_over_time(RANGE)", Some(|_, v, _, _| v[v.len() - 1])),
    ("ts_of_last_over_time", "ts_of_last_over_time(RANGE)", None),
    ("double_exponential_smoothing", "double_exponential_smoothing(RANGE, 0.5, 0.3)", None),
    ("rate anchored", "rate(RANGE anchored)", None),
    ("rate smoothed", "rate(RANGE smoothed)", None),
];

/// Functions that are measured on counters; the others on values that go up and down.
const COUNTERS: [&str; 5] = ["rate", "increase", "irate", "resets", "changes"];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let short = Workload {
        title: "[5m] over 6 h @15 s, a step of 30 s, whole numbers",
        series: 200,
        samples: 1440,
        interval: 15_000,
        range: 300_000,
        range_text: "5m",
        step: 30_000,
        steps: 720,
        whole: true,
    };
    let fractions =
        Workload { title: "[5m] over 6 h @15 s, a step of 30 s, fractions", whole: false, ..short };
    let long = Workload {
        title: "[1d] @10 s, 1000 steps of 10 s, whole numbers",
        series: 5,
        samples: 9640,
        interval: 10_000,
        range: 86_400_000,
        range_text: "1d",
        step: 10_000,
        steps: 1000,
        whole: true,
    };
    let long_fractions =
        Workload { title: "[1d] @10 s, 1000 steps of 10 s, fractions", whole: false, ..long };
    for workload in [short, fractions, long, long_fractions] {
        workload.table(&wanted);
    }
}

impl Workload {
    fn table(&self, wanted: &[String]) {
        println!("{}: {} series of {} samples", self.title, self.series, self.samples);
        println!("{:<30}{:>12}{:>12}{:>14}{:>8}", "", "ns/sample", "ns/step", "walk ns/step", "ratio");
        let (counters, gauges) = (Arc::new(Memory::of(self, true)), Arc::new(Memory::of(self, false)));
        let (samples, steps) = ((self.series * self.samples) as f64, self.series as f64 * self.steps as f64);
        for (name, query, walk) in FUNCTIONS {
            if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
                continue;
            }
            let memory = if COUNTERS.iter().any(|of| name.starts_with(of)) { &counters } else { &gauges };
            let query = query.replace("RANGE", &format!("x[{}]", self.range_text));
            let digest = self.engine(memory, &query);
            let (nanoseconds, _) = best(|| self.engine(memory, &format!("sum({query})")));
            let mut line = format!("{name:<30}{:>12.2}{:>12.2}", nanoseconds / samples, nanoseconds / steps);
            if let Some(walk) = walk {
                let (by_walk, walked) = best(|| self.walk(memory, walk));
                line += &format!("{:>14.2}{:>8.1}", by_walk / steps, by_walk / nanoseconds);
                if walked != digest {
                    line += "  the ways DIFFER";
                }
            }
            println!("{line}");
        }
        println!();
    }

    fn first_step(&self) -> i64 {
        START + self.samples as i64 * self.interval - self.steps * self.step
    }

    /// Evaluates the query; gives a digest of the values.
    fn engine(&self, memory: &Arc<Memory>, query: &str) -> u64 {
        let start = self.first_step();
        let end = start + (self.steps - 1) * self.step;
        let range = QueryRange::Range { start, end, step: self.step };
        let engine = Engine::new(EngineOptions::default());
        let (expr, errors) = parse_with(query, &ParseOptions::ALL);
        let expr = expr.filter(|_| errors.is_empty()).expect("a good query");
        let prepared = engine.prepare_expr(query, &expr, range).expect("a good query");
        let control = Control::unlimited(Arc::new(SystemClock));
        let source: Arc<dyn SeriesSource> = Arc::<Memory>::clone(memory);
        let answer = prepared.run(source, control).expect("an answer");
        let Value::Matrix { series, .. } = answer.value else { return 0 };
        let mut digest = 0;
        for row in &series {
            for (_, point) in row.column.points() {
                if let Point::Float(value) = point {
                    digest = add(digest, value);
                }
            }
        }
        digest
    }

    /// The same, each range by itself.
    fn walk(&self, memory: &Memory, walk: Walk) -> u64 {
        let mut digest = 0;
        for samples in memory.series.iter() {
            let (mut from, mut to) = (0, 0);
            for step in 0..self.steps {
                let end = self.first_step() + step * self.step;
                while from < samples.timestamps.len() && samples.timestamps[from] <= end - self.range {
                    from += 1;
                }
                while to < samples.timestamps.len() && samples.timestamps[to] <= end {
                    to += 1;
                }
                if to - from >= 2 {
                    let (times, values) = (&samples.timestamps[from..to], &samples.values[from..to]);
                    digest = add(digest, walk(times, values, end - self.range, end));
                }
            }
        }
        digest
    }
}

fn add(digest: u64, value: f64) -> u64 {
    digest.rotate_left(5).wrapping_add(value.to_bits())
}

/// The least CPU time of some rounds, nanoseconds, and what the last gave.
fn best<T>(mut round: impl FnMut() -> T) -> (f64, T) {
    let mut least = f64::INFINITY;
    let mut result = round();
    for _ in 0..ROUNDS {
        let before = cpu();
        result = round();
        least = least.min(cpu() - before);
    }
    (least, result)
}

/// CPU time of this thread, nanoseconds.
fn cpu() -> f64 {
    // The count is brought up to date when the thread is scheduled again.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|field| field.parse().ok()).expect("a count")
}

mod walk {
    fn kahan(value: f64, (sum, lost): (f64, f64)) -> (f64, f64) {
        let total = sum + value;
        if total.is_infinite() {
            (total, 0.0)
        } else if sum.abs() >= value.abs() {
            (total, lost + ((sum - total) + value))
        } else {
            (total, lost + ((value - total) + sum))
        }
    }

    pub(crate) fn rate(times: &[i64], values: &[f64], start: i64, end: i64) -> f64 {
        let last = values.len() - 1;
        let mut result = values[last] - values[0];
        for at in 1..values.len() {
            if values[at] < values[at - 1] {
                result += values[at - 1];
            }
        }
        let mut to_start = (times[0] - start) as f64 / 1000.0;
        let mut to_end = (end - times[last]) as f64 / 1000.0;
        let sampled = (times[last] - times[0]) as f64 / 1000.0;
        let average = sampled / last as f64;
        if to_start >= average * 1.1 {
            to_start = average / 2.0;
        }
        if result > 0.0 && values[0] >= 0.0 {
            to_start = to_start.min(sampled * (values[0] / result));
        }
        if to_end >= average * 1.1 {
            to_end = average / 2.0;
        }
        result * ((sampled + to_start + to_end) / sampled / ((end - start) as f64 / 1000.0))
    }

    pub(crate) fn slope(times: &[i64], values: &[f64]) -> f64 {
        let (mut x_sum, mut y_sum, mut xy_sum, mut x2_sum) = Default::default();
        for (time, y) in times.iter().zip(values) {
            let x = (time - times[0]) as f64 / 1e3;
            x_sum = kahan(x, x_sum);
            y_sum = kahan(*y, y_sum);
            xy_sum = kahan(x * y, xy_sum);
            x2_sum = kahan(x * x, x2_sum);
        }
        if values.iter().all(|value| *value == values[0]) {
            return 0.0;
        }
        let [x, y, xy, x2] = [x_sum, y_sum, xy_sum, x2_sum].map(|(sum, lost)| sum + lost);
        let count = values.len() as f64;
        (xy - x * y / count) / (x2 - x * x / count)
    }

    pub(crate) fn pairs(values: &[f64], counts: fn(f64, f64) -> bool) -> f64 {
        values.windows(2).filter(|pair| counts(pair[0], pair[1])).count() as f64
    }

    pub(crate) fn sum(values: &[f64]) -> f64 {
        let (sum, lost) = values.iter().fold((0.0, 0.0), |sum, value| kahan(*value, sum));
        sum + lost
    }

    pub(crate) fn mean(values: &[f64]) -> f64 {
        let (sum, lost) = values[1..].iter().fold((values[0], 0.0), |sum, value| kahan(*value, sum));
        sum / values.len() as f64 + lost / values.len() as f64
    }

    pub(crate) fn variance(values: &[f64]) -> f64 {
        let (mut count, mut mean, mut squares) = (0.0, (0.0, 0.0), (0.0, 0.0));
        for value in values {
            count += 1.0;
            let distance = value - (mean.0 + mean.1);
            mean = kahan(distance / count, mean);
            squares = kahan(distance * (value - (mean.0 + mean.1)), squares);
        }
        (squares.0 + squares.1) / count
    }

    fn rank(sorted: &[f64], quantile: f64) -> f64 {
        let last = (sorted.len() - 1) as f64;
        let rank = quantile * last;
        let (lower, weight) = (rank.floor(), rank - rank.floor());
        let upper = (lower + 1.0).min(last);
        sorted[lower as usize] * (1.0 - weight) + sorted[upper as usize] * weight
    }

    pub(crate) fn quantile(values: &[f64], quantile: f64) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        rank(&sorted, quantile)
    }

    pub(crate) fn mad(values: &[f64]) -> f64 {
        let median = quantile(values, 0.5);
        let distances: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
        quantile(&distances, 0.5)
    }
}

/// Series in memory.
struct Memory {
    series: Arc<Vec<Samples>>,
}

impl Memory {
    /// Counters with a reset every few hundred samples, or values that wander; scraped at some millisecond of the interval.
    fn of(workload: &Workload, counters: bool) -> Self {
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        let mut random = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed >> 11
        };
        let series = (0..workload.series).map(|_| {
            let mut samples = Samples::default();
            let phase = random() as i64 % workload.interval;
            let mut value = (random() % 100_000) as f64;
            for at in 0..workload.samples as i64 {
                samples.push_float(START + phase + at * workload.interval, value);
                let step = (random() % 200) as f64 * if workload.whole { 1.0 } else { 0.137 };
                value += if counters || random() % 2 == 0 { step } else { -step };
                if counters && random() % 400 == 0 {
                    value = 0.0;
                }
            }
            samples
        });
        Memory { series: Arc::new(series.collect()) }
    }
}

struct Found {
    all: Arc<Vec<Samples>>,
    at: usize,
}

struct Batch {
    all: Arc<Vec<Samples>>,
    labels: Vec<Vec<(Symbol, Symbol)>>,
    from: usize,
}

struct Reader<'b>(&'b Batch);

impl SeriesSource for Memory {
    fn select(&self, _: &Select) -> Result<Box<dyn SeriesSet>, SourceError> {
        Ok(Box::new(Found { all: Arc::clone(&self.series), at: 0 }))
    }
}

impl SeriesSet for Found {
    fn next_batch(
        &mut self,
        most: usize,
        symbols: &mut Symbols,
    ) -> Result<Option<Box<dyn SeriesBatch>>, SourceError> {
        let (from, to) = (self.at, (self.at + most).min(self.all.len()));
        if from == to {
            return Ok(None);
        }
        self.at = to;
        let name = (Symbol::METRIC_NAME, symbols.intern("x"));
        let pod = symbols.intern("pod");
        let labels = (from..to).map(|at| vec![name, (pod, symbols.intern(&format!("{at:06}")))]).collect();
        Ok(Some(Box::new(Batch { all: Arc::clone(&self.all), labels, from })))
    }
}

impl SeriesBatch for Batch {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn labels(&self, at: usize) -> &[(Symbol, Symbol)] {
        &self.labels[at]
    }

    fn reader(&self) -> Box<dyn SampleReader + '_> {
        Box::new(Reader(self))
    }
}

impl SampleReader for Reader<'_> {
    fn read(&mut self, at: usize, into: &mut Samples) -> Result<(), SourceError> {
        let found = &self.0.all[self.0.from + at];
        into.timestamps.extend_from_slice(&found.timestamps);
        into.values.extend_from_slice(&found.values);
        Ok(())
    }
}
