//! A connection to a server: packet in, packet out. Nobody else sees the socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::buffer::ReadBuffer;
use super::packet::{self, PACKET_HEADER_LEN, PacketHeader};
use crate::config::limits;
use crate::error::{Error, ErrorKind, Result};

/// MySQL's `CR_SERVER_LOST`.
const SERVER_LOST: u16 = 2013;

/// A plain or encrypted socket, or anything else that carries bytes both ways.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// A connection to a server.
pub struct Connection {
    stream: Box<dyn Transport>,
    buffer: ReadBuffer,
    /// Number of the next packet of this exchange, either way.
    sequence: u8,
    /// Time without any byte after which the server is taken for dead.
    read_timeout: Duration,
    /// `host:port`, for errors.
    peer: Arc<str>,
}

impl Connection {
    /// A connection over a socket that nothing was read from yet; `peer` names it in errors.
    pub fn new(stream: Box<dyn Transport>, peer: Arc<str>) -> Self {
        Self {
            stream,
            buffer: ReadBuffer::new(limits::CONNECTION_BUFFER_BYTES),
            sequence: 0,
            read_timeout: Duration::from_millis(limits::QUERY_TIMEOUT_MS),
            peer,
        }
    }

    /// Puts TLS over the socket; the exchange goes on with the next packet.
    pub(super) async fn upgrade(
        self,
        tls: &TlsConnector,
        name: ServerName<'static>,
    ) -> Result<Self> {
        if !self.buffer.unread().is_empty() {
            // Bytes sent before TLS would be taken for bytes protected by it.
            return Err(self.protocol_error("it sent bytes ahead of TLS"));
        }
        let stream = tls.connect(name, self.stream).await.map_err(|cause| {
            Error::new(
                ErrorKind::Network,
                format!(
                    "TLS with {} failed; check ssl_mode, ssl_ca (the CA of the server's \
                     certificate) and the certificate's subjectAltName",
                    self.peer
                ),
            )
            .with_errno(2026)
            .with_source(cause)
        })?;
        Ok(Self {
            stream: Box::new(stream),
            ..self
        })
    }

    /// `host:port` of the server.
    pub fn peer(&self) -> &Arc<str> {
        &self.peer
    }

    /// Sets the time without any byte after which the server is taken for dead.
    pub fn set_read_timeout(&mut self, timeout: Duration) {
        self.read_timeout = timeout;
    }

    /// The time without any byte after which the server is taken for dead.
    pub(super) fn read_timeout(&self) -> Duration {
        self.read_timeout
    }

    /// Makes the read buffer hold at least `bytes`.
    pub fn grow_buffer(&mut self, bytes: usize) {
        self.buffer.grow(bytes);
    }

    /// Sends a command: the first packet of an exchange.
    ///
    /// # Errors
    /// `Network` when the connection is lost.
    pub async fn command(&mut self, payload: &[u8]) -> Result<()> {
        self.sequence = 0;
        self.write_packet(payload).await
    }

    /// Sends the next payload of the exchange, in as many packets as it needs.
    ///
    /// # Errors
    /// `Network` when the connection is lost.
    pub async fn write_packet(&mut self, payload: &[u8]) -> Result<()> {
        let mut out = Vec::with_capacity(payload.len() + PACKET_HEADER_LEN);
        self.sequence = packet::encode(payload, self.sequence, &mut out);
        self.send(&out).await
    }

    async fn send(&mut self, packets: &[u8]) -> Result<()> {
        let sent = async {
            self.stream.write_all(packets).await?;
            self.stream.flush().await
        };
        match timeout(self.read_timeout, sent).await {
            Ok(result) => result.map_err(|cause| self.lost(cause)),
            Err(_) => Err(self.timed_out("took no bytes")),
        }
    }

    /// Sends one payload that is no part of the exchange, and leaves its count of packets alone. Semi-synchronous
    /// sources read their acknowledgements so, beside a running dump.
    ///
    /// # Errors
    /// `Network` when the connection is lost.
    pub async fn write_aside(&mut self, payload: &[u8]) -> Result<()> {
        let mut out = Vec::with_capacity(payload.len() + PACKET_HEADER_LEN);
        packet::encode(payload, 0, &mut out);
        self.send(&out).await
    }

    /// Counts packets as after a packet of ours: the server's next one is number 1.
    pub fn count_anew(&mut self) {
        self.sequence = 1;
    }

    /// Reads the next payload of the exchange, whole.
    ///
    /// # Errors
    /// `Network` when the connection is lost, `Protocol` when the payload is longer than `limit` bytes or out of order.
    pub async fn read_packet(&mut self, limit: usize) -> Result<Vec<u8>> {
        let mut payload = Vec::new();
        loop {
            let header = loop {
                match self.next_header()? {
                    Some(header) => break header,
                    None => self.fill().await?,
                }
            };
            if payload.len().saturating_add(header.len) > limit {
                return Err(self.protocol_error(&format!("a packet of over {limit} bytes")));
            }
            let mut missing = header.len;
            while missing > 0 {
                if self.unread().is_empty() {
                    self.fill().await?;
                }
                let chunk = self.unread();
                let chunk = chunk.get(..missing).unwrap_or(chunk);
                payload.extend_from_slice(chunk);
                let taken = chunk.len();
                missing -= taken;
                self.consume(taken);
            }
            if !header.is_full() {
                return Ok(payload);
            }
        }
    }

