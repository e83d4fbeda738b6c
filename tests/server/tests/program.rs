//! The program as another language's tests start it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_scripted-server"))
}

fn dialogue(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dialogues").join(name)
}

fn folder(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("program-test-{name}-{}", std::process::id()))
}

/// Starts the program and gives its ports.
fn start(command: &mut Command) -> (Child, Vec<u16>, BufReader<std::process::ChildStdout>) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let ports = line.strip_prefix("LISTENING ").unwrap().split_whitespace().map(|p| p.parse().unwrap());
    let ports = ports.collect();
    (child, ports, output)
}

/// Says all of it, and gives what was heard until the end.
fn say(port: u16, words: &[u8]) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket.write_all(words).unwrap();
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    let mut heard = String::new();
    let _ = socket.read_to_string(&mut heard);
    heard
}

/// A client in shell words, which needs bash for its sockets.
const CLIENT: &str = r#"
folder=$1
mapfile -d '' options < "$folder/options"
for ((i = 0; i < ${#options[@]}; i += 2)); do declare "${options[i]}=${options[i + 1]}"; done
exec 3<>"/dev/tcp/$servers/$ports"
read -r <&3; printf 'EHLO %s\r\n' "$client" >&3
read -r <&3; printf 'MAIL FROM:<alice@client.example>\r\n' >&3
read -r <&3; printf 'RCPT TO:<bob@mail.example>\r\n' >&3
read -r <&3; printf 'DATA\r\n' >&3
read -r <&3; { cat "$folder/message"; printf '.\r\n'; } >&3
read -r reply <&3; printf 'QUIT\r\n' >&3
reply=${reply/ 2.0.0 / }
echo "status = sent"
echo "recipient = bob@mail.example accepted final 250 2.0.0"
echo "attempt = ok"
echo "queue_id = ${QUEUE_ID:-4ABC}"
echo "reply = ${reply%$'\r'}"
"#;

#[test]
fn run_starts_a_client_for_each_file() {
    let run = |files: &[&str], id: &str| {
        let mut command = program();
        command.arg("run").args(files.iter().map(|file| dialogue(file)));
        command.args(["--", "bash", "-c", CLIENT, "client"]).env("QUEUE_ID", id);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, printed) = run(&["one-recipient.smtp", "reply-no-text.smtp"], "4ABC");
    assert_eq!(code, Some(1)); // the second has no queue id, and no enhanced code
    assert!(printed.contains("expected `queue_id = -`, got `4ABC`"), "{printed}");
    assert!(printed.ends_with("2 dialogues, 1 failed\n"), "{printed}");
    let (code, printed) = run(&["one-recipient.smtp"], "4ABC");
    assert_eq!((code, &printed[..]), (Some(0), "1 dialogues, 0 failed\n"));
    let (code, printed) = run(&["one-recipient.smtp"], "4ABD");
    assert_eq!(code, Some(1), "{printed}");
}

#[test]
fn a_file_is_played() {
    let record = folder("record");
    let said = b"EHLO client.example\r\n";
    let (mut child, ports, _) = start(
        program().arg(dialogue("421-ehlo.smtp")).arg("--record").arg(&record).args(["--seconds", "10"]),
    );
    assert!(say(ports[0], said).contains("\r\n421 "));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(std::fs::read(&record).unwrap(), said);
    std::fs::remove_file(record).unwrap();

    let (mut child, ports, _) = start(program().arg(dialogue("421-ehlo.smtp")));
    say(ports[0], b"HELO client.example\r\n");
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let mut difference = String::new();
    child.stderr.take().unwrap().read_to_string(&mut difference).unwrap();
    assert!(difference.contains("expected: EHLO") && difference.contains("got: HELO"), "{difference}");

    let (mut child, ports, _) =
        start(program().arg(dialogue("failover-connect.smtp")).args(["--seconds", "1"]));
    assert_eq!(ports.len(), 2);
    TcpStream::connect(("127.0.0.1", ports[0])).unwrap_err();
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn sink_and_proxy_stand_one_behind_the_other() {
    let (dump, record) = (folder("dump"), folder("proxy"));
    let (mut sink, ports, mut printed) = start(
        program()
            .args(["sink", "--verbose", "--messages", "1", "--seconds", "20", "--reject", "*@no=550 No"])
            .arg("--dump")
            .arg(&dump),
    );
    let to = format!("127.0.0.1:{}", ports[0]);
    let words =
        b"EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@no>\r\nRCPT TO:<a@yes>\r\nDATA\r\n..x\r\n.\r\nQUIT\r\n";

    let cut = (words.len() - 9).to_string(); // all but the LF of the final dot, and QUIT
    let (mut proxy, cut_ports, _) = start(
        program()
            .args(["proxy", "--to", &to, "--cut-to-server", &cut, "--connections", "1", "--seconds", "20"])
            .arg("--record")
            .arg(&record),
    );
    assert!(!say(cut_ports[0], words).contains("queued"));
    assert_eq!(proxy.wait().unwrap().code(), Some(0));
    assert_eq!(std::fs::read(record.join("1.to-server")).unwrap().len().to_string(), cut);

    assert!(say(ports[0], words).contains("250 2.0.0 Ok: queued as 0000000"));
    assert_eq!(sink.wait().unwrap().code(), Some(0));
    let names = std::fs::read_dir(&dump).unwrap().flatten().map(|e| e.file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.ends_with(".part")).collect();
    names.sort();
    assert_eq!(names, ["2.eml", "2.envelope"]);
    assert_eq!(std::fs::read(dump.join("2.eml")).unwrap(), b".x\r\n");
    assert_eq!(std::fs::read_to_string(dump.join("2.envelope")).unwrap(), "MAIL FROM:<>\nRCPT TO:<a@yes>\n");
    let mut dialogue = String::new();
    printed.read_to_string(&mut dialogue).unwrap();
    assert!(dialogue.contains("C: RCPT TO:<a@no>\nS: 550 No\n"), "{dialogue}");
    std::fs::remove_dir_all(dump).unwrap();
    std::fs::remove_dir_all(record).unwrap();
}

#[test]
fn mistakes_are_told() {
    for (arguments, text) in [
        (&["no-such-file.smtp"][..], "no-such-file.smtp"),
        (&["sink", "--reject", "x"], "PATTERN"),
        (&["sink", "--size", "x"], "--size"),
        (&["proxy"], "--to"),
        (&["proxy", "--bend-to-server", "1"], "--bend-to-server"),
        (&["run", "x.smtp"], "--"),
    ] {
        let output = program().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().contains(text));
    }
}
