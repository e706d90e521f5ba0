//! What all targets share: an allocator that refuses what no input may take, and the macro that makes one of them.

use std::alloc::System;

use cap::Cap;
pub use {libfuzzer_sys, remesos};

/// The most memory that a process has at a time. What it is asked for beyond that ends it, which libFuzzer reports.
pub const MEMORY_MAX: usize = 512 << 20;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MEMORY_MAX);

/// Makes the target of this name in `remesos::fuzz`.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::remesos::fuzz::$name(data));
    };
}
