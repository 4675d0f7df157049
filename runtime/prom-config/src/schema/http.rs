//! The HTTP client settings that many sections take: credentials, TLS, proxies, headers.

use super::{Field, Shape, Struct, TEXT_MAP, TEXTS, Word, f, v, w};
use crate::checker::{Checker, Step};
use crate::record::Record;
use crate::{FileUse, Kind, Version};

const TLS_VERSIONS: &[Word] = &[w("TLS13"), w("TLS12"), w("TLS11"), w("TLS10")];
const FILE_TLS: Shape = Shape::File(FileUse::Tls);
pub(crate) const FILE_CREDENTIALS: Shape = Shape::File(FileUse::Credentials);

/// TLS of a client.
pub(crate) static TLS: Struct = Struct {
    fields: &[
        f("ca", Shape::Text).since(2, 45, 0),
        f("ca_file", FILE_TLS),
        f("ca_ref", Shape::Text).since(2, 53, 0),
        f("cert", Shape::Text).since(2, 45, 0),
        f("cert_file", FILE_TLS),
        f("cert_ref", Shape::Text).since(2, 53, 0),
        f("insecure_skip_verify", Shape::Bool),
        f("key", Shape::Text).since(2, 45, 0),
        f("key_file", FILE_TLS),
        f("key_ref", Shape::Text).since(2, 53, 0),
        f("max_version", Shape::Enum(TLS_VERSIONS)).since(2, 41, 0),
        f("min_version", Shape::Enum(TLS_VERSIONS)),
        f("server_name", Shape::Text),
    ],
    inline: &[],
    check: Some(check_tls),
};

static BASIC_AUTH: Struct = Struct {
    fields: &[
        f("password", Shape::Text),
        f("password_file", FILE_CREDENTIALS),
        f("password_ref", Shape::Text).since(2, 53, 0),
        f("username", Shape::Text),
        f("username_file", FILE_CREDENTIALS).since(2, 49, 0),
        f("username_ref", Shape::Text).since(2, 53, 0),
    ],
    inline: &[],
    check: None,
};

static AUTHORIZATION: Struct = Struct {
    fields: &[
        f("credentials", Shape::Text),
        f("credentials_file", FILE_CREDENTIALS),
        f("credentials_ref", Shape::Text).since(2, 53, 0),
        f("type", Shape::Text),
    ],
    inline: &[],
    check: None,
};

static OAUTH2: Struct = Struct {
    fields: &[
        f("audience", Shape::Text).since(3, 8, 0),
        f("claims", Shape::Map(&Shape::Text, &Shape::Any)).since(3, 8, 0),
        f("client_certificate_key", Shape::Text).since(3, 8, 0),
        f("client_certificate_key_file", FILE_CREDENTIALS).since(3, 8, 0),
        f("client_certificate_key_id", Shape::Text).since(3, 8, 0),
        f("client_certificate_key_ref", Shape::Text).since(3, 8, 0),
        f("client_id", Shape::Text),
        f("client_secret", Shape::Text),
        f("client_secret_file", FILE_CREDENTIALS),
        f("client_secret_ref", Shape::Text).since(2, 53, 0),
        f("endpoint_params", TEXT_MAP),
        f("grant_type", Shape::Text).since(3, 8, 0),
        f("iss", Shape::Text).since(3, 8, 0),
        f("no_proxy", Shape::Text).since(2, 43, 0),
        f("proxy_connect_header", Shape::Map(&Shape::Text, &TEXTS)).since(2, 43, 0),
        f("proxy_from_environment", Shape::Bool).since(2, 43, 0),
        f("proxy_url", Shape::Url),
        f("scopes", TEXTS),
        f("signature_algorithm", Shape::Text).since(3, 8, 0),
        f("tls_config", Shape::Struct(&TLS)),
        f("token_url", Shape::Text),
    ],
    inline: &[],
    check: Some(check_proxy_of_oauth2),
};

static HEADER: Struct = Struct {
    fields: &[
        f("files", Shape::List(&FILE_CREDENTIALS)).since(2, 53, 0),
        f("secrets", TEXTS).since(2, 53, 0),
        f("values", TEXTS).since(2, 53, 0),
    ],
    inline: &[],
    check: None,
};

const HEADER_SHAPE: Shape = Shape::Struct(&HEADER);

