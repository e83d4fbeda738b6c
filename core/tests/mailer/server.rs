//! A server with shortcomings, and its record.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How it behaves; the default is honest and offers PIPELINING.
#[derive(Clone, Default)]
pub struct Rules {
    /// In place of 220.
    pub greeting: Option<&'static str>,
    /// Connections beyond so many at once are greeted with 421.
    pub most_connections: Option<usize>,
    /// Further keywords of EHLO.
    pub keywords: &'static [&'static str],
    /// After so many messages on a connection MAIL is answered with 421.
    pub goodbye_after: Option<usize>,
    /// The first so many MAILs of all are answered with this.
    pub refusals: usize,
    pub refusal: &'static str,
    /// The connection ends without a word, at this place of every so-many-th message of all.
    pub dies: Option<(Place, usize)>,
    /// Every message after the first so many of a connection is refused with this line, at this verb.
    pub share: Option<(usize, &'static str, &'static str)>,
    /// Recipients are refused with 450 until they have been known for so long.
    pub greylists: Option<Duration>,
    /// Each message is answered with 421, and not kept.
    pub goodbye_at_end: bool,
    /// AUTH succeeds, and does not end the connection.
    pub takes_logins: bool,
    /// Idle connections end after this long.
    pub patience: Option<Duration>,
    /// Nothing is said after DATA, nor after AUTH, until [`Server::open_gate`].
    pub gate: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Mail,
    Rcpt,
    Data,
    Body,
    /// The message was read whole, and is not kept.
    EndLost,
    /// The message was read whole, and is kept.
    EndKept,
    /// After the final reply.
    After,
}

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The recipient of each message that was kept.
    pub stored: Vec<String>,
    /// Connections that were taken, that are open now, and that were the most at once.
    pub connections: usize,
    pub open: usize,
    pub most: usize,
    /// Greeted with 421.
    pub turned_away: usize,
    pub quits: usize,
    /// Logins, all of which are refused, and the connection closed.
    pub logins: usize,
    /// When each MAIL came.
    pub mails: Vec<Instant>,
    /// Messages begun on each connection that has ended.
    pub lengths: Vec<usize>,
}

pub struct Server {
    port: u16,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    rules: Rules,
    record: Mutex<Record>,
    gate: Condvar,
    is_open: Mutex<bool>,
    /// When each recipient was asked for first.
    known: Mutex<HashMap<String, Instant>>,
    stop: AtomicBool,
}

impl Shared {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap()
    }

    fn wait_at_gate(&self) {
        let is_open = self.is_open.lock().unwrap();
        drop(self.gate.wait_while(is_open, |is_open| !*is_open).unwrap());
    }
}

