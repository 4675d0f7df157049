//! A plan takes the place of another one while everything runs: one change after the other, each said in a line.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Supervisor;
use crate::commands::up::plan::{Change, Plan, Spec, changes};
use crate::commands::up::running::Phase;
use crate::commands::up::topology::Resolved;
use crate::commands::up::{http, ports, say};

/// The next change waits as long as this for a process to be ready.
const SETTLED_AFTER: Duration = Duration::from_secs(60);
/// A reloader confirms within this time, or we say that it did not.
const CONFIRMED_AFTER: Duration = Duration::from_secs(15);

/// A change that is being made.
#[derive(Debug)]
pub(super) struct Doing {
    change: Change,
    until: Instant,
    stopped: bool,
}

/// A reloader, and what it said before the files changed.
#[derive(Debug)]
struct Reload {
    /// Whom it serves.
    name: String,
    url: String,
    before: Option<Value>,
}

impl Supervisor {
    /// Whether the next plan can be taken.
    pub(in crate::commands::up) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.doing.is_none() && !self.stopping
    }

    /// Goes over to another plan. An error means that nothing has changed.
    pub(in crate::commands::up) fn apply(&mut self, resolved: Resolved, now: Instant) -> anyhow::Result<()> {
        let Resolved { plan, artefacts } = resolved;
        let due = changes(&self.plan, &plan);
        let held: Vec<u16> =
            self.plan.processes.iter().flat_map(|spec| spec.ports.values().copied()).collect();
        let fresh = plan.processes.iter().filter(|spec| spec.ports.values().all(|port| !held.contains(port)));
        let taken = ports::conflicts(fresh);
        if !taken.is_empty() {
            let lines: Vec<String> = taken.iter().map(ToString::to_string).collect();
            anyhow::bail!("{}", lines.join("\n  "));
        }
        let mut new = Vec::new();
        for change in &due {
            if let Change::Start(name) = change
                && let Some(spec) = plan.get(name).cloned()
            {
                let mut running = self.enroll(spec, now)?;
                // Its turn comes.
                running.phase = Phase::Stopped;
                new.push(running);
            }
        }
        let reloads = self.reloads(&due, &plan);
        self.generation = self.setting.folder.write(&artefacts)?;
        self.setting.folder.switch_to(self.generation)?;
        for running in &mut self.processes {
            if let Some(spec) = plan.get(&running.spec.name) {
                running.spec = spec.clone();
            }
        }
        let (gone, came) = (self.plan.not_available.clone(), plan.not_available.clone());
        self.processes.extend(new);
        self.plan = plan;
        for left in came.iter().filter(|left| !gone.contains(left)) {
            say(&format!("  {} is not available: {}", left.what, left.why));
        }
        if due.is_empty() {
            say("= nothing changes for what runs here");
        }
        reloads.into_iter().for_each(confirm);
        self.queue.extend(due);
        Ok(())
    }

    /// What the reloaders that get new files say before they get them.
    fn reloads(&self, due: &[Change], plan: &Plan) -> Vec<Reload> {
        let agent = http::agent();
        let reload = |change: &Change| {
            let Change::Reload(name) = change else { return None };
            let spec = plan.get(name).filter(|spec| spec.component == "reloader")?;
            let url = format!("{}api/v1/status/reloader", spec.url());
            let before = http::data(&agent, &url);
            Some(Reload { name: served(spec), url, before })
        };
        due.iter().filter_map(reload).collect()
    }

    /// Makes the next change, when the one before is made.
    pub(super) fn change_next(&mut self, now: Instant) {
        if let Some(doing) = self.doing.take() {
            self.doing = self.go_on(doing, now);
        }
        while self.doing.is_none()
            && let Some(change) = self.queue.pop_front()
        {
            self.doing = self.begin(change, now);
        }
        if self.doing.is_none() {
            let gone = |name: &str| self.plan.get(name).is_none();
            self.processes.retain(|running| running.is_there() || !gone(&running.spec.name));
        }
    }

    fn begin(&mut self, change: Change, now: Instant) -> Option<Doing> {
        let (Change::Stop(name) | Change::Restart(name, _) | Change::Start(name) | Change::Reload(name)) =
            &change;
        let running = self.processes.iter_mut().find(|running| running.spec.name == *name)?;
        match &change {
            Change::Stop(_) | Change::Restart(..) => running.stop(now),
            Change::Start(_) => running.begin_again(),
            Change::Reload(_) => {
                if running.spec.component == "rule" {
                    let url = format!("{}-/reload", running.spec.url());
                    match http::post(&http::agent(), &url) {
                        Ok(()) => say(&format!("~ {name} reloaded")),
                        Err(error) => say(&format!("! {name} did not reload: {error}")),
                    }
                }
                return None;
            }
        }
        Some(Doing { change, until: now + SETTLED_AFTER, stopped: false })
    }

    /// `None` when the change is made, or will not be made in time.
    fn go_on(&mut self, mut doing: Doing, now: Instant) -> Option<Doing> {
        let (Change::Stop(name) | Change::Restart(name, _) | Change::Start(name) | Change::Reload(name)) =
            &doing.change;
        let running = self.processes.iter_mut().find(|running| running.spec.name == *name)?;
        match (&doing.change, running.phase) {
            (Change::Stop(name), Phase::Stopped) => {
                say(&format!("- {name} stopped"));
                return None;
            }
            (Change::Restart(..), Phase::Stopped) if !doing.stopped => {
                running.begin_again();
                doing.stopped = true;
            }
            (Change::Restart(name, why), Phase::Ready) => {
                say(&format!("± {name} restarted ({why})"));
                return None;
            }
            (Change::Start(name), Phase::Ready) => {
                say(&format!("+ {name} started: {}", running.spec.url()));
                return None;
            }
            _ if now >= doing.until || running.is_failing() => {
                say(&format!("! {name} is {} after the change; its log has the reason", running.word()));
                return None;
            }
            _ => {}
        }
        Some(doing)
    }
}

