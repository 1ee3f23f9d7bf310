//! How to reach the source.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// `ssl_mode`, with MySQL's meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SslMode {
    /// Never TLS.
    Disabled,
    /// TLS when the server offers it, without checking the certificate.
    #[default]
    Preferred,
    /// TLS or no connection, without checking the certificate.
    Required,
    /// TLS, and the certificate must come from the CA.
    VerifyCa,
    /// TLS, and the certificate must come from the CA and name the host.
    VerifyIdentity,
}

/// TLS settings of a connection.
#[derive(Debug, Clone, Default)]
pub struct TlsConfig {
    /// `ssl_mode`.
    pub mode: SslMode,
    /// CA certificates in PEM; the web's roots when not given.
    pub ca: Option<PathBuf>,
    /// Client certificate in PEM.
    pub cert: Option<PathBuf>,
    /// Key of the client certificate in PEM.
    pub key: Option<PathBuf>,
}

/// Which driver talks to the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriverKind {
    /// Our own connection.
    #[default]
    Native,
    /// The mysql_cdc crate's client (cargo feature `mysql-cdc`).
    MysqlCdc,
}

/// Everything that a connection to the source needs.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User.
    pub user: String,
    /// Password; never shown.
    pub password: SecretString,
    /// TLS.
    pub tls: TlsConfig,
    /// Our own server id, 1 to 2^32-1.
    pub server_id: u32,
    /// Our own uuid, stable over restarts (kept in the relay directory).
    pub replica_uuid: String,
    /// Time between heartbeats when the source is idle; 0 asks for none.
    pub heartbeat_period: Duration,
    /// Time without any packet after which the connection is taken for dead.
    pub net_read_timeout: Duration,
    /// Driver.
    pub driver: DriverKind,
}
