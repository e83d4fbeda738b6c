//! The engine against servers that answer plausibly, and then do not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::RefCell;
use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::{Config as RunConfig, TestRunner};
use smtpclient::command::{
    ClientName, Command, ForwardPath, Mail, MailParameters, Rcpt, RcptParameters, ReversePath,
};
use smtpclient::content::{Content, Form, Transfer};
use smtpclient::engine::{Config, Engine, Event, Id, Protocol, Transaction};
use smtpclient::error::Error;
use smtpclient::extensions::{Chunking, Pipelining};
use smtpclient::report::{Outcome, Report};

/// What happens next.
#[derive(Clone, Debug)]
enum Act {
    /// The server sends a reply, in pieces of so many octets.
    Reply(&'static str, usize),
    /// The server answers the next thing that it heard, as it should, or by refusing it.
    Answer {
        refuse: bool,
        piece: usize,
    },
    /// The server sends anything at all.
    Noise(Vec<u8>),
    /// The connection takes at most so many octets.
    Take(usize),
    /// It takes all but the last octets: the end mark is cut.
    TakeAllBut(usize),
    /// The client asks for something.
    Hello,
    Send {
        recipients: usize,
        at_least_one: bool,
    },
    Noop,
    Part,
    Silence,
    Eof,
}

const REPLIES: &[&str] = &[
    "220 s.example\r\n",
    "250-s.example\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250 8BITMIME\r\n",
    "250 2.0.0 Ok\r\n",
    "250 2.0.0 Ok: queued as 4ABC\r\n",
    "354 go ahead\r\n",
    "421 4.3.2 closing\r\n",
    "450 4.2.0 later\r\n",
    "550 5.1.1 no\r\n",
    "503 5.5.1 sequence\r\n",
    "250-a\r\n550 b\r\n",
    "334 \r\n",
    "220 2.0.0 ready\r\n",
];

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => (0..REPLIES.len(), 1..60usize).prop_map(|(n, piece)| Act::Reply(REPLIES[n], piece)),
        // What leads on is likelier, so that the far states are reached.
        160 => (prop::bool::weighted(0.1), 1..60usize).prop_map(|(refuse, piece)| Act::Answer { refuse, piece }),
        1 => prop::collection::vec(any::<u8>(), 0..20).prop_map(Act::Noise),
        50 => (1..2000usize).prop_map(Act::Take),
        30 => (1..6usize).prop_map(Act::TakeAllBut),
        1 => Just(Act::Hello),
        20 => (1..4usize, any::<bool>()).prop_map(|(recipients, at_least_one)| Act::Send { recipients, at_least_one }),
        1 => Just(Act::Noop),
        1 => Just(Act::Part),
        1 => Just(Act::Silence),
        1 => Just(Act::Eof),
    ]
}

struct Numbered(String);

impl Content for Numbered {
    fn needs_utf8(&self) -> bool {
        false
    }
    fn form(&self, _: Transfer) -> Result<Form, Error> {
        let mut form = Form::default();
        form.size = Some(self.0.len() as u64);
        Ok(form)
    }
    fn open(&mut self, _: Transfer) -> Result<Box<dyn std::io::BufRead + Send>, Error> {
        Ok(Box::new(std::io::Cursor::new(self.0.clone().into_bytes())))
    }
}

struct Play {
    engine: Engine,
    /// What was handed to the kernel.
    left: Vec<u8>,
    /// What was asked for and not answered, messages with their last line.
    open: HashMap<Id, Option<String>>,
    messages: usize,
    server: Server,
    /// How often each outcome was seen.
    seen: HashMap<Outcome, usize>,
}

/// As far as the server has listened.
#[derive(Default)]
struct Server {
    lmtp: bool,
    chunking: bool,
    greeted: bool,
    heard: usize,
    content: bool,
    accepted: usize,
    /// Final replies that are due.
    finals: usize,
}

