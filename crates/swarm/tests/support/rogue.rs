//! A peer that speaks the protocols and means no good.

use std::future::pending;
use std::io;
use std::net::SocketAddr;

use dray_identity::Group;
use libp2p::core::upgrade::Version;
use libp2p::futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, StreamExt as _};
use libp2p::pnet::{PnetConfig, PreSharedKey};
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, Transport as _, identify, identity, noise, tcp, yamux,
};
use tokio::sync::mpsc;

/// What is written on one stream.
#[derive(Clone, Debug)]
pub struct Bytes {
    pub bytes: Vec<u8>,
    /// Whether the stream is ended after them; otherwise it stays open, silent.
    pub end: bool,
}

impl Bytes {
    /// A frame with a right length before it.
    pub fn frame(body: &[u8]) -> Self {
        let mut bytes = u16::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(body);
        Self { bytes, end: true }
    }

    pub fn raw(bytes: &[u8], end: bool) -> Self {
        Self { bytes: bytes.to_vec(), end }
    }
}

#[derive(Clone, Default)]
pub struct Raw;

impl request_response::Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    type Response = Bytes;

    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Bytes> {
        let mut bytes = Vec::new();
        io.read_to_end(&mut bytes).await?;
        Ok(Bytes { bytes, end: true })
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Bytes> {
        let mut bytes = Vec::new();
        io.read_to_end(&mut bytes).await?;
        Ok(Bytes { bytes, end: true })
    }

    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        what: Bytes,
    ) -> io::Result<()> {
        write(io, what).await
    }

    async fn write_response<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        what: Bytes,
    ) -> io::Result<()> {
        write(io, what).await
    }
}

async fn write<T: AsyncWrite + Unpin + Send>(io: &mut T, what: Bytes) -> io::Result<()> {
    io.write_all(&what.bytes).await?;
    if !what.end {
        io.flush().await?;
        return pending().await;
    }
    io.close().await
}

/// Says what it says, whatever it is asked.
#[derive(Clone)]
pub struct Parrot(Vec<u8>);

impl request_response::Codec for Parrot {
    type Protocol = StreamProtocol;
    type Request = ();
    type Response = ();

    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        _: &mut T,
    ) -> io::Result<()> {
        Ok(())
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        _: &mut T,
    ) -> io::Result<()> {
        Ok(())
    }

    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        _: &mut T,
        (): (),
    ) -> io::Result<()> {
        Ok(())
    }

    async fn write_response<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        (): (),
    ) -> io::Result<()> {
        write(io, Bytes::raw(&self.0, true)).await
    }
}

/// What a peer says of itself in libp2p's identify, with so many addresses.
fn description(key: &identity::PublicKey, addresses: u32) -> Vec<u8> {
    let mut message = Vec::new();
    let mut field = |number: u8, bytes: &[u8]| {
        message.push(number << 3 | 2);
        message.push(u8::try_from(bytes.len()).unwrap());
        message.extend_from_slice(bytes);
    };
    field(1, &key.encode_protobuf());
    for n in 0..addresses {
        let address: Multiaddr = format!("/ip4/127.{}.{}.1/tcp/9", n / 200, n % 200).parse().unwrap();
        field(2, address.as_ref());
    }
    field(3, b"/dray/find/1");
    field(5, b"/dray/1");
    field(6, b"rogue");
    let mut length = message.len();
    let mut out = Vec::new();
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap());
    out.extend_from_slice(&message);
    out
}

#[derive(NetworkBehaviour)]
pub struct Speaks {
    identify: Toggle<identify::Behaviour>,
    parrot: Toggle<request_response::Behaviour<Parrot>>,
    find: request_response::Behaviour<Raw>,
}

/// How a rogue is made.
pub struct Manners {
    pub group: Option<Group>,
    /// Whether it offers dray's protocol.
    pub one_of_us: bool,
    /// So many addresses are in its description, when it is one that it made itself.
    pub addresses: Option<u32>,
    /// What it answers to every question; `None` says nothing at all.
    pub answer: Option<Bytes>,
}

