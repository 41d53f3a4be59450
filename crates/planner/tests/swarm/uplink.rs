//! The origin's uplink: all connections share it evenly, and none gets more than one connection can.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// What a connection that is dropped had on its way besides.
const IN_FLIGHT: u64 = 16 * 1024;

/// What an answer costs besides its body: the head of it.
pub(crate) const HEAD: u64 = 400;

/// One answer.
#[derive(Debug)]
struct Answer {
    left: u64,
    /// What comes at once, next.
    chunk: u64,
    /// Its part of the uplink, compared with others.
    weight: f64,
    /// Where on the virtual clock that is complete.
    due: f64,
}

/// Who an answer is for: a machine and its request.
pub(crate) type Key = (u32, u64);

/// The uplink. Its virtual clock counts the bytes that each connection has been given.
#[derive(Debug)]
pub(crate) struct Uplink {
    rate: f64,
    each: f64,
    chunk: u64,
    clock: f64,
    /// When the virtual clock was last set, in nanoseconds.
    now: u64,
    answers: BTreeMap<Key, Answer>,
    weights: f64,
    is_unfair: bool,
    queue: BinaryHeap<Reverse<(u64, Key)>>,
    /// Bytes that left the origin, heads included.
    pub(crate) sent: u64,
    /// Answers begun.
    pub(crate) asked: u64,
    /// How long it had nothing to send.
    pub(crate) idle: u64,
}

impl Uplink {
    pub(crate) fn new(rate: u64, each: u64, chunk: u64, is_unfair: bool) -> Self {
        Self {
            rate: rate as f64,
            each: each as f64,
            chunk,
            clock: 0.0,
            now: 0,
            answers: BTreeMap::new(),
            weights: 0.0,
            is_unfair,
            queue: BinaryHeap::new(),
            sent: 0,
            asked: 0,
            idle: 0,
        }
    }

    /// Bytes per second of a connection of weight one.
    fn pace(&self) -> f64 {
        (self.rate / self.weights.max(1.0)).min(self.each)
    }

    fn advance(&mut self, now: u64) {
        let passed = now.saturating_sub(self.now);
        if self.answers.is_empty() {
            self.idle += passed;
        } else {
            self.clock += self.pace() * passed as f64 / 1e9;
        }
        self.now = self.now.max(now);
    }

    pub(crate) fn begin(&mut self, now: u64, key: Key, len: u64) {
        self.advance(now);
        let chunk = self.chunk.min(len);
        let weight = if self.is_unfair { 1.0 + f64::from(key.0 % 4) } else { 1.0 };
        self.weights += weight;
        let due = self.clock + chunk as f64 / weight;
        self.answers.insert(key, Answer { left: len, chunk, weight, due });
        self.queue.push(Reverse((due.to_bits(), key)));
        self.sent += HEAD;
        self.asked += 1;
    }

    /// It ends after so many more bytes than have been given.
    pub(crate) fn shorten(&mut self, key: Key, left: u64) {
        if let Some(answer) = self.answers.get_mut(&key) {
            answer.left = answer.left.min(left.max(answer.chunk.min(answer.left)));
        }
    }

    pub(crate) fn drop(&mut self, now: u64, key: Key) {
        self.advance(now);
        if let Some(answer) = self.answers.remove(&key) {
            self.weights -= answer.weight;
            let gone = (answer.chunk as f64 - (answer.due - self.clock) * answer.weight).max(0.0) as u64;
            self.sent += (gone + IN_FLIGHT).min(answer.left);
        }
    }

    /// When the next chunk is complete, in nanoseconds.
    pub(crate) fn due(&mut self) -> Option<u64> {
        while let Some(Reverse((due, key))) = self.queue.peek().copied() {
            if self.answers.get(&key).is_some_and(|answer| answer.due.to_bits() == due) {
                let wait = (f64::from_bits(due) - self.clock).max(0.0) / self.pace() * 1e9;
                return Some(self.now + wait.ceil() as u64 + 1);
            }
            self.queue.pop();
        }
        None
    }

    /// A chunk that is complete by now: whose, and how many bytes.
    pub(crate) fn take(&mut self, now: u64) -> Option<(Key, u64)> {
        self.advance(now);
        let Reverse((due, key)) = self.queue.peek().copied()?;
        if f64::from_bits(due) > self.clock + 0.5 {
            return None;
        }
        self.queue.pop();
        let clock = self.clock;
        let Some(answer) = self.answers.get_mut(&key).filter(|answer| answer.due.to_bits() == due) else {
            return self.take(now);
        };
        let bytes = answer.chunk.min(answer.left);
        answer.left -= bytes;
        self.sent += bytes;
        if answer.left == 0 {
            self.weights -= answer.weight;
            self.answers.remove(&key);
        } else {
            answer.chunk = self.chunk.min(answer.left);
            answer.due = f64::from_bits(due).max(clock - 1.0) + answer.chunk as f64 / answer.weight;
            self.queue.push(Reverse((answer.due.to_bits(), key)));
        }
        Some((key, bytes))
    }
}
