//! What the process uses: `process_*`, and those of `go_*` that dashboards show, from `/proc`.
//!
//! Dashboards of Thanos draw memory and work from Go's runtime. Here `go_goroutines` counts tasks, `go_memstats_*` memory as the
//! kernel sees it: what is allocated is what is resident and not of a file, and what was allocated in all is what was faulted in.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use tokio::runtime::Handle;

/// Registers the metrics of the process, and `thanos_build_info`. Runs inside a runtime for its tasks to be counted.
pub fn register(registry: &mut Registry) {
    registry
        .register_collector(Box::new(Process { runtime: Handle::try_current().ok(), started: started() }));
}

#[derive(Debug)]
struct Process {
    runtime: Option<Handle>,
    /// Seconds since the epoch.
    started: Option<f64>,
}

/// One number with its name and help text.
enum Value {
    Counter(&'static str, &'static str, f64),
    Gauge(&'static str, &'static str, f64),
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        for value in self.values() {
            match value {
                Value::Counter(name, help, number) => {
                    let metric = ConstCounter::new(number);
                    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
                }
                Value::Gauge(name, help, number) => {
                    let metric = ConstGauge::new(number);
                    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
                }
            }
        }
        let build = ConstGauge::new(1_i64);
        let help = "A metric with a constant '1' value labeled by version, revision, branch, goversion from \
                    which thanos was built, and the goos and goarch for the build.";
        let mut family = encoder.encode_descriptor("thanos_build_info", help, None, build.metric_type())?;
        let labels = [
            ("branch", ""),
            ("goarch", if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }),
            ("goos", std::env::consts::OS),
            ("goversion", ""),
            ("revision", ""),
            ("tags", "pronoia"),
            ("version", env!("CARGO_PKG_VERSION")),
        ];
        build.encode(family.encode_family(&labels)?)
    }
}

impl Process {
    fn values(&self) -> Vec<Value> {
        use Value::{Counter, Gauge};
        let mut values = Vec::new();
        if let Some(stat) = Stat::read() {
            let cpu = stat.cpu_ticks / ticks();
            values.extend([
                Counter("process_cpu_seconds", "Total user and system CPU time spent in seconds.", cpu),
                Gauge("process_resident_memory_bytes", "Resident memory size in bytes.", stat.resident),
                Gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", stat.virtual_size),
                Gauge("go_threads", "Number of OS threads created.", stat.threads),
                Counter(
                    "go_memstats_alloc_bytes",
                    "Total number of bytes of memory faulted in until now, even if released already.",
                    stat.faulted,
                ),
            ]);
        }
        if let Some(started) = self.started {
            let help = "Start time of the process since unix epoch in seconds.";
            values.push(Gauge("process_start_time_seconds", help, started));
        }
        if let Some(open) = open_files() {
            values.push(Gauge("process_open_fds", "Number of open file descriptors.", open));
        }
        let help = "Maximum number of open file descriptors.";
        values.push(Gauge("process_max_fds", help, limit(Resource::Nofile)));
        let help = "Maximum amount of virtual memory available in bytes.";
        values.push(Gauge("process_virtual_memory_max_bytes", help, limit(Resource::As)));
        if let Some((received, sent)) = network() {
            values.extend([
                Counter(
                    "process_network_receive_bytes",
                    "Number of bytes received by the process over the network.",
                    received,
                ),
                Counter(
                    "process_network_transmit_bytes",
                    "Number of bytes sent by the process over the network.",
                    sent,
                ),
            ]);
        }
        if let Some(runtime) = &self.runtime {
            let tasks = number(runtime.metrics().num_alive_tasks());
            values.push(Gauge("go_goroutines", "Number of tasks that currently exist.", tasks));
        }
        if let Some(memory) = Memory::read() {
            let Memory { anonymous, data, stack } = memory;
            let allocated = "Number of bytes of memory in use that belong to no file.";
            values.extend([
                Gauge("go_memstats_alloc_bytes", allocated, anonymous),
                Gauge("go_memstats_heap_alloc_bytes", allocated, anonymous),
                Gauge("go_memstats_heap_inuse_bytes", allocated, anonymous),
                Gauge("go_memstats_heap_sys_bytes", "Number of bytes mapped for data.", data),
                Gauge("go_memstats_sys_bytes", "Number of bytes mapped for data and stacks.", data + stack),
                Gauge("go_memstats_stack_inuse_bytes", "Number of bytes of the main stack.", stack),
            ]);
        }
        values
    }
}

