//! Every way into a server: authentication plugins, with and without TLS.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use relaylite::config::source::{DriverKind, SourceConfig, SslMode};
use relaylite::error::ErrorKind;

use super::follower::{Follower, Start, ask, config, log_in};
use crate::support::server::{Flavor, Server};

fn as_user(server: &Server, user: &str, password: &str, mode: SslMode) -> SourceConfig {
    let mut config = config(server, DriverKind::Native);
    config.user = user.to_owned();
    config.password = password.into();
    config.tls.mode = mode;
    config
}

/// The cipher of the connection; empty without TLS.
fn cipher(config: &SourceConfig) -> String {
    ask(config, "SHOW SESSION STATUS LIKE 'Ssl_cipher'")
}

#[test]
fn caching_sha2_password_with_and_without_tls() {
    let server = Server::start(Flavor::MySql);
    server.exec("CREATE USER sha2 IDENTIFIED WITH caching_sha2_password BY 'geheim-ä'");
    let plain = as_user(&server, "sha2", "geheim-ä", SslMode::Disabled);
    let tls = as_user(&server, "sha2", "geheim-ä", SslMode::Required);
    for config in [&plain, &tls] {
        // Unknown to the server's cache: all of the password, under RSA or TLS.
        server.exec("FLUSH PRIVILEGES");
        log_in(config).unwrap();
        // Known: the proof alone.
        log_in(config).unwrap();
    }
    assert_eq!(cipher(&plain), "");
    assert_ne!(cipher(&tls), "");
    let wrong = as_user(&server, "sha2", "geheim", SslMode::Disabled);
    server.exec("FLUSH PRIVILEGES");
    assert_eq!(log_in(&wrong).unwrap_err().errno(), 1045);
    log_in(&plain).unwrap();
    assert_eq!(log_in(&wrong).unwrap_err().errno(), 1045);

    server.exec("CREATE USER nopass IDENTIFIED WITH caching_sha2_password BY ''");
    log_in(&as_user(&server, "nopass", "", SslMode::Disabled)).unwrap();
}

#[test]
fn the_plugin_is_switched() {
    let server = Server::start(Flavor::MySql);
    server.exec("CREATE USER sha IDENTIFIED WITH sha256_password BY 'geheim'");
    for mode in [SslMode::Disabled, SslMode::Preferred] {
        log_in(&as_user(&server, "sha", "geheim", mode)).unwrap();
        let wrong = as_user(&server, "sha", "x", mode);
        assert_eq!(log_in(&wrong).unwrap_err().errno(), 1045);
    }
}

#[test]
fn mysql_native_password_and_none() {
    let server = Server::start(Flavor::MariaDb);
    server.exec(
        "CREATE USER native IDENTIFIED VIA mysql_native_password USING PASSWORD('geheim');
         CREATE USER empty IDENTIFIED BY ''; INSTALL SONAME 'auth_ed25519';
         CREATE USER ed IDENTIFIED VIA ed25519 USING PASSWORD('geheim');
         GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO ed;
         CREATE USER ed_long IDENTIFIED VIA ed25519 USING PASSWORD('geheim-ä-0123456789-0123456789-0123456789-0123456789')",
    );
    log_in(&as_user(&server, "native", "geheim", SslMode::Disabled)).unwrap();
    log_in(&as_user(&server, "empty", "", SslMode::Preferred)).unwrap();
    // A signature of the nonce: of any length of password, and of none but the right one.
    for (user, password) in [
        ("ed", "geheim"),
        (
            "ed_long",
            "geheim-ä-0123456789-0123456789-0123456789-0123456789",
        ),
    ] {
        for mode in [SslMode::Disabled, SslMode::Preferred] {
            log_in(&as_user(&server, user, password, mode)).unwrap();
            let wrong = log_in(&as_user(&server, user, "Geheim", mode)).unwrap_err();
            assert_eq!(
                (wrong.kind(), wrong.errno()),
                (ErrorKind::Access, 1045),
                "{wrong}"
            );
        }
    }
    Follower::start(
        &as_user(&server, "ed", "geheim", SslMode::Disabled),
        &Start::Latest,
    )
    .until_heartbeats(1);
}

#[cfg(feature = "mysql-cdc")]
#[test]
fn mysql_cdc_logs_in_and_refuses_tls() {
    let server = Server::start(Flavor::MySql);
    let mut config = config(&server, DriverKind::MysqlCdc);
    server.exec("FLUSH PRIVILEGES");
    Follower::start(&config, &Start::Latest).until_heartbeats(1);
    Follower::start(&config, &Start::Latest).until_heartbeats(1);
    config.tls.mode = SslMode::Required;
    let error = Follower::try_start(&config, &Start::Latest).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.what().contains("driver = \"native\""), "{error}");
}

