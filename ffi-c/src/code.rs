//! Versions and codes.

use std::ffi::{CStr, c_char, c_int};

use smtpclient::error::Kind;
use smtpclient::report::Outcome;

/// Done. For sends: the server took the message for every recipient.
pub const SMTP_OK: c_int = 0;
/// The server took the message for some of the recipients; the result lists the others.
pub const SMTP_PARTIAL: c_int = 1;
/// Your mistake, found before anything was sent; the text names the thing, the value and the way out.
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
/// A bug of this library. The handle takes only its free from now on.
pub const SMTP_ERR_PANIC: c_int = -18;
/// The queue of a mailer is full; the message was not taken.
pub const SMTP_ERR_FULL: c_int = -19;

/// The server took the message for this recipient.
pub const SMTP_ACCEPTED: c_int = 1;
/// The server refused this recipient, or the message; 4yz: for now, 5yz: for good.
pub const SMTP_REJECTED: c_int = 2;
/// The server has no message for this recipient and did not refuse it: sending again is safe.
pub const SMTP_NOT_SENT: c_int = 3;
/// The message may have been delivered to this recipient, or not.
pub const SMTP_UNKNOWN: c_int = 4;

/// The version of the library that runs, `"0.1.0"`; `SMTP_VERSION` is the one of the header. Lives for ever.
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
/// a number that is no code. Lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn smtp_code_name(code: c_int) -> *const c_char {
    described(code).0.as_ptr()
}

/// A sentence for a code. What went wrong in a certain case is in `smtp_result_error()`,
/// `smtp_session_error()`, `smtp_message_error()` or `smtp_options_error()`. Lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn smtp_code_text(code: c_int) -> *const c_char {
    described(code).1.as_ptr()
}

/// The word for an outcome: `"accepted"`, `"rejected"`, `"not_sent"`, `"unknown"`. Empty for a number that
/// is none. Lives for ever.
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

fn described(code: c_int) -> (&'static CStr, &'static CStr) {
    match code {
        SMTP_OK => (c"ok", c"done"),
        SMTP_PARTIAL => (c"partial", c"the server took the message for some of the recipients"),
        SMTP_ERR_USAGE => (c"usage", c"the call cannot be right"),
        SMTP_ERR_RESOLVE => (c"resolve", c"the server's name has no address"),
        SMTP_ERR_CONNECT => (c"connect", c"no connection could be made"),
        SMTP_ERR_TIMEOUT => (c"timeout", c"it took longer than was allowed"),
        SMTP_ERR_CLOSED => (c"closed", c"the connection is closed"),
        SMTP_ERR_PROTOCOL => (c"protocol", c"the server said something that is not SMTP"),
        SMTP_ERR_REFUSED => (c"refused", c"the server refused"),
        SMTP_ERR_RECIPIENTS => (c"recipients", c"the server refused recipients, and nothing was sent"),
        SMTP_ERR_UNSUPPORTED => (c"unsupported", c"the server does not offer what is needed"),
        SMTP_ERR_TOOLARGE => (c"toolarge", c"the message is larger than the server takes"),
        SMTP_ERR_SOURCE => (c"source", c"the message could not be read or written"),
        SMTP_ERR_TLS => (c"tls", c"TLS could not be set up"),
        SMTP_ERR_LOGIN => (c"login", c"no login succeeded"),
        SMTP_ERR_CANCELLED => (c"cancelled", c"the call was cancelled"),
        SMTP_ERR_UNKNOWN => (c"unknown", c"the message may have been delivered, or not"),
        SMTP_ERR_NULL => (c"null", c"a pointer is NULL that must not be"),
        SMTP_ERR_BUSY => (c"busy", c"the handle is in use by another call"),
        SMTP_ERR_PANIC => (c"panic", c"a bug of libsmtp: free the handle, and report it"),
        SMTP_ERR_FULL => (c"full", c"the queue of the mailer is full"),
        _ => (c"", c""),
    }
}

pub(crate) fn code_of(kind: Kind) -> c_int {
    match kind {
        Kind::Usage => SMTP_ERR_USAGE,
        Kind::Resolve => SMTP_ERR_RESOLVE,
        Kind::Connect => SMTP_ERR_CONNECT,
        Kind::Timeout => SMTP_ERR_TIMEOUT,
        Kind::Closed => SMTP_ERR_CLOSED,
        Kind::Protocol => SMTP_ERR_PROTOCOL,
        Kind::Refused => SMTP_ERR_REFUSED,
        Kind::Recipients => SMTP_ERR_RECIPIENTS,
        Kind::Unsupported => SMTP_ERR_UNSUPPORTED,
        Kind::TooLarge => SMTP_ERR_TOOLARGE,
        Kind::Source => SMTP_ERR_SOURCE,
        Kind::Tls => SMTP_ERR_TLS,
        Kind::Login => SMTP_ERR_LOGIN,
        Kind::Cancelled => SMTP_ERR_CANCELLED,
        Kind::Unknown => SMTP_ERR_UNKNOWN,
        Kind::Full => SMTP_ERR_FULL,
        // A kind that is newer than this table is no success either.
        _ => SMTP_ERR_PROTOCOL,
    }
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
    use super::*;

    #[test]
    fn names_are_those_of_the_kinds() {
        for kind in [
            Kind::Usage,
            Kind::Resolve,
            Kind::Connect,
            Kind::Timeout,
            Kind::Closed,
            Kind::Protocol,
            Kind::Refused,
            Kind::Recipients,
            Kind::Unsupported,
            Kind::TooLarge,
            Kind::Source,
            Kind::Tls,
            Kind::Login,
            Kind::Cancelled,
            Kind::Unknown,
            Kind::Full,
        ] {
            assert_eq!(described(code_of(kind)).0.to_bytes(), kind.name().as_bytes());
        }
    }
}
