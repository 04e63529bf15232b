//! The target that `TROIKA_FUZZ_TARGET` names, for libFuzzer. One program for all: each of its own would link all readers again.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use troika_fuzz::{Target, targets};

fn target() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("TROIKA_FUZZ_TARGET").expect("TROIKA_FUZZ_TARGET names a target");
        let target = targets::named(&name);
        let target = target.unwrap_or_else(|| panic!("TROIKA_FUZZ_TARGET={name}: there is no such target"));
        if target.catches {
            // libFuzzer's own hook ends the process at a panic that would be caught; one that is not caught ends it all the same.
            std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
        }
        target
    })
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let target = target();
    if data.len() > target.longest {
        return Corpus::Reject;
    }
    (target.run)(data);
    Corpus::Keep
});
