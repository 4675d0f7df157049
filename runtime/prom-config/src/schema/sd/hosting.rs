//! Service discovery of hosting providers and of machine inventories.

use prom_model::PromDuration;

use super::{need, need_role, need_url};
use crate::checker::{Checker, Step};
use crate::record::Record;
use crate::schema::http::FILE_CREDENTIALS;
use crate::schema::{Shape, Struct, TEXTS, Word, f, http, v, w};
use crate::{Kind, go_url};

const HETZNER_ROLES: &[Word] = &[w("robot"), w("hcloud")];
const SCALEWAY_ROLES: &[Word] = &[w("instance"), w("baremetal")];

pub(crate) static HETZNER: Struct = Struct {
    fields: &[
        f("label_selector", Shape::Text).since(3, 5, 0),
        f("port", Shape::Int),
        f("refresh_interval", Shape::Duration),
        f("role", Shape::Enum(HETZNER_ROLES)),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_hetzner),
};

pub(crate) static OUTSCALE: Struct = Struct {
    fields: &[
        f("access_key", Shape::Text).since(3, 12, 0),
        f("endpoint", Shape::Text).since(3, 12, 0),
        f("port", Shape::Int).since(3, 12, 0),
        f("refresh_interval", Shape::Duration).since(3, 12, 0),
        f("region", Shape::Text).since(3, 12, 0),
        f("secret_key", Shape::Text).since(3, 12, 0),
        f("secret_key_file", FILE_CREDENTIALS).since(3, 12, 0),
    ],
    inline: &[(&http::CLIENT, v(3, 12, 0))],
    check: Some(check_outscale),
};

pub(crate) static OVHCLOUD: Struct = Struct {
    fields: &[
        f("application_key", Shape::Text).since(2, 40, 0),
        f("application_secret", Shape::Text).since(2, 40, 0),
        f("consumer_key", Shape::Text).since(2, 40, 0),
        f("endpoint", Shape::Text).since(2, 40, 0),
        f("refresh_interval", Shape::Duration).since(2, 40, 0),
        f("service", Shape::Text).since(2, 40, 0),
    ],
    inline: &[],
    check: Some(check_ovhcloud),
};

pub(crate) static PUPPETDB: Struct = Struct {
    fields: &[
        f("include_parameters", Shape::Bool),
        f("port", Shape::Int),
        f("query", Shape::Text),
        f("refresh_interval", Shape::Duration),
        f("url", Shape::Text),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_puppetdb),
};

pub(crate) static SCALEWAY: Struct = Struct {
    fields: &[
        f("access_key", Shape::Text),
        f("api_url", Shape::Text),
        f("name_filter", Shape::Text),
        f("port", Shape::Int),
        f("project_id", Shape::Text),
        f("refresh_interval", Shape::Duration),
        f("role", Shape::Enum(SCALEWAY_ROLES)),
        f("secret_key", Shape::Text),
        f("secret_key_file", FILE_CREDENTIALS),
        f("tags_filter", TEXTS),
        f("zone", Shape::Text),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_scaleway),
};

pub(crate) static STACKIT: Struct = Struct {
    fields: &[
        f("credentials_file_path", FILE_CREDENTIALS).since(3, 5, 0),
        f("endpoint", Shape::Text).since(3, 5, 0),
        f("port", Shape::Int).since(3, 5, 0),
        f("private_key", Shape::Text).since(3, 5, 0),
        f("private_key_path", FILE_CREDENTIALS).since(3, 5, 0),
        f("project", Shape::Text).since(3, 5, 0),
        f("refresh_interval", Shape::Duration).since(3, 5, 0),
        f("region", Shape::Text).since(3, 5, 0),
        f("service_account_key", Shape::Text).since(3, 5, 0),
        f("service_account_key_path", FILE_CREDENTIALS).since(3, 5, 0),
    ],
    inline: &[(&http::CLIENT, v(3, 5, 0))],
    check: Some(check_stackit),
};

pub(crate) static TRITON: Struct = Struct {
    fields: &[
        f("account", Shape::Text),
        f("dns_suffix", Shape::Text),
        f("endpoint", Shape::Text),
        f("groups", TEXTS),
        f("port", Shape::Int),
        f("refresh_interval", Shape::Duration),
        f("role", Shape::Text),
        f("tls_config", Shape::Struct(&http::TLS)),
        f("version", Shape::Int),
    ],
    inline: &[],
    check: Some(check_triton),
};

