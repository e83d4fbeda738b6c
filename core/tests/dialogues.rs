//! Every dialogue of `tests/dialogues` through `sendmessage`, and through that of tokio.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::VecDeque;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use scripted_server::dialogue::Mechanism;
use scripted_server::player::Running;
use scripted_server::{report, runner};
use smtpclient::commit::{Commit, Ready};
use smtpclient::error::{Error, Kind};
use smtpclient::message::Message;
use smtpclient::net::{SendError, Session, sendmessage};
use smtpclient::options::{CustomExchange, CustomMechanism, CustomStep, LoginFacts, OauthToken, Options};
use smtpclient::reply::Reply;
use smtpclient::report::Report;
use smtpclient::report::fields::Value;

const LIMIT: Duration = Duration::from_secs(30);
/// Set where this process has the environment that a dialogue asks for.
const IN_ENVIRONMENT: &str = "DIALOGUE_IN_ENVIRONMENT";

/// Sends the message, or sends it twice over a session, with so many milliseconds in between.
type Client = fn(&Message, &Options, Option<u64>) -> Result<Report, SendError>;

#[test]
fn every_dialogue_is_spoken_and_reported_as_its_file_says() {
    every_dialogue("every_dialogue_is_spoken_and_reported_as_its_file_says", send);
}

#[cfg(feature = "tokio")]
#[test]
fn every_dialogue_is_the_same_awaited() {
    every_dialogue("every_dialogue_is_the_same_awaited", send_awaited);
}

fn every_dialogue(test: &str, client: Client) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/dialogues");
    let only = std::env::var("DIALOGUE").unwrap_or_default();
    let mut files = runner::files(&folder).unwrap();
    // A server that is a path is a usage error on Windows.
    files.retain(|file| {
        let name = file.to_string_lossy();
        name.contains(&only) && !(cfg!(windows) && name.contains("-unix"))
    });
    let count = files.len();
    let queue = Mutex::new(files);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let Some(file) = queue.lock().unwrap().pop() else { break };
                    if let Err(text) = play(&file, test, client) {
                        let name = file.file_name().unwrap().to_string_lossy().into_owned();
                        failures.lock().unwrap().push(format!("=== {name}\n{text}"));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    assert_ne!(count, 0, "no dialogue was found");
    assert!(failures.is_empty(), "{} of {count} failed\n{}", failures.len(), failures.join("\n"));
}

fn play(file: &Path, test: &str, client: Client) -> Result<(), String> {
    let dialogue = runner::load(file)?;
    if !dialogue.environment.is_empty() && std::env::var_os(IN_ENVIRONMENT).is_none() {
        return elsewhere(file, test, &dialogue.environment);
    }
    let running = Running::start(&dialogue, LIMIT).map_err(|e| e.to_string())?;
    let mut options = Options::default();
    let asked = Arc::new(Mutex::new(String::new()));
    options.commit = running.commit().map(|words| commit(words.to_owned(), Arc::clone(&asked)));
    let mut refused = None;
    for (name, value) in running.options() {
        if let Err(error) = options.set(name, value) {
            refused = Some(error);
        }
    }
    if !running.tokens().is_empty() {
        options.oauthtoken = Some(asking(running.tokens()));
    }
    options.mechanisms = running.mechanisms().iter().map(mechanism).collect();
    let report = match refused {
        Some(error) => {
            let mut report = Report::default();
            report.error = Some(error);
            report
        }
        None => match client(&Message::from_bytes(running.message()), &options, running.again()) {
            Ok(report) => report,
            Err(failed) => *failed.report,
        },
    };
    let heard = running.finish().err();
    let printed = asked.lock().unwrap().clone() + &render(&report);
    let reported = report::check(&dialogue.report, &printed).err();
    match (heard, reported) {
        (None, None) => Ok(()),
        (heard, reported) => Err([heard, reported].into_iter().flatten().collect::<Vec<_>>().join("\n")),
    }
}

