//! What a message is made of.

use std::ffi::{c_char, c_int, c_void};

use smtpclient::message::{Encoding, Message};

use super::{change, replace, smtp_message};
use crate::callbacks::{CReader, UserData, smtp_read_fn, smtp_release_fn, smtp_rewind_fn};
use crate::guard::shared;
use crate::strings::{Fault, octets, path, sized, utf8};

/// How a body is encoded: as its content and the server need it. The default.
pub const SMTP_ENCODING_AUTO: c_int = 0;
/// 7bit, if the content is.
pub const SMTP_ENCODING_7BIT: c_int = 1;
/// 8bit, if the server offers 8BITMIME.
pub const SMTP_ENCODING_8BIT: c_int = 2;
/// quoted-printable.
pub const SMTP_ENCODING_QUOTED_PRINTABLE: c_int = 3;
/// base64.
pub const SMTP_ENCODING_BASE64: c_int = 4;
/// binary, if the server offers BINARYMIME.
pub const SMTP_ENCODING_BINARY: c_int = 5;

/// Makes `message` a `text/plain` in UTF-8; lines may end in LF or CRLF. Header fields that were set with
/// `smtp_message_set_header()` or `smtp_message_add_header()` stay, here and with the other functions that set
/// the content, except for those of a finished message, which go with it. `text` is copied.
/// `SMTP_OK`; `SMTP_ERR_USAGE`: not UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_set_text(
    message: *mut smtp_message,
    text: *const c_char,
    length: usize,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { replace(message, || Ok(Message::text(sized(text, length, "text")?))) }
}

/// Makes `message` a `text/html` in UTF-8. For text and HTML both: `smtp_message_set_text()`, then
/// `smtp_message_add_html()`. `html` is copied. `SMTP_OK`; `SMTP_ERR_USAGE`: not UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_set_html(
    message: *mut smtp_message,
    html: *const c_char,
    length: usize,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { replace(message, || Ok(Message::html(sized(html, length, "html")?))) }
}

/// Makes `message` a finished message: header section, empty line, body. It is sent octet by octet, except for
/// line ends, `Bcc` and its like, and the fields that are added in front if they are missing: `Date`, `Message-ID`,
/// `From`, and `To: undisclosed-recipients:;` for a message without `To` and `Cc`. Only an empty line ends the header
/// section; a send refuses any other line that is not a field with `SMTP_ERR_USAGE`. In front of the first field the
/// `From ` line of an mbox, a UTF-8 byte order mark and empty lines are skipped. If the first paragraph has no field
/// all is body. `data` is copied. `SMTP_OK`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_set_message(
    message: *mut smtp_message,
    data: *const c_void,
    length: usize,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { replace(message, || Ok(Message::from_bytes(octets(data, length, "data")?))) }
}

/// As `smtp_message_set_message()`, from a file, which is opened when it is sent and must not change until
/// then. `SMTP_OK` even if the file does not exist: the send fails then, with `SMTP_ERR_SOURCE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_set_message_file(
    message: *mut smtp_message,
    path: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { replace(message, || Ok(Message::from_file(self::path(path, "path")?))) }
}

/// As `smtp_message_set_message()`, from a function that gives it piece by piece; memory use does not grow
/// with it. `rewind` may be NULL: the message then serves one send. `release` may be NULL; it is called once
/// when `user_data` is not needed any more, even if this call fails. `length` is the number of octets, or
/// -1; if it is given it is declared to the server, and giving fewer or more abandons the message.
/// `SMTP_OK`; `SMTP_ERR_USAGE`: a negative length. If the reader does something wrong, the send fails with
/// `SMTP_ERR_SOURCE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_set_message_reader(
    message: *mut smtp_message,
    read: smtp_read_fn,
    rewind: smtp_rewind_fn,
    user_data: *mut c_void,
    release: smtp_release_fn,
    length: i64,
) -> c_int {
    let user = UserData::new(user_data, release);
    // SAFETY: what the header asks for.
    unsafe { replace(message, || Ok(Message::from_reader(CReader::new(read, rewind, user, length)?))) }
}

/// Makes `message` a part of any type, `"application/pdf"` or `"text/csv; charset=iso-8859-1"`, with an empty body; give it one with
/// `smtp_message_set_body()`. `SMTP_OK`; `SMTP_ERR_USAGE`: not of the form `type/subtype`, or a type that is
/// made of other parts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_set_part(
    message: *mut smtp_message,
    content_type: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { replace(message, || Ok(Message::part(utf8(content_type, "content_type")?)?)) }
}

/// Sets the body, which is copied. `SMTP_OK`; `SMTP_ERR_USAGE`: `message` is finished, or made of parts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_set_body(
    message: *mut smtp_message,
    data: *const c_void,
    length: usize,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { change(message, |state| Ok(state.message.set_body_bytes(octets(data, length, "data")?)?)) }
}

