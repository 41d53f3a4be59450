//! Who runs: all foreground jobs together, and beside them a few background jobs (reference 3.4, 7.8).
//!
//! Each of the two lanes has places. Within a lane the more urgent priority goes first and pushes out the
//! less urgent. Within a priority, owners take turns, and the jobs of an owner take turns: whoever was
//! served longest ago is next, and a job that has had its time slice makes room when somebody waits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::{JobId, Owner, Priority, Timestamp};

/// The numbers of the scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Foreground jobs that run at once. BITS has no bound; 60 is what one user may have.
    pub foreground: usize,
    /// Background jobs that run at once. BITS has 1.
    pub background: usize,
    /// How long a job runs while others of its priority wait. BITS does not publish its own; a minute is
    /// long enough for the cost of stopping and starting not to matter.
    pub time_slice: Duration,
}

impl Default for Places {
    fn default() -> Places {
        Places { foreground: 60, background: 1, time_slice: Duration::from_secs(60) }
    }
}

/// What the scheduler knows of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) owner: Owner,
    pub(crate) priority: Priority,
    pub(crate) running: bool,
    /// Orders jobs that began to wait at the same moment.
    pub(crate) created: Timestamp,
}

/// What should happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    Select(JobId),
    Preempt(JobId),
}

/// One job that waits, in the order in which the jobs of an owner are served.
type Turn = (u64, Timestamp, JobId);

#[derive(Clone, Debug)]
struct Member {
    candidate: Candidate,
    turn: Turn,
    slice_end: Duration,
}

#[derive(Clone, Debug, Default)]
struct Seat {
    members: usize,
    /// When a job of this owner was last selected, as a count of selections; 0 is never.
    served: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    places: Places,
    members: BTreeMap<JobId, Member>,
    ready: BTreeMap<Priority, BTreeMap<Owner, BTreeSet<Turn>>>,
    running: [BTreeSet<JobId>; 2],
    seats: BTreeMap<Owner, Seat>,
    /// Counts arrivals in the queue and selections; only its order matters.
    clock: u64,
}

const FOREGROUND: usize = 0;
const BACKGROUND: usize = 1;

fn lane_of(priority: Priority) -> usize {
    if priority == Priority::Foreground { FOREGROUND } else { BACKGROUND }
}

fn priorities_of(lane: usize) -> &'static [Priority] {
    if lane == FOREGROUND { &Priority::ALL[..1] } else { &Priority::ALL[1..] }
}

impl Schedule {
    pub(crate) fn new(places: Places) -> Schedule {
        Schedule {
            places,
            members: BTreeMap::new(),
            ready: BTreeMap::new(),
            running: [BTreeSet::new(), BTreeSet::new()],
            seats: BTreeMap::new(),
            clock: 0,
        }
    }

    /// The job waits or runs like this now; `None`: it does neither.
    pub(crate) fn update(&mut self, now: Duration, id: JobId, candidate: Option<Candidate>) {
        let old = self.members.get(&id).map(|member| &member.candidate);
        if old == candidate.as_ref() {
            return;
        }
        // Before the old entry goes, so that the turn of an owner with one job is not forgotten in between.
        if let Some(candidate) = &candidate {
            self.seats.entry(candidate.owner.clone()).or_default().members += 1;
        }
        let old = self.take(id);
        let Some(candidate) = candidate else { return };
        // A job that only changes its priority keeps its turn and its slice.
        let kept = old.filter(|old| old.candidate.running == candidate.running);
        let (turn, slice_end) = match kept {
            Some(old) => (old.turn, old.slice_end),
            None => {
                self.clock += 1;
                ((self.clock, candidate.created, id), now + self.places.time_slice)
            }
        };
        if candidate.running {
            self.running[lane_of(candidate.priority)].insert(id);
        } else {
            let owners = self.ready.entry(candidate.priority).or_default();
            owners.entry(candidate.owner.clone()).or_default().insert(turn);
        }
        self.members.insert(id, Member { candidate, turn, slice_end });
    }

