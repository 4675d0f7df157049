//! The whole configuration file, and files with scrape configurations alone.

use super::{Shape, Struct, TEXTS, alerting, f, global, remote, scrape, storage};
use crate::Kind;
use crate::checker::{Checker, Step};
use crate::record::Record;

/// The configuration file.
pub(crate) static ROOT: Struct = Struct {
    fields: &[
        f("alerting", Shape::Struct(&alerting::ALERTING)),
        f("global", Shape::Struct(&global::GLOBAL)),
        f("otlp", Shape::Struct(&storage::OTLP)).since(2, 55, 0),
        f("remote_read", Shape::Entries(&remote::READ, "entry of `remote_read`")),
        f("remote_write", Shape::Entries(&remote::WRITE, "entry of `remote_write`")),
        f("rule_files", TEXTS),
        f("runtime", Shape::Struct(&storage::RUNTIME)).since(2, 53, 0),
        f("scrape_config_files", TEXTS).since(2, 43, 0),
        f("scrape_configs", Shape::Entries(&scrape::JOB, "scrape configuration")),
        f("storage", Shape::Struct(&storage::STORAGE)),
        f("tracing", Shape::Struct(&storage::TRACING)),
    ],
    inline: &[],
    check: Some(check),
};

/// A file that `scrape_config_files` names.
pub(crate) static SCRAPE_CONFIGS: Struct = Struct {
    fields: &[f("scrape_configs", Shape::Entries(&scrape::JOB, "scrape configuration"))],
    inline: &[],
    check: None,
};

fn check(c: &mut Checker<'_>, root: &Record) {
    for field in ["rule_files", "scrape_config_files"] {
        for (index, item) in c.items(root, field).to_vec().into_iter().enumerate() {
            let pattern = c.scalar_text(item);
            if is_pattern(pattern) {
                continue;
            }
            let text = format!("{pattern:?}: a pattern has one `*` at most, in its last part");
            c.within(Step::Field(field), |c| {
                c.within(Step::Index(index), |c| c.problem_at(item, Kind::Value, text));
            });
        }
    }
}

/// Whether a text has at most one `*`, and no `/` after it.
pub(crate) fn is_pattern(text: &str) -> bool {
    // The expression that Prometheus uses stops at a line feed nowhere: its classes take it.
    match text.split_once('*') {
        None => true,
        Some((_, rest)) => !rest.contains('/'),
    }
}

#[cfg(test)]
mod tests {
    use super::is_pattern;

    #[test]
    fn patterns_of_files() {
        for good in ["", "a.yml", "rules/*.yml", "a*b*c", "*"] {
            assert!(is_pattern(good), "{good}");
        }
        for bad in ["*/a.yml", "a/*/b", "a*/"] {
            assert!(!is_pattern(bad), "{bad}");
        }
    }
}