/// Sets the body to a file, which is opened when it is sent. Otherwise like `smtp_message_set_body()`; if there
/// is no such file the send tells, with `SMTP_ERR_SOURCE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_set_body_file(
    message: *mut smtp_message,
    path: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { change(message, |state| Ok(state.message.set_body_file(self::path(path, "path")?)?)) }
}

/// Sets the body to what a function gives piece by piece, as `smtp_message_set_message_reader()` does. It is
/// sent as base64, or quoted-printable if it is text, unless `smtp_message_set_encoding()` promises more.
/// `SMTP_OK`; `SMTP_ERR_USAGE`: a negative length, or `message` is finished or made of parts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_set_body_reader(
    message: *mut smtp_message,
    read: smtp_read_fn,
    rewind: smtp_rewind_fn,
    user_data: *mut c_void,
    release: smtp_release_fn,
    length: i64,
) -> c_int {
    let user = UserData::new(user_data, release);
    // SAFETY: what the header asks for.
    unsafe {
        change(message, |state| {
            Ok(state.message.set_body_reader(CReader::new(read, rewind, user, length)?)?)
        })
    }
}

/// Sets a parameter of the content type, `"charset"` or `"name"`, to any text without control characters.
/// `SMTP_OK`; `SMTP_ERR_USAGE`: an invalid name or value, or `message` is finished.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_set_parameter(
    message: *mut smtp_message,
    name: *const c_char,
    value: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        change(message, |state| {
            Ok(state.message.set_parameter(utf8(name, "name")?, utf8(value, "value")?)?)
        })
    }
}

/// Sets how the body is encoded: one of the `SMTP_ENCODING_` numbers. All but base64 and quoted-printable are
/// wishes: if the content or the server does not allow them, they are as `SMTP_ENCODING_AUTO`.
/// `SMTP_OK`; `SMTP_ERR_USAGE`: no such number, or `message` is finished or made of parts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_set_encoding(message: *mut smtp_message, encoding: c_int) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { change(message, |state| Ok(state.message.set_encoding(encoding_of(encoding)?)?)) }
}

/// Makes `message` a multipart without parts yet: `"mixed"`, `"alternative"`, `"related"`, `"digest"`; add
/// them with `smtp_message_add_part()`. At least one is needed to send it. `SMTP_OK`; `SMTP_ERR_USAGE`: an
/// invalid subtype.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_set_multipart(
    message: *mut smtp_message,
    subtype: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { replace(message, || Ok(Message::multipart(utf8(subtype, "subtype")?, Vec::new())?)) }
}

/// Adds a part after the others. What is not a multipart yet becomes the first part of a `multipart/mixed`.
/// `part` is copied, may be a finished message, and stays yours. `SMTP_OK`; `SMTP_ERR_USAGE`: `message` is
/// finished, or there would be more than 100 parts within each other.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_add_part(
    message: *mut smtp_message,
    part: *const smtp_message,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        with_copy(part, "part", |part| {
            change(message, |state| {
                let multipart = state.message.content_type().is_some_and(|media| {
                    media.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"))
                });
                let part = part?;
                Ok(if multipart { state.message.push_part(part) } else { state.message.attach(part) }?)
            })
        })
    }
}

/// Makes `message` a `message/rfc822`: a message within a message. `inner` is copied, and stays yours.
/// `SMTP_OK`; `SMTP_ERR_USAGE`: there would be more than 100 parts within each other.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_set_rfc822(
    message: *mut smtp_message,
    inner: *const smtp_message,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { with_copy(inner, "inner", |inner| replace(message, || Ok(Message::rfc822(inner?)?))) }
}

/// Hands on a copy, or that there is none to copy; it may be the message that it is put into.
///
/// # Safety
/// As for [`shared`].
unsafe fn with_copy(
    message: *const smtp_message,
    name: &'static str,
    call: impl FnOnce(Result<Message, Fault>) -> c_int,
) -> c_int {
    if message.is_null() {
        return call(Err(Fault::Null(name)));
    }
    // SAFETY: as the caller says.
    match unsafe { shared(message, Err, |state| Ok(state.message.clone())) } {
        Ok(message) => call(Ok(message)),
        Err(code) => code,
    }
}

fn encoding_of(number: c_int) -> Result<Encoding, Fault> {
    Ok(match number {
        SMTP_ENCODING_AUTO => Encoding::Auto,
        SMTP_ENCODING_7BIT => Encoding::SevenBit,
        SMTP_ENCODING_8BIT => Encoding::EightBit,
        SMTP_ENCODING_QUOTED_PRINTABLE => Encoding::QuotedPrintable,
        SMTP_ENCODING_BASE64 => Encoding::Base64,
        SMTP_ENCODING_BINARY => Encoding::Binary,
        _ => return Err(Fault::usage(format!("{number} is not an SMTP_ENCODING_ number"))),
    })
}