    fn take(&mut self, id: JobId) -> Option<Member> {
        let member = self.members.remove(&id)?;
        let Candidate { owner, priority, running, .. } = &member.candidate;
        if *running {
            self.running[lane_of(*priority)].remove(&id);
        } else {
            let owners = self.ready.entry(*priority).or_default();
            let turns = owners.entry(owner.clone()).or_default();
            turns.remove(&member.turn);
            if turns.is_empty() {
                owners.remove(owner);
            }
        }
        if let Some(seat) = self.seats.get_mut(owner) {
            seat.members -= 1;
            if seat.members == 0 {
                self.seats.remove(owner);
            }
        }
        Some(member)
    }

    /// The next thing to do, or `None` when everything is as it should be. To be asked again until then.
    pub(crate) fn next(&mut self, now: Duration) -> Option<Move> {
        self.next_in(FOREGROUND, now).or_else(|| self.next_in(BACKGROUND, now))
    }

    fn next_in(&mut self, lane: usize, now: Duration) -> Option<Move> {
        let places = if lane == FOREGROUND { self.places.foreground } else { self.places.background };
        let running = self.running[lane].len();
        if running > places {
            return self.least_urgent(lane).map(Move::Preempt);
        }
        let best = self.best(lane)?;
        if running < places {
            self.clock += 1;
            let owner = &self.members[&best].candidate.owner;
            self.seats.entry(owner.clone()).or_default().served = self.clock;
            return Some(Move::Select(best));
        }
        let victim = self.victim(lane, best, now);
        if victim.is_none() {
            self.renew_slices(lane, now);
        }
        victim.map(Move::Preempt)
    }

    /// Of the jobs that wait in a lane, the one whose turn it is.
    fn best(&self, lane: usize) -> Option<JobId> {
        let owners = priorities_of(lane).iter().filter_map(|p| self.ready.get(p)).find(|o| !o.is_empty())?;
        let (_, turns) = owners.iter().min_by_key(|(owner, _)| self.served(owner))?;
        turns.first().map(|(_, _, id)| *id)
    }

    fn served(&self, owner: &Owner) -> u64 {
        self.seats.get(owner).map_or(0, |seat| seat.served)
    }

    fn least_urgent(&self, lane: usize) -> Option<JobId> {
        self.running[lane].iter().copied().max_by_key(|id| {
            let member = &self.members[id];
            (member.candidate.priority, member.slice_end)
        })
    }

    /// The running job that makes room for `best`: a less urgent one at once; one of the same priority after
    /// its time slice, if it would not be its turn again.
    fn victim(&self, lane: usize, best: JobId, now: Duration) -> Option<JobId> {
        let best = &self.members[&best].candidate;
        let worst = self.least_urgent(lane)?;
        if self.members[&worst].candidate.priority > best.priority {
            return Some(worst);
        }
        let over = |id: &JobId| {
            let member = &self.members[id];
            let running = &member.candidate;
            running.priority == best.priority
                && member.slice_end <= now
                && (running.owner == best.owner || self.served(&best.owner) < self.served(&running.owner))
        };
        self.running[lane].iter().copied().filter(over).min_by_key(|id| self.members[id].slice_end)
    }

    fn renew_slices(&mut self, lane: usize, now: Duration) {
        for id in &self.running[lane] {
            if let Some(member) = self.members.get_mut(id).filter(|member| member.slice_end <= now) {
                member.slice_end = now + self.places.time_slice;
            }
        }
    }

    /// When a time slice ends that somebody waits for.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        [FOREGROUND, BACKGROUND]
            .into_iter()
            .filter(|lane| self.best(*lane).is_some())
            .flat_map(|lane| self.running[lane].iter())
            .map(|id| self.members[id].slice_end)
            .min()
    }
}
