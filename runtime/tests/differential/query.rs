//! Random queries of the language that Prometheus 2.42 knows, most of them valid.

use std::fmt;

use super::data::{Chance, LENGTH, START};

/// A query and when it is asked, seconds since the epoch.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) query: String,
    pub(super) start: i64,
    /// End and step of a range query.
    pub(super) range: Option<(i64, i64)>,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} {:?}", self.query, self.start, self.range)
    }
}

impl Asked {
    pub(super) fn path(&self) -> String {
        let query: String = self.query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        match self.range {
            Some((end, step)) => {
                format!("/api/v1/query_range?query={query}&start={}&end={end}&step={step}", self.start)
            }
            None => format!("/api/v1/query?query={query}&time={}", self.start),
        }
    }
}

pub(super) struct Generator {
    chance: Chance,
}

const OVER_TIME: [&str; 22] = [
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "deriv",
    "changes",
    "resets",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "sum_over_time",
    "count_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "last_over_time",
    "present_over_time",
    "absent_over_time",
    "quantile_over_time",
    "predict_linear",
    "rate",
    "increase",
];
const ELEMENTWISE: [&str; 38] = [
    "abs",
    "ceil",
    "floor",
    "round",
    "sqrt",
    "exp",
    "ln",
    "log2",
    "log10",
    "sgn",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "deg",
    "rad",
    "timestamp",
    "minute",
    "hour",
    "month",
    "year",
    "day_of_week",
    "day_of_month",
    "day_of_year",
    "days_in_month",
    "clamp",
    "clamp_min",
    "clamp_max",
    "sort",
    "sort_desc",
];

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Generator { chance: Chance::new(seed ^ 0xdead_beef) }
    }

    pub(super) fn next_query(&mut self) -> Asked {
        let query = if self.chance.one_in(12) { self.scalar(3) } else { self.vector(3) };
        // Three seconds past a multiple of ten: no step of a subquery lies on the edge of its range.
        let time = START / 1000 + 10 * self.chance.below(LENGTH as u64 / 10_000 + 60) as i64 + 3;
        let range = (!self.chance.one_in(3)).then(|| {
            let step = [10, 30, 60, 120, 300][self.chance.below(5) as usize];
            (time + step * (1 + self.chance.below(20) as i64), step)
        });
        Asked { query, start: time, range }
    }

    fn metric(&mut self) -> String {
        let name = self.chance.pick(&[
            "requests_total",
            "requests_total",
            "temperature",
            "memory_bytes",
            "odd",
            "up",
            "build_info",
            "duration_seconds_bucket",
            "nothing",
        ]);
        let matcher = self.chance.pick(&[
            "",
            "",
            "",
            "{job=\"api\"}",
            "{job!=\"api\"}",
            "{instance=~\"a.*|b.*\"}",
            "{instance!~\"a.*\"}",
            "{code=\"500\"}",
            "{code=~\"4..|5..\",job=\"db\"}",
            "{code=\"\"}",
            "{le=\"+Inf\"}",
        ]);
        format!("{name}{matcher}")
    }

    fn modifiers(&mut self) -> String {
        let mut text = String::new();
        if self.chance.one_in(6) {
            text.push_str(self.chance.pick(&[" offset 10s", " offset 5m", " offset -2m", " offset 1h"]));
        }
        if self.chance.one_in(10) {
            let at = START / 1000 + 10 * self.chance.below(700) as i64 + 3;
            text.push_str(&match self.chance.below(3) {
                0 => " @ start()".to_owned(),
                1 => " @ end()".to_owned(),
                _ => format!(" @ {at}"),
            });
        }
        text
    }

    fn matrix(&mut self, depth: u32) -> String {
        if depth > 0 && self.chance.one_in(4) {
            let inner = self.vector(depth - 1);
            let range = self.chance.pick(&["70s", "5m", "10m10s", "30m"]);
            let step = self.chance.pick(&["30s", "1m", "", "2m"]);
            return format!("({inner})[{range}:{step}]{}", self.modifiers());
        }
        let range = self.chance.pick(&["20s", "50s", "1m", "2m", "5m", "5m", "20m", "1h"]);
        format!("{}[{range}]{}", self.metric(), self.modifiers())
    }

    fn number(&mut self) -> &'static str {
        self.chance.pick(&["0", "1", "2", "0.5", "-3", "10", "1e3", "Inf", "-Inf", "NaN", "1.25", "0.1"])
    }

    fn scalar(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.number().to_owned();
        }
        match self.chance.below(6) {
            0 => "time()".to_owned(),
            1 => format!("scalar({})", self.vector(depth - 1)),
            2 => format!("({} {} {})", self.scalar(depth - 1), self.arithmetic(), self.scalar(depth - 1)),
            3 => "pi()".to_owned(),
            _ => self.number().to_owned(),
        }
    }

    fn arithmetic(&mut self) -> &'static str {
        self.chance.pick(&["+", "-", "*", "/", "%", "^", "atan2"])
    }

    fn labels(&mut self) -> String {
        let count = self.chance.below(3);
        let all: Vec<&str> = (0..count)
            .map(|_| self.chance.pick(&["job", "instance", "code", "le", "version", "none"]))
            .collect();
        all.join(", ")
    }

    fn vector(&mut self, depth: u32) -> String {
        if depth == 0 {
            return format!("{}{}", self.metric(), self.modifiers());
        }
        match self.chance.below(16) {
            0 | 1 => format!("{}{}", self.metric(), self.modifiers()),
            2..=5 => self.over_time(depth),
            6 | 7 => self.elementwise(depth),
            8..=10 => self.aggregation(depth),
            11 | 12 => self.between_vectors(depth),
            13 => self.with_scalar(depth),
            14 => self.other(depth),
            _ => format!("-{}", self.vector(depth - 1)),
        }
    }

    fn over_time(&mut self, depth: u32) -> String {
        let function = self.chance.pick(&OVER_TIME);
        let matrix = self.matrix(depth - 1);
        match function {
            "quantile_over_time" => format!("{function}({}, {matrix})", self.number()),
            "predict_linear" => format!("{function}({matrix}, {})", self.number()),
            _ => format!("{function}({matrix})"),
        }
    }

    fn elementwise(&mut self, depth: u32) -> String {
        let function = self.chance.pick(&ELEMENTWISE);
        let inner = self.vector(depth - 1);
        match function {
            "clamp" => format!("clamp({inner}, {}, {})", self.number(), self.number()),
            "clamp_min" | "clamp_max" => format!("{function}({inner}, {})", self.number()),
            "round" if self.chance.one_in(2) => format!("round({inner}, {})", self.number()),
            _ => format!("{function}({inner})"),
        }
    }

    fn aggregation(&mut self, depth: u32) -> String {
        let op = self.chance.pick(&[
            "sum",
            "sum",
            "avg",
            "min",
            "max",
            "count",
            "group",
            "stddev",
            "stdvar",
            "topk",
            "bottomk",
            "quantile",
            "count_values",
        ]);
        let inner = self.vector(depth - 1);
        let grouping = match self.chance.below(3) {
            0 => String::new(),
            1 => format!(" by ({})", self.labels()),
            _ => format!(" without ({})", self.labels()),
        };
        match op {
            "topk" | "bottomk" => format!("{op}{grouping} ({}, {inner})", self.chance.below(4)),
            "quantile" => format!("{op}{grouping} ({}, {inner})", self.number()),
            "count_values" => format!("{op}{grouping} (\"value\", {inner})"),
            _ => format!("{op}{grouping} ({inner})"),
        }
    }

    fn between_vectors(&mut self, depth: u32) -> String {
        let op = self.chance.pick(&[
            "+", "-", "*", "/", "%", "^", "==", "!=", ">", "<", ">=", "<=", "> bool", "== bool", "and", "or",
            "unless", "atan2",
        ]);
        let matching = match self.chance.below(5) {
            0 => format!(" on ({})", self.labels()),
            1 => format!(" ignoring ({})", self.labels()),
            _ => String::new(),
        };
        let is_set = matches!(op, "and" | "or" | "unless");
        let grouping = if matching.is_empty() || is_set || !self.chance.one_in(2) {
            String::new()
        } else {
            let side = self.chance.pick(&["group_left", "group_right"]);
            format!(" {side} ({})", self.labels())
        };
        // Both sides alike match more often.
        let left = self.vector(depth - 1);
        let right = if self.chance.one_in(3) { left.clone() } else { self.vector(depth - 1) };
        format!("({left}) {op}{matching}{grouping} ({right})")
    }

    fn with_scalar(&mut self, depth: u32) -> String {
        let op =
            self.chance.pick(&["+", "-", "*", "/", "%", "^", "==", "!=", ">", "<=", "> bool", "!= bool"]);
        let (vector, scalar) = (self.vector(depth - 1), self.scalar(depth - 1));
        if self.chance.one_in(2) {
            format!("({vector}) {op} {scalar}")
        } else {
            format!("{scalar} {op} ({vector})")
        }
    }

    fn other(&mut self, depth: u32) -> String {
        let inner = self.vector(depth - 1);
        match self.chance.below(7) {
            0 => format!("histogram_quantile({}, {inner})", self.number()),
            1 => {
                let range = self.chance.pick(&["1m", "5m"]);
                format!("histogram_quantile(0.9, sum by (le) (rate(duration_seconds_bucket[{range}])))")
            }
            2 => format!("label_replace({inner}, \"new\", \"$1-x\", \"instance\", \"(.*):.*\")"),
            3 => format!("label_join({inner}, \"new\", \"/\", \"job\", \"instance\")"),
            4 => format!("absent({inner})"),
            5 => format!("vector({})", self.scalar(depth - 1)),
            _ => "histogram_quantile(0.5, duration_seconds_bucket)".to_owned(),
        }
    }
}
