//! One machine: its planner, its sessions, and what it sends to others.

use std::collections::VecDeque;
use std::time::Duration;

use dray_planner::{
    Has, Member, Peer, Planner, Ranges, RequestId, Settings, Source, SourceId, SourceKind, Wanted,
    WantedRanges,
};
use dray_ranges::{ByteRange, RangeSet};

use crate::setting::{Nature, Setting, Way};

/// A request that runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) request: RequestId,
    /// `None` is the origin.
    pub(crate) from: Option<u32>,
    pub(crate) next: u64,
    pub(crate) end: u64,
}

/// Something that another asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) to: u32,
    pub(crate) request: RequestId,
    pub(crate) next: u64,
    pub(crate) end: u64,
}

/// A session with another machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub(crate) with: u32,
    pub(crate) source: SourceId,
    /// What this one is to the other.
    pub(crate) mirror: SourceId,
}

/// What is told to all sessions at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct News {
    pub(crate) gained: RangeSet,
    pub(crate) peer: Option<Peer>,
}

/// One machine.
pub(crate) struct Machine {
    pub(crate) nature: Nature,
    pub(crate) member: Member,
    /// With whom it seeks a session, and of how many it has heard.
    pub(crate) chosen: Vec<Member>,
    pub(crate) hears_of: usize,
    pub(crate) planner: Planner,
    pub(crate) origin: SourceId,
    pub(crate) is_up: bool,
    pub(crate) done_at: Option<u64>,
    pub(crate) sessions: Vec<Session>,
    /// Whom it wants nothing more to do with.
    pub(crate) banned: Vec<u32>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) orders: VecDeque<Order>,
    pub(crate) is_sending: bool,
    /// Until when its downlink is taken.
    pub(crate) receives_until: u64,
    /// What is there and right.
    pub(crate) proven: RangeSet,
    /// What came from liars and is not yet known to be wrong.
    pub(crate) tainted: Vec<(ByteRange, u32)>,
    pub(crate) untold: RangeSet,
    pub(crate) told_fetching: RangeSet,
    pub(crate) is_telling: bool,
    pub(crate) wakes_at: u64,
    /// Kept bytes, from the origin and from others.
    pub(crate) from_origin: u64,
    pub(crate) from_peers: u64,
    /// Bytes that were there already.
    pub(crate) wasted: u64,
    /// Bytes that proved wrong.
    pub(crate) wrong: u64,
    /// When the planner last did something for it that was of use, at most so long ago.
    pub(crate) moved: u64,
}

impl Machine {
    pub(crate) fn new(nature: Nature, member: Member, setting: &Setting) -> Self {
        let whole: RangeSet = ByteRange::new(0, setting.size).into_iter().collect();
        let have = if nature.has_all { whole } else { RangeSet::new() };
        let wanted = Wanted { size: Some(setting.size), ranges: WantedRanges::All };
        let mut planner = Planner::new(Settings::default(), wanted, have.clone());
        planner.set_alignment(setting.piece_len);
        Self {
            nature,
            member,
            chosen: Vec::new(),
            hears_of: 0,
            planner,
            origin: SourceId(0),
            is_up: false,
            done_at: None,
            sessions: Vec::new(),
            banned: Vec::new(),
            flows: Vec::new(),
            orders: VecDeque::new(),
            is_sending: false,
            receives_until: 0,
            proven: have,
            tainted: Vec::new(),
            untold: RangeSet::new(),
            told_fetching: RangeSet::new(),
            is_telling: false,
            wakes_at: u64::MAX,
            from_origin: 0,
            from_peers: 0,
            wasted: 0,
            wrong: 0,
            moved: 0,
        }
    }

    /// It begins: it knows the origin, and that others are probably there.
    pub(crate) fn join(&mut self, now: Duration, setting: &Setting) {
        self.is_up = true;
        let origin = Source {
            kind: SourceKind::Origin,
            ranges: Ranges::Yes,
            has: Has::Everything,
            max_requests: setting.origin_requests,
        };
        if setting.machines.len() > 1 {
            self.planner.set_me(now, self.member);
            self.planner.set_candidates(now, self.chosen.clone(), self.hears_of - self.chosen.len());
            self.planner.expect_company(now, now + setting.meets * 4);
        }
        self.origin = self.planner.add_source(now, origin);
    }

    /// What it says of itself as a downloader.
    pub(crate) fn as_peer(&self, size: u64) -> Peer {
        let member = (!self.planner.done() && self.nature.way != Way::Boasts).then_some(self.member);
        let fetching = match self.nature.way {
            Way::Hoards => ByteRange::new(0, size).into_iter().collect(),
            _ => self.planner.fetching(),
        };
        Peer { member, fetching }
    }

    /// What it says it has.
    pub(crate) fn says_it_has(&self) -> Has {
        match self.nature.way {
            Way::Boasts => Has::Everything,
            _ => Has::Only(self.proven.clone()),
        }
    }

    pub(crate) fn flow(&mut self, request: RequestId) -> Option<&mut Flow> {
        self.flows.iter_mut().find(|flow| flow.request == request)
    }

    pub(crate) fn session_with(&self, with: u32) -> Option<Session> {
        self.sessions.iter().copied().find(|session| session.with == with)
    }
}
