//! The section `alerting`.

use prom_model::NameScheme;

use super::{Shape, Struct, Word, f, http, relabel, remote, sd, w};
use crate::checker::{Checker, Step};
use crate::record::Record;

const API_VERSIONS: &[Word] = &[w("v2"), w("v1").until(2, 55, u16::MAX)];

static ALERTMANAGER: Struct = Struct {
    fields: &[
        f("alert_relabel_configs", relabel::RULES).since(2, 51, 0),
        f("api_version", Shape::Enum(API_VERSIONS)),
        f("path_prefix", Shape::Text),
        f("relabel_configs", relabel::RULES),
        f("scheme", Shape::Text),
        f("sigv4", Shape::Struct(&remote::SIGV4)).since(2, 48, 0),
        f("timeout", Shape::Duration),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS), (&sd::LISTS, http::ALWAYS)],
    check: Some(check_alertmanager),
};

/// The section.
pub(crate) static ALERTING: Struct = Struct {
    fields: &[
        f("alert_relabel_configs", relabel::RULES),
        // A null entry is left to its use: loading takes it.
        f("alertmanagers", Shape::List(&Shape::Struct(&ALERTMANAGER))),
    ],
    inline: &[],
    check: None,
};

fn check_alertmanager(c: &mut Checker<'_>, record: &Record) {
    http::check(c, record);
    let auth = ["basic_auth", "authorization", "oauth2"].into_iter().any(|name| c.is_set(record, name));
    let bearer = c.count_filled(record, &["bearer_token", "bearer_token_file"]) > 0;
    if (auth || bearer) && c.is_set(record, "sigv4") {
        c.refuse(record, "sigv4", "`sigv4` excludes all other credentials");
    }
    sd::check_static_targets(c, record);
}

/// Checks the relabelling of the section with the names that the file allows.
pub(crate) fn check_rules(c: &mut Checker<'_>, root: &Record, scheme: NameScheme) {
    let Some(alerting) = c.sub(root, "alerting", &ALERTING) else { return };
    c.within(Step::Field("alerting"), |c| {
        relabel::check_list(c, &alerting, "alert_relabel_configs", scheme);
        for (index, item) in c.items(&alerting, "alertmanagers").to_vec().into_iter().enumerate() {
            let record = c.quiet_record(item, &ALERTMANAGER);
            c.within(Step::Field("alertmanagers"), |c| {
                c.within(Step::Index(index), |c| {
                    relabel::check_list(c, &record, "alert_relabel_configs", scheme);
                    relabel::check_list(c, &record, "relabel_configs", scheme);
                });
            });
        }
    });
}