/// A CA, a server certificate for 127.0.0.1 and one for another name, and a client certificate.
pub(crate) struct Certificates {
    directory: tempfile::TempDir,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        openssl(
            path,
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca-key.pem -out ca.pem",
        );
        openssl(
            path,
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout x-key.pem -out other-ca.pem",
        );
        for (name, alternative) in [
            ("server", "IP:127.0.0.1"),
            ("elsewhere", "DNS:elsewhere.example"),
            ("client", "DNS:client"),
        ] {
            openssl(
                path,
                &format!(
                    "req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}-key.pem -out {name}.csr"
                ),
            );
            std::fs::write(path.join("ext"), format!("subjectAltName={alternative}\n")).unwrap();
            openssl(
                path,
                &format!(
                    "x509 -req -days 2 -in {name}.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -extfile ext \
                     -out {name}.pem"
                ),
            );
        }
        Self { directory }
    }

    /// A certificate for 127.0.0.1 that was good for a year, long ago.
    fn add_expired(&self) {
        let path = self.directory.path();
        let settings = "[ca]\ndefault_ca = here\n[here]\ndatabase = index.txt\nserial = serial.txt\n\
                        new_certs_dir = .\ndefault_md = sha256\npolicy = policy\nunique_subject = no\n\
                        [policy]\ncommonName = supplied\n";
        std::fs::write(path.join("ca.cnf"), settings).unwrap();
        std::fs::write(path.join("index.txt"), "").unwrap();
        std::fs::write(path.join("serial.txt"), "1000\n").unwrap();
        std::fs::write(path.join("ext"), "subjectAltName=IP:127.0.0.1\n").unwrap();
        std::fs::copy(path.join("server-key.pem"), path.join("expired-key.pem")).unwrap();
        openssl(
            path,
            "ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca-key.pem -in server.csr -out expired.pem \
             -extfile ext -startdate 20200101000000Z -enddate 20210101000000Z",
        );
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn server(&self, name: &str) -> Server {
        let file = |file: String| self.path(&file).display().to_string();
        Server::builder(Flavor::MariaDb)
            .arg(format!("--ssl-ca={}", file("ca.pem".to_owned())))
            .arg(format!("--ssl-cert={}", file(format!("{name}.pem"))))
            .arg(format!("--ssl-key={}", file(format!("{name}-key.pem"))))
            .start()
    }
}

fn openssl(directory: &Path, args: &str) {
    let output = Command::new("openssl")
        .args(args.split_whitespace())
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn each_ssl_mode_checks_what_it_says() {
    let certificates = Certificates::new();
    let server = certificates.server("server");
    let mut config = config(&server, DriverKind::Native);
    for (mode, encrypted) in [
        (SslMode::Disabled, false),
        (SslMode::Preferred, true),
        (SslMode::Required, true),
        (SslMode::VerifyCa, true),
        (SslMode::VerifyIdentity, true),
    ] {
        config.tls.mode = mode;
        config.tls.ca = Some(certificates.path("ca.pem"));
        assert_eq!(!cipher(&config).is_empty(), encrypted, "{mode:?}");
        Follower::start(&config, &Start::Latest).until_heartbeats(1);
    }
    config.tls.ca = Some(certificates.path("other-ca.pem"));
    for mode in [SslMode::VerifyCa, SslMode::VerifyIdentity] {
        config.tls.mode = mode;
        let error = log_in(&config).unwrap_err();
        assert_eq!(
            (error.kind(), error.errno()),
            (ErrorKind::Network, 2026),
            "{error}"
        );
        assert!(error.what().contains("ssl_ca"), "{error}");
    }
    config.tls.ca = None;
    assert!(log_in(&config).is_err(), "the web's CAs do not know it");
    config.tls.ca = Some(certificates.path("no-such.pem"));
    assert_eq!(log_in(&config).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn the_name_counts_only_for_verify_identity() {
    let certificates = Certificates::new();
    let server = certificates.server("elsewhere");
    let mut config = config(&server, DriverKind::Native);
    config.tls.ca = Some(certificates.path("ca.pem"));
    config.tls.mode = SslMode::VerifyCa;
    log_in(&config).unwrap();
    config.tls.mode = SslMode::VerifyIdentity;
    assert_eq!(log_in(&config).unwrap_err().errno(), 2026);
}

#[test]
fn an_expired_certificate_is_named_as_such() {
    let certificates = Certificates::new();
    certificates.add_expired();
    let server = certificates.server("expired");
    let mut config = config(&server, DriverKind::Native);
    config.tls.ca = Some(certificates.path("ca.pem"));
    for mode in [SslMode::VerifyCa, SslMode::VerifyIdentity] {
        config.tls.mode = mode;
        let error = log_in(&config).unwrap_err();
        assert_eq!(
            (error.kind(), error.errno()),
            (ErrorKind::Network, 2026),
            "{error}"
        );
        let text = error.full_text();
        assert!(text.contains("expired"), "{mode:?}: {text}");
    }
    config.tls.mode = SslMode::Required;
    log_in(&config).unwrap();
}

#[test]
fn a_client_certificate_is_shown() {
    let certificates = Certificates::new();
    let server = certificates.server("server");
    server.exec("CREATE USER x509 IDENTIFIED BY 'p' REQUIRE X509");
    let mut config = as_user(&server, "x509", "p", SslMode::Required);
    assert_eq!(log_in(&config).unwrap_err().errno(), 1045);
    config.tls.cert = Some(certificates.path("client.pem"));
    assert_eq!(
        log_in(&config).unwrap_err().kind(),
        ErrorKind::Config,
        "a key is needed too"
    );
    config.tls.key = Some(certificates.path("client-key.pem"));
    log_in(&config).unwrap();
}

#[test]
fn a_server_without_tls_is_taken_only_where_that_is_allowed() {
    // MariaDB before 11.4 has no TLS unless it is given a certificate.
    let server = Server::start(Flavor::MariaDb);
    let mut config = config(&server, DriverKind::Native);
    if cipher(&config).is_empty() {
        config.tls.mode = SslMode::Required;
        let error = log_in(&config).unwrap_err();
        assert_eq!(
            (error.kind(), error.errno()),
            (ErrorKind::Access, 2026),
            "{error}"
        );
    }
}

#[test]
fn the_certificate_that_mysql_makes_for_itself_is_good_for_verify_ca() {
    let server = Server::start(Flavor::MySql);
    let mut config = config(&server, DriverKind::Native);
    config.tls.mode = SslMode::VerifyCa;
    config.tls.ca = Some(server.datadir().join("ca.pem"));
    assert_ne!(cipher(&config), "");
    Follower::start(&config, &Start::Latest).until_heartbeats(1);
}
