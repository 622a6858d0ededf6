//! The `wilco` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    wilco::cli::run(std::env::args_os())
}
