//! The program around the library: the entry point, and what a C library would have provided.
//!
//! It must be built to abort on panics (`cargo build --release`): without the standard library nothing can
//! unwind.
#![cfg_attr(panic = "abort", no_std, no_main)]

#[cfg(panic = "abort")]
mod start;

/// For `cargo test` and `cargo clippy`, which do not let a binary abort on panics; not the program.
#[cfg(panic = "unwind")]
fn main() -> std::process::ExitCode {
    eprintln!("not the program: it has to be built by `cargo build --release`");
    std::process::ExitCode::FAILURE
}
