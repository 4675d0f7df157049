//! Thanos' parameters, with the texts that it refuses them with.

use std::sync::Arc;
use std::time::Duration;

use prom_model::{Matcher, quote};
use storeapi::thanos::ShardInfo;

use super::answer::Refusal;
use super::{EngineName, Settings};
use crate::form::Form;
use crate::time::{MAX_TIME, MIN_TIME, Time, parse_duration};
use crate::v1::{STEPS_MAX, selector_matchers};

/// The times that a range query is evaluated at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Steps {
    pub(super) start: Time,
    pub(super) end: Time,
    /// Nanoseconds.
    pub(super) step: i64,
}

/// A yes or no as Go's `ParseBool` reads it.
fn switch(form: &Form, name: &str, otherwise: bool) -> Result<bool, Refusal> {
    match form.value(name) {
        "" => Ok(otherwise),
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        text => Err(Refusal::bad_data(format!(
            "'{name}' parameter: strconv.ParseBool: parsing {}: invalid syntax",
            quote(text)
        ))),
    }
}

pub(super) fn dedup(form: &Form) -> Result<bool, Refusal> {
    switch(form, "dedup", true)
}

pub(super) fn partial_response(form: &Form, otherwise: bool) -> Result<bool, Refusal> {
    switch(form, "partial_response", otherwise)
}

/// The engine that is asked for, or the default one.
pub(super) fn engine(form: &Form, settings: &Settings) -> Result<EngineName, Refusal> {
    match form.value("engine") {
        "" => Ok(settings.engine),
        word => EngineName::from_word(word).ok_or_else(|| Refusal::bad_data(format!("'{word}' bad engine"))),
    }
}

/// `replicaLabels[]` in the place of the flag.
pub(super) fn replica_labels(form: &Form, settings: &Settings) -> Vec<String> {
    let given: Vec<String> = form.all("replicaLabels[]").map(str::to_owned).collect();
    if given.is_empty() { settings.replica_labels.clone() } else { given }
}

/// `storeMatch[]`; its selectors may match everything.
pub(super) fn store_match(form: &Form) -> Result<Arc<[Vec<Matcher>]>, Refusal> {
    form.all("storeMatch[]").map(selector).collect()
}

/// The conditions of a selector, which may match everything.
pub(super) fn selector(text: &str) -> Result<Vec<Matcher>, Refusal> {
    selector_matchers(text, &promql_syntax::ParseOptions::ALL).map_err(Refusal)
}

/// `max_source_resolution` in milliseconds; `automatic` is what `auto` stands for.
pub(super) fn max_resolution(form: &Form, settings: &Settings, automatic: i64) -> Result<i64, Refusal> {
    let millis = match form.value("max_source_resolution") {
        "" if !settings.auto_downsampling => 0,
        "" | "auto" => automatic,
        text => named_duration("max_source_resolution", text)? / 1_000_000,
    };
    if millis < 0 {
        let text = "negative 'max_source_resolution' is not accepted. Try a positive integer";
        return Err(Refusal::bad_data(text));
    }
    Ok(millis)
}

/// A duration in nanoseconds; the error names the parameter.
fn named_duration(name: &str, text: &str) -> Result<i64, Refusal> {
    parse_duration(text).map_err(|error| Refusal::bad_data(format!("'{name}' parameter: {error}")))
}

/// How far selectors look back, milliseconds, where the coarsest resolution is the one given.
pub(super) fn lookback_delta(form: &Form, settings: &Settings, max_resolution: i64) -> Result<i64, Refusal> {
    if let text @ [_, ..] = form.value("lookback_delta").as_bytes() {
        let nanos = named_duration("lookback_delta", std::str::from_utf8(text).unwrap_or_default())?;
        if nanos > 0 {
            return Ok(nanos / 1_000_000);
        }
    }
    Ok(default_lookback_delta(settings, max_resolution))
}