const FIELDS: &[Field] = &[
    f("authorization", Shape::Struct(&AUTHORIZATION)),
    f("basic_auth", Shape::Struct(&BASIC_AUTH)),
    f("bearer_token", Shape::Text),
    f("bearer_token_file", FILE_CREDENTIALS),
    f("enable_http2", Shape::Bool),
    f("follow_redirects", Shape::Bool),
    f("http_headers", Shape::Map(&Shape::Text, &HEADER_SHAPE)).since(2, 53, 0),
    f("no_proxy", Shape::Text).since(2, 43, 0),
    f("oauth2", Shape::Struct(&OAUTH2)),
    f("proxy_connect_header", Shape::Map(&Shape::Text, &TEXTS)).since(2, 41, 0),
    f("proxy_from_environment", Shape::Bool).since(2, 43, 0),
    f("proxy_url", Shape::Url),
    f("tls_config", Shape::Struct(&TLS)),
];

/// The settings, to stand inline in a section; the section calls [`check`].
pub(crate) static CLIENT: Struct = Struct { fields: FIELDS, inline: &[], check: None };

/// Headers that no section may set.
const RESERVED: &[&str] = &[
    "authorization",
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "accept-encoding",
    "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version",
    "x-prometheus-scrape-timeout-seconds",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
];

impl<'t> Checker<'t> {
    /// Records a problem of a structure, at its field if that is given.
    pub(crate) fn refuse(&mut self, record: &Record, field: &str, message: impl Into<String>) {
        let message = message.into();
        match record.set.iter().rev().find(|setting| setting.field.name == field) {
            Some(setting) => {
                let (name, value) = (setting.field.name, setting.value);
                self.within(Step::Field(name), |checker| checker.problem_at(value, Kind::Value, message));
            }
            None => {
                if let Some(id) = record.id {
                    self.problem_at(id, Kind::Value, message);
                }
            }
        }
    }

    /// Records a problem unless at most one of the fields is filled.
    pub(crate) fn at_most_one(&mut self, record: &Record, names: &[&'static str]) {
        if self.count_filled(record, names) > 1 {
            let last =
                names.iter().rev().find(|name| self.is_filled(record, name)).copied().unwrap_or_default();
            self.refuse(record, last, format!("at most one of {} may be given", words(names)));
        }
    }
}

pub(crate) fn words(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Checks the settings of a section that has them inline.
pub(crate) fn check(c: &mut Checker<'_>, record: &Record) {
    c.at_most_one(record, &["bearer_token", "bearer_token_file"]);
    let bearer = c.is_filled(record, "bearer_token") || c.is_filled(record, "bearer_token_file");
    let given: Vec<&'static str> =
        ["basic_auth", "authorization", "oauth2"].into_iter().filter(|name| c.is_set(record, name)).collect();
    if let (Some(last), true) = (given.last(), given.len() + usize::from(bearer) > 1) {
        let text = "at most one of `basic_auth`, `authorization`, `oauth2` and `bearer_token` may be given";
        c.refuse(record, last, text);
    }
    if let Some(auth) = c.sub(record, "basic_auth", &BASIC_AUTH) {
        c.within(Step::Field("basic_auth"), |c| {
            c.at_most_one(&auth, &["username", "username_file", "username_ref"]);
            c.at_most_one(&auth, &["password", "password_file", "password_ref"]);
        });
    }
    if let Some(auth) = c.sub(record, "authorization", &AUTHORIZATION) {
        c.within(Step::Field("authorization"), |c| {
            c.at_most_one(&auth, &["credentials", "credentials_file", "credentials_ref"]);
            if c.text(&auth, "type").trim().eq_ignore_ascii_case("basic") {
                c.refuse(&auth, "type", "the type may not be `basic`: use `basic_auth`");
            }
        });
    }
    if let Some(oauth2) = c.sub(record, "oauth2", &OAUTH2) {
        c.within(Step::Field("oauth2"), |c| check_oauth2(c, &oauth2));
    }
    check_proxy(c, record);
    check_headers(c, record);
}

fn check_oauth2(c: &mut Checker<'_>, record: &Record) {
    for name in ["client_id", "token_url"] {
        if !c.is_filled(record, name) {
            c.refuse(record, name, format!("`oauth2` needs `{name}`"));
        }
    }
    if c.text(record, "grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer" {
        let keys = ["client_certificate_key", "client_certificate_key_file", "client_certificate_key_ref"];
        c.at_most_one(record, &keys);
        if !matches!(c.text(record, "signature_algorithm"), "" | "RS256" | "RS384" | "RS512") {
            c.refuse(record, "signature_algorithm", "the algorithm is one of `RS256`, `RS384`, `RS512`");
        }
        return;
    }
    c.at_most_one(record, &["client_secret", "client_secret_file", "client_secret_ref"]);
    // Later releases leave it to the token endpoint whether there is a secret.
    if c.options.before(v(2, 51, 0)) && c.count_filled(record, &["client_secret", "client_secret_file"]) == 0
    {
        c.refuse(record, "client_secret", "`oauth2` needs `client_secret` or `client_secret_file`");
    }
}

fn check_proxy_of_oauth2(c: &mut Checker<'_>, record: &Record) {
    if c.options.at_least(v(2, 43, 0)) {
        check_proxy(c, record);
    }
}

fn check_proxy(c: &mut Checker<'_>, record: &Record) {
    let environment = c.is_true(record, "proxy_from_environment");
    let url = c.is_filled(record, "proxy_url");
    let headers = c.get(record, "proxy_connect_header").is_some_and(|id| !c.pairs(id).is_empty());
    if headers && !environment && !url {
        c.refuse(record, "proxy_connect_header", "`proxy_connect_header` needs `proxy_url`");
    }
    if environment && url {
        c.refuse(record, "proxy_url", "`proxy_url` and `proxy_from_environment` exclude each other");
    }
    if c.is_filled(record, "no_proxy") {
        if environment {
            c.refuse(record, "no_proxy", "`no_proxy` and `proxy_from_environment` exclude each other");
        } else if !c.is_set(record, "proxy_url") {
            c.refuse(record, "no_proxy", "`no_proxy` needs `proxy_url`");
        }
    }
}

fn check_headers(c: &mut Checker<'_>, record: &Record) {
    let Some(id) = c.get(record, "http_headers") else { return };
    for (key, _) in c.pairs(id) {
        let name = c.scalar_text(key);
        if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
            c.within(Step::Field("http_headers"), |c| {
                c.problem_at(key, Kind::Value, format!("the header `{name}` is reserved: remove it"));
            });
        }
    }
}

/// Checks a `headers` mapping of a section that sends them itself.
pub(crate) fn check_plain_headers(c: &mut Checker<'_>, record: &Record) {
    let Some(id) = c.get(record, "headers") else { return };
    for (key, _) in c.pairs(id) {
        let name = c.scalar_text(key);
        let reserved = RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name));
        if reserved && !name.eq_ignore_ascii_case("x-prometheus-scrape-timeout-seconds") {
            c.within(Step::Field("headers"), |c| {
                let text = format!(
                    "the header `{name}` is reserved: remove it, credentials have fields of their own"
                );
                c.problem_at(key, Kind::Value, text);
            });
        }
    }
}

