//! What the programs have in common: their arguments, and the message.

use std::error::Error;

/// What can go wrong: it ends the program.
pub type Fault = Box<dyn Error + Send + Sync>;

const HEAD: &str = "From: Benchmark <from@example.test>\r\nTo: to@example.test\r\nSubject: a message\r\n\
    Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@example.test>\r\nMIME-Version: 1.0\r\n\r\n";

/// The words of the command line, the same for every client: see benches/README.md.
pub struct Task {
    /// The server's port on 127.0.0.1.
    pub port: u16,
    /// single, each or parallel.
    pub mode: String,
    /// How many messages in all.
    pub messages: usize,
    /// How many recipients each of them has.
    pub recipients: Vec<String>,
    /// How many connections there are at once, in mode parallel.
    pub connections: usize,
    /// no, starttls or wrap.
    pub tls: String,
    /// The certificate to trust, PEM.
    pub certificate: Vec<u8>,
    /// The message.
    pub body: Vec<u8>,
}

impl Task {
    /// The message without its header section.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body.get(HEAD.len()..).unwrap_or_default()).into_owned()
    }
}

/// Reads them.
///
/// # Errors
/// One is missing, or is not a number.
pub fn task() -> Result<Task, Fault> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [port, mode, messages, octets, recipients, connections, kind, tls, certificate] = words.as_slice()
    else {
        return Err("PORT MODE MESSAGES OCTETS RECIPIENTS CONNECTIONS KIND TLS CERT".into());
    };
    let recipients: usize = recipients.parse()?;
    Ok(Task {
        port: port.parse()?,
        mode: mode.clone(),
        messages: messages.parse()?,
        recipients: (0..recipients).map(|number| format!("to{number}@example.test")).collect(),
        connections: connections.parse()?,
        tls: tls.clone(),
        certificate: if tls == "no" { Vec::new() } else { std::fs::read(certificate)? },
        body: body(octets.parse()?, kind),
    })
}

fn body(octets: usize, kind: &str) -> Vec<u8> {
    let line: &[u8] = match kind {
        "dots" => b".ll work and no play makes Jack a dull boy, and nothing else either, ok.\r\n",
        "lf" => b"All work and no play makes Jack a dull boy, and nothing else either, okay.\n",
        _ => b"All work and no play makes Jack a dull boy, and nothing else either, ok.\r\n",
    };
    let mut whole = Vec::with_capacity(octets.max(HEAD.len()) + 2);
    whole.extend_from_slice(HEAD.as_bytes());
    let lines = octets.saturating_sub(HEAD.len() + 2) / line.len();
    (0..lines).for_each(|_| whole.extend_from_slice(line));
    whole.resize(octets.max(whole.len() + 2) - 2, b'x');
    whole.extend_from_slice(b"\r\n");
    whole
}
