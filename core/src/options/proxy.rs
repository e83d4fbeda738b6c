//! Option `proxy`, read when it is set.

use url::Url;

use crate::error::Error;
use crate::secret::Secret;

/// What the option's text names.
#[cfg_attr(not(feature = "net"), expect(dead_code, reason = "only sockets go through a proxy"))]
pub(crate) struct ProxyUrl {
    pub(crate) scheme: ProxyScheme,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) login: Option<ProxyLogin>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyScheme {
    Socks5,
    Http,
}

#[derive(Clone, Debug)]
pub(crate) struct ProxyLogin {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Secret,
}

impl ProxyUrl {
    /// `socks5://[user:password@]host:port`, the same with `socks5h`, or `http://[user:password@]host:port`.
    ///
    /// # Errors
    /// Usage. The text does not repeat the option, because the password is in it.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        // The url crate drops line ends and tabs without a word.
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(invalid("it contains white space or a control character"));
        }
        let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
        let scheme = match url.scheme() {
            "socks5" | "socks5h" => ProxyScheme::Socks5,
            "http" => ProxyScheme::Http,
            _ => return Err(invalid("its scheme is none of socks5, socks5h and http")),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("something follows the port"));
        }
        let default_port = match scheme {
            ProxyScheme::Socks5 => 1080,
            ProxyScheme::Http => 80,
        };
        let host = String::from_utf8(percent_decode(url.host_str().unwrap_or_default()))
            .map_err(|_| invalid("its host is not UTF-8"))?;
        if host.is_empty() {
            return Err(invalid("it has no host"));
        }
        let login = login(&url);
        check_login(scheme, login.as_ref())?;
        Ok(Self { scheme, host, port: url.port().unwrap_or(default_port), login })
    }
}

fn login(url: &Url) -> Option<ProxyLogin> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let password = Secret::new(percent_decode(url.password().unwrap_or_default()));
    Some(ProxyLogin { user: percent_decode(url.username()), password })
}

fn check_login(scheme: ProxyScheme, login: Option<&ProxyLogin>) -> Result<(), Error> {
    let Some(ProxyLogin { user, password }) = login else { return Ok(()) };
    if user.is_empty() {
        return Err(invalid("its user is empty"));
    }
    match scheme {
        // RFC 1929 section 2: one octet for each length. Servers take an empty password.
        ProxyScheme::Socks5 if user.len() > 255 || password.expose().len() > 255 => {
            Err(invalid("its user or password is longer than the 255 octets of SOCKS5"))
        }
        // RFC 7617 section 2: the first colon ends the user.
        ProxyScheme::Http if user.contains(&b':') => Err(invalid("its user contains a colon")),
        ProxyScheme::Http if user.iter().chain(password.expose()).any(u8::is_ascii_control) => {
            Err(invalid("its user or password contains a control character"))
        }
        _ => Ok(()),
    }
}

fn invalid(why: &str) -> Error {
    Error::usage(format!(
        "option proxy cannot be used: {why}; give socks5://[user:password@]host:port or http://[user:password@]host:port"
    ))
}

/// RFC 3986 section 2.1; a percent sign without two digits stands for itself.
pub(crate) fn percent_decode(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let octet = match (first, tail) {
            (b'%', [high, low, after @ ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| {
                rest = after;
                high << 4 | low
            }),
            _ => None,
        };
        decoded.push(octet.unwrap_or(*first));
    }
    decoded
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
