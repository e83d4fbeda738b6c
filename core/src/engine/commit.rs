//! Option `commit`: the caller's leave, without which no octet of an end mark or last chunk is given to the driver.

use std::task::Poll;

use super::Engine;
use super::request::{Awaited, Id, Request};
use super::state::Stage;
use super::transaction::{Active, unbegun};
use super::writer::WATER;
use crate::commit::{MOST, Ready};
use crate::error::{Error, Kind, Step, one_line};
use crate::extensions::Pipelining;

/// Messages that are asked for together.
#[derive(Default)]
pub(super) struct Group {
    ready: Vec<Ready>,
    /// Those after the first, of which nothing is said yet.
    following: Vec<Id>,
}

impl Engine {
    /// Asks for leave to end the message, and ends it.
    pub(super) fn commit(&mut self) -> bool {
        // The kernel has all that comes before first: what fails there is not asked for, and the driver, which has nothing to
        // write, listens after the answer. Else a reply that came meanwhile would count for what was written last.
        let is_flushed = self.is_taken() && self.flushed == self.taken;
        let Some(commit) = self.config.commit.clone() else { return false };
        let Some(active) = self.actives.back_mut() else { return false };
        let (id, chunked) = (active.id, active.chunked);
        if self.may_go(id) {
            self.go(id, chunked);
            return true;
        }
        if !is_flushed {
            return false;
        }
        let group = match self.actives.back_mut().and_then(|active| active.asked_for.take()) {
            Some(group) => group,
            None => self.group(),
        };
        match commit.ask(&group.ready) {
            Poll::Pending => {
                if let Some(active) = self.actives.back_mut() {
                    active.asked_for = Some(group);
                }
                self.waits_for = Some(Awaited::Commit);
                return false;
            }
            Poll::Ready(Ok(())) => {
                self.granted.extend(group.following);
                self.go(id, chunked);
            }
            Poll::Ready(Err(words)) => {
                let words = one_line(&words);
                let text = format!("the commit failed, and the message was withdrawn: {words}");
                let error = Error::new(Kind::Commit, Step::Commit, text);
                if chunked {
                    self.withdraw(id, error.clone());
                } else {
                    self.cut(error.clone());
                }
                for id in group.following {
                    let at = self.requests.iter().position(|(other, _)| *other == id);
                    if let Some((_, Request::Transaction(other))) = at.and_then(|at| self.requests.remove(at))
                    {
                        self.tell(
                            id,
                            unbegun(&other.addressed.recipients, other.asked, error.clone()).into(),
                        );
                    }
                }
            }
        }
        true
    }

    /// Whether leave was given already, together with that for a message before.
    fn may_go(&mut self, id: Id) -> bool {
        // Those before it came to nothing.
        while self.granted.front().is_some_and(|granted| *granted < id) {
            self.granted.pop_front();
        }
        self.granted.front() == Some(&id) && self.granted.pop_front().is_some()
    }

    fn go(&mut self, id: Id, chunked: bool) {
        if chunked {
            self.put_chunk(id, true);
        } else {
            self.end_body();
        }
    }

    /// The message, and those after it that would be written in one go with it: whole messages in one chunk, for which no reply
    /// is waited for. Elsewhere the next envelope cannot be said before this message is ended.
    fn group(&mut self) -> Group {
        let server = self.config.server.clone();
        let ahead = self.grouping == Pipelining::Full;
        let mut room = WATER.saturating_sub(self.chunk.len()) as u64;
        let left = self.extensions.limits().mail_max.map_or(u64::MAX, |most| most.saturating_sub(self.mails));
        let mut group = Group::default();
        let Some(active) = self.actives.back_mut() else { return group };
        let recipients = active.accepted_addresses();
        group.ready.push(active.asked.name.get_or_insert_default().ready(&server, recipients));
        if !ahead || !active.chunked || active.written > 0 || active.lmtp {
            return group;
        }
        let most = usize::try_from(left).unwrap_or(MOST).min(MOST - 1);
        for (id, request) in self.requests.iter_mut().take(most) {
            let Request::Transaction(other) = request else { break };
            let size = other.content.form(active.transfer).ok().and_then(|form| form.size);
            let Some(rest) = size.and_then(|size| room.checked_sub(size)) else { break };
            let waits = other.queue || !(other.at_least_one || other.addressed.recipients.len() == 1);
            if waits || self.granted.contains(id) {
                break;
            }
            room = rest;
            group.ready.push(other.name.get_or_insert_default().ready(&server, Vec::new()));
            group.following.push(*id);
        }
        group
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
        let answered = self.asked.addressed.recipients.iter().zip(&self.rcpt_replies);
        let accepted = answered.filter(|(_, reply)| reply.is_success());
        let named = accepted.flat_map(|(rcpt, _)| match &rcpt.parameters.stands_for {
            Some(named) => named,
            None => std::slice::from_ref(rcpt.path.shared()),
        });
        named.map(ToString::to_string).collect()
    }
}
