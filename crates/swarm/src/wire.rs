//! Frames on a stream. A frame is read into memory only after its length was found to be allowed.

use std::io::{self, ErrorKind};
use std::time::Duration;

use libp2p::StreamProtocol;
use libp2p::futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::request_response;

use crate::frame::{self, Answer, Item, MAX_FRAME, Malformed};

/// The name by which dray's swarm is told from every other libp2p program.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/dray/find/1");

/// Reads and writes requests and replies.
///
/// What is no request is handed on as such: libp2p does not tell of requests that it failed to read, and whoever sends
/// them should be known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Codec {
    /// How long a request may take to arrive once its stream is there.
    pub(crate) patience: Duration,
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Result<Vec<Item>, Malformed>;
    type Response = Vec<Answer>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Self::Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        let read = tokio::time::timeout(self.patience, read(io)).await;
        Ok(match read {
            Ok(Ok(bytes)) => frame::read_request(&bytes),
            Ok(Err(error)) if !matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => {
                return Err(error);
            }
            // Too long, cut short, or begun and never finished.
            Ok(Err(_)) | Err(_) => Err(Malformed),
        })
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<Answer>>
    where
        T: AsyncRead + Unpin + Send,
    {
        frame::read_reply(&read(io).await?).map_err(malformed)
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        request: Self::Request,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &frame::write_request(&request.map_err(malformed)?).0).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        answers: Vec<Answer>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &frame::write_reply(&answers)).await
    }
}

async fn read<T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    io.read_exact(&mut length).await?;
    let length = usize::from(u16::from_be_bytes(length));
    if length > MAX_FRAME {
        return Err(malformed(Malformed));
    }
    let mut bytes = vec![0; length];
    io.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn write<T: AsyncWrite + Unpin + Send>(io: &mut T, bytes: &[u8]) -> io::Result<()> {
    let length = u16::try_from(bytes.len()).map_err(|_| malformed(Malformed))?;
    let mut frame = Vec::with_capacity(2 + bytes.len());
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(bytes);
    io.write_all(&frame).await?;
    io.close().await
}

fn malformed(what: Malformed) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
