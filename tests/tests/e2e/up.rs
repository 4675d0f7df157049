//! `pronoia up` with Debian's Prometheus: what a user sees, and that nothing is left behind.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tests::program;
use tests::up::{Place, runs, send, within};

/// A pair of Prometheus servers that scrape each other every second.
const PAIR: &str = r#"topology pair {
    prometheus replicas=2 retention="24h" {
        every "1s"
        scrape self
    }
    rules health {
        alert Missing for="2m" severity=warning { expr "up == 0"; summary "it does not answer"; }
    }
}
"#;

const SECONDS_5: Duration = Duration::from_secs(5);
const SECONDS_20: Duration = Duration::from_secs(20);

fn pair(number: u16) -> Place {
    program::debian("prometheus", "prometheus");
    Place::new(number, PAIR)
}

fn gone(pids: &[(String, u32)]) -> bool {
    !pids.iter().any(|(_, pid)| runs(*pid))
}

#[test]
fn replicas_know_who_they_are_and_ctrl_c_leaves_nothing() {
    let place = pair(1);
    let mut up = place.up(&[]);
    up.says("all ready in");
    for (replica, port) in [(0, 9090), (1, 9091)] {
        let config = place.api(port, "status/config").expect("it answers");
        let label = format!("prometheus_replica: pair-prometheus-{replica}\n");
        assert!(config["yaml"].as_str().is_some_and(|yaml| yaml.contains(&label)), "{config}");
        within(SECONDS_20, "both scrape both", || {
            let found = place.api(port, "query?query=sum(up)").unwrap_or_default();
            found["result"][0]["value"][1] == "2"
        });
        let url = format!("http://127.0.0.1:{}/", port + place.offset);
        assert!(up.said().contains(&url), "the table names {url}: {}", up.said());
    }
    let open = format!("  open http://127.0.0.1:{}/\n", 9090 + place.offset);
    assert!(up.said().contains(&open), "{}", up.said());
    let pids = place.pids();
    assert_eq!(pids.len(), 4, "two servers and their reloaders: {pids:?}");
    assert!(pids.iter().all(|(_, pid)| runs(*pid)));
    up.signal(Signal::INT);
    let (status, said) = up.end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(gone(&pids), "{pids:?}\n{said}");
    assert!(said.contains("pair-prometheus-1          | "), "logs have names: {said}");
    assert_eq!(place.ps()["running"], false);
    let log = std::fs::read_to_string(place.path(".pronoia/logs/pair-prometheus-0.log"));
    assert!(log.expect("a log").contains("Server is ready"));
}

#[test]
fn who_is_killed_comes_back_and_nobody_outlives_up() {
    let place = pair(2);
    let mut up = place.up(&["--quiet"]);
    up.says("all ready in");
    let (name, pid) = place.pids().remove(0);
    assert_eq!(name, "pair-prometheus-0");
    send(pid, Signal::KILL);
    up.says("pair-prometheus-0 was killed (signal 9); started again in 0.5 s");
    within(SECONDS_20, "another process is ready", || {
        let process = place.process(&name).unwrap_or_default();
        process["ready"] == true && process["pid"] != pid && process["restarts"] == 1
    });
    let pids = place.pids();
    assert_eq!(pids.len(), 4, "{pids:?}");
    up.signal(Signal::KILL);
    within(SECONDS_5, "the processes of a killed `up` are gone", || gone(&pids));
    drop(up);
    assert_eq!(place.ps()["running"], false);
    let mut again = place.up(&["--quiet"]);
    again.says("all ready in");
}

#[test]
fn a_port_that_is_taken_is_named_with_its_holder() {
    let place = pair(3);
    let port = 9091 + place.offset;
    let _held = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    let (code, said) = place.refused(&[]);
    assert_eq!(code, Some(1), "{said}");
    let own = format!("is taken by pid {}", std::process::id());
    for part in [&format!("port {port} (http of pair-prometheus-1)"), &own, "--port-offset"] {
        assert!(said.contains(part), "`{part}` is missing: {said}");
    }
    assert!(!place.path(".pronoia").exists(), "nothing was started, so nothing was written");
}

#[test]
fn a_data_folder_that_cannot_be_used_is_refused_before_anything_starts() {
    let place = pair(4);
    std::fs::write(place.path("file"), "mine").expect("a file");
    for (folder, message) in [
        ("file", "is no folder; choose another --data-dir"),
        ("file/below", "is no folder; choose another --data-dir"),
        // A file system with no room for anybody.
        ("/proc/pronoia", "has 0 MiB free, 200 MiB are needed"),
    ] {
        let (code, said) = place.refused(&["--data-dir", folder]);
        assert_eq!(code, Some(1), "{folder}: {said}");
        assert!(said.contains(message), "{folder}: {said}");
    }
    assert_eq!(std::fs::read_to_string(place.path("file")).expect("a file"), "mine");
    let names = std::fs::read_dir(place.path(".")).expect("a folder").flatten().count();
    assert_eq!(names, 2, "the topology and the file");
}

