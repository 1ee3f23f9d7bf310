//! Configuration: file, environment and flags, merged and checked before anything starts.

pub mod filter;
pub mod layer;
pub mod limits;
pub mod relay_log;
pub mod source;
pub mod target;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use self::filter::FilterConfig;
use self::layer::Layer;
use self::limits::{
    CONNECT_RETRY_DEFAULT, HEARTBEAT_PERIOD_DEFAULT, NET_TIMEOUT_DEFAULT, SECONDS_MAX, WORKERS_MAX,
};
use self::relay_log::RelayLogConfig;
use self::source::{DriverKind, MySqlUrl, SourceConfig, Start, TlsConfig, password_in};
use self::target::TargetConfig;
use crate::binlog::position::Position;
use crate::error::{Error, ErrorKind, Result};

/// The relay directory when none is given.
pub const DEFAULT_RELAY_DIR: &str = "relay";
/// The target when none is given.
pub const DEFAULT_TARGET: &str = "sqlite:data";

/// When a run ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Until {
    /// Never.
    Stopped,
    /// When everything before a position is applied and durable.
    Position(Position),
    /// When everything that the source has at start is applied and durable.
    CaughtUp,
}

/// What becomes of a table that cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTableError {
    /// It is set aside, and the others go on.
    Quarantine,
    /// It is set aside where reading it afresh mends it, as after an ALTER TABLE whose outcome only the source knows; else replication
    /// stops.
    Resync,
    /// Replication stops.
    Stop,
}

/// Everything that `run` needs.
#[derive(Debug, Clone)]
pub struct Config {
    /// How to reach the source.
    pub source: SourceConfig,
    /// Where to start when there is no checkpoint.
    pub start: Start,
    /// Go on here although the checkpoint is before it.
    pub skip_to: Option<Position>,
    /// The relay directory.
    pub relay_dir: PathBuf,
    /// What the relay log may take.
    pub relay_log: RelayLogConfig,
    /// Where changes go.
    pub target: TargetConfig,
    /// Which databases and tables are followed.
    pub filter: FilterConfig,
    /// Databases applied at the same time.
    pub workers: usize,
    /// Time between attempts to reach the source.
    pub connect_retry: Duration,
    /// Where metrics are served; `None` for nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// When to end.
    pub until: Until,
    /// End the process on a fatal replication error.
    pub exit_on_error: bool,
    /// What becomes of a table that cannot go on.
    pub on_table_error: OnTableError,
}

impl Config {
    /// Checks merged settings.
    ///
    /// # Errors
    /// `Config` that names the setting and what to write.
    pub fn from_layer(layer: Layer) -> Result<Self> {
        let source = source_config(&layer)?;
        let start = match layer.start.as_deref() {
            None => Start::Latest,
            Some(text) => text.parse().map_err(in_setting("start"))?,
        };
        let workers = layer.workers.unwrap_or_else(default_workers);
        if !(1..=WORKERS_MAX).contains(&workers) {
            return Err(invalid(
                "workers",
                &format!("must be from 1 to {WORKERS_MAX}"),
            ));
        }
        let connect_retry = layer.connect_retry.unwrap_or(CONNECT_RETRY_DEFAULT);
        if !(1..=SECONDS_MAX).contains(&connect_retry) {
            let why = format!("must be from 1 to {SECONDS_MAX} seconds");
            return Err(invalid("connect_retry", &why));
        }
        let until = match (
            layer.until.as_deref(),
            layer.until_caught_up.unwrap_or(false),
        ) {
            (Some(_), true) => {
                return Err(invalid(
                    "until",
                    "excludes until_caught_up; give one of them",
                ));
            }
            (Some(text), false) => Until::Position(text.parse().map_err(in_setting("until"))?),
            (None, true) => Until::CaughtUp,
            (None, false) => Until::Stopped,
        };
        let password = password(
            layer.target_password.clone(),
            layer.target_password_file.as_deref(),
            credential(&layer, "target_password").as_deref(),
        )?;
        let exit_on_error = layer.exit_on_error.unwrap_or(false);
        // Who wants to be told of errors by the exit code wants that of a table's, too; but not of what passes by itself.
        let on_table_error = match exit_on_error {
            true => OnTableError::Resync,
            false => OnTableError::Quarantine,
        };
        let target = layer.target.as_deref().unwrap_or(DEFAULT_TARGET);
        Ok(Self {
            source,
            start,
            filter: FilterConfig::from_layer(&layer)?,
            metrics_listen: metrics_listen(&layer)?,
            skip_to: layer.skip_to.as_deref().map(str::parse).transpose()?,
            relay_log: RelayLogConfig::from_layer(&layer)?,
            relay_dir: layer.relay_dir.unwrap_or_else(|| DEFAULT_RELAY_DIR.into()),
            target: TargetConfig::parse(target, password).map_err(in_setting("target"))?,
            workers,
            connect_retry: Duration::from_secs(connect_retry),
            until,
            exit_on_error,
            on_table_error: layer.on_table_error.unwrap_or(on_table_error),
        })
    }
}

fn metrics_listen(layer: &Layer) -> Result<Option<SocketAddr>> {
    let Some(text) = layer.metrics_listen.as_deref() else {
        return Ok(None);
    };
    let address = text.parse().map_err(|_| {
        let why = format!("must be ADDRESS:PORT in numbers, such as 127.0.0.1:9104, not {text}");
        invalid("metrics_listen", &why)
    })?;
    Ok(Some(address))
}

