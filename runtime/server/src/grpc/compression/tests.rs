//! Bodies as Go's peers send them, and as ours.
#![expect(clippy::disallowed_methods, reason = "the recordings are where the environment says")]

use std::io::Write as _;
use std::path::Path;

use http_body_util::{BodyExt, StreamBody};

use super::*;

/// A body in pieces of this size.
fn body(bytes: &[u8], step: usize) -> Body {
    let pieces: Vec<_> =
        bytes.chunks(step).map(|piece| Ok::<_, Status>(Frame::data(Bytes::copy_from_slice(piece)))).collect();
    Body::new(StreamBody::new(futures::stream::iter(pieces)))
}

async fn all(body: Body) -> Result<Vec<u8>, Status> {
    Ok(body.collect().await?.to_bytes().to_vec())
}

fn framed(messages: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        prefix(false, message.len(), &mut bytes).unwrap();
        bytes.extend_from_slice(message);
    }
    bytes
}

#[tokio::test]
async fn recorded_requests_of_routers_are_unpacked() {
    let Some(folder) = std::env::var_os("PRONOIA_SHARED") else {
        let _ = writeln!(std::io::stderr(), "PRONOIA_SHARED is not set: no recording was compared");
        return;
    };
    let folder = Path::new(&folder).join("fixtures/wire/grpc-http2/router-to-ingestor");
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let headers = std::fs::read_to_string(path.join("request.json")).unwrap();
        let wire = std::fs::read(path.join("request.data")).unwrap();
        let plain = framed(&[&std::fs::read(path.join("request.pb")).unwrap()]);
        if !headers.contains("\"grpc-encoding\"") {
            assert_eq!(wire, plain, "{}", path.display());
            continue;
        }
        for step in [1, 7, wire.len()] {
            let unpacked = all(Unpacked::wrap(body(&wire, step), Encoding::Snappy, 1 << 20)).await.unwrap();
            assert_eq!(unpacked, plain, "{} in pieces of {step}", path.display());
        }
        let packed = all(Packed::wrap(body(&plain, 11), Encoding::Snappy)).await.unwrap();
        assert_eq!(all(Unpacked::wrap(body(&packed, 13), Encoding::Snappy, 1 << 20)).await.unwrap(), plain);
        // The answer is empty, and an empty message is never packed.
        let answer = std::fs::read(path.join("response.data")).unwrap();
        assert_eq!(all(Packed::wrap(body(&answer, 1), Encoding::Snappy)).await.unwrap(), answer);
        compared += 1;
    }
    assert!(compared >= 30, "{compared} recordings with snappy");
}

#[tokio::test]
async fn messages_survive_both_ways_however_they_are_cut() {
    let large = vec![b'x'; 200_000];
    let plain = framed(&[b"", b"one", &large, b"", b"two"]);
    for encoding in [Encoding::Snappy, Encoding::Gzip] {
        for step in [1000, 4096, plain.len()] {
            let packed = all(Packed::wrap(body(&plain, step), encoding)).await.unwrap();
            assert!(packed.len() < 30_000);
            assert_eq!(all(Unpacked::wrap(body(&packed, step), encoding, 1 << 20)).await.unwrap(), plain);
        }
    }
}

#[tokio::test]
async fn what_cannot_be_unpacked_has_the_code_of_go() {
    let packed = |message: &[u8], encoding| {
        let plain = framed(&[message]);
        async move { all(Packed::wrap(body(&plain, 1 << 20), encoding)).await.unwrap() }
    };
    for encoding in [Encoding::Snappy, Encoding::Gzip] {
        let bomb = packed(&vec![0; 10_000_000], encoding).await;
        let status = all(Unpacked::wrap(body(&bomb, 1 << 16), encoding, 1_000_000)).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        assert!(status.message().starts_with("grpc: received message after decompression larger than max ("));
        let mut damaged = packed(b"some words, some words, some words", encoding).await;
        let middle = damaged.len() - 4;
        damaged[middle] ^= 0xff;
        let status = all(Unpacked::wrap(body(&damaged, 5), encoding, 1000)).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Internal);
        let says = "grpc: failed to decompress the received message: ";
        assert!(status.message().starts_with(says), "{}", status.message());
        let short = &damaged[..damaged.len() - 1];
        let status = all(Unpacked::wrap(body(short, 5), encoding, 1000)).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (tonic::Code::Internal, "unexpected EOF"));
    }
    let mut headers = HeaderMap::new();
    headers.insert(ENCODING, HeaderValue::from_static("zstd"));
    let status = Encoding::take(&mut headers).unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unimplemented);
    assert_eq!(status.message(), "grpc: Decompressor is not installed for grpc-encoding \"zstd\"");
}
