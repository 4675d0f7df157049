//! `up`, `down` and `ps` as far as they can be seen without real servers: plans, refusals, programs that misbehave.

use std::os::unix::fs::PermissionsExt;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::*;

/// A pronoiad that finds everything right and then waits.
const PRONOIAD: &str = "#!/bin/sh
case \"$*\" in
--help) echo 'Components in this build: reloader, query' ;;
*--once) ;;
*) exec sleep 1000 ;;
esac
";

/// A Prometheus of a release, which does something when it is started.
fn prometheus(does: &str) -> String {
    format!(
        "#!/bin/sh\nif [ \"$*\" = --version ]; then echo 'prometheus, version 2.42.0 (x)'; exit; fi\n{does}\n"
    )
}

/// One Prometheus, whose program is the given script.
fn sandbox(does: &str) -> Sandbox {
    let sandbox =
        Sandbox::with_topology("topology t { prometheus replicas=1 { scrape self; }; query replicas=1; }\n");
    for (name, script) in [("prometheus", prometheus(does)), ("pronoiad", PRONOIAD.to_string())] {
        sandbox.write(name, &script);
        fs::set_permissions(sandbox.path(name), fs::Permissions::from_mode(0o755)).expect("executable");
    }
    sandbox
}

/// `up` with ports that no other test has.
fn up(sandbox: &Sandbox, number: u16, more: &[&str]) -> Command {
    let offset = format!("--port-offset={}", 20_000 + number * 10);
    let programs = ["--prometheus", "./prometheus", "--pronoiad", "./pronoiad"];
    let mut command = sandbox.command(&[&["up", offset.as_str()], &programs[..], more].concat());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ran(mut command: Command) -> Ran {
    Ran::from(command.output().expect("runs"))
}

/// Waits until the Prometheus runs, and returns its pid.
fn pid_of_prometheus(sandbox: &Sandbox, child: &mut Child) -> u64 {
    let begun = Instant::now();
    loop {
        assert!(child.try_wait().expect("a child").is_none(), "it ended too early");
        let state = fs::read_to_string(sandbox.path(".pronoia/state.json")).unwrap_or_default();
        let state: Value = serde_json::from_str(&state).unwrap_or_default();
        if state["processes"][0]["state"] == "starting"
            && let Some(pid) = state["processes"][0]["identity"]["pid"].as_u64()
        {
            return pid;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{state:#}");
        sleep(Duration::from_millis(20));
    }
}

fn interrupt(child: &Child) {
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
}

#[test]
fn a_plan_has_paths_and_ports_and_starts_nothing() {
    let sandbox = sandbox("exit 1");
    let ran = ran(up(&sandbox, 1, &["--plan", "--only", "prometheus"])).ends_with(0);
    let plan: Value = serde_json::from_str(&ran.out).expect("JSON");
    let first = &plan["processes"][0];
    assert_eq!(first["name"], "t-prometheus-0");
    assert_eq!(first["ports"]["http"], 29_100);
    let root = fs::canonicalize(sandbox.path(".")).expect("a folder");
    assert_eq!(first["program"], root.join("prometheus").to_str().expect("UTF-8"));
    let file = format!(
        "--config.file={}/.pronoia/data/loaded/t-prometheus-0/prometheus/prometheus.yml",
        root.display()
    );
    assert!(first["args"].as_array().expect("args").iter().any(|arg| *arg == file), "{first:#}");
    assert_eq!(plan["processes"][1]["name"], "t-prometheus-0-reloader");
    let away: Vec<&Value> =
        plan["not_available"].as_array().expect("a list").iter().map(|left| &left["what"]).collect();
    assert_eq!(away, ["t-prometheus-0-sidecar", "t-thanos-query-0"]);
    assert!(!sandbox.path(".pronoia").exists());
}

#[test]
fn findings_stop_it_as_they_stop_render() {
    let sandbox = sandbox("exit 1");
    sandbox.write("topology.kdl", BROKEN);
    let ran = ran(up(&sandbox, 2, &[])).ends_with(3);
    assert!(ran.err.contains("error[KDL001]"), "{ran:?}");
    assert!(!sandbox.path(".pronoia").exists());
}

#[test]
fn the_installed_release_decides_and_is_named() {
    let sandbox = sandbox("exit 1");
    sandbox.write(
        "topology.kdl",
        "topology t {\n    prometheus replicas=1 { scrape self; }\n    args prometheus { \"--auto-gomaxprocs\"; }\n}\n",
    );
    let ran = ran(up(&sandbox, 3, &[])).ends_with(3);
    assert!(ran.err.contains("VER001") && ran.err.contains("this machine has Prometheus 2.42.0"), "{ran:?}");
}

#[test]
fn a_missing_program_comes_with_the_way_to_it() {
    let sandbox = sandbox("exit 1");
    fs::remove_file(sandbox.path("prometheus")).expect("removed");
    let mut command = sandbox.command(&["up", "--pronoiad", "./pronoiad"]);
    let ran = Ran::from(command.env("PATH", sandbox.path(".")).output().expect("runs")).ends_with(1);
    assert!(ran.err.contains("`prometheus` is not installed: apt-get install prometheus"), "{ran:?}");
    let mut command = sandbox.command(&["up", "--prometheus", "./nowhere"]);
    let ran = Ran::from(command.output().expect("runs")).ends_with(1);
    assert!(ran.err.contains("`./nowhere` is no program"), "{ran:?}");
    assert!(!sandbox.path(".pronoia").exists());
}

#[test]
fn who_is_not_ready_in_time_is_named_with_its_last_words() {
    let sandbox = sandbox("echo 'replaying a long log'; exec sleep 1000");
    let ran = ran(up(&sandbox, 4, &["--timeout", "1s", "--quiet", "--logs", "logs"])).ends_with(1);
    assert!(
        ran.err.contains("t-prometheus-0 is starting; it said last:\n    replaying a long log"),
        "{ran:?}"
    );
    assert!(ran.err.contains("not ready within 1s") && ran.out.contains("all stopped"), "{ran:?}");
    assert_eq!(sandbox.read(".pronoia/logs/t-prometheus-0.log"), "replaying a long log\n");
    assert_eq!(sandbox.read("logs/t-prometheus-0.log"), "replaying a long log\n");
    assert!(!sandbox.path(".pronoia/state.json").exists());
}

#[test]
fn who_keeps_ending_stops_the_start() {
    let sandbox = sandbox("echo 'no such flag'; exit 7");
    let ran = ran(up(&sandbox, 5, &["--quiet"])).ends_with(1);
    assert!(ran.out.contains("! t-prometheus-0 ended with exit code 7; started again in 0.5 s"), "{ran:?}");
    assert!(ran.out.contains("started again in 4.0 s"), "{ran:?}");
    assert!(ran.err.contains("t-prometheus-0 is failing; it said last:\n    no such flag"), "{ran:?}");
}

#[test]
fn a_second_ctrl_c_kills_who_does_not_listen() {
    let sandbox = sandbox("trap '' TERM; while :; do sleep 0.1; done");
    let mut child = up(&sandbox, 6, &["--quiet"]).spawn().expect("runs");
    let pid = pid_of_prometheus(&sandbox, &mut child);
    let ps = sandbox.run(&["ps"]).ends_with(0);
    assert!(ps.out.contains(&format!("t-prometheus-0           prometheus  {pid}")), "{ps:?}");
    // The script needs a moment to set its trap.
    sleep(Duration::from_millis(300));
    interrupt(&child);
    sleep(Duration::from_millis(500));
    assert!(child.try_wait().expect("a child").is_none(), "the first one waits");
    interrupt(&child);
    let ran = Ran::from(child.wait_with_output().expect("ends")).ends_with(1);
    assert!(ran.out.contains("stopping; once more to kill\nkilling everything\n"), "{ran:?}");
    assert!(!ran.out.contains("started again"), "{ran:?}");
    assert!(!fs::exists(format!("/proc/{pid}")).expect("/proc"), "{ran:?}");
}

#[test]
fn a_folder_without_an_up_has_nothing_to_show_or_stop() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["down"]).ends_with(0);
    assert!(ran.err.contains("nothing runs on `.pronoia`"), "{ran:?}");
    let ran = sandbox.run(&["ps"]).ends_with(0);
    assert!(ran.err.contains("pronoia up"), "{ran:?}");
    let ran = sandbox.run(&["ps", "--json", "--data-dir", "other"]).ends_with(0);
    let state: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&state["running"], &state["processes"]), (&false.into(), &Vec::<Value>::new().into()));
    assert!(!sandbox.path(".pronoia").exists());
}

#[test]
fn what_up_starts_does_not_start_without_it() {
    let ran = Sandbox::new().run(&["supervised", "--parent", "1", "--", "echo", "started"]).ends_with(1);
    assert!(!ran.out.contains("started") && ran.err.contains("pid 1 is gone"), "{ran:?}");
    let help = Sandbox::new().run(&["--help"]).ends_with(0);
    assert!(!help.out.contains("supervised") && help.out.contains("  up "), "{help:?}");
}
