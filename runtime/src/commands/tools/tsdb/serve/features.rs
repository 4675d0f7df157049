//! `--enable-feature`: the names are Prometheus'.

use anyhow::bail;
use promql::EngineOptions;
use promql_syntax::ParseOptions;
use tracing::info;

/// Names that change how queries are read or evaluated.
const QUERIES: [&str; 8] = [
    "promql-experimental-functions",
    "promql-delayed-name-removal",
    "promql-duration-expr",
    "promql-extended-range-selectors",
    "promql-binop-fill-modifiers",
    "promql-per-step-stats",
    "type-and-unit-labels",
    "use-start-timestamps",
];

/// Names that Prometheus knows and that mean nothing to a server that only reads, or that are always on.
const OTHERS: [&str; 25] = [
    "auto-reload-config",
    "concurrent-rule-eval",
    "created-timestamp-zero-ingestion",
    "delayed-compaction",
    "exemplar-storage",
    "expand-external-labels",
    "extra-scrape-metrics",
    "fast-startup",
    "histograms-st-encoding",
    "memory-snapshot-on-shutdown",
    "metadata-wal-records",
    "native-histograms",
    "new-service-discovery-manager",
    "no-scrape-default-port",
    "old-ui",
    "ooo-native-histograms",
    "otlp-deltatocumulative",
    "otlp-native-delta-ingestion",
    "promql-at-modifier",
    "promql-negative-offset",
    "search-api",
    "st-storage",
    "st-synthesis",
    "use-uncached-io",
    "xor2-encoding",
];

/// The features that are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Features {
    parse: ParseOptions,
    delayed_name_removal: bool,
    type_and_unit_labels: bool,
    use_start_timestamps: bool,
    per_step_stats: bool,
}

impl Features {
    /// Reads the names.
    pub(super) fn parse(names: &[String]) -> anyhow::Result<Self> {
        let mut features = Features::default();
        for name in names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
            match name {
                "promql-experimental-functions" => features.parse.experimental_functions = true,
                "promql-duration-expr" => features.parse.duration_expr = true,
                "promql-extended-range-selectors" => features.parse.extended_range_selectors = true,
                "promql-binop-fill-modifiers" => features.parse.binop_fill_modifiers = true,
                "promql-delayed-name-removal" => features.delayed_name_removal = true,
                "promql-per-step-stats" => features.per_step_stats = true,
                "type-and-unit-labels" => features.type_and_unit_labels = true,
                "use-start-timestamps" => features.use_start_timestamps = true,
                other if OTHERS.contains(&other) => {
                    info!(msg = "the feature has no effect on a server that only reads", feature = other);
                }
                other => bail!("--enable-feature={other}: {}", unknown(other)),
            }
        }
        Ok(features)
    }

    /// Whether samples are counted for each step.
    pub(super) fn per_step_stats(self) -> bool {
        self.per_step_stats
    }

    /// How the engine evaluates with them.
    pub(super) fn options(self) -> EngineOptions {
        EngineOptions {
            parse: self.parse,
            delayed_name_removal: self.delayed_name_removal,
            type_and_unit_labels: self.type_and_unit_labels,
            use_start_timestamps: self.use_start_timestamps,
            ..EngineOptions::default()
        }
    }
}

fn unknown(name: &str) -> String {
    let near = QUERIES
        .iter()
        .chain(&OTHERS)
        .map(|known| (known, strsim::jaro_winkler(known, name)))
        .filter(|(_, likeness)| *likeness > 0.8)
        .max_by(|(_, one), (_, other)| one.total_cmp(other));
    match near {
        Some((known, _)) => format!("no such feature; did you mean {known}?"),
        None => format!("no such feature; those for queries are {}", QUERIES.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_prometheus_own_and_others_get_a_suggestion() {
        let parse = |names: &[&str]| {
            Features::parse(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        let features =
            parse(&["promql-duration-expr", "promql-delayed-name-removal", "native-histograms"]).unwrap();
        let options = features.options();
        assert!(options.parse.duration_expr && options.delayed_name_removal);
        assert!(!options.parse.experimental_functions);
        let error = parse(&["promql-experimental-function"]).unwrap_err().to_string();
        assert!(error.ends_with("did you mean promql-experimental-functions?"), "{error}");
        assert!(parse(&["xyz"]).unwrap_err().to_string().contains("those for queries are"));
    }
}
