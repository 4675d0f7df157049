//! Container images: repository, form of the tag, and the user that the image runs as.

use std::fmt;
use std::sync::OnceLock;

use super::program::Program;
use super::table::{Table, read};
use super::version::{Version, VersionError};

/// A program that is deployed from an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant is the program's own name")]
pub enum Image {
    Alertmanager,
    BlackboxExporter,
    Grafana,
    KubeStateMetrics,
    Memcached,
    Minio,
    MinioClient,
    NfsSubdirExternalProvisioner,
    NodeExporter,
    Prometheus,
    PrometheusDistroless,
    Thanos,
}

impl Image {
    /// Every image.
    pub const ALL: [Self; 12] = [
        Self::Alertmanager,
        Self::BlackboxExporter,
        Self::Grafana,
        Self::KubeStateMetrics,
        Self::Memcached,
        Self::Minio,
        Self::MinioClient,
        Self::NfsSubdirExternalProvisioner,
        Self::NodeExporter,
        Self::Prometheus,
        Self::PrometheusDistroless,
        Self::Thanos,
    ];

    /// Returns the name of the image in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::BlackboxExporter => "blackbox-exporter",
            Self::Grafana => "grafana",
            Self::KubeStateMetrics => "kube-state-metrics",
            Self::Memcached => "memcached",
            Self::Minio => "minio",
            Self::MinioClient => "minio-client",
            Self::NfsSubdirExternalProvisioner => "nfs-subdir-external-provisioner",
            Self::NodeExporter => "node-exporter",
            Self::Prometheus => "prometheus",
            Self::PrometheusDistroless => "prometheus-distroless",
            Self::Thanos => "thanos",
        }
    }

    /// Tells whether releases are dates (`RELEASE.2025-…`) and not numbers.
    const fn released_by_date(self) -> bool {
        matches!(self, Self::Minio | Self::MinioClient)
    }
}

impl From<Program> for Image {
    fn from(program: Program) -> Self {
        match program {
            Program::Prometheus => Self::Prometheus,
            Program::Thanos(_) => Self::Thanos,
            Program::Alertmanager => Self::Alertmanager,
            Program::KubeStateMetrics => Self::KubeStateMetrics,
            Program::NodeExporter => Self::NodeExporter,
        }
    }
}

/// An image of one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// Registry and repository.
    pub repository: &'static str,
    /// Tag.
    pub tag: String,
    /// User that the image sets, 0 if it sets none.
    pub uid: u32,
    /// Group of that user.
    pub gid: u32,
    /// What a user should know before choosing it.
    pub note: Option<&'static str>,
}

impl fmt::Display for ImageFacts {
    /// Writes the reference that a pod names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

/// A line of the table.
#[derive(Debug)]
pub(super) struct ImageRow {
    pub(super) image: &'static str,
    pub(super) since: Option<Version>,
    repository: &'static str,
    tag: &'static str,
    uid: u32,
    gid: u32,
    pub(super) default: Option<&'static str>,
    note: Option<&'static str>,
}

/// Returns the image of a release, of the default release if none is given.
///
/// # Errors
/// If the image's releases are numbers and `release` is none.
pub fn image_facts(image: impl Into<Image>, release: Option<&str>) -> Result<ImageFacts, VersionError> {
    let image = image.into();
    let release = release.unwrap_or_else(|| default_version(image));
    let (number, text) = if image.released_by_date() {
        (None, release.to_owned())
    } else {
        let number: Version = release.parse()?;
        (Some(number), number.to_string())
    };
    let rows = || rows(image);
    // Older than the table: the oldest line is the best guess.
    let row = rows().rev().find(|row| row.since.is_none() || row.since <= number).or_else(|| rows().next());
    let row = row.ok_or_else(|| VersionError { text: release.to_owned() })?;
    Ok(ImageFacts {
        repository: row.repository,
        tag: row.tag.replace("{version}", &text),
        uid: row.uid,
        gid: row.gid,
        note: row.note,
    })
}

/// Returns the release that is deployed where the topology names none.
pub fn default_version(image: impl Into<Image>) -> &'static str {
    rows(image.into()).find_map(|row| row.default).unwrap_or_default()
}

fn rows(image: Image) -> impl DoubleEndedIterator<Item = &'static ImageRow> {
    table().rows.iter().filter(move |row| row.image == image.as_str())
}

pub(super) fn table() -> &'static Table<ImageRow> {
    static TABLE: OnceLock<Table<ImageRow>> = OnceLock::new();
    TABLE.get_or_init(|| read(include_str!("../../data/images.tsv"), row))
}

fn row(cells: [&'static str; 8]) -> Option<ImageRow> {
    let [image, since, repository, tag, uid, gid, default, note] = cells;
    let filled = |cell: &'static str| if cell.is_empty() { None } else { Some(cell) };
    Some(ImageRow {
        image,
        since: if since == "-" { None } else { Some(since.parse().ok()?) },
        repository: filled(repository)?,
        tag: Some(tag).filter(|tag| tag.contains("{version}"))?,
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        default: filled(default),
        note: filled(note),
    })
}
