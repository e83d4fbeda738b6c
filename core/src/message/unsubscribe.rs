//! One-click unsubscribing (RFC 8058), which large mailbox providers ask of bulk senders.

use super::field::HeaderMode;
use super::token::Message;
use crate::error::Error;

impl Message {
    /// Says how a recipient leaves the list with one click (RFC 8058), and by mail (RFC 2369): `List-Unsubscribe` and
    /// `List-Unsubscribe-Post`, in place of those that are there. Mailbox providers POST `List-Unsubscribe=One-Click` to `https`,
    /// which must name list and recipient by itself and ask nothing. Sign the message by DKIM: option `dkim` covers both
    /// fields, without which the RFC has the receiver ignore them (section 4).
    ///
    /// `mailto` is an address, or `address?subject=...` with its text percent-encoded.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for a URL that does not begin with `https://` or has octets that no URL has, and
    /// for a `mailto` without `@`.
    pub fn set_unsubscribe(&mut self, https: &str, mailto: Option<&str>) -> Result<(), Error> {
        let host =
            https.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("https://")).map(|_| &https[8..]);
        if !host
            .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '['))
            || !is_uri(https)
        {
            return Err(Error::usage(format!(
                "unsubscribe: {https:?} is not a URL for one click: give one as https://example.org/u/4711 (RFC 8058), with every \
                 other octet percent-encoded"
            )));
        }
        let mut value = format!("<{https}>");
        if let Some(mailto) = mailto {
            let has_scheme = mailto.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
            let address = if has_scheme { &mailto[7..] } else { mailto };
            let (mailbox, _) = address.split_once('?').unwrap_or((address, ""));
            if mailbox.contains(':')
                || mailbox.matches('@').count() != 1
                || !is_uri(address)
                || !mailbox
                    .split_once('@')
                    .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
            {
                return Err(Error::usage(format!(
                    "unsubscribe: {mailto:?} is not an address to unsubscribe by: give one as leave@example.org?subject=4711 (RFC 6068)"
                )));
            }
            value = format!("<mailto:{address}>, {value}");
        }
        self.set_header("List-Unsubscribe", &value, HeaderMode::Write)?;
        self.set_header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click", HeaderMode::Write)
    }
}

/// Whether each octet is one that a URI has (RFC 3986 section 2), so that it can stand between `<` and `>`.
fn is_uri(text: &str) -> bool {
    let is_escape = |rest: &str| rest.get(..2).is_some_and(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
    !text.is_empty()
        && text.split('%').skip(1).all(is_escape)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b))
}
