//! Between the messages of the API and the types of the job machine: [`take`] what a client sends, [`show`] what it
//! gets, [`refusal`] when it gets nothing.

pub(crate) mod download;
pub(crate) mod refusal;
pub(crate) mod show;
pub(crate) mod take;
