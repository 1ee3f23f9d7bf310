//! What a refusal of the source means, in words a DBA can act on.

use super::dump::StartAt;
use super::info::SourceInfo;
use crate::binlog::position::Position;
use crate::config::source::SourceConfig;
use crate::error::{Error, ErrorKind};
use crate::wire::ServerError;

/// The statement that gives an account what a replica needs; both servers take it.
pub(super) fn grant_statement(account: &str) -> String {
    let (user, host) = account.rsplit_once('@').unwrap_or((account, "%"));
    let quote = |text: &str| text.replace('\'', "''");
    format!(
        "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '{}'@'{}'",
        quote(user),
        quote(host)
    )
}

/// A login that did not come about: what is wrong with the account, when it is the account.
pub(super) fn login(config: &SourceConfig, cause: Error) -> Error {
    if cause.kind() != ErrorKind::Access {
        return cause;
    }
    let cure = match cause.errno() {
        1045 | 1698 => {
            "check user and password, and that the account exists for this host: SELECT user, \
             host, plugin FROM mysql.user on the source"
        }
        1130 => {
            "no account of the source admits this host: create the user as 'USER'@'%' or with \
             this host"
        }
        1820 | 1862 => "the password has expired: ALTER USER ... IDENTIFIED BY ... on the source",
        3118 | 4151 => "the account is locked: ALTER USER ... ACCOUNT UNLOCK on the source",
        2026 | 2059 => return cause,
        _ => "check the account on the source",
    };
    let what = format!(
        "access to the source {}:{} denied for user '{}'; {cure}",
        config.host, config.port, config.user
    );
    Error::new(ErrorKind::Access, what)
        .with_errno(cause.errno())
        .with_source(cause)
}

/// A statement or command that the account may not run: the grant is missing, whatever number the source gives it.
pub(super) fn missing_grant(info: &SourceInfo, what_for: &str, cause: Error) -> Error {
    if cause.kind() != ErrorKind::Access {
        return cause;
    }
    let what = format!(
        "the account {} may not {what_for}; on the source: {};",
        info.account,
        grant_statement(&info.account)
    );
    Error::new(ErrorKind::Access, what)
        .with_errno(1227)
        .with_source(cause)
}

/// What the source had when it refused a dump.
#[derive(Debug, Default)]
pub(super) struct Present {
    /// End of its binlog.
    pub(super) end: Option<Position>,
    /// Its oldest file.
    pub(super) oldest: Option<String>,
}

/// Whether the source dropped us for another replica with our id.
fn is_duplicate(error: &ServerError) -> bool {
    error.errno == 4052
        || error.text.contains("same server_uuid/server_id")
        || error.text.contains("same server_id")
}

/// Whether the source met an event beyond its own limit (`LOG_READ_TOO_LARGE`), or took for one what it read at a position
/// within an event.
fn is_too_large(error: &ServerError) -> bool {
    error.errno == 1236 && error.text.contains("max_allowed_packet")
}

/// Whether an explanation of this error needs to know what the source has now.
pub(super) fn concerns_position(error: &ServerError) -> bool {
    error.kind() == ErrorKind::Dump && !is_duplicate(error)
}

