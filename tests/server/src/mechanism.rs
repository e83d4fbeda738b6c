//! The lines `mechanism` and `step` of a dialogue file.

use crate::dialogue::assignment;
use crate::text::unescape;

/// A login mechanism of the caller's own.
#[derive(Clone, Debug)]
pub struct Mechanism {
    /// Its name.
    pub name: String,
    /// Whether it says that it shows no secret.
    pub hides: bool,
    /// What it must be asked each time, `-` where it begins, and what it answers: `more` or `last`, with `+` and a response where
    /// it has one, or `!` and why it fails.
    pub steps: Vec<(String, String)>,
}

/// Reads such a line; false where it is another.
pub(crate) fn line(line: &str, mechanisms: &mut Vec<Mechanism>) -> Result<bool, String> {
    if let Some(mechanism) = line.strip_prefix("mechanism ") {
        let (name, hides) = match mechanism.trim().split_once(' ') {
            None => (mechanism.trim(), false),
            Some((name, "hides")) => (name, true),
            Some(_) => return Err(format!("`mechanism NAME` or `mechanism NAME hides`, not {line}")),
        };
        mechanisms.push(Mechanism { name: name.into(), hides, steps: Vec::new() });
        return Ok(true);
    }
    let Some(step) = line.strip_prefix("step ") else { return Ok(false) };
    let (challenge, answer) = assignment(step)?;
    let answer = String::from_utf8(unescape(answer)?).map_err(|_| "the answer is not UTF-8")?;
    let said = ["more", "last"].iter().find_map(|word| answer.strip_prefix(word));
    let is_step =
        answer.starts_with('!') || said.is_some_and(|said| said.is_empty() || said.starts_with(" +"));
    if answer.contains('\0') || !is_step {
        return Err(format!(
            "a step is `more`, `more +TEXT`, `last`, `last +TEXT` or `!WORDS`, not {answer}"
        ));
    }
    let mechanism = mechanisms.last_mut().ok_or("a step without a mechanism before it")?;
    mechanism.steps.push((challenge.into(), answer));
    Ok(true)
}
