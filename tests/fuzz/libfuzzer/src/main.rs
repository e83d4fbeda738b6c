//! libFuzzer over the target that FUZZ_TARGET names.
#![no_main]

use std::sync::LazyLock;

use fuzz_targets::{TARGETS, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("FUZZ_TARGET={name}: there are {:?}", TARGETS.map(|(name, _)| name))).1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
