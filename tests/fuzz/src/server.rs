//! A server that answers plausibly, and then does not; and a TLS of which every octet is known.

use std::sync::Arc;

use arbitrary::Unstructured;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use smtpclient::error::{Error, Kind, Step};
use smtpclient::options::Options;
use smtpclient::options::TlsPolicy;
use smtpclient::sasl::ChannelBinding;
use smtpclient::tls::{Layer, ReadState, Secure, TlsAnswer, TlsFacts, Verify};

pub(crate) const PASSWORD: &str = "hunter2-secret";
const TOKEN: &str = "t0ken-secret";
/// The last line of every message.
pub(crate) const LAST: &str = "the message ends";

/// An octet of the handshake, each way; the end; and what is laid over the plaintext.
const CLIENT: u8 = 0x16;
const SERVER: u8 = 0x16;
const END: u8 = 0xee;
const MASK: u8 = 0x5a;

/// One connection, seen from the server.
#[derive(Default)]
pub(crate) struct Server {
    state: State,
    /// What came in plain text and under TLS, in the order in which it came.
    pub(crate) heard: Vec<u8>,
    /// What anybody on the way could read.
    pub(crate) plain: Vec<u8>,
    line: Vec<u8>,
    content: bool,
    lmtp: bool,
    accepted: usize,
    /// A login was accepted.
    pub(crate) welcomed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Plain,
    Shaking,
    Secure,
}

const ODD: &[&str] = &[
    "421 4.3.2 closing",
    "250 ok",
    "354 go ahead",
    "334 ",
    "235 2.7.0 welcome",
    "220 ready",
    "250-a\r\n550 b",
    "999 x",
    "25",
    "250-",
    "530 5.7.0 first STARTTLS",
    "552 5.3.4 large",
    "452 4.5.3 many",
    "250 2.1.5\r\n250 2.1.5",
    "503 5.5.1 order",
    "250 \u{1b}[31m",
    "",
];

const KEYWORDS: &[&str] = &[
    "PIPELINING",
    "STARTTLS",
    "AUTH PLAIN LOGIN",
    "AUTH SCRAM-SHA-256 CRAM-MD5",
    "AUTH=LOGIN",
    "8BITMIME",
    "SMTPUTF8",
    "DSN",
    "SIZE 1000000",
    "SIZE 10",
    "CHUNKING",
    "BINARYMIME",
    "ENHANCEDSTATUSCODES",
    "XQUE",
    "REQUIRETLS",
    "LIMITS RCPTMAX=1",
    "AUTH XOAUTH2 OAUTHBEARER DIGEST-MD5 EXTERNAL SCRAM-SHA-256-PLUS",
    "DELIVERBY 60",
];

impl Server {
    /// A server that has just accepted a connection, and what it says.
    pub(crate) fn greet(
        lmtp: bool,
        first: bool,
        bytes: &mut Unstructured<'_>,
    ) -> arbitrary::Result<(Self, Vec<u8>)> {
        let mut server = Self { lmtp, ..Self::default() };
        if first {
            server.state = State::Shaking;
            return Ok((server, Vec::new()));
        }
        let said = server.greeting(bytes)?;
        Ok((server, said))
    }

    fn greeting(&mut self, bytes: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
        let text = if odd(bytes)? { bytes.choose(ODD)? } else { "220 mail.example" };
        Ok(self.say(text))
    }

    /// Whether the end of a message has come.
    pub(crate) fn has_whole(&self) -> bool {
        let chunked = find(&self.heard, b"BDAT ");
        find(&self.heard, format!("{LAST}\r\n{}", if chunked { "" } else { ".\r\n" }).as_bytes())
    }

    pub(crate) fn hears(
        &mut self,
        octets: &[u8],
        bytes: &mut Unstructured<'_>,
    ) -> arbitrary::Result<Vec<u8>> {
        let mut said = Vec::new();
        for octet in octets {
            match self.state {
                State::Shaking if *octet == CLIENT => {
                    let fails = odd(bytes)?;
                    said.push(if fails { 0x15 } else { SERVER });
                    self.state = State::Secure;
                    if self.heard.is_empty() {
                        said.extend(self.greeting(bytes)?);
                    }
                }
                State::Shaking => {}
                State::Plain => {
                    self.plain.push(*octet);
                    said.extend(self.octet(*octet, bytes)?);
                }
                State::Secure if *octet == END => {}
                State::Secure => said.extend(self.octet(*octet ^ MASK, bytes)?),
            }
        }
        Ok(said)
    }

