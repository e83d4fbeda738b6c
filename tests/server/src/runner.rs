//! Runs a client, in whatever language, over dialogue files.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::dialogue::{self, Dialogue, Mechanism};
use crate::player::Running;
use crate::report;

/// Reads and parses a dialogue file.
///
/// # Errors
/// The file's name, and what is wrong with it.
pub fn load(file: &Path) -> Result<Dialogue, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    dialogue::parse(&text).map_err(|e| format!("{}: {e}", file.display()))
}

/// The dialogue files of a folder, in the order of their names.
///
/// # Errors
/// The folder cannot be read, or has none.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "smtp"));
    files.sort();
    if files.is_empty() { Err(format!("{}: no dialogue files", folder.display())) } else { Ok(files) }
}

/// Plays one file against `command`, which gets a folder with the message and the options as its last
/// argument and prints the report.
///
/// # Errors
/// What the client said wrong, what its report says wrong, or why it could not be run.
pub fn run(file: &Path, command: &[OsString], limit: Duration) -> Result<(), String> {
    let dialogue = load(file)?;
    let running = Running::start(&dialogue, limit).map_err(|e| format!("no socket: {e}"))?;
    let folder = Folder::new().map_err(|e| format!("no folder: {e}"))?;
    unpack(&running, &folder.0).map_err(|e| format!("{}: {e}", folder.0.display()))?;
    let printed = client(command, &dialogue.environment, &folder.0, limit);
    let heard = running.finish();
    let reported = printed.and_then(|printed| report::check(&dialogue.report, &printed));
    match (heard, reported) {
        (Ok(_), Ok(())) => Ok(()),
        (heard, reported) => {
            Err([heard.err(), reported.err()].into_iter().flatten().collect::<Vec<_>>().join("\n"))
        }
    }
}

/// Writes the files `message` and `options`, `again` where the message is sent twice, `tokens` where a function gives them,
/// `mechanisms` where the caller has some, and `commit` where that is an option.
///
/// # Errors
/// The folder cannot be written.
pub fn unpack(running: &Running, folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("message"), running.message())?;
    if let Some(pause) = running.again() {
        std::fs::write(folder.join("again"), pause.to_string())?;
    }
    if !running.tokens().is_empty() {
        let tokens: String =
            running.tokens().iter().map(|(reason, token)| format!("{reason}\0{token}\0")).collect();
        std::fs::write(folder.join("tokens"), tokens)?;
    }
    if !running.mechanisms().is_empty() {
        let mut lines = String::new();
        for Mechanism { name, hides, steps } in running.mechanisms() {
            lines += &format!("mechanism\0{name}\0{}\0", if *hides { "hides" } else { "shows" });
            lines.extend(steps.iter().map(|(challenge, answer)| format!("step\0{challenge}\0{answer}\0")));
        }
        std::fs::write(folder.join("mechanisms"), lines)?;
    }
    if let Some(words) = running.commit() {
        std::fs::write(folder.join("commit"), words)?;
    }
    let options: String =
        running.options().iter().map(|(name, value)| format!("{name}\0{value}\0")).collect();
    std::fs::write(folder.join("options"), options)
}

/// Runs the client and gives what it printed.
fn client(
    command: &[OsString],
    environment: &[(String, String)],
    folder: &Path,
    limit: Duration,
) -> Result<String, String> {
    let (program, arguments) = command.split_first().ok_or("no command")?;
    let name = program.to_string_lossy().into_owned();
    let mut child = Command::new(program)
        .args(arguments)
        .arg(folder)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{name}: {e}"))?;
    let output = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut output) = output {
            let _ = output.read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    match wait(&mut child, limit) {
        Some(status) if status.success() => reader.join().map_err(|_| "reading failed".into()),
        Some(status) => Err(format!("{name}: {status}")),
        None => {
            let _ = child.kill();
            let _ = child.wait();
            Err(format!("{name}: not done after {} s", limit.as_secs()))
        }
    }
}

fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    None
}

/// A folder that goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let name =
            (0..100u32).map(|n| std::env::temp_dir().join(format!("dialogue-{}-{n}", std::process::id())));
        for path in name {
            match std::fs::create_dir(&path) {
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                other => return other.map(|()| Self(path)),
            }
        }
        Err(std::io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
