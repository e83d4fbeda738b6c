//! Option `commit`: the caller's leave, without which no octet of an end mark or last chunk is given to the driver.

use std::task::Poll;

use super::Engine;
use super::request::Awaited;
use super::state::Stage;
use super::transaction::Active;
use crate::error::{Error, Kind, Step, one_line};

impl Engine {
    /// Asks for leave to end the message, and ends it.
    pub(super) fn commit(&mut self) -> bool {
        // By DATA the kernel has all but the end mark first: what fails before is not asked for.
        let is_flushed = self.sent == self.out.len() && self.flushed == self.taken;
        let Some(commit) = self.config.commit.clone() else { return false };
        let server = self.config.server.clone();
        let Some(active) = self.actives.back_mut() else { return false };
        if !active.chunked && !is_flushed {
            return false;
        }
        let (id, chunked) = (active.id, active.chunked);
        let ready = match active.asked_for.take() {
            Some(ready) => ready,
            None => {
                let recipients = active.accepted_addresses();
                active.asked.name.get_or_insert_default().ready(&server, recipients)
            }
        };
        let answer = commit.ask(std::slice::from_ref(&ready));
        match answer {
            Poll::Pending => {
                active.asked_for = Some(ready);
                self.waits_for = Some(Awaited::Commit);
                return false;
            }
            Poll::Ready(Ok(())) if chunked => self.put_chunk(id, true),
            Poll::Ready(Ok(())) => self.end_body(),
            Poll::Ready(Err(words)) => {
                let words = one_line(&words);
                let text = format!("the commit failed, and the message was withdrawn: {words}");
                let error = Error::new(Kind::Commit, Step::Commit, text);
                if chunked {
                    self.withdraw(id, error);
                } else {
                    self.cut(error);
                }
            }
        }
        true
    }

    /// Ends the connection in the middle of a message, since DATA knows no other way back.
    fn cut(&mut self, error: Error) {
        if let Some(mut active) = self.actives.pop_back() {
            active.stage = Stage::Over;
            active.withdrawn = Some(error);
            let report = active.report();
            self.tell(active.id, report);
        }
        let text = "the connection was closed because the commit of a message failed";
        self.end(Error::new(Kind::Closed, Step::Command, text).with_transient(true));
    }
}

impl Active {
    /// The recipients that the server has accepted so far.
    fn accepted_addresses(&self) -> Vec<String> {
        let answered = self.asked.recipients.iter().zip(&self.rcpt_replies);
        let accepted = answered.filter(|(_, reply)| reply.is_success());
        accepted.map(|(rcpt, _)| rcpt.path.as_str().to_owned()).collect()
    }
}
