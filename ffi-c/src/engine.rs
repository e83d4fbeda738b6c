//! `smtp_engine`: a send, or a session, for event loops.

mod answers;
mod ask;
mod octets;
mod state;
mod watched;

use std::ffi::{c_char, c_int};
use std::time::Duration;

use smtpclient::cancel::Cancel;
use smtpclient::error::{Error, Kind, Step};
use smtpclient::net::{delivery, verification};
use smtpclient::options::Options;

pub use self::answers::*;
pub use self::ask::*;
pub use self::octets::*;
use self::state::{State, Way, Work};
pub use self::watched::*;
use crate::code::{SMTP_ERR_BUSY, SMTP_ERR_NULL, SMTP_ERR_USAGE, SMTP_OK};
use crate::guard::{Handle, alone, code, free, give, guarded, shared};
use crate::message::smtp_message;
use crate::options::{smtp_options, with_options};
use crate::result::{hand_over, smtp_result};
use crate::session::with_error;
use crate::strings::{Fault, clear, optional};

/// From `smtp_engine_action()`, for programs that have the socket: close the old connection, if there is one, and
/// connect to `smtp_engine_host()`, `smtp_engine_port()`; then call `smtp_engine_connected()` or
/// `smtp_engine_connect_failed()`.
pub const SMTP_DIAL: c_int = 1;
/// Move octets: write what `smtp_engine_output()` gives, hand what can be read to `smtp_engine_input()`. From
/// `smtp_engine_ready()`: go on watching.
pub const SMTP_EXCHANGE: c_int = 2;
/// Close the connection, if it is yours, and take the result.
pub const SMTP_DONE: c_int = 3;

/// One `smtp_sendmessage()`, or a session, for an event loop. Nothing blocks, and TLS is done in here. There are two ways to
/// drive it, and the first call that belongs to one way selects it; calls of the other one then return `SMTP_ERR_USAGE`.
///
/// The library has the socket: it resolves, connects (also through a proxy) and moves the octets, and the program
/// watches. Call `smtp_engine_ready()` when `smtp_engine_fd()` is ready for `smtp_engine_interest()`, or the time of
/// `smtp_engine_timeout()` is over, until it gives `SMTP_DONE`. The time is 0 until the first call, and whenever something
/// was asked or ended since the last one, so that no order of calls can leave the loop asleep.
///
/// The program has the socket: it does what `smtp_engine_action()` says, by the functions from `smtp_engine_host()`
/// on. Ask `smtp_engine_action()` after every other call: each may change it, and until it is asked the time of
/// `smtp_engine_timeout()` is 0. Options `localaddress` and `family` are your business; with option `proxy` the engine has you connect
/// to the proxy, and speaks with it first.
///
/// Options `timeout`, `connecttimeout`, `deadline` and a cancel work by `smtp_engine_timeout()`.
pub struct smtp_engine {
    handle: Handle<State>,
    /// Ends the call that uses it now, which a function of C's that this call has called may want.
    stop: Cancel,
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

/// Begins `smtp_verify()` for an event loop. As `smtp_engine_new()`, without a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_new_verify(
    options: *const smtp_options,
    out: *mut *mut smtp_engine,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        clear(out);
        let Some(out) = out.as_mut() else { return SMTP_ERR_NULL };
        with_options(options, code, |options| {
            let begun = verification(options).map(|delivery| Work::Send(Box::new(delivery)));
            hand_over_engine(begun, options, out)
        })
    }
}

/// Frees an engine, at any time; what was begun is left as it is, and the library's connection is closed. Stop watching
/// `smtp_engine_fd()` first. Called by a function that the engine has called, it takes effect when that has returned: nothing
/// more is sent. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_free(engine: *mut smtp_engine) {
    // SAFETY: what the header asks for.
    unsafe {
        if let Some(engine) = engine.as_ref() {
            engine.stop.trigger();
        }
        free(engine);
    }
}