fn check_tls(c: &mut Checker<'_>, record: &Record) {
    if c.options.before(v(2, 45, 0)) {
        return;
    }
    c.at_most_one(record, &["ca", "ca_file", "ca_ref"]);
    c.at_most_one(record, &["cert", "cert_file", "cert_ref"]);
    c.at_most_one(record, &["key", "key_file", "key_ref"]);
    let certificate = c.count_filled(record, &["cert", "cert_file", "cert_ref"]) > 0;
    let key = c.count_filled(record, &["key", "key_file", "key_ref"]) > 0;
    // The check came with these fields, so a release that is not known may be without it.
    if c.options.version.is_some() && certificate != key {
        let missing = if certificate { "`key` or `key_file`" } else { "`cert` or `cert_file`" };
        c.refuse(record, "", format!("a client certificate and its key belong together: give {missing}"));
    }
}

/// Whether any setting differs from what it is where nothing is given.
pub(crate) fn is_custom(c: &mut Checker<'_>, record: &Record) -> bool {
    let off = |c: &Checker<'_>, name| record.value(name).is_some() && !c.is_true(record, name);
    let set = ["basic_auth", "authorization", "oauth2", "proxy_url", "proxy_connect_header", "http_headers"];
    if set.into_iter().any(|name| c.is_set(record, name))
        || c.count_filled(record, &["bearer_token", "bearer_token_file", "no_proxy"]) > 0
        || c.is_true(record, "proxy_from_environment")
        || off(c, "follow_redirects")
        || off(c, "enable_http2")
    {
        return true;
    }
    let Some(tls) = c.sub(record, "tls_config", &TLS) else { return false };
    c.is_true(&tls, "insecure_skip_verify")
        || tls.set.iter().any(|setting| {
            setting.field.name != "insecure_skip_verify" && c.is_filled(&tls, setting.field.name)
        })
}

/// Fields as they stood before releases had the proxy settings together.
pub(crate) const ALWAYS: Version = Version::OLDEST;
