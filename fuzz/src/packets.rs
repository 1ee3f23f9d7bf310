//! The wire: packets, the greeting and login, the answer to a query.
//!
//! The bytes are what a hostile server sends. The first one chooses what the client is doing.

use std::io::Cursor;
use std::sync::Arc;

use relaylite::config::source::TlsConfig;
use relaylite::wire::{
    Connection, Endpoint, PACKET_HEADER_LEN, PACKET_PAYLOAD_MAX, PacketHeader, ServerError, log_in,
};
use secrecy::SecretString;
use tokio::runtime::{Builder, Runtime};

/// Largest payload taken here.
const LIMIT_BYTES: usize = 1 << 16;

/// The first byte chooses; the rest is what the server sends.
pub fn check(data: &[u8]) {
    let Some((choice, sent)) = data.split_first() else {
        return;
    };
    let _ = ServerError::parse(sent).map(ServerError::into_error);
    match choice % 4 {
        0 => payloads_are_what_the_packets_hold(sent),
        1 => what_is_written_is_read(sent),
        2 => an_answer_is_as_large_as_what_was_sent(sent),
        _ => login_ends(sent),
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

/// A connection to a server that sends `bytes`, reads everything and hangs up.
fn server_that_sends(bytes: &[u8]) -> Connection {
    let stream = tokio::io::join(Cursor::new(bytes.to_vec()), tokio::io::sink());
    Connection::new(Box::new(stream), Arc::from("server:1"))
}

fn payloads_are_what_the_packets_hold(sent: &[u8]) {
    runtime().block_on(async {
        let mut connection = server_that_sends(sent);
        let mut rest = sent;
        while let Ok(payload) = connection.read_packet(LIMIT_BYTES).await {
            assert!(payload.len() <= LIMIT_BYTES);
            let header = PacketHeader::parse(rest).unwrap();
            assert_eq!(header.len, payload.len());
            let packet = &rest[PACKET_HEADER_LEN..];
            assert_eq!(packet[..header.len], payload);
            rest = &packet[header.len..];
        }
    });
}

fn what_is_written_is_read(payload: &[u8]) {
    runtime().block_on(async {
        let (near, far) = tokio::io::duplex(payload.len() + PACKET_PAYLOAD_MAX / 1000);
        let mut writer = Connection::new(Box::new(near), Arc::from("near:1"));
        let mut reader = Connection::new(Box::new(far), Arc::from("far:1"));
        for _ in 0..2 {
            writer.write_packet(payload).await.unwrap();
            assert_eq!(reader.read_packet(payload.len()).await.unwrap(), payload);
        }
    });
}

fn an_answer_is_as_large_as_what_was_sent(sent: &[u8]) {
    runtime().block_on(async {
        // The answer to a command begins with packet 1.
        let mut connection = server_that_sends(sent);
        let Ok(answer) = connection.query("SELECT 1").await else {
            return;
        };
        let row_bytes = |row: &Vec<Option<Vec<u8>>>| {
            assert_eq!(row.len(), answer.columns.len());
            row.iter().flatten().map(Vec::len).sum::<usize>()
        };
        let bytes: usize = answer.rows.iter().map(row_bytes).sum();
        assert!(bytes <= sent.len());
    });
}

fn login_ends(sent: &[u8]) {
    let (password, tls) = (SecretString::from("secret"), TlsConfig::default());
    let endpoint = Endpoint {
        host: "server",
        port: 1,
        user: "repl",
        password: &password,
        tls: &tls,
    };
    runtime().block_on(async {
        if let Ok((_, version)) = log_in(server_that_sends(sent), &endpoint).await {
            assert!(version.len() <= 3 * sent.len());
        }
    });
}
