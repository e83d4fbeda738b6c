//! The dialogue files themselves: they parse, they agree with themselves, a client that keeps to them
//! passes, and one that departs from them does not.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use scripted_server::dialogue::{Connection, Dialogue, Expected, Listen, Script, Step};
use scripted_server::player::Server;
use scripted_server::runner;
use socket2::{Domain, SockAddr, Socket, Type};

const LIMIT: Duration = Duration::from_secs(10);

fn all() -> Vec<(PathBuf, Dialogue)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dialogues");
    let files = runner::files(&folder).unwrap();
    files.into_iter().map(|file| (file.clone(), runner::load(&file).unwrap())).collect()
}

fn scripts(dialogue: &Dialogue) -> impl Iterator<Item = (&Script, &Connection)> {
    dialogue.servers.iter().flat_map(|s| s.connections.iter().map(move |c| (s, c)))
}

/// The octets that a client says where a step asks for some.
fn said(step: &Step) -> Option<Vec<u8>> {
    match step {
        Step::Command(pattern) => Some([pattern.sample(), b"\r\n".to_vec()].concat()),
        Step::Content(content) => Some(
            content
                .iter()
                .flat_map(|piece| match piece {
                    Expected::Line(pattern) => [pattern.sample(), b"\r\n".to_vec()].concat(),
                    Expected::Octets(octets) => octets.clone(),
                })
                .collect(),
        ),
        Step::Read(count) => Some(vec![b'x'; *count]),
        _ => None,
    }
}

/// A client that reads what the server says and says what the script wants to hear, except for the `alter`th
/// thing, where it says something else.
fn keep_to(connection: &Connection, server: &Server, alter: Option<usize>) -> Result<(), String> {
    let socket =
        Socket::new(if server.path().is_some() { Domain::UNIX } else { Domain::IPV4 }, Type::STREAM, None);
    let mut socket = socket.unwrap();
    let address = server.path().map_or_else(|| server.addr().into(), |path| SockAddr::unix(path).unwrap());
    socket.connect(&address).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    for (index, (_, step)) in connection.steps.iter().enumerate() {
        if let Step::Send(octets) = step {
            let mut heard = vec![0; octets.len()];
            socket.read_exact(&mut heard).map_err(|e| e.to_string())?;
            assert_eq!(&heard, octets);
        }
        if let Some(mut words) = said(step) {
            if alter == Some(index) {
                let middle = words.len() / 2;
                words[middle] ^= 0x80;
            }
            socket.write_all(&words).map_err(|e| e.to_string())?;
        }
    }
    Ok(())
}

#[test]
fn a_client_that_keeps_to_a_file_passes() {
    for (file, dialogue) in all() {
        for script in &dialogue.servers {
            let server = Server::start(script, LIMIT).unwrap();
            for connection in &script.connections {
                keep_to(connection, &server, None).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            }
            server.finish().unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        }
    }
}

#[test]
fn a_client_that_departs_from_a_file_fails() {
    // Each case waits more than it works.
    let dialogues = all();
    std::thread::scope(|scope| {
        for part in dialogues.chunks(dialogues.len().div_ceil(16)) {
            scope.spawn(move || part.iter().for_each(|(file, dialogue)| departures(file, dialogue)));
        }
    });
}

fn departures(file: &Path, dialogue: &Dialogue) {
    for (script, connection) in scripts(dialogue) {
        let slow = connection.steps.iter().any(|(_, s)| matches!(s, Step::Delay(_) | Step::Trickle(_)));
        let big = connection.steps.iter().filter_map(|(_, s)| said(s)).any(|s| s.len() > 65536);
        if slow || big {
            continue;
        }
        for (index, (line, step)) in connection.steps.iter().enumerate() {
            if matches!(step, Step::Read(_)) || said(step).is_none() {
                continue;
            }
            let alone = Script { listen: script.listen, connections: vec![connection.clone()] };
            let server = Server::start(&alone, LIMIT).unwrap();
            let _ = keep_to(connection, &server, Some(index));
            let failure = server.finish().err();
            let failure =
                failure.unwrap_or_else(|| panic!("{} line {line}: nothing noticed", file.display()));
            assert!(failure.contains("expected"), "{failure}");
        }
    }
}

