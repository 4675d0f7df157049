//! Service discovery by files, DNS, HTTP and service registries.

use super::{need, need_items, need_url};
use crate::checker::{Checker, Step};
use crate::record::Record;
use crate::schema::http::FILE_CREDENTIALS;
use crate::schema::{Shape, Struct, TEXT_MAP, TEXTS, f, http, v};
use crate::{FileUse, Kind};

pub(crate) static CONSUL: Struct = Struct {
    fields: &[
        f("allow_stale", Shape::Bool),
        f("datacenter", Shape::Text),
        f("filter", Shape::Text).since(3, 0, 0),
        f("health_filter", Shape::Text).since(3, 11, 2),
        f("namespace", Shape::Text),
        f("node_meta", TEXT_MAP),
        f("partition", Shape::Text).since(2, 40, 0),
        f("password", Shape::Text),
        f("path_prefix", Shape::Text).since(2, 45, 0),
        f("refresh_interval", Shape::Duration),
        f("scheme", Shape::Text),
        f("server", Shape::Text),
        f("services", TEXTS),
        f("tag_separator", Shape::Text),
        f("tags", TEXTS),
        f("token", Shape::Text),
        f("username", Shape::Text),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_consul),
};

pub(crate) static DNS: Struct = Struct {
    fields: &[
        f("names", TEXTS),
        f("port", Shape::Int),
        f("refresh_interval", Shape::Duration),
        f("type", Shape::Text),
    ],
    inline: &[],
    check: Some(check_dns),
};

pub(crate) static EUREKA: Struct = Struct {
    fields: &[f("refresh_interval", Shape::Duration), f("server", Shape::Text)],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_eureka),
};

pub(crate) static FILE: Struct = Struct {
    fields: &[f("files", Shape::List(&Shape::File(FileUse::FileSd))), f("refresh_interval", Shape::Duration)],
    inline: &[],
    check: Some(check_file),
};

pub(crate) static HTTP: Struct = Struct {
    fields: &[f("refresh_interval", Shape::Duration), f("url", Shape::Text)],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_http),
};

pub(crate) static KUMA: Struct = Struct {
    fields: &[
        f("client_id", Shape::Text).since(2, 50, 0),
        f("fetch_timeout", Shape::Duration),
        f("refresh_interval", Shape::Duration),
        f("server", Shape::Text),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_kuma),
};

pub(crate) static MARATHON: Struct = Struct {
    fields: &[
        f("auth_token", Shape::Text),
        f("auth_token_file", FILE_CREDENTIALS),
        f("refresh_interval", Shape::Duration),
        f("servers", TEXTS),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_marathon),
};

pub(crate) static NERVE: Struct = Struct {
    fields: &[f("paths", TEXTS), f("servers", TEXTS), f("timeout", Shape::Duration)],
    inline: &[],
    check: Some(check_nerve),
};

pub(crate) static NOMAD: Struct = Struct {
    fields: &[
        f("allow_stale", Shape::Bool),
        f("namespace", Shape::Text),
        f("refresh_interval", Shape::Duration),
        f("region", Shape::Text),
        f("server", Shape::Text),
        f("tag_separator", Shape::Text),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_nomad),
};

pub(crate) static SERVERSET: Struct = Struct {
    fields: &[f("paths", TEXTS), f("servers", TEXTS), f("timeout", Shape::Duration)],
    inline: &[],
    check: Some(check_serverset),
};

fn check_consul(c: &mut Checker<'_>, record: &Record) {
    if c.text_or(record, "server", "localhost:8500").trim().is_empty() {
        need(c, record, &["server"]);
    }
    let own = c.count_filled(record, &["username", "password"]) > 0;
    let bearer = c.count_filled(record, &["bearer_token", "bearer_token_file"]) > 0;
    let others = c.is_set(record, "authorization") || c.is_set(record, "oauth2");
    if own && (c.is_set(record, "basic_auth") || others || bearer) {
        c.refuse(record, "username", "`username` and `password` exclude all other credentials");
    }
    if c.is_filled(record, "token") && others {
        c.refuse(record, "token", "`token` excludes `authorization` and `oauth2`");
    }
    http::check(c, record);
}

fn check_dns(c: &mut Checker<'_>, record: &Record) {
    need_items(c, record, &["names"]);
    let kind = c.text_or(record, "type", "SRV").to_uppercase();
    match kind.as_str() {
        "SRV" => return,
        "A" | "AAAA" => {}
        "MX" if !c.options.before(v(2, 38, 0)) => {}
        "NS" if !c.options.before(v(2, 49, 0)) => {}
        _ => return c.refuse(record, "type", "the type is `SRV`, `A`, `AAAA` or `MX`"),
    }
    if c.number_or(record, "port", 0.0).is_some_and(|port| port.trunc() == 0.0) {
        c.refuse(record, "port", "a `port` is needed for every type but `SRV`");
    }
}

fn check_eureka(c: &mut Checker<'_>, record: &Record) {
    need_url(c, record, "server", false);
    http::check(c, record);
}

fn check_file(c: &mut Checker<'_>, record: &Record) {
    need_items(c, record, &["files"]);
    for (index, item) in c.items(record, "files").to_vec().into_iter().enumerate() {
        let name = c.scalar_text(item);
        let stem = ["json", "yml", "yaml", "JSON", "YML", "YAML"]
            .into_iter()
            .find_map(|end| name.strip_suffix(end).and_then(|stem| stem.strip_suffix('.')));
        if !stem.is_some_and(crate::schema::root::is_pattern) {
            let text = format!(
                "{name:?} is no pattern of `.json`, `.yml` or `.yaml` files with one `*` in the last part"
            );
            c.within(Step::Field("files"), |c| {
                c.within(Step::Index(index), |c| c.problem_at(item, Kind::Value, text));
            });
        }
    }
}

fn check_http(c: &mut Checker<'_>, record: &Record) {
    need_url(c, record, "url", true);
    http::check(c, record);
}

fn check_kuma(c: &mut Checker<'_>, record: &Record) {
    need_url(c, record, "server", false);
    http::check(c, record);
}

fn check_marathon(c: &mut Checker<'_>, record: &Record) {
    need_items(c, record, &["servers"]);
    c.at_most_one(record, &["auth_token", "auth_token_file"]);
    let own = c.count_filled(record, &["auth_token", "auth_token_file"]) > 0;
    let bearer = c.count_filled(record, &["bearer_token", "bearer_token_file"]) > 0;
    if own && (bearer || c.is_set(record, "basic_auth") || c.is_set(record, "authorization")) {
        c.refuse(record, "auth_token", "`auth_token` excludes all other credentials");
    }
    http::check(c, record);
}

fn check_nomad(c: &mut Checker<'_>, record: &Record) {
    if c.text_or(record, "server", "http://localhost:4646").trim().is_empty() {
        need(c, record, &["server"]);
    }
    http::check(c, record);
}

fn check_nerve(c: &mut Checker<'_>, record: &Record) {
    need_items(c, record, &["servers", "paths"]);
    for item in c.items(record, "paths").to_vec() {
        if !c.scalar_text(item).starts_with('/') {
            c.problem_at(item, Kind::Value, "a path begins with `/`");
        }
    }
}

fn check_serverset(c: &mut Checker<'_>, record: &Record) {
    check_nerve(c, record);
}
