//! The other machines: from what the configuration says to the running planes, and what they look like from here.
//!
//! The engine moves the bytes and decides whom to believe; this module gives it what it was configured with ([`start`]), looks at what
//! is there ([`view`], [`watch`]), and says in words why peers were not used ([`advice`]).

mod advice;
mod group_key;
mod start;
mod view;
mod watch;

use std::path::Path;
use std::sync::Arc;

use dray_cache::Store;
use dray_engine::Peers;

use crate::config::{self, Mode, Setting};
use crate::history::Told;

pub(crate) use advice::told;
pub(crate) use view::Row;

/// Whether and how this machine takes part.
pub(crate) struct Peering {
    pub(crate) mode: Mode,
    /// Empty when there is none.
    pub(crate) group: String,
    state: Result<Peers, Told>,
}

impl Peering {
    /// No peers, because the configuration says so.
    pub(crate) fn off(mode: &Setting<Mode>, group: &str) -> Peering {
        let from = match mode.from {
            config::Source::Default => "nobody said otherwise".to_owned(),
            ref from => format!("{from} says so"),
        };
        let why = Told {
            name: "mode".to_owned(),
            sentence: format!("No peers: the mode is {}; {from}.", mode.value),
            hint: "Set `mode = \"lan\"`, or name a group, under [peers] in drayd.toml, and restart drayd."
                .to_owned(),
            against: true,
        };
        Peering { mode: mode.value, group: group.to_owned(), state: Err(why) }
    }

    /// What the configuration asks for, or the reason why it could not be had, which is a warning too.
    pub(crate) fn start(
        settings: &config::Peers,
        state_dir: &Path,
        cache: Option<Arc<Store>>,
        warnings: &mut Vec<String>,
    ) -> Peering {
        let group = &settings.group.value.0;
        if !settings.mode.value.has_peers() {
            return Peering::off(&settings.mode, group);
        }
        let state = start::start(settings, state_dir, cache, warnings);
        if let Err(why) = &state {
            warnings.push(why.sentence.trim_end_matches('.').to_owned());
        }
        let group = if settings.mode.value == Mode::Group { group.clone() } else { String::new() };
        Peering { mode: settings.mode.value, group, state }
    }

    /// The running planes.
    pub(crate) fn peers(&self) -> Option<&Peers> {
        self.state.as_ref().ok()
    }

    /// Why peers are not used; `None` when they are.
    pub(crate) fn why_off(&self) -> Option<&Told> {
        self.state.as_ref().err()
    }

    /// Takes leave of the others.
    pub(crate) async fn stop(&self) {
        if let Ok(peers) = &self.state {
            peers.stop().await;
        }
    }
}
