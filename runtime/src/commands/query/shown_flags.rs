//! What `/api/v1/status/flags` shows: each flag with its value, as Thanos writes it.

use std::collections::BTreeMap;

use clap::{ArgAction, ArgMatches, Command};
use server::duration::GoDuration;

use super::flags::{is_on, switches};

/// Flags whose values Go writes with all units.
const GO_DURATIONS: [&str; 4] = [
    "grpc-grace-period",
    "grpc-server-max-connection-age",
    "query.lookback-delta",
    "query.metadata.default-time-range",
];
/// Flags whose values nobody should see: they may hold passwords.
const SECRET: [&str; 2] = ["objstore.config", "tracing.config"];

/// All flags with their values.
pub(super) fn shown(command: &Command, matches: &ArgMatches) -> BTreeMap<String, String> {
    let on: Vec<&str> = switches().collect();
    let mut shown = BTreeMap::new();
    for argument in command.get_arguments() {
        let Some(name) = argument.get_long() else { continue };
        if name.starts_with("no-") || matches!(name, "help" | "version") {
            continue;
        }
        let id = argument.get_id().as_str();
        let value = if on.contains(&name) {
            is_on(matches, name).to_string()
        } else if matches!(argument.get_action(), ArgAction::SetTrue) {
            matches.get_flag(id).to_string()
        } else {
            let values = matches.get_raw(id).into_iter().flatten();
            let values: Vec<String> = values.map(|value| as_go(name, &value.to_string_lossy())).collect();
            if SECRET.contains(&name) && !values.concat().is_empty() {
                "<REDACTED>".to_owned()
            } else {
                values.join(",")
            }
        };
        shown.insert(name.to_owned(), value);
    }
    shown
}

fn as_go(name: &str, value: &str) -> String {
    if GO_DURATIONS.contains(&name)
        && let Ok(duration) = value.parse::<GoDuration>()
    {
        return units(duration);
    }
    match value {
        "0ms" => "0s".to_owned(),
        "1000000" if name.starts_with("query.telemetry") => "1e+06".to_owned(),
        value => value.to_owned(),
    }
}

/// `1h0m0s`, `2m0s`, `0s`.
fn units(duration: GoDuration) -> String {
    let seconds = duration.0.as_secs();
    let fraction = duration.0 - std::time::Duration::from_secs(seconds);
    if seconds == 0 {
        return if fraction.is_zero() { "0s".to_owned() } else { format!("{fraction:?}") };
    }
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let rest = std::time::Duration::from_secs(seconds % 60) + fraction;
    let rest = format!("{}s", rest.as_secs_f64());
    match (hours, minutes) {
        (0, 0) => rest,
        (0, minutes) => format!("{minutes}m{rest}"),
        (hours, minutes) => format!("{hours}h{minutes}m{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_go_units() {
        for (text, shown) in
            [("60m", "1h0m0s"), ("2m", "2m0s"), ("0s", "0s"), ("1500ms", "1.5s"), ("90m1s", "1h30m1s")]
        {
            assert_eq!(units(text.parse().unwrap()), shown);
        }
    }
}
