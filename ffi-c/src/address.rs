//! `smtp_addresses`: an address list, read.

use std::ffi::{CString, c_char, c_int};

use smtpclient::address::{Address, parse_list};
use smtpclient::error::Error;

use crate::code::SMTP_OK;
use crate::guard::{caught, code};
use crate::strings::{EMPTY, Fault, c_string, clear, utf8};

/// The mailboxes of an RFC 5322 address list. It does not change; several threads can read it. Its strings
/// live as long as it does, and are empty if there is nothing, NULL is `addresses` or an index is out of
/// range.
pub struct smtp_addresses {
    list: Vec<Texts>,
    error: CString,
}

struct Texts {
    local: CString,
    domain: CString,
    spec: CString,
    display_name: CString,
    group: CString,
}

/// Reads an address list, `"Ann <ann@a.example>, Crew: bo@b.example;"`. `*out` gets it, also after
/// `SMTP_ERR_USAGE` (it then only tells why); free it with `smtp_addresses_free()`. It is NULL only with
/// `SMTP_ERR_NULL` and `SMTP_ERR_PANIC`. `SMTP_OK`; `SMTP_ERR_USAGE`: not an address list, or one
/// that SMTP cannot carry. The empty text is the empty list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_address_parse(list: *const c_char, out: *mut *mut smtp_addresses) -> c_int {
    caught(code, || {
        // SAFETY: what the header asks for.
        let (list, out) = unsafe {
            clear(out);
            (utf8(list, "list"), out.as_mut())
        };
        let Some(out) = out else { return Fault::Null("out").code() };
        let parsed = list.and_then(|list| parse_list(list).map_err(|error| Error::from(error).into()));
        let (read, code) = match parsed {
            Ok(list) => (read(&list), SMTP_OK),
            Err(fault @ Fault::Null(_)) => return fault.code(),
            Err(fault) => (smtp_addresses { list: Vec::new(), error: fault.text() }, fault.code()),
        };
        *out = Box::into_raw(Box::new(read));
        code
    })
}

/// Frees it and its strings. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_addresses_free(addresses: *mut smtp_addresses) {
    if !addresses.is_null() {
        // SAFETY: a handle of ours that is not used again.
        let addresses = unsafe { Box::from_raw(addresses) };
        caught(|_| (), || drop(addresses));
    }
}

/// Why the text is not an address list: the place and the reason, in one line; empty if it is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_addresses_error(addresses: *const smtp_addresses) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { addresses.as_ref() }.map_or(EMPTY, |addresses| addresses.error.as_ptr())
}

/// How many mailboxes there are, the members of groups among them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_addresses_count(addresses: *const smtp_addresses) -> usize {
    // SAFETY: what the header asks for.
    unsafe { addresses.as_ref() }.map_or(0, |addresses| addresses.list.len())
}

/// The addr-spec, `"ann@a.example"`, without comments and white space: what RCPT TO has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_addresses_addr_spec(
    addresses: *const smtp_addresses,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(addresses, index, |texts| &texts.spec) }
}

/// The local part, quoted only if it must be.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_addresses_local(
    addresses: *const smtp_addresses,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(addresses, index, |texts| &texts.local) }
}

/// The domain, or a literal in its brackets; empty only for `postmaster` alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_addresses_domain(
    addresses: *const smtp_addresses,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(addresses, index, |texts| &texts.domain) }
}

/// The display name, without quotes; encoded words (RFC 2047) stay as they are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_addresses_display_name(
    addresses: *const smtp_addresses,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(addresses, index, |texts| &texts.display_name) }
}

/// The name of the group that it is a member of.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_addresses_group(
    addresses: *const smtp_addresses,
    index: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(addresses, index, |texts| &texts.group) }
}

fn read(list: &[Address]) -> smtp_addresses {
    let texts = list.iter().map(|address| Texts {
        local: c_string(address.local()),
        domain: c_string(address.domain()),
        spec: c_string(address.addr_spec()),
        display_name: c_string(address.display_name().unwrap_or_default()),
        group: c_string(address.group().unwrap_or_default()),
    });
    smtp_addresses { list: texts.collect(), error: CString::default() }
}

/// # Safety
/// `addresses` is NULL or a handle of ours.
unsafe fn text(
    addresses: *const smtp_addresses,
    index: usize,
    pick: impl FnOnce(&Texts) -> &CString,
) -> *const c_char {
    // SAFETY: as the caller says.
    let addresses = unsafe { addresses.as_ref() };
    addresses.and_then(|addresses| addresses.list.get(index)).map_or(EMPTY, |texts| pick(texts).as_ptr())
}