/// Whom a reloader serves.
fn served(spec: &Spec) -> String {
    spec.after.first().cloned().unwrap_or_else(|| spec.name.clone())
}

/// Waits beside everything else until a reloader says that the new files are in use.
fn confirm(reload: Reload) {
    thread::spawn(move || {
        let agent = http::agent();
        let mut last = None;
        let mut waited = Duration::ZERO;
        while waited < CONFIRMED_AFTER {
            let pause = Duration::from_millis(100);
            thread::sleep(pause);
            waited += pause;
            last = http::data(&agent, &reload.url);
            match judge(reload.before.as_ref(), last.as_ref()) {
                Verdict::Confirmed => return say(&format!("~ {} reloaded", reload.name)),
                Verdict::Refused => break,
                Verdict::Waiting => {}
            }
        }
        say(&unconfirmed(&reload.name, last.as_ref()));
    });
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Confirmed,
    Refused,
    Waiting,
}

/// A confirmation is of the new files when it is another one than before.
fn judge(before: Option<&Value>, now: Option<&Value>) -> Verdict {
    let field = |data: Option<&Value>, name: &str| data.and_then(|data| data.get(name)).cloned();
    let another = ["generation", "appliedHash"].iter().any(|name| field(before, name) != field(now, name));
    match now.and_then(|now| now.get("state")?.as_str()) {
        Some("confirmed") if another => Verdict::Confirmed,
        Some("rejected" | "refused" | "failed") if field(before, "inputHash") != field(now, "inputHash") => {
            Verdict::Refused
        }
        _ => Verdict::Waiting,
    }
}

fn unconfirmed(name: &str, last: Option<&Value>) -> String {
    let Some(state) = last.and_then(|data| data.get("state")?.as_str()) else {
        return format!("! the reloader of {name} does not answer; it takes the files over when it is back");
    };
    let problems = last.and_then(|data| data.get("problems")?.as_array()).into_iter().flatten();
    let problem = |problem: &Value| {
        let text = |field: &str| problem.get(field).and_then(Value::as_str);
        let file = text("file").map(|file| format!("{file}: ")).unwrap_or_default();
        Some(format!("\n    {file}{}", text("message")?))
    };
    let problems: String = problems.filter_map(problem).collect();
    format!("! {name} is not confirmed to run with the new files; its reloader says: {state}{problems}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_another_confirmation_counts() {
        let before = json!({ "state": "confirmed", "generation": 1, "appliedHash": "a" });
        let after = json!({ "state": "confirmed", "generation": 2, "appliedHash": "b" });
        assert_eq!(judge(Some(&before), Some(&before)), Verdict::Waiting);
        assert_eq!(judge(Some(&before), Some(&after)), Verdict::Confirmed);
        assert_eq!(judge(None, Some(&after)), Verdict::Confirmed);
        assert_eq!(
            judge(Some(&before), Some(&json!({ "state": "rejected", "generation": 2 }))),
            Verdict::Waiting
        );
        assert_eq!(judge(Some(&before), None), Verdict::Waiting);
    }

    #[test]
    fn a_refusal_is_passed_on() {
        let before = json!({ "state": "confirmed", "inputHash": "a" });
        let problem = json!({ "file": "x.yml", "message": "line 3" });
        let after = json!({ "state": "rejected", "inputHash": "b", "problems": [problem] });
        assert_eq!(judge(Some(&before), Some(&after)), Verdict::Refused);
        assert_eq!(
            unconfirmed("p", Some(&after)),
            "! p is not confirmed to run with the new files; its reloader says: rejected\n    x.yml: line 3"
        );
        assert!(unconfirmed("p", None).contains("does not answer"));
    }
}
