//! All that a result tells, as a tree of values with names.

use std::ffi::{CStr, CString, c_char, c_int};

use smtpclient::report::Outcome;
use smtpclient::report::fields::Value;

use super::{number as of_result, smtp_result};
use crate::guard::caught;
use crate::strings::{EMPTY, c_string};

/// Nothing: it does not apply, or is not known.
pub const SMTP_VALUE_NONE: c_int = 0;
/// Yes or no: 1 or 0.
pub const SMTP_VALUE_FLAG: c_int = 1;
/// A code, or a count.
pub const SMTP_VALUE_NUMBER: c_int = 2;
/// A text.
pub const SMTP_VALUE_TEXT: c_int = 3;
/// Values of one form, one after the other.
pub const SMTP_VALUE_LIST: c_int = 4;
/// Values with names.
pub const SMTP_VALUE_RECORD: c_int = 5;

/// A value of a result, which lives as long as the result. `docs/report.md` lists the names.
pub struct smtp_value(Data);

enum Data {
    None,
    Flag(bool),
    Number(u64),
    Text(CString),
    List(Vec<smtp_value>),
    Record(Vec<(CString, smtp_value)>),
}

/// All that the result tells, as one record: what `smtp_result_json()` has, and Python and Tcl. A program that wants a few fields
/// asks with `smtp_value_find()`; one that wants all of them, as a binding for another language does, walks over it. NULL
/// only for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_result_value(result: *const smtp_result) -> *const smtp_value {
    // SAFETY: what the header asks for.
    unsafe { of_result(result, std::ptr::null(), |result| Some(std::ptr::from_ref(result.value()))) }
}

/// What the value is: `SMTP_VALUE_TEXT` and so on; `SMTP_VALUE_NONE` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_value_type(value: *const smtp_value) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        of(value, SMTP_VALUE_NONE, |value| {
            Some(match value.0 {
                Data::None => SMTP_VALUE_NONE,
                Data::Flag(_) => SMTP_VALUE_FLAG,
                Data::Number(_) => SMTP_VALUE_NUMBER,
                Data::Text(_) => SMTP_VALUE_TEXT,
                Data::List(_) => SMTP_VALUE_LIST,
                Data::Record(_) => SMTP_VALUE_RECORD,
            })
        })
    }
}

/// How many values a list or a record has; 0 for anything else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_value_count(value: *const smtp_value) -> usize {
    // SAFETY: what the header asks for.
    unsafe { of(value, 0, |value| Some(value.count())) }
}

/// The value at an index of a list or a record; NULL if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_value_item(value: *const smtp_value, index: usize) -> *const smtp_value {
    // SAFETY: what the header asks for.
    unsafe { of(value, std::ptr::null(), |value| value.item(index).map(std::ptr::from_ref)) }
}

/// The name of the value at an index of a record; empty if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_value_name(value: *const smtp_value, index: usize) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe {
        of(value, EMPTY, |value| match &value.0 {
            Data::Record(fields) => fields.get(index).map(|(name, _)| name.as_ptr()),
            _ => None,
        })
    }
}

/// The value at a path of names and indices: `"queue_id"`, `"attempts.0.tls.version"`. NULL if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_value_find(value: *const smtp_value, path: *const c_char) -> *const smtp_value {
    if path.is_null() {
        return std::ptr::null();
    }
    // SAFETY: what the header asks for.
    unsafe {
        of(value, std::ptr::null(), |value| {
            value.find(CStr::from_ptr(path).to_str().ok()?).map(std::ptr::from_ref)
        })
    }
}

/// A text; empty for anything else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_value_text(value: *const smtp_value) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { of(value, EMPTY, |value| value.text().map(|text| text.as_ptr())) }
}

/// A number, or 1 or 0 for a flag; 0 for anything else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_value_number(value: *const smtp_value) -> u64 {
    // SAFETY: what the header asks for.
    unsafe {
        of(value, 0, |value| match value.0 {
            Data::Flag(flag) => Some(flag.into()),
            Data::Number(number) => Some(number),
            _ => None,
        })
    }
}

impl From<Value> for smtp_value {
    fn from(value: Value) -> Self {
        Self(match value {
            Value::None => Data::None,
            Value::Flag(flag) => Data::Flag(flag),
            Value::Number(number) => Data::Number(number),
            Value::Text(text) => Data::Text(c_string(&text)),
            Value::List(all) => Data::List(all.into_iter().map(Self::from).collect()),
            Value::Record(fields) => {
                Data::Record(fields.into_iter().map(|(name, value)| (c_string(name), value.into())).collect())
            }
        })
    }
}

impl smtp_value {
    fn count(&self) -> usize {
        match &self.0 {
            Data::List(all) => all.len(),
            Data::Record(fields) => fields.len(),
            _ => 0,
        }
    }

    pub(super) fn item(&self, index: usize) -> Option<&Self> {
        match &self.0 {
            Data::List(all) => all.get(index),
            Data::Record(fields) => fields.get(index).map(|(_, value)| value),
            _ => None,
        }
    }

    pub(super) fn find(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |value, part| match &value.0 {
            Data::List(all) => all.get(part.parse::<usize>().ok()?),
            Data::Record(fields) => {
                fields.iter().find(|(name, _)| name.as_bytes() == part.as_bytes()).map(|(_, value)| value)
            }
            _ => None,
        })
    }

    /// The record at an index of one of the lists, and what is at a path in it.
    pub(super) fn nth(&self, list: &str, index: usize, path: &str) -> Option<&Self> {
        self.find(list)?.item(index)?.find(path)
    }

    /// The record of a recipient that was refused.
    pub(super) fn refused(&self, index: usize) -> Option<&Self> {
        let Data::List(all) = &self.find("recipients")?.0 else { return None };
        let refused = Outcome::Rejected.name().as_bytes();
        let mut all = all.iter().filter(|one| {
            one.find("outcome").and_then(Self::text).is_some_and(|outcome| outcome.as_bytes() == refused)
        });
        all.nth(index)
    }

    pub(super) fn text(&self) -> Option<&CString> {
        if let Data::Text(text) = &self.0 { Some(text) } else { None }
    }
}

/// # Safety
/// `value` is NULL, or of a result that lives.
unsafe fn of<R: Copy>(value: *const smtp_value, none: R, pick: impl FnOnce(&smtp_value) -> Option<R>) -> R {
    // SAFETY: as the caller says.
    let Some(value) = (unsafe { value.as_ref() }) else { return none };
    caught(|_| None, || pick(value)).unwrap_or(none)
}
