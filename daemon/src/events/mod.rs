//! What happens to jobs, on its way to whoever watches.
//!
//! [`Hub`] knows the subscribers and what each may see; [`mailbox`] is the queue of one of them; [`happening`] makes
//! the messages.

mod happening;
mod hub;
mod mailbox;

pub(crate) use happening::{Happening, caught_up, events_lost, snapshot};
pub(crate) use hub::{Hub, Interest, Subscription};
pub(crate) use mailbox::Next;
