use std::fmt;
use std::task::Poll;

use zeroize::Zeroizing;

use super::{Fault, Mechanism, text};
use crate::reply::Reply;
use crate::secret::Secret;

/// A command line with its CRLF (RFC 5321 section 4.5.3.1.4). RFC 4954 section 4 keeps it for AUTH; only
/// the lines after a 334 may be longer.
const MAX_COMMAND: usize = 512;

/// The AUTH command and the lines after it (RFC 4954 section 4), without I/O.
///
/// What `out` gets is secret: it is to be wiped once it is sent, and not to be logged.
pub struct Exchange {
    mechanism: Box<dyn Mechanism>,
    /// The initial response that did not fit the command.
    held: Option<Secret>,
    /// The responses that went out, in base64.
    sent: Vec<Secret>,
    /// Why `*` was sent.
    cancelled: Option<Fault>,
    /// The command is written.
    is_begun: bool,
    /// What a mechanism of the caller's own is asked to answer.
    challenge: Option<Zeroizing<Vec<u8>>>,
}

/// What a reply leads to.
#[derive(Debug)]
pub enum ExchangeStep {
    /// A line was written to `out`; the next reply is awaited.
    Continue,
    /// The caller's own mechanism is to be [asked](Exchange::ask).
    Asking,
    /// `*` was written to `out`: the next reply, 501 by the RFC, ends the exchange.
    Cancelled,
    /// The exchange is over.
    Done(Result<(), LoginFault>),
}

/// A mechanism that did not log in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoginFault {
    /// The reply that ended the exchange; after a cancel the one to `*`. `None`: it did not begin.
    pub reply: Option<Reply>,
    /// One line without secrets; it begins with the mechanism's name.
    pub text: String,
    /// The connection is to be given up, and no other mechanism tried: the server lied about itself, or
    /// the two ends no longer agree on where they are.
    pub security: bool,
    /// The caller's own mechanism failed, by what may have passed at another try.
    pub of_caller: bool,
}

impl Exchange {
    /// An exchange that has not begun.
    pub fn new(mechanism: Box<dyn Mechanism>) -> Self {
        Self { mechanism, held: None, sent: Vec::new(), cancelled: None, is_begun: false, challenge: None }
    }

    /// The mechanism's registered name.
    pub fn mechanism(&self) -> &str {
        self.mechanism.name()
    }

    /// Whether the mechanism is the caller's own: [`ask`](Self::ask) then writes the command and the answers.
    pub fn is_custom(&self) -> bool {
        self.mechanism.is_custom()
    }

    /// Whether the command is written.
    pub(crate) fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// Whether what goes out may have the secret in it as it is, wherever that is.
    pub(crate) fn may_show_secret(&self) -> bool {
        self.mechanism.is_custom() && self.mechanism.reveals_secret()
    }

    /// Appends the AUTH command, with the initial response if the line has room for it. Called once.
    pub fn command(&mut self, out: &mut Vec<u8>) {
        let initial = self.mechanism.initial();
        self.begin(initial, out);
    }

    /// Asks the caller's own mechanism for what it says next, and appends it: the AUTH command at first, then the answer to the
    /// challenge that [`reply`](Self::reply) took. `Pending`: ask again later.
    pub fn ask(&mut self, out: &mut Vec<u8>) -> Poll<ExchangeStep> {
        let Poll::Ready(answer) =
            self.mechanism.poll(self.challenge.as_ref().map(|octets| octets.as_slice()))
        else {
            return Poll::Pending;
        };
        self.challenge = None;
        Poll::Ready(match answer {
            Ok(initial) if !self.is_begun => {
                self.begin(initial, out);
                ExchangeStep::Continue
            }
            Ok(response) => {
                self.send(&response.unwrap_or_default(), out);
                out.extend_from_slice(b"\r\n");
                ExchangeStep::Continue
            }
            Err(fault) if !self.is_begun => self.failed(None, fault),
            Err(fault) => self.cancel(fault, out),
        })
    }

