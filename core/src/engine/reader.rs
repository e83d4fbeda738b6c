//! What a reply means for what is under way.

use super::expect::{Effect, Expect};
use super::request::{Id, Protocol, Request};
use super::state::{Phase, Reset, Stage, Turn};
use super::transaction::{Origin, Verbs};
use super::{Engine, Event};
use crate::error::{Error, Kind, Step};
use crate::extensions::Extensions;
use crate::reply::Reply;
use crate::report::Report;

impl Engine {
    pub(super) fn on_reply(&mut self, reply: Reply) {
        self.progress += 1;
        // What is read as the protocol is what was said; what anybody sees is this.
        let shown = if self.hides_challenge(&reply) {
            Some(Reply::new(reply.code(), "***"))
        } else {
            self.mask.reply(&reply)
        };
        let (reply, heard) = match shown {
            Some(shown) => (shown, Some(reply)),
            None => (reply, None),
        };
        self.transcript.server(&reply);
        let Some(expect) = self.expected.pop_front() else {
            return self.on_unasked(reply);
        };
        let step = expect.step();
        let goodbye = (reply.code() == 421).then(|| reply.clone());
        match expect {
            Expect::Greeting => self.on_greeting(reply),
            Expect::Hello(id) => self.on_hello(id, heard.as_ref(), reply),
            Expect::Helo(id, refusal) => self.on_helo(id, refusal, reply),
            Expect::Command { id, effect, .. } => self.on_command(id, effect, heard, reply),
            Expect::Auth(id) => self.on_auth(id, heard.as_ref(), reply),
            Expect::Queued | Expect::LoneDot => {}
            Expect::Rset => self.on_rset(reply),
            Expect::Mail(id) => self.on_envelope(id, Step::Mail, reply),
            Expect::Rcpt(id) => self.on_envelope(id, Step::Rcpt, reply),
            Expect::Data(id) => self.on_data(id, reply),
            Expect::Chunk { id, end } => self.on_chunk(id, end, reply),
            Expect::Final(id) => self.on_final(id, reply),
            Expect::Quit => self.finish(),
        }
        if let Some(reply) = goodbye {
            self.end(Error::refused(step, "the server closes the connection", reply));
        }
    }

    /// A reply that nobody asked for: the server's goodbye, or nonsense after which no reply can be told
    /// from another.
    fn on_unasked(&mut self, reply: Reply) {
        let error = if reply.is_failure() {
            Error::new(Kind::Closed, Step::Command, "the server ended the idle connection").with_reply(reply)
        } else {
            self.nonsense(Step::Command, "the server sent a reply that nobody asked for", &reply)
        };
        // Nothing was asked, so nothing was refused: another connection may well be of use.
        self.end(error.with_transient(true));
    }

    pub(super) fn nonsense(&self, step: Step, what: &str, reply: &Reply) -> Error {
        Error::new(Kind::Protocol, step, format!("{what} ({reply})"))
    }

    fn on_greeting(&mut self, reply: Reply) {
        if reply.code() == 220 {
            self.turn(Turn::Greeted);
            self.greeting = Some(reply.clone());
            self.events.push_back(Event::Reply(Id::GREETING, reply));
            return;
        }
        let error = if reply.is_failure() {
            Error::refused(Step::Greeting, "the server does not want to talk", reply)
        } else {
            self.nonsense(Step::Greeting, "the greeting is not 220", &reply)
        };
        self.events.push_back(Event::Failed(Id::GREETING, error.clone()));
        // RFC 5321 section 3.1: the server waits for QUIT. One that says 421 does not.
        if error.kind() == Kind::Refused && error.reply().is_none_or(|reply| reply.code() != 421) {
            self.leave(error);
        } else {
            self.end(error);
        }
    }

    fn on_hello(&mut self, id: Id, heard: Option<&Reply>, reply: Reply) {
        if reply.is_success() {
            self.extensions = Extensions::parse_without(heard.unwrap_or(&reply), &self.config.ignore);
            self.introduced(id, reply);
        } else if reply.code() / 100 == 5 && self.config.protocol == Protocol::Smtp {
            self.requests.push_front((id, Request::Helo(reply)));
        } else {
            let error = Error::refused(Step::Hello, "the server refused EHLO", reply);
            self.events.push_back(Event::Failed(id, error));
        }
    }

