//! The one error type: what went wrong, at which step, with which server, and what it said.

use std::fmt;

use crate::reply::Reply;

/// An enum whose values have a word, the same in every language, and a text.
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $name:ident {$(
            $(#[$doc:meta])+
            $variant:ident = $word:literal, $text:literal;
        )*}
    ) => {
        $(#[$about])*
        pub enum $name {$(
            $(#[$doc])+
            $variant,
        )*}

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// One lower-case word, the same in every language.
            pub fn name(self) -> &'static str {
                match self {$(
                    Self::$variant => $word,
                )*}
            }

            /// What it means, as a part of a sentence.
            pub fn text(self) -> &'static str {
                match self {$(
                    Self::$variant => $text,
                )*}
            }
        }
    };
}

words! {
    /// What sort of thing went wrong. Callers decide by this and by [`Error::is_transient`].
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum Kind {
        /// The caller's mistake, found before a byte went out.
        Usage = "usage", "invalid call";
        /// The server's name could not be resolved to an address.
        Resolve = "resolve", "the server's name has no address";
        /// No connection could be made.
        Connect = "connect", "no connection could be made";
        /// The server, or the whole call, took longer than was allowed.
        Timeout = "timeout", "it took longer than was allowed";
        /// The connection ended before the step was done.
        Closed = "closed", "the connection is closed";
        /// The server said something that is not SMTP, or not at this place.
        Protocol = "protocol", "the server said something that is not SMTP";
        /// The server answered 4yz or 5yz: the greeting, EHLO, MAIL, DATA or the message itself.
        Refused = "refused", "the server refused";
        /// The server refused recipients, so that nobody got the message; the report lists them.
        Recipients = "recipients", "the server refused recipients, and nothing was sent";
        /// The server does not offer what an option or the message needs.
        Unsupported = "unsupported", "the server does not offer what is needed";
        /// The message is larger than the server takes (RFC 1870).
        TooLarge = "toolarge", "the message is larger than the server takes";
        /// The message could not be read or written: a file, or the caller's own reader.
        Source = "source", "the message could not be read or written";
        /// Option `commit`: the caller's function failed, and the message was withdrawn before its end.
        Commit = "commit", "the commit failed, and the message was withdrawn";
        /// TLS could not be set up as the options ask.
        Tls = "tls", "TLS could not be set up";
        /// No login succeeded, and credentials were given.
        Login = "login", "no login succeeded";
        /// The call was cancelled.
        Cancelled = "cancelled", "the call was cancelled";
        /// The whole message may have reached the server and no final reply was read: it is perhaps delivered, and sending it
        /// again may deliver it twice.
        Unknown = "unknown", "the message may have been delivered, or not";
        /// The queue of a mailer has no room now; nothing was taken.
        Full = "full", "the queue of the mailer is full";
    }
}

impl Kind {
    fn usually_transient(self) -> bool {
        matches!(self, Self::Resolve | Self::Connect | Self::Timeout | Self::Closed | Self::Full)
    }
}

words! {
    /// The step of a delivery at which something happened.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    #[non_exhaustive]
    pub enum Step {
        /// Before any connection: options, envelope, message.
        Setup = "setup", "before any connection: options, envelope, message";
        /// Name resolution and connection.
        Connect = "connect", "name resolution and connection";
        /// Implicit TLS, or the handshake after STARTTLS.
        Tls = "tls", "implicit TLS, or the handshake after STARTTLS";
        /// Waiting for the server's 220.
        Greeting = "greeting", "waiting for the server's 220";
        /// EHLO, HELO or LHLO.
        Hello = "hello", "EHLO, HELO or LHLO";
        /// STARTTLS and its reply.
        StartTls = "starttls", "STARTTLS and its reply";
        /// AUTH and its exchange.
        Auth = "auth", "AUTH and its exchange";
        /// MAIL FROM.
        Mail = "mail", "MAIL FROM";
        /// RCPT TO.
        Rcpt = "rcpt", "RCPT TO";
        /// DATA or the first BDAT.
        Data = "data", "DATA or the first BDAT";
        /// The content itself.
        Body = "body", "the content itself";
        /// Option `commit`, before the final dot (or last BDAT).
        Commit = "commit", "option `commit`, before the final dot (or last BDAT)";
        /// The final dot (or last BDAT) and its reply.
        Final = "final", "the final dot (or last BDAT) and its reply";
        /// RSET.
        Rset = "rset", "RSET";
        /// QUIT.
        Quit = "quit", "QUIT";
        /// Any other command.
        Command = "command", "any other command";
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
/// What a function of the caller's says, in one line, as an error has it.
pub(crate) fn one_line(text: &str) -> String {
    let lines = text.split(char::is_control).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}
