//! The program around the library: where the kernel enters, and what a C library would have brought.
//!
//! It has to be built to abort on panics (`cargo build --release`): without the standard library there
//! is nothing that could unwind.
#![cfg_attr(panic = "abort", no_std, no_main)]

#[cfg(panic = "abort")]
mod start;

/// What `cargo test` and `cargo clippy` build, who do not let a binary abort on panics; not the program.
#[cfg(panic = "unwind")]
fn main() -> std::process::ExitCode {
    eprintln!("not the program: it has to be built by `cargo build --release`");
    std::process::ExitCode::FAILURE
}
