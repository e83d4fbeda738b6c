//! `smtp_message`: the token, a whole message or a part of one.

// The blank lines keep the order, which is that of the header.
mod content;

mod build;

mod header;

mod write;

use std::ffi::{CString, c_char, c_int};

use smtpclient::message::Message;

use crate::code::SMTP_OK;
use crate::guard::{Handle, alone, caught, code, free, give, guarded, shared};
use crate::strings::{EMPTY, Fault, c_string, empty};

pub use build::*;
pub use content::*;
pub use header::*;
pub use write::*;

/// A message, or a part of one. Sending does not change it: it can be sent again, by several threads at once
/// (if its octets come from a reader, by one after the other).
pub struct smtp_message {
    handle: Handle<State>,
}

pub(crate) struct State {
    pub(crate) message: Message,
    /// The text of the last failure. Without one there is no allocation, as there would be for an empty text.
    error: Option<CString>,
    /// What `smtp_message_header()` and others lent.
    lent: Option<CString>,
    /// The list that they were last asked for one by one: the names, or the values of that name.
    listed: Option<(Option<String>, Vec<String>)>,
}
guarded!(smtp_message, State);

/// A new message: an empty `text/plain` in UTF-8. Free it with `smtp_message_free()`. NULL only if the
/// library failed.
#[unsafe(no_mangle)]
pub extern "C" fn smtp_message_new() -> *mut smtp_message {
    caught(|_| std::ptr::null_mut(), || wrap(Message::new()))
}

/// A copy, to be freed like the original. It shares the octets of bodies and the readers, which costs nothing.
/// NULL if `message` is NULL or in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_copy(message: *const smtp_message) -> *mut smtp_message {
    // SAFETY: what the header asks for.
    unsafe { shared(message, |_| std::ptr::null_mut(), |state| wrap(state.message.clone())) }
}

/// Frees a message. NULL is fine. Sends that run and copies keep what they need.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_free(message: *mut smtp_message) {
    // SAFETY: what the header asks for.
    unsafe { free(message) }
}

/// The reason for the last failure of a call on `message`: one line, empty if no call has failed. Lives until the next call
/// that takes `message` without `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_error(message: *const smtp_message) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { shared(message, empty, |state| state.error.as_ref().map_or(EMPTY, |text| text.as_ptr())) }
}

fn wrap(message: Message) -> *mut smtp_message {
    let state = State { message, error: None, lent: None, listed: None };
    give(smtp_message { handle: Handle::new(state) })
}

/// A change: 0, or the code of the fault, whose text is kept.
///
/// # Safety
/// As for [`alone`].
unsafe fn change(message: *mut smtp_message, call: impl FnOnce(&mut State) -> Result<(), Fault>) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        alone(message, code, |state| {
            state.listed = None;
            tell(state, call)
        })
    }
}

/// A change that puts other content in place.
///
/// # Safety
/// As for [`alone`].
unsafe fn replace(message: *mut smtp_message, make: impl FnOnce() -> Result<Message, Fault>) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        change(message, |state| {
            state.message.replace_content(make()?);
            Ok(())
        })
    }
}

/// As [`change`], for calls that tell more than that they went well.
fn tell<R: Into<Told>>(state: &mut State, call: impl FnOnce(&mut State) -> Result<R, Fault>) -> c_int {
    match call(state) {
        Ok(told) => told.into().0,
        Err(fault) => {
            state.error = Some(fault.text());
            fault.code()
        }
    }
}

struct Told(c_int);

impl From<()> for Told {
    fn from((): ()) -> Self {
        Self(SMTP_OK)
    }
}

impl From<c_int> for Told {
    fn from(code: c_int) -> Self {
        Self(code)
    }
}

impl State {
    /// Lends a text until the next call.
    fn lend(&mut self, text: &str) -> *const c_char {
        self.lent.insert(c_string(text)).as_ptr()
    }
}
