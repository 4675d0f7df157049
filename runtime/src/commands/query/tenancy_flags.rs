//! `--query.tenant-*`: whose requests are whose.

use api::thanos::Tenancy;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct TenancyFlags {
    /// Request header that names the tenant
    #[arg(
        long = "query.tenant-header",
        id = "query.tenant-header",
        value_name = "NAME",
        default_value = "THANOS-TENANT"
    )]
    header: String,
    /// Tenant of requests without the header
    #[arg(
        long = "query.default-tenant-id",
        id = "query.default-tenant-id",
        value_name = "NAME",
        default_value = "default-tenant"
    )]
    default: String,
    /// Field of the client's certificate that names the tenant in the place of the header
    #[arg(
        long = "query.tenant-certificate-field", id = "query.tenant-certificate-field",
        value_name = "FIELD",
        default_value = "",
        hide_default_value = true,
        value_parser = ["", "organization", "organizationalUnit", "commonName"]
    )]
    pub(super) certificate_field: String,
    /// Let each tenant see only series with its label
    #[arg(long = "query.enforce-tenancy", id = "query.enforce-tenancy")]
    enforced: bool,
    /// Label that names the tenant of a series
    #[arg(
        long = "query.tenant-label-name",
        id = "query.tenant-label-name",
        value_name = "NAME",
        default_value = "tenant_id"
    )]
    label: String,
}

impl TenancyFlags {
    pub(super) fn tenancy(&self) -> Tenancy {
        Tenancy {
            header: self.header.clone(),
            default: self.default.clone(),
            label: self.label.clone(),
            enforced: self.enforced,
        }
    }
}
