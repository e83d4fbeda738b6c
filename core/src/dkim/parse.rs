//! The value of option `dkim`.

use std::sync::Arc;

use super::Dkim;
use crate::error::Error;

#[cfg(not(feature = "dkim"))]
pub(crate) fn parse(_: &[u8]) -> Result<Vec<Arc<Dkim>>, Error> {
    Err(Error::usage(
        "option `dkim`: this build cannot sign: build it with feature `dkim`, or take the option out",
    ))
}

/// `domain=example.org; selector=mail; keyfile=/etc/dkim.pem`, and perhaps more. Each `selector` begins a further signature.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage), which names the tag and repeats no key.
#[cfg(feature = "dkim")]
pub(crate) fn parse(value: &[u8]) -> Result<Vec<Arc<Dkim>>, Error> {
    let usage = |text: String| Error::usage(format!("option `dkim`: {text}"));
    let text = std::str::from_utf8(value).map_err(|_| usage("the value must be UTF-8".to_owned()))?;
    own::signatures(text).map_err(usage)
}

#[cfg(feature = "dkim")]
mod own {
    use std::sync::Arc;
    use std::time::Duration;

    use zeroize::Zeroizing;

    use super::super::key::Key;
    use super::super::{Dkim, FIELDS, Over, Terms};

    const TAGS: &str = "`domain`, `selector`, `key`, `keyfile`, `identity`, `expire` and `headers`";

    /// What was said of one signature. What stands before the first selector holds for all.
    #[derive(Clone, Default)]
    struct Said {
        domain: Option<String>,
        selector: Option<String>,
        key: Option<Arc<Zeroizing<Vec<u8>>>>,
        identity: Option<String>,
        expire: Option<Duration>,
        fields: Option<Vec<(String, Over)>>,
    }

    pub(super) fn signatures(text: &str) -> Result<Vec<Arc<Dkim>>, String> {
        let mut all = Said::default();
        let mut each: Vec<Said> = Vec::new();
        for part in text.split(';').filter(|part| !part.trim().is_empty()) {
            let Some((tag, value)) = part.split_once('=') else {
                return Err(format!(
                    "each part must be a tag and a value, as `selector=mail`, with `;` between them; the tags are {TAGS}"
                ));
            };
            let (tag, value) = (tag.trim(), value.trim());
            if value.is_empty() {
                return Err(format!("`{}` has no value", tag.escape_debug()));
            }
            if tag == "selector" {
                each.push(Said { selector: Some(label(tag, value)?), ..Said::default() });
                continue;
            }
            each.last_mut().unwrap_or(&mut all).take(tag, value)?;
        }
        if each.is_empty() {
            return Err("`selector` is missing: the name under which the key is published".to_owned());
        }
        each.into_iter().map(|said| said.or(&all).finish().map(Arc::new)).collect()
    }

    impl Said {
        fn take(&mut self, tag: &str, value: &str) -> Result<(), String> {
            let is_there = match tag {
                "domain" => self.domain.is_some(),
                "key" | "keyfile" => self.key.is_some(),
                "identity" => self.identity.is_some(),
                "expire" => self.expire.is_some(),
                "headers" => self.fields.is_some(),
                _ => false,
            };
            if is_there {
                return Err(format!(
                    "`{tag}` is there twice for one signature; a further one begins with `selector`"
                ));
            }
            match tag {
                "domain" => self.domain = Some(label(tag, value)?),
                "key" => self.key = Some(Arc::new(Zeroizing::new(value.as_bytes().to_vec()))),
                "keyfile" => {
                    let octets = std::fs::read(value)
                        .map_err(|error| format!("the key file {} cannot be read: {error}", shown(value)))?;
                    self.key = Some(Arc::new(Zeroizing::new(octets)));
                }
                "identity" => self.identity = Some(identity(value)?),
                "expire" => {
                    let seconds = value.parse().ok().filter(|seconds| (1..=315_360_000).contains(seconds));
                    let seconds = seconds.ok_or_else(|| {
                        format!(
                            "`expire` must be a number of seconds from 1 to 315360000, not {:?}",
                            shown(value)
                        )
                    })?;
                    self.expire = Some(Duration::from_secs(seconds));
                }
                "headers" => self.fields = Some(fields(value)?),
                other => {
                    return Err(format!("there is no tag `{}`: the tags are {TAGS}", other.escape_debug()));
                }
            }
            Ok(())
        }

