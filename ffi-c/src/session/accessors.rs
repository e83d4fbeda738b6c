//! What is known of a session.

use std::ffi::{CString, c_char, c_int};

use super::{State, smtp_session};
use crate::guard::{alone, code};
use crate::strings::{EMPTY, empty};

/// 1 if the connection can still be used, else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_is_open(session: *const smtp_session) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { alone(session, |_| 0, |state| state.session.as_ref().is_some_and(|s| s.is_open()).into()) }
}

/// The reason for the last failure of a call on `session`: one line, empty if no call has failed. This and the strings
/// below live until the next call on `session` that says something to the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_error(session: *const smtp_session) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { alone(session, empty, |state| state.error.as_ptr()) }
}

/// The code of the last reply to a verb, 0 if there was none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_reply_code(session: *const smtp_session) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { alone(session, |_| 0, |state| state.reply.code) }
}

/// The enhanced status code of that reply, as `"2.1.5"`; empty if it has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_reply_enhanced(session: *const smtp_session) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { alone(session, empty, |state| state.reply.enhanced.as_ptr()) }
}

/// The text of that reply without its codes; lines are separated by `\n`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_reply(session: *const smtp_session) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { alone(session, empty, |state| state.reply.text.as_ptr()) }
}

/// The text of the server's greeting.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_greeting(session: *const smtp_session) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { alone(session, empty, |state| state.greeting.as_ptr()) }
}

/// Learns what the server offers: says EHLO if it was not said, with STARTTLS and login as the options of
/// the session want them. `SMTP_OK`; `SMTP_ERR_REFUSED`: neither EHLO nor HELO was taken; `SMTP_ERR_TLS`,
/// `SMTP_ERR_LOGIN`, or as the verbs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_options(session: *mut smtp_session) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { alone(session, code, State::offer) }
}

/// How many extensions the server offers. It does `smtp_session_options()` first if that was not done since
/// the last EHLO, STARTTLS or login; 0 if it fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_option_count(session: *mut smtp_session) -> usize {
    // SAFETY: what the header asks for.
    unsafe {
        alone(
            session,
            |_| 0,
            |state| {
                known(state);
                state.offer.as_ref().map_or(0, |offer| offer.options.len())
            },
        )
    }
}

/// An extension that the server offers, `"SIZE 1000"`, with that index, from 0; empty past the last, and
/// before `smtp_session_options()` or `smtp_session_option_count()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_option(session: *const smtp_session, index: usize) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe {
        alone(session, empty, |state| state.offer.as_ref().map_or(EMPTY, |offer| nth(&offer.options, index)))
    }
}

/// How many SASL mechanisms the server offers; as `smtp_session_option_count()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_auth_type_count(session: *mut smtp_session) -> usize {
    // SAFETY: what the header asks for.
    unsafe {
        alone(
            session,
            |_| 0,
            |state| {
                known(state);
                state.offer.as_ref().map_or(0, |offer| offer.mechanisms.len())
            },
        )
    }
}

/// A SASL mechanism that the server offers, `"PLAIN"`; as `smtp_session_option()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_session_auth_type(session: *const smtp_session, index: usize) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe {
        alone(session, empty, |state| {
            state.offer.as_ref().map_or(EMPTY, |offer| nth(&offer.mechanisms, index))
        })
    }
}

fn known(state: &mut State) {
    if state.offer.is_none() {
        state.offer(); // smtp_session_error() tells of a failure
    }
}

fn nth(list: &[CString], index: usize) -> *const c_char {
    list.get(index).map_or(EMPTY, |text| text.as_ptr())
}
