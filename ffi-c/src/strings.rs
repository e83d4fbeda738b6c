//! Texts in both directions, and what is wrong with the arguments of a call.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::PathBuf;

use smtpclient::error::Error;

use crate::code::{SMTP_ERR_NULL, code_of, smtp_code_text};

/// Why a call failed.
pub(crate) enum Fault {
    /// The argument of this name is NULL.
    Null(&'static str),
    /// The handle of this name cannot be used: busy, or broken.
    Unusable(&'static str, c_int),
    Failed(Error),
}

impl Fault {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Failed(Error::usage(text))
    }

    pub(crate) fn code(&self) -> c_int {
        match self {
            Self::Null(_) => SMTP_ERR_NULL,
            Self::Unusable(_, code) => *code,
            Self::Failed(error) => code_of(error.kind()),
        }
    }

    pub(crate) fn text(&self) -> CString {
        match self {
            Self::Null(name) => c_string(&format!("the argument `{name}` is NULL")),
            Self::Unusable(name, code) => {
                // SAFETY: a sentence of ours, which lives for ever.
                let why = unsafe { CStr::from_ptr(smtp_code_text(*code)) };
                c_string(&format!("the argument `{name}`: {}", why.to_string_lossy()))
            }
            Self::Failed(error) => c_string(&error.to_string()),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A port, 0 for the default one.
pub(crate) fn port(port: c_int) -> Result<u16, Error> {
    u16::try_from(port).map_err(|_| {
        Error::usage(format!("the port {port} must be a number from 1 to 65535, or 0 for the default one"))
    })
}

/// Why what a function of C's was given cannot be looked at when that has returned: it may have failed.
pub(crate) const KEPT: &str = "another thread still uses what the function was given";

/// Why a function of C's says that something failed.
///
/// # Safety
/// As for [`utf8`].
pub(crate) unsafe fn reason(why: *const c_char) -> String {
    // SAFETY: as the caller says.
    match unsafe { utf8(why, "why") } {
        Ok(why) => why.to_owned(),
        Err(fault) => fault.text().to_string_lossy().into_owned(),
    }
}

/// What accessors answer if there is nothing.
pub(crate) const EMPTY: *const c_char = c"".as_ptr();

/// For `refused` of the guard: no text.
pub(crate) fn empty(_: c_int) -> *const c_char {
    EMPTY
}

/// A text for C; a NUL in it, which would end it, becomes `?`.
pub(crate) fn c_string(text: &str) -> CString {
    let octets = text.bytes().map(|octet| if octet == 0 { b'?' } else { octet }).collect::<Vec<u8>>();
    CString::new(octets).unwrap_or_default()
}

/// A string argument.
///
/// # Safety
/// `text` is NULL, or ends in NUL and lives for `'a`.
pub(crate) unsafe fn utf8<'a>(text: *const c_char, name: &'static str) -> Result<&'a str, Fault> {
    // SAFETY: as the caller says.
    unsafe { optional(text, name) }?.ok_or(Fault::Null(name))
}

/// A string argument that may be NULL.
///
/// # Safety
/// As for [`utf8`].
pub(crate) unsafe fn optional<'a>(text: *const c_char, name: &'static str) -> Result<Option<&'a str>, Fault> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller says, and not NULL.
    let text = unsafe { CStr::from_ptr(text) };
    checked(text.to_bytes(), name).map(Some)
}

/// A string argument with its length.
///
/// # Safety
/// As for [`octets`].
pub(crate) unsafe fn sized<'a>(
    text: *const c_char,
    length: usize,
    name: &'static str,
) -> Result<&'a str, Fault> {
    // SAFETY: as the caller says.
    checked(unsafe { octets(text.cast(), length, name) }?, name)
}

/// Octets; NULL is none if the length is 0.
///
/// # Safety
/// `data` is NULL, or `length` octets that live for `'a`.
pub(crate) unsafe fn octets<'a>(
    data: *const c_void,
    length: usize,
    name: &'static str,
) -> Result<&'a [u8], Fault> {
    if length == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Fault::Null(name));
    }
    if isize::try_from(length).is_err() {
        return Err(Fault::usage(format!("the length of `{name}`, {length}, is more than there can be")));
    }
    // SAFETY: as the caller says, not NULL, and of a length that can be.
    Ok(unsafe { std::slice::from_raw_parts(data.cast(), length) })
}

/// A path; it need not be UTF-8 but on Windows.
///
/// # Safety
/// As for [`utf8`].
pub(crate) unsafe fn path(path: *const c_char, name: &'static str) -> Result<PathBuf, Fault> {
    if path.is_null() {
        return Err(Fault::Null(name));
    }
    // SAFETY: as the caller says, and not NULL.
    let path = unsafe { CStr::from_ptr(path) };
    crate::platform::path(path.to_bytes()).ok_or_else(|| Fault::usage(format!("`{name}` must be UTF-8")))
}

/// Where a call puts what it made: NULL for now, so that it never holds what is not there.
///
/// # Safety
/// `out` is NULL or may be written to.
pub(crate) unsafe fn clear<T>(out: *mut *mut T) {
    // SAFETY: as the caller says.
    if let Some(out) = unsafe { out.as_mut() } {
        *out = std::ptr::null_mut();
    }
}

fn checked<'a>(text: &'a [u8], name: &str) -> Result<&'a str, Fault> {
    std::str::from_utf8(text).map_err(|error| {
        Fault::usage(format!("the argument `{name}` is not UTF-8 at octet {}", error.valid_up_to()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_looked_at() {
        // SAFETY: NULL, or literals of the length given.
        unsafe {
            assert!(matches!(utf8(std::ptr::null(), "x"), Err(Fault::Null("x"))));
            assert!(matches!(optional(std::ptr::null(), "x"), Ok(None)));
            assert!(matches!(utf8(c"a".as_ptr(), "x"), Ok("a")));
            let bad = utf8(c"ab\xff".as_ptr(), "x").map_err(|fault| fault.text());
            assert_eq!(bad.unwrap_err().to_bytes(), b"the argument `x` is not UTF-8 at octet 2");
            assert!(matches!(octets(std::ptr::null(), 0, "x"), Ok(&[])));
            assert!(matches!(octets(std::ptr::null(), 1, "x"), Err(Fault::Null("x"))));
            assert!(matches!(octets(c"a".as_ptr().cast(), usize::MAX, "x"), Err(Fault::Failed(_))));
            assert!(matches!(sized(c"abc".as_ptr(), 2, "x"), Ok("ab")));
            #[cfg(unix)]
            assert_eq!(path(c"/\xff".as_ptr(), "x").ok(), crate::platform::path(b"/\xff"));
        }
        assert_eq!(c_string("a\0b").to_bytes(), b"a?b");
    }
}
