//! `smtp_engine`: a send for event loops.

mod state;

use std::ffi::{c_char, c_int, c_void};

use smtpclient::conversation::Conversation;
use smtpclient::delivery::Action;
use smtpclient::error::{Error, Kind, Step};
use smtpclient::net::{SendError, delivery};
use smtpclient::options::Options;

pub(crate) use self::state::{State, Work};
use self::state::{milliseconds, proxy};
use crate::code::{SMTP_ERR_NULL, SMTP_ERR_USAGE, SMTP_OK, code_of};
use crate::guard::{Handle, alone, code, free, give, guarded, shared};
use crate::message::smtp_message;
use crate::options::{smtp_options, with_options};
use crate::result::{hand_over, smtp_result};
use crate::session::with_error;
use crate::strings::{Fault, clear, empty, octets, optional};

/// Close the old connection, if there is one, and connect to `smtp_engine_host()`, `smtp_engine_port()`; then
/// call `smtp_engine_connected()` or `smtp_engine_connect_failed()`.
pub const SMTP_DIAL: c_int = 1;
/// Move octets: write what `smtp_engine_output()` gives, hand what can be read to `smtp_engine_input()`.
pub const SMTP_EXCHANGE: c_int = 2;
/// Close the connection, and take the result.
pub const SMTP_DONE: c_int = 3;

/// One `smtp_sendmessage()` for an event loop, which connects, moves octets and waits by itself; TLS is done
/// in here. Ask `smtp_engine_action()` after every other call: each may change it. Options `timeout`,
/// `connecttimeout`, `deadline` and a cancel work by `smtp_engine_timeout()`; `localaddress` is your business. With
/// option `proxy` the engine has you connect to the proxy, and speaks with it first.
pub struct smtp_engine {
    handle: Handle<State>,
}

guarded!(smtp_engine, State);

/// Begins to send a message. `message` and `options` (NULL: the default ones) are copied. `*out` gets the
/// engine, also after a failure, when it is `SMTP_DONE` and only has the result; free it with
/// `smtp_engine_free()`. It is NULL only with `SMTP_ERR_NULL`, `SMTP_ERR_BUSY` and `SMTP_ERR_PANIC`.
/// `SMTP_OK`; `SMTP_ERR_USAGE`: whatever can be found wrong without a server; `SMTP_ERR_SOURCE`: a file or reader
/// cannot be read; `SMTP_ERR_TLS`: the TLS files cannot.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_new(
    message: *const smtp_message,
    options: *const smtp_options,
    out: *mut *mut smtp_engine,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        clear(out);
        let (false, Some(out)) = (message.is_null(), out.as_mut()) else { return SMTP_ERR_NULL };
        shared(message, code, |state| {
            with_options(options, code, |options| {
                let begun = delivery(&state.message, options).map(|delivery| Work::Send(Box::new(delivery)));
                hand_over_engine(begun, options, out)
            })
        })
    }
}

/// Frees an engine, at any time; what was begun is left as it is: close the connection. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_free(engine: *mut smtp_engine) {
    // SAFETY: what the header asks for.
    unsafe { free(engine) }
}

/// What to do next: `SMTP_DIAL`, `SMTP_EXCHANGE` or `SMTP_DONE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_action(engine: *const smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { alone(engine, code, |state| state.action()) }
}

/// The host to connect to, a name or an address, or the path of a Unix socket; with option `proxy` the proxy. Lives
/// until the next call that takes `engine` without `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_host(engine: *const smtp_engine) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { alone(engine, empty, |state| state.host.as_ptr()) }
}

/// The port to connect to; 0 where `smtp_engine_host()` is the path of a Unix socket.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_port(engine: *const smtp_engine) -> u16 {
    // SAFETY: what the header asks for.
    unsafe { alone(engine, |_| 0, |state| state.port) }
}

/// Tells, at `SMTP_DIAL`, that the server, or the proxy, is connected. `fd` is only asked for its addresses, during
/// the call; -1 where there is none. `SMTP_OK`; `SMTP_ERR_USAGE`: it is not time for this, and nothing was done. So
/// with all functions below.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_connected(engine: *mut smtp_engine, fd: c_int) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { drive(engine, SMTP_DIAL, |state| state.connected(fd)) }
}

/// Tells, at `SMTP_DIAL`, that it cannot be connected to, and why (NULL: not known).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_connect_failed(engine: *mut smtp_engine, why: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        told(engine, SMTP_DIAL, why, "no connection", |state, text| state.unconnected(Kind::Connect, &text))
    }
}

/// The octets to write now, in `*data` and `*length`; 0 octets where there are none. They live until the next
/// call that takes `engine` without `const`. A reader of yours may be called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_output(
    engine: *mut smtp_engine,
    data: *mut *const c_void,
    length: *mut usize,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        let (Some(data), Some(length)) = (data.as_mut(), length.as_mut()) else { return SMTP_ERR_NULL };
        (*data, *length) = (std::ptr::null(), 0);
        alone(engine, code, |state| {
            let code = state.drive(Some(SMTP_EXCHANGE), |state| {
                let output = state.conversation().map_or(&[][..], Conversation::poll_output);
                if !output.is_empty() {
                    (*data, *length) = (output.as_ptr().cast(), output.len());
                }
            });
            state.given = *length;
            code
        })
    }
}

