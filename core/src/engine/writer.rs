//! What is written next. Pipelining is nothing but writing on while replies are due.

use std::io::{BufRead, ErrorKind};

use super::Engine;
use super::expect::{Effect, Expect};
use super::request::{Awaited, Id, Protocol, Request, Transaction};
use super::state::{Phase, Quit, Reset, Stage};
use super::transaction::{Active, Body, Origin, unbegun};
use crate::caught::caught;
use crate::command::Command;
use crate::commit::Name;
use crate::content::{Content, Transfer};
use crate::error::{Error, Kind, Step};
use crate::extensions::{Chunking, Pipelining};
use crate::progress::Progress;

/// Output is gathered up to this many octets, then handed over: a few TLS records, and more than a
/// socket usually takes at once.
pub(super) const WATER: usize = 64 * 1024;

/// So many octets of a message in memory are given to the driver at once.
const LENT: usize = 4 * WATER;

/// Room for a line of AUTH, so that it need not grow: an OAuth token has a few thousand octets.
pub(super) const SECRET: usize = 16 * 1024;

impl Active {
    /// The next octets of content that goes out from where it lies, as a copy of 100 MiB takes half as long as the kernel needs to
    /// take them. What one write has room for is copied beside the end mark: a second write would cost more.
    fn lent(&self) -> &[u8] {
        match &self.body {
            Some(Body::Memory(memory)) if self.stage == Stage::Body && self.encoder.is_clean() => {
                let rest = memory.rest();
                if rest.len() < WATER { &[] } else { rest.get(..LENT).unwrap_or(rest) }
            }
            _ => &[],
        }
    }
}

impl Engine {
    /// Gathers output while something may be written. Called when all output was handed over.
    pub(super) fn fill(&mut self) {
        self.waits_for = None;
        if self.config.progress.is_some() {
            self.tell_progress();
        }
        if self.expected.is_empty() && !self.parser.is_idle() && self.phase != Phase::Closed {
            let text = "the server began a reply that nobody asked for";
            return self.end(Error::new(Kind::Protocol, Step::Command, text).with_transient(true));
        }
        // It changes with what the server says, not in between: asked for each recipient it would cost 45 instructions.
        self.grouping = self.grouped();
        while self.lending.is_none() && self.out.len() < WATER && self.write_next() {}
    }

    /// Tells of each message of which more was handed over: all of what was written, except for a chunk that waits.
    fn tell_progress(&mut self) {
        let Some(progress) = &self.config.progress else { return };
        let waiting = self.chunk.len() as u64;
        let last = self.actives.len().saturating_sub(1);
        for (place, active) in self.actives.iter_mut().enumerate() {
            let octets = active.encoder.octets() - if place == last { waiting } else { 0 };
            if octets <= active.told {
                continue;
            }
            active.told = octets;
            let name = active.asked.name.as_deref();
            let told = Progress {
                message_id: name.and_then(Name::message_id),
                tag: name.and_then(Name::tag),
                index: name.map_or(0, |name| name.index),
                server: &self.config.server,
                octets,
                total: active.size,
            };
            caught(|| progress(&told));
        }
    }

    /// How far commands may be grouped on this connection.
    fn grouped(&self) -> Pipelining {
        match self.config.pipelining {
            _ if !self.extensions.pipelining() || self.avoided.contains(&"PIPELINING") => Pipelining::Off,
            Pipelining::Rfc if self.extensions.chunking() => Pipelining::Crossing,
            wanted => wanted,
        }
    }

    /// When BDAT may be used on this connection, where it is offered.
    fn chunking(&self) -> Chunking {
        if self.avoided.contains(&"CHUNKING") { Chunking::Off } else { self.config.chunking }
    }

    /// Whether the next command may be written now.
    pub(super) fn may_write(&self) -> bool {
        match self.expected.back() {
            None => true,
            Some(last) => match self.grouping {
                Pipelining::Off => false,
                Pipelining::Rfc => !last.ends_group() && !last.ends_message(),
                Pipelining::Crossing | Pipelining::Full => !last.ends_group(),
            },
        }
    }

    /// Writes one thing; false when nothing may be written now.
    fn write_next(&mut self) -> bool {
        if !matches!(self.phase, Phase::Fresh | Phase::Ready) {
            return false;
        }
        if self.actives.back().is_some_and(|active| active.stage != Stage::Over) {
            return self.write_transaction();
        }
        if let Some(id) = self.login_asks {
            return self.ask_mechanism(id);
        }
        if !self.may_write() {
            return false;
        }
        if self.reset == Reset::Due {
            self.reset = Reset::No;
            self.write_command(&Command::Rset, Expect::Rset);
            return true;
        }
        match self.requests.pop_front() {
            Some((id, request)) => self.begin(id, request),
            None if self.quit == Quit::Due => {
                self.quit = Quit::Written;
                self.write_command(&Command::Quit, Expect::Quit);
                true
            }
            None => false,
        }
    }

