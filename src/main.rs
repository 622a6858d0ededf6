//! The `wilco` command.

use std::process::ExitCode;

/// See `Cargo.toml`.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wilco::cli::run(std::env::args_os())
}