pub(crate) static UYUNI: Struct = Struct {
    fields: &[
        f("entitlement", Shape::Text),
        f("password", Shape::Text),
        f("refresh_interval", Shape::Duration),
        f("separator", Shape::Text),
        f("server", Shape::Text),
        f("username", Shape::Text),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_uyuni),
};

fn check_hetzner(c: &mut Checker<'_>, record: &Record) {
    need_role(c, record, HETZNER_ROLES);
    http::check(c, record);
}

fn check_outscale(c: &mut Checker<'_>, record: &Record) {
    if c.text_or(record, "region", "eu-west-2").is_empty() {
        need(c, record, &["region"]);
    }
    need(c, record, &["access_key"]);
    check_secret_key(c, record);
    http::check(c, record);
}

fn check_secret_key(c: &mut Checker<'_>, record: &Record) {
    c.at_most_one(record, &["secret_key", "secret_key_file"]);
    if c.count_filled(record, &["secret_key", "secret_key_file"]) == 0 {
        c.refuse(record, "secret_key", "one of `secret_key` and `secret_key_file` is needed");
    }
}

fn check_ovhcloud(c: &mut Checker<'_>, record: &Record) {
    if c.text_or(record, "endpoint", "ovh-eu").is_empty() {
        need(c, record, &["endpoint"]);
    }
    need(c, record, &["application_key", "application_secret", "consumer_key"]);
    if !matches!(c.text(record, "service"), "dedicated_server" | "vps") {
        c.refuse(record, "service", "`service` is `dedicated_server` or `vps`");
    }
}

fn check_puppetdb(c: &mut Checker<'_>, record: &Record) {
    need_url(c, record, "url", true);
    need(c, record, &["query"]);
    http::check(c, record);
}

fn check_scaleway(c: &mut Checker<'_>, record: &Record) {
    need_role(c, record, SCALEWAY_ROLES);
    need(c, record, &["project_id", "access_key"]);
    check_secret_key(c, record);
    let key = c.text(record, "access_key");
    let known = key.strip_prefix("SCW").is_some_and(|rest| {
        rest.len() == 17 && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    });
    let uuid = |text: &str| text.is_empty() || super::is_uuid(text);
    // Scaleway's own library has the last word on its keys.
    for (field, good) in [
        ("access_key", key.is_empty() || known),
        ("secret_key", uuid(c.text(record, "secret_key"))),
        ("project_id", uuid(c.text(record, "project_id"))),
    ] {
        if let (false, Some(id)) = (good, record.value(field)) {
            c.within(Step::Field(field), |c| {
                c.doubt_at(id, Kind::Value, format!("this is no `{field}` of Scaleway"))
            });
        }
    }
    http::check(c, record);
}

fn check_stackit(c: &mut Checker<'_>, record: &Record) {
    let region = c.text_or(record, "region", "eu01");
    if region.is_empty() && !c.is_filled(record, "endpoint") {
        c.refuse(record, "region", "one of `endpoint` and `region` is needed");
    }
    if let Err(error) = go_url::parse(c.text(record, "endpoint")) {
        c.refuse(record, "endpoint", format!("this is no URL: {error}"));
    }
    http::check(c, record);
}

fn check_triton(c: &mut Checker<'_>, record: &Record) {
    if !matches!(c.text_or(record, "role", "container"), "container" | "cn") {
        c.refuse(record, "role", "the role is `container` or `cn`");
    }
    need(c, record, &["account", "dns_suffix", "endpoint"]);
    let interval = c.duration_or(record, "refresh_interval", PromDuration::from_mins(1));
    if interval.is_some_and(PromDuration::is_zero) {
        c.refuse(record, "refresh_interval", "the interval must be above zero");
    }
}

fn check_uyuni(c: &mut Checker<'_>, record: &Record) {
    need(c, record, &["server", "username", "password"]);
    if let Err(error) = go_url::parse(c.text(record, "server")) {
        c.refuse(record, "server", format!("this is no URL: {error}"));
    }
    if c.options.at_least(v(2, 48, 0)) {
        http::check(c, record);
    }
}
