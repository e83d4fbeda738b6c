//! `smtp_mailer`: many messages over many connections.

use std::ffi::{CString, c_char, c_int};
use std::ops::Deref;
use std::time::Duration;

use smtpclient::error::Error;
use smtpclient::message::Message;
use smtpclient::net::mailer::{Mailer, MessageNumber};
use smtpclient::options::Options;

use crate::code::{SMTP_ERR_BUSY, SMTP_ERR_NULL, SMTP_ERR_USAGE, SMTP_OK, code_of};
use crate::guard::{Handle, code, free, give, guarded, shared};
use crate::message::smtp_message;
use crate::options::{smtp_options, with_options};
use crate::result::{hand_over, smtp_result};
use crate::strings::{c_string, clear};

/// Sends many messages over many connections: a queue with a bound, a pool of connections to each server, and one
/// result for each message. Several threads may use a mailer at once. It has a thread of its own, in which the
/// functions run that its options and messages know: they hold up everything while they do not return, and cannot
/// wait for it.
///
/// After fork() it stays the parent's: in the child `smtp_mailer_submit()` gives `SMTP_ERR_USAGE`, nothing waits, and
/// closing and freeing do nothing.
///
/// A message goes to the first server that is reachable. One that is certainly not sent is tried again on another
/// connection or server, at most as often as option `retries` says; one that may have arrived never is. The options
/// `connections`, `connectionmessages`, `rate`, `queuesize`, `retries`, `backoff`, `retrytime` and `idletime` are for mailers;
/// sends and sessions refuse them.
pub struct smtp_mailer {
    handle: Handle<Pool>,
}
guarded!(smtp_mailer, Pool);

/// A mailer, and the names of its servers, which C may keep as long as it.
pub(crate) struct Pool {
    mailer: Mailer,
    servers: Vec<CString>,
}

impl Pool {
    fn new(mailer: Mailer) -> Self {
        let servers = mailer.server_counts().iter().map(|counts| c_string(&counts.server)).collect();
        Self { mailer, servers }
    }
}

impl Deref for Pool {
    type Target = Mailer;

    fn deref(&self) -> &Mailer {
        &self.mailer
    }
}

/// For `smtp_mailer_count()`: messages that were taken.
pub const SMTP_COUNT_SUBMITTED: c_int = 1;
/// Messages that are decided: the sum of the next four.
pub const SMTP_COUNT_DECIDED: c_int = 2;
/// Messages that a server has, for at least one recipient.
pub const SMTP_COUNT_ACCEPTED: c_int = 3;
/// Messages that a server refused.
pub const SMTP_COUNT_REJECTED: c_int = 4;
/// Messages that no server has; sending them again is safe.
pub const SMTP_COUNT_NOT_SENT: c_int = 5;
/// Messages that a server may have, for at least one recipient.
pub const SMTP_COUNT_UNKNOWN: c_int = 6;
/// Messages that are not given to a connection now.
pub const SMTP_COUNT_WAITING: c_int = 7;
/// Connections that are open now, or being opened.
pub const SMTP_COUNT_CONNECTIONS: c_int = 8;
/// Connections that were ever opened.
pub const SMTP_COUNT_OPENED: c_int = 9;

/// For `smtp_mailer_server_count()`: messages that the server has, for at least one recipient.
pub const SMTP_SERVER_COUNT_ACCEPTED: c_int = 1;
/// Messages that it refused, and that were not tried again.
pub const SMTP_SERVER_COUNT_REJECTED: c_int = 2;
/// Messages that it may have, for at least one recipient.
pub const SMTP_SERVER_COUNT_UNKNOWN: c_int = 3;
/// Tries there after which the message was tried again, at this server or at another one.
pub const SMTP_SERVER_COUNT_RETRIED: c_int = 4;
/// Messages that were given to its connections and are not decided yet.
pub const SMTP_SERVER_COUNT_UNDER_WAY: c_int = 5;
/// Connections that are open now, or being opened.
pub const SMTP_SERVER_COUNT_CONNECTIONS: c_int = 6;
/// Connections that were ever opened.
pub const SMTP_SERVER_COUNT_OPENED: c_int = 7;

