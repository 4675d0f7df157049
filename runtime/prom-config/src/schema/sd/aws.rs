//! Service discovery of Amazon's cloud.

use crate::Kind;
use crate::checker::Checker;
use crate::record::Record;
use crate::schema::{Shape, Struct, TEXTS, Word, f, http, v, w};

const AWS_ROLES: &[Word] = &[
    w("ec2"),
    w("ecs"),
    w("elasticache").since(3, 11, 0),
    w("lightsail"),
    w("msk").since(3, 10, 0),
    w("rds").since(3, 11, 0),
];

static FILTER: Struct =
    Struct { fields: &[f("name", Shape::Text), f("values", TEXTS)], inline: &[], check: None };

pub(crate) static EC2: Struct = Struct {
    fields: &[
        f("access_key", Shape::Text),
        f("endpoint", Shape::Text),
        f("external_id", Shape::Text).since(3, 12, 0),
        f("filters", Shape::Entries(&FILTER, "filter")),
        f("port", Shape::Int),
        f("profile", Shape::Text),
        f("refresh_interval", Shape::Duration),
        f("region", Shape::Text),
        f("role_arn", Shape::Text),
        f("secret_key", Shape::Text),
    ],
    inline: &[(&http::CLIENT, v(2, 41, 0))],
    check: Some(check_ec2),
};

pub(crate) static LIGHTSAIL: Struct = Struct {
    fields: &[
        f("access_key", Shape::Text),
        f("endpoint", Shape::Text),
        f("external_id", Shape::Text).since(3, 12, 0),
        f("port", Shape::Int),
        f("profile", Shape::Text),
        f("refresh_interval", Shape::Duration),
        f("region", Shape::Text),
        f("role_arn", Shape::Text),
        f("secret_key", Shape::Text),
    ],
    inline: &[(&http::CLIENT, v(2, 41, 0))],
    check: Some(check_lightsail),
};

pub(crate) static ECS: Struct = Struct {
    fields: &[
        f("access_key", Shape::Text).since(3, 8, 0),
        f("clusters", TEXTS).since(3, 8, 0),
        f("endpoint", Shape::Text).since(3, 8, 0),
        f("external_id", Shape::Text).since(3, 12, 0),
        f("port", Shape::Int).since(3, 8, 0),
        f("profile", Shape::Text).since(3, 8, 0),
        f("refresh_interval", Shape::Duration).since(3, 8, 0),
        f("region", Shape::Text).since(3, 8, 0),
        f("request_concurrency", Shape::Int).since(3, 8, 0),
        f("role_arn", Shape::Text).since(3, 8, 0),
        f("secret_key", Shape::Text).since(3, 8, 0),
    ],
    inline: &[(&http::CLIENT, v(3, 8, 0))],
    check: Some(http::check),
};

pub(crate) static ELASTICACHE: Struct = Struct {
    fields: &[
        f("access_key", Shape::Text).since(3, 11, 0),
        f("clusters", TEXTS).since(3, 11, 0),
        f("endpoint", Shape::Text).since(3, 11, 0),
        f("external_id", Shape::Text).since(3, 12, 0),
        f("port", Shape::Int).since(3, 11, 0),
        f("profile", Shape::Text).since(3, 11, 0),
        f("refresh_interval", Shape::Duration).since(3, 11, 0),
        f("region", Shape::Text).since(3, 11, 0),
        f("request_concurrency", Shape::Int).since(3, 11, 0),
        f("role_arn", Shape::Text).since(3, 11, 0),
        f("secret_key", Shape::Text).since(3, 11, 0),
    ],
    inline: &[(&http::CLIENT, v(3, 11, 0))],
    check: Some(http::check),
};

pub(crate) static MSK: Struct = Struct {
    fields: &[
        f("access_key", Shape::Text).since(3, 10, 0),
        f("clusters", TEXTS).since(3, 10, 0),
        f("endpoint", Shape::Text).since(3, 10, 0),
        f("external_id", Shape::Text).since(3, 12, 0),
        f("port", Shape::Int).since(3, 10, 0),
        f("profile", Shape::Text).since(3, 10, 0),
        f("refresh_interval", Shape::Duration).since(3, 10, 0),
        f("region", Shape::Text).since(3, 10, 0),
        f("request_concurrency", Shape::Int).since(3, 10, 0),
        f("role_arn", Shape::Text).since(3, 10, 0),
        f("secret_key", Shape::Text).since(3, 10, 0),
    ],
    inline: &[(&http::CLIENT, v(3, 10, 0))],
    check: Some(http::check),
};

pub(crate) static RDS: Struct = Struct {
    fields: &[
        f("access_key", Shape::Text).since(3, 11, 0),
        f("clusters", TEXTS).since(3, 11, 0),
        f("endpoint", Shape::Text).since(3, 11, 0),
        f("external_id", Shape::Text).since(3, 12, 0),
        f("filters", Shape::Entries(&FILTER, "filter")).since(3, 13, 0),
        f("port", Shape::Int).since(3, 11, 0),
        f("profile", Shape::Text).since(3, 11, 0),
        f("refresh_interval", Shape::Duration).since(3, 11, 0),
        f("region", Shape::Text).since(3, 11, 0),
        f("request_concurrency", Shape::Int).since(3, 11, 0),
        f("role_arn", Shape::Text).since(3, 11, 0),
        f("secret_key", Shape::Text).since(3, 11, 0),
    ],
    inline: &[(&http::CLIENT, v(3, 11, 0))],
    check: Some(http::check),
};

pub(crate) static AWS: Struct = Struct {
    fields: &[
        f("access_key", Shape::Text).since(3, 8, 0),
        f("clusters", TEXTS).since(3, 8, 0),
        f("endpoint", Shape::Text).since(3, 8, 0),
        f("external_id", Shape::Text).since(3, 12, 0),
        f("filters", Shape::Entries(&FILTER, "filter")).since(3, 8, 0),
        f("port", Shape::Int).since(3, 8, 0),
        f("profile", Shape::Text).since(3, 8, 0),
        f("refresh_interval", Shape::Duration).since(3, 8, 0),
        f("region", Shape::Text).since(3, 8, 0),
        f("role", Shape::Enum(AWS_ROLES)).since(3, 8, 0),
        f("role_arn", Shape::Text).since(3, 8, 0),
        f("secret_key", Shape::Text).since(3, 8, 0),
    ],
    inline: &[(&http::CLIENT, v(3, 8, 0))],
    check: Some(check_aws),
};

fn check_ec2(c: &mut Checker<'_>, record: &Record) {
    check_lightsail(c, record);
    for item in c.items(record, "filters").to_vec() {
        let filter = c.quiet_record(item, &FILTER);
        if c.items(&filter, "values").is_empty() && !c.is_null(item) {
            c.problem_at(item, Kind::Value, "a filter needs `values`");
        }
    }
}

fn check_lightsail(c: &mut Checker<'_>, record: &Record) {
    if c.options.at_least(v(2, 48, 0)) {
        http::check(c, record);
    }
    if let (Some(id), false, false) =
        (record.id, c.is_filled(record, "region"), c.options.at_least(v(3, 10, 0)))
    {
        let text = "without `region` Prometheus asks the machine it runs on, and refuses the file if there is no answer";
        c.doubt_at(id, Kind::Value, text);
    }
}

fn check_aws(c: &mut Checker<'_>, record: &Record) {
    if record.value("role").is_none_or(|id| c.is_null(id)) {
        c.refuse(record, "role", "`role` is missing: write one of `ec2`, `ecs`, `lightsail`");
    }
}
