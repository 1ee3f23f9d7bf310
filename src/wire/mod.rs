//! The MySQL protocol, client side: packets, login, TLS, text queries.
//!
//! [`connect`] logs in and gives a [`Connection`]: packet in, packet out. It knows nothing of replication; `source`
//! sends its commands through it and frames events from its buffer. Bytes of the server are input: nothing panics on
//! them, nothing grows without a limit.
//!
//! # Threading
//! A connection belongs to one task. Only [`Connection::fill`] is cancel-safe; a query that was cancelled leaves a
//! connection that is good for nothing.

mod auth;
mod buffer;
mod connection;
mod handshake;
mod login;
mod packet;
mod query;
mod rsa;
mod server_error;
mod tls;

pub use connection::{Connection, Transport};
pub use login::{Endpoint, connect, log_in};
pub use packet::{PACKET_HEADER_LEN, PACKET_PAYLOAD_MAX, PacketHeader};
pub use query::{ResultSet, Row, Rows, cells};
pub use server_error::ServerError;