/// Makes a mailer; free it with `smtp_mailer_free()`. `options`, NULL is the default ones, say how to connect and log in,
/// and give the envelope of messages that come without options. Option `deadline` is for how long a message may wait,
/// and a cancel ends the mailer. No connection is opened before there is a message.
/// `SMTP_OK`; `SMTP_ERR_USAGE`: an option whose value cannot be; `SMTP_ERR_TLS`; `SMTP_ERR_CONNECT`: no thread or
/// socket available. Then `*out` is NULL and `*failure`, if `failure` is not NULL, gets a result that tells why.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_mailer_new(
    options: *const smtp_options,
    out: *mut *mut smtp_mailer,
    failure: *mut *mut smtp_result,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        clear(out);
        clear(failure);
        let Some(out) = out.as_mut() else { return SMTP_ERR_NULL };
        with_options(options, code, |options| match Mailer::new(options) {
            Ok(mailer) => {
                *out = give(smtp_mailer { handle: Handle::new(Pool::new(mailer)) });
                SMTP_OK
            }
            Err(error) => hand_over(Err(error.into()), failure),
        })
    }
}

/// Takes a message with the envelope that `options`, or its header section, give; `options` NULL: those of the mailer.
/// What they say of servers, login and time-outs was settled when the mailer was made; what they say of TLS, proxy and
/// dialler must have been the same then. Waits while the queue is full (option `queuesize`). Gives the message's number, 1
/// for the first and so on, or a negative code, and nothing was taken: `SMTP_ERR_USAGE`, `SMTP_ERR_SOURCE`,
/// `SMTP_ERR_CLOSED` (the mailer was closed). `*failure`, if `failure`
/// is not NULL, gets a result that tells why, and NULL if there is a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_mailer_submit(
    mailer: *mut smtp_mailer,
    message: *const smtp_message,
    options: *const smtp_options,
    failure: *mut *mut smtp_result,
) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { take(mailer, message, options, failure, Mailer::submit) }
}

/// As `smtp_mailer_submit()`, but does not wait: `SMTP_ERR_FULL` if the queue is full.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_mailer_try_submit(
    mailer: *mut smtp_mailer,
    message: *const smtp_message,
    options: *const smtp_options,
    failure: *mut *mut smtp_result,
) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { take(mailer, message, options, failure, Mailer::try_submit) }
}

/// Gives the next result, in the order in which messages were decided; waits for it for at most `milliseconds`, negative:
/// without end. 1: `*number` says of which message, and `*result` is to be freed with `smtp_result_free()`. 0: there was
/// none in that time, or, once everything is reported and the mailer is closed, there will be none. A result is kept
/// until it is fetched.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_mailer_next(
    mailer: *mut smtp_mailer,
    milliseconds: i64,
    number: *mut i64,
    result: *mut *mut smtp_result,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        clear(result);
        let (Some(number), false) = (number.as_mut(), result.is_null()) else { return SMTP_ERR_NULL };
        shared(mailer, code, |mailer| match mailer.next_report(wait(milliseconds)) {
            Some((own, report)) => {
                *number = number_of(own);
                hand_over(report.into_result(), result);
                1
            }
            None => 0,
        })
    }
}

/// A descriptor that is readable while `smtp_mailer_next()` has a result, for event loops: then call that with 0
/// milliseconds, until it gives 0. It is the mailer's, always the same one, and only to be watched: never read from it or
/// close it. -1: no descriptor was left to make it of.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_mailer_fd(mailer: *mut smtp_mailer) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { shared(mailer, |_| -1, |mailer| mailer.fd().map_or(-1, crate::platform::number)) }
}

/// Has the function of option `commit` asked once more that answered `SMTP_COMMIT_AGAIN`. From any thread; not from a signal
/// handler. `SMTP_OK`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_mailer_wake(mailer: *mut smtp_mailer) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        shared(mailer, code, |mailer| {
            mailer.wake();
            SMTP_OK
        })
    }
}

/// Waits until every message that was taken is decided, for at most `milliseconds`, negative: without end. 1 if they
/// are, else 0. `SMTP_ERR_BUSY` in a callback that the mailer calls: it would wait for itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_mailer_drain(mailer: *mut smtp_mailer, milliseconds: i64) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { shared(mailer, code, |mailer| waited(mailer, mailer.drain(wait(milliseconds)))) }
}