    fn on_helo(&mut self, id: Id, refusal: Reply, reply: Reply) {
        if reply.is_success() {
            self.extensions = Extensions::default();
            self.introduced(id, reply);
        } else {
            // A server that does not know EHLO has refused nothing by saying so.
            let unknown = matches!(refusal.code(), 500..=504);
            let decided = if unknown && reply.is_failure() { reply } else { refusal };
            let error = Error::refused(Step::Hello, "the server refused EHLO and HELO", decided);
            self.events.push_back(Event::Failed(id, error));
        }
    }

    fn introduced(&mut self, id: Id, reply: Reply) {
        self.turn(Turn::Introduced);
        self.verbs = None;
        self.events.push_back(Event::Reply(id, reply));
    }

    fn on_command(&mut self, id: Id, effect: Effect, heard: Option<Reply>, reply: Reply) {
        if reply.is_success() {
            match effect {
                Effect::StartTls if reply.code() == 220 => {
                    self.turn(Turn::TlsAgreed);
                    self.extensions = Extensions::default();
                    self.verbs = None;
                    self.events.push_back(Event::StartTls(id, reply));
                    return;
                }
                Effect::Hello => {
                    self.extensions =
                        Extensions::parse_without(heard.as_ref().unwrap_or(&reply), &self.config.ignore);
                    return self.introduced(id, reply);
                }
                Effect::Mail => self.verbs = Some(Verbs::new(reply.clone())),
                Effect::Rcpt(rcpt) => {
                    if let Some(verbs) = &mut self.verbs {
                        verbs.accepted(*rcpt, reply.clone());
                    }
                }
                Effect::Rset => self.verbs = None,
                Effect::Quit => {
                    self.events.push_back(Event::Reply(id, reply));
                    return self.finish();
                }
                Effect::StartTls | Effect::None => {}
            }
        }
        // A challenge that the caller answers is not text for people.
        let reply = if reply.is_failure() || reply.is_success() { reply } else { heard.unwrap_or(reply) };
        self.events.push_back(Event::Reply(id, reply));
    }

    fn on_rset(&mut self, reply: Reply) {
        if !reply.is_success() && !self.quit.is_asked() {
            let error =
                self.nonsense(Step::Rset, "the server refused RSET, so nothing more can be sent", &reply);
            self.end(error);
        }
    }

    fn on_envelope(&mut self, id: Id, step: Step, reply: Reply) {
        if !reply.is_success() && !reply.is_failure() {
            let error = self.nonsense(step, "neither taken nor refused", &reply);
            return self.end(error);
        }
        let Some(active) = self.active(id) else { return };
        active.outstanding -= 1;
        // It did not expect a command after the end of a message.
        let confused =
            active.origin == Origin::Follows && step == Step::Mail && matches!(reply.code(), 500..=503);
        // It believes to be in a transaction that was over: what it says of this one means nothing.
        let nested = !confused && step == Step::Mail && reply.code() == 503 && active.origin != Origin::First;
        if nested {
            let text = "the server is still in the transaction before";
            let error = Error::new(Kind::Protocol, Step::Mail, text).with_reply(reply);
            return self.end(error.with_transient(true));
        }
        if step == Step::Mail {
            active.again |= confused;
            active.mail_reply = Some(reply);
        } else {
            active.rcpt_replies.push(reply);
        }
        if confused {
            self.avoid("PIPELINING");
        }
        self.settle(id);
    }

    /// Gives up a transaction that can come to nothing, and concludes one to which every reply is in.
    pub(super) fn settle(&mut self, id: Id) {
        let Some(active) = self.active(id) else { return };
        let answered = active.outstanding == 0;
        let hopeless = match active.stage {
            Stage::Mail | Stage::Rcpt(_) => answered && active.mail_refused(),
            Stage::Data => {
                answered && (active.mail_refused() || (!active.is_by_verbs() && !active.may_send()))
            }
            Stage::Chunks => active.is_lost() || active.refused.is_some(),
            Stage::Ready => active.chunked && (active.is_lost() || active.refused.is_some()),
            Stage::Answer | Stage::Body | Stage::Over => false,
        };
        if hopeless {
            self.give_up(id);
        } else if answered && active.stage == Stage::Over {
            self.conclude(id);
        }
    }

