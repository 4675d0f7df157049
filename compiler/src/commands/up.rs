//! `pronoia up`: the topology alive on this machine, as plain processes that end when it ends.

use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use prom_model::PromDuration;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::Exit;
use super::console::Console;
use folder::DataFolder;
use logs::Streams;
use plan::{Folders, Plan};
use programs::Programs;
use supervise::{Setting, Supervisor};
use topology::{Resolved, Wanted};
use watch::Inputs;

mod backoff;
pub(super) mod folder;
mod http;
mod logs;
pub(super) mod plan;
mod ports;
pub(super) mod process;
mod programs;
mod ready;
mod running;
pub(super) mod state;
mod supervise;
pub(super) mod supervised;
pub(super) mod table;
mod topology;
mod watch;

/// The folder of all data, unless another one is named.
pub(super) const DATA_DIR: &str = ".pronoia";
/// Between two looks at the files of the topology; a change is taken when two looks agree.
const LOOK: Duration = Duration::from_millis(150);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The topology
    #[arg(default_value = "topology.kdl")]
    file: String,
    /// Apply this environment
    #[arg(long, value_name = "ENV")]
    env: Option<String>,
    /// Folder for data, logs and configuration
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    data_dir: PathBuf,
    /// Only these processes or kinds of processes, with commas between them
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Add this to every port
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=40_000))]
    port_offset: u16,
    /// Write the logs into this folder too
    #[arg(long, value_name = "DIR")]
    logs: Option<PathBuf>,
    /// Print what would run as JSON and start nothing
    #[arg(long)]
    plan: bool,
    /// Do not look whether the topology changes
    #[arg(long)]
    no_watch: bool,
    /// Give up when something is not ready by then
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    programs: programs::Paths,
}

pub(super) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let root = folder::absolute(&args.data_dir)?;
    let folders = Folders {
        config: root.join("config/current"),
        data: root.join("data"),
        secrets: root.join("secrets"),
    };
    let programs = Programs::find(&args.programs)?;
    let wanted = Wanted {
        file: &args.file,
        env: args.env.as_deref(),
        only: &args.only,
        port_offset: args.port_offset,
        folders: &folders,
        programs: &programs,
        shown: RefCell::default(),
    };
    let (Some(resolved), inputs) = wanted.resolve(console)? else { return Ok(Exit::Findings) };
    if args.plan {
        console.out(&format!("{}\n", serde_json::to_string_pretty(&resolved.plan)?))?;
        return Ok(Exit::Ok);
    }
    may_start(args, &root, &resolved.plan, &programs)?;
    // From here on a signal is a wish to stop in good order.
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let folder = DataFolder::open(&root, &args.data_dir)?;
    let generation = folder.write(&resolved.artefacts)?;
    folder.switch_to(generation)?;
    let setting = Setting {
        topology: args.file.clone(),
        pronoiad: programs.path("pronoiad"),
        streams: Streams {
            shown: !console.is_quiet(),
            color: console.color_out(),
            folders: [Some(folder.path("logs")), args.logs.clone()].into_iter().flatten().collect(),
        },
        folder,
        folders: folders.clone(),
    };
    let mut up = Up {
        console,
        args,
        wanted: &wanted,
        begun: Instant::now(),
        supervisor: Supervisor::new(setting, resolved.plan, generation, Instant::now())?,
        announced: false,
        exit: Exit::Ok,
    };
    let files = (!args.no_watch).then_some(inputs);
    Ok(up.go(signals, files))
}

/// Everything that can be known to go wrong before anything is written or started.
fn may_start(args: &Args, root: &Path, plan: &Plan, programs: &Programs) -> anyhow::Result<()> {
    let needs = |component: &str| plan.processes.iter().any(|spec| spec.component == component);
    let named = ["prometheus", "alertmanager"].into_iter().filter(|name| needs(name));
    let ours = plan.processes.iter().any(|spec| !["prometheus", "alertmanager"].contains(&&*spec.component));
    programs.must_have(named.chain(ours.then_some("pronoiad")))?;
    if needs("prometheus") || needs("alertmanager") {
        programs.must_reload()?;
    }
    if plan.processes.is_empty() {
        let why: Vec<String> =
            plan.not_available.iter().map(|left| format!("\n  {}: {}", left.what, left.why)).collect();
        bail!("nothing of `{}` can run here{}", args.file, why.concat());
    }
    folder::must_be_idle(root, &args.data_dir)?;
    folder::must_have_room(root)?;
    let taken = ports::conflicts(plan.processes.iter());
    if !taken.is_empty() {
        let lines: Vec<String> = taken.iter().map(ToString::to_string).collect();
        let offset = if args.port_offset < 20_000 { args.port_offset + 10_000 } else { 0 };
        bail!("{}\n  free them, or move all ports: --port-offset {offset}", lines.join("\n  "));
    }
    Ok(())
}

