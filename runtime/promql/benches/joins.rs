//! Operators between vectors, over 1,000 instances of two metrics and 5,000 steps of 10 s, as in Prometheus' own benchmark of
//! joins: `cargo bench -p promql --bench joins`.
//!
//! CPU time of one thread, the best of several runs. Samples are in memory, decoded: what is measured is the engine. The first
//! line, a plain selector, is what reading the left side takes.
#![expect(clippy::print_stdout, reason = "the table is the result")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs the clock of the thread")]

use std::sync::Arc;

use prom_model::{Labels, SystemClock};
use promql::script::MemoryStorage;
use promql::{Control, Engine, QueryRange, Value};

const INSTANCES: u64 = 1_000;
const STEPS: i64 = 5_000;
const INTERVAL: i64 = 10_000;

const QUERIES: [&str; 16] = [
    "success",
    "sum(success)",
    "success + error",
    "sum(success + error)",
    "success + on (job, instance) error",
    "success + on (job, instance) group_left error",
    "sum(success + on (job, instance) group_left error)",
    "success > error",
    "sum(success and error{instance=~\"0.*\"})",
    "success and error{instance=~\"0.*\"}",
    "success or error{instance=~\"0.*\"}",
    "success unless error{instance=~\"0.*\"}",
    "success * 2",
    "success > bool 100",
    "success ^ 1.5",
    "short / on (instance) group_left error",
];

fn main() {
    let storage = load();
    let engine = Engine::default();
    let end = STEPS * INTERVAL;
    let range = QueryRange::Range { start: INTERVAL, end, step: INTERVAL };
    println!("{:<56}{:>10}{:>14}{:>12}{:>10}", "query", "CPU ms", "ns/value", "MB peak", "series");
    for query in QUERIES {
        let prepared = engine.prepare(query, range).expect("the query is good");
        let (mut best, mut peak, mut series) = (f64::INFINITY, 0, 0);
        for _ in 0..7 {
            let control = Control::unlimited(Arc::new(SystemClock));
            let source = storage.snapshot();
            let before = cpu();
            let answer = prepared.run(source, control).expect("the query has an answer");
            best = best.min(cpu() - before);
            peak = answer.stats.bytes_peak;
            series = match &answer.value {
                Value::Matrix { series, .. } => series.len(),
                _ => 0,
            };
        }
        let values = (INSTANCES * STEPS.unsigned_abs()) as f64;
        let (millis, nanos, megabytes) = (best * 1e3, best * 1e9 / values, peak as f64 / 1e6);
        println!("{query:<56}{millis:>10.2}{nanos:>14.2}{megabytes:>12.1}{series:>10}");
    }
}

/// `success` and `error` at all steps, `short` for a hundredth of them each.
fn load() -> MemoryStorage {
    let mut storage = MemoryStorage::new();
    let labels = |name: &str, instance: u64| {
        // Instances begin with any of 16 digits, as UUIDs do.
        let instance = format!("{:016x}", instance.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        [("__name__", name), ("instance", &instance), ("job", "api"), ("zone", "a")]
            .into_iter()
            .collect::<Labels>()
    };
    for instance in 0..INSTANCES {
        let (success, error, short) =
            (labels("success", instance), labels("error", instance), labels("short", instance));
        let first = (instance as i64 * 37) % (STEPS - 50);
        for step in 1..=STEPS {
            let time = step * INTERVAL;
            storage.push_float(&success, 0, time, (step % 1_000) as f64);
            storage.push_float(&error, 0, time, (instance + 500) as f64);
            if (first..first + 50).contains(&step) {
                storage.push_float(&short, 0, time, 1.0);
            } else if step == first + 50 {
                storage.push_float(&short, 0, time, prom_model::STALE_NAN);
            }
        }
    }
    storage
}

fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|text| text.parse::<f64>().ok()).expect("nanoseconds") / 1e9
}