/// The function that the lines `token` describe.
fn asking(tokens: &[(String, String)]) -> OauthToken {
    let left: Mutex<VecDeque<_>> = Mutex::new(tokens.iter().cloned().collect());
    OauthToken::asking(move |reason| match left.lock().unwrap().pop_front() {
        None => Err("it was asked once more than the dialogue has tokens".to_owned()),
        Some((expected, _)) if expected != reason.name() => {
            Err(format!("it was asked because of {}, not {expected}", reason.name()))
        }
        Some((_, token)) => token.strip_prefix('!').map_or(Ok(token.clone()), |why| Err(why.to_owned())),
    })
}

/// The mechanism that the lines `mechanism` and `step` describe.
fn mechanism(described: &Mechanism) -> Arc<dyn CustomMechanism> {
    let left = Arc::new(Mutex::new(described.steps.iter().cloned().collect()));
    Arc::new(Described { name: described.name.clone(), hides: described.hides, left })
}

struct Described {
    name: String,
    hides: bool,
    left: Arc<Mutex<VecDeque<(String, String)>>>,
}

impl CustomMechanism for Described {
    fn name(&self) -> &str {
        &self.name
    }

    fn reveals_secret(&self) -> bool {
        !self.hides
    }

    fn begin(&self, _: &LoginFacts<'_>) -> Box<dyn CustomExchange> {
        let left = Arc::clone(&self.left);
        Box::new(move |challenge: Option<&[u8]>| {
            let challenge =
                challenge.map_or("-".into(), |octets| String::from_utf8_lossy(octets).into_owned());
            Poll::Ready(match left.lock().unwrap().pop_front() {
                None => Err("it was asked once more than the dialogue has steps".to_owned()),
                Some((expected, _)) if expected != challenge => {
                    Err(format!("it was asked to answer {challenge}, not {expected}"))
                }
                Some((_, answer)) => step(&answer),
            })
        })
    }
}

fn step(answer: &str) -> Result<CustomStep, String> {
    if let Some(why) = answer.strip_prefix('!') {
        return Err(why.to_owned());
    }
    let mut step = CustomStep::server_first();
    step.is_done = answer.starts_with("last");
    step.response = answer.split_once('+').map(|(_, response)| response.into());
    Ok(step)
}

/// A commit that fails where there are words, and writes a line for each message.
fn commit(words: String, asked: Arc<Mutex<String>>) -> Commit {
    Commit::new(move |ready: &[Ready]| {
        let mut asked = asked.lock().unwrap();
        for one in ready {
            let tag = one.tag.as_deref().unwrap_or("-");
            let id = one.message_id.as_deref().unwrap_or("-");
            writeln!(asked, "commit = {} {tag} {id} {}", one.attempt, one.recipients.join(" ")).unwrap();
        }
        if words.is_empty() { Ok(()) } else { Err(words.clone()) }
    })
}

fn send(message: &Message, options: &Options, again: Option<u64>) -> Result<Report, SendError> {
    let Some(pause) = again else { return sendmessage(message, options) };
    let port = options.ports.first().copied().unwrap_or_default();
    let mut session = Session::open(&options.servers[0], port, options)?;
    let _ = session.send_message(message, options);
    std::thread::sleep(Duration::from_millis(pause));
    let second = session.send_message(message, options);
    session.close();
    second
}

#[cfg(feature = "tokio")]
fn send_awaited(message: &Message, options: &Options, again: Option<u64>) -> Result<Report, SendError> {
    use smtpclient::tokio::{Session, sendmessage};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Some(pause) = again else { return sendmessage(message, options).await };
        let port = options.ports.first().copied().unwrap_or_default();
        let mut session = Session::open(&options.servers[0], port, options).await?;
        let _ = session.send_message(message, options).await;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let second = session.send_message(message, options).await;
        session.close().await;
        second
    })
}