/// Takes no more messages, sends what it has for at most `milliseconds`, negative: without end, says QUIT to every
/// server and ends the connections. What is not decided by then is ended: its result is `SMTP_ERR_CANCELLED`, or
/// `SMTP_ERR_UNKNOWN`. 1 if nothing had to be, else 0. Results can still be fetched. `SMTP_ERR_BUSY` in a callback that
/// the mailer calls: it would wait for itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_mailer_close(mailer: *mut smtp_mailer, milliseconds: i64) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { shared(mailer, code, |mailer| waited(mailer, mailer.close(wait(milliseconds)))) }
}

/// The numbers of counts are their places in the table, from 1.
fn place_of(what: c_int) -> Option<usize> {
    usize::try_from(what).ok()?.checked_sub(1)
}

/// A number that the mailer keeps, one of `SMTP_COUNT_...`; 0 for another `what`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_mailer_count(mailer: *const smtp_mailer, what: c_int) -> u64 {
    // SAFETY: what the header asks for.
    unsafe {
        shared(
            mailer,
            |_| 0,
            |mailer| {
                let place = place_of(what);
                place.and_then(|place| Some(mailer.counts().fields().get(place)?.1)).unwrap_or(0)
            },
        )
    }
}

/// The name of a server, as results have it, in the order of option `servers`, from 0; NULL after the last. It lives as long as
/// the mailer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_mailer_server(mailer: *const smtp_mailer, index: usize) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe {
        shared(
            mailer,
            |_| std::ptr::null(),
            |mailer| mailer.servers.get(index).map_or(std::ptr::null(), |name| name.as_ptr()),
        )
    }
}

/// A number that the mailer keeps of the server with this index, one of `SMTP_SERVER_COUNT_...`; 0 for another `what` and after
/// the last server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_mailer_server_count(
    mailer: *const smtp_mailer,
    index: usize,
    what: c_int,
) -> u64 {
    // SAFETY: what the header asks for.
    unsafe {
        shared(
            mailer,
            |_| 0,
            |mailer| {
                let place = place_of(what);
                let servers = mailer.server_counts();
                let counts = servers.get(index);
                place.and_then(|place| Some(counts?.fields().get(place)?.1)).unwrap_or(0)
            },
        )
    }
}

/// Ends a mailer and frees it, with the results that were not fetched. What is not decided is ended without waiting;
/// `smtp_mailer_close()` before it tells what became of that. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_mailer_free(mailer: *mut smtp_mailer) {
    // SAFETY: what the header asks for.
    unsafe {
        // Where another thread waits in it, it would else go on until that one is back.
        shared(mailer, |_| (), |mailer| mailer.end());
        free(mailer);
    }
}

type Submit = fn(&Mailer, &Message, Option<&Options>) -> Result<MessageNumber, Error>;

/// # Safety
/// As for [`shared`].
unsafe fn take(
    mailer: *mut smtp_mailer,
    message: *const smtp_message,
    options: *const smtp_options,
    failure: *mut *mut smtp_result,
    submit: Submit,
) -> i64 {
    // SAFETY: as the caller says.
    unsafe {
        clear(failure);
        shared(mailer, i64::from, |mailer| {
            shared(message, i64::from, |message| {
                let taken = if options.is_null() {
                    submit(mailer, &message.message, None)
                } else {
                    let own = |options: &Options| Ok(submit(mailer, &message.message, Some(options)));
                    match with_options(options, Err, own) {
                        Ok(taken) => taken,
                        Err(code) => return code.into(),
                    }
                };
                match taken {
                    Ok(number) => number_of(number),
                    Err(error) => hand_over(Err(error.into()), failure).into(),
                }
            })
        })
    }
}

/// A callback that waits for the mailer would wait for itself.
fn waited(mailer: &Mailer, done: Result<bool, Error>) -> c_int {
    match done {
        Ok(done) => done.into(),
        Err(_) if mailer.is_inside() => SMTP_ERR_BUSY,
        Err(error) => code_of(error.kind()),
    }
}

fn number_of(number: MessageNumber) -> i64 {
    i64::try_from(number.number()).unwrap_or(SMTP_ERR_USAGE.into())
}

fn wait(milliseconds: i64) -> Duration {
    u64::try_from(milliseconds).map_or(Duration::MAX, Duration::from_millis)
}
