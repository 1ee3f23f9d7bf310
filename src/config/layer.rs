//! One layer of settings: the file, the environment or the flags. Later layers win; what no layer says has a default.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

use crate::config::OnTableError;
use crate::config::source::{DriverKind, SslMode};
use crate::error::{Error, ErrorKind, Result};

/// All keys, as the TOML file spells them; the environment has them as `RELAYLITE_` and upper case.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// `mysql://USER@HOST:PORT` of the source.
    pub source: Option<String>,
    /// File that holds the source's password.
    pub password_file: Option<PathBuf>,
    /// The source's password (environment only; a file given to others should not hold it).
    #[serde(skip)]
    pub source_password: Option<SecretString>,
    /// Our server id.
    pub server_id: Option<u32>,
    /// Where to start when there is no checkpoint.
    pub start: Option<String>,
    /// `FILE:POS` to go on at although the checkpoint is before it, giving up the changes between.
    pub skip_to: Option<String>,
    /// The relay directory.
    pub relay_dir: Option<PathBuf>,
    /// Whether relay files that are applied everywhere are removed.
    pub relay_log_purge: Option<bool>,
    /// Seconds that they are kept for since they were last written to.
    pub relay_log_expire_seconds: Option<u64>,
    /// Bytes of relay log up to which they are kept.
    pub relay_log_retain_bytes: Option<u64>,
    /// Bytes of relay log at which the I/O side waits for the applier side.
    pub relay_log_space_limit: Option<u64>,
    /// `sqlite:DIR` or `mysql://USER@HOST:PORT`.
    pub target: Option<String>,
    /// File that holds the target's password.
    pub target_password_file: Option<PathBuf>,
    /// The target's password (environment only).
    #[serde(skip)]
    pub target_password: Option<SecretString>,
    /// Where systemd puts a service's credentials (`CREDENTIALS_DIRECTORY`): passwords that no other setting gives.
    #[serde(skip)]
    pub credentials: Option<PathBuf>,
    /// Databases applied at the same time.
    pub workers: Option<usize>,
    /// Seconds between attempts to reach the source.
    pub connect_retry: Option<u64>,
    /// Seconds between heartbeats of an idle source.
    pub heartbeat_period: Option<u64>,
    /// Seconds without a packet after which the connection is taken for dead.
    pub replica_net_timeout: Option<u64>,
    /// TLS to the source.
    pub ssl_mode: Option<SslMode>,
    /// CA certificates in PEM.
    pub ssl_ca: Option<PathBuf>,
    /// Client certificate in PEM.
    pub ssl_cert: Option<PathBuf>,
    /// Key of the client certificate in PEM.
    pub ssl_key: Option<PathBuf>,
    /// `native` or `mysql_cdc`.
    pub driver: Option<DriverKind>,
    /// Databases to follow; all others are left out.
    pub replicate_do_db: Option<Vec<String>>,
    /// Databases to leave out.
    pub replicate_ignore_db: Option<Vec<String>>,
    /// Tables to follow, as `DATABASE.TABLE`; all others are left out.
    pub replicate_do_table: Option<Vec<String>>,
    /// Tables to leave out, as `DATABASE.TABLE`.
    pub replicate_ignore_table: Option<Vec<String>>,
    /// Patterns of tables to follow: `%` is any text, `_` any character.
    pub replicate_wild_do_table: Option<Vec<String>>,
    /// Patterns of tables to leave out.
    pub replicate_wild_ignore_table: Option<Vec<String>>,
    /// Databases that have another name here, as `FROM->TO`.
    pub replicate_rewrite_db: Option<Vec<String>>,
    /// Acknowledge to a semi-synchronous source what is durable here.
    pub semi_sync: Option<bool>,
    /// `ADDRESS:PORT` where metrics are served.
    pub metrics_listen: Option<String>,
    /// Stop at `FILE:POS`.
    pub until: Option<String>,
    /// Stop at the source's position at start.
    pub until_caught_up: Option<bool>,
    /// End the process on a fatal replication error.
    pub exit_on_error: Option<bool>,
    /// `quarantine` or `stop`.
    pub on_table_error: Option<OnTableError>,
}

/// Keys that hold lists of names; the environment separates the names by commas.
const LIST_KEYS: [&str; 7] = [
    "replicate_do_db",
    "replicate_ignore_db",
    "replicate_do_table",
    "replicate_ignore_table",
    "replicate_wild_do_table",
    "replicate_wild_ignore_table",
    "replicate_rewrite_db",
];

/// The words of the environment, for `--help` and the documentation.
const ENVIRONMENT_PREFIX: &str = "RELAYLITE_";

