//! From nothing to a logged-in connection.

use std::sync::Arc;
use std::time::Duration;

use mysql_common::constants::CapabilityFlags as Capability;
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::auth::Proof;
use super::connection::Connection;
use super::handshake::{self, Greeting};
use super::server_error::check;
use super::tls;
use crate::config::limits::{CONNECT_TIMEOUT_MS, LOGIN_PACKET_BYTES_MAX};
use crate::config::source::{SslMode, TlsConfig};
use crate::error::{Error, ErrorKind, Result};

/// MySQL's `CR_CONN_HOST_ERROR`.
const CANNOT_CONNECT: u16 = 2003;
/// MySQL's `CR_SSL_CONNECTION_ERROR`.
const TLS_ERROR: u16 = 2026;

/// Where to log in, and as whom.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint<'a> {
    /// Host name or address.
    pub host: &'a str,
    /// TCP port.
    pub port: u16,
    /// User.
    pub user: &'a str,
    /// Password; never shown.
    pub password: &'a SecretString,
    /// TLS.
    pub tls: &'a TlsConfig,
}

impl Endpoint<'_> {
    /// `host:port`.
    fn peer(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Connects and logs in; also returns the server's version as it words it.
///
/// # Errors
/// `Network` (2003) when the host cannot be reached in time, `Access` when the server does not let us in, `Config` when a
/// certificate file cannot be used.
pub async fn connect(endpoint: &Endpoint<'_>) -> Result<(Connection, String)> {
    let time = Duration::from_millis(CONNECT_TIMEOUT_MS);
    // Boxed: the future is large and lives inside of many others.
    match timeout(time, Box::pin(reach(endpoint))).await {
        Ok(result) => result,
        Err(_) => Err(unreachable(
            endpoint,
            &format!("no answer in {} s", time.as_secs()),
        )),
    }
}

async fn reach(endpoint: &Endpoint<'_>) -> Result<(Connection, String)> {
    let stream = TcpStream::connect((endpoint.host, endpoint.port))
        .await
        .map_err(|cause| unreachable(endpoint, reason(&cause)).with_source(cause))?;
    // Commands are single writes that wait for their answer: nothing is gained by holding them back.
    stream.set_nodelay(true).ok();
    log_in(
        Connection::new(Box::new(stream), Arc::from(endpoint.peer())),
        endpoint,
    )
    .await
}

/// Logs in over a connection that is just open; also returns the server's version as it words it.
///
/// # Errors
/// As [`connect`].
pub async fn log_in(
    mut connection: Connection,
    endpoint: &Endpoint<'_>,
) -> Result<(Connection, String)> {
    let greeting = connection
        .read_packet(LOGIN_PACKET_BYTES_MAX)
        .await
        .map_err(|cause| {
            unreachable(endpoint, "something answers, but does not speak first").with_source(cause)
        })?;
    let greeting = Greeting::parse(&check(greeting)?)?;
    let tls = wants_tls(endpoint, greeting.capabilities)?;
    let capabilities = handshake::capabilities(greeting.capabilities, tls);
    if tls {
        let connector = tls::connector(endpoint.tls)?;
        connection
            .write_packet(&handshake::answer_head(capabilities))
            .await?;
        connection = connection
            .upgrade(&connector, server_name(endpoint.host)?)
            .await?;
    }
    let password = endpoint.password.expose_secret().as_bytes();
    let proof = Proof::new(&greeting.plugin, &greeting.nonce, password, tls);
    let answer = handshake::answer(capabilities, endpoint.user, proof.plugin(), &proof.first()?);
    connection.write_packet(&answer).await?;
    proof.run(&mut connection).await?;
    Ok((connection, greeting.version))
}

/// Whether the connection is to be encrypted: `preferred` goes without only where the server cannot do it.
fn wants_tls(endpoint: &Endpoint<'_>, server: Capability) -> Result<bool> {
    let offered = server.contains(Capability::CLIENT_SSL);
    match endpoint.tls.mode {
        SslMode::Disabled => Ok(false),
        SslMode::Preferred => Ok(offered),
        SslMode::Required | SslMode::VerifyCa | SslMode::VerifyIdentity if offered => Ok(true),
        mode => Err(Error::new(
            ErrorKind::Access,
            format!(
                "{} offers no TLS, and ssl_mode = {mode:?} does not go without; set ssl_cert and \
                 ssl_key on the server, or ssl_mode = preferred here",
                endpoint.peer()
            ),
        )
        .with_errno(TLS_ERROR)),
    }
}

fn server_name(host: &str) -> Result<ServerName<'static>> {
    ServerName::try_from(host.to_owned()).map_err(|cause| {
        Error::new(
            ErrorKind::Config,
            format!("'{host}' is no host name for TLS"),
        )
        .with_source(cause)
    })
}

/// Why a connection did not come about, in words.
fn reason(cause: &std::io::Error) -> &'static str {
    match cause.kind() {
        std::io::ErrorKind::ConnectionRefused => "the connection is refused",
        std::io::ErrorKind::TimedOut => "no answer",
        _ => "there is no way to it",
    }
}

/// The first of the three classic errors.
fn unreachable(endpoint: &Endpoint<'_>, reason: &str) -> Error {
    Error::new(
        ErrorKind::Network,
        format!(
            "cannot connect to {}: {reason}; check host and port, that the server is running, \
             that its bind_address is not 127.0.0.1 only, that skip_networking is off, and the \
             firewall between",
            endpoint.peer()
        ),
    )
    .with_errno(CANNOT_CONNECT)
}
