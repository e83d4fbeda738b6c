//! The comfortable way to drive an engine: the library has the socket, and the program watches it.

use std::ffi::c_int;

use super::state::{State, Way};
use super::{SMTP_DONE, SMTP_EXCHANGE, smtp_engine};
use crate::code::SMTP_ERR_USAGE;
use crate::guard::{alone, code};
use crate::platform::number;

/// For `smtp_engine_interest()` and `smtp_engine_ready()`: the descriptor can be read.
pub const SMTP_READ: c_int = 1;
/// The descriptor can be written to.
pub const SMTP_WRITE: c_int = 2;

/// The descriptor to watch, or -1 while there is none. It is the library's: never read, write or close it. After each
/// `smtp_engine_ready()` it may be another one. The one before stays open until the next `smtp_engine_ready()` or
/// `smtp_engine_free()`, so that another connection always has another number; stop watching it first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_fd(engine: *const smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        alone(
            engine,
            |_| -1,
            |state| {
                let connection = state.connection.as_ref().filter(|_| state.way != Way::Octets);
                connection.and_then(|connection| connection.fd()).map_or(-1, number)
            },
        )
    }
}

/// What to watch the descriptor for: `SMTP_READ`, `SMTP_WRITE`, both as a sum, or 0. It is meant level-triggered: what is
/// left to read or write makes the descriptor ready again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_interest(engine: *const smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        alone(
            engine,
            |_| 0,
            |state| {
                let connection = state.connection.as_ref().filter(|_| state.way != Way::Octets);
                let ready = connection.map(|connection| connection.interest()).unwrap_or_default();
                i32::from(ready.read) * SMTP_READ + i32::from(ready.write) * SMTP_WRITE
            },
        )
    }
}

/// Does everything that can be done without blocking: connects, reads, writes, looks at the clock. Call it when the
/// descriptor is ready, when the time of `smtp_engine_timeout()` is over, and when a reader of yours has more octets.
/// `what` says what the descriptor is ready for, `SMTP_READ`, `SMTP_WRITE` or their sum; 0 if it is not, or if you
/// do not know. It is a hint: nothing goes wrong if it is not true.
/// `SMTP_EXCHANGE`: go on watching, and ask `smtp_engine_fd()`, `smtp_engine_interest()` and `smtp_engine_timeout()` anew.
/// `SMTP_DONE`: stop watching, and take the result; the connection has ended. A session may have answers, whichever
/// it is. `SMTP_ERR_USAGE`: another `what`, or you move the octets of this engine yourself; nothing was done.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_ready(engine: *mut smtp_engine, what: c_int) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        alone(engine, code, |state| {
            if !(0..=SMTP_READ + SMTP_WRITE).contains(&what) { SMTP_ERR_USAGE } else { state.turn() }
        })
    }
}

impl State {
    fn turn(&mut self) -> c_int {
        self.inherited = None;
        self.action(); // which may be that of a forked child
        if let (Some(connection), Some(driven)) = (&mut self.connection, self.work.driven()) {
            if self.way == Way::Octets {
                return SMTP_ERR_USAGE;
            }
            self.way = Way::Watched;
            connection.turn(driven);
        }
        let action = self.tell();
        if action != SMTP_DONE {
            return SMTP_EXCHANGE;
        }
        if let Some(connection) = &mut self.connection {
            connection.hang_up();
        }
        SMTP_DONE
    }
}