impl Server {
    /// What it says next, having heard `left`.
    fn answer(&mut self, left: &[u8], refuse: bool) -> Option<&'static str> {
        if !std::mem::replace(&mut self.greeted, true) {
            return Some(if refuse { "554 5.0.0 no\r\n" } else { "220 s.example\r\n" });
        }
        if self.finals > 0 {
            self.finals -= 1;
            return Some(if refuse { "450 4.2.0 later\r\n" } else { "250 2.0.0 Ok: queued as 4ABC\r\n" });
        }
        loop {
            let rest = &left[self.heard..];
            let end = rest.windows(2).position(|two| two == b"\r\n")? + 2;
            let line = String::from_utf8_lossy(&rest[..end]).into_owned();
            self.heard += end;
            if self.content {
                if line == ".\r\n" {
                    self.content = false;
                    self.finals = if self.lmtp { self.accepted } else { 1 };
                    return self.answer(left, refuse);
                }
                continue;
            }
            if line.starts_with("MAIL") {
                self.accepted = 0;
            }
            if let Some(size) = line.strip_prefix("BDAT ") {
                let size: usize = size.trim_end().trim_end_matches(" LAST").parse().unwrap();
                if left.len() - self.heard < size {
                    self.heard -= end;
                    return None;
                }
                self.heard += size;
                if self.accepted == 0 {
                    return Some("503 5.5.1 sequence\r\n");
                }
                self.finals = if self.lmtp { self.accepted } else { 1 };
                return self.answer(left, refuse);
            }
            if refuse {
                return Some("550 5.1.1 no\r\n");
            }
            return Some(match line.get(..4) {
                Some("EHLO" | "LHLO") if self.chunking => {
                    "250-s.example\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SIZE 100000\r\n"
                }
                Some("EHLO" | "LHLO") => "250-s.example\r\n250-PIPELINING\r\n250 SIZE 100000\r\n",
                Some("RCPT") => {
                    self.accepted += 1;
                    "250 2.1.5 Ok\r\n"
                }
                Some("DATA") => {
                    self.content = true;
                    "354 go ahead\r\n"
                }
                _ => "250 2.0.0 Ok\r\n",
            });
        }
    }
}

