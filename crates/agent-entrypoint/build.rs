//! Links the program without a C library: static, at a fixed address, with its own entry point, without
//! tables for unwinding.

fn main() {
    const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/start/discard.ld");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={SCRIPT}");
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    // A linker that is called directly adds no C library. GNU's would also pad the file to whole pages;
    // LLVM's does not.
    let has_driver = !flags.contains("linker=rust-lld");
    let driver = ["-nostartfiles", "-nostdlib", "-Wl,-z,noseparate-code"];
    for flag in driver.iter().filter(|_| has_driver) {
        println!("cargo::rustc-link-arg-bin=agent-entrypoint={flag}");
    }
    let linker = if has_driver { "-Wl," } else { "" };
    for flag in ["--no-eh-frame-hdr", &format!("--script={SCRIPT}")] {
        println!("cargo::rustc-link-arg-bin=agent-entrypoint={linker}{flag}");
    }
    for flag in ["-static", "-no-pie"] {
        println!("cargo::rustc-link-arg-bin=agent-entrypoint={flag}");
    }
}
