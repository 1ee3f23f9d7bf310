#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| relaylite_fuzz::events::check(data));