/// The part of the settings that reaches the source.
///
/// # Errors
/// `Config`.
pub fn source_config(layer: &Layer) -> Result<SourceConfig> {
    let Some(url) = layer.source.as_deref() else {
        return Err(invalid(
            "source",
            "is missing; give --source mysql://USER@HOST:PORT",
        ));
    };
    let url: MySqlUrl = url.parse().map_err(in_setting("source"))?;
    let server_id = match layer.server_id {
        Some(0) => return Err(invalid("server_id", "must not be 0")),
        Some(id) => id,
        None => {
            return Err(invalid(
                "server_id",
                "is missing; give --server-id N, a number that no other server of this replication has",
            ));
        }
    };
    let given = password(
        layer.source_password.clone(),
        layer.password_file.as_deref(),
        credential(layer, "source_password").as_deref(),
    )?;
    let (heartbeat, timeout) = heartbeat_and_timeout(layer)?;
    let driver = layer.driver.unwrap_or_default();
    let semi_sync = layer.semi_sync.unwrap_or(false);
    if semi_sync && driver == DriverKind::MysqlCdc {
        return Err(invalid(
            "semi_sync",
            "cannot be had with driver = \"mysql_cdc\", which sends no acknowledgements; set driver = \"native\"",
        ));
    }
    Ok(SourceConfig {
        host: url.host,
        port: url.port,
        user: url.user,
        password: given
            .or(url.password)
            .unwrap_or_else(|| SecretString::from("")),
        password_file: match layer.source_password {
            Some(_) => None,
            None => layer
                .password_file
                .clone()
                .or_else(|| credential(layer, "source_password")),
        },
        tls: TlsConfig {
            mode: layer.ssl_mode.unwrap_or_default(),
            ca: layer.ssl_ca.clone(),
            cert: layer.ssl_cert.clone(),
            key: layer.ssl_key.clone(),
        },
        server_id,
        replica_uuid: String::new(),
        heartbeat_period: Duration::from_secs(heartbeat),
        net_read_timeout: Duration::from_secs(timeout),
        driver,
        semi_sync,
    })
}

/// Seconds between heartbeats, and of silence after which a connection is taken for dead.
fn heartbeat_and_timeout(layer: &Layer) -> Result<(u64, u64)> {
    // One lost heartbeat, or two, must not end a connection.
    let heartbeat_max = layer
        .replica_net_timeout
        .map_or(u64::MAX, |timeout| timeout / 3);
    let heartbeat = layer
        .heartbeat_period
        .unwrap_or_else(|| HEARTBEAT_PERIOD_DEFAULT.min(heartbeat_max).max(1));
    let timeout = layer
        .replica_net_timeout
        .unwrap_or_else(|| NET_TIMEOUT_DEFAULT.max(heartbeat.saturating_mul(3)));
    for (key, seconds) in [
        ("heartbeat_period", heartbeat),
        ("replica_net_timeout", timeout),
    ] {
        if seconds > SECONDS_MAX {
            return Err(invalid(
                key,
                &format!("must be at most {SECONDS_MAX} seconds"),
            ));
        }
    }
    if timeout <= heartbeat {
        return Err(invalid(
            "replica_net_timeout",
            "must be longer than heartbeat_period",
        ));
    }
    Ok((heartbeat, timeout))
}

/// The file of a credential that systemd gives to the service; `None` where it gives none of that name.
fn credential(layer: &Layer, name: &str) -> Option<PathBuf> {
    let path = layer.credentials.as_ref()?.join(name);
    path.exists().then_some(path)
}

/// A password as it was given, else from its file, else from its credential.
fn password(
    given: Option<SecretString>,
    file: Option<&Path>,
    credential: Option<&Path>,
) -> Result<Option<SecretString>> {
    if given.is_some() {
        return Ok(given);
    }
    let Some(path) = file.or(credential) else {
        return Ok(None);
    };
    password_in(path).map(Some)
}

fn default_workers() -> usize {
    std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(WORKERS_MAX)
}

/// Says which setting an error is about.
fn in_setting(key: &str) -> impl Fn(Error) -> Error {
    move |error| invalid(key, &format!("cannot be used: {}", error.what()))
}

fn invalid(key: &str, why: &str) -> Error {
    Error::new(ErrorKind::Config, format!("`{key}` {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer() -> Layer {
        Layer {
            source: Some("mysql://repl@127.0.0.1:3306".into()),
            server_id: Some(101),
            ..Layer::default()
        }
    }

    #[test]
    fn defaults_are_sane() {
        let config = Config::from_layer(layer()).unwrap();
        assert_eq!(config.start, Start::Latest);
        assert_eq!(config.until, Until::Stopped);
        assert!(config.workers >= 1);
        assert!(config.source.net_read_timeout >= 3 * config.source.heartbeat_period);
        let short = Layer {
            replica_net_timeout: Some(6),
            ..layer()
        };
        let config = Config::from_layer(short).unwrap();
        assert_eq!(config.source.heartbeat_period, Duration::from_secs(2));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        type Edit = fn(&mut Layer);
        let cases: [(&str, Edit); 7] = [
            ("`source`", |l| l.source = None),
            ("`server_id`", |l| l.server_id = None),
            ("`server_id`", |l| l.server_id = Some(0)),
            ("`workers`", |l| l.workers = Some(0)),
            ("`until`", |l| {
                l.until = Some("b.000001:4".into());
                l.until_caught_up = Some(true);
            }),
            ("`semi_sync`", |l| {
                l.semi_sync = Some(true);
                l.driver = Some(DriverKind::MysqlCdc);
            }),
            ("`replica_net_timeout`", |l| l.replica_net_timeout = Some(1)),
        ];
        for (name, change) in cases {
            let mut layer = layer();
            change(&mut layer);
            let error = Config::from_layer(layer).unwrap_err();
            assert!(error.what().starts_with(name), "{name}: {error}");
            assert_eq!(error.kind(), ErrorKind::Config);
        }
    }
}