impl Play {
    fn new(protocol: Protocol, ways: Option<(Pipelining, Chunking)>) -> Self {
        let mut config = Config::new(ClientName::parse("c.example").unwrap());
        config.protocol = protocol;
        (config.pipelining, config.chunking) = ways.unwrap_or_default();
        let open = HashMap::from([(Id::GREETING, None)]);
        let lmtp = protocol == Protocol::Lmtp;
        let server = Server { lmtp, chunking: ways.is_some(), ..Server::default() };
        Self {
            engine: Engine::new(config),
            left: Vec::new(),
            open,
            messages: 0,
            server,
            seen: HashMap::new(),
        }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Reply(text, piece) => {
                for piece in text.as_bytes().chunks(*piece) {
                    self.engine.handle_input(piece);
                }
            }
            Act::Answer { refuse, piece } => {
                if let Some(text) = self.server.answer(&self.left, *refuse) {
                    for piece in text.as_bytes().chunks(*piece) {
                        self.engine.handle_input(piece);
                    }
                }
            }
            Act::Noise(bytes) => self.engine.handle_input(bytes),
            Act::Take(most) => self.take(|length| length.min(*most)),
            Act::TakeAllBut(rest) => self.take(|length| length.saturating_sub(*rest)),
            Act::Hello => {
                let id = self.engine.hello();
                self.open.insert(id, None);
            }
            Act::Noop => {
                let id = self.engine.command(Command::Noop(None));
                self.open.insert(id, None);
            }
            Act::Send { recipients, at_least_one } => {
                self.messages += 1;
                let last = format!("message {} ends", self.messages);
                let rcpt = |n| Rcpt {
                    path: ForwardPath::new(&format!("r{n}@s.example")).unwrap(),
                    parameters: RcptParameters::default(),
                };
                let mail = Mail {
                    path: ReversePath::new("a@c.example").unwrap(),
                    parameters: MailParameters::default(),
                };
                let content = Numbered(format!("Subject: x\r\n\r\n.dot\r\n{last}\r\n"));
                let recipients = (0..*recipients).map(rcpt).collect();
                let mut transaction = Transaction::new(mail, recipients, Box::new(content));
                transaction.at_least_one = *at_least_one;
                let id = self.engine.send(transaction);
                self.open.insert(id, Some(last));
            }
            Act::Part => self.engine.part(),
            Act::Silence => self.engine.handle_timeout(),
            Act::Eof => self.engine.handle_eof(),
        }
        self.events();
        if self.engine.is_closed() {
            assert!(self.engine.poll_output().is_empty(), "a closed engine writes nothing");
        }
    }

    fn take(&mut self, how_many: impl Fn(usize) -> usize) {
        let output = self.engine.poll_output();
        let taken = output[..how_many(output.len())].to_vec();
        self.engine.output_done(taken.len());
        self.left.extend(taken);
    }

    fn events(&mut self) {
        while let Some(event) = self.engine.poll_event() {
            let id = match &event {
                Event::Reply(id, _)
                | Event::StartTls(id, _)
                | Event::Sent(id, _)
                | Event::Unbegun(id, ..)
                | Event::Failed(id, _) => *id,
            };
            let asked = self.open.remove(&id).expect("each request is answered once");
            // What was answered as if it were unknown, and is to be sent once more, was not taken.
            let anew = !self.engine.avoided().is_empty();
            if let (Event::Unbegun(..), Some(last)) = (&event, &asked)
                && !anew
            {
                assert!(!String::from_utf8_lossy(&self.left).contains(last.as_str()), "begun: {event:?}");
            }
            if let (Event::Sent(_, report), Some(last)) = (&event, asked) {
                self.check(report, &last);
                for recipient in &report.recipients {
                    *self.seen.entry(recipient.outcome).or_default() += 1;
                }
            }
        }
    }

    /// The outcome must fit what left.
    fn check(&self, report: &Report, last: &str) {
        let left = String::from_utf8_lossy(&self.left);
        let by_data = left.contains(&format!("{last}\r\n.\r\n"));
        // Dots are doubled after DATA only.
        let by_bdat = left.contains(&format!("\r\n\r\n.dot\r\n{last}\r\n"));
        let whole = by_data || by_bdat;
        // What the server answered as if it knew no BDAT, or no MAIL after it, is sent once more.
        let refused = !by_data && !report.avoided.is_empty();
        for recipient in &report.recipients {
            match recipient.outcome {
                Outcome::Accepted | Outcome::Unknown => assert!(whole, "{report:?}"),
                Outcome::NotSent => assert!(!whole || refused, "{report:?}"),
                Outcome::Rejected => {
                    assert!(recipient.reply.as_ref().is_some_and(|reply| reply.is_failure()), "{report:?}");
                }
            }
            if recipient.outcome == Outcome::Accepted {
                assert!(recipient.reply.as_ref().is_some_and(|reply| reply.is_success()), "{report:?}");
            }
        }
        let alike =
            report.sent() || report.refused().count() == report.recipients.len() || report.error.is_some();
        let refused = report.refused().next().is_some();
        assert!(alike || refused, "not sent, and nobody says why: {report:?}");
    }
}

#[test]
fn whatever_a_server_says_each_request_gets_one_true_answer() {
    let mut seen: HashMap<Outcome, usize> = HashMap::new();
    let mut runner = TestRunner::new(RunConfig {
        cases: std::env::var("HOSTILE_CASES").map_or(2000, |text| text.parse().unwrap()),
        failure_persistence: None,
        ..RunConfig::default()
    });
    let total = RefCell::new(&mut seen);
    let ways = prop::option::of((
        prop::sample::select(vec![Pipelining::Off, Pipelining::Rfc, Pipelining::Crossing, Pipelining::Full]),
        prop::sample::select(vec![Chunking::Off, Chunking::Auto, Chunking::On]),
    ));
    let acts = (any::<bool>(), ways, prop::collection::vec(act(), 1..200));
    let result = runner.run(&acts, |(lmtp, ways, acts)| {
        let mut play = Play::new(if lmtp { Protocol::Lmtp } else { Protocol::Smtp }, ways);
        for act in [Act::Answer { refuse: false, piece: 60 }, Act::Hello, Act::Take(100)] {
            play.act(&act);
        }
        for act in &acts {
            play.act(act);
        }
        play.act(&Act::Eof);
        prop_assert!(play.open.is_empty(), "never answered: {:?}", play.open);
        for (outcome, count) in &play.seen {
            *total.borrow_mut().entry(*outcome).or_default() += count;
        }
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    // A test that never gets far has tested nothing.
    for outcome in [Outcome::Accepted, Outcome::Rejected, Outcome::NotSent, Outcome::Unknown] {
        assert!(seen.get(&outcome).is_some_and(|count| *count > 50), "seldom seen: {seen:?}");
    }
}
