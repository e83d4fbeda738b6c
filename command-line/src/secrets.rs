//! Where secrets come from. Arguments are seen by every user of the machine, so that a flag names a place.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use smtpclient::Secret;
use smtpclient::options::{OptionInfo, OptionKind};

use crate::status::{EX_CONFIG, Failure};

/// More than that is not a password.
const MOST: u64 = 64 * 1024;

/// How long a command may take that gives a secret: it may ask somebody for a PIN.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether this value of the option is to be hidden: that of a proxy or a server is where it has a password.
pub(crate) fn hides(option: &OptionInfo, value: &str) -> bool {
    match option.kind {
        OptionKind::Secret => option.name != "proxy" || value.contains('@'),
        OptionKind::Servers => value.split([',', ' ', '\t']).any(|entry| {
            let login = entry.rsplit_once('@').map_or("", |(login, _)| login);
            login.split_once("://").is_some_and(|(_, login)| login.contains(':'))
        }),
        _ => false,
    }
}

/// The secret at a place: `env:NAME`, `file:PATH`, `fd:NUMBER`, or `pass:TEXT` itself.
pub(crate) fn read(option: &str, place: &str) -> Result<Secret, Failure> {
    let (kind, rest) = place.split_once(':').unwrap_or(("", place));
    match kind {
        "env" => match std::env::var_os(rest) {
            Some(value) => Ok(Secret::new(value.into_encoded_bytes())),
            None => Err(Failure::usage(format!("--{option}: the environment has no variable {rest}"))),
        },
        "file" => first_line(option, rest),
        "fd" if rest.parse::<u16>().is_ok() => first_line(option, &format!("/dev/fd/{rest}")),
        "pass" => Ok(Secret::new(rest.as_bytes())),
        _ => Err(Failure::usage(format!(
            "--{option} takes a place: env:NAME (a variable of the environment), file:PATH (its first line), fd:NUMBER (the first \
             line of a descriptor), or pass:TEXT, the text itself, which every user of this machine can read while the program runs"
        ))),
    }
}

/// The first line of what a command prints, and whether that was all of it: read to its end, so that the command is not ended by a
/// pipe that nobody reads.
fn lines(out: impl Read) -> io::Result<(Vec<u8>, bool)> {
    let mut line = Vec::new();
    let mut reader = BufReader::new(out.take(MOST));
    reader.read_until(b'\n', &mut line)?;
    io::copy(&mut reader, &mut io::sink())?;
    Ok((line, reader.into_inner().limit() > 0))
}

/// What a command of the configuration prints, its first line.
pub(crate) fn of_command(key: &str, command: &str) -> Result<Secret, Failure> {
    let failed = |why: String| Failure::config(format!("`{key}`: {command:?} {why}"));
    let mut child = shell(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    let out = child.stdout.take().ok_or_else(|| failed("has no output".to_owned()))?;
    let (sender, read) = mpsc::sync_channel(1);
    // Left behind where the command does not end in time.
    thread::spawn(move || drop(sender.send(lines(out))));
    let read = read.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        let _ = child.kill();
        Err(io::Error::other(format!("it takes longer than {} seconds", PATIENCE.as_secs())))
    });
    let (line, is_whole) = read.map_err(|error| failed(format!("cannot be read: {error}")))?;
    if !is_whole {
        let _ = child.kill();
        let _ = child.wait();
        return Err(failed(format!("printed more than {MOST} octets: let it print the secret alone")));
    }
    let status = child.wait().map_err(|error| failed(format!("cannot be waited for: {error}")))?;
    if !status.success() {
        return Err(failed(format!("failed: {status}")));
    }
    let secret = trimmed(line);
    if secret.is_empty() { Err(failed("printed nothing".to_owned())) } else { Ok(secret) }
}

#[cfg(unix)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]);
    shell
}

#[cfg(windows)]
fn shell(command: &str) -> Command {
    use std::os::windows::process::CommandExt;

    let mut shell = Command::new("cmd");
    // Quotes are the command's own: cmd.exe takes what follows /C as it is.
    shell.raw_arg("/C").raw_arg(command);
    shell
}

fn first_line(option: &str, path: &str) -> Result<Secret, Failure> {
    let mut line = Vec::new();
    let file = File::open(path).map_err(|error| Failure::input(&format!("--{option}: {path}"), &error))?;
    let read = BufReader::new(file.take(MOST)).read_until(b'\n', &mut line);
    read.map_err(|error| Failure::input(&format!("--{option}: {path}"), &error))?;
    let secret = trimmed(line);
    if secret.is_empty() {
        return Err(Failure {
            status: EX_CONFIG,
            text: format!("--{option}: the first line of {path} is empty"),
        });
    }
    Ok(secret)
}

fn trimmed(mut line: Vec<u8>) -> Secret {
    while line.last().is_some_and(|last| matches!(last, b'\r' | b'\n')) {
        line.pop();
    }
    Secret::new(line)
}
