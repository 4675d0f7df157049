//! The contract over the protocol of S3: a server in this process, and moto as a second opinion.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use objstore::acceptance::{cases, run};
use objstore::{BucketConfig, BucketRef, Surroundings};
use prom_model::SystemClock;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::contract::assert_kept;

/// A server of the protocol that stores into a folder; ends with the test.
pub(super) struct InProcess {
    pub(super) address: SocketAddr,
    pub(super) folder: TempDir,
}

impl InProcess {
    pub(super) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let mut service =
            s3s::service::S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        service.set_auth(s3s::auth::SimpleAuth::from_single("AKEY", "s3cr3t"));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = service.clone();
                tokio::spawn(async move {
                    let stream = hyper_util::rt::TokioIo::new(stream);
                    let _ =
                        hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await;
                });
            }
        });
        Self { address, folder }
    }

    pub(super) fn bucket(&self, name: &str, more: &str) -> BucketRef {
        std::fs::create_dir_all(self.folder.path().join(name)).unwrap();
        connect(self.address, name, more)
    }
}

pub(super) fn connect(address: SocketAddr, name: &str, more: &str) -> BucketRef {
    let or =
        |key: &str, value: &str| if more.contains(key) { String::new() } else { format!("{key}: {value}, ") };
    let keys = or("access_key", "AKEY") + &or("secret_key", "s3cr3t");
    let config = format!(
        "type: S3\nconfig: {{endpoint: '{address}', insecure: true, bucket: {name}, {keys}part_size: 5242880, {more}}}"
    );
    let surroundings =
        Surroundings { environment: &|_| None, clock: Arc::new(SystemClock), seed: 1, metrics: None };
    BucketConfig::parse(&config, &|_| None).unwrap().connect(&surroundings).unwrap()
}

/// The name of a bucket for a case: no underscores, not too long.
/// A client of our own; TLS has to be chosen first, for this process.
fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

fn bucket_name(case: &str) -> String {
    case.replace('_', "-").chars().take(60).collect()
}

/// What the server cannot do, because its objects are files: it answers 500 to a read or a delete of a folder's name, and to
/// names longer than a file's; and it looks whether an object is there before it writes, not while. Moto keeps these cases.
const NOT_BY_FILES: [&str; 4] = [
    "long_names",
    "a_folder_is_not_an_object",
    "deleting_a_folder_removes_nothing",
    "one_of_many_creators_wins",
];

#[tokio::test]
async fn over_a_server_in_this_process() {
    let server = InProcess::start().await;
    let some = cases().filter(|case| !NOT_BY_FILES.contains(&case.name));
    let bucket = |case| {
        let bucket = server.bucket(&bucket_name(case), "");
        async { bucket }
    };
    assert_kept("s3s-fs", run(some, bucket).await);
}

/// A moto server; ends with the test.
struct Moto {
    child: Child,
    address: SocketAddr,
}

impl Moto {
    /// `None` where it is not installed, and nobody has promised that it is.
    fn start() -> Option<Self> {
        let child = Command::new("moto_server")
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) if std::env::var_os("CI").is_none() => {
                eprintln!(
                    "LEFT OUT: moto_server cannot be started ({error}); it is in tests/oracles/requirements.txt"
                );
                return None;
            }
            Err(error) => panic!("moto_server cannot be started: {error}"),
        };
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .find_map(|line| line.unwrap().split_once("http://").map(|(_, address)| address.trim().parse()))
            .expect("moto says where it listens")
            .unwrap();
        // What it says of every request goes nowhere; a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, address })
    }

    async fn bucket(&self, name: String) -> BucketRef {
        let made = client().put(format!("http://{}/{name}", self.address)).send().await.unwrap();
        assert!(made.status().is_success(), "{made:?}");
        connect(self.address, &name, "")
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn over_moto() {
    let Some(moto) = Moto::start() else { return };
    assert_kept("moto", run(cases(), |case| moto.bucket(bucket_name(case))).await);
}
