//! Answers that no good server gives: cut, too long, late, impatient, with secrets in them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use objstore::config::Environment;
use objstore::layers::BucketMetrics;
use objstore::{BucketConfig, BucketError, BucketRef, Entry, Listing, Put, Surroundings, read_all};
use prom_model::SystemClock;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::s3::{InProcess, connect};

/// Requests as they came: the first line and headers.
type Requests = Arc<Mutex<Vec<String>>>;

/// A server that answers every request with the next of these texts, the last one for ever, and closes.
async fn answering(answers: Vec<String>) -> (SocketAddr, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Requests::default();
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        let mut number = 0;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = answers[number.min(answers.len() - 1)].clone();
            number += 1;
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut buffer = [0; 4096];
                while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                    match stream.read(&mut buffer).await {
                        Ok(0) | Err(_) => return,
                        Ok(read) => request.extend_from_slice(&buffer[..read]),
                    }
                }
                seen.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (address, requests)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nLast-Modified: Tue, 21 Oct 2025 07:28:00 GMT\r\nETag: \"x\"\r\n{headers}\
         Connection: close\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn bodies_of_another_length_are_never_data() {
    let cases = [
        // Cut off before its end, at several places.
        ("200 OK", "Content-Length: 10\r\n", ""),
        ("200 OK", "Content-Length: 10\r\n", "0"),
        ("200 OK", "Content-Length: 10\r\n", "012345678"),
        // Cut inside of a chunk.
        ("200 OK", "Transfer-Encoding: chunked\r\n", "a\r\n01234"),
        ("200 OK", "Content-Length: 10\r\nContent-Encoding: gzip\r\n", "01234"),
    ];
    for (status, headers, body) in cases {
        let (address, _) = answering(vec![answer(status, headers, body)]).await;
        let bucket = connect(address, "bucket", "max_retries: 1");
        let read = read_all(bucket.as_ref(), "a", 1 << 20).await;
        let error = read.expect_err(headers);
        let text = format!("{error:?}");
        assert!(error.is_transient() && !text.contains("Invalid last modified"), "{headers} {body}: {text}");
    }
    let ranges = [
        // Fewer bytes than the range, and another range than was asked for.
        ("206 Partial Content", "Content-Length: 4\r\nContent-Range: bytes 2-5/10\r\n", "23"),
        ("206 Partial Content", "Content-Length: 2\r\nContent-Range: bytes 2-3/10\r\n", "23"),
        ("206 Partial Content", "Content-Length: 4\r\nContent-Range: bytes 0-3/10\r\n", "0123"),
        ("206 Partial Content", "Content-Length: 5\r\nContent-Range: bytes 2-5/10\r\n", "23456"),
        ("206 Partial Content", "Content-Length: 3\r\nContent-Range: bytes 2-5/10\r\n", "234"),
        ("206 Partial Content", "Content-Length: 4\r\n", "2345"),
        ("200 OK", "Content-Length: 10\r\n", "0123456789"),
    ];
    for (status, headers, body) in ranges {
        let (address, _) = answering(vec![answer(status, headers, body)]).await;
        let bucket = connect(address, "bucket", "max_retries: 1");
        let read = bucket.get_range("a", 2, 4).await;
        let text = format!("{:?}", read.expect_err(headers));
        assert!(!text.contains("Invalid last modified"), "{status} {headers} {body}: {text}");
    }
}

#[tokio::test]
async fn a_body_that_is_cut_is_fetched_again() {
    let (address, _) = answering(vec![
        answer("200 OK", "Content-Length: 10\r\n", "01234"),
        answer("200 OK", "Content-Length: 10\r\n", ""),
        answer("206 Partial Content", "Content-Length: 5\r\nContent-Range: bytes 5-9/10\r\n", "56789"),
    ])
    .await;
    let bucket = connect(address, "bucket", "");
    assert_eq!(read_all(bucket.as_ref(), "a", 100).await.unwrap(), "0123456789");
}

#[tokio::test]
async fn retry_after_is_kept_to() {
    let (address, requests) = answering(vec![
        answer("503 Slow Down", "Retry-After: 1\r\nContent-Length: 0\r\n", ""),
        answer("404 Not Found", "Content-Length: 0\r\n", ""),
    ])
    .await;
    let before = tokio::time::Instant::now();
    assert!(!connect(address, "bucket", "").exists("a").await.unwrap());
    assert!(before.elapsed() >= Duration::from_secs(1), "{:?}", before.elapsed());
    assert_eq!(requests.lock().unwrap().len(), 2);

    let (address, _) =
        answering(vec![answer("429 Too Many", "Retry-After: 7\r\nContent-Length: 0\r\n", "")]).await;
    let error = connect(address, "bucket", "max_retries: 1").exists("a").await.unwrap_err();
    let wanted = Some(Duration::from_secs(7));
    assert!(
        matches!(error, BucketError::Throttled { retry_after, .. } if retry_after == wanted),
        "{error:?}"
    );
}

