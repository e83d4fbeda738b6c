//! Servers that are agents on this machine: `null:`, `file:` and `sendmail:`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smtpclient::error::{Kind, Step};
use smtpclient::report::Outcome;
use smtpclient::{Mailer, Message, Options, Report, Session, sendmessage, verify};

/// A program that is written while another thread forks cannot be run: its file is still open for writing there.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("agent-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn program(&self, name: &str, lines: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, format!("#!/bin/sh\ncd {}\n{lines}\n", self.0.display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        format!("sendmail:{}", path.display())
    }

    fn files(&self, ending: &str) -> Vec<PathBuf> {
        let all = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.extension().is_some_and(|own| own == ending)).collect()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn options(servers: &[&str]) -> Options {
    let mut options = Options::default();
    options.servers = servers.iter().map(|server| (*server).to_owned()).collect();
    options
}

fn message() -> Message {
    Message::from_bytes(
        *b"From: a@c.example\r\nTo: b@s.example, -c@s.example\r\nDate: x\r\nMessage-ID: <x@y>\r\n\r\n.dot\r\n..\r\nlast",
    )
}

fn send(servers: &[&str]) -> Report {
    match sendmessage(&message(), &options(servers)) {
        Ok(report) => report,
        Err(error) => *error.report,
    }
}

fn outcomes(report: &Report) -> Vec<Outcome> {
    report.recipients.iter().map(|recipient| recipient.outcome).collect()
}

#[test]
fn nobody_takes_everything() {
    assert!(send(&["NULL:"]).complete());
    let report = send(&["null:"]);
    assert!(report.complete() && report.attempts[0].server == "null:", "{report:?}");
    // The same options that a relay needs.
    let mut options = options(&["null:"]);
    options.username = Some("ann".to_owned());
    options.password = Some("secret".into());
    options.tlsrequired = true;
    assert!(sendmessage(&message(), &options).unwrap().complete());
    assert!(verify(&options).unwrap().error.is_none());
}

#[test]
fn a_folder_gets_message_and_envelope() {
    let folder = Folder::new("folder");
    let server = format!("file:{}", folder.0.display());
    let report = send(&[&server]);
    assert!(report.complete(), "{report:?}");
    let (messages, envelopes) = (folder.files("eml"), folder.files("envelope"));
    assert_eq!((messages.len(), envelopes.len()), (1, 1));
    assert!(fs::read_to_string(&messages[0]).unwrap().ends_with("\r\n\r\n.dot\r\n..\r\nlast\r\n"));
    let envelope = fs::read_to_string(&envelopes[0]).unwrap();
    assert!(envelope.starts_with("MAIL FROM:<a@c.example>"), "{envelope}");
    assert!(envelope.ends_with("RCPT TO:<b@s.example>\nRCPT TO:<-c@s.example>\n"), "{envelope}");
    for file in [&messages[0], &envelopes[0]] {
        assert_eq!(
            fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600,
            "blind recipients are in it"
        );
    }
    let name = messages[0].file_stem().unwrap().to_str().unwrap();
    assert_eq!(report.queue_id(), Some(name));
    // A hundred by a mailer, over several agents at once.
    let mailer = Mailer::new(&options(&[&server])).unwrap();
    for _ in 0..100 {
        mailer.submit(&message(), None).unwrap();
    }
    for _ in 0..100 {
        assert!(mailer.next_report(Duration::from_secs(60)).unwrap().1.complete());
    }
    assert_eq!((folder.files("eml").len(), folder.files("envelope").len()), (101, 101));
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 202, "and nothing else");
}

