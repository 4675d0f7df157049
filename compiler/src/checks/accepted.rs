//! `allow`: findings that the topology accepts, with a reason, for a time.

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::embedded::CHECK_PAGES;
use crate::model::Model;
use crate::source::{Span, glob_matcher};
use crate::topology::nodes::escape::Allow;

/// Takes accepted findings away; says so when an `allow` is expired, unexplained or without effect.
pub(super) fn apply(model: &Model, today: &str, diagnostics: &mut Vec<Diagnostic>) {
    let mut seen = Vec::new();
    for (cluster, allow) in model
        .clusters
        .iter()
        .flat_map(|cluster| cluster.topology.allow.iter().map(move |allow| (cluster, allow)))
    {
        // Clusters of one file share their `allow` nodes.
        if seen.contains(&allow.span) {
            continue;
        }
        seen.push(allow.span);
        let mut findings = Vec::new();
        if is_in_force(allow, today, &mut findings) {
            // What one cluster accepts does not hold for the findings inside another.
            let own = contains(cluster.topology.span, allow.span);
            let others: Vec<Span> = model
                .clusters
                .iter()
                .map(|other| other.topology.span)
                .filter(|span| own && *span != cluster.topology.span)
                .collect();
            let elsewhere = |found: &Diagnostic| {
                found.span.is_some_and(|span| others.iter().any(|other| contains(*other, span)))
            };
            let before = diagnostics.len();
            diagnostics.retain(|found| elsewhere(found) || !covers(allow, found));
            if diagnostics.len() == before && findings.is_empty() {
                let message =
                    format!("`allow {}` accepts nothing: there is no such finding", allow.code.value);
                findings.push(Diagnostic::info("KDL015", allow.span, message).help("remove it"));
            }
        }
        diagnostics.append(&mut findings);
    }
}

fn contains(outer: Span, inner: Span) -> bool {
    outer.file == inner.file && outer.start <= inner.start && inner.end <= outer.end
}

fn covers(allow: &Allow, found: &Diagnostic) -> bool {
    if found.code != allow.code.value || found.code.starts_with("KDL") {
        return false;
    }
    let Some(on) = &allow.on else { return true };
    let Some(object) = &found.object else { return false };
    glob_matcher(&on.value).is_ok_and(|glob| glob.is_match(object))
}

fn is_in_force(allow: &Allow, today: &str, findings: &mut Vec<Diagnostic>) -> bool {
    let code = allow.code.value.as_str();
    if code.starts_with("KDL") || !CHECK_PAGES.iter().any(|(page, _)| page.strip_suffix(".md") == Some(code))
    {
        let known = CHECK_PAGES
            .iter()
            .filter_map(|(page, _)| page.strip_suffix(".md"))
            .filter(|page| !page.starts_with("KDL"));
        let upper = code.to_uppercase();
        let help = did_you_mean(&upper, known.collect::<Vec<_>>()).filter(|help| help.starts_with("did"));
        let help = help.filter(|_| !code.starts_with("KDL"));
        let message = match code.starts_with("KDL") {
            true => format!("`{code}` cannot be allowed: the file itself is wrong"),
            false => format!("there is no check `{code}`"),
        };
        findings.push(Diagnostic::error("KDL013", allow.code.span, message).help(help.unwrap_or_else(
            || match code.starts_with("KDL") {
                true => "correct it, and remove this line".to_string(),
                false => "`pronoia list-checks` lists them all".to_string(),
            },
        )));
        return false;
    }
    if allow.reason.as_ref().is_none_or(|reason| reason.value.trim().is_empty()) {
        findings.push(
            Diagnostic::error("KDL005", allow.span, format!("`allow {code}` gives no reason"))
                .help("add reason=\"…\": whoever reads this next year needs it"),
        );
        return false;
    }
    if let Some(on) = &allow.on
        && let Err(error) = glob_matcher(&on.value)
    {
        findings.push(
            Diagnostic::error("KDL006", on.span, format!("`{}`: {error}", on.value))
                .help("write `Kind/name`, either may hold `*`: on=\"StatefulSet/*\""),
        );
        return false;
    }
    let Some(until) = &allow.until else { return true };
    if !is_date(&until.value) {
        findings.push(
            Diagnostic::error("KDL006", until.span, format!("`{}` is no date", until.value))
                .help("write until=\"2027-06-30\""),
        );
        return false;
    }
    if !today.is_empty() && until.value.as_str() < today {
        findings.push(
            Diagnostic::error("KDL015", until.span, format!("`allow {code}` expired on {}", until.value))
                .help("fix the finding, or set a new date with a new reason"),
        );
        return false;
    }
    true
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let number =
        |part: &str, length: usize| (part.len() == length).then(|| part.parse::<u32>().ok()).flatten();
    number(year, 4).is_some()
        && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
        && number(day, 2).is_some_and(|day| (1..=31).contains(&day))
}