#[expect(clippy::disallowed_methods, reason = "the kernel tells in files")]
fn file(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn number(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn ticks() -> f64 {
    clock_ticks_per_second() as f64
}

/// The parts of `/proc/self/stat` that matter; see proc(5).
struct Stat {
    faulted: f64,
    cpu_ticks: f64,
    threads: f64,
    started_ticks: f64,
    virtual_size: f64,
    resident: f64,
}

impl Stat {
    fn read() -> Option<Self> {
        Self::parse(&file("/proc/self/stat")?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The program's name may hold anything, and ends with the last parenthesis.
        let (_, fields) = text.rsplit_once(") ")?;
        // The first field behind it is the third of all.
        let field = |place: usize| fields.split_ascii_whitespace().nth(place - 3)?.parse::<f64>().ok();
        let page = number(page_size());
        Some(Self {
            faulted: field(10)? * page,
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            started_ticks: field(22)?,
            virtual_size: field(23)?,
            resident: field(24)? * page,
        })
    }
}

/// When the process started.
fn started() -> Option<f64> {
    let boot = file("/proc/stat")?;
    let boot: f64 = boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + Stat::read()?.started_ticks / ticks())
}

#[expect(clippy::disallowed_methods, reason = "the kernel tells in files")]
fn open_files() -> Option<f64> {
    Some(number(std::fs::read_dir("/proc/self/fd").ok()?.count()))
}

/// The limit of a resource; none is the largest number, as in Go's client library.
#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn limit(resource: Resource) -> f64 {
    getrlimit(resource).current.unwrap_or(u64::MAX) as f64
}

/// Bytes received and sent, by all processes of the network namespace.
fn network() -> Option<(f64, f64)> {
    let text = file("/proc/self/net/netstat")?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("IpExt: "));
    let (names, values) = (lines.next()?, lines.next()?);
    let of = |wanted: &str| {
        let place = names.split(' ').position(|name| name == wanted)?;
        values.split(' ').nth(place)?.parse().ok()
    };
    Some((of("InOctets")?, of("OutOctets")?))
}

/// The parts of `/proc/self/status` that matter, bytes.
struct Memory {
    anonymous: f64,
    data: f64,
    stack: f64,
}

impl Memory {
    fn read() -> Option<Self> {
        let text = file("/proc/self/status")?;
        let of = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            let kilobytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
            Some(kilobytes * 1024.0)
        };
        Some(Self { anonymous: of("RssAnon")?, data: of("VmData")?, stack: of("VmStk")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[tokio::test]
    async fn the_process_tells_what_it_uses() {
        let mut registry = Registry::default();
        register(&mut registry);
        let text = String::from_utf8(Metrics::new(registry).exposition("").unwrap().1).unwrap();
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_virtual_memory_bytes",
            "process_virtual_memory_max_bytes",
            "process_open_fds",
            "process_max_fds",
            "process_start_time_seconds",
            "process_network_receive_bytes_total",
            "process_network_transmit_bytes_total",
            "go_goroutines",
            "go_threads",
            "go_memstats_alloc_bytes",
            "go_memstats_alloc_bytes_total",
            "go_memstats_heap_alloc_bytes",
            "go_memstats_heap_inuse_bytes",
            "go_memstats_stack_inuse_bytes",
        ] {
            let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
            let line = line.unwrap_or_else(|| panic!("{name} is missing:\n{text}"));
            let value: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
            assert!(value >= 0.0, "{line}");
        }
        assert!(text.contains("thanos_build_info{branch=\"\",goarch="), "{text}");
    }

    #[test]
    fn a_name_with_parentheses_is_no_obstacle() {
        let text = "1 (a) b) R 0 0 0 0 0 0 7 0 0 0 250 50 0 0 20 0 9 0 1234 4096 3 0\n";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.cpu_ticks, stat.threads, stat.started_ticks), (300.0, 9.0, 1234.0));
        assert_eq!(stat.virtual_size, 4096.0);
    }
}
