//! relaylite
