//! Bytes that no client sends, at the gRPC server: it stays up, panics nowhere and answers the next call.

use std::time::Duration;

use server::grpc::GrpcSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::grpc_calls::Running;
use super::ticker;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Numbers that look random and are the same in each run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

#[tokio::test]
async fn bytes_that_are_no_http2_are_survived() {
    let running = Running::start(GrpcSettings::default()).await;
    let mut noise = Noise(42);
    for round in 0..200 {
        let mut stream = TcpStream::connect(&running.address).await.unwrap();
        let mut bytes = if round % 2 == 0 { PREFACE.to_vec() } else { Vec::new() };
        if round % 4 == 0 {
            // Empty settings, as a client begins.
            bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
        }
        let length = usize::try_from(noise.next() % 500).unwrap();
        bytes.extend(noise.bytes(length));
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    }
    assert_eq!(running.repeat("a").await, ticker::TIMES);
}

#[tokio::test]
async fn messages_that_are_none_are_refused_with_a_status() {
    let running = Running::start(GrpcSettings::default()).await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let url = format!("http://{}{}", running.address, ticker::PATH);
    let mut noise = Noise(7);
    for round in 0..300_u32 {
        let length = usize::try_from(noise.next() % 300).unwrap();
        let message = noise.bytes(length);
        let mut body = vec![u8::from(round % 3 != 0)];
        // Some state another length.
        let stated = if round % 5 == 0 {
            u32::try_from(noise.next() >> 32).unwrap()
        } else {
            u32::try_from(length).unwrap()
        };
        body.extend(stated.to_be_bytes());
        body.extend(message);
        let encoding = ["snappy", "gzip", "identity", "zstd"][usize::try_from(round % 4).unwrap()];
        let request = client.post(&url).header("content-type", "application/grpc").header("te", "trailers");
        let answer = request.header("grpc-encoding", encoding).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "gRPC fails inside of HTTP's success");
        let _ = answer.bytes().await;
    }
    assert_eq!(running.repeat("a").await, ticker::TIMES);
    assert!(running.text().contains("grpc_req_panics_recovered_total 0\n"));
}
