//! `--grpc-*`: the gRPC server, and the client towards other components.

use std::path::PathBuf;

use clap::Args;
use server::duration::GoDuration;
use server::grpc::GrpcSettings;
use server::tls::{ClientAuth, ClientTlsSettings, ServerTlsSettings, TlsError, TlsVersion};

/// `--grpc-address`, `--grpc-server-*`, `--grpc-grace-period`.
#[derive(Debug, Args)]
pub(crate) struct GrpcFlags {
    /// Listen host:port for gRPC endpoints (StoreAPI); other components have to reach it
    #[arg(
        long = "grpc-address",
        id = "grpc-address",
        value_name = "HOST:PORT",
        default_value = "0.0.0.0:10901"
    )]
    address: String,
    /// Time to wait for open calls when the component stops
    #[arg(
        long = "grpc-grace-period",
        id = "grpc-grace-period",
        value_name = "DURATION",
        default_value = "2m"
    )]
    grace: GoDuration,
    /// TLS certificate of the gRPC server, blank for no TLS
    #[arg(
        long = "grpc-server-tls-cert",
        id = "grpc-server-tls-cert",
        value_name = "FILE",
        default_value = "", value_parser = crate::flags::path,
        hide_default_value = true
    )]
    certificate: PathBuf,
    /// TLS key of the gRPC server, blank for no TLS
    #[arg(
        long = "grpc-server-tls-key",
        id = "grpc-server-tls-key",
        value_name = "FILE",
        default_value = "", value_parser = crate::flags::path,
        hide_default_value = true
    )]
    key: PathBuf,
    /// TLS CA to verify clients against; without it clients are not verified
    #[arg(
        long = "grpc-server-tls-client-ca",
        id = "grpc-server-tls-client-ca",
        value_name = "FILE",
        default_value = "", value_parser = crate::flags::path,
        hide_default_value = true
    )]
    client_ca: PathBuf,
    /// TLS supported minimum version of the gRPC server: 1.2 or 1.3
    #[arg(long = "grpc-server-tls-min-version", id = "grpc-server-tls-min-version", value_name = "VERSION", default_value = "1.3", value_parser = tls_version)]
    min_version: TlsVersion,
    /// TLS 1.2 cipher suites of the gRPC server by their names in Go (repeated)
    #[arg(long = "grpc-server-tls-ciphers", id = "grpc-server-tls-ciphers", value_name = "NAME")]
    cipher_suites: Vec<String>,
    /// TLS curves of the gRPC server: CurveP256, CurveP384, X25519 (repeated)
    #[arg(long = "grpc-server-tls-curves", id = "grpc-server-tls-curves", value_name = "NAME")]
    curves: Vec<String>,
    /// How old a connection gets; then clients connect again
    #[arg(
        long = "grpc-server-max-connection-age",
        id = "grpc-server-max-connection-age",
        value_name = "DURATION",
        default_value = "60m"
    )]
    connection_age_max: GoDuration,
}

fn tls_version(text: &str) -> Result<TlsVersion, TlsError> {
    text.parse()
}

impl GrpcFlags {
    /// The settings that the flags describe.
    pub(crate) fn settings(&self) -> anyhow::Result<GrpcSettings> {
        let given = |path: &PathBuf| !path.as_os_str().is_empty();
        let tls = match (given(&self.certificate), given(&self.key)) {
            (true, true) => {
                let client_ca = given(&self.client_ca).then(|| self.client_ca.clone());
                Some(ServerTlsSettings {
                    certificate: self.certificate.clone(),
                    key: self.key.clone(),
                    client_auth: client_ca
                        .as_ref()
                        .map_or(ClientAuth::None, |_| ClientAuth::RequireAndVerify),
                    client_ca,
                    min_version: self.min_version,
                    max_version: TlsVersion::V1_3,
                    cipher_suites: self.cipher_suites.clone(),
                    curves: self.curves.clone(),
                })
            }
            (false, false) if given(&self.client_ca) => return Err(TlsError::OnlyClientCa.into()),
            (false, false) => None,
            _ => return Err(TlsError::HalfPair { side: "server" }.into()),
        };
        Ok(GrpcSettings {
            address: self.address.clone(),
            tls,
            connection_age_max: self.connection_age_max.0,
            grace: self.grace.0,
            ..GrpcSettings::default()
        })
    }
}

/// `--grpc-client-*`, `--grpc-compression`: how channels to endpoints are set up unless an endpoint says otherwise.
#[derive(Debug, Args)]
pub(crate) struct GrpcClientFlags {
    /// Use TLS when talking to gRPC servers
    #[arg(long = "grpc-client-tls-secure", id = "grpc-client-tls-secure")]
    secure: bool,
    /// Do not verify the servers' certificates
    #[arg(long = "grpc-client-tls-skip-verify", id = "grpc-client-tls-skip-verify")]
    skip_verify: bool,
    /// TLS certificate that identifies this client
    #[arg(
        long = "grpc-client-tls-cert",
        id = "grpc-client-tls-cert",
        value_name = "FILE",
        default_value = "", value_parser = crate::flags::path,
        hide_default_value = true
    )]
    certificate: PathBuf,
    /// TLS key of the client's certificate
    #[arg(
        long = "grpc-client-tls-key",
        id = "grpc-client-tls-key",
        value_name = "FILE",
        default_value = "", value_parser = crate::flags::path,
        hide_default_value = true
    )]
    key: PathBuf,
    /// TLS CA to verify gRPC servers against
    #[arg(
        long = "grpc-client-tls-ca",
        id = "grpc-client-tls-ca",
        value_name = "FILE",
        default_value = "", value_parser = crate::flags::path,
        hide_default_value = true
    )]
    ca: PathBuf,
    /// Name to expect on the servers' certificates
    #[arg(
        long = "grpc-client-server-name",
        id = "grpc-client-server-name",
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    server_name: String,
    /// TLS supported minimum version towards gRPC servers: 1.2 or 1.3
    #[arg(long = "grpc-client-tls-min-version", id = "grpc-client-tls-min-version", value_name = "VERSION", default_value = "1.3", value_parser = tls_version)]
    min_version: TlsVersion,
    /// Compression of requests to gRPC servers
    #[arg(long = "grpc-compression", id = "grpc-compression", value_name = "NAME", default_value = "none", value_parser = ["snappy", "none"])]
    compression: String,
}

impl GrpcClientFlags {
    /// TLS of the client, if it is on.
    pub(crate) fn tls(&self) -> Option<ClientTlsSettings> {
        let given = |path: &PathBuf| (!path.as_os_str().is_empty()).then(|| path.clone());
        self.secure.then(|| ClientTlsSettings {
            insecure_skip_verify: self.skip_verify,
            certificate: given(&self.certificate),
            key: given(&self.key),
            ca: given(&self.ca),
            server_name: Some(self.server_name.clone()).filter(|name| !name.is_empty()),
            min_version: self.min_version,
        })
    }

    /// How requests are packed.
    pub(crate) fn compression(&self) -> &str {
        &self.compression
    }
}
