//! What the tests stand on: real servers to replicate from, the real binary, random work for the one and the
//! comparison with the other.
#![allow(dead_code, reason = "a test module uses what it needs of it")]

/// Makes a test per server of a function that takes the flavor: `NAME::mariadb` and `NAME::mysql`.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::support::server::Flavor;

            #[test]
            fn mariadb() {
                super::$name(Flavor::MariaDb);
            }

            #[test]
            fn mysql() {
                super::$name(Flavor::MySql);
            }
        }
    )+};
}

/// As [`on_both`], and on MariaDB 11.8 too: `NAME::mariadb11`. For what that version logs or stores in its own way.
macro_rules! on_all {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::support::server::Flavor;

            #[test]
            fn mariadb() {
                super::$name(Flavor::MariaDb);
            }

            #[test]
            fn mariadb11() {
                super::$name(Flavor::MariaDb11);
            }

            #[test]
            fn mysql() {
                super::$name(Flavor::MySql);
            }
        }
    )+};
}

pub(crate) mod compare;
pub(crate) mod disk;
pub(crate) mod fault_proxy;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod relaylite;
pub(crate) mod server;
pub(crate) mod workload;