#[test]
fn what_is_asked_of_a_relay_is_asked_of_nobody_too() {
    let folder = Folder::new("asked");
    for server in ["null:".to_owned(), format!("file:{}", folder.0.display())] {
        let mut options = options(&[&server]);
        for (name, value) in [
            ("dsnnotify", "failure"),
            ("dsnret", "headers"),
            ("dsnenvid", "7"),
            ("deliverby", "120;N"),
            ("hold", "for:60"),
            ("priority", "3"),
        ] {
            options.set(name, value).unwrap();
        }
        let report = sendmessage(&message(), &options).unwrap();
        assert!(report.complete(), "{report:?}");
    }
    let envelope = fs::read_to_string(&folder.files("envelope")[0]).unwrap();
    assert!(envelope.contains("HOLDFOR=60") && envelope.contains("NOTIFY=FAILURE"), "{envelope}");
}

#[test]
fn a_folder_or_program_that_is_missing_is_a_server_that_cannot_be_reached() {
    for server in ["file:/nowhere/at/all", "sendmail:/nowhere/at/all", "file:/dev/null", "sendmail:/tmp"] {
        let report = send(&[server]);
        let error = report.error.clone().unwrap();
        assert_eq!((error.kind(), error.step()), (Kind::Connect, Step::Connect), "{error}");
        assert!(error.to_string().contains(server.split_once(':').unwrap().1), "{error}");
        assert_eq!(outcomes(&report), [Outcome::NotSent; 2]);
        assert!(send(&[server, "null:"]).complete());
    }
    for wrong in ["file:relative", "sendmail:", "null:x", "file:", "sendmail://u:secret@x/bin/cat"] {
        assert_eq!(send(&[wrong]).error.unwrap().kind(), Kind::Usage, "{wrong}");
    }
}

#[test]
fn a_program_gets_the_envelope_as_arguments_and_the_message_with_lf() {
    let _alone = alone();
    let folder = Folder::new("program");
    let program = folder.program("sendmail", "printf '%s\\n' \"$@\" >words; cat >message");
    let report = send(&[&program]);
    assert!(report.complete(), "{report:?}");
    assert_eq!(folder.read("words"), "-i\n-f\na@c.example\n--\nb@s.example\n-c@s.example\n");
    assert!(folder.read("message").ends_with("\n\n.dot\n..\nlast\n"));
    assert!(!folder.read("message").contains('\r'));
    // A line longer than what is read at once, with its end at every place around the border.
    for length in 4090..4100 {
        let mut options = options(&[&program]);
        options.recipients = Some("ü@s.example".into());
        options.originator = Some(String::new());
        let long = format!("From: a@c.example\r\n\r\n{}\r\nx\r\n", "y".repeat(length));
        assert!(sendmessage(&Message::from_bytes(long), &options).unwrap().complete());
        assert_eq!(folder.read("words"), "-i\n-f\n<>\n--\nü@s.example\n");
        assert!(folder.read("message").ends_with(&format!("\n\n{}\nx\n", "y".repeat(length))), "{length}");
    }
}

#[test]
fn its_exit_status_is_the_outcome() {
    let _alone = alone();
    let folder = Folder::new("status");
    for (lines, outcome, code) in [
        ("exit 0", Outcome::Accepted, 250),
        ("echo no room >&2; exit 75", Outcome::Rejected, 451),
        ("echo who >&2; exit 67", Outcome::Rejected, 550),
        ("exit 69", Outcome::Rejected, 554),
        ("exit 200", Outcome::Rejected, 554),
        ("cat >/dev/null; kill -9 $$", Outcome::Unknown, 0),
    ] {
        let report = send(&[&folder.program("one", lines)]);
        assert_eq!(outcomes(&report), [outcome; 2], "{lines}: {report:?}");
        let reply = report.recipients[0].reply.as_ref();
        assert_eq!(reply.map_or(0, |reply| reply.code()), code, "{lines}");
        if lines.contains("no room") {
            assert!(reply.unwrap().text().contains("no room"), "{report:?}");
        }
    }
    let report = send(&[&folder.program("one", "cat >/dev/null; kill -SEGV $$")]);
    let error = report.error.clone().unwrap().to_string();
    assert_eq!(outcomes(&report), [Outcome::Unknown; 2]);
    assert!(error.contains("one was ended by signal 11 (SIGSEGV)"), "{error}");
}

