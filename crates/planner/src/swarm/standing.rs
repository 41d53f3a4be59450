//! Who is to be believed, whose turn it is, and how long to wait for others: what keeps machines that do not speak
//! to each other about it from doing the same.

use std::time::Duration;

use super::{Bits, Division, Member, Owner};
use crate::rate::time_for;
use crate::source::SourceState;
use crate::{Planner, SourceId, Time};

/// Who is in line for a piece waits this long for each that is before it: long enough to hear that another has
/// begun.
const TURN: Duration = Duration::from_millis(50);

/// But no longer than this.
const MAX_TURNS: Duration = Duration::from_secs(2);

/// A piece that another takes from the origin is late after this many times the time that one of its pieces took
/// before, but not more than this many times as long as it would take here; and the floor.
const LATE_PERCENT: u32 = 130;
const LATE_PERCENT_HERE: u32 = 400;
const LATE_FLOOR: Duration = Duration::from_millis(300);
const LATE_CEILING: Duration = Duration::from_secs(120);

/// The same, when nothing is known of how fast the origin is.
const LATE_UNKNOWN: Duration = Duration::from_secs(5);

/// No downloader is believed to fetch more pieces at once than this, or than come here in this time.
const MAX_CLAIMED: usize = 8;
const MAX_CLAIMED_TIME: Duration = Duration::from_secs(5);

/// Shares are even when nobody has come or gone for this long.
const SETTLED_AFTER: Duration = Duration::from_millis(500);

/// A piece that is the business of machines unknown here is asked for when there was no news for this long, and as
/// much longer again as chance says, so that not all who wait ask at once.
const FAR_WAIT: Duration = Duration::from_secs(10);

impl Planner {
    /// The division, made anew after a change.
    pub(crate) fn divide(&mut self, now: Time) -> Option<Division> {
        let me = self.swarm.me?;
        let pieces = self.swarm.board.as_ref()?.pieces();
        let settles = self.swarm.changed.saturating_add(SETTLED_AFTER);
        let is_settled = settles <= now;
        if !is_settled {
            self.wake_at(settles);
        }
        let fits = self.swarm.division.as_ref().is_some_and(|division| division.is_settled == is_settled);
        if !fits {
            let peers = self.downloaders().map(|(id, member, _)| (member, Owner::Peer(id)));
            let hoped = self.swarm.candidates.iter().filter(|_| self.swarm.expected_until.is_some());
            let others = peers.chain(hoped.map(|member| (*member, Owner::Candidate)));
            self.swarm.division = Some(Division::new(&me, others, pieces, is_settled, self.swarm.more));
        }
        self.swarm.division.clone()
    }

    /// The other downloaders that may be relied upon.
    pub(crate) fn downloaders(&self) -> impl Iterator<Item = (SourceId, Member, &SourceState)> {
        self.sources.iter().filter_map(|(id, state)| {
            let member = state.peer.as_ref()?.member?;
            Some((*id, member, state))
        })
    }

    /// The pieces that others say they take from the origin: all of them, and those of whom it is believed.
    pub(crate) fn claimed_by_others(&mut self, now: Time) -> (Bits, Bits) {
        let pieces = self.swarm.board.as_ref().map_or(0, |board| board.pieces());
        let own = self.own_pace();
        let most = own.map_or(0, |own| MAX_CLAIMED_TIME.as_nanos() / own.as_nanos().max(1));
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(MAX_CLAIMED);
        let (mut claimed, mut believed) = (Bits::none(pieces), Bits::none(pieces));
        let mut wake: Option<Time> = None;
        for peer in self.sources.values_mut().filter_map(|state| state.peer.as_mut()) {
            let patience = patience(peer.claims.pace(), own);
            let Some(late) = peer.claims.late_at(now, patience) else { continue };
            let unfinished = peer.claims.iter().flatten().filter(|piece| !peer.has.contains(*piece));
            for piece in unfinished.take(most) {
                claimed.insert(piece);
                if late > now {
                    believed.insert(piece);
                }
            }
            if late > now {
                wake = Some(wake.map_or(late, |wake| wake.min(late)));
            } else {
                self.swarm.opened = self.swarm.opened.max(late);
            }
        }
        self.swarm.claims_due = wake;
        (claimed, believed)
    }

    /// How long a piece takes here, if that is known.
    fn own_pace(&self) -> Option<Duration> {
        let piece_len = self.swarm.board.as_ref()?.piece_len();
        let servers = self.sources.values().filter(|state| state.is_server());
        servers.filter_map(|state| state.meter.bytes_per_s()).max().map(|rate| time_for(piece_len, rate))
    }

    /// When it is this machine's turn to ask for a piece that is not of its share: idle ones that come before it are
    /// given time to begin. An owner that is idle is before all.
    pub(crate) fn turn(&self, piece: usize, owner: Owner) -> Time {
        let Some(me) = self.swarm.me else { return self.swarm.idle_since };
        let mine = me.dice(piece as u64);
        // What others do at this very moment is heard a little later, so nobody goes at once.
        let mut before = 1;
        for (id, member, state) in self.downloaders() {
            let is_idle = state.peer.as_ref().is_some_and(|peer| peer.claims.is_empty());
            if is_idle && (owner == Owner::Peer(id) || member.dice(piece as u64) < mine) {
                before += 1;
            }
        }
        self.swarm
            .idle_since
            .max(self.swarm.opened)
            .saturating_add(TURN.saturating_mul(before).min(MAX_TURNS))
    }

    /// When a piece far away may be asked for.
    pub(crate) fn far_turn(&self) -> Time {
        let part = self.swarm.me.map_or(0, |me| me.dice(u64::MAX - 1) % 1_024);
        let more = FAR_WAIT.saturating_mul(u32::try_from(part).unwrap_or(0)) / 1_024;
        self.swarm.news.max(self.swarm.idle_since).saturating_add(FAR_WAIT).saturating_add(more)
    }

    /// The origin is to be looked at again then, at the latest.
    pub(crate) fn wake_at(&mut self, at: Time) {
        self.swarm.origin_due = Some(self.swarm.origin_due.map_or(at, |due| due.min(at)));
    }
}

/// How long another may take for a piece, when its pieces and those fetched here take so long.
fn patience(its: Option<Duration>, own: Option<Duration>) -> Duration {
    let percent = |pace: Duration, percent: u32| pace.saturating_mul(percent) / 100;
    let here = own.map(|own| percent(own, LATE_PERCENT_HERE));
    let expected = match (its, here) {
        (Some(its), Some(here)) => percent(its, LATE_PERCENT).min(here),
        (Some(its), None) => percent(its, LATE_PERCENT),
        (None, Some(here)) => here,
        (None, None) => LATE_UNKNOWN,
    };
    expected.saturating_add(LATE_FLOOR).min(LATE_CEILING)
}
