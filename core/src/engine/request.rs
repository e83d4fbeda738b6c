//! What may be asked of an engine, and what it answers.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smol_str::SmolStr;

use crate::command::{Addressed, ClientName, Command, Mail, Rcpt};
use crate::commit::{Commit, Name};
use crate::content::Content;
use crate::error::Error;
use crate::extensions::{Chunking, Pipelining};
use crate::progress::ProgressFn;
use crate::reply::Reply;
use crate::report::Report;
use crate::times;

/// SMTP (RFC 5321), or LMTP (RFC 2033): LHLO, and a final reply for each accepted recipient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 5321.
    #[default]
    Smtp,
    /// RFC 2033.
    Lmtp,
}

/// How long the server may take for each step (RFC 5321 section 4.5.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// The 220: 5 minutes.
    pub greeting: Duration,
    /// The reply to MAIL, RCPT and every command not named here: 5 minutes.
    pub command: Duration,
    /// The reply to DATA: 2 minutes.
    pub data: Duration,
    /// Taking a piece of the content: 3 minutes.
    pub block: Duration,
    /// The reply to the final dot: 10 minutes. A shorter one makes `unknown` out of slow servers.
    pub end: Duration,
    /// Everything that still happens once the outcome is known (RSET, QUIT): 5 seconds.
    pub parting: Duration,
}

impl Timeouts {
    /// The same for everything.
    pub fn all(limit: Duration) -> Self {
        Self { greeting: limit, command: limit, data: limit, block: limit, end: limit, parting: limit }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            greeting: Duration::from_secs(300),
            command: Duration::from_secs(300),
            data: Duration::from_secs(120),
            block: Duration::from_secs(180),
            end: Duration::from_secs(600),
            parting: Duration::from_secs(5),
        }
    }
}

/// What an engine must know of the connection that it speaks over.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// The name in EHLO, HELO and LHLO.
    pub client: ClientName,
    /// How long the server may take.
    pub timeouts: Timeouts,
    /// How commands are grouped where PIPELINING is offered.
    pub pipelining: Pipelining,
    /// When a message goes by BDAT where CHUNKING is offered.
    pub chunking: Chunking,
    /// Keywords of the reply to EHLO that are not looked at, in any case.
    pub ignore: Vec<String>,
    /// Asked before the end of each message.
    pub commit: Option<Commit>,
    /// Told how far each message has got.
    pub progress: Option<ProgressFn>,
    /// The server's name, for whoever is asked or told.
    pub server: SmolStr,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("protocol", &self.protocol)
            .field("client", &self.client)
            .field("timeouts", &self.timeouts)
            .field("pipelining", &self.pipelining)
            .field("chunking", &self.chunking)
            .field("ignore", &self.ignore)
            .field("commit", &self.commit)
            .field("progress", &self.progress.is_some())
            .field("server", &self.server)
            .finish()
    }
}

impl Config {
    /// SMTP in plain text with the time-outs of RFC 5321.
    pub fn new(client: ClientName) -> Self {
        Self {
            protocol: Protocol::Smtp,
            client,
            timeouts: Timeouts::default(),
            pipelining: Pipelining::default(),
            chunking: Chunking::default(),
            ignore: Vec::new(),
            commit: None,
            progress: None,
            server: SmolStr::default(),
        }
    }
}

/// Names a request; each is answered by exactly one [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub(super) u64);

impl Id {
    /// The request that every engine begins with: the server's greeting.
    pub const GREETING: Self = Self(0);
}

/// One message for one envelope.
#[non_exhaustive]
pub struct Transaction {
    /// MAIL and what the caller wants of it, and RCPT for every recipient, each once. SIZE, BODY and SMTPUTF8 are said as the server
    /// takes them.
    pub addressed: Arc<Addressed>,
    /// The message.
    pub content: Box<dyn Content>,
    /// Send when at least one recipient was accepted; otherwise every one must be.
    pub at_least_one: bool,
    /// Ask a server that offers XQUE to queue the message (`QUED`).
    pub queue: bool,
    /// What the message is known by to [`Config::commit`] and [`Config::progress`].
    pub name: Option<Arc<Name>>,
    /// When the message was asked for: [`MessageTimes::total`](crate::times::MessageTimes::total) counts from then.
    pub asked: Instant,
}

impl Transaction {
    /// `content` for `recipients`, every one of whom must be accepted; not to be queued.
    pub fn new(mail: Mail, recipients: Vec<Rcpt>, content: Box<dyn Content>) -> Self {
        let (addressed, asked) = (Addressed::new(mail, recipients.into()), times::now());
        Self { addressed, content, at_least_one: false, queue: false, name: None, asked }
    }
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction")
            .field("addressed", &self.addressed)
            .field("at_least_one", &self.at_least_one)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

/// What is asked of an engine. Requests are written in their order.
pub(super) enum Request {
    /// EHLO, and HELO where it is refused; or LHLO.
    Hello,
    /// HELO alone, after EHLO was refused by this reply.
    Helo(Reply),
    Command(Command),
    Login(Box<crate::sasl::Exchange>),
    Transaction(Box<Transaction>),
    /// DATA and content for recipients that were named by verbs.
    Data(Box<dyn Content>),
}

/// What of the caller's had nothing to give when it was last asked: look for output again when it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Awaited {
    /// A reader had no bytes.
    Source,
    /// A login: the function of option `oauthtoken` had no access token, or a mechanism of the caller's own no answer.
    Login,
    /// The commit was pending.
    Commit,
}

/// The answer to a request.
#[derive(Debug)]
pub enum Event {
    /// The server's reply, whatever it says, to the greeting, a hello or a command. A greeting or a hello
    /// that the server refused is [`Failed`](Self::Failed).
    Reply(Id, Reply),
    /// 220 to STARTTLS: wrap the connection in TLS now, then call
    /// [`tls_established`](super::Engine::tls_established).
    StartTls(Id, Reply),
    /// What became of a message. `attempts` is empty: that is the delivery's business.
    Sent(Id, Box<Report>),
    /// The connection ended before anything was said of the message: here it is back.
    Unbegun(Id, Box<Transaction>, Error),
    /// The request was not answered, or the server refused what everything else needs.
    Failed(Id, Error),
}
