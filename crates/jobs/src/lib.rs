//! Jobs, files and their life cycle, with the semantics of BITS.
//!
//! This crate decides: what state a job is in, what a call may do to it, what happens next, and when. It is
//! given calls, events and the time, and returns results and effects; it never opens a file, never talks to
//! anyone, never asks a clock and never rolls dice. It must not know how bytes travel (engine, origin,
//! swarm), how records are stored or how the API looks (daemon, api). The specification is
//! `bits-do-api.md`; section numbers in the comments are its.
//!
//! Start reading at [`table`], the two tables that everything follows from; then [`Job`], the machine, with
//! [`Call`], [`Event`] and [`Effect`], and [`download`], the kind of job that Delivery Optimization has; then
//! [`Queue`], all jobs of a machine and who runs next; then [`Delivery`], who is told. [`code`] has the result codes that the whole house uses.

mod call;
pub mod code;
pub mod delivery;
mod effect;
mod failure;
mod file;
mod job;
pub mod limits;
mod names;
mod owner;
mod queue;
mod record;
mod schedule;
mod settings;
mod state;
pub mod table;
mod time;

pub use call::{Call, NewFile, NewJob};
pub use code::{Code, Context, ErrorClass, Wait};
pub use delivery::{Delivery, EventId, Scope, SubscriberId, Telling, Verdict};
pub use effect::{Effect, Event, FileEvent, Notice, RunId};
pub use failure::{Failure, Outcome};
pub use file::{BySource, File, FileProgress, Learned};
pub use job::download::{
    self, DownloadCall, DownloadProperty, DownloadState, DownloadStatus, DownloadValue, PropertyUse, Wanted,
};
pub use job::{Job, JobError, JobProgress, JobTimes, Properties, Renamed, TimerKind};
pub use limits::{Limits, Rules};
pub use names::{LocalName, PathRules, RemoteName};
pub use owner::{Caller, FileIndex, JobId, Owner};
pub use queue::{Command, Queue};
pub use record::{FilePhase, FileRecord, JobRecord, RecordError};
pub use schedule::Places;
pub use settings::{
    AclFlags, NotifyCommand, NotifyFlags, PeerFlags, Priority, Property, PropertyId, Setting,
};
pub use state::{JobState, JobType};
pub use time::{Now, Timestamp};