/// What to do next: `SMTP_DIAL`, `SMTP_EXCHANGE` or `SMTP_DONE`. If the library has the socket, the first two are its
/// business.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_action(engine: *const smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        alone(engine, code, |state| {
            let action = state.action();
            if action == SMTP_DONE || state.way == Way::Octets { state.tell() } else { action }
        })
    }
}

/// How long to wait for the descriptor, in milliseconds: -1 for no limit, and 0 if there is something to do now. When it
/// is over call `smtp_engine_ready()`; if the socket is yours, `smtp_engine_timed_out()`, and then
/// `smtp_engine_action()`. It covers the time that is left to the server, to connecting, and to the whole call; with a
/// cancel it is at most 200. Ask again after every other call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_timeout(engine: *const smtp_engine) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { alone(engine, i64::from, |state| state.timeout().map_or(-1, milliseconds)) }
}

/// 1 if a reader of yours answered `SMTP_READ_AGAIN`: when it has more, call `smtp_engine_ready()`, or, if the
/// socket is yours, `smtp_engine_output()`. Else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_waits_for_reader(engine: *const smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { alone(engine, |_| 0, |state| state.waits_for_reader().into()) }
}

/// 1 if the function of option `commit` answered `SMTP_COMMIT_AGAIN`: when it knows more, call as for
/// `smtp_engine_waits_for_reader()`. Else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_waits_for_commit(engine: *const smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { alone(engine, |_| 0, |state| state.waits_for_commit().into()) }
}

/// Ends the send or session; `why` (NULL: not known) goes into the result, whose status is `SMTP_ERR_CANCELLED`, or
/// `SMTP_ERR_UNKNOWN` if the message may have arrived. No further server is tried. A function that the engine has called
/// (reader, commit, transcript, TLS policy, access token) may call it, too: it takes effect when that has returned, nothing more is sent, and the
/// result does not have `why`. `SMTP_OK`; `SMTP_ERR_USAGE`: it could not even be begun, or `why` is not UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_abort(engine: *mut smtp_engine, why: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        let ended = alone(engine, code, |state| match text_of(why, "the caller ended the send") {
            Ok(text) => state.abort(Error::new(Kind::Cancelled, Step::Command, text)),
            Err(fault) => fault.code(),
        });
        match engine.as_ref() {
            Some(engine) if ended == SMTP_ERR_BUSY => {
                engine.stop.trigger();
                SMTP_OK
            }
            _ => ended,
        }
    }
}

/// The result, at `SMTP_DONE`: `*out` gets it, to be freed with `smtp_result_free()`, and its status is
/// returned, as by `smtp_sendmessage()`. Before, and if a session was begun, `SMTP_ERR_USAGE`, and `*out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_result(engine: *const smtp_engine, out: *mut *mut smtp_result) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        clear(out);
        if out.is_null() {
            return SMTP_ERR_NULL;
        }
        alone(engine, code, |state| match &state.work {
            Work::Send(delivery) if delivery.is_done() => hand_over(with_error(delivery.report()), out),
            Work::Over(report) => hand_over(with_error(report), out),
            _ => SMTP_ERR_USAGE,
        })
    }
}

/// Gives C its engine, also if it could not be begun.
fn hand_over_engine(begun: Result<Work, Error>, options: &Options, out: &mut *mut smtp_engine) -> c_int {
    let (stop, own) = (Cancel::new(), options.cancel.clone());
    let asked = stop.clone();
    let cancel = match own {
        None => Cancel::within(move || asked.is_triggered()),
        Some(own) => Cancel::asking(move || asked.is_triggered() || own.is_triggered()),
    };
    let (state, code) = State::begin(begun, options, cancel);
    *out = give(smtp_engine { handle: Handle::new(state), stop });
    code
}

/// Rounded up: who waits for so long has waited long enough.
fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

/// # Safety
/// As for [`optional`].
unsafe fn text_of(why: *const c_char, otherwise: &'static str) -> Result<String, Fault> {
    // SAFETY: as the caller says.
    Ok(unsafe { optional(why, "why") }?.unwrap_or(otherwise).to_owned())
}
