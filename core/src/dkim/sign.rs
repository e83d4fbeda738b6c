//! From the octets of a message to its signature.

use std::fmt::Write;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::canonical::{self, Body};
use super::{Dkim, Over};
use crate::error::{Error, Kind, Step};
use crate::signer::{Signer, Signing};

/// The longest line that is written, where words allow.
const LINE: usize = 76;

impl Signer for Arc<Dkim> {
    fn begin(&self) -> Box<dyn Signing> {
        Box::new(Running {
            dkim: Self::clone(self),
            head: Vec::new(),
            in_body: false,
            body: Body::default(),
            digest: Sha256::new(),
            scratch: Vec::new(),
        })
    }
}

struct Running {
    dkim: Arc<Dkim>,
    /// The header section, and before its end is seen what follows it.
    head: Vec<u8>,
    in_body: bool,
    body: Body,
    digest: Sha256,
    scratch: Vec<u8>,
}

impl Running {
    fn hash(&mut self, octets: &[u8]) {
        self.scratch.clear();
        self.body.update(octets, &mut self.scratch);
        self.digest.update(&self.scratch);
    }
}

impl Signing for Running {
    fn update(&mut self, octets: &[u8]) {
        if self.in_body {
            return self.hash(octets);
        }
        // The end may lie across two pieces.
        let from = self.head.len().saturating_sub(3);
        self.head.extend_from_slice(octets);
        let at = if from == 0 { 0 } else { from };
        let Some(end) = self.head.get(at..).and_then(|data| {
            if at == 0 {
                canonical::head_end(data)
            } else {
                memchr::memmem::find(data, b"\r\n\r\n").map(|p| p + 4)
            }
        }) else {
            return;
        };
        let body = self.head.split_off(at + end);
        self.in_body = true;
        self.hash(&body);
    }

    fn finish(mut self: Box<Self>, now: i64) -> Result<String, Error> {
        self.scratch.clear();
        std::mem::take(&mut self.body).finish(&mut self.scratch);
        self.digest.update(&self.scratch);
        let digest = std::mem::take(&mut self.digest).finalize();
        self.dkim.signature(&self.head, &STANDARD.encode(digest), now)
    }
}

impl Dkim {
    /// The field, for a header section and the digest of a body.
    fn signature(&self, head: &[u8], body: &str, now: i64) -> Result<String, Error> {
        let found = canonical::fields(head);
        let mut signed = Vec::with_capacity(head.len());
        let mut names = Vec::new();
        for (name, over) in &self.terms.fields {
            let mut count = 0_usize;
            // From the last one up (RFC 6376 section 5.4.2).
            for (own, value) in
                found.iter().rev().filter(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes()))
            {
                canonical::field(own, value, &mut signed);
                names.push(name.as_str());
                count += 1;
            }
            if count == 0 && name.eq_ignore_ascii_case("from") {
                return Err(Error::usage(
                    "option `dkim`: the message has no From, which a signature must cover (RFC 6376 section 5.4): set it",
                ));
            }
            match over {
                Over::Always => names.push(name),
                Over::WherePresent if count > 0 => names.push(name),
                Over::WherePresent | Over::Never => {}
            }
        }
        let mut value = self.tags(&names, body, now);
        canonical::field(b"DKIM-Signature", value.as_bytes(), &mut signed);
        signed.truncate(signed.len().saturating_sub(2));
        let signature = self.key.sign(&signed).ok_or_else(|| {
            Error::new(
                Kind::Source,
                Step::Setup,
                "the message cannot be signed: the system gives no random numbers",
            )
        })?;
        let signature = STANDARD.encode(signature);
        // The first line is shorter by `b=`.
        let (first, rest) = signature.split_at(signature.len().min(LINE - 4));
        value.push_str(first);
        let mut rest = rest;
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(LINE - 2));
            let _ = write!(value, "\r\n\t{line}");
            rest = after;
        }
        Ok(format!("DKIM-Signature:{value}\r\n"))
    }

    /// Every tag up to `b=`, which has no value yet.
    fn tags(&self, names: &[&str], body: &str, now: i64) -> String {
        let terms = &self.terms;
        let mut value = String::with_capacity(512);
        let algorithm = self.key.algorithm();
        let _ = write!(
            value,
            " v=1; a={algorithm}; c=relaxed/relaxed;\r\n\td={}; s={};",
            terms.domain, terms.selector
        );
        if let Some(identity) = &terms.identity {
            let _ = write!(value, "\r\n\ti={identity};");
        }
        let _ = write!(value, "\r\n\tt={now};");
        if let Some(expire) = terms.expire {
            let _ = write!(value, " x={};", now.saturating_add_unsigned(expire.as_secs()));
        }
        value.push_str("\r\n\th=");
        let mut column = 3;
        for (number, name) in names.iter().enumerate() {
            if number > 0 {
                value.push(':');
                column += 1;
                if column + name.len() > LINE {
                    value.push_str("\r\n\t ");
                    column = 2;
                }
            }
            value.push_str(name);
            column += name.len();
        }
        let _ = write!(value, ";\r\n\tbh={body};\r\n\tb=");
        value
    }
}