    /// Takes the next packet's header from the buffer; `None` when it has not arrived yet. For who frames payloads
    /// by themselves, together with [`Self::unread`], [`Self::consume`] and [`Self::fill`].
    ///
    /// # Errors
    /// `Protocol` when the packet is out of order.
    pub fn next_header(&mut self) -> Result<Option<PacketHeader>> {
        let Some(header) = PacketHeader::parse(self.unread()) else {
            return Ok(None);
        };
        if header.sequence != self.sequence {
            let text = format!("packet {} where {} was due", header.sequence, self.sequence);
            return Err(self.protocol_error(&text));
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.consume(PACKET_HEADER_LEN);
        Ok(Some(header))
    }

    /// What has arrived and is not yet consumed.
    pub fn unread(&self) -> &[u8] {
        self.buffer.unread()
    }

    /// Drops the first `n` unread bytes.
    pub fn consume(&mut self, n: usize) {
        self.buffer.consume(n);
    }

    /// Waits until more bytes have arrived. Cancel-safe.
    ///
    /// # Errors
    /// `Network` when the connection is lost or nothing arrives in time.
    pub async fn fill(&mut self) -> Result<()> {
        let space = self.buffer.space();
        if space.is_empty() {
            return Err(Error::new(
                ErrorKind::Internal,
                "the read buffer is full and nobody reads it",
            ));
        }
        match timeout(self.read_timeout, self.stream.read(space)).await {
            Ok(Ok(0)) => Err(self.lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(Ok(n)) => {
                self.buffer.filled(n);
                Ok(())
            }
            Ok(Err(cause)) => Err(self.lost(cause)),
            Err(_) => Err(self.timed_out("sent nothing")),
        }
    }

    /// Says goodbye; the server then logs no aborted connection. Never fails.
    pub async fn quit(mut self) {
        const COM_QUIT: u8 = 0x01;
        if self.command(&[COM_QUIT]).await.is_ok() {
            // The answer is the closed socket; whether it comes does not matter.
            self.stream.shutdown().await.ok();
        }
    }

    /// The error for a server that does not keep to its protocol.
    pub(crate) fn protocol_error(&self, what: &str) -> Error {
        Error::new(
            ErrorKind::Protocol,
            format!(
                "{} does not speak the MySQL protocol as expected: {what}",
                self.peer
            ),
        )
    }

    fn lost(&self, cause: io::Error) -> Error {
        Error::new(
            ErrorKind::Network,
            format!("lost the connection to {}", self.peer),
        )
        .with_errno(SERVER_LOST)
        .with_source(cause)
    }

    pub(super) fn timed_out(&self, what: &str) -> Error {
        Error::new(
            ErrorKind::Network,
            format!(
                "{} {what} for {} s; the link is taken for dead",
                self.peer,
                self.read_timeout.as_secs_f32()
            ),
        )
        .with_errno(SERVER_LOST)
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::PACKET_PAYLOAD_MAX;

    fn pair() -> (Connection, Connection) {
        let (a, b) = tokio::io::duplex(1 << 16);
        (
            Connection::new(Box::new(a), "a:1".into()),
            Connection::new(Box::new(b), "b:1".into()),
        )
    }

    fn fill_of(size: usize) -> u8 {
        u8::try_from(size % 251).unwrap()
    }

    #[tokio::test]
    async fn payloads_of_every_size_go_through() {
        let (mut near, mut far) = pair();
        let sizes = [
            0,
            1,
            100_000,
            PACKET_PAYLOAD_MAX - 1,
            PACKET_PAYLOAD_MAX,
            PACKET_PAYLOAD_MAX + 1,
        ];
        let sender = tokio::spawn(async move {
            for size in sizes {
                near.write_packet(&vec![fill_of(size); size]).await.unwrap();
            }
            near
        });
        for size in sizes {
            let payload = far.read_packet(PACKET_PAYLOAD_MAX + 1).await.unwrap();
            assert_eq!(payload.len(), size);
            assert!(payload.iter().all(|b| *b == fill_of(size)));
        }
        drop(sender.await.unwrap());
        assert_eq!(far.read_packet(9).await.unwrap_err().errno(), SERVER_LOST);
    }

    #[tokio::test]
    async fn limits_order_and_silence_are_errors() {
        let (mut near, mut far) = pair();
        near.write_packet(&[0; 100]).await.unwrap();
        assert_eq!(
            far.read_packet(99).await.unwrap_err().kind(),
            ErrorKind::Protocol
        );
        let (mut near, mut far) = pair();
        far.sequence = 3;
        near.write_packet(&[0; 100]).await.unwrap();
        assert_eq!(
            far.read_packet(100).await.unwrap_err().kind(),
            ErrorKind::Protocol
        );
        let (_near, mut far) = pair();
        far.set_read_timeout(Duration::from_millis(10));
        let error = far.read_packet(100).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.errno()),
            (ErrorKind::Network, SERVER_LOST)
        );
    }
}
