//! What to ask the origin for: what nobody has and nobody brings. First what a reader waits for, then the own share
//! from its front, then others' shares from the back, and in the end what others have taken on and are late with.

use std::ops::Range;
use std::time::Duration;

use super::from_peers::pieces_in;
use super::{Bits, Division, Owner};
use crate::rate::{per_second, time_for};
use crate::source::SourceState;
use crate::{Planner, Ranges, SourceId, Time};

/// One request asks for what comes in this time: long enough that asking costs nothing, short enough that a race that
/// is lost, or a machine that dies, costs little.
const RUN_TIME: Duration = Duration::from_secs(2);

/// And for no more than this part of what is left of the share, so that the last requests are short.
const RUN_PART: usize = 4;

/// A request is worth asking when it takes this many times as long as its first byte needs to come.
const RUN_LATENCIES: u32 = 25;

/// The next request is asked before the last bytes of the one before it, by what its first byte needs to come, but
/// no earlier than this.
const MAX_LEAD: Duration = Duration::from_millis(250);

/// How long nothing is asked of the origin when it is known who is there and a session is about to stand: who comes
/// late to a swarm finds most of the file in it.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// How long peers are watched before they are found slow.
const HELP_LOOK: Duration = Duration::from_secs(10);

/// They are when the origin is this many times as fast, or, when that is not known, when all would take this long.
const HELP_FACTOR: u64 = 4;
const HELP_PATIENCE: Duration = Duration::from_secs(60);

/// What is asked of the origin, and whether another has taken it on.
struct Errand {
    pieces: Range<usize>,
    is_takeover: bool,
}

impl Planner {
    /// Starts one request to the origin, if it is this machine's turn.
    pub(crate) fn ask_origin(&mut self, now: Time) -> bool {
        if !std::mem::take(&mut self.swarm.origin_is_due) {
            return false;
        }
        let Some(origin) = self.origin(now) else { return false };
        self.swarm.origin_due = None;
        self.swarm.claims_due = None;
        let Some(errand) = self.errand(now, origin) else { return false };
        let Some(range) = self.stretch(errand.pieces) else { return false };
        let request = self.fetch(now, origin, range);
        if let Some(request) = self.requests.get_mut(&request) {
            request.is_takeover = errand.is_takeover;
        }
        self.swarm.origin_is_due = true;
        true
    }

    /// The server to ask, if it can be asked for more.
    fn origin(&self, now: Time) -> Option<SourceId> {
        let origin = self.ready_servers(now).next().map(|(id, _)| id);
        // While one that is as good as this has not finished, it is that one's turn.
        origin.filter(|_| self.swarm.asked_of_servers == 0 || self.is_nearly_done())
    }

    fn ready_servers(&self, now: Time) -> impl Iterator<Item = (SourceId, &SourceState)> {
        let most = |state: &SourceState| match state.about.ranges {
            Ranges::Yes => usize::from(state.about.max_requests).min(2),
            Ranges::Unknown => usize::from(state.about.max_requests).min(1),
            Ranges::No => 0,
        };
        let mut ready: Vec<_> = (self.sources.iter())
            .filter(|(_, state)| state.is_server() && state.is_awake(now) && state.active < most(state))
            .collect();
        ready.sort_by_key(|(id, state)| (!state.is_healthy(now), state.about.kind, **id));
        ready.into_iter().map(|(id, state)| (*id, state))
    }

    /// Whether what is asked of servers will be there before the first byte of another answer.
    pub(crate) fn is_nearly_done(&self) -> bool {
        let nearly = |request: &crate::request::Request| {
            let Some(state) = self.sources.get(&request.source) else { return true };
            let (Some(rate), Some(latency)) = (state.meter.bytes_per_s(), state.latency) else {
                return false;
            };
            let left = request.known_left().map_or(0, |left| left.len());
            !request.is_open() && time_for(left, rate) <= latency.min(MAX_LEAD)
        };
        self.swarm.asked_of_servers < 2
            && self.requests.values().filter(|request| self.is_of_server(request)).all(nearly)
    }

    /// What to ask it for; or nothing now, and `origin_due` says when to look again.
    fn errand(&mut self, now: Time, origin: SourceId) -> Option<Errand> {
        if let Some(until) = self.first_wait().filter(|until| *until > now) {
            self.wake_at(until);
            return None;
        }
        let division = self.divide(now)?;
        let helps = self.helps(now, origin);
        let board = self.swarm.board.as_ref()?;
        let all = board.open(false);
        if all.is_empty() && !helps {
            return None;
        }
        let (claimed, believed) = self.claimed_by_others(now);
        let run = self.run_len(origin);
        // Nobody claims these.
        let open = all.without(&claimed);
        let board = self.swarm.board.as_ref()?;
        let preferred = self.preferred_pieces(board).find(|piece| open.contains(*piece));
        let own = || from_front(&division, &open, run, self.is_alone(&division));
        if let Some(pieces) = preferred.map(|piece| piece..piece + 1).or_else(own) {
            return Some(Errand { pieces, is_takeover: false });
        }
        if self.swarm.asked_of_servers > 0 {
            // What is others' share is asked for only when nothing else is left to do.
            return None;
        }
        if let Some(pieces) = self.steal(now, &division, &open, run) {
            return Some(Errand { pieces, is_takeover: false });
        }
        // These somebody claims, and is late.
        let late = all.without(&believed);
        let own = || from_front(&division, &late, 1, false);
        if let Some(pieces) = own().or_else(|| self.steal(now, &division, &late, 1)) {
            return Some(Errand { pieces, is_takeover: true });
        }
        if let Some(pieces) = self.far(now, &division, &late) {
            return Some(Errand { pieces, is_takeover: true });
        }
        if let Some(due) = self.swarm.claims_due {
            self.wake_at(due);
        }
        let board = self.swarm.board.as_ref().filter(|_| helps)?;
        let open = board.open(true).without(&claimed);
        let pieces = from_front(&division, &open, run, false)
            .or_else(|| open.iter().next().map(|piece| piece..piece + 1))?;
        Some(Errand { pieces, is_takeover: true })
    }

