//! What the tests stand on: real servers to replicate from, the real binary, random work for the one and the
//! comparison with the other.
#![allow(dead_code, reason = "a test module uses what it needs of it")]

/// Makes a module per function that takes the flavor, with a test per server: `on_servers!({NAME = FLAVOR, …}; FUNCTION, …)`.
macro_rules! on_servers {
    (@one {$($test:ident = $flavor:ident),+} $name:ident) => {
        mod $name {
            use crate::support::server::Flavor;

            $(
                #[test]
                fn $test() {
                    super::$name(Flavor::$flavor);
                }
            )+
        }
    };
    ($servers:tt; $($name:ident),+ $(,)?) => {
        $(on_servers!(@one $servers $name);)+
    };
}

/// Tests on MariaDB and MySQL: `NAME::mariadb` and `NAME::mysql`.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        on_servers!({mariadb = MariaDb, mysql = MySql}; $($name),+);
    };
}

/// As [`on_both`], and on MariaDB 11.8 too: `NAME::mariadb11`. For what that version logs or stores in its own way.
macro_rules! on_all {
    ($($name:ident),+ $(,)?) => {
        on_servers!({mariadb = MariaDb, mariadb11 = MariaDb11, mysql = MySql}; $($name),+);
    };
}

pub(crate) mod certificates;
pub(crate) mod compare;
pub(crate) mod disk;
pub(crate) mod fault_proxy;
pub(crate) mod gate;
pub(crate) mod kept;
pub(crate) mod power_loss;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod relaylite;
pub(crate) mod server;
pub(crate) mod workload;
