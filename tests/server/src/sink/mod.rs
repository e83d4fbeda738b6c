//! A well-behaved SMTP or LMTP server that takes every message and keeps it byte for byte.

mod fault;
mod incoming;
mod session;
mod stream;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
mod tls;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

pub use fault::Rule;

use crate::listener::Listener;

/// How often it is looked whether the sink was dropped.
const TICK: Duration = Duration::from_millis(50);

/// What a sink is known by under TLS.
#[derive(Clone, Debug)]
pub enum Certificate {
    /// The PEM files of a chain and its key.
    Files(PathBuf, PathBuf),
    /// One for localhost that is made for it: [`Sink::authority`] has what a client trusts it by.
    Made,
}

/// What a sink offers and does.
#[derive(Clone, Debug)]
pub struct SinkOptions {
    /// Where it listens: by default on a free port of 127.0.0.1.
    pub listen: SocketAddr,
    /// Listen on a Unix socket instead.
    pub unix: Option<PathBuf>,
    /// The folder that messages are written to.
    pub dump: Option<PathBuf>,
    /// Keep messages for [`Sink::messages`].
    pub keep: bool,
    /// Recipients that are refused: a pattern (`*` is anything) and the reply.
    pub rejects: Vec<(String, String)>,
    /// What it does wrong.
    pub faults: Vec<Rule>,
    /// The most octets that a message may have (RFC 1870).
    pub size: Option<u64>,
    /// Speak LMTP (RFC 2033).
    pub lmtp: bool,
    /// Offer CHUNKING and BINARYMIME (RFC 3030).
    pub chunking: bool,
    /// Offer PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// Write each reply of a group alone, and leave Nagle's algorithm on: the second one leaves when the client has
    /// acknowledged the first.
    pub nagle: bool,
    /// Offer 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// Offer SMTPUTF8, which needs 8BITMIME (RFC 6531 section 3.1) and is offered with it where nothing is said.
    pub smtputf8: Option<bool>,
    /// Print the dialogue.
    pub verbose: bool,
    /// Offer STARTTLS.
    pub tls: Option<Certificate>,
    /// Implicit TLS.
    pub tls_first: bool,
    /// Take mail only after a login with one of these names and passwords: by PLAIN, LOGIN or XOAUTH2 (the password is the access
    /// token), which are offered under TLS alone where there is TLS.
    pub users: Vec<(String, String)>,
}

impl Default for SinkOptions {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            unix: None,
            dump: None,
            keep: false,
            rejects: Vec::new(),
            faults: Vec::new(),
            size: None,
            lmtp: false,
            chunking: false,
            pipelining: true,
            nagle: false,
            eight_bit_mime: true,
            smtputf8: None,
            verbose: false,
            tls: None,
            tls_first: false,
            users: Vec::new(),
        }
    }
}

impl SinkOptions {
    /// Adds a refusal `PATTERN=CODE TEXT`.
    ///
    /// # Errors
    /// It has no such form.
    pub fn reject(&mut self, rule: &str) -> Result<(), String> {
        let (pattern, reply) =
            rule.split_once('=').ok_or_else(|| format!("PATTERN=CODE TEXT, not {rule}"))?;
        if !fault::is_refusal(reply) {
            return Err(format!("a reply of 400 to 599 after `=`, not {reply}"));
        }
        self.rejects.push((pattern.into(), reply.into()));
        Ok(())
    }

    fn refusal(&self, address: &str) -> Option<&str> {
        self.rejects.iter().find(|(pattern, _)| glob(pattern, address)).map(|(_, reply)| reply.as_str())
    }
}

/// A message that a sink took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The number in its queue id and file name, from 1.
    pub number: u64,
    /// The MAIL line and the RCPT lines that were accepted, as the client said them.
    pub envelope: Vec<String>,
    /// The content, dots removed, CRLF kept. Empty unless [`SinkOptions::keep`].
    pub content: Vec<u8>,
    /// The octets of the content.
    pub size: u64,
}

/// A running sink; it stops taking connections when it is dropped.
pub struct Sink {
    shared: Arc<Shared>,
    port: u16,
    path: Option<PathBuf>,
    stop: Arc<AtomicBool>,
}

/// What the threads of a sink have in common.
struct Shared {
    options: SinkOptions,
    begun: AtomicU64,
    taken: AtomicU64,
    kept: Mutex<Vec<Stored>>,
    /// The MAIL lines of messages whose content was asked for.
    asked: Mutex<Vec<String>>,
    acceptor: Option<tls::Acceptor>,
}

impl Sink {
    /// Starts a sink, with one thread for each connection.
    ///
    /// # Errors
    /// No socket, or no folder.
    pub fn start(options: SinkOptions) -> io::Result<Self> {
        if let Some(dump) = &options.dump {
            std::fs::create_dir_all(dump)?;
        }
        let socket = match &options.unix {
            Some(path) => {
                let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
                socket.bind(&SockAddr::unix(path)?)?;
                socket
            }
            None => {
                let socket = Socket::new(Domain::for_address(options.listen), Type::STREAM, None)?;
                socket.set_reuse_address(options.listen.port() != 0)?;
                socket.bind(&options.listen.into())?;
                socket
            }
        };
        let acceptor = options.tls.as_ref().map(tls::acceptor).transpose()?;
        let port = socket.local_addr()?.as_socket().map_or(0, |a| a.port());
        let path = options.unix.clone();
        let shared = Arc::new(Shared {
            options,
            begun: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            kept: Mutex::new(Vec::new()),
            asked: Mutex::new(Vec::new()),
            acceptor,
        });
        let stop = Arc::new(AtomicBool::new(false));
        let (both, flag) = (Arc::clone(&shared), Arc::clone(&stop));
        let listener = Listener::new(socket, 1024, TICK)?;
        std::thread::spawn(move || {
            while !flag.load(Ordering::SeqCst) {
                let Ok(client) = listener.accept() else {
                    continue;
                };
                let shared = Arc::clone(&both);
                std::thread::spawn(move || session::serve(client, &shared));
            }
        });
        Ok(Self { shared, port, path, stop })
    }

    /// The port; 0 for a Unix socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path of a Unix socket.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What a client trusts it by under TLS, in PEM: the authority that was made, or the chain that was given.
    pub fn authority(&self) -> Option<&str> {
        self.shared.acceptor.as_ref().map(|acceptor| acceptor.authority.as_str())
    }

    /// How many messages were taken.
    pub fn count(&self) -> u64 {
        self.shared.taken.load(Ordering::SeqCst)
    }

    /// The messages that were taken and kept, in the order of their final replies.
    pub fn messages(&self) -> Vec<Stored> {
        self.shared.kept.lock().map(|kept| kept.clone()).unwrap_or_default()
    }
}

impl Sink {
    /// The messages kept of one sender, and how often the content of one was asked for.
    pub fn of(&self, sender: &str) -> (Vec<Stored>, usize) {
        let begins = format!("MAIL FROM:<{sender}>");
        let kept = self.shared.kept.lock().map(|kept| {
            kept.iter()
                .filter(|stored| stored.envelope.first().is_some_and(|mail| mail.starts_with(&begins)))
                .cloned()
                .collect()
        });
        let asked = self.shared.asked.lock();
        let asked = asked.map(|asked| asked.iter().filter(|mail| mail.starts_with(&begins)).count());
        (kept.unwrap_or_default(), asked.unwrap_or_default())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Whether `text` is as `pattern` says; `*` is anything. Letters match without regard to case.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests;
