//! Recipients, each once, with what the server is asked for it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::{Who, ascii_domain, each, forward_path, one_mailbox};
use crate::address::{Address, MAX_ADDR_SPEC, parse_mailbox};
use crate::command::{ForwardPath, Rcpt, RcptParameters, Rcpts};
use crate::error::Error;
use crate::options::RecipientEntry;

/// Recipients, each once.
#[derive(Default)]
pub(super) struct Gathered {
    /// Those of a recipient whose entry says nothing.
    pub(super) parameters: RcptParameters,
    pub(super) recipients: Rcpts,
    /// Where each is. Empty while there is one recipient: there is nothing to compare it with. SipHash would take a third of
    /// all that 1 000 recipients cost; this hash is seeded too, so that nobody can write a list of names that collide.
    seen: HashMap<Key, usize, foldhash::fast::RandomState>,
    /// How many there are at most, as far as is known: a table that grows hashes all that it holds again.
    expected: usize,
    /// What is wrong with the first address that cannot be a recipient.
    pub(super) error: Option<Error>,
}

impl Gathered {
    pub(super) fn new(parameters: RcptParameters) -> Self {
        Self { parameters, ..Self::default() }
    }

    /// Adds what an entry of option `recipients` names. A mailbox that is there already gets what only this entry says.
    pub(super) fn add_entry(&mut self, entry: &RecipientEntry, domain: Option<&str>) -> Result<(), Error> {
        let who = Who::Option("recipients");
        if !entry.is_special() {
            self.expect(&entry.addresses);
            return each(&who, &entry.addresses, domain, |address| self.add(&address));
        }
        let path = forward_path(&one_mailbox(&who, &entry.addresses, domain)?)?;
        let (notify, orcpt) = (entry.notify, entry.orcpt.clone());
        let default = self.parameters.notify;
        let Some(rcpt) = self.place(&path).and_then(|at| self.recipients.get_mut(at)) else {
            let parameters = RcptParameters { notify: notify.or(default), orcpt, ..self.parameters.clone() };
            self.recipients.push(Rcpt { path, parameters });
            return Ok(());
        };
        let own = &mut rcpt.parameters;
        let twice = |name: &str| {
            Err(Error::usage(format!("{who}: {path} is given twice, with different `{name}`: give it once")))
        };
        match notify {
            Some(new) if own.notify != default && own.notify != Some(new) => return twice("notify"),
            Some(new) => own.notify = Some(new),
            None => {}
        }
        match orcpt {
            Some(new) if own.orcpt.as_ref().is_some_and(|own| *own != new) => return twice("orcpt"),
            Some(new) => own.orcpt = Some(new),
            None => {}
        }
        Ok(())
    }

    /// Prepares for the addresses of a list.
    pub(super) fn expect(&mut self, list: &str) {
        /// The shortest, with its comma; a list of commas alone needs no room.
        const SHORTEST: usize = "a@b,".len();
        let commas = memchr::memchr_iter(b',', list.as_bytes()).count();
        if commas > 0 {
            let count = (commas + 1).min(list.len() / SHORTEST + 1);
            self.expected = self.recipients.len() + count;
            self.recipients.reserve(count);
        }
    }

    pub(super) fn add(&mut self, address: &Address) {
        match forward_path(address) {
            Ok(path) if self.place(&path).is_none() => {
                self.recipients.push(Rcpt { path, parameters: self.parameters.clone() });
            }
            Ok(_) => {}
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
    }

    /// Where the mailbox is among the recipients; where it is not, it is taken to be the next.
    fn place(&mut self, path: &ForwardPath) -> Option<usize> {
        if let [first] = self.recipients.as_slice() {
            self.seen.reserve(self.expected);
            self.seen.insert(Key::of(&first.path), 0);
        }
        let next = self.recipients.len();
        if next == 0 {
            return None;
        }
        match self.seen.entry(Key::of(path)) {
            Entry::Occupied(entry) => Some(*entry.get()),
            Entry::Vacant(entry) => {
                entry.insert(next);
                None
            }
        }
    }
}

/// A mailbox, to be compared: the domain is case-insensitive, the local part is the server's to compare.
#[derive(Clone)]
pub(super) struct Key(SmolStr);

impl Key {
    /// The domain of a path that is not ASCII is compared in A-labels: it goes out as it is written.
    pub(super) fn of(path: &ForwardPath) -> Self {
        let path = path.shared();
        if path.is_ascii() {
            return Self(path.clone());
        }
        let (local, _) = parts(path);
        let domain = parse_mailbox(path).ok().and_then(|address| ascii_domain(&address));
        Self(domain.map_or_else(|| path.clone(), |domain| SmolStr::new(format!("{local}@{domain}"))))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let octets = self.0.as_bytes();
        // Almost every mailbox is in lower case as a whole: to copy all domains would be 100 instructions for each recipient.
        // No short cut out of the loop: so it is compiled to vector instructions.
        let upper = octets.iter().fold(false, |upper, octet| upper | octet.is_ascii_uppercase());
        if !upper {
            return state.write(octets);
        }
        let mut lower = SmallVec::<[u8; MAX_ADDR_SPEC]>::from_slice(octets);
        let (local, _) = parts(&self.0);
        lower.get_mut(local.len()..).unwrap_or_default().make_ascii_lowercase();
        state.write(&lower);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        same_mailbox(&self.0, &other.0)
    }
}

impl Eq for Key {}

fn same_mailbox(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let ((local, domain), (other_local, other_domain)) = (parts(one), parts(other));
    // By its parts alone `x` would be `@x`.
    one.len() == other.len() && local == other_local && domain.eq_ignore_ascii_case(other_domain)
}

/// The local part and the domain; `Postmaster` without a domain has no case (RFC 5321 section 4.1.1.3).
pub(super) fn parts(mailbox: &str) -> (&str, &str) {
    let at = memchr::memrchr(b'@', mailbox.as_bytes());
    at.and_then(|at| Some((mailbox.get(..at)?, mailbox.get(at + 1..)?))).unwrap_or(("", mailbox))
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_same_mailbox_has_the_same_hash(one in "[aA]{0,2}(@[aAb]{0,2}){0,2}", other in "[aA]{0,2}(@[aAb]{0,2}){0,2}") {
            let state = foldhash::fast::RandomState::default();
            let (local, domain) = one.rsplit_once('@').map_or(("", one.as_str()), |(local, domain)| (local, domain));
            for other in [other.clone(), format!("{local}@{}", domain.to_uppercase()), one.to_uppercase()] {
                let (one, other) = (Key(one.as_str().into()), Key(other.into()));
                prop_assert!(one != other || state.hash_one(&one) == state.hash_one(&other));
            }
        }
    }

    #[test]
    fn only_the_domain_has_no_case() {
        let mut gathered = Gathered::new(RcptParameters::default());
        for text in [
            "a@x",
            "A@x",
            "a@X",
            "b@y",
            "b@Y",
            "Postmaster",
            "postmaster",
            "\u{fc}@b\u{fc}cher.example",
            "\u{fc}@xn--bcher-kva.example",
            "\u{fc}@XN--BCHER-KVA.example",
        ] {
            gathered
                .add_entry(&RecipientEntry { addresses: text.into(), ..RecipientEntry::default() }, None)
                .unwrap();
        }
        let paths: Vec<&str> = gathered.recipients.iter().map(|rcpt| rcpt.path.as_str()).collect();
        assert_eq!(paths, ["a@x", "A@x", "b@y", "Postmaster", "\u{fc}@b\u{fc}cher.example"]);
    }
}
