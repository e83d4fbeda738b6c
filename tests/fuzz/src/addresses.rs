//! Addresses, paths and everything else that a caller writes into an envelope.

use smtpclient::address::{parse_list, parse_mailbox};
use smtpclient::command::{Envid, ForwardPath, Hold, MtPriority, Notify, ReversePath};

/// What was read can be written and read again, and nothing can break out of a command line.
pub(crate) fn addresses(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(list) = parse_list(text) {
        for address in &list {
            let spec = address.addr_spec();
            assert!(text.contains(address.source()), "{text:?}: {:?}", address.source());
            assert!(!spec.contains(['\r', '\n', '\0']), "{spec:?}");
            let again = parse_mailbox(spec).unwrap_or_else(|error| panic!("{spec:?}: {error}"));
            assert_eq!((again.local(), again.domain()), (address.local(), address.domain()));
            if let Ok(path) = ForwardPath::new(spec) {
                assert!(!path.as_str().contains(|c: char| c.is_control()), "{path:?}");
            }
            let _ = address.to_ascii();
        }
    }
    for line in text.split_inclusive('\n').take(20) {
        if let Ok(path) = ReversePath::new(line) {
            assert!(!path.as_str().contains(['\r', '\n', '\0']), "{path:?}");
        }
        let _ = (Notify::parse(line), Hold::parse(line), MtPriority::parse(line));
        if let Ok(envid) = Envid::new(line) {
            assert!(envid.encoded().bytes().all(|octet| octet.is_ascii_graphic()), "{envid:?}");
        }
    }
}
