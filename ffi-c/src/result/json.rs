//! A report as JSON.

use std::ffi::CString;

use smtpclient::report::Report;

use crate::strings::c_string;

pub(super) fn line(report: &Report) -> CString {
    // Its keys are texts, so that it has a form in JSON.
    c_string(&serde_json::to_string(&report.value()).unwrap_or_default())
}
