//! Replies that were read before.

use smallvec::SmallVec;

use super::Reply;

// The longest line that is remembered; what servers always say is shorter.
const MAX_LINE: usize = 64;
// One to MAIL, RCPT, DATA and the end of the message each.
const MOST: usize = 4;
// The greeting, the reply to EHLO, and those to one message: a connection for it alone hears nothing twice, and need not pay for
// what is remembered (250 instructions each).
const FIRST: u64 = 6;

/// The last replies of one line. A server says the same again and again, so that of the four replies to a message three or four
/// need not be read anew: 500 instructions each.
#[derive(Debug, Default)]
pub(super) struct Known {
    replies: SmallVec<[Line; MOST]>,
    /// How many were looked for.
    count: u64,
}

#[derive(Debug)]
struct Line {
    /// With its end.
    octets: SmallVec<[u8; MAX_LINE]>,
    reply: Reply,
    /// When it was last found, in replies.
    last: u64,
}

impl Known {
    /// The reply that `input` begins with, and its octets.
    pub(super) fn recall(&mut self, input: &[u8]) -> Option<(usize, Reply)> {
        self.count += 1;
        let line = self.replies.iter_mut().find(|line| input.starts_with(&line.octets))?;
        line.last = self.count;
        Some((line.octets.len(), line.reply.clone()))
    }

    /// Remembers a reply of one line, in place of the one that was not said for the longest time.
    pub(super) fn learn(&mut self, octets: &[u8], reply: &Reply) {
        // A challenge is never said twice.
        if self.count <= FIRST || octets.len() > MAX_LINE || reply.code() == 334 {
            return;
        }
        let line = Line { octets: octets.into(), reply: reply.clone(), last: self.count };
        if self.replies.len() < MOST {
            self.replies.push(line);
        } else if let Some(oldest) = self.replies.iter_mut().min_by_key(|line| line.last) {
            *oldest = line;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{ReplyFault, ReplyParser};
    use super::*;

    fn all(parser: &mut ReplyParser, octets: &[u8], size: usize, found: &mut Vec<Result<Reply, ReplyFault>>) {
        for mut piece in octets.chunks(size) {
            while !piece.is_empty() {
                let (taken, answer) = parser.parse(piece);
                piece = &piece[taken..];
                found.extend(answer);
            }
        }
    }

    const LINES: [&[u8]; 14] = [
        b"250 2.1.5 Ok\r\n",
        b"250 2.1.0 Ok\r\n",
        b"250 2.1.0 Ok\n",
        b"250 2.1.0 Ok\r\r\n",
        b"250 2.1\r\n",
        b"250 \r\n",
        b"250\n",
        b"354 \tgo\r\n",
        b"334 abc\r\n",
        b"451 4.3.0 later\r\n",
        b"250 \xe9\xc3\xa9\r\n",
        b"250-2.1.0 Ok\r\n250 2.1.0 Ok\r\n",
        b"251-x\r\n251-\r\n251 y\r\n",
        b"250 a line that is longer than those that are remembered, and said as it was read\r\n",
    ];

    proptest! {
        /// What was read before is told as if it had not been.
        #[test]
        fn replies_that_are_said_again(said in proptest::collection::vec(0..LINES.len(), 0..60), size in 1usize..100) {
            let said: Vec<&[u8]> = said.into_iter().map(|line| LINES[line]).collect();
            let (mut found, mut wanted) = (Vec::new(), Vec::new());
            all(&mut ReplyParser::new(), &said.concat(), size, &mut found);
            for line in said {
                all(&mut ReplyParser::new(), line, size, &mut wanted);
            }
            prop_assert_eq!(found, wanted);
        }
    }

    #[test]
    fn what_was_not_said_for_the_longest_time_is_forgotten() {
        let mut known = Known { count: FIRST + 1, ..Known::default() };
        let line = |n: usize| format!("250 {n}\r\n");
        for n in 0..MOST {
            known.learn(line(n).as_bytes(), &Reply::new(250, n.to_string()));
        }
        assert!(known.recall(line(0).as_bytes()).is_some());
        known.learn(line(9).as_bytes(), &Reply::new(250, "9"));
        let is_known = |n: &usize| known.recall(format!("{}354 x", line(*n)).as_bytes()).is_some();
        assert_eq!([0, 1, 2, 3, 9].into_iter().filter(is_known).collect::<Vec<_>>(), [0, 2, 3, 9]);
    }
}
