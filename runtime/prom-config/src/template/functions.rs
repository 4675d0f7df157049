//! The functions that templates may call, and since which release.

use crate::schema::v;
use crate::{Options, Version};

/// Go's own and those of Prometheus.
const FUNCTIONS: &[&str] = &[
    "and",
    "args",
    "call",
    "eq",
    "externalURL",
    "first",
    "ge",
    "graphLink",
    "gt",
    "html",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "index",
    "js",
    "label",
    "le",
    "len",
    "lt",
    "match",
    "ne",
    "not",
    "or",
    "parseDuration",
    "pathPrefix",
    "print",
    "printf",
    "println",
    "query",
    "reReplaceAll",
    "safeHtml",
    "slice",
    "sortByLabel",
    "stripDomain",
    "stripPort",
    "strvalue",
    "tableLink",
    "title",
    "toLower",
    "toUpper",
    "urlquery",
    "value",
];

/// Functions that came later.
const LATER_FUNCTIONS: &[(&str, Version)] = &[
    ("now", v(3, 6, 0)),
    ("toDuration", v(3, 6, 0)),
    ("toTime", v(2, 38, 0)),
    ("urlQueryEscape", v(3, 8, 0)),
];

/// Whether a release has a function.
pub(super) fn is_known(name: &str, options: &Options) -> bool {
    let later = LATER_FUNCTIONS.iter().find(|(later, _)| *later == name);
    FUNCTIONS.contains(&name)
        || later.is_some_and(|(_, since)| !options.before(*since))
        // Releases that are not known here may have more.
        || options.version.is_some_and(|own| own > Version::NEWEST)
}
