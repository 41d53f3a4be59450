//! Peers, as the daemon was told to use them: from the configuration to the running swarm, or to the reason why there is none.

mod advice;

use crate::config::{Mode, Setting};
use crate::history::Told;

pub(crate) use advice::advice;

/// Whether and how this machine takes part.
pub(crate) struct Peering {
    pub(crate) mode: Mode,
    /// Empty when there is none.
    pub(crate) group: String,
    why_off: Option<Told>,
}

impl Peering {
    /// No peers, because the configuration says so.
    pub(crate) fn off(mode: &Setting<Mode>, group: &str) -> Peering {
        let sentence = format!("No peers: the mode is {}, says the {}.", mode.value, mode.from);
        let why_off = Told {
            name: "mode".to_owned(),
            sentence,
            hint: "Set `mode = \"lan\"` (or name a group) under [peers] in drayd.toml and restart drayd."
                .to_owned(),
            against: true,
        };
        Peering { mode: mode.value, group: group.to_owned(), why_off: Some(why_off) }
    }

    /// Why peers are not used; `None` when they are.
    pub(crate) fn why_off(&self) -> Option<&Told> {
        self.why_off.as_ref()
    }

    /// What holds now for every file on this machine.
    pub(crate) fn machine(&self) -> Vec<Told> {
        self.why_off.iter().cloned().collect()
    }
}
