//! Versions and codes.

use std::ffi::{CString, c_char, c_int};
use std::sync::LazyLock;

use smtpclient::error::Kind;
use smtpclient::report::Outcome;

use crate::guard::caught;
use crate::strings::{EMPTY, c_string};

/// Done. For sends: the server took the message for every recipient.
pub const SMTP_OK: c_int = 0;
/// The server took the message for some of the recipients; the result lists the others.
pub const SMTP_PARTIAL: c_int = 1;
/// Invalid call, found before anything was sent; the text names the argument, the value and how to fix it.
pub const SMTP_ERR_USAGE: c_int = -1;
/// The server's name could not be resolved to an address.
pub const SMTP_ERR_RESOLVE: c_int = -2;
/// No connection could be made.
pub const SMTP_ERR_CONNECT: c_int = -3;
/// The server, or the whole call, took longer than was allowed.
pub const SMTP_ERR_TIMEOUT: c_int = -4;
/// The connection ended before the step was done, or was ended before.
pub const SMTP_ERR_CLOSED: c_int = -5;
/// The server said something that is not SMTP, or not at this place.
pub const SMTP_ERR_PROTOCOL: c_int = -6;
/// The server refused a step: the greeting, EHLO, MAIL, DATA or the message itself.
pub const SMTP_ERR_REFUSED: c_int = -7;
/// The server refused recipients, and so nothing was sent; the result lists them.
pub const SMTP_ERR_RECIPIENTS: c_int = -8;
/// The server does not offer what an option or the message needs.
pub const SMTP_ERR_UNSUPPORTED: c_int = -9;
/// The message is larger than the server takes.
pub const SMTP_ERR_TOOLARGE: c_int = -10;
/// The message could not be read, or not be written: a file, or one of your callbacks.
pub const SMTP_ERR_SOURCE: c_int = -11;
/// TLS could not be set up as the options ask.
pub const SMTP_ERR_TLS: c_int = -12;
/// No login succeeded, and credentials were given.
pub const SMTP_ERR_LOGIN: c_int = -13;
/// The call was cancelled.
pub const SMTP_ERR_CANCELLED: c_int = -14;
/// The message may have been delivered, at least for one recipient: the connection ended between its end
/// and the reply. Nothing is sent again by itself, for it could arrive twice.
pub const SMTP_ERR_UNKNOWN: c_int = -15;
/// A pointer is NULL that must not be.
pub const SMTP_ERR_NULL: c_int = -16;
/// The handle is in use: by the call from which your callback was called, or by another thread.
pub const SMTP_ERR_BUSY: c_int = -17;
/// An internal error: free the handle, which takes nothing else now, and please report it.
pub const SMTP_ERR_PANIC: c_int = -18;
/// The queue of a mailer is full; the message was not taken.
pub const SMTP_ERR_FULL: c_int = -19;
/// The function of option `commit` failed, and the message was withdrawn before its end.
pub const SMTP_ERR_COMMIT: c_int = -20;

/// The server took the message for this recipient.
pub const SMTP_ACCEPTED: c_int = 1;
/// The server refused this recipient, or the message; 4yz: for now, 5yz: for good.
pub const SMTP_REJECTED: c_int = 2;
/// The server has no message for this recipient and did not refuse it: sending again is safe.
pub const SMTP_NOT_SENT: c_int = 3;
/// The message may have been delivered to this recipient, or not.
pub const SMTP_UNKNOWN: c_int = 4;

/// The version of the library that runs, `"0.1.0"`; `SMTP_VERSION` is the one of the header. Lives until the program ends.
#[unsafe(no_mangle)]
pub extern "C" fn smtp_library_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The version of the library that runs as a number that grows: `0x000100` is 0.1.0; see
/// `SMTP_VERSION_NUMBER`.
#[unsafe(no_mangle)]
pub extern "C" fn smtp_library_version_number() -> u32 {
    let part = |text: &str| text.parse::<u32>().unwrap_or_default();
    part(env!("CARGO_PKG_VERSION_MAJOR")) << 16
        | part(env!("CARGO_PKG_VERSION_MINOR")) << 8
        | part(env!("CARGO_PKG_VERSION_PATCH"))
}

/// One lower-case word for a code, the same in every language: `"ok"`, `"usage"`, `"recipients"`. Empty for
/// a number that is not a code. Lives until the program ends.
#[unsafe(no_mangle)]
pub extern "C" fn smtp_code_name(code: c_int) -> *const c_char {
    caught(|_| EMPTY, || described(code).map_or(EMPTY, |said| said.name.as_ptr()))
}

