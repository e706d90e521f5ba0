//! Sets `cfg(loom)` for this crate alone. As a flag for all crates it would change tokio and others too.

fn main() {
    println!("cargo:rustc-cfg=loom");
}