    fn begin(&mut self, id: Id, request: Request) -> bool {
        match request {
            Request::Hello => {
                let name = self.config.client.clone();
                let command = match self.config.protocol {
                    Protocol::Smtp => Command::Ehlo(name),
                    Protocol::Lmtp => Command::Lhlo(name),
                };
                self.write_command(&command, Expect::Hello(id));
            }
            Request::Helo(refusal) => {
                let command = Command::Helo(self.config.client.clone());
                self.write_command(&command, Expect::Helo(id, refusal));
            }
            Request::Command(command) => self.begin_command(id, command),
            Request::Login(exchange) => self.begin_login(id, *exchange),
            Request::Transaction(transaction) => self.begin_transaction(id, transaction),
            Request::Data(content) => self.begin_data(id, content),
        }
        true
    }

    fn begin_command(&mut self, id: Id, command: Command) {
        let (step, ends_group) = (command.step(), command.ends_group());
        let effect = match &command {
            Command::StartTls => Effect::StartTls,
            Command::Ehlo(_) | Command::Helo(_) | Command::Lhlo(_) => Effect::Hello,
            Command::Mail(_) => Effect::Mail,
            Command::Rcpt(rcpt) => Effect::Rcpt(Box::new(rcpt.clone())),
            Command::Rset => Effect::Rset,
            Command::Quit => Effect::Quit,
            Command::Raw(raw) => Effect::of(raw),
            _ => Effect::None,
        };
        self.write_command(&command, Expect::Command { id, step, ends_group, effect });
    }

    fn begin_transaction(&mut self, id: Id, transaction: Box<Transaction>) {
        let refusal = if self.phase != Phase::Ready {
            Some(Error::usage("a message needs EHLO, HELO or LHLO first"))
        } else if self.extensions.limits().mail_max.is_some_and(|most| self.mails >= most) {
            let text = "the server takes no more messages on this connection (LIMITS MAILMAX): open another";
            Some(Error::new(Kind::Unsupported, Step::Mail, text).with_transient(true))
        } else {
            None
        };
        if let Some(error) = refusal {
            return self
                .tell(id, unbegun(&transaction.addressed.recipients, transaction.asked, error).into());
        }
        if self.verbs.take().is_some() {
            self.reset.owe(Reset::Due);
        }
        let origin = if !self.actives.is_empty() {
            Origin::Follows
        } else if self.mails == 0 {
            Origin::First
        } else {
            Origin::Later
        };
        let lmtp = self.config.protocol == Protocol::Lmtp;
        self.actives.push_back(Active::new(id, transaction, origin, lmtp));
    }

    /// DATA for the recipients that were accepted by verbs.
    fn begin_data(&mut self, id: Id, content: Box<dyn Content>) {
        let verbs = self.verbs.take().unwrap_or_default();
        let lmtp = self.config.protocol == Protocol::Lmtp;
        let mut active = Active::for_verbs(id, verbs, content, lmtp);
        // What was declared in MAIL was the caller's to say.
        active.transfer = Transfer { eight_bit: true, binary: false, utf8: true };
        self.actives.push_back(active);
    }

    fn write_transaction(&mut self) -> bool {
        match self.actives.back().map(|active| active.stage) {
            Some(Stage::Mail) => self.write_mail(),
            Some(Stage::Rcpt(n)) => self.write_rcpt(n),
            Some(Stage::Data) => self.write_data(),
            Some(Stage::Body) => self.write_body(),
            Some(Stage::Chunks) => self.write_chunk(),
            Some(Stage::Ready) => self.commit(),
            Some(Stage::Answer | Stage::Over) | None => false,
        }
    }

    fn write_mail(&mut self) -> bool {
        if !self.may_write() {
            return false;
        }
        if self.reset != Reset::No || self.unsettled.is_some() {
            (self.reset, self.unsettled) = (Reset::No, None);
            self.write_command(&Command::Rset, Expect::Rset);
            return true;
        }
        let (grouped, chunking) = (self.grouping, self.chunking());
        let Some(active) = self.actives.back_mut() else { return false };
        if active.asked.queue && !self.queue_asked && self.extensions.xque() {
            self.queue_asked = true;
            self.write_line(b"QUED\r\n", Expect::Queued);
            return true;
        }
        if let Err(error) = super::adapt::adapt(active, &self.extensions, grouped, chunking) {
            if let Some(active) = self.actives.pop_back() {
                self.tell(
                    active.id,
                    unbegun(&active.asked.addressed.recipients, active.asked.asked, error).into(),
                );
            }
            return true;
        }
        let start = self.out.len();
        active.asked.addressed.mail.write_for(active.declared, &mut self.out);
        active.watch.mail();
        active.stage = Stage::Rcpt(0);
        active.outstanding = 1;
        self.mails += 1;
        self.expected.push_back(Expect::Mail(active.id));
        self.transcript.client(&self.out[start..]);
        true
    }

