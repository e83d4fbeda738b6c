//! A server that can be slow or silent, and its record.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::LIMIT;

/// How it behaves; the default is honest, quick, and offers nothing.
#[derive(Clone, Copy, Default)]
pub struct Rules {
    /// Keywords of EHLO.
    pub keywords: &'static [&'static str],
    /// Before each reply.
    pub pause: Duration,
    /// After so many replies nothing more is said on a connection; what comes is still read.
    pub silent_after: Option<usize>,
    /// No content is read before [`Server::open`].
    pub stalls: bool,
    /// No message is answered before [`Server::open`].
    pub gate: bool,
}

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The recipient of each message whose end mark came.
    pub stored: Vec<String>,
    pub begun: usize,
    pub ended: usize,
    /// Connections on which the server is silent, or does not read.
    pub silent: usize,
    pub is_open: bool,
}

pub struct Server {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    rules: Rules,
    record: Mutex<Record>,
    news: Condvar,
}

impl Server {
    pub fn start(rules: Rules) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared { rules, record: Mutex::default(), news: Condvar::new() });
        let both = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&both);
                shared.note(|record| record.begun += 1);
                std::thread::spawn(move || {
                    // However it ends, it has ended.
                    let _ = shared.serve(&stream);
                    let _ = stream.shutdown(Shutdown::Both);
                    shared.note(|record| record.ended += 1);
                });
            }
        });
        Self { port, shared }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn record(&self) -> Record {
        self.shared.record.lock().unwrap().clone()
    }

    /// Waits until that is so.
    pub fn wait(&self, what: &str, is_so: impl Fn(&Record) -> bool) {
        self.shared.wait(what, is_so);
    }

    /// The same for a task.
    pub async fn waited(&self, what: &'static str, is_so: impl Fn(&Record) -> bool + Send + 'static) {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || shared.wait(what, is_so)).await.unwrap();
    }

    pub fn open(&self) {
        self.shared.note(|record| record.is_open = true);
    }
}

impl Shared {
    fn note(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.record.lock().unwrap());
        self.news.notify_all();
    }

    fn wait(&self, what: &str, is_so: impl Fn(&Record) -> bool) {
        let record = self.record.lock().unwrap();
        let (record, late) = self.news.wait_timeout_while(record, LIMIT, |record| !is_so(record)).unwrap();
        assert!(!late.timed_out(), "{what}: {record:?}");
    }

    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut said = 0;
        let mut say = |reply: &str| {
            if self.rules.silent_after.is_some_and(|most| said >= most) {
                if self.rules.silent_after == Some(said) {
                    self.note(|record| record.silent += 1);
                }
                said += 1;
                return Ok(());
            }
            said += 1;
            std::thread::sleep(self.rules.pause);
            let mut out = stream;
            out.write_all(format!("{reply}\r\n").as_bytes())
        };
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        say("220 s.example")?;
        let (mut recipient, mut in_content) = (String::new(), false);
        for line in BufReader::new(stream).lines() {
            let line = line?;
            if in_content && line != "." {
                continue;
            }
            let reply = match line.get(..4).unwrap_or(&line) {
                "." => {
                    in_content = false;
                    self.note(|record| record.stored.push(std::mem::take(&mut recipient)));
                    if self.rules.gate {
                        self.wait("the gate", |record| record.is_open);
                    }
                    "250 2.0.0 queued".to_owned()
                }
                "EHLO" => {
                    let words = [&["s.example"], self.rules.keywords].concat();
                    let (last, others) = words.split_last().unwrap();
                    others.iter().map(|word| format!("250-{word}\r\n")).collect::<String>() + "250 " + last
                }
                "RCPT" => {
                    let (_, path) = line.split_once('<').unwrap();
                    recipient = path.split('>').next().unwrap().to_owned();
                    "250 2.1.5 ok".to_owned()
                }
                "DATA" => {
                    in_content = true;
                    "354 go on".to_owned()
                }
                "AUTH" => "235 2.7.0 welcome".to_owned(),
                "QUIT" => "221 2.0.0 bye".to_owned(),
                _ => "250 2.0.0 ok".to_owned(),
            };
            say(&reply)?;
            if in_content && self.rules.stalls {
                self.note(|record| record.silent += 1);
                self.wait("to be opened", |record| record.is_open);
            }
            if line == "QUIT" {
                break;
            }
        }
        Ok(())
    }
}
