//! Any text, as a .msg file: a message or an error with its line; and what is read goes through hash and source.

#![no_main]

use libfuzzer_sys::fuzz_target;
use troika_msgs_codegen::{Interfaces, hash, parse::parse, rust};

fuzz_target!(|text: &str| {
    let Ok(file) = parse("fuzz_msgs", "Fuzz", text) else { return };
    // A message that another one is missing for, or that contains itself, is refused by the set.
    if let Ok(set) = Interfaces::new([file.clone()]) {
        assert_eq!(hash::rihs01(&set, &file).len(), "RIHS01_".len() + 64);
        let _ = rust::source(&set, &[]); // or refused by name
    }
});