    fn begin(&mut self, initial: Option<Secret>, out: &mut Vec<u8>) {
        self.is_begun = true;
        out.extend_from_slice(b"AUTH ");
        out.extend_from_slice(self.mechanism.name().as_bytes());
        match initial {
            // An empty one is not the same as none.
            Some(initial) if initial.is_empty() => out.extend_from_slice(b" ="),
            Some(initial) if self.fits(&initial) => {
                out.push(b' ');
                self.send(&initial, out);
                if !self.mechanism.initial_is_secret() {
                    self.sent.clear();
                }
            }
            initial => self.held = initial,
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Takes the reply to the last line, and appends the next line, if there is one.
    pub fn reply(&mut self, reply: &Reply, out: &mut Vec<u8>) -> ExchangeStep {
        if let Some(mut fault) = self.cancelled.take() {
            // A server that does not refuse `*` is at a place of its own.
            fault.security |= !reply.is_failure();
            return self.failed(Some(reply), fault);
        }
        match reply.code() {
            235 => match self.mechanism.finish() {
                Ok(()) => ExchangeStep::Done(Ok(())),
                Err(fault) => self.failed(Some(reply), fault),
            },
            334 => match self.answer(reply.text()) {
                Ok(None) => ExchangeStep::Asking,
                Ok(Some(response)) => {
                    self.send(&response, out);
                    out.extend_from_slice(b"\r\n");
                    ExchangeStep::Continue
                }
                Err(fault) => self.cancel(fault, out),
            },
            300..=399 => {
                self.cancel(Fault::new("the server asks for more, but with another code than 334"), out)
            }
            _ if reply.is_failure() => {
                let said = self.mechanism.said().map_or_else(String::new, |said| format!(" ({said})"));
                self.failed(Some(reply), Fault::new(format!("the server refuses the login{said}")))
            }
            _ => {
                let fault = Fault::security("235 alone is success, and the server sends another code");
                self.failed(Some(reply), fault)
            }
        }
    }

    /// The responses that went out since the last call, in base64: what is shown of replies must not have them in it.
    pub(crate) fn take_sent(&mut self) -> Vec<Secret> {
        std::mem::take(&mut self.sent)
    }

    fn send(&mut self, response: &Secret, out: &mut Vec<u8>) {
        let start = out.len();
        text::append_base64(response.expose(), out);
        self.sent.push(Secret::new(out.get(start..).unwrap_or_default()));
    }

    /// `None`: the caller's own mechanism has it.
    fn answer(&mut self, challenge: &str) -> Result<Option<Secret>, Fault> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held)); // this 334 only asks for it
        }
        let octets = match text::decode(challenge) {
            Some(octets) => octets,
            None if self.mechanism.ignores_challenges() => Vec::new(),
            None => return Err(Fault::new("the server's challenge is not base64")),
        };
        if self.mechanism.is_custom() {
            self.challenge = Some(Zeroizing::new(octets));
            return Ok(None);
        }
        self.mechanism.respond(&octets).map(Some)
    }

    fn cancel(&mut self, fault: Fault, out: &mut Vec<u8>) -> ExchangeStep {
        self.cancelled = Some(fault);
        out.extend_from_slice(b"*\r\n");
        ExchangeStep::Cancelled
    }

    fn failed(&self, reply: Option<&Reply>, fault: Fault) -> ExchangeStep {
        let Fault { text, security, of_caller } = fault;
        let text = format!("{}: {text}", self.mechanism.name());
        ExchangeStep::Done(Err(LoginFault { reply: reply.cloned(), text, security, of_caller }))
    }

    fn fits(&self, initial: &Secret) -> bool {
        let around = "AUTH  \r\n".len() + self.mechanism.name().len();
        text::encoded_len(initial.expose().len()).saturating_add(around) <= MAX_COMMAND
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("mechanism", &self.mechanism.name())
            .field("cancelled", &self.cancelled)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for LoginFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reply {
            Some(reply) => write!(f, "{}: {reply}", self.text),
            None => f.write_str(&self.text),
        }
    }
}