/// RFC 1870: the octets of the message, without stuffed dots and the final dot.
#[test]
fn declared_sizes_are_those_of_the_content() {
    let mut found = 0;
    for (file, dialogue) in all() {
        for (_, connection) in scripts(&dialogue) {
            let commands = connection.steps.iter().filter_map(|(_, step)| match step {
                Step::Command(pattern) => Some(pattern.sample()),
                _ => None,
            });
            let size = commands.map(|c| String::from_utf8_lossy(&c).into_owned()).find_map(|command| {
                command.split(' ').find_map(|word| word.strip_prefix("SIZE=").map(str::to_string))
            });
            let content = connection.steps.iter().find_map(|(_, step)| match step {
                Step::Content(_) => said(step),
                _ => None,
            });
            if let (Some(size), Some(content)) = (size, content) {
                let content = content.strip_suffix(b".\r\n").unwrap();
                let dots = usize::from(content.starts_with(b"."))
                    + content.windows(3).filter(|w| w == b"\r\n.").count();
                assert_eq!(size, (content.len() - dots).to_string(), "{}", file.display());
                found += 1;
            }
        }
    }
    assert!(found > 0);
}

#[test]
fn content_is_dot_stuffed_and_ends() {
    for (file, dialogue) in all() {
        for (_, connection) in scripts(&dialogue) {
            let mut chunk = None;
            for (_, step) in &connection.steps {
                let begun = chunk.take();
                if let Step::Command(pattern) = step {
                    let line = String::from_utf8_lossy(&pattern.sample()).into_owned();
                    chunk = line.strip_prefix("BDAT ").map(|size| size.trim_end().replace(" LAST", ""));
                }
                let (Step::Content(_), Some(content)) = (step, said(step)) else {
                    continue;
                };
                let name = file.display();
                if let Some(size) = begun {
                    assert_eq!(size, content.len().to_string(), "{name}: a chunk of another length");
                    continue;
                }
                // A commit that fails holds the end back.
                let is_cut = dialogue.commit.as_ref().is_some_and(|words| !words.is_empty());
                let body = if is_cut && !content.ends_with(b"\r\n.\r\n") {
                    assert!(content.ends_with(b"\r\n"), "{name}");
                    &content[..]
                } else {
                    assert!(content == b".\r\n" || content.ends_with(b"\r\n.\r\n"), "{name}");
                    content.strip_suffix(b".\r\n").unwrap()
                };
                let lines = body.split(|&b| b == b'\n');
                assert!(lines.clone().all(|l| !l.starts_with(b".") || l.starts_with(b"..")), "{name}");
                assert!(lines.filter(|l| !l.is_empty()).all(|l| l.ends_with(b"\r")), "{name}");
            }
        }
    }
}

#[test]
fn reports_use_the_words_of_the_format() {
    const KINDS: &str = "usage resolve connect timeout closed protocol refused recipients unsupported toolarge source tls login \
        cancelled commit unknown *";
    const STEPS: &str =
        "setup connect tls greeting hello starttls auth mail rcpt data body commit final rset quit command *";
    let word = |list: &str, word: Option<&str>| word.is_none_or(|w| list.split_whitespace().any(|l| l == w));
    for (file, dialogue) in all() {
        let mut outcomes = Vec::new();
        let mut error = false;
        for (name, value) in &dialogue.report {
            let words: Vec<&str> = value.split_whitespace().collect();
            let at = |index: usize| words.get(index).copied();
            let holds = match name.as_str() {
                "error" | "attempt" if value != "ok" => {
                    error |= name == "error";
                    word(KINDS, at(0)) && word(STEPS, at(1)) && word("transient permanent *", at(2))
                }
                "recipient" => {
                    outcomes.push(at(1).unwrap_or_default());
                    value.contains('@')
                        && word("accepted rejected not_sent unknown", at(1))
                        && word(STEPS, at(2))
                }
                "refused" => at(1).is_some_and(|code| code.parse::<u16>().is_ok()),
                _ => true,
            };
            assert!(holds, "{}: {name} = {value}", file.display());
        }
        let status = &dialogue.report.iter().find(|(name, _)| name == "status").unwrap().1;
        let has = |outcome: &str| outcomes.contains(&outcome);
        let holds = match status.as_str() {
            "sent" => outcomes.iter().all(|o| *o == "accepted") && !error,
            "partial" => has("accepted") && !has("unknown") && (has("rejected") || has("not_sent")),
            "unknown" => has("unknown") && error,
            "not_sent" => has("rejected") && !has("accepted") && error,
            "error" => !has("accepted") && !has("unknown") && error,
            _ => false,
        };
        assert!(holds, "{}: status = {status} does not fit the other lines", file.display());
        assert!(!dialogue.servers.is_empty(), "{}", file.display());
        assert!(dialogue.servers.iter().all(|s| s.listen != Listen::Unix || s.connections.len() == 1));
    }
}
