//! The checks of configuration files.

use crate::checker::Checker;
use crate::record::Record;
use crate::schema::{alerting, global, remote, root, scrape, storage};
use crate::tree::{Dialect, NodeId, Tree, Unreadable, decode_text};
use crate::{ConfigReport, Options, Problem, ScrapeConfigsReport, schema::Shape};

const ROOT: Shape = Shape::Struct(&root::ROOT);
const SCRAPE_CONFIGS: Shape = Shape::Struct(&root::SCRAPE_CONFIGS);

/// Says whether Prometheus would load a configuration file, and what the file refers to.
pub fn check_config(text: &[u8], options: &Options) -> ConfigReport {
    let mut report = ConfigReport::default();
    let read = read(text, |tree| {
        let mut checker = Checker::new(tree, options, Dialect::V2);
        checker.doubt_tabs();
        if let Some(root) = tree.root() {
            checker.decode(root, &ROOT);
            if !checker.is_stopped() {
                whole_file(&mut checker, root, &mut report);
            }
        }
        report.files = std::mem::take(&mut checker.files);
        report.problems = in_order(checker.problems);
    });
    if let Err(problem) = read {
        report.problems = vec![problem];
    }
    report
}

/// Says whether Prometheus would load a file that `scrape_config_files` names.
///
/// What depends on the `global` section of the main file is not checked.
pub fn check_scrape_configs(text: &[u8], options: &Options) -> ScrapeConfigsReport {
    let mut report = ScrapeConfigsReport::default();
    let read = read(text, |tree| {
        let mut checker = Checker::new(tree, options, Dialect::V2);
        checker.doubt_tabs();
        if let Some(root) = tree.root() {
            checker.decode(root, &SCRAPE_CONFIGS);
            if !checker.is_stopped() && !checker.is_null(root) {
                let record = checker.quiet_record(root, &root::SCRAPE_CONFIGS);
                report.job_names = scrape::check_jobs(&mut checker, &record, None);
            }
        }
        report.files = std::mem::take(&mut checker.files);
        report.problems = in_order(checker.problems);
    });
    if let Err(problem) = read {
        report.problems = vec![problem];
    }
    report
}

/// The checks across sections.
fn whole_file(c: &mut Checker<'_>, id: NodeId, report: &mut ConfigReport) {
    let root = c.quiet_record(id, &root::ROOT);
    let defaults = global::defaults(c, &root);
    report.job_names = scrape::check_jobs(c, &root, Some(&defaults));
    alerting::check_rules(c, &root, defaults.scheme);
    report.remote_write = remote::check_lists(c, &root, defaults.scheme);
    storage::check_translation(c, &root, defaults.legacy);
    report.rule_files = texts(c, &root, "rule_files");
    report.scrape_config_files = texts(c, &root, "scrape_config_files");
    if let Some(section) = c.sub(&root, "global", &global::GLOBAL)
        && let Some(labels) = c.get(&section, "external_labels")
    {
        let pairs = c.pairs(labels);
        let pair =
            |(key, value): (NodeId, NodeId)| (c.scalar_text(key).to_owned(), c.scalar_text(value).to_owned());
        report.external_labels = pairs.into_iter().map(pair).collect();
    }
}

fn texts(c: &Checker<'_>, record: &Record, field: &str) -> Vec<String> {
    c.items(record, field).iter().map(|item| c.scalar_text(*item).to_owned()).collect()
}

/// Reads a text as a tree, or says why it cannot be read.
pub(crate) fn read(text: &[u8], then: impl FnOnce(&Tree<'_>)) -> Result<(), Problem> {
    let refused = |unreadable: Unreadable| Problem {
        path: String::new(),
        line: unreadable.mark.line,
        column: unreadable.mark.column,
        kind: unreadable.kind,
        message: unreadable.message,
        certain: true,
    };
    let text = decode_text(text).map_err(refused)?;
    let tree = Tree::parse(&text).map_err(refused)?;
    then(&tree);
    Ok(())
}

/// The problems in the order of the file, each once.
pub(crate) fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| (a.line, a.column, &a.path).cmp(&(b.line, b.column, &b.path)));
    problems.dedup();
    problems
}
