//! The section `[peers]`: who may give this machine bytes, and to whom it gives.
//!
//! Named after Delivery Optimization where it has a name; `deploy/drayd.toml` says both. The group's key is never a
//! setting, only the file that holds it is.

use std::path::PathBuf;

use dray_swarm::Bootstrap;
use serde::Deserialize;
use toml::Spanned;

use super::layers::Layers;
use super::lists::List;
use super::peer_values::{ByteCount, GroupName, Mode, Port, SelectBy, Switch};
use super::places::{Interface, Peer};
use super::{ConfigError, Count, PeerFlags, Setting};

/// Upload slots when nobody says otherwise.
const UPLOAD_SLOTS: u32 = 8;
/// Asking around for a smaller file costs more than fetching it.
const MIN_FILE_SIZE: u64 = 1 << 20;

type Value<T> = Option<Spanned<T>>;

/// The section as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Section {
    mode: Value<Mode>,
    group: Value<GroupName>,
    group_key_file: Value<PathBuf>,
    port: Value<Port>,
    bootstrap: Value<List<Bootstrap>>,
    mdns: Value<Switch>,
    interfaces: Value<List<Interface>>,
    exclude_interfaces: Value<List<Interface>>,
    select_peers_by: Value<SelectBy>,
    allow: Value<List<Peer>>,
    block: Value<List<Peer>>,
    min_file_size: Value<ByteCount>,
    max_upload_bytes_per_s: Value<ByteCount>,
    upload_slots: Value<Count>,
}

/// The section, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peers {
    pub(crate) mode: Setting<Mode>,
    pub(crate) group: Setting<GroupName>,
    /// Holds the secret that the machines of the group share; readable by the daemon alone.
    pub(crate) group_key_file: Setting<PathBuf>,
    pub(crate) port: Setting<Port>,
    pub(crate) bootstrap: Setting<List<Bootstrap>>,
    /// Whether neighbours are looked for on the network itself.
    pub(crate) mdns: Setting<Switch>,
    /// Where peers are talked to; empty: everywhere but on loopback.
    pub(crate) interfaces: Setting<List<Interface>>,
    pub(crate) exclude_interfaces: Setting<List<Interface>>,
    pub(crate) select_peers_by: Setting<SelectBy>,
    pub(crate) allow: Setting<List<Peer>>,
    pub(crate) block: Setting<List<Peer>>,
    /// Smaller files come without peers.
    pub(crate) min_file_size: Setting<ByteCount>,
    /// To all peers together; 0 is no limit.
    pub(crate) max_upload_bytes_per_s: Setting<ByteCount>,
    /// Peers that are given bytes at the same time.
    pub(crate) upload_slots: Setting<Count>,
}

impl Peers {
    pub(super) fn gather(layers: &Layers<'_>, flags: PeerFlags) -> Result<Peers, ConfigError> {
        let group = layers
            .pick("DRAY_GROUP", ("--group", flags.group), |f| f.peers.group.as_ref())?
            .or_default(GroupName::default());
        // Naming a group is enough to be in it.
        let usual_mode = if group.value.0.is_empty() { Mode::Lan } else { Mode::Group };
        let mode: Setting<Mode> = layers
            .pick("DRAY_MODE", ("--mode", flags.mode), |f| f.peers.mode.as_ref())?
            .or_default(usual_mode);
        // "The same network" is a subnet; a group is wherever its members are.
        let usual_selection = if mode.value == Mode::Group { SelectBy::None } else { SelectBy::Subnet };
        let peers = Peers {
            mode,
            group,
            group_key_file: layers
                .path("DRAY_GROUP_KEY_FILE", ("--group-key-file", flags.group_key_file), |f| {
                    f.peers.group_key_file.as_ref()
                })?
                .or_default(layers.folder().join("group.key")),
            port: layers
                .pick("DRAY_PORT", ("--port", flags.port), |f| f.peers.port.as_ref())?
                .or_default(Port(dray_swarm::DEFAULT_PORT)),
            bootstrap: layers
                .pick("DRAY_BOOTSTRAP", ("--bootstrap", flags.bootstrap), |f| f.peers.bootstrap.as_ref())?
                .or_default(List::default()),
            mdns: layers.setting("DRAY_MDNS", |f| f.peers.mdns.as_ref())?.or_default(Switch(true)),
            interfaces: layers
                .setting("DRAY_INTERFACES", |f| f.peers.interfaces.as_ref())?
                .or_default(List::default()),
            exclude_interfaces: layers
                .setting("DRAY_EXCLUDE_INTERFACES", |f| f.peers.exclude_interfaces.as_ref())?
                .or_default(List::default()),
            select_peers_by: layers
                .setting("DRAY_SELECT_PEERS_BY", |f| f.peers.select_peers_by.as_ref())?
                .or_default(usual_selection),
            allow: layers
                .setting("DRAY_ALLOW_PEERS", |f| f.peers.allow.as_ref())?
                .or_default(List::default()),
            block: layers
                .setting("DRAY_BLOCK_PEERS", |f| f.peers.block.as_ref())?
                .or_default(List::default()),
            min_file_size: layers
                .setting("DRAY_MIN_FILE_SIZE", |f| f.peers.min_file_size.as_ref())?
                .or_default(ByteCount(MIN_FILE_SIZE)),
            max_upload_bytes_per_s: layers
                .setting("DRAY_MAX_UPLOAD_BYTES_PER_S", |f| f.peers.max_upload_bytes_per_s.as_ref())?
                .or_default(ByteCount(0)),
            upload_slots: layers
                .setting("DRAY_UPLOAD_SLOTS", |f| f.peers.upload_slots.as_ref())?
                .or_default(Count(UPLOAD_SLOTS)),
        };
        peers.check()?;
        Ok(peers)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.mode.value == Mode::Group && self.group.value.0.is_empty() {
            let what = "the mode is group, and no group is named; name one with group = \"NAME\" or --group";
            return Err(ConfigError::Value { from: self.mode.from.clone(), what: what.to_owned() });
        }
        if self.select_peers_by.value == SelectBy::List && self.allow.value.0.is_empty() {
            let what =
                "peers are selected by list, and the list allow is empty; name at least one peer or subnet";
            return Err(ConfigError::Value {
                from: self.select_peers_by.from.clone(),
                what: what.to_owned(),
            });
        }
        Ok(())
    }
}
