//! The MySQL protocol: packets, TLS, login. Knows nothing of replication.
