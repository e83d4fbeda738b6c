//! A message by BDAT (RFC 3030): chunks with their length in front, no dots.
//!
//! The last chunk is held back until the server has taken all others, so that a refused chunk, or a source that fails
//! midway, withdraws the message with RSET while the connection lives on. A message of one chunk is the common one.

use std::io::{BufRead, ErrorKind};

use super::Engine;
use super::expect::Expect;
use super::request::{Awaited, Id};
use super::state::{Reset, Stage};
use super::transaction::{Active, Body};
use super::writer::WATER;
use crate::command::Command;
use crate::content::Memory;
use crate::error::{Error, Kind, Step};
use crate::extensions::Pipelining;
use crate::reply::Reply;
use crate::wire::DotEncoder;

/// The octets of a chunk: servers are slow with larger ones, and some do not answer before they read all of it.
const CHUNK: usize = WATER;

/// Octets of a chunk that are written from where they lie: gathered, they would be copied twice, which takes as long as the kernel
/// needs to take them.
pub(super) struct Lending {
    memory: Memory,
    left: usize,
}

impl Lending {
    pub(super) fn rest(&self) -> &[u8] {
        self.memory.rest().get(..self.left).unwrap_or_default()
    }

    /// Records that `n` of them were taken; whether that is all.
    pub(super) fn take(&mut self, n: usize) -> bool {
        self.memory.consume(n);
        self.left -= n;
        self.left == 0
    }
}

/// What came of gathering a chunk.
enum Gathered {
    Full,
    /// The content is at its end.
    Last,
    /// The source has nothing now.
    Waits,
    Failed(std::io::Error),
}

impl Engine {
    /// Opens the content; false while the recipients' replies must be waited for.
    pub(super) fn begin_chunks(&mut self, id: Id) -> bool {
        let ahead = self.grouping == Pipelining::Full;
        let Some(active) = self.actives.back_mut() else { return false };
        let ahead = ahead && !active.lmtp && active.may_pipeline_data();
        if active.outstanding > 0 && !ahead {
            return false;
        }
        match active.open() {
            Ok(()) => {
                active.stage = Stage::Chunks;
                self.chunk.clear();
            }
            Err(error) => self.withdraw(id, error),
        }
        true
    }

    /// Writes the next chunk.
    pub(super) fn write_chunk(&mut self) -> bool {
        if !self.may_write() {
            return false;
        }
        let Some(active) = self.actives.back_mut() else { return false };
        let id = active.id;
        if let Some(chunk) = active.lend() {
            self.lending = Some(chunk);
            self.put_chunk(id, false);
            return true;
        }
        let gathered = match &mut active.body {
            Some(body) => gather(body.reader(), &mut active.encoder, &mut self.chunk),
            None => Gathered::Last,
        };
        match gathered {
            Gathered::Full => {
                self.put_chunk(id, false);
                true
            }
            Gathered::Last => {
                if active.body.take().is_some() {
                    active.encoder.finish(&mut self.chunk);
                }
                // Of a message in several chunks the server has taken all the others when it gets the last.
                if active.written > 0 && active.outstanding > 0 {
                    return false;
                }
                if self.config.commit.is_some() {
                    active.stage = Stage::Ready;
                } else {
                    self.put_chunk(id, true);
                }
                true
            }
            Gathered::Waits => {
                self.waits_for = Some(Awaited::Source);
                false
            }
            Gathered::Failed(error) => {
                let text = format!("the message could not be read to its end: {error}");
                self.withdraw(id, Error::new(Kind::Source, Step::Body, text));
                true
            }
        }
    }

    /// A reply to a chunk that was not the last.
    pub(super) fn on_chunk(&mut self, id: Id, end: u64, reply: Reply) {
        if self.flushed < end {
            return self.on_early(id, reply);
        }
        if !reply.is_success() && !reply.is_failure() {
            let error = self.nonsense(Step::Body, "the reply neither takes nor refuses a chunk", &reply);
            return self.end(error);
        }
        let Some(active) = self.active(id) else { return };
        active.outstanding -= 1;
        let mut confused = false;
        if reply.is_success() {
            active.taken += 1;
        } else if active.refused.is_none() {
            confused = active.taken == 0 && is_confused(&reply, active.accepted());
            active.again |= confused;
            active.refused = Some((Step::Body, reply));
        }
        if confused {
            self.avoid("CHUNKING");
        }
        self.settle(id);
    }

    /// The reply to the last chunk was read.
    pub(super) fn chunks_answered(&mut self, id: Id) {
        let Some(active) = self.active(id) else { return };
        let taken = active.finals.iter().any(Reply::is_success);
        let accepted = active.accepted();
        // A server that took a chunk knows what BDAT is.
        let unknown = active.written == 0 && active.finals.iter().all(|reply| is_confused(reply, accepted));
        let for_nobody = taken && accepted == 0;
        active.again |= unknown;
        if unknown || for_nobody {
            self.avoid("CHUNKING");
        }
        if self.unsettled.take_if(|own| *own == id).is_some() && !taken {
            self.reset.owe(Reset::Due);
        }
    }

    pub(super) fn put_chunk(&mut self, id: Id, last: bool) {
        let start = self.out.len();
        let lent = self.lending.as_ref().map_or(0, |chunk| chunk.left);
        Command::Bdat { size: (self.chunk.len() + lent) as u64, last }.write(&mut self.out);
        self.transcript.client(&self.out[start..]);
        self.out.append(&mut self.chunk);
        self.unsettled = Some(id);
        let end = self.taken + (self.out.len() - self.sent + lent) as u64;
        let Some(active) = self.actives.back_mut() else { return };
        if !last {
            active.written += 1;
            active.outstanding += 1;
            self.expected.push_back(Expect::Chunk { id, end });
            return;
        }
        let due = active.finals_due();
        active.outstanding += due;
        active.end = Some(end);
        active.watch.end();
        active.stage = Stage::Over;
        self.expected.extend((0..due).map(|_| Expect::Final(id)));
        let octets = active.encoder.octets();
        self.transcript.note(format_args!("message of {octets} octets"));
    }

    /// Takes back a message of which the last chunk was not written.
    pub(super) fn withdraw(&mut self, id: Id, error: Error) {
        if let Some(active) = self.active(id) {
            active.withdrawn = Some(error);
        }
        self.give_up(id);
    }
}

impl Active {
    /// A whole chunk of a message that goes out as it lies in memory; not its last one, which is small, and perhaps needs a line's end.
    fn lend(&mut self) -> Option<Lending> {
        match &mut self.body {
            Some(Body::Memory(memory)) if self.encoder.is_clean() && memory.rest().len() >= CHUNK => {
                let chunk = Lending { memory: memory.clone(), left: CHUNK };
                self.encoder.pass(chunk.rest());
                memory.consume(CHUNK);
                Some(chunk)
            }
            _ => None,
        }
    }
}

/// Whether the server does not know what BDAT is, although it offered CHUNKING and took a recipient.
fn is_confused(reply: &Reply, accepted: usize) -> bool {
    accepted > 0 && matches!(reply.code(), 500..=504)
}

fn gather(body: &mut dyn BufRead, encoder: &mut DotEncoder, chunk: &mut Vec<u8>) -> Gathered {
    while chunk.len() < CHUNK {
        match body.fill_buf() {
            Ok([]) => return Gathered::Last,
            Ok(piece) => {
                let taken = piece.len().min(CHUNK - chunk.len());
                encoder.encode(piece.get(..taken).unwrap_or_default(), chunk);
                body.consume(taken);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Gathered::Waits,
            Err(error) => return Gathered::Failed(error),
        }
    }
    Gathered::Full
}
