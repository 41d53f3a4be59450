//! The world: a clock that jumps from event to event, and what must hold at each of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use dray_planner::{
    CancelReason, Command, Failure, Member, Ranges, RequestId, Source, SourceKind, Wish, neighbours,
};
use dray_ranges::{ByteRange, RangeSet};

use crate::machine::{Flow, Machine, News, Order, Session};
use crate::setting::{Setting, Way};
use crate::uplink::Uplink;

/// No swarm of these tests takes longer than this, in virtual time.
const FOREVER: u64 = 3_600 * 1_000_000_000;

/// To so many on each side of the ring a machine is introduced.
const INTRODUCED: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Join(u32),
    Die(u32),
    Meet(u32, u32),
    Part(u32, u32),
    Cut,
    Wake(u32),
    /// A machine has gathered enough to tell.
    Tell(u32),
    /// The news with this number are heard.
    Hear(u64),
    /// A request reaches the machine (`None` is the origin) that is to answer it.
    Asked {
        by: u32,
        request: u64,
        of: Option<u32>,
    },
    /// A machine has sent the next piece of what it is asked for first.
    Sent(u32),
    /// Bytes of a request are there.
    Came {
        at: u32,
        request: u64,
        end: u64,
    },
    Origin,
}

/// The world at one moment.
pub(crate) struct Swarm {
    pub(crate) setting: Setting,
    pub(crate) machines: Vec<Machine>,
    pub(crate) uplink: Uplink,
    pub(crate) now: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    next_event: u64,
    origin_at: u64,
    news: BTreeMap<u64, (u32, News)>,
    next_news: u64,
    is_cut: bool,
    running: usize,
    pub(crate) doubled: u64,
    pub(crate) steps: u64,
    dice: fastrand::Rng,
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("short")
}

impl Swarm {
    pub(crate) fn new(setting: Setting) -> Self {
        let mut dice = fastrand::Rng::with_seed(setting.seed);
        let machines = (setting.machines.iter())
            .map(|nature| {
                let mut bytes = [0; 32];
                dice.fill(&mut bytes);
                Machine::new(*nature, Member(bytes), &setting)
            })
            .collect();
        let mut swarm = Self {
            uplink: Uplink::new(setting.origin, setting.origin_each, setting.chunk, setting.is_unfair),
            machines,
            now: 0,
            events: BinaryHeap::new(),
            next_event: 0,
            origin_at: u64::MAX,
            news: BTreeMap::new(),
            next_news: 0,
            is_cut: false,
            running: 0,
            doubled: 0,
            steps: 0,
            dice,
            setting,
        };
        swarm.schedule_lives();
        swarm.schedule_meetings();
        swarm
    }

    fn schedule_lives(&mut self) {
        for at in 0..self.machines.len() {
            let nature = self.machines[at].nature;
            self.at(nanos(nature.joins), Event::Join(at as u32));
            if let Some(dies) = nature.dies {
                self.at(nanos(dies), Event::Die(at as u32));
            }
            if !nature.has_all && nature.dies.is_none() && nature.way == Way::Honest {
                self.running += 1;
            }
        }
        if let Some(partition) = self.setting.partition {
            self.at(nanos(partition.from), Event::Cut);
            self.at(nanos(partition.to), Event::Cut);
        }
    }