/// An error instead of the next event.
pub(super) fn dump(
    config: &SourceConfig,
    info: &SourceInfo,
    start: &StartAt,
    error: ServerError,
    present: &Present,
) -> Error {
    if is_duplicate(&error) {
        let what = format!(
            "the source dropped this replica because another one came with the same server_id \
             ({}) or uuid ({}): {}; give one of them another server_id, and never copy a relay \
             directory; this one waits until the other one has gone",
            config.server_id, config.replica_uuid, error.text
        );
        return Error::new(ErrorKind::Double, what).with_errno(error.errno);
    }
    if error.kind() == ErrorKind::Access {
        return missing_grant(info, "read the binary log", error.into_error());
    }
    if !concerns_position(&error) {
        return error.into_error();
    }
    if is_too_large(&error) {
        let what = format!(
            "the source does not send an event behind {start}: {}; if {start} is not where an event begins, start where SHOW \
             BINLOG EVENTS lists one; if the event is larger than the source allows, on the source, SET GLOBAL max_allowed_packet = \
             1073741824; and slave_max_allowed_packet (replica_max_allowed_packet) likewise, then start again; no server sends \
             an event beyond 1 GiB: give up its transaction with --skip-to and the position behind it",
            error.text
        );
        return Error::new(ErrorKind::Dump, what).with_errno(error.errno);
    }
    let mut what = format!(
        "the source cannot send its binary log from {start}: {} (position not in the file, or \
         file purged)",
        error.text
    );
    if let Some(oldest) = &present.oldest {
        what.push_str(&format!("; its oldest file is {oldest}"));
    }
    match &present.end {
        Some(end) => what.push_str(&format!(
            "; it is now at {end}: with an empty target start there with --start {end}; with a target \
             that has a checkpoint already, --skip-to {end} goes on there and gives up the changes \
             between"
        )),
        None => what.push_str("; take a START that SHOW BINARY LOGS on the source lists"),
    }
    Error::new(ErrorKind::Dump, what).with_errno(error.errno)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::info::tests::info;

    fn config() -> SourceConfig {
        SourceConfig {
            host: "db".into(),
            port: 3306,
            user: "slave".into(),
            password: "top secret".into(),
            password_file: None,
            tls: Default::default(),
            server_id: 101,
            replica_uuid: "u".into(),
            heartbeat_period: Default::default(),
            net_read_timeout: Default::default(),
            driver: Default::default(),
            semi_sync: false,
        }
    }

    fn refused(errno: u16, text: &str) -> Error {
        let start = StartAt::Position(Position::new("bin.000001", 99));
        let error = ServerError {
            errno,
            state: "HY000".into(),
            text: text.into(),
        };
        let present = Present {
            end: Some(Position::new("bin.000003", 154)),
            oldest: Some("bin.000002".into()),
        };
        dump(
            &config(),
            &info(&[("version", "8.4.1")]),
            &start,
            error,
            &present,
        )
    }

    #[test]
    fn a_purged_file_names_where_to_start() {
        let error = refused(
            1236,
            "Could not find first log file name in binary log index file",
        );
        assert_eq!((error.kind(), error.errno()), (ErrorKind::Dump, 1236));
        for part in [
            "bin.000001:99",
            "Could not find first",
            "bin.000002",
            "--start bin.000003:154",
        ] {
            assert!(error.what().contains(part), "{error}");
        }
    }

    /// Both servers lift their limit to 1 GiB for a dump; a value of 1 GiB exactly makes a larger event.
    #[test]
    fn an_event_above_the_sources_limit_costs_a_setting_where_one_helps() {
        let error = refused(
            1236,
            "log event entry exceeded max_allowed_packet; Increase max_allowed_packet on source",
        );
        assert_eq!((error.kind(), error.errno()), (ErrorKind::Dump, 1236));
        assert!(
            error
                .what()
                .contains("SET GLOBAL max_allowed_packet = 1073741824")
        );
        assert!(
            error
                .what()
                .contains("no server sends an event beyond 1 GiB")
        );
    }

    #[test]
    fn a_duplicate_id_is_told_apart() {
        for (errno, text) in [
            (
                1236,
                "A replica with the same server_uuid/server_id as this replica has connected",
            ),
            (
                1236,
                "A slave with the same server_uuid/server_id as this slave has connected",
            ),
            (4052, "A slave with the same server_id is already connected"),
        ] {
            let error = refused(errno, text);
            assert_eq!((error.kind(), error.errno()), (ErrorKind::Double, errno));
            assert!(error.what().contains("another server_id"), "{error}");
            assert!(!error.what().contains("--start"));
        }
    }

    #[test]
    fn a_missing_grant_comes_with_its_statement() {
        let error = refused(1227, "Access denied; you need REPLICATION SLAVE");
        assert_eq!((error.kind(), error.errno()), (ErrorKind::Access, 1227));
        let grant = "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'slave'@'%'";
        assert!(error.what().contains(grant), "{error}");
        assert_eq!(refused(1053, "shutdown").kind(), ErrorKind::Network);
    }

    #[test]
    fn a_denied_login_names_the_user_and_never_the_password() {
        let denied = ServerError {
            errno: 1045,
            state: "28000".into(),
            text: "no".into(),
        };
        let error = login(&config(), denied.into_error());
        assert_eq!((error.kind(), error.errno()), (ErrorKind::Access, 1045));
        assert!(
            error.what().contains("db:3306 denied for user 'slave'"),
            "{error}"
        );
        assert!(!format!("{error:?} {:?}", config()).contains("secret"));
    }
}