impl Default for Manners {
    fn default() -> Self {
        Self { group: None, one_of_us: true, addresses: None, answer: Some(Bytes::frame(&[1, 0])) }
    }
}

/// The rogue: everything sent into `say` goes out as a request of its own.
pub struct Rogue {
    pub id: PeerId,
    pub say: mpsc::UnboundedSender<Bytes>,
    /// How often it was connected, and lost the connection.
    pub ups: mpsc::UnboundedReceiver<bool>,
}

/// Dials `victim` and stays.
pub fn rogue(victim: SocketAddr, manners: Manners) -> Rogue {
    let key = identity::Keypair::generate_ed25519();
    let id = key.public().to_peer_id();
    let noise = noise::Config::new(&key).unwrap();
    let tcp = tcp::tokio::Transport::new(tcp::Config::default());
    let transport = match &manners.group {
        Some(group) => {
            let guard = PnetConfig::new(PreSharedKey::new(*group.psk()));
            tcp.and_then(move |stream, _| guard.handshake(stream))
                .upgrade(Version::V1Lazy)
                .authenticate(noise)
                .multiplex(yamux::Config::default())
                .boxed()
        }
        None => tcp.upgrade(Version::V1Lazy).authenticate(noise).multiplex(yamux::Config::default()).boxed(),
    };
    let protocol = StreamProtocol::new(if manners.one_of_us { "/dray/find/1" } else { "/something/else/1" });
    let behaviour = Speaks {
        identify: manners
            .addresses
            .is_none()
            .then(|| identify::Behaviour::new(identify::Config::new("/x/1".to_owned(), key.public())))
            .into(),
        parrot: manners
            .addresses
            .map(|many| {
                let codec = Parrot(description(&key.public(), many));
                let protocol = StreamProtocol::new("/ipfs/id/1.0.0");
                request_response::Behaviour::with_codec(
                    codec,
                    [(protocol, ProtocolSupport::Inbound)],
                    Default::default(),
                )
            })
            .into(),
        find: request_response::Behaviour::new([(protocol, ProtocolSupport::Full)], Default::default()),
    };
    let config = libp2p::swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(std::time::Duration::from_secs(u64::MAX));
    let mut swarm = Swarm::new(transport, behaviour, id, config);
    let (say, mut said) = mpsc::unbounded_channel::<Bytes>();
    let (up, ups) = mpsc::unbounded_channel();
    let to: Multiaddr = format!("/ip4/{}/tcp/{}", victim.ip(), victim.port()).parse().unwrap();
    swarm.dial(to).unwrap();
    tokio::spawn(async move {
        let mut victim = None;
        loop {
            tokio::select! {
                event = swarm.select_next_some() => match event {
                    SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                        victim = Some(peer_id);
                        let _ = up.send(true);
                    }
                    SwarmEvent::ConnectionClosed { .. } | SwarmEvent::OutgoingConnectionError { .. } => {
                        let _ = up.send(false);
                    }
                    SwarmEvent::Behaviour(SpeaksEvent::Find(request_response::Event::Message {
                        message: request_response::Message::Request { channel, .. },
                        ..
                    })) => match &manners.answer {
                        Some(answer) => { let _ = swarm.behaviour_mut().find.send_response(channel, answer.clone()); }
                        // Kept, so that it is never answered.
                        None => std::mem::forget(channel),
                    },
                    SwarmEvent::Behaviour(SpeaksEvent::Parrot(request_response::Event::Message {
                        message: request_response::Message::Request { channel, .. },
                        ..
                    })) => {
                        let _ = swarm.behaviour_mut().parrot.as_mut().unwrap().send_response(channel, ());
                    }
                    _ => {}
                },
                Some(bytes) = said.recv(), if victim.is_some() => {
                    swarm.behaviour_mut().find.send_request(&victim.unwrap(), bytes);
                }
            }
        }
    });
    Rogue { id, say, ups }
}