    fn octet(&mut self, octet: u8, bytes: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
        self.heard.push(octet);
        self.line.push(octet);
        if !self.line.ends_with(b"\r\n") {
            return Ok(Vec::new());
        }
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line[..line.len() - 2]).into_owned();
        if self.content {
            if line != "." {
                return Ok(Vec::new());
            }
            self.content = false;
            let mut said = Vec::new();
            for _ in 0..if self.lmtp { self.accepted } else { 1 } {
                let text = self.choose("250 2.0.0 Ok: queued as 4ABC", "450 4.2.0 later", bytes)?;
                said.extend(self.say(&text));
            }
            return Ok(said);
        }
        let verb = line.get(..4).unwrap_or(&line).to_ascii_uppercase();
        let good = match &*verb {
            "EHLO" | "LHLO" => {
                let mut text = "250-mail.example".to_owned();
                for _ in 0..bytes.int_in_range(0..=6)? {
                    text.push_str(&format!("\r\n250-{}", bytes.choose(KEYWORDS)?));
                }
                text + "\r\n250 HELP"
            }
            "STAR" => "220 2.0.0 ready".to_owned(),
            "DATA" => "354 go ahead".to_owned(),
            "QUIT" => "221 bye".to_owned(),
            "MAIL" => {
                self.accepted = 0;
                "250 2.1.0 Ok".to_owned()
            }
            "AUTH" | "AHVZ" | "DXNL" | "AHVU" => self.challenge(&line, bytes)?,
            _ if !line.contains(' ') => self.challenge(&line, bytes)?,
            _ => "250 2.0.0 Ok".to_owned(),
        };
        let text = self.choose(&good, "550 5.7.1 no", bytes)?;
        match &*verb {
            "RCPT" if text.starts_with('2') => self.accepted += 1,
            "DATA" if text.starts_with("354") => self.content = true,
            _ => {}
        }
        let mut said = self.say(&text);
        if verb == "STAR" && text.starts_with("220") && self.state == State::Plain {
            if odd(bytes)? {
                said.extend_from_slice(b"250 injected\r\n");
            }
            self.state = State::Shaking;
        }
        Ok(said)
    }

    fn challenge(&mut self, line: &str, bytes: &mut Unstructured<'_>) -> arbitrary::Result<String> {
        Ok(match bytes.int_in_range(0..=3)? {
            0 => "235 2.7.0 welcome".to_owned(),
            1 => "535 5.7.8 wrong".to_owned(),
            2 => "334 VXNlcm5hbWU6".to_owned(),
            _ => format!("334 {}", super::sasl::challenge(bytes, line.as_bytes())?),
        })
    }

    /// Mostly what is right.
    fn choose(
        &mut self,
        good: &str,
        refusal: &str,
        bytes: &mut Unstructured<'_>,
    ) -> arbitrary::Result<String> {
        Ok(match bytes.int_in_range(0..=24)? {
            24 => (*bytes.choose(ODD)?).to_owned(),
            23 => String::from_utf8_lossy(bytes.bytes(10.min(bytes.len()))?).into_owned(),
            20..=22 => refusal.to_owned(),
            _ => good.to_owned(),
        })
    }

    fn say(&mut self, text: &str) -> Vec<u8> {
        self.welcomed |= text.contains("235");
        let mask = if self.state == State::Secure { MASK } else { 0 };
        format!("{text}\r\n").bytes().map(|octet| octet ^ mask).collect()
    }
}

pub(crate) fn odd(bytes: &mut Unstructured<'_>) -> arbitrary::Result<bool> {
    Ok(bytes.int_in_range(0..=15)? == 15)
}