/// A sentence for a code. What went wrong in a certain case is in `smtp_result_error()`,
/// `smtp_session_error()`, `smtp_message_error()` or `smtp_options_error()`. Lives until the program ends.
#[unsafe(no_mangle)]
pub extern "C" fn smtp_code_text(code: c_int) -> *const c_char {
    caught(|_| EMPTY, || described(code).map_or(EMPTY, |said| said.text.as_ptr()))
}

/// The word for an outcome: `"accepted"`, `"rejected"`, `"not_sent"`, `"unknown"`. Empty for a number that
/// is not an outcome. Lives until the program ends.
#[unsafe(no_mangle)]
pub extern "C" fn smtp_outcome_name(outcome: c_int) -> *const c_char {
    let name = match outcome {
        SMTP_ACCEPTED => c"accepted",
        SMTP_REJECTED => c"rejected",
        SMTP_NOT_SENT => c"not_sent",
        SMTP_UNKNOWN => c"unknown",
        _ => c"",
    };
    name.as_ptr()
}

/// The code of each kind of error: what both are called is the core's business.
const KINDS: [(c_int, Kind); 17] = [
    (SMTP_ERR_USAGE, Kind::Usage),
    (SMTP_ERR_RESOLVE, Kind::Resolve),
    (SMTP_ERR_CONNECT, Kind::Connect),
    (SMTP_ERR_TIMEOUT, Kind::Timeout),
    (SMTP_ERR_CLOSED, Kind::Closed),
    (SMTP_ERR_PROTOCOL, Kind::Protocol),
    (SMTP_ERR_REFUSED, Kind::Refused),
    (SMTP_ERR_RECIPIENTS, Kind::Recipients),
    (SMTP_ERR_UNSUPPORTED, Kind::Unsupported),
    (SMTP_ERR_TOOLARGE, Kind::TooLarge),
    (SMTP_ERR_SOURCE, Kind::Source),
    (SMTP_ERR_TLS, Kind::Tls),
    (SMTP_ERR_LOGIN, Kind::Login),
    (SMTP_ERR_CANCELLED, Kind::Cancelled),
    (SMTP_ERR_UNKNOWN, Kind::Unknown),
    (SMTP_ERR_FULL, Kind::Full),
    (SMTP_ERR_COMMIT, Kind::Commit),
];

/// What is said of a code.
struct Said {
    code: c_int,
    name: CString,
    text: CString,
}

static SAID: LazyLock<Vec<Said>> = LazyLock::new(|| {
    let said = |code, name: &str, text: &str| Said { code, name: c_string(name), text: c_string(text) };
    let kinds = KINDS.iter().map(|(code, kind)| said(*code, kind.name(), kind.text()));
    kinds
        .chain([
            said(SMTP_OK, "ok", "done"),
            said(SMTP_PARTIAL, "partial", "the server took the message for some of the recipients"),
            said(SMTP_ERR_NULL, "null", "a pointer is NULL that must not be"),
            said(SMTP_ERR_BUSY, "busy", "the handle is in use by another call"),
            said(
                SMTP_ERR_PANIC,
                "panic",
                "internal error in libsmtp: free the handle, and please report this",
            ),
        ])
        .collect()
});

fn described(code: c_int) -> Option<&'static Said> {
    SAID.iter().find(|said| said.code == code)
}

pub(crate) fn code_of(kind: Kind) -> c_int {
    // A kind that is newer than the table, which a test excludes, is not a success either.
    KINDS.iter().find(|(_, own)| *own == kind).map_or(SMTP_ERR_PROTOCOL, |(code, _)| *code)
}

pub(crate) fn kind_of(code: c_int) -> Option<Kind> {
    KINDS.iter().find(|(own, _)| *own == code).map(|(_, kind)| *kind)
}

pub(crate) fn outcome_code(outcome: Outcome) -> c_int {
    match outcome {
        Outcome::Accepted => SMTP_ACCEPTED,
        Outcome::Rejected => SMTP_REJECTED,
        Outcome::NotSent => SMTP_NOT_SENT,
        Outcome::Unknown => SMTP_UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn every_kind_and_outcome_has_a_code_with_its_name() {
        for kind in Kind::ALL {
            assert_eq!(KINDS.iter().filter(|(_, own)| own == kind).count(), 1, "{}", kind.name());
            assert_eq!(described(code_of(*kind)).unwrap().name.to_bytes(), kind.name().as_bytes());
        }
        for outcome in [Outcome::Accepted, Outcome::Rejected, Outcome::NotSent, Outcome::Unknown] {
            // SAFETY: a name of ours.
            let name = unsafe { CStr::from_ptr(smtp_outcome_name(outcome_code(outcome))) };
            assert_eq!(name.to_bytes(), outcome.name().as_bytes());
        }
    }
}