#[tokio::test]
async fn answers_become_the_right_errors() {
    let listing = "<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated>";
    for (status, body, kind) in [
        ("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>", "AccessDenied"),
        ("401 Unauthorized", "", "AccessDenied"),
        ("404 Not Found", "<Error><Code>NoSuchBucket</Code></Error>", "NoSuchBucket"),
        ("404 Not Found", "<Error><Code>NoSuchKey</Code></Error>", "NotFound"),
        ("400 Bad Request", "<Error><Code>AuthorizationHeaderMalformed</Code></Error>", "Refused"),
        ("301 Moved", "<Error><Code>PermanentRedirect</Code></Error>", "Refused"),
        ("500 Internal", "<Error><Code>InternalError</Code></Error>", "Unavailable"),
        ("503 Slow", "<Error><Code>SlowDown</Code></Error>", "Throttled"),
        ("408 Timeout", "", "Unavailable"),
    ] {
        let (address, _) =
            answering(vec![answer(status, &format!("Content-Length: {}\r\n", body.len()), body)]).await;
        let bucket = connect(address, "bucket", "max_retries: 1");
        let error = bucket.get("a").await.unwrap_err();
        assert!(format!("{error:?}").starts_with(kind), "{status}: {error:?}");
        let listed: Result<Vec<Entry>, _> = bucket.list("", Listing::Recursive).try_collect().await;
        assert!(listed.is_err(), "{status}: {listed:?}");
    }
    // A listing that ends in the middle is not a listing.
    let (address, _) =
        answering(vec![answer("200 OK", &format!("Content-Length: {}\r\n", listing.len()), listing)]).await;
    let bucket = connect(address, "bucket", "max_retries: 1");
    for listing in [Listing::Shallow, Listing::Recursive] {
        let listed: Result<Vec<Entry>, _> = bucket.list("", listing).try_collect().await;
        assert!(listed.is_err(), "{listed:?}");
    }
}

#[tokio::test]
async fn errors_show_no_secret_that_the_store_sends_back() {
    let body = "<Error><Code>SignatureDoesNotMatch</Code><StringToSign>s3cr3t and t0k3n-in-full</StringToSign></Error>";
    let (address, requests) =
        answering(vec![answer("403 Forbidden", &format!("Content-Length: {}\r\n", body.len()), body)]).await;
    let bucket = connect(address, "bucket", "session_token: t0k3n-in-full");
    let errors = [
        bucket.get("a").await.unwrap_err(),
        bucket.put("a", Arc::new(Bytes::from_static(b"x")), Put::Replace).await.unwrap_err(),
        bucket.delete("a").await.unwrap_err(),
        bucket.list("", Listing::Shallow).try_collect::<Vec<_>>().await.unwrap_err(),
    ];
    for error in errors {
        let text = format!("{error} {error:?}");
        assert!(!text.contains("s3cr3t") && !text.contains("t0k3n"), "{text}");
        assert!(text.contains("SignatureDoesNotMatch"), "{text}");
    }
    let shown = format!("{bucket:?} {}", bucket.name());
    assert!(!shown.contains("s3cr3t") && !shown.contains("t0k3n"), "{shown}");
    // The secret key itself is never sent.
    assert!(!requests.lock().unwrap().iter().any(|request| request.contains("s3cr3t")));
}

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_has_a_secret_even_at_its_most_talkative() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let busy = "<Error><Code>SlowDown</Code><Message>c4naryXX</Message></Error>";
    let (address, _) =
        answering(vec![answer("503 Slow", &format!("Content-Length: {}\r\n", busy.len()), busy)]).await;
    let configs = [
        format!(
            "type: S3\nconfig: {{endpoint: '{address}', insecure: true, bucket: b, access_key: a, secret_key: c4naryXX, \
             session_token: c4naryXX, max_retries: 2, trace: {{enable: true}}}}"
        ),
        format!(
            "type: AZURE\nconfig: {{storage_account: a, container: c, max_retries: 2, storage_connection_string: \
             'BlobEndpoint=http://{address};SharedAccessSignature=sv=1&sig=c4naryXX'}}"
        ),
        format!(
            "type: AZURE\nconfig: {{storage_account: a, container: c, max_retries: 2, storage_connection_string: \
             'BlobEndpoint=http://{address};AccountKey=c4naryXX'}}"
        ),
    ];
    for config in configs {
        let surroundings =
            Surroundings { environment: &|_| None, clock: Arc::new(SystemClock), seed: 1, metrics: None };
        let bucket = BucketConfig::parse(&config, &|_| None).unwrap().connect(&surroundings).unwrap();
        let errors = [
            bucket.get("a").await.unwrap_err(),
            bucket.put("a", Arc::new(Bytes::from_static(b"x")), Put::Replace).await.unwrap_err(),
            bucket.list("", Listing::Shallow).try_collect::<Vec<_>>().await.unwrap_err(),
        ];
        for error in errors {
            let text = format!("{error} {error:?} {bucket:?}");
            assert!(!text.contains("c4naryXX"), "{text}");
        }
    }
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(log.contains("is tried again") && log.contains("request to the bucket"), "{log}");
    let shown = log.lines().find(|line| line.contains("c4naryXX"));
    assert!(shown.is_none(), "{shown:?}");
}

