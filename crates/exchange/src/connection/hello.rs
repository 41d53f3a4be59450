//! The first words on a connection: what each end calls its software, and proof that it belongs here.

use dray_identity::Role;
use tokio::time::timeout;

use super::frames::{FrameError, FrameReader};
use crate::hub::Hub;
use crate::link::{CloseCode, Link, LinkError, SendHalf};
use crate::wire::Message;
use crate::{Incident, JoinError};

/// How this software calls itself.
const AGENT: &str = concat!("dray/", env!("CARGO_PKG_VERSION"));
/// No extension of the protocol is known yet.
const FEATURES: u64 = 0;

/// The control stream of a connection whose other end has been judged.
pub(crate) struct Control {
    pub(crate) send: SendHalf,
    pub(crate) reader: FrameReader,
    pub(crate) agent: String,
}

/// Why a connection does not come to be.
pub(crate) struct Refused {
    pub(crate) code: CloseCode,
    pub(crate) incident: Option<Incident>,
    pub(crate) error: JoinError,
}

/// Greets the end that answered our call.
pub(crate) async fn call(hub: &Hub, link: &Link) -> Result<Control, Refused> {
    in_time(hub, async {
        let (mut send, recv) = link.open().await.map_err(lost)?;
        send.make_urgent();
        send.write(hello(hub, link, Role::Dialer).to_frame().into()).await.map_err(lost)?;
        let mut reader = FrameReader::new(recv);
        let agent = judge(hub, link, Role::Listener, &mut reader).await?;
        Ok(Control { send, reader, agent })
    })
    .await
}

/// Hears what a caller has to say. It is not answered yet: see [`answer`].
pub(crate) async fn hear(hub: &Hub, link: &Link) -> Result<Control, Refused> {
    in_time(hub, async {
        let (mut send, recv) = link.accept().await.map_err(lost)?;
        send.make_urgent();
        let mut reader = FrameReader::new(recv);
        let agent = judge(hub, link, Role::Dialer, &mut reader).await?;
        Ok(Control { send, reader, agent })
    })
    .await
}

/// Our half of the greeting, once the caller is welcome.
pub(crate) async fn answer(hub: &Hub, link: &Link, control: &mut Control) -> Result<(), Refused> {
    let hello = hello(hub, link, Role::Listener).to_frame();
    in_time(hub, async { control.send.write(hello.into()).await.map_err(lost) }).await
}

async fn in_time<T>(hub: &Hub, greeting: impl Future<Output = Result<T, Refused>>) -> Result<T, Refused> {
    timeout(hub.timing.handshake, greeting).await.unwrap_or_else(|_| Err(stalled()))
}

fn stalled() -> Refused {
    let incident = Some(Incident::Stalled("the first message"));
    Refused { code: CloseCode::Silent, incident, error: JoinError::TimedOut }
}

fn hello(hub: &Hub, link: &Link, role: Role) -> Message {
    let proof = hub.group.as_ref().map(|group| group.prove(&link.exporter(), role, &hub.me, &link.peer()));
    Message::Hello { features: FEATURES, proof, agent: AGENT.to_owned() }
}

async fn judge(hub: &Hub, link: &Link, role: Role, reader: &mut FrameReader) -> Result<String, Refused> {
    let malformed = |what| Refused {
        code: CloseCode::Violation,
        incident: Some(Incident::Malformed(what)),
        error: JoinError::Rejected("its first message is malformed".into()),
    };
    let (kind, body) = match reader.next(hub.timing.handshake).await {
        Ok(frame) => frame,
        Err(FrameError::Link(error)) => return Err(lost(error)),
        Err(FrameError::Stalled) => return Err(stalled()),
        Err(FrameError::Ended) => return Err(malformed("it sent no greeting")),
        Err(FrameError::Wire(_)) => return Err(malformed("its greeting is malformed")),
    };
    let Ok(Some(Message::Hello { proof, agent, .. })) = Message::from_frame(kind, &body) else {
        return Err(malformed("its first message is no greeting"));
    };
    let not_member = |incident| Refused { code: CloseCode::NotMember, incident, error: JoinError::NotMember };
    match (&hub.group, proof) {
        (None, None) => Ok(agent),
        // A member of some group: nothing wrong with it, but it would not have us either.
        (None, Some(_)) => Err(not_member(None)),
        (Some(_), None) => Err(not_member(Some(Incident::NoMembership))),
        (Some(group), Some(proof)) => {
            if group.check(&proof, &link.exporter(), role, &link.peer(), &hub.me) {
                Ok(agent)
            } else {
                Err(not_member(Some(Incident::WrongMembership)))
            }
        }
    }
}

fn lost(error: LinkError) -> Refused {
    let (code, incident) = match &error {
        LinkError::Violation(what) => (CloseCode::Violation, Some(Incident::Malformed(what))),
        _ => (CloseCode::Done, None),
    };
    Refused { code, incident, error: join_error(&error) }
}

/// What a user is told of a connection that ended.
pub(crate) fn join_error(error: &LinkError) -> JoinError {
    match error {
        LinkError::ClosedByPeer(CloseCode::NotMember) => JoinError::NotMember,
        LinkError::ClosedByPeer(CloseCode::TooMany) => JoinError::TooMany,
        LinkError::ClosedByPeer(code) => JoinError::Rejected(code.to_string()),
        LinkError::ClosedHere(CloseCode::NotAdmitted) => JoinError::NotAdmitted,
        LinkError::ClosedHere(CloseCode::Done) => JoinError::Closed,
        LinkError::ClosedHere(CloseCode::Silent) => JoinError::TimedOut,
        error => JoinError::Unreachable(error.to_string()),
    }
}