    fn write_rcpt(&mut self, n: usize) -> bool {
        let may_write = self.may_write();
        let pipelined = !self.expected.is_empty();
        let Some(active) = self.actives.back_mut() else { return false };
        if active.mail_refused() {
            active.stage = Stage::Over;
            let id = active.id;
            self.settle(id);
            return true;
        }
        if !may_write {
            return false;
        }
        let Some(rcpt) = active.asked.addressed.recipients.get(n) else {
            active.stage = Stage::Data;
            return true;
        };
        let start = self.out.len();
        rcpt.write(&mut self.out);
        active.outstanding += 1;
        active.stage = Stage::Rcpt(n + 1);
        if pipelined && n == 0 {
            active.used.push("PIPELINING");
        }
        self.expected.push_back(Expect::Rcpt(active.id));
        self.transcript.client(&self.out[start..]);
        true
    }

    fn write_data(&mut self) -> bool {
        let may_write = self.may_write();
        let Some(active) = self.actives.back_mut() else { return false };
        let id = active.id;
        if active.mail_refused() || (active.outstanding == 0 && !active.is_by_verbs() && !active.may_send()) {
            self.give_up(id);
            return true;
        }
        if active.chunked {
            return self.begin_chunks(id);
        }
        if !may_write || (active.outstanding > 0 && !active.may_pipeline_data()) {
            return false;
        }
        active.stage = Stage::Answer;
        active.outstanding += 1;
        self.write_command(&Command::Data, Expect::Data(id));
        true
    }

    /// Encodes the next piece of the content, or the end mark after the last one.
    fn write_body(&mut self) -> bool {
        let Some(active) = self.actives.back_mut() else { return false };
        if !active.lent().is_empty() {
            return false; // it goes out from where it lies
        }
        let Some(body) = active.body.as_mut().map(Body::reader) else { return false };
        match body.fill_buf() {
            Ok([]) => self.body_written(),
            Ok(piece) => {
                let piece = &piece[..piece.len().min(WATER)];
                let taken = piece.len();
                active.encoder.encode(piece, &mut self.out);
                body.consume(taken);
                true
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.waits_for = Some(Awaited::Source);
                false
            }
            Err(error) => {
                let text = format!("the message could not be read to its end: {error}");
                self.end(Error::new(Kind::Source, Step::Body, text));
                false
            }
        }
    }

    /// The next octets of a message that goes out from where it lies, once all that was gathered is taken.
    pub(super) fn lent(&self) -> &[u8] {
        match &self.lending {
            Some(chunk) => chunk.rest(),
            None => self.actives.back().map(Active::lent).unwrap_or_default(),
        }
    }

    /// Records that the first `n` of them were taken; gives how many those are.
    pub(super) fn lent_taken(&mut self, n: usize) -> usize {
        let n = n.min(self.lent().len());
        if let Some(chunk) = &mut self.lending {
            if chunk.take(n) {
                self.lending = None;
            }
        } else if n > 0
            && let Some(active) = self.actives.back_mut()
            && let Some(Body::Memory(memory)) = &mut active.body
        {
            active.encoder.pass(memory.rest().get(..n).unwrap_or_default());
            memory.consume(n);
        }
        n
    }

    /// All of the content was written.
    fn body_written(&mut self) -> bool {
        let Some(active) = self.actives.back_mut() else { return false };
        active.body = None;
        if self.config.commit.is_some() {
            active.stage = Stage::Ready;
        } else {
            self.end_body();
        }
        true
    }

    /// Writes the end mark.
    pub(super) fn end_body(&mut self) {
        let Some(active) = self.actives.back_mut() else { return };
        active.encoder.finish(&mut self.out);
        active.watch.end();
        active.end = Some(self.taken + (self.out.len() - self.sent) as u64);
        active.stage = Stage::Over;
        let octets = active.encoder.octets();
        self.transcript.note(format_args!("message of {octets} octets"));
        self.transcript.client(b".\r\n");
    }

    fn write_command(&mut self, command: &Command, expect: Expect) {
        let start = self.out.len();
        command.write(&mut self.out);
        self.expected.push_back(expect);
        match command {
            Command::Raw(raw) if raw.is_secret() => {
                self.mask.hide_command(raw.expose());
                self.transcript.masked(raw.verb());
            }
            _ => self.transcript.client(&self.out[start..]),
        }
    }

    /// Writes what must be wiped. The room is made first, so that growing leaves no copy behind.
    pub(super) fn write_secret(&mut self, line: &[u8], expect: Expect) {
        self.out.reserve(line.len());
        self.out.extend_from_slice(line);
        self.wipe = true;
        self.expected.push_back(expect);
    }

    fn write_line(&mut self, line: &[u8], expect: Expect) {
        self.out.extend_from_slice(line);
        self.expected.push_back(expect);
        self.transcript.client(line);
    }
}
