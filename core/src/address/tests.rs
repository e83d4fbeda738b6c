//! By source: RFC 5322 appendix A, RFC 6532, known nasty lists, injection, limits, bounded work.

mod faults;
mod properties;
mod rfc;

use super::{Address, AddressError, parse_list, parse_mailbox};

/// The addr-specs of a list that must parse.
fn specs(text: &str) -> Vec<String> {
    let list = parse_list(text).unwrap_or_else(|error| panic!("{error}"));
    list.iter().map(|address| address.addr_spec().to_owned()).collect()
}

/// The one address of a text that must parse both as a list and as a mailbox.
fn one(text: &str) -> Address {
    let address = parse_mailbox(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(parse_list(text).unwrap(), std::slice::from_ref(&address));
    address
}

/// The error of a list that must not parse.
fn fault(text: &str) -> AddressError {
    match parse_list(text) {
        Err(error) => error,
        Ok(list) => panic!("{text:?} gave {list:?}"),
    }
}
