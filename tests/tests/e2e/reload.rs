//! The reloader beside a real Prometheus: every change arrives, no bad one does, and a restart always comes up.
#![expect(clippy::print_stderr, reason = "runs by hand print their figures")]

mod mutate;
mod mutations;

use std::fs;
use std::time::Duration;

use tests::reload::{CONFIG, Pair, RULES};

/// A number from the environment, for longer runs by hand.
fn runs(variable: &str, usual: u32) -> u32 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn every_swap_is_loaded() {
    let mut pair = Pair::new(&[]);
    pair.once();
    pair.start_prometheus();
    pair.start_reloader();
    pair.until_in("confirmed");
    let mut longest = Duration::ZERO;
    let mut sum = Duration::ZERO;
    let swaps = runs("PRONOIA_SWAPS", 200);
    for number in 1..=swaps {
        let marker = (100_000 + number).to_string();
        match number % 4 {
            // ConfigMaps, as kubelet swaps them.
            0 => pair.swap("in/config", &[("prometheus.yml", &CONFIG.replace("GENERATION", &marker))]),
            1 | 2 => pair.swap("in/rules", &[("rules.yml", &RULES.replace("GENERATION", &marker))]),
            // An editor that writes in place.
            _ => fs::write(pair.path("in/rules/rules.yml"), RULES.replace("GENERATION", &marker)).unwrap(),
        }
        let took = pair.until_loaded(&marker);
        assert!(took < Duration::from_secs(2), "swap {number} took {took:?}\n{}", pair.logs());
        longest = longest.max(took);
        sum += took;
    }
    eprintln!("{swaps} swaps, 0 missed: mean {:?}, longest {longest:?}", sum / swaps);
    assert_eq!(pair.state(), "confirmed");
    let hidden = fs::read_dir(pair.path("out/rules")).unwrap().count();
    assert!(hidden <= 4, "generations pile up in the output: {hidden} entries");
}

/// A configuration with nothing wrong in its text: it names rules that the reloader knows nothing of, and those are bad.
fn refused(pair: &Pair, generation: &str) -> String {
    fs::create_dir_all(pair.path("out/extra")).unwrap();
    fs::write(pair.path("out/extra/bad.yml"), "groups: [{name: a, rules: [{record: b, expr: 'sum('}]}]\n")
        .unwrap();
    CONFIG.replace("GENERATION", generation).replace("[rules/*.yml]", "[rules/*.yml, extra/*.yml]")
}

#[test]
fn what_prometheus_alone_can_refuse_is_put_back() {
    let mut pair = Pair::new(&[]);
    pair.once();
    pair.start_prometheus();
    pair.start_reloader();
    pair.until_in("confirmed");
    let good = fs::read(pair.output()).unwrap();
    pair.swap("in/config", &[("prometheus.yml", &refused(&pair, "1"))]);
    pair.until_in("refused");
    let status = pair.status();
    let told = status["problems"][0]["message"].as_str().unwrap_or_default().to_owned();
    assert!(told.starts_with("Prometheus refused the files: "), "{status}");
    assert_eq!(fs::read(pair.output()).unwrap(), good);
    let metrics = pair.metrics();
    assert!(metrics.contains("thanos_sidecar_reloader_last_reload_successful 0\n"), "{metrics}");
    assert!(metrics.contains("pronoia_reloader_restores_total 1\n"), "{metrics}");
    assert!(pair.prometheus("/metrics").contains("prometheus_config_last_reload_successful 1\n"));
    pair.kill_prometheus();
    pair.start_prometheus();
    pair.swap("in/config", &[("prometheus.yml", &CONFIG.replace("GENERATION", "7654321"))]);
    pair.until_loaded("7654321");
}

#[test]
fn both_may_be_killed_at_any_moment() {
    let mut pair = Pair::new(&[]);
    pair.once();
    pair.start_prometheus();
    pair.start_reloader();
    pair.until_in("confirmed");
    for number in 1..=runs("PRONOIA_KILLS", 12) {
        let marker = format!("8{number:06}");
        let text = match number % 3 {
            0 => refused(&pair, &marker),
            _ => CONFIG.replace("GENERATION", &marker),
        };
        pair.swap("in/config", &[("prometheus.yml", &text)]);
        pair.swap(
            "in/rules",
            &[("rules.yml", &RULES.replace("GENERATION", &marker)), ("new.yml", "groups: []\n")],
        );
        std::thread::sleep(Duration::from_millis(u64::from(number * 37 % 120)));
        pair.kill_reloader();
        pair.kill_prometheus();
        // A reloader that comes back looks after what it left; Prometheus starts beside it.
        pair.start_reloader();
        pair.until("a first look", |pair| pair.status()["looks"].as_u64() > Some(0));
        pair.start_prometheus();
        pair.until("an end", |pair| ["confirmed", "refused"].contains(&pair.state().as_str()));
        assert_eq!(pair.state() == "confirmed", number % 3 != 0, "{}\n{}", pair.status(), pair.logs());
    }
}

#[test]
fn a_signal_reloads_as_well() {
    // A name that no other Prometheus on this machine has.
    let name = format!("prom{}", std::process::id());
    let mut pair = Pair::new(&["--reloader.method=signal", &format!("--reloader.process-name={name}")]);
    pair.rename_prometheus(&name);
    pair.once();
    pair.start_prometheus();
    pair.start_reloader();
    pair.until_in("confirmed");
    pair.swap("in/config", &[("prometheus.yml", &CONFIG.replace("GENERATION", "424242"))]);
    pair.until_loaded("424242");
    pair.until_in("confirmed");
    pair.swap("in/config", &[("prometheus.yml", &refused(&pair, "434343"))]);
    pair.until_in("refused");
    assert!(pair.prometheus("/api/v1/status/config").contains("424242"));
}
