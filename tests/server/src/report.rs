//! The report section of a dialogue file against the lines that a runner printed.

/// Names of which a file gives all lines, or none where it does not matter.
const LISTS: [&str; 5] = ["commit", "recipient", "refused", "attempt", "field"];

/// Compares the expected lines with what a runner printed: `name = words`, one a line.
///
/// # Errors
/// One line for each difference.
pub fn check(expected: &[(String, String)], printed: &str) -> Result<(), String> {
    let printed: Vec<(&str, &str)> =
        printed.lines().filter_map(|l| l.split_once('=')).map(|(n, v)| (n.trim(), v.trim())).collect();
    let values = |name: &str| printed.iter().filter(|(n, _)| *n == name).map(|(_, v)| *v).collect::<Vec<_>>();
    let mut differences = Vec::new();
    let mut expect = |holds: bool, name: &str, want: &str, got: &str| {
        if !holds {
            differences.push(format!("report: expected `{name} = {want}`, got `{got}`"));
        }
    };

    for (name, want) in expected.iter().filter(|(name, _)| !LISTS.contains(&name.as_str())) {
        let got = values(name).first().copied().unwrap_or("-");
        let holds = match name.as_str() {
            "error_text" => got.contains(want.as_str()),
            "used" | "avoided" => {
                want.split_whitespace().all(|word| got.split_whitespace().any(|w| w == word))
            }
            "status" => got == want,
            _ => begins_with(got, want),
        };
        expect(holds, name, want, got);
    }
    for name in LISTS {
        let want: Vec<&str> = expected.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect();
        let got = values(name);
        // Of what option `commit` was asked, a file without a line says that it was not.
        let any = !want.is_empty() || name == "commit";
        for index in 0..if any { want.len().max(got.len()) } else { 0 } {
            let (want, got) = (want.get(index).copied(), got.get(index).copied());
            let holds = want.zip(got).is_some_and(|(want, got)| begins_with(got, want));
            expect(holds, name, want.unwrap_or("(no more)"), got.unwrap_or("(no more)"));
        }
    }
    if let (Some(got), false) = (values("error").first(), expected.iter().any(|(name, _)| name == "error")) {
        expect(*got == "-", "error", "-", got);
    }
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

/// Whether the words of `want` are the first words of `got`; `*` is any word.
fn begins_with(got: &str, want: &str) -> bool {
    let mut got = got.split_whitespace();
    want.split_whitespace().all(|want| got.next().is_some_and(|got| want == "*" || want == got))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "status = partial\nrecipient = a@b accepted final 250 -\nrecipient = c@d rejected rcpt 550 5.1.1\n\
        refused = c@d 550 5.1.1 no such = user\nqueue_id = -\nreply = 250 Ok: queued\nused = PIPELINING SIZE\nattempt = ok\n";

    fn verdict(lines: &[&str]) -> Result<(), String> {
        let expected: Vec<_> =
            lines.iter().map(|l| l.split_once(" = ").unwrap()).map(|(n, v)| (n.into(), v.into())).collect();
        check(&expected, PRINTED)
    }

    #[test]
    fn what_holds_passes() {
        verdict(&["status = partial", "used = SIZE", "reply = 250", "queue_id = -", "attempt = ok"]).unwrap();
        verdict(&["recipient = a@b accepted final 250 -", "recipient = c@d rejected * 550"]).unwrap();
        verdict(&["refused = c@d 550 5.1.1 no such = user"]).unwrap();
    }

    #[test]
    fn what_differs_fails() {
        for lines in [
            &["status = sent"][..],
            &["recipient = a@b accepted"],
            &["recipient = c@d rejected", "recipient = a@b accepted"],
            &["recipient = a@b accepted", "recipient = c@d rejected", "recipient = e@f rejected"],
            &["used = DSN"],
            &["queue_id = 4ABC"],
            &["reply = 251"],
            &["error = refused"],
            &["error_text = x"],
            &["recipient = a@b accepted final 250 - more", "recipient = c@d rejected"],
        ] {
            verdict(lines).unwrap_err();
        }
    }

    #[test]
    fn an_error_that_nobody_expected_fails() {
        let status = [("status".to_string(), "error".to_string())];
        assert!(
            check(&status, "status = error\nerror = closed mail transient - -\n")
                .unwrap_err()
                .contains("closed")
        );
        check(&status, "status = error\nerror = -\n").unwrap();
    }
}
