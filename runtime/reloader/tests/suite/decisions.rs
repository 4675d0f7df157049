//! What the reloader does with good files, bad files, and a Prometheus that refuses, is away, or dies.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::registry::Registry;
use reloader::disk::{Disk, RealDisk};
use reloader::{Environment, Method, Phase, Reloader, ReloaderMetrics, Settings, Status, StatusBoard};
use server::probe::Probe;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::crashes::settings;
use super::disks::{Fault, FaultyDisk};
use super::peer::Peer;

const GOOD: &str = "global: {scrape_interval: 5s}\n";
const BETTER: &str = "global: {scrape_interval: 6s}\n";
/// Nothing in the text tells that this Prometheus will not want it.
const REFUSED: &str = "global: {scrape_interval: 7s, external_labels: {a: refuse}}\n";

struct House {
    folder: TempDir,
    probe: Probe,
    stop: CancellationToken,
    board: Option<StatusBoard>,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for path in ["in/rules", "out"] {
            std::fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        let house = Self { folder, probe: Probe::new(), stop: CancellationToken::new(), board: None };
        house.write("in/prometheus.yml", GOOD);
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        let spare = path.with_extension("spare");
        std::fs::write(&spare, text).unwrap();
        std::fs::rename(&spare, &path).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn output(&self) -> PathBuf {
        self.path("out/prometheus.yml")
    }

    fn reloader(&self, peer: &Peer, disk: Arc<dyn Disk>, settings: Settings) -> Reloader {
        let metrics = ReloaderMetrics::register(&mut Registry::default(), &Method::Http, true);
        let mut environment = Environment::default();
        environment.set("SET", "8s");
        Reloader::new(settings, environment, disk, peer.target(), metrics, self.probe.clone())
    }

    fn start(&mut self, peer: &Peer) {
        self.start_with(peer, Arc::new(RealDisk), settings(self.folder.path()));
    }

    fn start_with(&mut self, peer: &Peer, disk: Arc<dyn Disk>, settings: Settings) {
        let reloader = self.reloader(peer, disk, settings);
        self.board = Some(reloader.board());
        tokio::spawn(reloader.run(self.stop.clone()));
    }

    async fn until(&self, what: &str, is: impl Fn(&Status) -> bool) -> Status {
        let board = self.board.as_ref().unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            let status = board.get();
            if is(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("not {what}: {:#?}", board.get());
    }

    async fn until_in(&self, phase: Phase) -> Status {
        self.until(phase.word(), |status| status.state == phase).await
    }

    async fn until_generation(&self, generation: u64) -> Status {
        let is = |status: &Status| status.state == Phase::Confirmed && status.generation == generation;
        self.until(&format!("at generation {generation}"), is).await
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

#[tokio::test]
async fn a_change_is_expanded_loaded_and_confirmed() {
    let mut house = House::new();
    let peer = Peer::start(&house.output()).await;
    house.start(&peer);
    house.until_generation(1).await;
    assert_eq!(peer.loaded(), GOOD);
    assert!(house.probe.is_ready());
    house.write("in/prometheus.yml", "global: {scrape_interval: $(SET)}\n");
    let status = house.until_generation(2).await;
    assert_eq!(peer.loaded(), "global: {scrape_interval: 8s}\n");
    assert_eq!((status.problems.len(), status.files), (0, 1));
    house.write("in/rules/a.yml", "groups: []\n");
    house.until_generation(3).await;
    assert_eq!(house.read("out/rules/a.yml"), "groups: []\n");
    std::fs::remove_file(house.path("in/rules/a.yml")).unwrap();
    house.until_generation(4).await;
    assert!(!exists(&house.path("out/rules/a.yml")));
}

#[tokio::test]
async fn bad_inputs_are_never_written_and_say_where_they_are_bad() {
    let mut house = House::new();
    let peer = Peer::start(&house.output()).await;
    house.start(&peer);
    house.until_generation(1).await;
    for (file, text, reason, says) in [
        ("in/prometheus.yml", "global: {scrape_interval: 5}\n", "value", "scrape_interval"),
        ("in/prometheus.yml", "global: {scrap_interval: 5s}\n", "unknown_field", "scrape_interval"),
        ("in/prometheus.yml", "global: [\n", "syntax", ""),
        ("in/prometheus.yml", "", "empty", "write `global: {}`"),
        ("in/prometheus.yml", "# soon\n", "empty", "write `global: {}`"),
        ("in/prometheus.yml", "global: {scrape_interval: $(NOT_SET)}\n", "unset_variable", "NOT_SET"),
        ("in/prometheus.yml", "\u{1f}\u{8b}", "syntax", ""),
        ("in/rules/bad.yml", "groups: [{name: a, rules: [{record: b, expr: sum(}]}]\n", "expression", ""),
        ("in/rules/bad.yml", "groups: [{name: a, rules: [{record: b}]}]\n", "value", "expr"),
    ] {
        house.write(file, text);
        let status = house
            .until(reason, |status| {
                status.state == Phase::Rejected
                    && status.problems.iter().any(|problem| problem.reason == reason)
            })
            .await;
        let problem = status.problems.iter().find(|problem| problem.reason == reason).unwrap();
        assert!(problem.message.contains(says), "{text:?}: {}", problem.message);
        assert!(problem.file.as_ref().unwrap().ends_with(file), "{text:?}: {:?}", problem.file);
        assert_eq!(house.read("out/prometheus.yml"), GOOD, "{text:?}");
        assert!(!exists(&house.path("out/rules/bad.yml")), "{text:?}");
        assert!(house.probe.is_ready(), "a bad edit takes nothing out of service");
        if file == "in/rules/bad.yml" {
            std::fs::remove_file(house.path(file)).unwrap();
        } else {
            house.write(file, GOOD);
        }
        house.until_in(Phase::Confirmed).await;
    }
    assert_eq!(peer.loaded(), GOOD);
    assert_eq!(peer.counts().1, 0, "Prometheus never saw a bad one");
}

#[tokio::test]
async fn a_refused_version_is_put_back_and_loaded_again() {
    let mut house = House::new();
    let peer = Peer::start(&house.output()).await;
    house.start(&peer);
    house.until_generation(1).await;
    house.write("in/prometheus.yml", REFUSED);
    let status = house.until_in(Phase::Refused).await;
    assert!(
        status.problems[0].message.contains("Prometheus refused the files: failed to reload"),
        "{status:?}"
    );
    assert_eq!(house.read("out/prometheus.yml"), GOOD);
    assert_eq!((peer.loaded().as_str(), peer.successful()), (GOOD, true));
    assert_eq!(peer.counts(), (2, 1), "loaded, refused, loaded again");
    // Another change is tried at once; the refused one is left alone.
    house.write("in/prometheus.yml", BETTER);
    house.until_generation(2).await;
    assert_eq!(peer.loaded(), BETTER);
    assert_eq!(house.read("out/prometheus.yml"), BETTER);
}

#[tokio::test]
async fn while_prometheus_is_away_the_last_good_files_are_there_for_its_start() {
    let mut house = House::new();
    let mut peer = Peer::start(&house.output()).await;
    house.start(&peer);
    house.until_generation(1).await;
    peer.down();
    house.write("in/prometheus.yml", BETTER);
    house.until_in(Phase::Held).await;
    assert_eq!(house.read("out/prometheus.yml"), GOOD);
    peer.up().await;
    house.until_generation(2).await;
    assert_eq!(peer.loaded(), BETTER);
    assert_eq!(peer.seen().last().map(String::as_str), Some(BETTER));
}

#[tokio::test]
async fn a_prometheus_that_reads_its_data_is_left_alone() {
    let mut house = House::new();
    let peer = Peer::start(&house.output()).await;
    peer.set_starting(true);
    house.start(&peer);
    let status = house.until_in(Phase::Waiting).await;
    assert!(status.problems[0].message.starts_with("Prometheus is not ready yet"), "{status:?}");
    assert_eq!((house.read("out/prometheus.yml").as_str(), peer.counts()), (GOOD, (0, 0)));
    peer.set_starting(false);
    house.until_generation(1).await;
    // After a restart of Prometheus, the good files stay until it serves.
    peer.set_starting(true);
    house.write("in/prometheus.yml", BETTER);
    house.until_in(Phase::Held).await;
    assert_eq!((house.read("out/prometheus.yml").as_str(), peer.counts()), (GOOD, (1, 0)));
    peer.set_starting(false);
    house.until_generation(2).await;
    assert_eq!(peer.loaded(), BETTER);
}

#[tokio::test]
async fn a_start_after_a_crash_in_the_middle_begins_with_the_good_files() {
    let mut house = House::new();
    let mut peer = Peer::start(&house.output()).await;
    house.start(&peer);
    house.until_generation(1).await;
    house.stop.cancel();
    // Written, but never confirmed: what a reloader leaves that is killed before the answer comes.
    peer.down();
    house.write("out/prometheus.yml", REFUSED);
    house.write("in/prometheus.yml", REFUSED);
    house.stop = CancellationToken::new();
    house.start(&peer);
    house.until_in(Phase::Held).await;
    assert_eq!(house.read("out/prometheus.yml"), GOOD);
    peer.up().await;
    house.until_in(Phase::Refused).await;
    assert_eq!((peer.loaded().as_str(), house.read("out/prometheus.yml").as_str()), (GOOD, GOOD));
}

#[tokio::test]
async fn before_the_first_start_the_files_are_written_without_asking() {
    let house = House::new();
    let mut peer = Peer::start(&house.output()).await;
    peer.down();
    house.reloader(&peer, Arc::new(RealDisk), settings(house.folder.path())).once().await.unwrap();
    assert_eq!(house.read("out/prometheus.yml"), GOOD);

    let bad = House::new();
    bad.write("in/prometheus.yml", "global: {scrape_interval: $(NOT_SET)}\n");
    let once = bad.reloader(&peer, Arc::new(RealDisk), settings(bad.folder.path())).once().await;
    let error = once.unwrap_err().to_string();
    assert!(error.contains("in/prometheus.yml:1:27: $(NOT_SET) names a variable that is not set"), "{error}");
    assert!(!exists(&bad.output()));
}

#[tokio::test]
async fn a_single_run_with_bad_inputs_leaves_what_was_loaded_before() {
    let mut house = House::new();
    let peer = Peer::start(&house.output()).await;
    house.start(&peer);
    house.until_generation(1).await;
    house.stop.cancel();
    house.write("in/prometheus.yml", "global: [\n");
    house.write("out/prometheus.yml", BETTER);
    house.reloader(&peer, Arc::new(RealDisk), settings(house.folder.path())).once().await.unwrap();
    assert_eq!(house.read("out/prometheus.yml"), GOOD);
}

#[tokio::test]
async fn what_somebody_else_made_prometheus_load_is_noticed() {
    let mut house = House::new();
    let peer = Peer::start(&house.output()).await;
    let mut settings = settings(house.folder.path());
    settings.watch_interval = Duration::from_millis(100);
    house.start_with(&peer, Arc::new(RealDisk), settings);
    house.until_generation(1).await;
    peer.somebody_else_loads("global: {scrape_interval: 1m}\n");
    house.until_generation(2).await;
    assert_eq!(peer.loaded(), GOOD);
    // An output that was edited is written again.
    house.write("out/prometheus.yml", "edited\n");
    house.until_generation(3).await;
    assert_eq!(house.read("out/prometheus.yml"), GOOD);
}

#[tokio::test]
async fn a_full_disk_is_told_and_ends_by_itself() {
    let mut house = House::new();
    let peer = Peer::start(&house.output()).await;
    let disk = Arc::new(FaultyDisk::new(Fault::Once, 0));
    house.start_with(&peer, disk.clone(), settings(house.folder.path()));
    house.until_generation(1).await;
    disk.arm();
    house.write("in/prometheus.yml", BETTER);
    let status = house
        .until("failed and then confirmed", |status| status.state == Phase::Failed || status.generation == 2);
    let status = status.await;
    if status.state == Phase::Failed {
        assert!(status.problems[0].message.contains("make room there"), "{status:?}");
    }
    house.until_generation(2).await;
    assert!(disk.changes() > 1);
    assert_eq!(peer.loaded(), BETTER);
}

#[tokio::test]
async fn secrets_in_variables_are_not_told() {
    let mut house = House::new();
    let peer = Peer::start(&house.output()).await;
    std::fs::create_dir_all(house.path("secret")).unwrap();
    house.write("secret/TOKEN", "hunter2-canary\n");
    let mut settings = settings(house.folder.path());
    settings.environment_dirs = vec![house.path("secret")];
    house.start_with(&peer, Arc::new(RealDisk), settings);
    house.until_generation(1).await;
    // A secret in the wrong place: Prometheus' message would show it.
    house.write("in/prometheus.yml", "global: {scrape_interval: $(TOKEN)}\n");
    let status = house.until_in(Phase::Rejected).await;
    let told = serde_json::to_string(&status).unwrap();
    assert!(!told.contains("hunter2"), "{told}");
    assert!(told.contains("$(TOKEN)"), "{told}");
    // A variable that changes is noticed like a file that changes.
    house.write("in/prometheus.yml", "global: {external_labels: {a: $(TOKEN)}}\n");
    house.until_generation(2).await;
    house.write("secret/TOKEN", "another");
    house.until_generation(3).await;
    assert_eq!(peer.loaded(), "global: {external_labels: {a: another}}\n");
}
