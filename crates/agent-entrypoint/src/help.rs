//! The manual, as `--help` prints it.

pub const VERSION: &str = concat!("agent-entrypoint ", env!("CARGO_PKG_VERSION"), "\n");
pub const TEXT: &str = include_str!("help.txt");
