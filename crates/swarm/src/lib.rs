//! The swarm: who is there, and who has what.
//!
//! This crate finds the other machines (on the LAN, through bootstrap members, through members of members), keeps one
//! encrypted connection with each of them, and asks them all when someone looks for a content. It names candidates; bytes
//! are the exchange's. It must never see a piece, a file or a job, must never decide whom to believe about bytes, and must
//! never know the exchange or the engine. It is the only crate that names libp2p's swarm types.
//!
//! Start reading with [`Swarm`] (what the rest of the house may ask), then `node` (the one task that does everything),
//! `frame` (what peers say to each other), `book` (who is known and dialled when) and `gate` (who may connect). `book`,
//! `wishes`, `frame` and `bucket` decide, are given the time, and do no I/O.

mod beacon;
mod behaviour;
mod book;
mod bucket;
mod config;
mod doorway;
mod frame;
mod gate;
mod interfaces;
mod keys;
mod memory;
mod names;
mod net;
mod node;
mod swarm;
mod view;
mod wire;
mod wishes;

pub use bucket::Rate;
pub use config::{
    Bootstrap, Config, DEFAULT_PORT, Directory, Incident, Limits, Mode, NoBootstrap, Reach, Role, Way,
};
pub use libp2p::PeerId;
pub use net::{InterfaceRule, Interfaces, NoSubnet, Subnet};
pub use swarm::{Candidate, Finding, Swarm, SwarmError};
pub use view::{Counts, MemberView, PeerState, PeerView};