#[tokio::test]
async fn requests_are_as_the_configuration_says() {
    let ok = answer("200 OK", "Content-Length: 0\r\n", "");
    let sent = async |more: &str| {
        let (address, requests) = answering(vec![ok.clone()]).await;
        let bucket = connect(address, "bucket", more);
        bucket.put("ü %41", Arc::new(Bytes::from_static(b"hello")), Put::Replace).await.unwrap();
        requests.lock().unwrap()[0].to_lowercase()
    };
    let plain = sent("").await;
    assert!(plain.starts_with("put /bucket/%c3%bc%20%2541 http/1.1"), "{plain}");
    assert!(
        plain.contains("content-md5: xufak6kxhwnx9ohfl8+wlg==") || plain.contains("content-md5: "),
        "{plain}"
    );
    assert!(plain.contains("user-agent: pronoia/"), "{plain}");
    assert!(!sent("send_content_md5: false").await.contains("content-md5"));
    let with =
        sent("put_user_metadata: {team: storage, X-Amz-Storage-Class: GLACIER}, session_token: tok").await;
    assert!(with.contains("x-amz-meta-team: storage"), "{with}");
    assert!(with.contains("x-amz-storage-class: glacier"), "{with}");
    assert!(with.contains("x-amz-security-token: tok"), "{with}");
    let encrypted = sent("sse_config: {type: SSE-S3}").await;
    assert!(encrypted.contains("x-amz-server-side-encryption: aes256"), "{encrypted}");
    let encrypted = sent("sse_config: {type: SSE-KMS, kms_key_id: my-key}").await;
    assert!(encrypted.contains("x-amz-server-side-encryption: aws:kms"), "{encrypted}");
    assert!(encrypted.contains("x-amz-server-side-encryption-aws-kms-key-id: my-key"), "{encrypted}");
}

#[tokio::test]
async fn a_customers_key_comes_from_its_file() {
    let ok = answer("200 OK", "Content-Length: 0\r\n", "");
    let (address, requests) = answering(vec![ok]).await;
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("key");
    let config = format!(
        "type: S3\nconfig: {{endpoint: '{address}', insecure: true, bucket: b, access_key: a, secret_key: s, \
         sse_config: {{type: SSE-C, encryption_key: '{}'}}}}",
        path.display()
    );
    let surroundings =
        Surroundings { environment: &|_| None, clock: Arc::new(SystemClock), seed: 1, metrics: None };
    let made = |config: &str| BucketConfig::parse(config, &|_| None).unwrap().connect(&surroundings);
    assert!(made(&config).unwrap_err().to_string().contains("sse_config.encryption_key"));
    std::fs::write(&path, "short").unwrap();
    assert!(made(&config).unwrap_err().to_string().contains("5 bytes, not 32"));
    std::fs::write(&path, [b'k'; 32]).unwrap();
    let bucket = made(&config).unwrap();
    bucket.put("x", Arc::new(Bytes::from_static(b"hello")), Put::Replace).await.unwrap();
    let request = requests.lock().unwrap()[0].to_lowercase();
    assert!(request.contains("x-amz-server-side-encryption-customer-algorithm: aes256"), "{request}");
}

