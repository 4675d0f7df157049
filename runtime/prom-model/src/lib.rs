//! The nouns of Prometheus.
