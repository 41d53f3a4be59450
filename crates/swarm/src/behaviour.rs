//! The libp2p half: encryption, and the protocols spoken over one connection.

use std::time::Duration;

use dray_identity::{Group, NodeKey};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::futures::{AsyncRead, AsyncWrite};
use libp2p::pnet::{PnetConfig, PreSharedKey};
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{PeerId, Swarm, Transport, connection_limits, identify, noise, ping, yamux};

use crate::config::Limits;
use crate::doorway::Doorway;
use crate::gate::Gate;
use crate::node::kademlia;
use crate::wire::{Codec, PROTOCOL};

/// What a peer reads about this program. The version of the protocols, not of the program, decides who speaks to whom.
const AGENT: &str = concat!("dray/", env!("CARGO_PKG_VERSION"));
/// Streams open at the same time on one connection. Each may hold 256 KiB that nobody has read, so this bounds what one
/// peer can make this machine keep.
const MAX_STREAMS: usize = 16;
/// Streams of one connection that have not yet said which protocol they are for.
const MAX_NEGOTIATING: usize = 8;
/// Requests of one peer that are being answered at the same time.
const MAX_ANSWERING: usize = 4;
/// Two at once for the moment in which both ends dial each other.
pub(crate) const MAX_PER_PEER: u32 = 2;
/// How often an identity is said again; the port in it hardly ever changes.
const IDENTIFY_EVERY: Duration = Duration::from_secs(30 * 60);
/// A connection lives until someone ends it.
const NEVER: Duration = Duration::from_secs(u64::MAX);

/// Everything spoken on a connection.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) gate: Gate,
    limits: connection_limits::Behaviour,
    pub(crate) identify: identify::Behaviour,
    ping: ping::Behaviour,
    pub(crate) find: request_response::Behaviour<Codec>,
    pub(crate) kademlia: Toggle<kademlia::Behaviour>,
}

/// Puts the parts together; nothing runs until it is polled.
pub(crate) fn build(
    key: &NodeKey,
    group: Option<&Group>,
    limits: &Limits,
    doorway: Doorway,
    gate: Gate,
) -> Result<Swarm<Behaviour>, noise::Error> {
    let keypair = key.keypair();
    let noise = noise::Config::new(&keypair)?;
    let transport = match group {
        Some(group) => {
            let guard = PnetConfig::new(PreSharedKey::new(*group.psk()));
            secure(doorway.and_then(move |stream, _| guard.handshake(stream)), noise, limits.handshake)
        }
        None => secure(doorway, noise, limits.handshake),
    };
    let identify = identify::Config::new("/dray/1".to_owned(), keypair.public())
        .with_agent_version(AGENT.to_owned())
        .with_interval(IDENTIFY_EVERY)
        .with_push_listen_addr_updates(true)
        .with_cache_size(0);
    let find = request_response::Config::default()
        .with_request_timeout(limits.reply)
        .with_max_concurrent_streams(MAX_ANSWERING);
    // Less than what libp2p waits, so that the one who is late is known.
    let codec = Codec { patience: limits.reply / 2 };
    let connections = connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(limits.pending_inbound))
        .with_max_pending_outgoing(Some(limits.pending_outbound))
        .with_max_established(Some(limits.connections))
        .with_max_established_per_peer(Some(MAX_PER_PEER));
    let behaviour = Behaviour {
        gate,
        limits: connection_limits::Behaviour::new(connections),
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(limits.ping).with_timeout(limits.reply)),
        find: request_response::Behaviour::with_codec(codec, [(PROTOCOL, ProtocolSupport::Full)], find),
        kademlia: group.and_then(|group| kademlia::behaviour(key.peer_id(), group)).into(),
    };
    let config = libp2p::swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(NEVER)
        .with_max_negotiating_inbound_streams(MAX_NEGOTIATING);
    Ok(Swarm::new(transport, behaviour, key.peer_id(), config))
}

fn secure<T, S>(transport: T, noise: noise::Config, handshake: Duration) -> Boxed<(PeerId, StreamMuxerBox)>
where
    T: Transport<Output = S> + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send,
    T::ListenerUpgrade: Send,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut streams = yamux::Config::default();
    streams.set_max_num_streams(MAX_STREAMS);
    transport.upgrade(Version::V1Lazy).authenticate(noise).multiplex(streams).timeout(handshake).boxed()
}