    /// Until when nothing is asked for because somebody is about to be met who may have it.
    fn first_wait(&self) -> Option<Time> {
        let awaits = self.swarm.expected_until.is_some() && !self.swarm.candidates.is_empty();
        (awaits && !self.swarm.had_peers).then(|| self.swarm.began.saturating_add(FIRST_WAIT))
    }

    /// Whether there is nobody to divide with.
    fn is_alone(&self, division: &Division) -> bool {
        !division.is_shared() && self.swarm.expected_until.is_none()
    }

    /// How many pieces a request asks for at most: one until the rate is known.
    fn run_len(&self, origin: SourceId) -> usize {
        let Some(board) = &self.swarm.board else { return 1 };
        let Some(state) = self.sources.get(&origin) else { return 1 };
        let Some(rate) = state.meter.bytes_per_s() else { return 1 };
        let worth = state.latency.unwrap_or_default().saturating_mul(RUN_LATENCIES);
        pieces_in(RUN_TIME.max(worth), rate, board.piece_len()).max(1)
    }

    /// Some pieces from the back of another's share, when it is this machine's turn.
    fn steal(&mut self, now: Time, division: &Division, open: &Bits, run: usize) -> Option<Range<usize>> {
        let me = self.swarm.me?;
        let mut loot: Vec<(u128, Range<usize>, Owner)> = Vec::new();
        for share in &division.others {
            // What a candidate will take is not known before it has become a peer, or is none any more.
            let Owner::Peer(owner) = share.owner else { continue };
            let stretches = division.stretches(share);
            let left: usize = stretches.iter().map(|s| open.count_within(s.start, s.end)).sum();
            let back =
                stretches.iter().rev().find_map(|s| Some((s.start, open.last_within(s.start, s.end)?)));
            let Some((front, last)) = back else { continue };
            let most = run.min((left / RUN_PART).max(1));
            let begin = (front..last).rev().take(most - 1).take_while(|piece| open.contains(*piece)).last();
            // A share of which more is left is likelier to be chosen, but each thief has its own luck.
            let luck = u128::from(me.dice(u64::from(owner.0) ^ (1 << 63)) >> 1);
            loot.push((luck * left as u128, begin.unwrap_or(last)..last + 1, share.owner));
        }
        loot.sort_by_key(|(luck, pieces, _)| (std::cmp::Reverse(*luck), pieces.start));
        let mut wake: Option<Time> = None;
        for (_, pieces, owner) in loot {
            let turn = self.turn(pieces.end - 1, owner);
            if turn <= now {
                return Some(pieces);
            }
            wake = Some(wake.map_or(turn, |wake| wake.min(turn)));
        }
        if let Some(wake) = wake {
            self.wake_at(wake);
        }
        None
    }

    /// A piece that is the business of others, of which nobody known here has heard for long.
    fn far(&mut self, now: Time, division: &Division, open: &Bits) -> Option<Range<usize>> {
        let first = division.mine.first;
        let end = self.swarm.board.as_ref()?.pieces();
        let piece = open.first_within(first, end).or_else(|| open.first_within(0, first))?;
        let turn = self.far_turn();
        if turn > now {
            self.wake_at(turn);
            return None;
        }
        Some(piece..piece + 1)
    }

    /// Whether the origin should bring what peers have, because they are slow at it.
    fn helps(&mut self, now: Time, origin: SourceId) -> bool {
        let Some(since) = self.swarm.help.watched_since else {
            self.watch(now);
            return false;
        };
        let time = now.saturating_sub(since);
        if time < HELP_LOOK {
            self.wake_at(since.saturating_add(HELP_LOOK));
            return self.swarm.help.is_on;
        }
        let rate = per_second(self.bytes_of_peers().saturating_sub(self.swarm.help.bytes_before), time);
        let left = self.missing.len_bytes();
        let is_slow = match self.sources.get(&origin).and_then(|state| state.meter.bytes_per_s()) {
            Some(origin) => origin >= rate.saturating_mul(HELP_FACTOR),
            None => time_for(left, rate) > HELP_PATIENCE,
        };
        let has_some = self.swarm.board.as_ref().is_some_and(|board| !board.held.is_empty());
        self.watch(now);
        self.swarm.help.is_on = is_slow && has_some;
        self.swarm.help.is_on
    }

    fn watch(&mut self, now: Time) {
        self.swarm.help.watched_since = Some(now);
        self.swarm.help.bytes_before = self.bytes_of_peers();
        self.wake_at(now.saturating_add(HELP_LOOK));
    }

    fn bytes_of_peers(&self) -> u64 {
        self.sources.values().filter(|state| state.is_peer()).map(|state| state.bytes).sum()
    }
}

/// The next pieces of the own share.
fn from_front(division: &Division, open: &Bits, run: usize, is_alone: bool) -> Option<Range<usize>> {
    let stretches = division.stretches(&division.mine);
    let left: usize = stretches.iter().map(|s| open.count_within(s.start, s.end)).sum();
    let most = run.min((left / RUN_PART).max(1));
    let [front, rest] = stretches;
    let in_order = if is_alone { [rest, front] } else { [front, rest] };
    in_order.into_iter().find_map(|stretch| {
        let first = open.first_within(stretch.start, stretch.end)?;
        let end = (first + 1..stretch.end.min(first + most)).take_while(|piece| open.contains(*piece)).last();
        Some(first..end.map_or(first + 1, |last| last + 1))
    })
}
