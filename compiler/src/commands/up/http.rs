//! Questions to processes on this machine, none of which may keep us waiting.

use std::time::Duration;

use serde_json::Value;

/// An agent that goes straight to the loopback address, whatever proxies the environment names.
pub(super) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_secs(1)))
        .build()
        .into()
}

/// Whether the answer is 200.
pub(super) fn is_ready(agent: &ureq::Agent, url: &str) -> bool {
    agent.get(url).call().is_ok_and(|answer| answer.status() == 200)
}

/// The `data` of an answer in the form of Prometheus' API.
pub(super) fn data(agent: &ureq::Agent, url: &str) -> Option<Value> {
    let text = agent.get(url).call().ok()?.into_body().read_to_string().ok()?;
    let mut answer: Value = serde_json::from_str(&text).ok()?;
    Some(answer.get_mut("data")?.take())
}

/// Asks for something to be done.
pub(super) fn post(agent: &ureq::Agent, url: &str) -> Result<(), String> {
    agent.post(url).send_empty().map(drop).map_err(|error| error.to_string())
}
