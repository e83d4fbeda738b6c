//! The header section of a message.

use std::ffi::{c_char, c_int};

use smtpclient::message::HeaderMode;

use super::{State, change, smtp_message, tell};
use crate::code::SMTP_OK;
use crate::guard::{alone, code};
use crate::strings::{Fault, utf8};

/// There is no such field, or no further one.
pub const SMTP_NO_FIELD: c_int = 1;

/// Sets a header field, in place of all others of that name. `value` is text in one line; what is not ASCII
/// is encoded, in an address field only the display names. `SMTP_OK`; `SMTP_ERR_USAGE`: an invalid name or
/// value, or a field that follows from the content (Content-Type, MIME-Version, ...).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_set_header(
    message: *mut smtp_message,
    name: *const c_char,
    value: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        change(message, |state| set(state, utf8(name, "name")?, utf8(value, "value")?, HeaderMode::Write))
    }
}

/// Adds a header field after the others; there may already be some of the same name. Otherwise like
/// `smtp_message_set_header()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_add_header(
    message: *mut smtp_message,
    name: *const c_char,
    value: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        change(message, |state| set(state, utf8(name, "name")?, utf8(value, "value")?, HeaderMode::Append))
    }
}

/// Removes all header fields of that name, if there are any. `SMTP_OK`; `SMTP_ERR_USAGE`: an invalid name,
/// or a field that follows from the content.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_delete_header(
    message: *mut smtp_message,
    name: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { change(message, |state| set(state, utf8(name, "name")?, "", HeaderMode::Delete)) }
}

/// The field of that name, in any case, with that index, from 0: unfolded, and not decoded. `*value` lives
/// until the next call on `message`, and is NULL if there is none. `SMTP_OK`; `SMTP_NO_FIELD`: there is
/// none; `SMTP_ERR_SOURCE`: the file or reader of a finished message cannot be read; `SMTP_ERR_USAGE`: its
/// header section has a line that is not a field.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_header(
    message: *mut smtp_message,
    name: *const c_char,
    index: usize,
    value: *mut *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { nth(message, value, index, || Ok(Some(utf8(name, "name")?.to_owned()))) }
}

/// The name of a header field, each once, in their order, with that index, from 0. Otherwise like
/// `smtp_message_header()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_header_name(
    message: *mut smtp_message,
    index: usize,
    name: *mut *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { nth(message, name, index, || Ok(None)) }
}

fn set(state: &mut State, name: &str, value: &str, mode: HeaderMode) -> Result<(), Fault> {
    Ok(state.message.set_header(name, value, mode)?)
}

/// One of the values of the field that `wanted` names, or of the names of all fields.
///
/// # Safety
/// As for [`alone`], and `out` is NULL or may be written to.
unsafe fn nth(
    message: *mut smtp_message,
    out: *mut *const c_char,
    index: usize,
    wanted: impl FnOnce() -> Result<Option<String>, Fault>,
) -> c_int {
    // SAFETY: as the caller says.
    let out = unsafe { out.as_mut() };
    let find = |state: &mut State| -> Result<c_int, Fault> {
        let out = out.ok_or(Fault::Null("value"))?;
        *out = std::ptr::null();
        let wanted = wanted()?;
        // Who asks for one after the other is told from one list.
        let known = state.listed.take().filter(|(listed, _)| index > 0 && *listed == wanted);
        let list = match (known, &wanted) {
            (Some((_, list)), _) => list,
            (None, Some(name)) => state.message.header(name)?,
            (None, None) => state.message.header_names()?,
        };
        let code = match list.get(index) {
            Some(text) => {
                *out = state.lend(text);
                SMTP_OK
            }
            None => SMTP_NO_FIELD,
        };
        state.listed = Some((wanted, list));
        Ok(code)
    };
    // SAFETY: as the caller says.
    unsafe { alone(message, code, |state| tell(state, find)) }
}