#[test]
fn a_program_that_cannot_be_run_is_a_server_that_cannot_be_reached() {
    let _alone = alone();
    let folder = Folder::new("unrunnable");
    let path = folder.0.join("program");
    let server = format!("sendmail:{}", path.display());
    for (mode, content, why) in [
        (0o644, "#!/bin/sh\nexit 0\n", "ermission denied"),
        (0o755, "#!/nowhere/at/all -x\n", "/nowhere/at/all"),
        (0o755, "#! /nowhere/at/all", "/nowhere/at/all"),
        (0o755, "#!/etc/passwd\n", "/etc/passwd"),
        (0o755, "#!\n", "by \"\""),
    ] {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let report = send(&[&server]);
        let error = report.error.clone().unwrap();
        assert_eq!((error.kind(), error.step()), (Kind::Connect, Step::Connect), "{content:?} {error}");
        assert!(error.to_string().contains(why), "{content:?} {error}");
        assert_eq!(outcomes(&report), [Outcome::NotSent; 2]);
        assert!(send(&[&server, "null:"]).complete());
    }
    // What only running it tells.
    fs::write(&path, "nothing").unwrap();
    assert_eq!(outcomes(&send(&[&server])), [Outcome::Rejected; 2]);
}

#[test]
fn a_program_ends_with_the_call() {
    let _alone = alone();
    let folder = Folder::new("deadline");
    let number = "echo $$ >number.new; mv number.new number";
    for (name, lines, asked) in [
        (
            "asked",
            format!("trap 'echo asked >asked; exit 0' TERM; {number}; while :; do sleep 0.02; done"),
            true,
        ),
        ("killed", format!("trap '' TERM; {number}; while :; do sleep 0.02; done"), false),
    ] {
        let mut options = options(&[&folder.program(name, &lines)]);
        options.deadline = Some(Duration::from_millis(500));
        let report = sendmessage(&message(), &options).unwrap_err().report;
        assert_eq!(outcomes(&report), [Outcome::Unknown; 2], "{report:?}");
        // One that has ended and was not waited for would still have its number.
        let process = PathBuf::from("/proc").join(folder.read("number").trim());
        let is_gone = || if cfg!(target_os = "linux") { !process.exists() } else { true };
        wait_for(is_gone, &process);
        assert_eq!(folder.0.join("asked").exists(), asked, "{name}");
        for file in ["asked", "number"] {
            let _ = fs::remove_file(folder.0.join(file));
        }
    }
}

#[test]
fn a_session_and_a_message_that_is_given_up() {
    let folder = Folder::new("session");
    let server = format!("file:{}", folder.0.display());
    let mut options = options(&[]);
    options.recipients = Some("b@s.example".into());
    let mut session = Session::open(&server, 0, &options).unwrap();
    assert!(session.send_message(&message(), &options).unwrap().complete());
    options.username = Some("ann".to_owned());
    options.tlsrequired = true;
    let mut secure = Session::open("null:", 0, &options).unwrap();
    assert!(secure.send_message(&message(), &options).unwrap().complete());
    options.username = None;
    options.tlsrequired = false;
    let broken = Message::from_read(Broken(0));
    let failed = session.send_message(&broken, &options).unwrap_err();
    assert_eq!(failed.error.kind(), Kind::Source);
    drop(session);
    wait_for(|| fs::read_dir(&folder.0).unwrap().count() == 2, &folder.0);
}

/// Fails in the middle.
struct Broken(u64);

impl std::io::Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0 += 1;
        match self.0 {
            1 => {
                let head = b"From: a@c.example\r\n\r\n";
                buffer[..head.len()].copy_from_slice(head);
                Ok(head.len())
            }
            2..100 => {
                buffer.fill(b'x');
                Ok(buffer.len())
            }
            _ => Err(std::io::Error::other("broken")),
        }
    }
}

fn wait_for(is_so: impl Fn() -> bool, what: &Path) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{}", what.display());
}
