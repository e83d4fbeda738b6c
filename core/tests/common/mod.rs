//! An SMTP server inside the test: an honest one, or an attacker's, in plain text and under TLS.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod memory;
pub mod pki;
pub mod sasl;
pub mod server;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use openssl::base64;
use openssl::ssl::{SslAcceptor, SslMethod, SslOptions, SslVerifyMode, SslVersion};
use smtpclient::message::Message;
use smtpclient::options::{Options, TlsAnswer, TlsPolicy};
use smtpclient::report::Report;

use pki::{Folder, Issued, TRUSTED};
use server::Server;

pub const USER: &str = "user@example.test";
pub const PASSWORD: &str = "correct-horse-9";
pub const TOKEN: &str = "ya29.tok-en-4711";

/// What a server shows, with TLS 1.2 and up.
pub fn acceptor(issued: &Issued) -> SslAcceptor {
    build(issued, None, false)
}

/// The same with one version only.
pub fn acceptor_of(issued: &Issued, version: SslVersion) -> SslAcceptor {
    build(issued, Some(version), false)
}

/// One that asks for a client certificate of the test authority and does without.
pub fn asking_acceptor(issued: &Issued) -> SslAcceptor {
    build(issued, None, true)
}

/// TLS 1.2 without the extended master secret (RFC 7627), so that there is nothing to export.
pub fn old_acceptor(issued: &Issued) -> SslAcceptor {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_private_key(&issued.key).unwrap();
    acceptor.set_certificate(&issued.cert).unwrap();
    acceptor.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
    // SSL_OP_NO_EXTENDED_MASTER_SECRET.
    acceptor.set_options(SslOptions::from_bits_retain(1));
    acceptor.build()
}

fn build(issued: &Issued, version: Option<SslVersion>, asking: bool) -> SslAcceptor {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_private_key(&issued.key).unwrap();
    acceptor.set_certificate(&issued.cert).unwrap();
    if version.is_some() {
        acceptor.set_min_proto_version(version).unwrap();
        acceptor.set_max_proto_version(version).unwrap();
    }
    if asking {
        acceptor.cert_store_mut().add_cert(TRUSTED.cert.clone()).unwrap();
        acceptor.set_verify(SslVerifyMode::PEER);
    }
    acceptor.build()
}

/// A client that trusts the test authority.
pub struct Client {
    pub options: Options,
    pub folder: Folder,
    transcript: Arc<Mutex<String>>,
    asked: Arc<Mutex<Vec<(u16, String)>>>,
}

impl Client {
    pub fn new(servers: &[&Server]) -> Self {
        let folder = Folder::new();
        let transcript = Arc::new(Mutex::new(String::new()));
        let mut options = Options::default();
        options.tlscafile = Some(folder.file("ca.pem", TRUSTED.cert_pem()).display().to_string());
        options.servers = servers.iter().map(|_| "127.0.0.1".to_owned()).collect();
        options.ports = servers.iter().map(|server| server.port()).collect();
        options.client = Some("client.example".to_owned());
        options.timeout = Some(Duration::from_secs(10));
        let noted = Arc::clone(&transcript);
        options.transcript = Some(Arc::new(move |direction, line| {
            noted.lock().unwrap().push_str(&format!("{direction:?}: {line}\n"));
        }));
        Self { options, folder, transcript, asked: Arc::default() }
    }

    /// Credentials, and no mechanism but these.
    pub fn with_password(mut self, mechanisms: &[&str]) -> Self {
        self.options.username = Some(USER.to_owned());
        self.options.password = Some(PASSWORD.into());
        self.options.auth = mechanisms.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// A policy that remembers what it was asked.
    pub fn answering(mut self, answer: TlsAnswer) -> Self {
        let asked = Arc::clone(&self.asked);
        self.options.tlspolicy = TlsPolicy::Ask(Arc::new(move |code, text| {
            asked.lock().unwrap().push((code, text.to_owned()));
            answer
        }));
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// The questions that the policy was asked.
    pub fn asked(&self) -> Vec<(u16, String)> {
        self.asked.lock().unwrap().clone()
    }

    pub fn transcript(&self) -> String {
        self.transcript.lock().unwrap().clone()
    }

    /// The report, whatever became of the message.
    pub fn send(&self) -> Report {
        match smtpclient::net::sendmessage(&message(), &self.options) {
            Ok(report) => report,
            Err(failed) => *failed.report,
        }
    }

    /// Looks for anything secret in all that a caller can see.
    pub fn shows_no_secret(&self, report: &Report) {
        no_secret("the transcript", self.transcript().as_bytes());
        no_secret("the report", format!("{report:?}").as_bytes());
        no_secret("the options", format!("{:?}", self.options).as_bytes());
        for error in report.attempts.iter().filter_map(|a| a.error.as_ref()).chain(&report.error) {
            no_secret("the error", error.to_string().as_bytes());
        }
    }
}

pub fn message() -> Message {
    Message::from_bytes(
        "From: a@client.example\nTo: b@mail.example\nMessage-ID: <1@client.example>\nSubject: x\n\nHello.\n",
    )
}

/// The error that a report must have.
pub fn error(report: &Report) -> &smtpclient::error::Error {
    report.error.as_ref().expect("an error")
}

/// Neither password nor token is there, plain or inside anything that is base64.
pub fn no_secret(place: &str, octets: &[u8]) {
    let holds = |octets: &[u8]| {
        [PASSWORD, TOKEN].iter().any(|secret| octets.windows(secret.len()).any(|w| w == secret.as_bytes()))
    };
    assert!(!holds(octets), "a secret in {place}: {}", octets.escape_ascii());
    let word = |octet: &u8| !(octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'='));
    for word in octets.split(word).filter(|word| word.len() >= 8) {
        let decoded = std::str::from_utf8(word).ok().and_then(|word| base64::decode_block(word).ok());
        let hidden = decoded.is_some_and(|decoded| holds(&decoded));
        assert!(!hidden, "a secret in base64 in {place}: {}", octets.escape_ascii());
    }
}

#[test]
fn secrets_are_found() {
    for text in [
        PASSWORD.to_owned(),
        format!("AUTH PLAIN {}\r\n", base64::encode_block(format!("\0{USER}\0{PASSWORD}").as_bytes())),
        format!("x ({})", base64::encode_block(TOKEN.as_bytes())),
    ] {
        assert!(std::panic::catch_unwind(|| no_secret("here", text.as_bytes())).is_err(), "{text}");
    }
    no_secret("here", b"AUTH PLAIN dGltAHRpbQ==");
}
