//! What the history hears of files: where the bytes came from, and why.

use dray_engine::BytesBySource;
use dray_jobs::PeerFlags;

use super::actor::Actor;
use super::tally::Tally;
use super::transfers::FileId;
use crate::history::{Account, Bytes, MAX_ACCOUNTS, MAX_TOLD, Source, Story, Told};
use crate::peering::told;

impl Actor {
    /// Milliseconds since 1970.
    pub(crate) fn wall_ms(&self) -> u64 {
        self.clock.now().wall.unix_ms()
    }

    /// What was decided so far in the transfer of the file that runs.
    pub(crate) fn told(&self, file: FileId) -> Vec<Told> {
        let meter = self.transfers.meters().into_iter().find(|(it, _)| (it.job, it.file) == file);
        meter.map(|(_, meter)| meter.with_tally(|tally| self.in_words(tally))).unwrap_or_default()
    }

    /// Whether other machines may be asked for the file: unless its job keeps off them, or its client found what they gave to be bad.
    pub(super) fn may_use_peers(&self, (job, file): FileId) -> bool {
        let Some(job) = self.queue.job(job) else { return false };
        let is_allowed = !job.properties().peer_flags.contains(PeerFlags::DISABLE_BRANCH_CACHE);
        is_allowed && job.file(file).is_ok_and(|file| !file.origin_only())
    }

    fn in_words(&self, tally: &Tally) -> Vec<Told> {
        let decisions = tally.decisions().iter().take(MAX_TOLD);
        decisions.map(|decision| told(decision, self.peers_off.as_ref())).collect()
    }

    /// Bytes of a transfer that has ended, for the sums.
    pub(super) fn count(&self, bytes: BytesBySource) {
        for (source, bytes) in [
            ("origin", bytes.origin),
            ("cache", bytes.cache),
            ("cache_host", bytes.cache_host),
            ("lan_peer", bytes.lan_peers),
            ("group_peer", bytes.group_peers),
        ] {
            self.metrics.delivered_bytes.with_label_values(&[source]).inc_by(bytes);
        }
        self.metrics.wasted_bytes.inc_by(bytes.wasted);
        self.history.count(Bytes {
            origin: bytes.origin,
            cache_host: bytes.cache_host,
            lan_peers: bytes.lan_peers,
            group_peers: bytes.group_peers,
            local_cache: bytes.cache,
            wasted: bytes.wasted,
            sent: 0,
        });
    }

    /// How a file stands after a transfer of it has ended.
    pub(super) fn tell_story(&self, (job, file): FileId, tally: &Tally) {
        let Some(job) = self.queue.job(job) else { return };
        let Ok(known) = job.file(file) else { return };
        let host = known.remote().url().host_str().unwrap_or_default().to_owned();
        let told = self.in_words(tally);
        let accounts = accounts(tally, host);
        self.history.tell(Story { told, accounts, ..Story::of(job, file, known, self.wall_ms()) });
    }
}

/// What each source gave, those that gave most first.
fn accounts(tally: &Tally, host: String) -> Vec<Account> {
    let BytesBySource { cache, origin, cache_host, lan_peers, group_peers, wasted, .. } = tally.bytes();
    let account = |source, name: &str, bytes| Account {
        source,
        name: name.to_owned(),
        address: String::new(),
        bytes,
        wasted: 0,
        remark: String::new(),
    };
    let mut accounts: Vec<Account> = tally
        .gifts()
        .iter()
        .map(|gift| Account {
            address: gift.address.clone(),
            wasted: gift.wasted,
            ..account(
                if gift.way == "group" { Source::GroupPeer } else { Source::LanPeer },
                &gift.peer,
                gift.bytes,
            )
        })
        .collect();
    let by_peers: u64 = accounts.iter().map(|account| account.wasted).sum();
    if accounts.is_empty() && lan_peers + group_peers > 0 {
        accounts.push(account(Source::LanPeer, "", lan_peers));
        accounts.push(account(Source::GroupPeer, "", group_peers));
    }
    accounts.push(account(Source::LocalCache, "", cache));
    accounts.push(account(Source::CacheHost, "", cache_host));
    // What no peer is named for was thrown away of the origin's.
    accounts
        .push(Account { wasted: wasted.saturating_sub(by_peers), ..account(Source::Origin, &host, origin) });
    accounts.retain(|account| account.bytes > 0 || account.wasted > 0);
    accounts.sort_by_key(|account| std::cmp::Reverse(account.bytes));
    accounts.truncate(MAX_ACCOUNTS);
    accounts
}
