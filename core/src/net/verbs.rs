//! The verbs of a session, once for those that block and those that are awaited.
//!
//! A session has a `dialogue` and the functions `options`, `ask`, `wait`, `gone` and `hang_up`.

/// Writes the functions of a session: `verbs!([] [])` for one that blocks, `verbs!([async] [.await])` for one that is awaited.
macro_rules! verbs {
    ([$($awaited:ident)?] [$($wait:tt)*]) => {
        /// The server's greeting.
        pub fn greeting(&self) -> Option<&Reply> {
            self.dialogue.engine().greeting()
        }

        /// The extensions that the server offers, by EHLO, which is said first if it was not.
        ///
        /// # Errors
        /// No EHLO, HELO or LHLO was taken.
        pub $($awaited)? fn server_options(&mut self) -> Result<&Extensions, Error> {
            self.introduce()$($wait)*?;
            Ok(self.dialogue.extensions())
        }

        /// The SASL mechanisms that the server offers.
        ///
        /// # Errors
        /// As for [`server_options`](Self::server_options).
        pub $($awaited)? fn auth_types(&mut self) -> Result<&[String], Error> {
            self.introduce()$($wait)*?;
            Ok(self.dialogue.extensions().auth())
        }

        /// EHLO (RFC 5321 section 4.1.1.1). `None`: the name of option `client`.
        ///
        /// # Errors
        /// No reply, or a name that is neither a domain nor an address literal.
        pub $($awaited)? fn ehlo(&mut self, name: Option<&str>) -> Result<Reply, Error> {
            let name = self.client(name)?;
            self.command(Command::Ehlo(name))$($wait)*
        }

        /// HELO (RFC 5321 section 4.1.1.1). `None`: the name of option `client`.
        ///
        /// # Errors
        /// As for [`ehlo`](Self::ehlo).
        pub $($awaited)? fn helo(&mut self, name: Option<&str>) -> Result<Reply, Error> {
            let name = self.client(name)?;
            self.command(Command::Helo(name))$($wait)*
        }

        /// LHLO (RFC 2033 section 4.1). `None`: the name of option `client`. From here on the session is LMTP.
        ///
        /// # Errors
        /// As for [`ehlo`](Self::ehlo).
        pub $($awaited)? fn lhlo(&mut self, name: Option<&str>) -> Result<Reply, Error> {
            let name = self.client(name)?;
            self.command(Command::Lhlo(name))$($wait)*
        }

        /// MAIL FROM (RFC 5321 section 4.1.1.2). Says no EHLO by itself.
        ///
        /// # Errors
        /// No reply.
        pub $($awaited)? fn mail(&mut self, mail: Mail) -> Result<Reply, Error> {
            self.command(Command::Mail(mail))$($wait)*
        }

        /// RCPT TO (RFC 5321 section 4.1.1.3).
        ///
        /// # Errors
        /// No reply.
        pub $($awaited)? fn rcpt(&mut self, rcpt: Rcpt) -> Result<Reply, Error> {
            self.command(Command::Rcpt(rcpt))$($wait)*
        }

        /// DATA and the content, for the recipients that [`rcpt`](Self::rcpt) got accepted. The report's `reply` is
        /// the final reply, or that to DATA where it was refused; with LMTP each recipient has its own.
        ///
        /// # Errors
        /// No reply. [`Kind::Unknown`] if the content was sent whole.
        pub $($awaited)? fn data(&mut self, content: Box<dyn BufRead + Send>) -> Result<Report, SendError> {
            let ticket = self.dialogue.data(Box::new(Once::new(content)));
            let limits = limits(self.dialogue.options());
            let report = self.sent(ticket, &limits)$($wait)*;
            match &report.error {
                Some(error) if error.kind() != Kind::Refused => Err(SendError { error: error.clone(), report }),
                _ => Ok(*report),
            }
        }

        /// RSET (RFC 5321 section 4.1.1.5).
        ///
        /// # Errors
        /// No reply.
        pub $($awaited)? fn rset(&mut self) -> Result<Reply, Error> {
            self.command(Command::Rset)$($wait)*
        }

        /// NOOP (RFC 5321 section 4.1.1.9).
        ///
        /// # Errors
        /// No reply.
        pub $($awaited)? fn noop(&mut self) -> Result<Reply, Error> {
            self.command(Command::Noop(None))$($wait)*
        }

        /// VRFY (RFC 5321 section 4.1.1.6).
        ///
        /// # Errors
        /// No reply, or a name with control characters in it.
        pub $($awaited)? fn vrfy(&mut self, name: &str) -> Result<Reply, Error> {
            self.command(Command::Vrfy(Text::new(name)?))$($wait)*
        }

        /// EXPN (RFC 5321 section 4.1.1.7).
        ///
        /// # Errors
        /// As for [`vrfy`](Self::vrfy).
        pub $($awaited)? fn expn(&mut self, list: &str) -> Result<Reply, Error> {
            self.command(Command::Expn(Text::new(list)?))$($wait)*
        }

        /// HELP (RFC 5321 section 4.1.1.8), on a topic or in general.
        ///
        /// # Errors
        /// As for [`vrfy`](Self::vrfy).
        pub $($awaited)? fn help(&mut self, topic: Option<&str>) -> Result<Reply, Error> {
            let topic = topic.map(Text::new).transpose()?;
            self.command(Command::Help(topic))$($wait)*
        }

        /// QUIT (RFC 5321 section 4.1.1.10), and waits for the reply. The session is closed then.
        ///
        /// # Errors
        /// No reply.
        pub $($awaited)? fn quit(&mut self) -> Result<Reply, Error> {
            let reply = self.command(Command::Quit)$($wait)*;
            self.hang_up();
            reply
        }

        /// Any command, also [`Command::Raw`].
        ///
        /// # Errors
        /// No reply. STARTTLS is not for this: it changes the connection.
        pub $($awaited)? fn command(&mut self, command: Command) -> Result<Reply, Error> {
            if matches!(command, Command::StartTls) {
                return Err(Error::usage(
                    "STARTTLS changes the connection: use `starttls` instead of a plain command",
                ));
            }
            let limits = limits(self.dialogue.options());
            let ticket = self.dialogue.command(command);
            self.reply(ticket, &limits)$($wait)*
        }

        /// A verb of [`VERBS`](crate::command::VERBS) that is one command, by its name.
        ///
        /// # Errors
        /// No reply, or as for [`Verb::command`](crate::command::Verb::command).
        pub $($awaited)? fn verb(&mut self, name: &str, arguments: &[&str]) -> Result<Reply, Error> {
            let limits = limits(self.dialogue.options());
            let ticket = self.dialogue.verb(name, arguments)?;
            let reply = self.reply(ticket, &limits)$($wait)*;
            if name == "quit" {
                self.hang_up();
            }
            reply
        }

        /// STARTTLS (RFC 3207) and the handshake after it. Certificate and host name are verified unless option
        /// `tlsverify` is off. EHLO is said first if it was not; what the server offered before is forgotten, and EHLO
        /// is said again when it is needed. A login before it counts no longer (RFC 3207 section 4.2).
        ///
        /// # Errors
        /// No reply, or no TLS: the session is closed then. A refusal is a reply.
        pub $($awaited)? fn starttls(&mut self) -> Result<Reply, Error> {
            let limits = limits(self.dialogue.options());
            let ticket = self.dialogue.starttls()?;
            self.reply(ticket, &limits)$($wait)*
        }

        /// Logs in (RFC 4954), once a connection. `mechanism` is one of [`auth_types`](Self::auth_types);
        /// `None` tries the strongest first, each in turn. EHLO is said first if it was not, and STARTTLS where it is
        /// offered, unless option `usetls` is off.
        ///
        /// The certificate must have been verified for that. Where TLS was set up before there was a secret to send,
        /// and nobody looked at the certificate, the session connects again and verifies it.
        ///
        /// # Errors
        /// [`Kind::Login`] if no login succeeded, [`Kind::Tls`] if it would not be safe.
        pub $($awaited)? fn authenticate(&mut self, user: &str, password: &str, mechanism: Option<&str>) -> Result<(), Error> {
            let limits = limits(self.dialogue.options());
            let ticket = self.dialogue.login(user, Secret::from(password), mechanism)?;
            self.done(ticket, &limits)$($wait)*
        }

        /// Sends a message with the envelope that the options, or its header section, give.
        ///
        /// # Errors
        /// A failed step, or that recipients were refused and nobody got the message, with the report. The session can be used on unless [`is_open`](Self::is_open) is false.
        pub $($awaited)? fn send_message(&mut self, message: &Message, options: &Options) -> Result<Report, SendError> {
            let limits = limits(options);
            let ticket = self.ask(message, options, 0)?;
            self.sent(ticket, &limits)$($wait)*.unboxed()
        }

        /// Sends content to `to`, `cc` and `bcc`: plain text, or a finished message, told apart by its own header
        /// section (a `MIME-Version` field). Lists are RFC 5322 address lists; empty ones are none.
        ///
        /// # Errors
        /// As for [`send_message`](Self::send_message).
        pub $($awaited)? fn send(
            &mut self,
            from: &str,
            to: &str,
            cc: &str,
            bcc: &str,
            subject: &str,
            content: &[u8],
        ) -> Result<Report, SendError> {
            let message = Message::from_content(content)?;
            let mut options = self.options().clone();
            options.originator = None;
            options.recipients = None;
            for (name, value) in [("From", from), ("To", to), ("Cc", cc), ("Bcc", bcc), ("Subject", subject)] {
                if !value.is_empty() {
                    options.header.push((name.to_owned(), value.to_owned()));
                }
            }
            self.send_message(&message, &options)$($wait)*
        }

        /// What is known of TLS; `None` if the session is in plain text.
        pub fn tls(&self) -> Option<&TlsFacts> {
            self.dialogue.tls()
        }

        fn client(&self, name: Option<&str>) -> Result<ClientName, Error> {
            match name {
                Some(name) => ClientName::parse(name),
                None => Ok(self.dialogue.engine().config().client.clone()),
            }
        }

        $($awaited)? fn introduce(&mut self) -> Result<(), Error> {
            let limits = limits(self.dialogue.options());
            let ticket = self.dialogue.introduce();
            self.done(ticket, &limits)$($wait)*
        }

        $($awaited)? fn reply(&mut self, ticket: Ticket, limits: &Limits) -> Result<Reply, Error> {
            match self.wait(ticket, limits)$($wait)* {
                Some(Answer::Reply(reply)) => reply,
                _ => Err(self.gone()),
            }
        }

        $($awaited)? fn done(&mut self, ticket: Ticket, limits: &Limits) -> Result<(), Error> {
            match self.wait(ticket, limits)$($wait)* {
                Some(Answer::Done(done)) => done,
                _ => Err(self.gone()),
            }
        }

        pub(super) $($awaited)? fn sent(&mut self, ticket: Ticket, limits: &Limits) -> Box<Report> {
            match self.wait(ticket, limits)$($wait)* {
                Some(Answer::Sent(report)) => report,
                _ => Box::new(Report { error: Some(self.gone()), ..Report::default() }),
            }
        }
    };
}

pub(super) use verbs;