/// Tells that the first `count` octets of `smtp_engine_output()` were written. `SMTP_ERR_USAGE` also where
/// there were fewer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_output_done(engine: *mut smtp_engine, count: usize) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        let enough = alone(engine, Err, |state| {
            let enough = count <= state.given;
            state.given = 0;
            if enough { Ok(()) } else { Err(SMTP_ERR_USAGE) }
        });
        match enough {
            Ok(()) => exchange(engine, |conversation| conversation.output_done(count)),
            Err(code) => code,
        }
    }
}

/// Hands over octets that were read from the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_input(
    engine: *mut smtp_engine,
    data: *const c_void,
    length: usize,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        match octets(data, length, "data") {
            Ok(input) => exchange(engine, |conversation| conversation.handle_input(input)),
            Err(fault) => fault.code(),
        }
    }
}

/// Tells that the server ended its direction: a read gave 0 octets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_eof(engine: *mut smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { exchange(engine, |conversation| conversation.handle_eof()) }
}

/// Tells that reading or writing failed, and why (NULL: not known).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_failed(engine: *mut smtp_engine, why: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        told(engine, SMTP_EXCHANGE, why, "the connection was lost", |state, text| {
            if let Some(conversation) = state.conversation() {
                conversation.handle_error(Error::new(Kind::Closed, Step::Command, text));
            }
        })
    }
}

/// How long to wait for anything to happen, in milliseconds: the time that is left to the server, to the
/// connection to come about, or to the whole call. -1: for ever. When it is over call
/// `smtp_engine_timed_out()`. Ask again after every other call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_timeout(engine: *const smtp_engine) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { alone(engine, i64::from, |state| state.wait().map_or(-1, milliseconds)) }
}

/// Tells that the time of `smtp_engine_timeout()` passed; where it did not yet, nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_timed_out(engine: *mut smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        alone(engine, code, |state| {
            let over = state.left().is_some_and(|left| left.is_zero());
            let length = state.connect_timeout.as_secs_f64();
            state.drive(None, |state| match state.action() {
                SMTP_DIAL if over => {
                    state.unconnected(Kind::Timeout, &format!("no connection within {length} s"));
                }
                SMTP_EXCHANGE if over => {
                    if let Some(conversation) = state.conversation() {
                        conversation.handle_timeout();
                    }
                }
                _ => {}
            })
        })
    }
}

/// 1 where a reader of yours answered `SMTP_READ_AGAIN`: call `smtp_engine_output()` when it has more. Else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_waits_for_reader(engine: *const smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { alone(engine, |_| 0, |state| state.conversation().is_some_and(|c| c.waits_for_source()).into()) }
}

/// Ends the send; `why` (NULL: not known) goes into the result, whose status is `SMTP_ERR_CANCELLED`, or
/// `SMTP_ERR_UNKNOWN` where the message may have arrived. No further server is tried.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_abort(engine: *mut smtp_engine, why: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        alone(engine, code, |state| match text_of(why, "the caller ended the send") {
            Ok(text) => {
                state.drive(None, |state| state.abort(Error::new(Kind::Cancelled, Step::Command, text)))
            }
            Err(fault) => fault.code(),
        })
    }
}

/// The result, at `SMTP_DONE`: `*out` gets it, to be freed with `smtp_result_free()`, and its status is
/// returned, as by `smtp_sendmessage()`. Before, `SMTP_ERR_USAGE`, and `*out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_result(engine: *const smtp_engine, out: *mut *mut smtp_result) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        clear(out);
        if out.is_null() {
            return SMTP_ERR_NULL;
        }
        alone(engine, code, |state| match &state.work {
            Work::Send(delivery) if delivery.action() == Action::Done => {
                hand_over(with_error(delivery.report()), out)
            }
            Work::Over(report) => hand_over(with_error(report), out),
            _ => SMTP_ERR_USAGE,
        })
    }
}

/// Gives C its engine, also where it could not be begun.
pub(crate) fn hand_over_engine(
    begun: Result<Work, Error>,
    options: &Options,
    out: &mut *mut smtp_engine,
) -> c_int {
    let begun = begun.and_then(|work| Ok((work, proxy(options)?)));
    let code = begun.as_ref().map_or_else(|error| code_of(error.kind()), |_| SMTP_OK);
    let (work, proxy) = begun.unwrap_or_else(|error| (Work::Over(SendError::from(error).report), None));
    *out = give(smtp_engine { handle: Handle::new(State::new(work, proxy, options)) });
    code
}

/// # Safety
/// As for [`alone`].
unsafe fn drive(engine: *mut smtp_engine, when: c_int, call: impl FnOnce(&mut State)) -> c_int {
    // SAFETY: as the caller says.
    unsafe { alone(engine, code, |state| state.drive(Some(when), call)) }
}

/// # Safety
/// As for [`alone`].
unsafe fn exchange(engine: *mut smtp_engine, call: impl FnOnce(&mut dyn Conversation)) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        drive(engine, SMTP_EXCHANGE, |state| {
            if let Some(conversation) = state.conversation() {
                call(conversation);
            }
        })
    }
}

/// # Safety
/// As for [`alone`] and [`optional`].
unsafe fn told(
    engine: *mut smtp_engine,
    when: c_int,
    why: *const c_char,
    otherwise: &'static str,
    call: impl FnOnce(&mut State, String),
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        match text_of(why, otherwise) {
            Ok(text) => drive(engine, when, |state| call(state, text)),
            Err(fault) => fault.code(),
        }
    }
}

/// # Safety
/// As for [`optional`].
unsafe fn text_of(why: *const c_char, otherwise: &'static str) -> Result<String, Fault> {
    // SAFETY: as the caller says.
    Ok(unsafe { optional(why, "why") }?.unwrap_or(otherwise).to_owned())
}
