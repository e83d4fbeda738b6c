//! What was answered, and what the server offers.

use std::ffi::{CString, c_char, c_int};

use smtpclient::dialogue::Dialogue;

use super::ask::{Given, number_of};
use super::smtp_engine;
use super::state::Work;
use crate::code::{SMTP_ERR_NULL, SMTP_ERR_USAGE};
use crate::guard::{alone, code};
use crate::result::{hand_over, smtp_result};
use crate::session::with_error;
use crate::strings::{EMPTY, c_string, clear, empty};

/// Takes the next answer: 1, and `*ticket` says to what; 0 if there is none. The functions below tell what it
/// is, until the next call of this one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_answer(engine: *mut smtp_engine, ticket: *mut i64) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        let Some(ticket) = ticket.as_mut() else { return SMTP_ERR_NULL };
        alone(engine, code, |state| {
            let Work::Session(dialogue) = &mut state.work else { return 0 };
            state.answer = None;
            let Some((own, next)) = dialogue.poll_answer() else { return 0 };
            *ticket = number_of(own);
            state.answer = Some(Given::new(next));
            state.open = state.open.saturating_sub(1);
            if state.open == 0 {
                state.set_deadline(None); // nobody waits
            }
            1
        })
    }
}

/// `SMTP_OK` if there is a reply, whatever it says, and if a login or introduction succeeded; a negative code
/// if not. For a message the status of its result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_answer_status(engine: *const smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { number(engine, |answer| answer.status) }
}

/// The code of the server's reply; 0 if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_answer_code(engine: *const smtp_engine) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { number(engine, |answer| answer.code) }
}

/// The enhanced status code of that reply, as `"2.1.5"`; empty if it has none. This and the strings below live
/// until the next `smtp_engine_answer()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_answer_enhanced(engine: *const smtp_engine) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(engine, |answer| &answer.enhanced) }
}

/// The text of that reply without its codes; lines are separated by `\n`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_answer_text(engine: *const smtp_engine) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(engine, |answer| &answer.text) }
}

/// Why no reply came, or why what was asked failed, in one line; empty otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_answer_error(engine: *const smtp_engine) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(engine, |answer| &answer.error) }
}

/// What became of a message or of DATA: `*out` gets a result to be freed with `smtp_result_free()`, and its status
/// is returned; `SMTP_ERR_USAGE` and NULL if the answer is to something else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_answer_result(
    engine: *const smtp_engine,
    out: *mut *mut smtp_result,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        clear(out);
        if out.is_null() {
            return SMTP_ERR_NULL;
        }
        alone(engine, code, |state| match &state.answer {
            Some(Given { report: Some(report), .. }) => hand_over(with_error(report), out),
            _ => SMTP_ERR_USAGE,
        })
    }
}

/// The extensions that the server of a session offered last, `"SIZE 1000"` and so on, separated by `\n`. Lives until
/// the next call that takes `engine` without `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_extensions(engine: *mut smtp_engine) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe {
        offer(engine, |dialogue| {
            let line =
                |(keyword, parameters): (&str, &str)| format!("{keyword} {parameters}").trim().to_owned();
            dialogue.extensions().keywords().map(line).collect::<Vec<_>>().join("\n")
        })
    }
}

/// The SASL mechanisms that the server of a session offered last, separated by `\n`. As `smtp_engine_extensions()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_engine_auth_types(engine: *mut smtp_engine) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { offer(engine, |dialogue| dialogue.extensions().auth().join("\n")) }
}

/// # Safety
/// As for [`alone`].
unsafe fn offer(engine: *mut smtp_engine, text: fn(&Dialogue) -> String) -> *const c_char {
    // SAFETY: as the caller says.
    unsafe {
        alone(engine, empty, |state| {
            let Work::Session(dialogue) = &state.work else { return EMPTY };
            state.offer = c_string(&text(dialogue));
            state.offer.as_ptr()
        })
    }
}

/// # Safety
/// As for [`alone`].
unsafe fn number(engine: *const smtp_engine, pick: fn(&Given) -> c_int) -> c_int {
    // SAFETY: as the caller says.
    unsafe { alone(engine, code, |state| state.answer.as_ref().map_or(0, pick)) }
}

/// # Safety
/// As for [`alone`].
unsafe fn text(engine: *const smtp_engine, pick: fn(&Given) -> &CString) -> *const c_char {
    // SAFETY: as the caller says.
    unsafe {
        alone(engine, empty, |state| state.answer.as_ref().map_or(EMPTY, |answer| pick(answer).as_ptr()))
    }
}