/// One run.
struct Up<'a> {
    console: &'a Console,
    args: &'a Args,
    wanted: &'a Wanted<'a>,
    begun: Instant,
    supervisor: Supervisor,
    /// Everything was ready once.
    announced: bool,
    exit: Exit,
}

impl Up<'_> {
    fn go(&mut self, mut signals: Signals, mut files: Option<Inputs>) -> Exit {
        let mut looked = (Instant::now(), None);
        loop {
            for _ in signals.pending() {
                self.signal();
            }
            let now = Instant::now();
            self.supervisor.step(now);
            if self.supervisor.is_stopping() {
                if self.supervisor.is_empty() {
                    break;
                }
            } else if !self.announced {
                self.begin(now);
            } else if let Some(inputs) = &mut files
                && now.duration_since(looked.0) >= LOOK
                && self.supervisor.is_idle()
            {
                let found = inputs.now();
                // An editor may be half-way through.
                if found != *inputs && looked.1.as_ref() == Some(&found) {
                    *inputs = self.edited(now).unwrap_or(found);
                    looked.1 = None;
                } else {
                    looked.1 = Some(found);
                }
                looked.0 = now;
            }
            std::thread::sleep(Supervisor::STEP);
        }
        self.supervisor.finish();
        say("all stopped");
        self.exit
    }

    fn signal(&mut self) {
        if self.supervisor.is_stopping() {
            say("killing everything");
            self.supervisor.kill();
            self.exit = Exit::Failure;
        } else {
            say("stopping; once more to kill");
            self.supervisor.stop();
        }
    }

    /// Looks how far the start has come.
    fn begin(&mut self, now: Instant) {
        if self.supervisor.all_ready() {
            self.announced = true;
            let took = now.duration_since(self.begun).as_secs_f64();
            say(&format!("\n{}\nall ready in {took:.1} s\n{}", self.supervisor.overview(), self.hints()));
            return;
        }
        let late = now.duration_since(self.begun) >= self.args.timeout;
        let failing = self.supervisor.failing();
        if !late && failing.is_empty() {
            return;
        }
        let guilty = if failing.is_empty() { self.supervisor.late() } else { failing };
        for running in guilty {
            let mut text = format!("{} is {}; it said last:\n", running.spec.name, running.word());
            for line in running.log.last() {
                text.push_str(&format!("    {line}\n"));
            }
            self.console.error(text.trim_end());
        }
        if late {
            self.console.error(&format!("not ready within {:?}", self.args.timeout));
        }
        self.exit = Exit::Failure;
        self.supervisor.stop();
    }

    fn hints(&self) -> String {
        let data = self.args.data_dir.display();
        let edit = match self.args.no_watch {
            true => String::new(),
            false => format!("  edit {}: changes are applied at once\n", self.args.file),
        };
        let secrets = match self.supervisor.wants_secrets() {
            true => format!("  secrets are read from files below {data}/secrets/, by the names above\n"),
            false => String::new(),
        };
        let open = self.supervisor.door().map(|url| format!("  open {url}\n")).unwrap_or_default();
        format!(
            "{open}{secrets}{edit}  {} shows what runs, {data}/logs/ has what it says\n  \
             pronoia render {} -o DIR writes the same for Kubernetes\n  Ctrl-C stops everything",
            command_for("ps", &self.args.data_dir),
            self.args.file,
        )
    }

    /// The topology has changed: what runs follows it, or stays as it is.
    fn edited(&mut self, now: Instant) -> Option<Inputs> {
        let done = self.wanted.resolve(self.console).and_then(|(resolved, inputs)| {
            match resolved {
                Some(resolved) => self.take(resolved, now)?,
                None => say("! everything runs on as before"),
            }
            Ok(inputs)
        });
        match done {
            Ok(inputs) => Some(inputs),
            Err(error) => {
                self.console.error(&format!("{error:#}"));
                say("! everything runs on as before");
                None
            }
        }
    }

    fn take(&mut self, resolved: Resolved, now: Instant) -> anyhow::Result<()> {
        self.wanted.programs.must_have(resolved.plan.processes.iter().map(|spec| {
            match spec.component.as_str() {
                name @ ("prometheus" | "alertmanager") => name,
                _ => "pronoiad",
            }
        }))?;
        self.supervisor.apply(resolved, now)
    }
}

/// A command about a data folder, as a user would type it.
pub(super) fn command_for(command: &str, data_dir: &Path) -> String {
    match data_dir == Path::new(DATA_DIR) {
        true => format!("pronoia {command}"),
        false => format!("pronoia {command} --data-dir {}", data_dir.display()),
    }
}

/// A line of ours among those of the processes. A terminal that has gone away is no reason to stop.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(format!("{text}\n").as_bytes()).and_then(|()| out.flush());
}

fn duration(text: &str) -> anyhow::Result<Duration> {
    let duration: PromDuration =
        text.parse().map_err(|error| anyhow!("{error}; write it as `90s` or `2m`"))?;
    Ok(duration.to_std())
}
