//! The one error type: what went wrong, at which step, with which server, and what it said.

use std::fmt;

use crate::reply::Reply;

/// What sort of thing went wrong. Callers decide by this and by [`Error::is_transient`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The caller's mistake, found before a byte went out.
    Usage,
    /// The server's name could not be resolved to an address.
    Resolve,
    /// No connection could be made.
    Connect,
    /// The server, or the whole call, took longer than was allowed.
    Timeout,
    /// The connection ended before the step was done.
    Closed,
    /// The server said something that is not SMTP, or not at this place.
    Protocol,
    /// The server answered 4yz or 5yz; [`Error::reply`] has the words.
    Refused,
    /// The server refused recipients, so that nobody got the message; the report lists them.
    Recipients,
    /// The server does not offer what an option or the message needs.
    Unsupported,
    /// The message is larger than the server takes (RFC 1870).
    TooLarge,
    /// The message could not be read: a file, or the caller's own reader.
    Source,
    /// TLS could not be set up as the options ask.
    Tls,
    /// No login succeeded, and credentials were given.
    Login,
    /// The caller cancelled the call.
    Cancelled,
    /// The queue of a mailer has no room now; nothing was taken.
    Full,
    /// The whole message may have reached the server and no final reply was read: it is
    /// perhaps delivered, and sending it again may deliver it twice.
    Unknown,
}

impl Kind {
    /// One lower-case word, the same in every language: `usage`, `connect`, `unknown`, ...
    pub fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::Refused => "refused",
            Self::Recipients => "recipients",
            Self::Unsupported => "unsupported",
            Self::TooLarge => "toolarge",
            Self::Source => "source",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::Cancelled => "cancelled",
            Self::Full => "full",
            Self::Unknown => "unknown",
        }
    }

    fn usually_transient(self) -> bool {
        matches!(self, Self::Resolve | Self::Connect | Self::Timeout | Self::Closed | Self::Full)
    }
}

/// The step of a delivery at which something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Step {
    /// Before any connection: options, envelope, message.
    Setup,
    /// Name resolution and connection.
    Connect,
    /// TLS from the first byte, or the handshake behind STARTTLS.
    Tls,
    /// Waiting for the server's 220.
    Greeting,
    /// EHLO, HELO or LHLO.
    Hello,
    /// STARTTLS and its reply.
    StartTls,
    /// AUTH and its exchange.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA or the first BDAT.
    Data,
    /// The content itself.
    Body,
    /// The final dot (or last BDAT) and its reply.
    Final,
    /// RSET.
    Rset,
    /// QUIT.
    Quit,
    /// Any other command.
    Command,
}

impl Step {
    /// One lower-case word, the same in every language: `setup`, `mail`, `final`, ...
    pub fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Greeting => "greeting",
            Self::Hello => "hello",
            Self::StartTls => "starttls",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Body => "body",
            Self::Final => "final",
            Self::Rset => "rset",
            Self::Quit => "quit",
            Self::Command => "command",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failed step. `Display` gives one line: server, step, what went wrong, and the reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Fields>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fields {
    kind: Kind,
    step: Step,
    text: String,
    server: Option<String>,
    reply: Option<Reply>,
    transient: bool,
}

impl Error {
    /// An error of `kind` at `step`; `text` names the thing, the value and the way out.
    pub fn new(kind: Kind, step: Step, text: impl Into<String>) -> Self {
        Self(Box::new(Fields {
            kind,
            step,
            text: text.into(),
            server: None,
            reply: None,
            transient: kind.usually_transient(),
        }))
    }

    /// The caller's mistake: [`Kind::Usage`] at [`Step::Setup`].
    pub fn usage(text: impl Into<String>) -> Self {
        Self::new(Kind::Usage, Step::Setup, text)
    }

    /// [`Kind::Refused`] with the server's own words; transient where the reply is 4yz.
    pub fn refused(step: Step, text: impl Into<String>, reply: Reply) -> Self {
        Self::new(Kind::Refused, step, text).with_reply(reply)
    }

    /// Adds the reply that led here; a 4yz makes the error transient, a 5yz permanent.
    #[must_use]
    pub fn with_reply(mut self, reply: Reply) -> Self {
        if reply.is_failure() {
            self.0.transient = reply.is_transient();
        }
        self.0.reply = Some(reply);
        self
    }

    /// The same error in other words.
    #[must_use]
    pub(crate) fn with_text(mut self, text: impl Into<String>) -> Self {
        self.0.text = text.into();
        self
    }

    /// Adds the server's name as the caller gave it, with the port.
    #[must_use]
    pub fn with_server(mut self, server: impl Into<String>) -> Self {
        self.0.server = Some(server.into());
        self
    }

    /// The same error at another step.
    #[must_use]
    pub fn with_step(mut self, step: Step) -> Self {
        self.0.step = step;
        self
    }

    /// Says whether trying again later can help.
    #[must_use]
    pub fn with_transient(mut self, transient: bool) -> Self {
        self.0.transient = transient;
        self
    }

    /// What sort of thing went wrong.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The step that failed.
    pub fn step(&self) -> Step {
        self.0.step
    }

    /// What went wrong, without server, step and reply.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The server as the caller named it, `host:port`, where one was concerned.
    pub fn server(&self) -> Option<&str> {
        self.0.server.as_deref()
    }

    /// The server's reply, where it was a reply that failed the step.
    pub fn reply(&self) -> Option<&Reply> {
        self.0.reply.as_ref()
    }

    /// Whether trying again later can help. Never true for [`Kind::Unknown`]: that could deliver twice.
    pub fn is_transient(&self) -> bool {
        self.0.transient
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = &*self.0;
        if let Some(server) = &fields.server {
            write!(f, "{server}: ")?;
        }
        if fields.step != Step::Setup {
            write!(f, "{}: ", fields.step)?;
        }
        f.write_str(&fields.text)?;
        if let Some(reply) = &fields.reply {
            write!(f, ": {reply}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