        fn or(self, all: &Self) -> Self {
            Self {
                domain: self.domain.or_else(|| all.domain.clone()),
                selector: self.selector,
                key: self.key.or_else(|| all.key.clone()),
                identity: self.identity.or_else(|| all.identity.clone()),
                expire: self.expire.or(all.expire),
                fields: self.fields.or_else(|| all.fields.clone()),
            }
        }

        fn finish(self) -> Result<Dkim, String> {
            let domain = self.domain.ok_or("`domain` is missing: the domain that signs")?;
            let key = self.key.ok_or("`keyfile` (or `key`) is missing: the private key, in PEM")?;
            if let Some(identity) = &self.identity {
                let own = identity.rsplit('@').next().unwrap_or_default();
                if own != domain && !own.ends_with(&format!(".{domain}")) {
                    return Err(format!(
                        "`identity` must end in the domain {domain} or in one below it (RFC 6376 section 3.5), not in {own:?}"
                    ));
                }
            }
            let terms = Terms {
                domain,
                selector: self.selector.unwrap_or_default(),
                identity: self.identity,
                expire: self.expire,
                fields: self.fields.unwrap_or_else(|| {
                    FIELDS.iter().map(|(name, over)| ((*name).to_owned(), *over)).collect()
                }),
            };
            Ok(Dkim { terms, key: Key::parse(&key)? })
        }
    }

    /// As much of a value as may be shown: where a `;` was forgotten, a key is in it.
    fn shown(value: &str) -> &str {
        value.find("key=").map_or(value, |at| value.get(..at).unwrap_or_default())
    }

    /// A domain, or the labels of a selector, in ASCII and lower case.
    fn label(tag: &str, value: &str) -> Result<String, String> {
        let wrong = || format!("`{tag}` must be a name as in DNS, not {:?}", shown(value));
        let ascii = idna::domain_to_ascii_strict(value).map_err(|_| wrong())?;
        if ascii.split('.').any(str::is_empty) { Err(wrong()) } else { Ok(ascii) }
    }

    /// `@example.org` or `user@example.org`.
    fn identity(value: &str) -> Result<String, String> {
        let wrong = || format!("`identity` must be `@domain` or an address, not {:?}", shown(value));
        let (local, domain) = value.rsplit_once('@').ok_or_else(wrong)?;
        // What dkim-quoted-printable (RFC 6376 section 2.11) would have to encode has no place in it.
        let allowed = |c: char| c.is_ascii_graphic() && !"=;@".contains(c);
        if !local.chars().all(allowed) {
            return Err(wrong());
        }
        Ok(format!("{local}@{}", label("identity", domain)?))
    }

    fn fields(value: &str) -> Result<Vec<(String, Over)>, String> {
        let names = value.split([':', ',', ' ']).map(str::trim).filter(|name| !name.is_empty());
        let mut fields: Vec<(String, Over)> = Vec::new();
        for name in names {
            if !name.bytes().all(|c| c.is_ascii_graphic()) {
                return Err(format!(
                    "`headers` must be names of fields with `:` between them, not {value:?}"
                ));
            }
            // Named twice: nobody may add one.
            match fields.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(name)) {
                Some((_, over)) => *over = Over::Always,
                None => fields.push((name.to_owned(), Over::Never)),
            }
        }
        if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("from")) {
            return Err("`headers` must name From (RFC 6376 section 5.4)".to_owned());
        }
        Ok(fields)
    }
}