impl Layer {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// `Config` with the file, line and column of what is wrong.
    pub fn from_file(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::new(
                ErrorKind::Config,
                format!("cannot read the config file {}", path.display()),
            )
            .with_source(error)
        })?;
        Self::from_toml(&text, &path.display().to_string())
    }

    fn from_toml(text: &str, name: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            let place = error.span().map_or_else(String::new, |span| {
                let before = text.get(..span.start).unwrap_or(text);
                let line = before.matches('\n').count() + 1;
                let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
                format!(":{line}:{column}")
            });
            Error::new(
                ErrorKind::Config,
                format!("{name}{place}: {}", error.message()),
            )
        })
    }

    /// Reads `RELAYLITE_*` variables.
    ///
    /// # Errors
    /// `Config` naming the variable that cannot be used. Variables of other names are left alone.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let get = |key: &str| {
            variable(&format!("{ENVIRONMENT_PREFIX}{key}")).filter(|value| !value.is_empty())
        };
        // The same parser as for the file reads each value, so both know the same words.
        let mut toml = String::new();
        let text_keys = [
            "source",
            "password_file",
            "start",
            "skip_to",
            "relay_dir",
            "target",
            "target_password_file",
            "ssl_mode",
            "ssl_ca",
            "ssl_cert",
            "ssl_key",
            "driver",
            "metrics_listen",
            "until",
            "on_table_error",
        ];
        for key in text_keys {
            if let Some(value) = get(&key.to_uppercase()) {
                toml.push_str(&format!("{key} = {}\n", toml::Value::String(value)));
            }
        }
        let bare_keys = [
            "server_id",
            "workers",
            "connect_retry",
            "heartbeat_period",
            "replica_net_timeout",
            "relay_log_purge",
            "relay_log_expire_seconds",
            "relay_log_retain_bytes",
            "relay_log_space_limit",
            "semi_sync",
            "until_caught_up",
            "exit_on_error",
        ];
        for key in bare_keys {
            if let Some(value) = get(&key.to_uppercase()) {
                if !value.bytes().all(|b| b.is_ascii_alphanumeric()) {
                    return Err(Error::new(
                        ErrorKind::Config,
                        format!(
                            "{ENVIRONMENT_PREFIX}{}: `{value}` cannot be used",
                            key.to_uppercase()
                        ),
                    ));
                }
                toml.push_str(&format!("{key} = {value}\n"));
            }
        }
        for key in LIST_KEYS {
            if let Some(value) = get(&key.to_uppercase()) {
                let names = value
                    .split(',')
                    .map(|name| toml::Value::String(name.trim().into()));
                let names = toml::Value::Array(names.collect());
                toml.push_str(&format!("{key} = {names}\n"));
            }
        }
        let mut layer = Self::from_toml(&toml, "environment (RELAYLITE_*)")?;
        layer.source_password = get("SOURCE_PASSWORD").map(SecretString::from);
        layer.target_password = get("TARGET_PASSWORD").map(SecretString::from);
        layer.credentials = variable("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Ok(layer)
    }

    /// This layer with everything that `upper` says on top.
    #[must_use]
    pub fn under(mut self, upper: Self) -> Self {
        // Settings of which one excludes the other: the upper layer's counts.
        if upper.until.is_some() || upper.until_caught_up.is_some() {
            self.until = None;
            self.until_caught_up = None;
        }
        if upper.password_file.is_some() {
            self.source_password = None;
        }
        if upper.target_password_file.is_some() {
            self.target_password = None;
        }
        macro_rules! merge {
            ($($field:ident),* $(,)?) => { Self { $($field: upper.$field.or(self.$field),)* } };
        }
        merge!(
            source,
            password_file,
            source_password,
            server_id,
            start,
            skip_to,
            relay_dir,
            relay_log_purge,
            relay_log_expire_seconds,
            relay_log_retain_bytes,
            relay_log_space_limit,
            target,
            target_password_file,
            target_password,
            credentials,
            workers,
            connect_retry,
            heartbeat_period,
            replica_net_timeout,
            ssl_mode,
            ssl_ca,
            ssl_cert,
            ssl_key,
            driver,
            replicate_do_db,
            replicate_ignore_db,
            replicate_do_table,
            replicate_ignore_table,
            replicate_wild_do_table,
            replicate_wild_ignore_table,
            replicate_rewrite_db,
            semi_sync,
            metrics_listen,
            until,
            until_caught_up,
            exit_on_error,
            on_table_error,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_its_place() {
        let error = Layer::from_toml("server_id = 7\nsevrer = 1\n", "r.toml").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error
                .what()
                .starts_with("r.toml:2:1: unknown field `sevrer`"),
            "{error}"
        );
        let error = Layer::from_toml("workers = \"x\"\n", "r.toml").unwrap_err();
        assert!(error.what().starts_with("r.toml:1:11:"), "{error}");
    }

    #[test]
    fn the_documented_schema_names_keys_that_exist() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../schemas/config.schema.json")).unwrap();
        for (key, property) in schema["properties"].as_object().unwrap() {
            let value = match (&property["type"], &property["enum"][0]) {
                (_, word) if word.is_string() => word.to_string(),
                (kind, _) if kind == "string" => "\"x\"".into(),
                (kind, _) if kind == "boolean" => "true".into(),
                (kind, _) if kind == "array" => "[\"x\"]".into(),
                _ => "7".into(),
            };
            Layer::from_toml(&format!("{key} = {value}"), "schema").unwrap();
        }
    }

    #[test]
    fn flags_beat_environment_beats_file() {
        let file = Layer::from_toml("server_id = 1\nworkers = 2\nstart = \"latest\"", "f").unwrap();
        let environment = Layer::from_environment(|name| match name {
            "RELAYLITE_SERVER_ID" => Some("5".into()),
            "RELAYLITE_SSL_MODE" => Some("verify_ca".into()),
            "RELAYLITE_REPLICATE_DO_DB" => Some("a, b".into()),
            "RELAYLITE_SOURCE_PASSWORD" => Some("pa\"ss".into()),
            _ => None,
        })
        .unwrap();
        let flags = Layer {
            workers: Some(9),
            ..Layer::default()
        };
        let merged = file.under(environment).under(flags);
        assert_eq!((merged.server_id, merged.workers), (Some(5), Some(9)));
        assert_eq!(merged.start.as_deref(), Some("latest"));
        assert_eq!(merged.ssl_mode, Some(SslMode::VerifyCa));
        assert_eq!(merged.replicate_do_db, Some(vec!["a".into(), "b".into()]));
        assert!(!format!("{merged:?}").contains("pa\"ss"));
        let bad = Layer::from_environment(|name| (name == "RELAYLITE_WORKERS").then(|| "x".into()));
        assert!(bad.is_err());
    }
}
