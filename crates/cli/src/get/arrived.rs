//! What is told of a file that the daemon brought: its own counts, and what each peer gave.

use std::path::Path;
use std::time::Duration;

use dray_api::Channel;
use dray_api::client;
use dray_api::v1::{ExplainFilesRequest, File, SourceAccount, SourceKind};

use super::Request;
use super::summary::Summary;
use crate::printer::Printer;

/// A file that has its name.
pub(super) struct Arrived<'a> {
    pub(super) path: &'a Path,
    pub(super) request: &'a Request,
    pub(super) file: File,
    pub(super) gifts: Vec<SourceAccount>,
    pub(super) took: Duration,
}

/// What each source of the job's only file gave. A daemon that does not know the question costs the answer, not the file.
pub(super) async fn gifts(channel: Channel, job_id: String) -> Vec<SourceAccount> {
    let request = ExplainFilesRequest { job_id, ..ExplainFilesRequest::default() };
    match client::daemon(channel).explain_files(request).await {
        Ok(answer) => {
            answer.into_inner().files.into_iter().next().map(|file| file.sources).unwrap_or_default()
        }
        Err(status) => {
            tracing::debug!(%status, "which peers gave what is not known");
            Vec::new()
        }
    }
}

impl Arrived<'_> {
    pub(super) fn report(&self, printer: &Printer) {
        let bytes = self.file.bytes_by_source.unwrap_or_default();
        let size = self.file.progress.map_or(0, |progress| progress.bytes_transferred);
        let known = bytes.local_cache_bytes + bytes.origin_bytes + bytes.peer_bytes + bytes.cache_host_bytes;
        let from = |kind: SourceKind| self.gifts.iter().filter(move |gift| gift.kind() == kind);
        let group_peers: u64 = from(SourceKind::GroupPeer).map(|gift| gift.bytes).sum();
        let group_peers = group_peers.min(bytes.peer_bytes);
        let givers = from(SourceKind::LanPeer).chain(from(SourceKind::GroupPeer));
        let summary = Summary {
            path: self.path,
            url: &self.request.url,
            size,
            resumed: size.saturating_sub(known),
            cache: bytes.local_cache_bytes,
            origin: bytes.origin_bytes,
            cache_host: bytes.cache_host_bytes,
            lan_peers: bytes.peer_bytes - group_peers,
            group_peers,
            peer_count: givers.filter(|gift| gift.bytes > 0).count(),
            wasted: self.gifts.iter().map(|gift| gift.wasted_bytes).sum(),
            content: (!self.file.content_id.is_empty()).then(|| self.file.content_id.clone()),
            digests: Vec::new(),
            took: self.took,
        };
        summary.print(printer);
    }
}
