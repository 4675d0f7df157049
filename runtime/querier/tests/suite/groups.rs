//! Several servers behind one name, and channels as the configuration says.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use querier::discovery::{ClientConfig, EndpointConfig, EndpointSpec, Lookup, LookupError, Service};
use querier::endpoints::{Connect, GrpcConnect};
use store::Channel;
use store::acceptance::Dataset;
use storeapi::thanos::rules_client::RulesClient;
use storeapi::thanos::{RulesRequest, rules_response};

use super::fleet::Node;

/// SRV records of these ports.
#[derive(Debug)]
struct Ports(Vec<u16>);

#[async_trait]
impl Lookup for Ports {
    async fn addresses(&self, _: &str, _: bool) -> Result<Vec<IpAddr>, LookupError> {
        Ok(vec![IpAddr::from([127, 0, 0, 1])])
    }

    async fn services(&self, _: &str) -> Result<Vec<Service>, LookupError> {
        let service = |port: &u16| Service { target: "node.".to_owned(), port: *port };
        Ok(self.0.iter().map(service).collect())
    }
}

/// Asks so often, and counts who answered.
async fn who_answers(channel: &Channel, calls: usize) -> BTreeMap<String, usize> {
    let mut answered = BTreeMap::new();
    for _ in 0..calls {
        let stream = RulesClient::new(channel.clone()).rules(RulesRequest::default()).await;
        let message = stream.expect("an answer").into_inner().message().await.expect("a message");
        let Some(rules_response::Result::Group(group)) = message.and_then(|message| message.result) else {
            panic!("a group of rules")
        };
        *answered.entry(group.name).or_default() += 1;
    }
    answered
}

#[tokio::test]
async fn the_servers_of_a_group_take_turns_and_stand_in_for_each_other() {
    let nodes = ["one", "two"].map(|name| Node::start(Dataset::one(), name));
    let ports = nodes.iter().map(|node| node.address.port()).collect();
    let connect = GrpcConnect::new(ClientConfig::default(), None, Arc::new(Ports(ports)));
    let spec = EndpointSpec::fixed("thanos:///dnssrv+_grpc._tcp.node");
    let channel = connect.connect(&spec).expect("a channel");
    let both = [("one".to_owned(), 3), ("two".to_owned(), 3)];
    assert_eq!(who_answers(&channel, 6).await, BTreeMap::from(both));
    let [one, _two] = nodes;
    one.stop().await;
    assert_eq!(who_answers(&channel, 6).await, BTreeMap::from([("two".to_owned(), 6)]));
}

#[test]
fn wrong_files_are_told_at_the_start_with_their_endpoint() {
    let lookup: Arc<dyn Lookup> = Arc::new(Ports(Vec::new()));
    let text =
        "endpoints: [{address: 'a:1'}, {address: 'b:1', client_config: {tls_config: {ca_file: /no/ca.pem}}}]";
    let config = EndpointConfig::parse(text).expect("a configuration");
    let connect = GrpcConnect::new(ClientConfig::default(), None, Arc::clone(&lookup));
    let missing = "cannot read CA /no/ca.pem: No such file or directory (os error 2)";
    assert_eq!(connect.check(&config), Err(format!("endpoint.sd-config: endpoint b:1: {missing}")));
    let of_flags = config.endpoints[1].client_config.clone();
    let connect = GrpcConnect::new(of_flags, None, lookup);
    assert_eq!(connect.check(&EndpointConfig::default()), Err(format!("gRPC client: {missing}")));
}
