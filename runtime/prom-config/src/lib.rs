//! Would Prometheus load this configuration file, this rule file, or this file of unit tests, and if not: where and why?
//!
//! Nothing is read or written here: a text goes in, a report comes out. The rules are those of Prometheus' own loader,
//! from the YAML it reads (`yes` is true, `<<` merges, keys are unique) to the checks between fields.
//!
//! ```
//! use prom_config::{Options, Version, check_config};
//!
//! let options = Options { version: Some(Version::new(2, 42, 0)), ..Options::default() };
//! let report = check_config(b"global:\n  scrape_intervall: 15s\n", &options);
//! let problem = &report.problems[0];
//! assert_eq!((problem.path.as_str(), problem.line, problem.column), ("global.scrape_intervall", 2, 3));
//! assert!(problem.message.contains("did you mean `scrape_interval`"));
//! ```
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod byte_size;
mod checker;
mod config;
mod go_url;
mod options;
mod problem;
mod promql;
mod record;
mod report;
mod rules;
mod schema;
pub mod template;
mod tree;
mod unit_test;
mod version;

pub use config::{check_config, check_scrape_configs};
pub use options::{Options, UnknownFields};
pub use problem::{Kind, Problem};
pub use report::{ConfigReport, FileReference, FileUse, RemoteWrite, ScrapeConfigsReport};
pub use rules::{Rule, RuleGroup, RuleKind, RulesReport, check_rules};
pub use schema::known_fields;
pub use unit_test::{
    AlertTest, ExpectedAlert, ExpectedSample, ExprTest, InputSeries, UnitTest, UnitTestFile, UnitTestsReport,
    check_unit_tests,
};
pub use version::{InvalidVersion, Version};
