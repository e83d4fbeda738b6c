//! The program `smtpclient`, which is `sendmail` where it is called so.

use std::process::ExitCode;

fn main() -> ExitCode {
    smtpclient_command::run(std::env::args_os().collect()).into()
}