    /// Writes no more of a transaction. It is concluded once every reply to it is in.
    pub(super) fn give_up(&mut self, id: Id) {
        let Some(active) = self.active(id) else { return };
        active.stage = Stage::Over;
        active.body = None;
        let (begun, answered) = (!active.mail_refused(), active.outstanding == 0);
        if begun {
            self.reset.owe(Reset::Due);
        }
        self.unsettled.take_if(|own| *own == id);
        self.chunk.clear();
        if answered {
            self.conclude(id);
        }
    }

    fn on_data(&mut self, id: Id, reply: Reply) {
        let Some(active) = self.active(id) else { return };
        active.outstanding -= 1;
        let (code, refused) = (reply.code(), reply.is_failure());
        if refused {
            active.refused = Some((Step::Data, reply));
            active.stage = Stage::Over;
            let (by_verbs, begun) = (active.is_by_verbs(), !active.mail_refused());
            if by_verbs {
                // Still the caller's to end; a message after it begins with RSET.
                self.verbs = Some(Verbs::default());
            } else if begun {
                self.reset.owe(Reset::Due);
            }
            self.conclude(id);
        } else if code != 354 {
            let error = self.nonsense(Step::Data, "DATA was answered with neither 354 nor a refusal", &reply);
            self.end(error);
        } else if active.may_send() {
            self.open_body(id);
        } else if active.accepted() == 0 {
            active.stage = Stage::Over;
            // RFC 2920 section 3.1: a lone dot, since there is no other way back; nobody receives it.
            self.out.extend_from_slice(b".\r\n");
            self.transcript.client(b".\r\n");
            if self.config.protocol == Protocol::Smtp {
                self.expected.push_back(Expect::LoneDot);
            }
            self.conclude(id);
        } else {
            // A dot would deliver an empty message to those who were accepted.
            let text = "the server wants the message although the sender was refused";
            self.end(Error::new(Kind::Protocol, Step::Data, text));
        }
    }

    fn open_body(&mut self, id: Id) {
        let Some(active) = self.active(id) else { return };
        match active.open() {
            Ok(()) => {
                let due = active.finals_due();
                active.stage = Stage::Body;
                active.outstanding = due;
                self.expected.extend((0..due).map(|_| Expect::Final(id)));
            }
            Err(error) => self.end(error),
        }
    }

    fn on_final(&mut self, id: Id, reply: Reply) {
        let flushed = self.flushed;
        let Some(active) = self.active(id) else { return };
        if !active.end_left(flushed) {
            return self.on_early(id, reply);
        }
        if !reply.is_success() && !reply.is_failure() {
            let error =
                self.nonsense(Step::Final, "the final reply neither takes nor refuses the message", &reply);
            return self.end(error);
        }
        // Some servers keep the transaction open after they have refused its message (RFC 5321 section 4.1.1.4 has it over).
        let is_open = reply.is_failure() && !active.chunked;
        active.finals.push(reply);
        active.outstanding -= 1;
        if active.outstanding == 0 {
            if is_open {
                self.reset.owe(Reset::BeforeMail);
            }
            let Some(active) = self.active(id) else { return };
            if active.chunked {
                self.chunks_answered(id);
            }
            self.conclude(id);
        }
    }

    /// A reply while the message is still being written. What is left is never written, so the server
    /// cannot have the whole of it.
    pub(super) fn on_early(&mut self, id: Id, reply: Reply) {
        if !reply.is_failure() {
            let error = self.nonsense(Step::Body, "a reply in the middle of the message", &reply);
            return self.end(error);
        }
        if let Some(active) = self.active(id) {
            let report = active.report_stopped(reply.clone());
            self.forget_active(id);
            self.tell(id, report);
        }
        self.end(Error::refused(Step::Body, "the server refused the message before its end", reply));
    }

