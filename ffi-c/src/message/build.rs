//! An HTML alternative, attachments, pictures within the HTML.

use std::ffi::{c_char, c_int, c_void};

use super::{State, change, smtp_message};
use crate::strings::{Fault, octets, optional, path, utf8};

/// Adds the same content as HTML, in UTF-8: a text becomes a `multipart/alternative`. `html` is copied.
/// `SMTP_OK`; `SMTP_ERR_USAGE`: there is no text that it could be an alternative to, or it is not UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_add_html(message: *mut smtp_message, html: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { change(message, |state| Ok(state.message.add_alternative_html(utf8(html, "html")?)?)) }
}

/// Adds an invitation, its change or its answer (RFC 6047): an iCalendar object with a METHOD, in UTF-8, as the last alternative of
/// the text and as the attachment `invite.ics`. `icalendar` is copied. `SMTP_OK`; `SMTP_ERR_USAGE`: it is not a VCALENDAR with a
/// METHOD, there is neither text nor HTML, there is a calendar already, or `message` is finished.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_add_calendar(
    message: *mut smtp_message,
    icalendar: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { change(message, |state| Ok(state.message.add_calendar(utf8(icalendar, "icalendar")?)?)) }
}

/// Says how a recipient leaves the list with one click (RFC 8058): `List-Unsubscribe` and `List-Unsubscribe-Post`, in place of those that
/// are there. `https` is a URL that names list and recipient by itself; `mailto`, an address with or without `?subject=...`, may be NULL. Sign
/// the message (option `dkim`), or receivers ignore it. `SMTP_OK`; `SMTP_ERR_USAGE`: not an https URL, not an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_set_unsubscribe(
    message: *mut smtp_message,
    https: *const c_char,
    mailto: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        change(message, |state| {
            Ok(state.message.set_unsubscribe(utf8(https, "https")?, optional(mailto, "mailto")?)?)
        })
    }
}

/// Attaches a file with its name and the content type that its extension stands for. It is opened when it is
/// sent; if there is no such file, the send fails with `SMTP_ERR_SOURCE`. `SMTP_OK`; `SMTP_ERR_USAGE`: a path
/// without a file name, or `message` is finished.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_attach_file(message: *mut smtp_message, path: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { change(message, |state| Ok(state.message.attach_file(self::path(path, "path")?)?)) }
}

/// Attaches octets, which are copied, under a file name. `content_type` NULL: the one that the extension of
/// the name stands for. `SMTP_OK`; `SMTP_ERR_USAGE`: a name with control characters, a content type that is
/// none, or `message` is finished.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_attach(
    message: *mut smtp_message,
    name: *const c_char,
    content_type: *const c_char,
    data: *const c_void,
    length: usize,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        change(message, |state| {
            let content_type = optional(content_type, "content_type")?;
            let data = octets(data, length, "data")?;
            Ok(state.message.attach_bytes(utf8(name, "name")?, content_type, data)?)
        })
    }
}

/// Adds a file that the HTML shows as `<img src="cid:ID">`. `cid` is the ID (`"logo@example.org"`), or NULL
/// for a new one. `cid_out`, which may be NULL, gets the ID; it lives until the next call on `message`.
/// `SMTP_OK`; `SMTP_ERR_USAGE`: there is no HTML, `cid` is not a Content-ID, or as for `smtp_message_attach_file()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_inline_file(
    message: *mut smtp_message,
    path: *const c_char,
    cid: *const c_char,
    cid_out: *mut *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        with_cid(message, cid_out, |state| {
            Ok(state.message.inline_file(self::path(path, "path")?, optional(cid, "cid")?)?)
        })
    }
}

/// As `smtp_message_inline_file()`, with octets, which are copied, under a file name; `content_type` as for
/// `smtp_message_attach()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_inline(
    message: *mut smtp_message,
    name: *const c_char,
    content_type: *const c_char,
    data: *const c_void,
    length: usize,
    cid: *const c_char,
    cid_out: *mut *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        with_cid(message, cid_out, |state| {
            let content_type = optional(content_type, "content_type")?;
            let data = octets(data, length, "data")?;
            let cid = optional(cid, "cid")?;
            Ok(state.message.inline_bytes(utf8(name, "name")?, content_type, data, cid)?)
        })
    }
}

/// # Safety
/// As for [`change`], and `out` is NULL or may be written to.
unsafe fn with_cid(
    message: *mut smtp_message,
    out: *mut *const c_char,
    call: impl FnOnce(&mut State) -> Result<String, Fault>,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        if let Some(out) = out.as_mut() {
            *out = std::ptr::null();
        }
        change(message, |state| {
            let cid = call(state)?;
            if let Some(out) = out.as_mut() {
                *out = state.lend(&cid);
            }
            Ok(())
        })
    }
}
