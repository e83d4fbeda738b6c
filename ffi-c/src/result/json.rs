//! A report as JSON.

use std::ffi::CString;

use serde_json::{Map, Value as Json};
use smtpclient::report::Report;
use smtpclient::report::fields::Value;

use crate::strings::c_string;

pub(super) fn line(report: &Report) -> CString {
    c_string(&json(report.value()).to_string())
}

fn json(value: Value) -> Json {
    match value {
        Value::None => Json::Null,
        Value::Flag(flag) => flag.into(),
        Value::Number(number) => number.into(),
        Value::Text(text) => text.into(),
        Value::List(all) => all.into_iter().map(json).collect(),
        Value::Record(fields) => Json::Object(
            fields.into_iter().map(|(name, value)| (name.to_owned(), json(value))).collect::<Map<_, _>>(),
        ),
    }
}