    /// Whether the server answered a message, and nothing of what was written after its final dot.
    fn has_swallowed(&self) -> bool {
        let next = self.expected.iter().find(|expect| !matches!(expect, Expect::Rset));
        match next {
            Some(Expect::Mail(id)) => {
                self.actives.iter().any(|active| active.id == *id && active.origin == Origin::Follows)
            }
            _ => false,
        }
    }

    fn conclude(&mut self, id: Id) {
        let Some(active) = self.active(id) else { return };
        if active.again && !active.finals.iter().any(Reply::is_success) {
            let index = self.actives.iter().position(|active| active.id == id);
            let Some(active) = index.and_then(|index| self.actives.remove(index)) else { return };
            let place = self.requests.iter().position(|(other, _)| *other > id);
            let request = Request::Transaction(active.asked);
            self.requests.insert(place.unwrap_or(self.requests.len()), (id, request));
            return;
        }
        let report = active.report();
        self.forget_active(id);
        self.tell(id, report);
    }

    /// Answers a request to send.
    pub(super) fn tell(&mut self, id: Id, mut report: Box<Report>) {
        if !self.avoided.is_empty() {
            report.avoided.clone_from(&self.avoided);
        }
        self.events.push_back(Event::Sent(id, report));
    }

    /// Uses an extension no more that the server mishandles.
    pub(super) fn avoid(&mut self, extension: &'static str) {
        if !self.avoided.contains(&extension) {
            self.avoided.push(extension);
            self.transcript.note(format_args!("{extension} is not used any more: the server mishandles it"));
        }
    }

    pub(super) fn turn(&mut self, turn: Turn) {
        self.phase = self.phase.after(turn);
    }

    /// Ends well: nothing was lost.
    pub(super) fn finish(&mut self) {
        self.turn(Turn::Ended);
        let cause = Error::new(Kind::Closed, Step::Quit, "the session was closed with QUIT");
        self.fail_everything(&cause);
        self.fault.get_or_insert(cause);
    }

    /// Ends with a fault that does not keep QUIT from being said: the server is there, and wants nothing.
    fn leave(&mut self, cause: Error) {
        self.turn(Turn::Greeted);
        self.fail_everything(&cause);
        self.transcript.note(format_args!("{cause}"));
        self.fault = Some(cause);
        self.quit.ask();
    }

    /// Ends with a fault: whatever is under way gets its definite outcome.
    pub(super) fn end(&mut self, cause: Error) {
        if self.phase == Phase::Closed {
            return;
        }
        self.turn(Turn::Ended);
        self.fail_everything(&cause);
        self.transcript.note(format_args!("{cause}"));
        self.fault = Some(cause);
    }

    fn fail_everything(&mut self, cause: &Error) {
        let flushed = self.flushed;
        let swallowed = matches!(cause.kind(), Kind::Closed | Kind::Timeout) && self.has_swallowed();
        let nested = is_nested(cause);
        for expect in std::mem::take(&mut self.expected) {
            if let Some(id) = expect.request() {
                self.events.push_back(Event::Failed(id, expect.failure(cause)));
            }
        }
        if let Some(id) = self.login_asks.take() {
            self.events.push_back(Event::Failed(id, cause.clone().with_step(Step::Auth)));
        }
        for mut active in std::mem::take(&mut self.actives) {
            let id = active.id;
            // Whoever is silent, or gone, after the reply to a message may have lost what was written after its final dot.
            if (swallowed || nested) && active.is_untouched() {
                if swallowed {
                    self.avoid("PIPELINING");
                }
                self.events.push_back(Event::Unbegun(id, active.asked, cause.clone()));
                continue;
            }
            self.tell(id, active.report_ended(cause.clone(), flushed));
        }
        for (id, request) in std::mem::take(&mut self.requests) {
            self.refuse(id, request, cause.clone());
        }
        // What was not handed over must not leave any more: outcomes were judged without it.
        self.wipe |= self.login.take().is_some();
        self.lending = None;
        self.clear_output();
    }
}

/// Whether a connection ended because the server believed to be in a transaction that was over: what it had not begun to
/// take of messages can go over another.
pub(crate) fn is_nested(fault: &Error) -> bool {
    fault.kind() == Kind::Protocol
        && fault.step() == Step::Mail
        && fault.reply().is_some_and(|reply| reply.code() == 503)
}
