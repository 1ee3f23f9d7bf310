//! Certificates for TLS tests, made by the openssl command.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::server::{Flavor, Server};

/// A CA, a server certificate for 127.0.0.1 and one for another name, and a client certificate.
#[derive(Debug)]
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
    pub(crate) fn add_expired(&self) {
        self.add_until("expired", "20210101000000Z");
    }

    /// A certificate for 127.0.0.1 that is good for `seconds` from now; returns when nobody takes it any more. Its last
    /// second is a whole one, in which it still counts.
    pub(crate) fn add_expiring(&self, name: &str, seconds: i64) -> jiff::Timestamp {
        let end = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        self.add_until(name, &end.strftime("%Y%m%d%H%M%SZ").to_string());
        end + jiff::SignedDuration::from_secs(1)
    }

    fn add_until(&self, name: &str, end: &str) {
        let path = self.directory.path();
        let settings = "[ca]\ndefault_ca = here\n[here]\ndatabase = index.txt\nserial = serial.txt\n\
                        new_certs_dir = .\ndefault_md = sha256\npolicy = policy\nunique_subject = no\n\
                        [policy]\ncommonName = supplied\n";
        std::fs::write(path.join("ca.cnf"), settings).unwrap();
        std::fs::write(path.join("index.txt"), "").unwrap();
        std::fs::write(path.join("serial.txt"), "1000\n").unwrap();
        std::fs::write(path.join("ext"), "subjectAltName=IP:127.0.0.1\n").unwrap();
        std::fs::copy(
            path.join("server-key.pem"),
            path.join(format!("{name}-key.pem")),
        )
        .unwrap();
        openssl(
            path,
            &format!(
                "ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca-key.pem -in server.csr -out {name}.pem \
                 -extfile ext -startdate 20200101000000Z -enddate {end}"
            ),
        );
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn server(&self, flavor: Flavor, name: &str) -> Server {
        let file = |file: String| self.path(&file).display().to_string();
        Server::builder(flavor)
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
