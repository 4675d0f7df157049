//! `bucket`: where blocks live for long.

use crate::topology::decode::{node, words};
use crate::topology::values::{SecretValue, Size};

node! {
    /// The bucket that sidecars, rulers and receivers upload to.
    Bucket "bucket" {
        needs {
            /// Name; of the bucket too, unless the provider says otherwise.
            name: String,
        }
        props {
            /// Folder inside the bucket.
            prefix: String = "prefix",
            /// Creates the bucket with a Job (MinIO and S3).
            create: bool = "create",
        }
        one {
            /// MinIO, deployed here.
            minio: Minio,
            /// S3 or anything that speaks it.
            s3: S3,
            /// Google Cloud Storage.
            gcs: Gcs,
            /// Azure Blob Storage.
            azure: Azure,
            /// A folder; for one machine.
            filesystem: Filesystem,
        }
    }
}

words! {
    /// How a cloud bucket is opened.
    BucketAuth {
        /// Access key from a Secret.
        Keys = "keys",
        /// AWS: role of the service account.
        Irsa = "irsa",
        /// AWS: EKS pod identity.
        PodIdentity = "pod-identity",
        /// Google and Azure: identity of the service account.
        WorkloadIdentity = "workload-identity",
    }
}

node! {
    /// MinIO with one volume.
    Minio "minio" {
        props {
            /// Namespace.
            namespace: String = "namespace",
            /// Volume size.
            disk: Size = "disk",
            /// Storage class.
            class: String = "class",
            /// Image.
            image: String = "image",
            /// Host name under which the console is reachable.
            console: String = "console",
            /// TLS Secret of the console.
            tls: SecretValue = "tls",
            /// User name, or a reference to it.
            user: SecretValue = "user",
            /// Password, by reference.
            password: SecretValue = "password",
        }
    }
}

node! {
    /// S3 or anything that speaks it.
    S3 "s3" {
        props {
            /// Bucket name.
            bucket: String = "bucket",
            /// Endpoint without scheme.
            endpoint: String = "endpoint",
            /// Region.
            region: String = "region",
            /// How it is opened.
            auth: BucketAuth = "auth",
            /// IAM role of the service accounts.
            role: String = "role",
            /// Access key.
            access_key: SecretValue = "access-key",
            /// Secret key.
            secret_key: SecretValue = "secret-key",
            /// A whole objstore file in a Secret.
            credentials: SecretValue = "credentials",
            /// Plain HTTP.
            insecure: bool = "insecure",
            /// Server-side encryption: `SSE-S3` or `SSE-KMS`.
            sse: String = "sse",
            /// KMS key for `SSE-KMS`.
            kms_key: String = "kms-key",
            /// `path` or `virtual-hosted`.
            lookup: String = "lookup",
        }
    }
}

node! {
    /// Google Cloud Storage.
    Gcs "gcs" {
        props {
            /// Bucket name.
            bucket: String = "bucket",
            /// How it is opened.
            auth: BucketAuth = "auth",
            /// Google service account that the pods act as.
            service_account: String = "service-account",
            /// Key file, by reference.
            credentials: SecretValue = "credentials",
        }
    }
}

node! {
    /// Azure Blob Storage.
    Azure "azure" {
        props {
            /// Storage account.
            account: String = "account",
            /// Container.
            container: String = "container",
            /// How it is opened.
            auth: BucketAuth = "auth",
            /// Client id of the managed identity.
            client_id: String = "client-id",
            /// Account key, by reference.
            account_key: SecretValue = "account-key",
            /// Endpoint without the account.
            endpoint: String = "endpoint",
        }
    }
}

node! {
    /// A folder on the machine.
    Filesystem "filesystem" {
        args {
            /// The folder.
            directory: String,
        }
    }
}
