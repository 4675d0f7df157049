//! The processes together: who may start, who is ready, who has ended, and how all of them stop.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::folder::DataFolder;
use super::logs::{Log, Streams};
use super::plan::{Change, Folders, LeftOut, Plan, Spec};
use super::process::Identity;
use super::ready::Prober;
use super::running::{Event, Phase, Running};
use super::say;
use super::state::State;
use super::table::table;

mod changes;

/// What all processes have in common.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) topology: String,
    pub(super) folder: DataFolder,
    pub(super) folders: Folders,
    pub(super) pronoiad: PathBuf,
    pub(super) streams: Streams,
}

/// All processes of one `up`.
#[derive(Debug)]
pub(super) struct Supervisor {
    setting: Setting,
    plan: Plan,
    generation: u64,
    /// In the order of their start.
    processes: Vec<Running>,
    prober: Prober,
    stopping: bool,
    queue: VecDeque<Change>,
    doing: Option<changes::Doing>,
    saved: Option<State>,
    logs_opened: usize,
    width: usize,
}

impl Supervisor {
    /// Nothing runs yet.
    pub(super) fn new(
        setting: Setting,
        plan: Plan,
        generation: u64,
        now: Instant,
    ) -> anyhow::Result<Supervisor> {
        let mut supervisor = Supervisor {
            width: plan.processes.iter().map(|spec| spec.name.len()).max().unwrap_or(0),
            setting,
            generation,
            processes: Vec::new(),
            prober: Prober::start(),
            stopping: false,
            queue: VecDeque::new(),
            doing: None,
            saved: None,
            logs_opened: 0,
            plan,
        };
        for spec in supervisor.plan.processes.clone() {
            let running = supervisor.enroll(spec, now)?;
            supervisor.processes.push(running);
        }
        Ok(supervisor)
    }

    /// Folders and log of a process that does not run yet.
    fn enroll(&mut self, spec: Spec, now: Instant) -> anyhow::Result<Running> {
        let Setting { folder, folders, streams, .. } = &self.setting;
        folder.make_room_for(&spec, folders).with_context(|| format!("folders of {}", spec.name))?;
        let log = Log::open(streams, &spec.name, self.width, self.logs_opened)?;
        self.logs_opened += 1;
        Ok(Running::new(spec, log, now))
    }

    /// Does whatever is due.
    pub(super) fn step(&mut self, now: Instant) {
        for answer in self.prober.answers().collect::<Vec<_>>() {
            self.answered(&answer.name, answer.pid, answer.ready);
        }
        for at in 0..self.processes.len() {
            if let Some(event) = self.processes[at].look(now) {
                self.happened(at, &event);
            }
        }
        if self.stopping {
            self.stop_next(now);
        } else {
            self.start_next(now);
            self.change_next(now);
        }
        self.save();
    }

    fn answered(&mut self, name: &str, pid: u32, ready: bool) {
        let Some(running) = self.processes.iter_mut().find(|running| running.spec.name == name) else {
            return;
        };
        if running.pid() != Some(pid) {
            return;
        }
        if ready && running.phase == Phase::Starting && running.restarts > 0 {
            say(&format!("= {name} is ready again (pid {pid})"));
        }
        running.phase = match (running.phase, ready) {
            (Phase::Starting | Phase::NotReady, true) => Phase::Ready,
            (Phase::Ready, false) => Phase::NotReady,
            (other, _) => other,
        };
    }

    fn happened(&mut self, at: usize, event: &Event) {
        let Some(running) = self.processes.get_mut(at) else { return };
        let name = &running.spec.name;
        match event {
            Event::Prepared => {}
            Event::Ended(why, wait) => {
                running.restarts += 1;
                self.prober.remove(name);
                say(&format!("! {name} {why}; started again in {:.1} s", wait.as_secs_f64()));
            }
            Event::Stopped => self.prober.remove(name),
            Event::Killed => say(&format!("! {name} did not stop in time and was killed")),
        }
    }

