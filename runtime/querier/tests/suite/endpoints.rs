//! Endpoints that come, go, and are missed.

use std::collections::BTreeMap;
use std::sync::Arc;

use querier::discovery::{Configured, EndpointSpec, Resolution};
use store::acceptance::Dataset;
use store::{Access, Members};

use super::fleet::{Fleet, NAME, Node};

/// Addresses that can be asked, and addresses that cannot with the reason.
fn members(fleet: &Fleet) -> (Vec<String>, Vec<(String, String)>) {
    let (mut open, mut away) = (Vec::new(), Vec::new());
    for member in fleet.set.members() {
        let address = member.address.expect("remote");
        match member.access {
            Access::Open(_) => open.push(address),
            Access::Away(why) => away.push((address, why.to_string())),
        }
    }
    (open, away)
}

fn other() -> Dataset {
    let mut data = Dataset::one();
    for (_, value) in data.parts.iter_mut().flat_map(|part| &mut part.external) {
        value.push('x');
    }
    data
}

#[tokio::test]
async fn an_endpoint_that_dns_drops_is_missed_for_five_minutes() {
    let (one, two) = (Node::start(Dataset::one(), ""), Node::start(other(), ""));
    let fleet = Fleet::new();
    fleet.resolve(&[one.address, two.address]);
    fleet.set.update().await;
    assert_eq!(members(&fleet).0.len(), 2);
    fleet.resolve(&[one.address]);
    fleet.set.update().await;
    let reason = format!("the address is no longer among those of {NAME}");
    let missed = (vec![one.address.to_string()], vec![(two.address.to_string(), reason)]);
    assert_eq!(members(&fleet), missed);
    fleet.clock.advance_ms(299_000);
    fleet.set.update().await;
    assert_eq!(members(&fleet), missed);
    fleet.clock.advance_ms(1_000);
    fleet.set.update().await;
    assert_eq!(members(&fleet), (vec![one.address.to_string()], Vec::new()));
    // It comes back as if it had never been away.
    fleet.resolve(&[one.address, two.address]);
    fleet.set.update().await;
    assert_eq!(members(&fleet).0.len(), 2);
}

#[tokio::test]
async fn an_endpoint_with_the_same_labels_takes_the_place_of_one_that_dns_drops() {
    let old = Node::start(Dataset::one(), "");
    let fleet = Fleet::new();
    fleet.resolve(&[old.address]);
    fleet.set.update().await;
    fleet.clock.advance_ms(60_000);
    let new = Node::start(Dataset::one(), "");
    fleet.resolve(&[new.address]);
    fleet.set.update().await;
    assert_eq!(members(&fleet), (vec![new.address.to_string()], Vec::new()));
}

#[tokio::test]
async fn an_endpoint_that_dns_names_is_missed_for_as_long_as_it_is_down() {
    let node = Node::start(Dataset::one(), "");
    let address = node.address;
    let fleet = Fleet::new();
    fleet.resolve(&[address]);
    fleet.set.update().await;
    node.stop().await;
    for _ in 0..3 {
        fleet.set.update().await;
        let (open, away) = members(&fleet);
        assert!(open.is_empty() && away.len() == 1, "{open:?} {away:?}");
        assert!(
            away[0].1.starts_with("the endpoint is unhealthy: rpc error: code = Unavailable"),
            "{away:?}"
        );
        // Longer than any timeout.
        fleet.clock.advance_ms(3_600_000);
    }
    let _again = Node::start_at(address, Dataset::one(), "");
    fleet.set.update().await;
    assert_eq!(members(&fleet), (vec![address.to_string()], Vec::new()));
}

#[tokio::test]
async fn what_was_never_reached_is_missed_everywhere_and_strict_ones_are_asked_all_the_same() {
    let node = Node::start(Dataset::one(), "");
    let address = node.address.to_string();
    node.stop().await;
    let fleet = Fleet::new();
    let fixed = |strict| Configured {
        endpoints: vec![EndpointSpec { strict, ..EndpointSpec::fixed(address.clone()) }],
        names: BTreeMap::new(),
    };
    fleet.configure(fixed(false));
    fleet.set.update().await;
    let members_now = fleet.set.members();
    assert_eq!((members_now[0].about.min_time, members_now[0].about.max_time), (i64::MIN, i64::MAX));
    let (_, away) = members(&fleet);
    assert!(
        away[0].1.starts_with("the endpoint was never reached: rpc error: code = Unavailable"),
        "{away:?}"
    );
    let status = &fleet.set.statuses()[0];
    assert_eq!((status.component.as_str(), status.last_check), ("unknown-store-api", None));
    assert!(status.last_error.as_ref().is_some_and(|why| why.contains("Unavailable")), "{status:?}");
    fleet.configure(fixed(true));
    fleet.set.update().await;
    assert_eq!(members(&fleet), (vec![address], Vec::new()));
    // Taken out of the configuration: nobody misses it.
    fleet.configure(Configured::default());
    fleet.set.update().await;
    assert_eq!(members(&fleet), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_name_without_addresses_is_missed_until_dns_has_said_so_for_five_minutes() {
    let fleet = Fleet::new();
    fleet.resolve(&[]);
    fleet.set.update().await;
    let missing = vec![(NAME.to_owned(), format!("{NAME} has no address in DNS"))];
    assert_eq!(members(&fleet), (Vec::new(), missing));
    fleet.clock.advance_ms(300_000);
    fleet.set.update().await;
    assert_eq!(members(&fleet), (Vec::new(), Vec::new()));
    // That DNS does not answer never becomes normal.
    let failing = Resolution::Failing("server failure".to_owned());
    fleet
        .configure(Configured { endpoints: Vec::new(), names: BTreeMap::from([(NAME.to_owned(), failing)]) });
    for _ in 0..2 {
        fleet.clock.advance_ms(3_600_000);
        fleet.set.update().await;
        let failing = vec![(NAME.to_owned(), format!("{NAME} cannot be resolved: server failure"))];
        assert_eq!(members(&fleet), (Vec::new(), failing));
    }
}

#[tokio::test]
async fn the_set_tells_what_each_endpoint_said_and_when() {
    let node = Node::start(Dataset::one(), "");
    let fleet = Fleet::new();
    fleet.resolve(&[node.address]);
    let waiting = {
        let set = Arc::clone(&fleet.set);
        tokio::spawn(async move { set.first_update().await })
    };
    assert!(!waiting.is_finished());
    fleet.set.update().await;
    waiting.await.expect("the first round is over");
    let status = &fleet.set.statuses()[0];
    assert_eq!(status.name, node.address.to_string());
    assert_eq!((status.component.as_str(), &status.last_error), ("sidecar", &None));
    assert_eq!(status.last_check.map(|time| time.as_millis()), Some(1_700_000_000_000));
    let sets: Vec<String> = status.label_sets.iter().map(ToString::to_string).collect();
    assert_eq!(sets, [r#"{cluster="eu", replica="a"}"#]);
    assert_eq!(status.min_time, store::acceptance::START);
}