    /// Everyone chooses among those that it has heard of; a session needs one of two to choose the other.
    fn schedule_meetings(&mut self) {
        let members: Vec<Member> = self.machines.iter().map(|machine| machine.member).collect();
        let mut ring: Vec<usize> = (0..members.len()).collect();
        ring.sort_unstable_by_key(|at| members[*at]);
        let mut place = vec![0; ring.len()];
        ring.iter().enumerate().for_each(|(nth, at)| place[*at] = nth);
        let mut pairs = Vec::new();
        for (at, me) in members.iter().enumerate() {
            let heard: Vec<usize> = match self.setting.hears_of {
                None => (0..members.len()).collect(),
                Some(many) => {
                    let chance = (0..many).map(|_| self.dice.usize(0..members.len()));
                    let near = (0..=2 * INTRODUCED).map(|step| {
                        ring[(place[at] + ring.len() * INTRODUCED + step - INTRODUCED) % ring.len()]
                    });
                    let near = near.filter(|_| self.setting.introduces);
                    let heard: BTreeSet<usize> = chance.collect::<Vec<_>>().into_iter().chain(near).collect();
                    heard.into_iter().collect()
                }
            };
            let known: Vec<Member> = heard.iter().map(|other| members[*other]).collect();
            self.machines[at].hears_of = known.iter().filter(|other| *other != me).count();
            for chosen in neighbours(me, &known, self.setting.sessions) {
                let other = heard[chosen];
                pairs.push((at.min(other) as u32, at.max(other) as u32));
                self.machines[at].chosen.push(members[other]);
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        for (one, other) in pairs {
            self.schedule_meeting(one, other, 0);
        }
    }

    fn schedule_meeting(&mut self, one: u32, other: u32, from: u64) {
        let joined = |at: u32| nanos(self.setting.machines[at as usize].joins);
        let both = joined(one).max(joined(other)).max(from);
        let takes = self.dice.u64(0..=2 * nanos(self.setting.meets));
        self.at(both + takes, Event::Meet(one, other));
    }

    fn at(&mut self, time: u64, event: Event) {
        self.next_event += 1;
        self.events.push(Reverse((time, self.next_event, event)));
    }

    fn time(&self) -> Duration {
        Duration::from_nanos(self.now)
    }

    /// Runs until every honest machine that lives has all.
    pub(crate) fn run(&mut self) {
        while self.running > 0 {
            let Some(Reverse((time, _, event))) = self.events.pop() else {
                panic!("{} machines wait for nothing", self.running);
            };
            assert!(time < FOREVER, "no end: {} machines are not done", self.running);
            self.now = self.now.max(time);
            self.steps += 1;
            self.happens(event);
        }
        self.check_totals();
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Join(at) => {
                let now = self.time();
                self.machines[at as usize].join(now, &self.setting);
                self.machines[at as usize].moved = self.now;
                self.drive(at);
                if let Some(ticks) = self.setting.ticks {
                    let phase = self.dice.u64(0..nanos(ticks));
                    self.at(self.now + phase, Event::Wake(at));
                }
                if self.machines[at as usize].nature.way == Way::Hoards {
                    self.tell(at);
                }
            }
            Event::Die(at) => self.die(at),
            Event::Meet(one, other) => self.meet(one, other),
            Event::Part(one, other) => {
                self.part(one, other);
                self.part(other, one);
            }
            Event::Cut => self.cut(),
            Event::Wake(at) => self.wake(at),
            Event::Tell(at) => self.tell(at),
            Event::Hear(number) => self.hear(number),
            Event::Asked { by, request, of } => self.asked(by, RequestId(request), of),
            Event::Sent(at) => self.sent(at),
            Event::Came { at, request, end } => self.came(at, RequestId(request), end),
            Event::Origin => self.origin_sends(),
        }
    }

    fn die(&mut self, at: u32) {
        let machine = &mut self.machines[at as usize];
        machine.is_up = false;
        machine.orders.clear();
        let flows = std::mem::take(&mut machine.flows);
        for flow in flows.iter().filter(|flow| flow.from.is_none()) {
            self.uplink.drop(self.now, (at, flow.request.0));
        }
        let notice = self.now + nanos(self.setting.notices);
        for session in std::mem::take(&mut self.machines[at as usize].sessions) {
            self.at(notice, Event::Part(at, session.with));
        }
        self.schedule_origin();
    }

    fn reaches(&self, one: u32, other: u32) -> bool {
        let side = |at: u32| self.setting.partition.is_some_and(|cut| (at as usize) < cut.machines);
        !self.is_cut || side(one) == side(other)
    }

    fn cut(&mut self) {
        self.is_cut = !self.is_cut;
        let mut pairs = Vec::new();
        let cut = self.setting.partition.expect("it happens").machines;
        for one in 0..cut {
            for other in cut..self.machines.len() {
                pairs.push((one as u32, other as u32));
            }
        }
        let notice = self.now + nanos(self.setting.notices);
        for (one, other) in pairs {
            if self.is_cut {
                self.at(notice, Event::Part(one, other));
            } else {
                self.schedule_meeting(one, other, self.now);
            }
        }
    }

    fn meet(&mut self, one: u32, other: u32) {
        let both = [one, other];
        let able = both.iter().all(|at| self.machines[*at as usize].is_up) && self.reaches(one, other);
        let hostile = both.iter().any(|at| {
            let machine = &self.machines[*at as usize];
            machine.banned.contains(&one) || machine.banned.contains(&other)
        });
        if !able || hostile || self.machines[one as usize].session_with(other).is_some() {
            return;
        }
        for (at, with) in [(one, other), (other, one)] {
            let now = self.time();
            let size = self.setting.size;
            let theirs = &self.machines[with as usize];
            let (has, peer) = (theirs.says_it_has(), theirs.as_peer(size));
            let about = Source { kind: SourceKind::Peer, ranges: Ranges::Yes, has, max_requests: 8 };
            let machine = &mut self.machines[at as usize];
            let source = machine.planner.add_source(now, about);
            machine.planner.update_peer(now, source, peer);
            machine.sessions.push(Session { with, source, mirror: source });
        }
        let ends = both.map(|at| self.machines[at as usize].sessions.len() - 1);
        let sources = [0, 1].map(|side| self.machines[both[side] as usize].sessions[ends[side]].source);
        for side in [0, 1] {
            self.machines[both[side] as usize].sessions[ends[side]].mirror = sources[1 - side];
        }
        self.drive(one);
        self.drive(other);
    }

    /// A machine notices that another is gone.
    fn part(&mut self, at: u32, from: u32) {
        let now = self.time();
        let machine = &mut self.machines[at as usize];
        let Some(session) = machine.session_with(from) else { return };
        machine.sessions.retain(|session| session.with != from);
        machine.planner.remove_source(now, session.source);
        self.drive(at);
    }

    fn wake(&mut self, at: u32) {
        let now = self.time();
        let machine = &mut self.machines[at as usize];
        machine.wakes_at = u64::MAX;
        if !machine.is_up || machine.done_at.is_some() {
            return;
        }
        if machine.planner.timeout().is_some_and(|timeout| timeout <= now) {
            machine.planner.handle_timeout(now);
            let due = machine.planner.next_due();
            assert!(due.is_none_or(|(time, _)| time > now), "{due:?} is due for ever");
        }
        self.drive(at);
        if let Some(ticks) = self.setting.ticks {
            let machine = &self.machines[at as usize];
            let waits = machine.planner.timeout().is_some() || machine.planner.done();
            assert!(waits, "machine {at} waits without a deadline: {:?}", machine.planner.missing());
            self.at(self.now + nanos(ticks), Event::Wake(at));
        }
    }

    /// Does what a machine's planner says, and sees to it that it is woken.
    fn drive(&mut self, at: u32) {
        if !self.machines[at as usize].is_up {
            return;
        }
        let now = self.time();
        let mut burst = 0;
        while let Some(command) = self.machines[at as usize].planner.poll(now) {
            burst += 1;
            assert!(burst < 2_000, "no end of commands");
            self.obey(at, command);
        }
        let ticks = self.setting.ticks.is_some();
        let machine = &mut self.machines[at as usize];
        if machine.done_at.is_none() && machine.planner.done() {
            self.is_done(at);
        } else if !ticks && machine.is_up {
            let timeout = machine.planner.timeout().map(nanos);
            let waits = timeout.is_some() || machine.planner.done();
            assert!(waits, "machine {at} waits without a deadline: {:?}", machine.planner);
            if let Some(timeout) = timeout.filter(|timeout| *timeout < machine.wakes_at) {
                machine.wakes_at = timeout;
                self.at(timeout.max(self.now), Event::Wake(at));
            }
        }
        self.tell_soon(at);
    }

    /// It has all: every byte of it is right.
    fn is_done(&mut self, at: u32) {
        let machine = &mut self.machines[at as usize];
        let whole = ByteRange::new(0, self.setting.size).expect("not empty");
        assert!(machine.proven.contains_range(&whole), "machine {at} is done without all bytes");
        machine.done_at = Some(self.now);
        let counted = matches!(machine.nature.way, Way::Honest) && machine.nature.dies.is_none();
        if counted && !machine.nature.has_all {
            self.running -= 1;
        }
    }

    fn obey(&mut self, at: u32, command: Command) {
        match command {
            Command::Fetch { request, source, range } => self.fetch(at, request, source, range),
            Command::Shorten { request, end } => {
                let machine = &mut self.machines[at as usize];
                let flow = machine.flow(request).expect("only a running request is shortened");
                flow.end = flow.end.min(end);
                let (from, left) = (flow.from, flow.end.saturating_sub(flow.next));
                if from.is_none() {
                    self.uplink.shorten((at, request.0), left);
                    self.schedule_origin();
                }
            }
            Command::Cancel { request, reason } => {
                let machine = &mut self.machines[at as usize];
                let flow = machine.flow(request).expect("only a running request is cancelled");
                let is_origin = flow.from.is_none();
                self.doubled += u64::from(reason == CancelReason::NotNeeded);
                machine.flows.retain(|flow| flow.request != request);
                if is_origin {
                    self.uplink.drop(self.now, (at, request.0));
                    self.schedule_origin();
                }
            }
        }
    }

    fn fetch(&mut self, at: u32, request: RequestId, source: dray_planner::SourceId, wish: Wish) {
        let machine = &mut self.machines[at as usize];
        let end = wish.end.unwrap_or(self.setting.size);
        let range = ByteRange::new(wish.start, end).expect("something is asked for");
        assert!(range.end() <= self.setting.size, "{range:?} is beyond the end");
        let from = match source == machine.origin {
            true => None,
            false => {
                let session = machine.sessions.iter().find(|session| session.source == source);
                Some(session.expect("only who is there is asked").with)
            }
        };
        machine.flows.push(Flow { request, from, next: range.start(), end });
        let of_origin = machine.flows.iter().filter(|flow| flow.from.is_none()).count();
        assert!(of_origin <= usize::from(self.setting.origin_requests), "too many requests to the origin");
        assert!(machine.flows.len() <= 26, "too many requests");
        if let Some(other) = from {
            let theirs = &self.machines[other as usize];
            let boasts = theirs.nature.way == Way::Boasts;
            assert!(boasts || theirs.proven.contains_range(&range), "{range:?} is not what it has");
        }
        let arrives = self.now + nanos(self.setting.latency);
        self.at(arrives, Event::Asked { by: at, request: request.0, of: from });
    }

    fn asked(&mut self, by: u32, request: RequestId, of: Option<u32>) {
        let Some(flow) = self.machines[by as usize].flow(request).copied() else { return };
        let Some(other) = of else {
            if self.setting.origin_dies.is_some_and(|dies| nanos(dies) <= self.now) {
                return self.fails(by, request);
            }
            self.uplink.begin(self.now, (by, request.0), flow.end - flow.next);
            self.schedule_origin();
            return;
        };
        let giver = &mut self.machines[other as usize];
        if giver.is_up && giver.nature.way != Way::Boasts && giver.nature.way != Way::Hoards {
            giver.orders.push_back(Order { to: by, request, next: flow.next, end: flow.end });
            self.send(other);
        }
    }

    /// A request to the origin breaks.
    fn fails(&mut self, at: u32, request: RequestId) {
        let now = self.time();
        let machine = &mut self.machines[at as usize];
        if machine.flow(request).is_none() {
            return;
        }
        machine.flows.retain(|flow| flow.request != request);
        machine.planner.failed(now, request, Failure::Retry { after: Duration::ZERO });
        self.drive(at);
    }

    /// Begins to send the next piece, if nothing is being sent.
    fn send(&mut self, at: u32) {
        let machine = &mut self.machines[at as usize];
        if machine.is_sending {
            return;
        }
        if let Some(order) = machine.orders.front() {
            machine.is_sending = true;
            let piece = self.setting.piece_len.min(order.end - order.next);
            let takes = piece * 1_000_000_000 / machine.nature.up;
            self.at(self.now + takes, Event::Sent(at));
        }
    }

    fn sent(&mut self, at: u32) {
        let piece_len = self.setting.piece_len;
        let machine = &mut self.machines[at as usize];
        machine.is_sending = false;
        let Some(mut order) = machine.orders.pop_front() else { return };
        let end = order.end.min(order.next + piece_len);
        let len = end - order.next;
        order.next = end;
        let is_wanted = self.machines[order.to as usize].flow(order.request).is_some();
        if is_wanted && order.next < order.end {
            self.machines[at as usize].orders.push_front(order);
        }
        if is_wanted && self.reaches(at, order.to) {
            let to = &mut self.machines[order.to as usize];
            let takes = len * 1_000_000_000 / to.nature.down;
            let arrives = self.now.max(to.receives_until + takes) + nanos(self.setting.latency);
            to.receives_until = (to.receives_until + takes).max(self.now);
            self.at(arrives, Event::Came { at: order.to, request: order.request.0, end });
        }
        // What nobody waits for any more is not sent.
        while let Some(next) = self.machines[at as usize].orders.front().copied() {
            if self.machines[next.to as usize].flow(next.request).is_some() {
                break;
            }
            self.machines[at as usize].orders.pop_front();
        }
        self.send(at);
    }

    fn schedule_origin(&mut self) {
        if let Some(due) = self.uplink.due().filter(|due| *due < self.origin_at || self.origin_at <= self.now)
        {
            self.origin_at = due.max(self.now);
            self.at(self.origin_at, Event::Origin);
        }
    }

    fn origin_sends(&mut self) {
        if self.now < self.origin_at {
            return;
        }
        self.origin_at = u64::MAX;
        while let Some(((at, request), bytes)) = self.uplink.take(self.now) {
            let Some(flow) = self.machines[at as usize].flow(RequestId(request)).copied() else { continue };
            self.came(at, RequestId(request), (flow.next + bytes).min(flow.end));
            if self.dice.u8(0..100) < self.setting.origin_breaks {
                self.uplink.drop(self.now, (at, request));
                self.fails(at, RequestId(request));
            }
        }
        self.schedule_origin();
    }

    /// Bytes up to `end` are there.
    fn came(&mut self, at: u32, request: RequestId, end: u64) {
        let now = self.time();
        let Some(flow) = self.machines[at as usize].flow(request).copied() else { return };
        let lies = flow.from.is_some_and(|from| self.machines[from as usize].nature.way == Way::Poisons);
        let machine = &mut self.machines[at as usize];
        let mut rest = ByteRange::new(flow.next, end.min(flow.end));
        let mut proven = RangeSet::new();
        while let Some(range) = rest {
            let Some(keep) = machine.planner.received(now, request, range) else {
                machine.wasted += range.len();
                break;
            };
            assert!(range.contains_range(&keep), "{keep:?} did not come");
            assert!(!machine.proven.overlaps(&keep), "{keep:?} is kept twice");
            machine.wasted += keep.start() - range.start();
            match flow.from {
                None => machine.from_origin += keep.len(),
                Some(_) => machine.from_peers += keep.len(),
            }
            if lies {
                machine.tainted.push((keep, flow.from.expect("a peer")));
            }
            machine.moved = self.now;
            proven.insert(keep);
            rest = ByteRange::new(keep.end(), range.end());
        }
        if let Some(flow) = machine.flow(request) {
            flow.next = flow.next.max(end.min(flow.end));
            if flow.next >= flow.end {
                machine.flows.retain(|flow| flow.request != request);
                machine.planner.finished(now, request);
            }
        }
        self.verify(at, proven);
        self.drive(at);
    }

    /// Each piece is verified as it is complete; a wrong one costs its sender the session.
    fn verify(&mut self, at: u32, fresh: RangeSet) {
        let now = self.time();
        let piece_len = self.setting.piece_len;
        for range in fresh.iter() {
            for piece in range.start() / piece_len..range.end().div_ceil(piece_len) {
                let machine = &mut self.machines[at as usize];
                let bytes =
                    ByteRange::new(piece * piece_len, ((piece + 1) * piece_len).min(self.setting.size));
                let bytes = bytes.expect("a piece is not empty");
                if !machine.planner.have().contains_range(&bytes) {
                    continue;
                }
                let liars: Vec<u32> = (machine.tainted.iter())
                    .filter(|(range, _)| range.overlaps(&bytes))
                    .map(|(_, liar)| *liar)
                    .collect();
                if liars.is_empty() {
                    machine.proven.insert(bytes);
                    machine.untold.insert(bytes);
                    continue;
                }
                machine.tainted.retain(|(range, _)| !range.overlaps(&bytes));
                machine.wrong += bytes.len();
                machine.planner.reject(now, bytes);
                for liar in liars {
                    self.machines[at as usize].banned.push(liar);
                    self.part(at, liar);
                    self.part(liar, at);
                }
            }
        }
    }

    /// What is new will be told after a while.
    fn tell_soon(&mut self, at: u32) {
        let machine = &mut self.machines[at as usize];
        if machine.is_telling || !machine.is_up {
            return;
        }
        let asks = !machine.told_fetching.is_empty() || machine.flows.iter().any(|flow| flow.from.is_none());
        let fetching =
            asks && machine.nature.way == Way::Honest && machine.planner.fetching() != machine.told_fetching;
        if machine.untold.is_empty() && !fetching {
            return;
        }
        machine.is_telling = true;
        let gathers = nanos(self.setting.gathers);
        self.at(self.now + gathers, Event::Tell(at));
    }

    fn tell(&mut self, at: u32) {
        let size = self.setting.size;
        let machine = &mut self.machines[at as usize];
        machine.is_telling = false;
        if !machine.is_up {
            return;
        }
        let gained = std::mem::take(&mut machine.untold);
        let peer = machine.as_peer(size);
        let is_news = peer.fetching != machine.told_fetching || machine.done_at.is_some();
        machine.told_fetching = peer.fetching.clone();
        if machine.nature.way == Way::Hoards {
            self.at(self.now + 1_000_000_000, Event::Tell(at));
        }
        let number = self.next_news;
        self.next_news += 1;
        self.news.insert(number, (at, News { gained, peer: is_news.then_some(peer) }));
        self.at(self.now + nanos(self.setting.latency), Event::Hear(number));
    }

    fn hear(&mut self, number: u64) {
        let now = self.time();
        let (from, news) = self.news.remove(&number).expect("it was sent");
        let sessions = std::mem::take(&mut self.machines[from as usize].sessions);
        for session in &sessions {
            if !self.reaches(from, session.with) {
                continue;
            }
            let machine = &mut self.machines[session.with as usize];
            if machine.done_at.is_some() || !machine.is_up {
                continue;
            }
            machine.planner.gained_all(now, session.mirror, &news.gained);
            if let Some(peer) = &news.peer {
                machine.planner.update_peer(now, session.mirror, peer.clone());
            }
            self.drive(session.with);
        }
        self.machines[from as usize].sessions = sessions;
    }

    /// What came is what was counted.
    fn check_totals(&self) {
        for (at, machine) in self.machines.iter().enumerate() {
            if machine.nature.has_all || machine.done_at.is_none() {
                continue;
            }
            let came = machine.from_origin + machine.from_peers - machine.wrong;
            assert_eq!(came, self.setting.size, "machine {at}");
            assert_eq!(machine.planner.bytes_from(machine.origin), machine.from_origin, "machine {at}");
        }
    }

    /// When the last of the honest machines that live had all, in seconds.
    pub(crate) fn last(&self) -> f64 {
        let done = self.machines.iter().filter(|machine| machine.nature.way == Way::Honest);
        done.filter_map(|machine| machine.done_at).max().unwrap_or(0) as f64 / 1e9
    }

    /// How often the honest machines that live took the file from the origin, between them.
    pub(crate) fn honest_copies(&self) -> f64 {
        let lives = |machine: &&Machine| machine.nature.way == Way::Honest && machine.nature.dies.is_none();
        let bytes: u64 = self.machines.iter().filter(lives).map(|machine| machine.from_origin).sum();
        bytes as f64 / self.setting.size as f64
    }

    /// No machine can have the file sooner than its own link brings it, nor than the origin has sent it once.
    pub(crate) fn bound(&self) -> f64 {
        let slowest = self.setting.machines.iter().map(|nature| nature.down).min().unwrap_or(1);
        self.setting.size as f64 / slowest.min(self.setting.origin) as f64
    }

    /// How often the file left the origin.
    pub(crate) fn copies(&self) -> f64 {
        self.uplink.sent as f64 / self.setting.size as f64
    }
}