impl Server {
    pub fn start(rules: Rules) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_open = Mutex::new(!rules.gate);
        let stop = AtomicBool::new(false);
        let shared = Arc::new(Shared {
            rules,
            record: Mutex::default(),
            gate: Condvar::new(),
            is_open,
            known: Mutex::default(),
            stop,
        });
        let both = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if both.stop.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&both);
                std::thread::spawn(move || serve(&stream, &shared));
            }
        });
        Self { port, shared, accepting: Some(accepting) }
    }

    /// A port at which nobody listens.
    pub fn nobody() -> Self {
        let mut server = Self::start(Rules::default());
        server.end();
        server
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn record(&self) -> Record {
        self.shared.record().clone()
    }

    pub fn open_gate(&self) {
        *self.shared.is_open.lock().unwrap() = true;
        self.shared.gate.notify_all();
    }

    /// Waits until the record is as `good` says.
    pub fn wait(&self, what: &str, good: impl Fn(&Record) -> bool) {
        let begin = Instant::now();
        while !good(&self.record()) {
            assert!(begin.elapsed() < super::LIMIT, "{what}: {:?}", self.record());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn end(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.open_gate();
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(accepting) = self.accepting.take() {
            accepting.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn serve(stream: &TcpStream, shared: &Shared) {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(shared.rules.patience.unwrap_or(super::LIMIT))).unwrap();
    {
        let mut record = shared.record();
        if shared.rules.most_connections.is_some_and(|most| record.open >= most) {
            record.turned_away += 1;
            drop(record);
            let _ = (&*stream).write_all(b"421 4.7.0 too many connections\r\n");
            let _ = stream.shutdown(Shutdown::Write);
            return;
        }
        record.connections += 1;
        record.open += 1;
        record.most = record.most.max(record.open);
    }
    let mut messages = 0;
    let _ = talk(stream, shared, &mut messages);
    let mut record = shared.record();
    record.open -= 1;
    record.lengths.push(messages);
    drop(record);
    let _ = stream.shutdown(Shutdown::Both);
}

/// Speaks until the connection ends; `None` is an end before QUIT.
fn talk(stream: &TcpStream, shared: &Shared, messages: &mut usize) -> Option<()> {
    let rules = &shared.rules;
    let mut input = BufReader::new(stream);
    let say = |text: &str| (&*stream).write_all(format!("{text}\r\n").as_bytes()).ok();
    say(rules.greeting.unwrap_or("220 mail.example ESMTP"))?;
    let (mut recipient, mut number, mut in_mail) = (String::new(), 0, false);
    let dies = |number: usize, place| {
        rules.dies.is_some_and(|(at, every)| at == place && number.is_multiple_of(every))
    };
    loop {
        let line = line(&mut input)?;
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => {
                let keywords: String = rules.keywords.iter().map(|k| format!("250-{k}\r\n")).collect();
                say(&format!("250-mail.example\r\n{keywords}250-PIPELINING\r\n250 ENHANCEDSTATUSCODES"))?;
            }
            "MAIL" => {
                let mut record = shared.record();
                record.mails.push(Instant::now());
                number = record.mails.len();
                drop(record);
                if rules.goodbye_after == Some(*messages) {
                    return say("421 4.3.2 enough");
                }
                if dies(number, Place::Mail) {
                    return None;
                }
                *messages += 1;
                (in_mail, recipient) = (false, String::new());
                if let Some((most, "MAIL", line)) = rules.share
                    && *messages > most
                {
                    say(line)?;
                    continue;
                }
                in_mail = number > rules.refusals;
                say(if in_mail { "250 2.1.0 ok" } else { rules.refusal })?;
            }
            "RCPT" => {
                if dies(number, Place::Rcpt) {
                    return None;
                }
                let refused = number <= rules.refusals;
                let asked = line.split(['<', '>']).nth(1)?.to_owned();
                if let Some((most, "RCPT", line)) = rules.share
                    && *messages > most
                {
                    say(line)?;
                    continue;
                }
                if let Some(pause) = rules.greylists {
                    let known =
                        *shared.known.lock().unwrap().entry(asked.clone()).or_insert_with(Instant::now);
                    if known.elapsed() < pause {
                        say("450 4.2.0 greylisted, come back later")?;
                        continue;
                    }
                }
                if refused || !in_mail {
                    say("503 5.5.1 no MAIL")?;
                } else {
                    recipient = asked;
                    say("250 2.1.5 ok")?;
                }
            }
            "DATA" => {
                if let Some((most, "DATA", line)) = rules.share
                    && *messages > most
                {
                    say(line)?;
                    continue;
                }
                in_mail = false;
                if recipient.is_empty() {
                    say("503 5.5.1 no RCPT")?;
                    continue;
                }
                shared.wait_at_gate();
                if dies(number, Place::Data) {
                    return None;
                }
                say("354 go on")?;
                loop {
                    let line = self::line(&mut input)?;
                    if dies(number, Place::Body) {
                        return None;
                    }
                    if line == ".\r\n" {
                        break;
                    }
                }
                if dies(number, Place::EndLost) {
                    return None;
                }
                if rules.goodbye_at_end {
                    return say("421 4.3.2 closing");
                }
                shared.record().stored.push(std::mem::take(&mut recipient));
                if dies(number, Place::EndKept) {
                    return None;
                }
                say("250 2.0.0 Ok: queued as 4711")?;
                if dies(number, Place::After) {
                    return None;
                }
            }
            "AUTH" if rules.takes_logins => say("235 2.7.0 welcome")?,
            "AUTH" => {
                shared.record().logins += 1;
                shared.wait_at_gate();
                return say("535 5.7.8 wrong password");
            }
            "QUIT" => {
                shared.record().quits += 1;
                return say("221 2.0.0 bye");
            }
            _ => say("250 2.0.0 ok")?,
        }
    }
}

fn line(input: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut line = String::new();
    input.read_line(&mut line).ok().filter(|count| *count > 0)?;
    Some(line)
}