#[test]
fn a_data_folder_has_one_up_and_down_ends_it() {
    let place = pair(5);
    let mut up = place.up(&["--quiet"]);
    up.says("all ready in");
    let (code, said) = place.refused(&[]);
    assert_eq!(code, Some(1), "{said}");
    let pid = format!("(pid {})", up.pid());
    assert!(said.contains(&pid) && said.contains("pronoia down"), "{said}");
    let pids = place.pids();
    program::succeed(&mut place.pronoia(&["down"]));
    assert!(gone(&pids), "{pids:?}");
    let (status, said) = up.end();
    assert_eq!(status.code(), Some(0), "{said}");
    let output = place.pronoia(&["down"]).output().expect("pronoia starts");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing runs on `.pronoia`"));
}

#[test]
fn an_edit_is_live_at_once_and_a_wrong_one_changes_nothing() {
    let place = pair(6);
    let mut up = place.up(&["--quiet"]);
    up.says("all ready in");
    let pids = place.pids();
    let edited = PAIR.replace("up == 0", "up < 1");
    place.edit(&edited);
    let begun = Instant::now();
    for port in [9090, 9091] {
        within(Duration::from_secs(3), "both have the new rule", || {
            let rules = place.api(port, "rules").unwrap_or_default();
            rules["groups"].as_array().is_some_and(|groups| {
                let mut rules = groups.iter().flat_map(|group| group["rules"].as_array()).flatten();
                rules.any(|rule| rule["name"] == "Missing" && rule["query"] == "up < 1")
            })
        });
    }
    assert!(begun.elapsed() < Duration::from_secs(3));
    up.says("~ pair-prometheus-0 reloaded");
    up.says("~ pair-prometheus-1 reloaded");
    place.edit(&edited.replace("scrape self", "scrape nobody"));
    up.says("! everything runs on as before");
    assert!(up.said().contains("topology.kdl:4:"), "the finding has its place: {}", up.said());
    assert_eq!(place.pids(), pids, "nobody was restarted");
}

#[test]
fn an_edit_restarts_starts_and_stops_what_it_is_about() {
    let place = pair(7);
    let mut up = place.up(&["--quiet"]);
    up.says("all ready in");
    let before = place.pids();
    place.edit(&PAIR.replace("24h", "25h"));
    up.says("± pair-prometheus-0 restarted (arguments changed: --storage.tsdb.retention.time)");
    up.says("± pair-prometheus-1 restarted");
    let after = place.pids();
    let pid = |pids: &[(String, u32)], name: &str| {
        pids.iter().find(|(found, _)| found == name).map(|(_, pid)| *pid).expect("it runs")
    };
    assert_ne!(pid(&before, "pair-prometheus-0"), pid(&after, "pair-prometheus-0"));
    let reloader = "pair-prometheus-0-reloader";
    assert_eq!(pid(&before, reloader), pid(&after, reloader), "its arguments are the same");
    place.edit(&PAIR.replace("24h", "25h").replace("replicas=2", "replicas=1"));
    up.says("- pair-prometheus-1 stopped");
    within(SECONDS_5, "two processes are left", || place.pids().len() == 2);
    assert!(!runs(pid(&after, "pair-prometheus-1")));
    place.edit(&PAIR.replace("24h", "25h"));
    up.says("+ pair-prometheus-1 started: http://127.0.0.1:");
    up.says("+ pair-prometheus-1-reloader started");
    assert_eq!(place.pids().len(), 4);
}

#[test]
fn files_that_a_topology_names_are_followed_too() {
    program::debian("prometheus", "prometheus");
    program::debian("prometheus-alertmanager", "prometheus-alertmanager");
    let place = Place::new(8, "topology alerts {\n    alertmanager replicas=1 config=\"routes.yaml\"\n}\n");
    let routes = |name: &str| {
        let text = format!("route:\n  receiver: {name}\nreceivers:\n- name: {name}\n");
        std::fs::write(place.path("routes.yaml"), text).expect("written");
    };
    routes("nobody");
    let mut up = place.up(&["--quiet"]);
    up.says("all ready in");
    let receiver = || {
        let status = place.json(9390, "api/v2/status").unwrap_or_default();
        status["config"]["original"].as_str().unwrap_or_default().to_string()
    };
    assert!(receiver().contains("receiver: nobody"), "{}", receiver());
    let pids = place.pids();
    routes("somebody");
    up.says("~ alerts-alertmanager-0 reloaded");
    assert!(receiver().contains("receiver: somebody"), "{}", receiver());
    assert_eq!(place.pids(), pids, "nobody was restarted");
}