/// The same without a parameter.
pub(super) fn default_lookback_delta(settings: &Settings, max_resolution: i64) -> i64 {
    let configured = settings.lookback_delta;
    if settings.dynamic_lookback_delta {
        ::query::resolution::lookback(configured, max_resolution)
    } else {
        configured
    }
}

pub(super) fn timeout(form: &Form) -> Result<Option<Duration>, Refusal> {
    match form.value("timeout") {
        "" => Ok(None),
        text => {
            let nanos = parse_duration(text).map_err(Refusal::bad_data)?;
            Ok(Some(Duration::from_nanos(nanos.max(0).unsigned_abs())))
        }
    }
}

/// `shard_info`: JSON.
pub(super) fn shard(form: &Form) -> Result<Option<ShardInfo>, Refusal> {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Shard {
        shard_index: i64,
        total_shards: i64,
        by: bool,
        labels: Vec<String>,
    }
    match form.value("shard_info") {
        "" => Ok(None),
        text => {
            let shard: Shard = serde_json::from_str(text).map_err(|error| {
                Refusal::bad_data(format!("could not unmarshal parameter shard_info: {error}"))
            })?;
            let Shard { shard_index, total_shards, by, labels } = shard;
            Ok(Some(ShardInfo { shard_index, total_shards, by, labels }))
        }
    }
}

/// `limit` of labels and series; 0 is none.
pub(super) fn limit(form: &Form) -> Result<usize, Refusal> {
    let text = form.value("limit");
    if text.is_empty() {
        return Ok(0);
    }
    match text.parse::<i64>() {
        Err(_) => Err(Refusal::bad_data(format!("cannot parse {} to a valid limit", quote(text)))),
        Ok(limit) => usize::try_from(limit).map_err(|_| Refusal::bad_data("limit must be non-negative")),
    }
}

/// A time that need not be there.
pub(super) fn time_or(form: &Form, name: &str, otherwise: Time) -> Result<Time, Refusal> {
    match form.value(name) {
        "" => Ok(otherwise),
        text => Time::parse(text)
            .map_err(|error| Refusal::bad_data(format!("Invalid time value for '{name}': {error}"))),
    }
}

/// The times of a range query.
pub(super) fn steps(form: &Form, settings: &Settings) -> Result<Steps, Refusal> {
    let start = Time::parse(form.value("start")).map_err(Refusal::bad_data)?;
    let end = Time::parse(form.value("end")).map_err(Refusal::bad_data)?;
    if end < start {
        return Err(Refusal::bad_data("end timestamp must not be before start time"));
    }
    let step = match form.value("step") {
        "" => default_step(end.since(start), settings.default_step),
        text => named_duration("step", text)?,
    };
    if step <= 0 {
        let text = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(Refusal::bad_data(text));
    }
    if end.since(start) / step > STEPS_MAX {
        return Err(Refusal::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ));
    }
    Ok(Steps { start, end, step })
}

/// The step, nanoseconds, of a query over so many nanoseconds: 250 steps, in whole seconds, but not below the default one.
fn default_step(range: i64, least_millis: i64) -> i64 {
    let seconds = (range / 1_000_000_000 / 250).max(least_millis / 1000);
    seconds.saturating_mul(1_000_000_000)
}

/// The time range of labels and series, milliseconds.
pub(super) fn metadata_range(form: &Form, settings: &Settings, now: i64) -> Result<(i64, i64), Refusal> {
    let (least, most) = match settings.metadata_time_range {
        0 => (MIN_TIME, MAX_TIME),
        range => (Time::from_millis(now.saturating_sub(range)), Time::from_millis(now)),
    };
    // These errors carry their kind in their text.
    let doubled = |refusal: Refusal| Refusal::bad_data(format!("bad_data: {}", refusal.text()));
    let start = time_or(form, "start", least).map_err(doubled)?;
    let end = time_or(form, "end", most).map_err(doubled)?;
    if end < start {
        return Err(doubled(Refusal::bad_data("end timestamp must not be before start time")));
    }
    Ok((start.millis(), end.millis()))
}
