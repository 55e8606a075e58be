//! Has the linker tell where things are in the memory, by which `xtask/split` knows what of it the
//! worker needs first. What it writes for that does not come into the site.

#![allow(missing_docs)]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|it| it == "wasm") {
        println!("cargo::rustc-link-arg-bins=--emit-relocs");
    }
}
