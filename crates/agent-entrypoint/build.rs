//! Links the program without a C library: static, at a fixed address, with its own start.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    // Where the linker is called directly there is no driver that would add a C library. GNU's would
    // also fill the file up to whole pages; LLVM's does not.
    let driver = ["-nostartfiles", "-nostdlib", "-Wl,-z,noseparate-code"];
    let driver = driver.iter().filter(|_| !flags.contains("linker=rust-lld"));
    for flag in driver.chain(&["-static", "-no-pie"]) {
        println!("cargo::rustc-link-arg-bin=agent-entrypoint={flag}");
    }
}
