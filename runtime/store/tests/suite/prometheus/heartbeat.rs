//! What is asked of Prometheus at the start and afterwards, and what follows for readiness.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use block::filter::TimeBound;
use prom_model::{ManualClock, TimestampMs};
use prometheus_client::registry::Registry;
use serde_json::json;
use server::probe::Probe;
use store::prometheus::{Heartbeat, HeartbeatSettings, Peer, UploadChecks};
use tokio_util::sync::CancellationToken;

use super::fake::{Answer, Asked, Fake, Handler};
use super::{client_of, labels};

/// A Prometheus that can be switched off and given other external labels.
#[derive(Clone, Default)]
struct Play {
    down: Arc<AtomicBool>,
    yaml: Arc<Mutex<String>>,
    max_block: Arc<Mutex<String>>,
}

impl Play {
    fn new(yaml: &str) -> Self {
        let play = Play::default();
        *play.yaml.lock().expect("free") = yaml.to_owned();
        *play.max_block.lock().expect("free") = "2h".to_owned();
        play
    }

    fn handler(&self) -> Handler {
        let play = self.clone();
        Arc::new(move |asked: &Asked| {
            if play.down.load(Ordering::Relaxed) {
                return Answer::json(503, "Service Unavailable");
            }
            match asked.path.as_str() {
                "/api/v1/status/flags" => Answer::data(json!({
                    "storage.tsdb.min-block-duration": "2h",
                    "storage.tsdb.max-block-duration": *play.max_block.lock().expect("free"),
                    "web.enable-lifecycle": "true",
                })),
                "/api/v1/status/buildinfo" => Answer::data(json!({"version": "2.42.0"})),
                "/api/v1/status/config" => Answer::data(json!({"yaml": *play.yaml.lock().expect("free")})),
                "/metrics" => {
                    Answer::json(200, "# TYPE x gauge\nprometheus_tsdb_lowest_timestamp_seconds 1000.5\n")
                }
                _ => Answer::json(404, "{}"),
            }
        })
    }
}

struct Beating {
    heartbeat: Arc<Heartbeat>,
    peer: Peer,
    probe: Probe,
    stop: CancellationToken,
}

fn beating(fake: &Fake, min_time: &str, checks: bool) -> Beating {
    let (peer, probe) = (Peer::new(0), Probe::new());
    let settings = HeartbeatSettings {
        interval: Duration::from_millis(5),
        timeout: Duration::from_secs(5),
        min_time: min_time.parse::<TimeBound>().expect("a time"),
        checks: checks
            .then(|| UploadChecks { state_file: PathBuf::from("data/x"), ignore_block_size: false }),
    };
    let clock = Arc::new(ManualClock::new(TimestampMs::from_millis(10_000_000)));
    let registry = &mut Registry::default();
    let heartbeat = Heartbeat::new(client_of(fake), peer.clone(), probe.clone(), clock, settings, registry);
    Beating { heartbeat: Arc::new(heartbeat), peer, probe, stop: CancellationToken::new() }
}

async fn until(what: &str, right: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if right() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what}: not within ten seconds");
}

#[tokio::test]
async fn a_prometheus_is_waited_for_in_the_order_of_the_original_and_followed_afterwards() {
    let play = Play::new("global:\n  external_labels:\n    replica: a\n");
    play.down.store(true, Ordering::Relaxed);
    *play.max_block.lock().expect("free") = "36h".to_owned();
    let fake = Fake::start(play.handler()).await;
    let Beating { heartbeat, peer, probe, stop } = beating(&fake, "0000-01-01T00:00:00Z", true);
    let task = {
        let stop = stop.clone();
        tokio::spawn(async move {
            assert!(heartbeat.start(&stop).await.expect("it has labels"));
            heartbeat.run(&stop).await;
        })
    };
    until("it asks again and again", || fake.asked().len() >= 3).await;
    assert!(fake.asked().iter().all(|asked| asked.path == "/api/v1/status/flags"));
    play.down.store(false, Ordering::Relaxed);
    let before = fake.asked().len();
    until("unequal blocks are waited out", || fake.asked().len() >= before + 3).await;
    assert!(!probe.is_ready() && peer.labels().is_empty());
    *play.max_block.lock().expect("free") = "2h".to_owned();
    until("it is ready", || probe.is_ready()).await;
    let paths: Vec<String> = fake.asked().into_iter().map(|asked| asked.path).collect();
    let first = |path: &str| paths.iter().position(|asked| asked == path).expect("it was asked");
    assert!(first("/api/v1/status/buildinfo") < first("/metrics"));
    assert!(first("/metrics") < first("/api/v1/status/config"));
    assert_eq!(*peer.labels(), labels(&[("replica", "a")]));
    assert_eq!(peer.min_time(), 1_000_500);

    *play.yaml.lock().expect("free") = "global:\n  external_labels:\n    replica: b\n".to_owned();
    until("new labels are seen", || *peer.labels() == labels(&[("replica", "b")])).await;
    play.down.store(true, Ordering::Relaxed);
    until("it is not ready while Prometheus is down", || !probe.is_ready()).await;
    assert_eq!(*peer.labels(), labels(&[("replica", "b")]), "what is known stays known");
    play.down.store(false, Ordering::Relaxed);
    until("it is ready again", || probe.is_ready()).await;
    stop.cancel();
    task.await.expect("it stops");
}

#[tokio::test]
async fn without_external_labels_it_does_not_start() {
    let play = Play::new("global:\n  scrape_interval: 15s\n");
    let fake = Fake::start(play.handler()).await;
    let Beating { heartbeat, probe, stop, .. } = beating(&fake, "0000-01-01T00:00:00Z", false);
    let error = heartbeat.start(&stop).await.expect_err("nobody could tell whose series these are");
    assert!(
        error.to_string().starts_with("no external labels configured on Prometheus server, uniquely"),
        "{error}"
    );
    assert!(!probe.is_ready());
    assert!(fake.asked().iter().all(|asked| asked.path != "/api/v1/status/flags"), "nothing is shipped");
}

#[tokio::test]
async fn a_bound_of_time_moves_with_the_clock() {
    let play = Play::new("global:\n  external_labels: {replica: a}\n");
    let fake = Fake::start(play.handler()).await;
    let Beating { heartbeat, peer, stop, .. } = beating(&fake, "-1h", false);
    assert!(heartbeat.start(&stop).await.expect("it has labels"));
    assert_eq!(peer.min_time(), 10_000_000 - 3_600_000);
    stop.cancel();
    assert!(!heartbeat.start(&stop).await.expect("it was stopped"));
}