pub(crate) fn find(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// How to send, chosen by the input.
pub(crate) fn options(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Options> {
    let mut options = Options::default();
    options.client = Some("c.example".to_owned());
    options.usetls = bytes.arbitrary()?;
    options.tlsrequired = bytes.ratio(1, 4)?;
    options.tlsimport = bytes.ratio(1, 8)?;
    options.tlspolicy = match bytes.int_in_range(0..=2)? {
        0 => TlsPolicy::Default,
        1 => TlsPolicy::Fixed(TlsAnswer::Secure),
        _ => TlsPolicy::Fixed(TlsAnswer::Insecure),
    };
    options.lmtp = bytes.ratio(1, 4)?;
    options.atleastone = bytes.arbitrary()?;
    if bytes.arbitrary()? {
        options.username = Some("user".to_owned());
        if bytes.ratio(1, 4)? {
            options.oauthtoken = Some(TOKEN.into());
        } else {
            options.password = Some(PASSWORD.into());
        }
    }
    if bytes.ratio(1, 8)? {
        options.smtputf8 = true;
    }
    Ok(options)
}

/// No secret in any form that is not under TLS.
pub(crate) fn assert_no_secret(text: &[u8]) {
    for secret in [PASSWORD, TOKEN] {
        for form in [
            secret.to_owned(),
            BASE64_STANDARD.encode(secret),
            BASE64_STANDARD.encode(format!("\0user\0{secret}")),
            BASE64_STANDARD.encode(format!("user={secret}\x01auth=Bearer {secret}\x01\x01")),
        ] {
            assert!(!find(text, form.as_bytes()), "{form} in {}", String::from_utf8_lossy(text));
        }
    }
}

/// A library whose TLS is a mask.
pub(crate) struct Library;

impl Library {
    pub(crate) fn shared() -> Arc<dyn Secure> {
        Arc::new(Self)
    }
}

impl Secure for Library {
    fn start(&self, _: &str, _: Verify) -> Result<Box<dyn Layer>, Error> {
        let mut facts = TlsFacts::default();
        facts.verified = true;
        Ok(Box::new(Masked { output: vec![CLIENT], facts, ..Masked::default() }))
    }
}

#[derive(Default)]
struct Masked {
    input: Vec<u8>,
    output: Vec<u8>,
    shaken: bool,
    /// How many octets of plaintext are in the output, which has nothing after them.
    queued: usize,
    sent: u64,
    closed: bool,
    /// The end stands in the output.
    ending: bool,
    end: Option<ReadState>,
    facts: TlsFacts,
}

impl Layer for Masked {
    fn handle_input(&mut self, ciphertext: &[u8]) -> Result<(), Error> {
        let mut rest = ciphertext;
        if !self.shaken
            && let Some((first, behind)) = rest.split_first()
        {
            if *first != SERVER {
                return Err(Error::new(Kind::Tls, Step::Tls, "no handshake"));
            }
            self.shaken = true;
            rest = behind;
        }
        self.input.extend_from_slice(rest);
        Ok(())
    }
    fn handle_eof(&mut self) {
        self.end.get_or_insert(ReadState::Truncated);
    }
    fn poll_output(&self) -> &[u8] {
        &self.output
    }
    fn output_done(&mut self, n: usize) {
        let before = self.output.len() - self.queued - usize::from(self.ending);
        let plain = n.saturating_sub(before).min(self.queued);
        self.queued -= plain;
        self.sent += plain as u64;
        self.output.drain(..n);
        self.ending &= !self.output.is_empty();
    }
    fn handshake_done(&self) -> bool {
        self.shaken
    }
    fn read(&mut self, out: &mut Vec<u8>) -> Result<ReadState, Error> {
        out.extend(self.input.drain(..).map(|octet| octet ^ MASK));
        Ok(self.end.unwrap_or(ReadState::WantInput))
    }
    fn write(&mut self, plaintext: &[u8]) -> Result<usize, Error> {
        if self.closed || !self.shaken {
            return Ok(0);
        }
        self.output.extend(plaintext.iter().map(|octet| octet ^ MASK));
        self.queued += plaintext.len();
        Ok(plaintext.len())
    }
    fn plaintext_sent(&self) -> u64 {
        self.sent
    }
    fn close(&mut self) {
        if !std::mem::replace(&mut self.closed, true) {
            self.output.push(END);
            self.ending = true;
        }
    }
    fn facts(&self) -> &TlsFacts {
        &self.facts
    }
    fn bindings(&self) -> Vec<ChannelBinding> {
        Vec::new()
    }
}