/// In a process of its own: this one's environment is shared by threads.
fn elsewhere(file: &Path, test: &str, environment: &[(String, String)]) -> Result<(), String> {
    let own = std::env::current_exe().unwrap();
    // Where this machine cannot run it by itself: an emulator.
    let mut program = std::env::var_os("RUN_WITH").map_or_else(
        || Command::new(&own),
        |tool| {
            let mut program = Command::new(tool);
            program.arg(&own);
            program
        },
    );
    let done = program
        .args(["--exact", test])
        .env(IN_ENVIRONMENT, "1")
        .env("DIALOGUE", file)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stdout).into_owned()) }
}

/// The report as the lines of a dialogue file.
fn render(report: &Report) -> String {
    let mut text = String::new();
    let failure = report.failure();
    let status = match (report.unknown(), report.complete(), report.sent()) {
        (true, ..) => "unknown",
        (_, true, _) => "sent",
        (.., true) => "partial",
        _ if failure.as_ref().is_some_and(|error| error.kind() == Kind::Recipients) => "not_sent",
        _ => "error",
    };
    writeln!(text, "status = {status}").unwrap();
    if let Some(error) = &failure {
        writeln!(text, "error = {}", error_words(error)).unwrap();
        writeln!(text, "error_text = {error}").unwrap();
    }
    for recipient in &report.recipients {
        let outcome = recipient.outcome.name();
        let reply = reply_words(recipient.reply.as_ref());
        writeln!(text, "recipient = {} {outcome} {} {reply}", recipient.address, recipient.step).unwrap();
    }
    for recipient in report.refused() {
        if let Some(reply) = &recipient.reply {
            writeln!(text, "refused = {} {}", recipient.address, text_words(reply)).unwrap();
        }
    }
    match &report.reply {
        Some(reply) => writeln!(text, "reply = {}", text_words(reply)).unwrap(),
        None => writeln!(text, "reply = -").unwrap(),
    }
    writeln!(text, "queue_id = {}", report.queue_id().unwrap_or("-")).unwrap();
    for attempt in &report.attempts {
        match &attempt.error {
            Some(error) => writeln!(text, "attempt = {}", error_words(error)).unwrap(),
            None => writeln!(text, "attempt = ok").unwrap(),
        }
    }
    writeln!(text, "used = {}", report.used.join(" ")).unwrap();
    writeln!(text, "avoided = {}", report.avoided.join(" ")).unwrap();
    fields(&mut text, "", report.value());
    text
}

/// A line for each field that has no fields of its own.
fn fields(text: &mut String, path: &str, value: Value) {
    let mut within =
        |name: &str, value| fields(text, format!("{path}.{name}").trim_start_matches('.'), value);
    let words = match value {
        Value::List(all) if !all.is_empty() => {
            return all.into_iter().enumerate().for_each(|(n, one)| within(&n.to_string(), one));
        }
        Value::Record(all) => return all.into_iter().for_each(|(name, one)| within(name, one)),
        Value::Text(text) if !text.is_empty() => text.replace('\n', " / "),
        Value::Flag(flag) => u8::from(flag).to_string(),
        Value::Number(number) => number.to_string(),
        _ => "-".to_owned(),
    };
    writeln!(text, "field = {path} {words}").unwrap();
}

fn error_words(error: &Error) -> String {
    let lasting = if error.is_transient() { "transient" } else { "permanent" };
    format!("{} {} {lasting} {}", error.kind().name(), error.step(), reply_words(error.reply()))
}

fn text_words(reply: &Reply) -> String {
    format!("{} {}", reply.code(), reply.lines().collect::<Vec<_>>().join(" / "))
}

fn reply_words(reply: Option<&Reply>) -> String {
    match reply {
        None => "- -".to_owned(),
        Some(reply) => {
            let enhanced = reply.enhanced().map_or_else(|| "-".to_owned(), |code| code.to_string());
            format!("{} {enhanced}", reply.code())
        }
    }
}