#[tokio::test]
async fn credentials_come_from_the_environment_or_the_file() {
    let ok = answer("200 OK", "Content-Length: 0\r\n", "");
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("credentials");
    std::fs::write(&file, "[default]\naws_access_key_id=FROMFILE\naws_secret_access_key=x\n").unwrap();
    let file = file.display().to_string();
    let from_environment = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" => Some("FROMENV".to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some("x".to_owned()),
        "AWS_SESSION_TOKEN" => Some("tok".to_owned()),
        _ => None,
    };
    let from_file = move |name: &str| (name == "AWS_SHARED_CREDENTIALS_FILE").then(|| file.clone());
    let environments: [(Environment<'_>, &str); 2] =
        [(&from_environment, "FROMENV/"), (&from_file, "FROMFILE/")];
    for (environment, says) in environments {
        let (address, requests) = answering(vec![ok.clone()]).await;
        let config = format!("type: S3\nconfig: {{endpoint: '{address}', insecure: true, bucket: b}}");
        let surroundings = Surroundings { environment, clock: Arc::new(SystemClock), seed: 1, metrics: None };
        let bucket = BucketConfig::parse(&config, environment).unwrap().connect(&surroundings).unwrap();
        bucket.put("x", Arc::new(Bytes::from_static(b"hello")), Put::Replace).await.unwrap();
        let request = requests.lock().unwrap()[0].clone();
        assert!(request.contains(says), "{request}");
    }
}

/// All files below a folder.
fn files_below(folder: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        match path.is_dir() {
            true => names.extend(files_below(&path)),
            false => names.push(path.display().to_string()),
        }
    }
    names
}

/// Twelve MiB that fail at the end.
#[derive(Debug)]
struct Breaking;

impl objstore::Body for Breaking {
    fn size(&self) -> u64 {
        12 << 20
    }
    fn open(&self) -> futures::stream::BoxStream<'static, std::io::Result<Bytes>> {
        let pieces = (0..11).map(|_| Ok(Bytes::from(vec![7; 1 << 20])));
        Box::pin(futures::stream::iter(
            pieces.chain([Err(std::io::Error::other("gone"))]).collect::<Vec<_>>(),
        ))
    }
}

#[tokio::test]
async fn parts_of_a_failed_upload_are_taken_back() {
    let server = InProcess::start().await;
    let bucket = server.bucket("bucket", "");
    let error = bucket.put("big", Arc::new(Breaking), Put::Replace).await.unwrap_err();
    assert!(matches!(error, BucketError::Source { .. }), "{error:?}");
    // Taken back by a task of its own.
    let mut left = Vec::new();
    for _ in 0..100 {
        left = files_below(server.folder.path());
        if left.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("left: {left:?}");
}

#[tokio::test]
async fn requests_are_counted_by_what_they_cost() {
    let server = InProcess::start().await;
    std::fs::create_dir(server.folder.path().join("bucket")).unwrap();
    let mut registry = Registry::default();
    let metrics = BucketMetrics::register(&mut registry);
    let config = format!(
        "type: S3\nconfig: {{endpoint: '{}', insecure: true, bucket: bucket, access_key: AKEY, secret_key: s3cr3t, \
         part_size: 5242880}}\nprefix: tenant",
        server.address
    );
    let surroundings = Surroundings {
        environment: &|_| None,
        clock: Arc::new(SystemClock),
        seed: 1,
        metrics: Some(&metrics),
    };
    let bucket: BucketRef = BucketConfig::parse(&config, &|_| None).unwrap().connect(&surroundings).unwrap();
    bucket.put("small", Arc::new(Bytes::from_static(b"x")), Put::Replace).await.unwrap();
    // Begun, three parts, completed.
    bucket.put("big", Arc::new(Bytes::from(vec![7; 12 << 20])), Put::Replace).await.unwrap();
    bucket.list("", Listing::Recursive).try_collect::<Vec<_>>().await.unwrap();
    bucket.list("", Listing::Shallow).try_collect::<Vec<_>>().await.unwrap();
    bucket.get_range("big", 5, 10).await.unwrap();
    bucket.exists("small").await.unwrap();
    bucket.delete("small").await.unwrap();
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "pronoia_objstore_requests_total{bucket=\"bucket\",class=\"A\"} 8",
        "pronoia_objstore_requests_total{bucket=\"bucket\",class=\"B\"} 2",
        "pronoia_objstore_requests_total{bucket=\"bucket\",class=\"free\"} 1",
        "thanos_objstore_bucket_operations_total{bucket=\"bucket\",operation=\"upload\"} 2",
    ] {
        assert!(text.lines().any(|found| found == line), "no line {line}\n{text}");
    }
}
