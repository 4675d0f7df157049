//! Which methods there are, and how messages flow in each: read from the descriptors of the services.

use std::collections::BTreeMap;

use prost::Message;
use prost_types::FileDescriptorSet;

/// One method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Method {
    /// `unary`, `server_stream`, `client_stream` or `bidi_stream`.
    pub(super) kind: &'static str,
    /// With its package: `thanos.Store`.
    pub(super) service: String,
    /// `Series`
    pub(super) name: String,
}

/// Methods by their path, `/thanos.Store/Series`.
pub(super) type Methods = BTreeMap<String, Method>;

/// Reads an encoded `FileDescriptorSet`.
pub(super) fn read(descriptors: &[u8]) -> Result<Methods, prost::DecodeError> {
    let set = FileDescriptorSet::decode(descriptors)?;
    let mut methods = Methods::new();
    for file in &set.file {
        for service in &file.service {
            let service_name = match file.package() {
                "" => service.name().to_owned(),
                package => format!("{package}.{}", service.name()),
            };
            for method in &service.method {
                let kind = match (method.client_streaming(), method.server_streaming()) {
                    (false, false) => "unary",
                    (false, true) => "server_stream",
                    (true, false) => "client_stream",
                    (true, true) => "bidi_stream",
                };
                let path = format!("/{service_name}/{}", method.name());
                let name = method.name().to_owned();
                methods.insert(path, Method { kind, service: service_name.clone(), name });
            }
        }
    }
    Ok(methods)
}

/// A method that no descriptor describes.
pub(super) fn unknown(path: &str) -> Method {
    let (service, name) = path.trim_start_matches('/').rsplit_once('/').unwrap_or(("unknown", "unknown"));
    Method { kind: "unary", service: service.to_owned(), name: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_known_with_their_kind() {
        let methods = read(tonic_health::pb::FILE_DESCRIPTOR_SET).unwrap();
        assert_eq!(methods["/grpc.health.v1.Health/Check"].kind, "unary");
        assert_eq!(methods["/grpc.health.v1.Health/Watch"].kind, "server_stream");
        assert_eq!(methods["/grpc.health.v1.Health/Watch"].service, "grpc.health.v1.Health");
        assert_eq!(unknown("/a.B/C").name, "C");
    }
}