    /// Starts everyone whose turn it is.
    fn start_next(&mut self, now: Instant) {
        for at in 0..self.processes.len() {
            let running = &self.processes[at];
            let due = match running.phase {
                Phase::Waiting => running.spec.after.iter().all(|name| self.is_ready(name)),
                Phase::Ended(until) => now >= until,
                _ => false,
            };
            if !due {
                continue;
            }
            let running = &mut self.processes[at];
            match running.start(&self.setting.pronoiad, now) {
                Ok(()) => {
                    let spec = &running.spec;
                    if let Some(pid) = running.pid().filter(|_| running.phase == Phase::Starting) {
                        self.prober.add(&spec.name, pid, &spec.ready_url);
                    }
                }
                Err(error) => {
                    let wait = running.start_failed(now);
                    let name = &running.spec.name;
                    say(&format!(
                        "! {name} cannot be started: {error}; again in {:.1} s",
                        wait.as_secs_f64()
                    ));
                }
            }
        }
    }

    fn is_ready(&self, name: &str) -> bool {
        // Who is not there any more holds up nobody.
        let mut found = self.processes.iter().filter(|running| running.spec.name == name);
        found.all(|running| running.phase == Phase::Ready)
    }

    pub(super) fn all_ready(&self) -> bool {
        self.processes.iter().all(|running| running.phase == Phase::Ready)
    }

    /// Processes that keep ending.
    pub(super) fn failing(&self) -> Vec<&Running> {
        self.processes.iter().filter(|running| running.is_failing()).collect()
    }

    /// Those that are not ready, and nobody whom they wait for either.
    pub(super) fn late(&self) -> Vec<&Running> {
        let late = |running: &&Running| {
            !matches!(running.phase, Phase::Ready | Phase::Waiting)
                && running.spec.after.iter().all(|name| self.is_ready(name))
        };
        self.processes.iter().filter(late).collect()
    }

    /// From now on everything ends.
    pub(super) fn stop(&mut self) {
        self.stopping = true;
        self.queue.clear();
        self.doing = None;
    }

    /// Ends everything at once.
    pub(super) fn kill(&mut self) {
        self.stop();
        self.processes.iter_mut().filter(|running| running.is_there()).for_each(Running::kill);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.processes.iter().any(Running::is_there)
    }

    /// Stops everyone on whom nobody depends that is still there.
    fn stop_next(&mut self, now: Instant) {
        for at in 0..self.processes.len() {
            let name = &self.processes[at].spec.name;
            let mut others = self.processes.iter().filter(|other| other.is_there());
            if !others.any(|other| other.spec.after.contains(name)) {
                self.processes[at].stop(now);
            }
        }
    }

    /// What runs, for `ps`; written when it has changed.
    fn save(&mut self) {
        let Some(supervisor) = Identity::of(std::process::id()) else { return };
        let state = State {
            version: 1,
            topology: self.setting.topology.clone(),
            supervisor,
            generation: self.generation,
            processes: self.processes.iter().map(Running::state).collect(),
            not_available: self.plan.not_available.clone(),
        };
        if self.saved.as_ref() == Some(&state) {
            return;
        }
        // On a full disk everything runs on; `ps` is late.
        if state.write(&self.setting.folder).is_ok() {
            self.saved = Some(state);
        }
    }

    /// Nothing runs any more: the data folder says so.
    pub(super) fn finish(&self) {
        State::remove(&self.setting.folder);
    }

    /// What runs and what does not, for people.
    pub(super) fn overview(&self) -> String {
        let mut rows: Vec<Vec<String>> = Vec::new();
        for running in &self.processes {
            let pid = running.pid().map_or("-".to_string(), |pid| pid.to_string());
            let Spec { name, component, .. } = &running.spec;
            rows.push([name, component, running.spec.url(), &pid, running.word()].map(String::from).to_vec());
        }
        for LeftOut { what, why } in &self.plan.not_available {
            rows.push([what, "-", "-", "-", &format!("not available: {why}")].map(String::from).to_vec());
        }
        let mut text = table(&["NAME", "WHAT", "URL", "PID", "STATE"], &rows);
        for LeftOut { what, why } in &self.plan.left_out {
            text.push_str(&format!("not here: {what} ({why})\n"));
        }
        text
    }

    /// Where to begin to look: who sees most.
    pub(super) fn door(&self) -> Option<&str> {
        let mut kinds = ["query-frontend", "query", "prometheus", "alertmanager"].into_iter();
        kinds.find_map(|kind| {
            let mut running = self.processes.iter().filter(|running| running.spec.component == kind);
            running.next().map(|running| running.spec.url())
        })
    }

    /// Whether something reads a secret that the user has to put there.
    pub(super) fn wants_secrets(&self) -> bool {
        self.plan.left_out.iter().any(|left| left.what.contains("secret"))
    }

    /// Time to wait between two steps.
    pub(super) const STEP: Duration = Duration::from_millis(40);
}
