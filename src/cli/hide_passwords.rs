//! Passwords on the command line are in every user's process list. They are moved into the environment, which only the
//! same user can read, by starting the program anew in the same process.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::error::{Error, ErrorKind, Result};

/// Flags that may hold a URL with a password, and the variables for it.
const FLAGS: [(&str, &str); 2] = [
    ("--source", "RELAYLITE_SOURCE_PASSWORD"),
    ("--target", "RELAYLITE_TARGET_PASSWORD"),
];

/// Starts the program anew without passwords in its arguments, when there are any; returns when there are none.
///
/// # Errors
/// `Io` when it cannot be started anew.
pub fn hide_passwords() -> Result<()> {
    let arguments: Vec<OsString> = env::args_os().collect();
    let Some((clean, passwords)) = without_passwords(&arguments) else {
        return Ok(());
    };
    let program = env::current_exe()?;
    let mut command = Command::new(program);
    if let Some((name, rest)) = clean.split_first() {
        command.arg0(name).args(rest);
    }
    let error = command.envs(passwords).exec();
    Err(Error::new(
        ErrorKind::Io,
        "cannot start again without a password in the process list",
    )
    .with_source(error))
}

type Passwords = Vec<(&'static str, String)>;

/// The arguments without passwords, and the passwords; `None` when there are none.
fn without_passwords(arguments: &[OsString]) -> Option<(Vec<OsString>, Passwords)> {
    let mut clean = Vec::with_capacity(arguments.len());
    let mut passwords = Vec::new();
    let mut expected = None;
    for argument in arguments {
        let Some(text) = argument.to_str() else {
            clean.push(argument.clone());
            continue;
        };
        let inline = FLAGS.iter().find_map(|(flag, variable)| {
            text.strip_prefix(flag)?
                .strip_prefix('=')
                .map(|url| (format!("{flag}="), url, *variable))
        });
        let found = match (inline, expected.take()) {
            (Some(found), _) => Some(found),
            (None, Some(variable)) => Some((String::new(), text, variable)),
            (None, None) => None,
        };
        expected = FLAGS
            .iter()
            .find(|(flag, _)| text == *flag)
            .map(|(_, variable)| *variable);
        match found.and_then(|(prefix, url, variable)| {
            let (url, password) = split_password(url)?;
            Some((format!("{prefix}{url}"), password, variable))
        }) {
            Some((text, password, variable)) => {
                clean.push(text.into());
                passwords.push((variable, password));
            }
            None => clean.push(argument.clone()),
        }
    }
    (!passwords.is_empty()).then_some((clean, passwords))
}

/// `scheme://user:password@rest` as the URL without the password, and the password decoded.
fn split_password(url: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let (rest, options) = match rest.split_once('?') {
        Some((rest, options)) => (rest, format!("?{options}")),
        None => (rest, String::new()),
    };
    let (login, address) = rest.rsplit_once('@')?;
    let (user, password) = login.split_once(':')?;
    let decoded = decode(password)?;
    Some((format!("{scheme}://{user}@{address}{options}"), decoded))
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_leave_the_arguments() {
        let arguments: Vec<OsString> = [
            "relaylite",
            "run",
            "--source",
            "mysql://u:p%40ss@h:1",
            "--target=mysql://t:x@h",
            "--workers",
            "2",
        ]
        .map(OsString::from)
        .to_vec();
        let (clean, passwords) = without_passwords(&arguments).unwrap();
        let expected = [
            "relaylite",
            "run",
            "--source",
            "mysql://u@h:1",
            "--target=mysql://t@h",
            "--workers",
            "2",
        ];
        assert_eq!(clean, expected.map(OsString::from));
        let expected = [
            ("RELAYLITE_SOURCE_PASSWORD", "p@ss"),
            ("RELAYLITE_TARGET_PASSWORD", "x"),
        ];
        assert_eq!(passwords, expected.map(|(k, v)| (k, v.to_owned())));
        assert!(without_passwords(&clean).is_none());
    }
}
