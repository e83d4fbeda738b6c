//! The servers to try, as options `servers` and `ports` name them.

mod order;

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use url::Url;

use crate::engine::Protocol;
use crate::error::Error;
use crate::options::{Options, percent_decode, shown_server};
use crate::secret::Secret;

#[cfg(feature = "net")]
pub(crate) use self::order::Preference;
pub use self::order::servers_in_order;

/// Where to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A host's name or address, without brackets.
    Tcp {
        /// Name, IPv4 or IPv6 address.
        host: String,
        /// Port, 1 to 65535.
        port: u16,
    },
    /// A Unix domain socket.
    Unix(PathBuf),
    /// A delivery agent on this machine, which needs no network.
    Agent(Agent),
}

/// What takes messages on this machine. It answers as an LMTP server does (RFC 2033), for each recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Agent {
    /// `null:`: everything is accepted, and thrown away.
    Nobody,
    /// `file:/folder`: each message becomes `NAME.eml`, with CRLF at the end of every line, and the lines of its envelope
    /// `NAME.envelope`.
    Folder(PathBuf),
    /// `sendmail:/path`: a program that is called as sendmail(8), without a shell, with `-i -f SENDER -- RECIPIENT...` and the
    /// message on its standard input. Its exit status says what became of the message (sysexits.h).
    Program(PathBuf),
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("null:"),
            Self::Folder(path) => write!(f, "file:{}", path.display()),
            Self::Program(path) => write!(f, "sendmail:{}", path.display()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Agent(agent) => agent.fmt(f),
        }
    }
}

/// Who logs in at one server, as its URL says: in place of options `username` and `password`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerLogin {
    /// The user name.
    pub username: String,
    /// The password; `None`: that of the options.
    pub password: Option<Secret>,
}

impl ServerLogin {
    /// The options for this server.
    pub(crate) fn over(&self, options: &Options) -> Options {
        let mut options = options.clone();
        options.username = Some(self.username.clone());
        if let Some(password) = &self.password {
            // A token is another server's.
            (options.password, options.oauthtoken) = (Some(password.clone()), None);
        }
        options
    }
}

/// The options for an agent on this machine: there is nobody to log in to, and nobody who could listen, so that the same options
/// serve a relay and, in staging, an agent in its place.
pub(crate) fn without_network(options: &Options) -> Options {
    Options {
        username: None,
        password: None,
        oauthtoken: None,
        mechanisms: Vec::new(),
        usetls: false,
        tlsrequired: false,
        tlsfingerprint: Vec::new(),
        tls: None,
        ..options.clone()
    }
}

impl PartialEq for ServerLogin {
    fn eq(&self, other: &Self) -> bool {
        let octets = |login: &Self| login.password.as_ref().map(|password| password.expose().to_vec());
        self.username == other.username && octets(self) == octets(other)
    }
}

impl Eq for ServerLogin {}

/// One server: where it is and what it speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Server {
    /// Where to connect to.
    pub target: Target,
    /// SMTP, or LMTP by `lmtp://` or option `lmtp`.
    pub protocol: Protocol,
    /// Implicit TLS, by `smtps://` or option `tlsimport`.
    pub tls: bool,
    /// Who logs in, where its URL says so.
    pub login: Option<ServerLogin>,
}

impl Server {
    /// A server at `target`; `tls` from the first byte.
    pub fn new(target: Target, protocol: Protocol, tls: bool) -> Self {
        Self { target, protocol, tls, login: None }
    }

    /// Whether the entry names this machine, so that the client is `localhost` too.
    pub fn is_localhost(&self) -> bool {
        match &self.target {
            Target::Tcp { host, .. } => host.eq_ignore_ascii_case("localhost"),
            Target::Unix(_) | Target::Agent(_) => true,
        }
    }

    /// Whether it is an agent on this machine, for which there is neither login nor TLS.
    pub(crate) fn is_agent(&self) -> bool {
        matches!(self.target, Target::Agent(_))
    }

    /// The name that a certificate must bear; none for a Unix socket.
    pub fn host(&self) -> &str {
        match &self.target {
            Target::Tcp { host, .. } => host,
            Target::Unix(_) | Target::Agent(_) => "localhost",
        }
    }
}

/// The servers of `options` in order, ports in tandem.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage) for an entry that names no server.
pub fn servers(options: &Options) -> Result<Vec<Server>, Error> {
    let mut servers = Vec::with_capacity(options.servers.len());
    let port = |n| options.ports.get(n).copied().filter(|port| *port > 0);
    for (n, entry) in options.servers.iter().enumerate() {
        // An empty entry is skipped together with its port.
        if !entry.trim().is_empty() {
            servers.push(parse(entry.trim(), port(n), options)?);
        }
    }
    if servers.is_empty() {
        servers.push(parse("localhost", port(0), options)?);
    }
    Ok(servers)
}

fn parse(entry: &str, port: Option<u16>, options: &Options) -> Result<Server, Error> {
    let protocol = if options.lmtp { Protocol::Lmtp } else { Protocol::Smtp };
    // A URL loses some of them when it is read, which would name another host.
    if entry.contains(char::is_control) {
        return Err(bad(entry, "it has a control character: remove it"));
    }
    // Schemes are case-insensitive (RFC 3986 section 3.1).
    if let Some((scheme, path)) = entry.split_once(':')
        && scheme.eq_ignore_ascii_case("unix")
    {
        if !path.starts_with('/') || has_host(path) {
            return Err(bad(
                entry,
                "give the socket's absolute path, as in unix:/run/lmtp; who logs in is said by options `username` and `password`",
            ));
        }
        return Ok(Server::new(Target::Unix(path.into()), protocol, options.tlsimport));
    }
    if let Some(agent) = agent(entry)? {
        return Ok(Server::new(Target::Agent(agent), Protocol::Lmtp, false));
    }
    if entry.contains("://") {
        return parse_url(entry, port, options.tlsimport, protocol);
    }
    // `smtp:25` is a host of that name, `lmtp:/run/lmtp` is not.
    if let Some((scheme, rest)) = entry.split_once(':')
        && SCHEMES.contains(&scheme.to_ascii_lowercase().as_str())
        && !rest.starts_with(|c: char| c.is_ascii_digit())
    {
        return Err(bad(entry, FORMS));
    }
    let (host, own_port) = split_port(entry)?;
    let port = own_port.or(port).unwrap_or(25);
    Ok(Server::new(tcp(entry, host, port)?, protocol, options.tlsimport))
}

const SCHEMES: [&str; 4] = ["smtp", "smtps", "submission", "lmtp"];
const FORMS: &str = "give host, host:port, smtp://host, smtps://host, submission://host, lmtp://host, unix:/path (and option \
                     `lmtp`, if LMTP is spoken there), sendmail:/path, file:/folder or null:";

const PORT: &str = "the port must be between 1 and 65535";

/// Whether a host stands before the path: in `sendmail://user@host/`, not in `file:///folder` (RFC 8089).
fn has_host(path: &str) -> bool {
    path.starts_with("//") && !path.starts_with("///")
}

/// `null:`, `file:/folder` and `sendmail:/path`.
fn agent(entry: &str) -> Result<Option<Agent>, Error> {
    let absolute = |text: &str| match PathBuf::from(text) {
        path if path.is_absolute() && !has_host(text) => Ok(path),
        _ => Err(bad(
            entry,
            "give an absolute path, as in file:/var/spool/staging or sendmail:/usr/sbin/sendmail",
        )),
    };
    let Some((scheme, path)) = entry.split_once(':') else { return Ok(None) };
    Ok(match scheme.to_ascii_lowercase().as_str() {
        "null" if path.is_empty() => Some(Agent::Nobody),
        "null" => return Err(bad(entry, "nothing may follow null:")),
        "file" => Some(Agent::Folder(absolute(path)?)),
        "sendmail" => Some(Agent::Program(absolute(path)?)),
        _ => None,
    })
}

fn parse_url(entry: &str, port: Option<u16>, tlsimport: bool, protocol: Protocol) -> Result<Server, Error> {
    let url = Url::parse(entry).map_err(|error| match error {
        url::ParseError::InvalidPort => bad(entry, PORT),
        error => bad(entry, &error.to_string()),
    })?;
    let (protocol, tls, default_port) = match url.scheme() {
        "smtp" => (protocol, tlsimport, 25),
        "smtps" => (protocol, true, 465),
        "submission" => (protocol, tlsimport, 587),
        "lmtp" => (Protocol::Lmtp, tlsimport, 24), // RFC 2033 section 5: never 25
        _ => return Err(bad(entry, FORMS)),
    };
    if url.host_str().unwrap_or_default().is_empty() {
        return Err(bad(entry, FORMS));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(bad(entry, "nothing may follow host and port"));
    }
    // What is not ASCII stands there percent-encoded.
    let host = String::from_utf8(percent_decode(url.host_str().unwrap_or_default()));
    let host = &host.map_err(|_| bad(entry, "the host must be UTF-8"))?;
    let port = url.port().or(port).unwrap_or(default_port);
    Ok(Server { target: tcp(entry, host, port)?, protocol, tls, login: login(entry, &url)? })
}

/// The `user:password@` of a URL, both percent-encoded (RFC 3986 section 3.2.1).
fn login(entry: &str, url: &Url) -> Result<Option<ServerLogin>, Error> {
    let after = entry.split_once("://").map_or("", |(_, after)| after);
    let Some((user_info, _)) = after.rsplit_once('@') else { return Ok(None) };
    if url.username().is_empty() {
        return Err(bad(entry, "a user name must stand before the `@`"));
    }
    let ends_a_line = |octets: &[u8]| octets.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0));
    let username = String::from_utf8(percent_decode(url.username()));
    let username = username.map_err(|_| bad(entry, "the user name must be UTF-8"))?;
    // The empty password is one, which `Url` does not tell from none.
    let password = url.password().or_else(|| user_info.contains(':').then_some(""));
    let password = password.map(|password| Secret::new(percent_decode(password)));
    if ends_a_line(username.as_bytes()) || password.as_ref().is_some_and(|p| ends_a_line(p.expose())) {
        return Err(bad(entry, "user name and password must have neither line end nor NUL"));
    }
    Ok(Some(ServerLogin { username, password }))
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`, or a bare IPv6 address.
fn split_port(entry: &str) -> Result<(&str, Option<u16>), Error> {
    let port = |text: &str| match text.parse() {
        Ok(port) if port > 0 && text.starts_with(|c: char| c.is_ascii_digit()) => Ok(Some(port)),
        _ => Err(bad(entry, PORT)),
    };
    if let Some(rest) = entry.strip_prefix('[') {
        return match rest.split_once(']') {
            Some((host, "")) => Ok((host, None)),
            Some((host, tail)) if tail.starts_with(':') => Ok((host, port(tail.trim_start_matches(':'))?)),
            _ => Err(bad(entry, "an IPv6 address stands in brackets, as in [::1]:25")),
        };
    }
    match entry.split_once(':') {
        Some((host, tail)) if !tail.contains(':') => Ok((host, port(tail)?)),
        _ => Ok((entry, None)),
    }
}

fn tcp(entry: &str, host: &str, port: u16) -> Result<Target, Error> {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if !is_host_name(host) {
        return Err(bad(entry, &format!("that is not a host name: {FORMS}")));
    }
    // To a resolver it is an address, 0.0.0.25.
    if host.bytes().all(|octet| octet.is_ascii_digit()) {
        let text = "a port stands after its host, as in mail.example.org:25, or in option `ports`";
        return Err(bad(entry, text));
    }
    if host.contains(':')
        && host.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_err())
    {
        return Err(bad(entry, "that is neither host:port nor an IPv6 address"));
    }
    Ok(Target::Tcp { host: host.to_owned(), port })
}

/// Whether it may be the name or the address of a host.
pub(crate) fn is_host_name(host: &str) -> bool {
    let is_wrong = |c: char| c.is_control() || c.is_whitespace() || "/@<>\"\\[]".contains(c);
    !host.is_empty() && !host.contains(is_wrong)
}

fn bad(entry: &str, why: &str) -> Error {
    Error::usage(format!("option `servers`: {:?}: {why}", shown_server(entry)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(servers: &[&str], ports: &[u16]) -> Vec<String> {
        let options = Options {
            servers: servers.iter().map(|s| (*s).to_owned()).collect(),
            ports: ports.to_vec(),
            ..Options::default()
        };
        super::servers(&options).unwrap().iter().map(|s| s.target.to_string()).collect()
    }

    #[test]
    fn ports_walk_in_tandem_and_empty_entries_are_skipped_with_theirs() {
        assert_eq!(parsed(&["a", "b", "c"], &[2525, 2526]), ["a:2525", "b:2526", "c:25"]);
        assert_eq!(parsed(&["a", "", "c"], &[1, 2, 3, 4]), ["a:1", "c:3"]);
        assert_eq!(parsed(&[], &[]), ["localhost:25"]);
        assert_eq!(parsed(&[""], &[2525]), ["localhost:2525"]);
        assert_eq!(parsed(&["a", "smtps://b", "c"], &[0, 0, 2527]), ["a:25", "b:465", "c:2527"]);
    }

    #[test]
    fn urls_and_ports_of_their_own() {
        assert_eq!(
            parsed(&["smtps://m.example", "submission://m", "lmtp://m", "smtp://m:26", "unix:/run/x"], &[]),
            ["m.example:465", "m:587", "m:24", "m:26", "unix:/run/x"]
        );
        assert_eq!(
            parsed(&["[::1]:26", "::1", "h:27", "smtp://[::1]", "lmtp:24"], &[]),
            ["[::1]:26", "[::1]:25", "h:27", "[::1]:25", "lmtp:24"]
        );
    }

    #[test]
    fn a_host_beyond_ascii_is_the_same_in_a_url() {
        assert_eq!(
            parsed(&["b\u{fc}cher.example:26", "smtp://b\u{fc}cher.example:26"], &[]),
            ["b\u{fc}cher.example:26"; 2]
        );
    }

    #[test]
    fn what_names_no_server_is_an_error_that_shows_no_password() {
        for entry in [
            "http://m",
            "unix:relative",
            "a b",
            "h:0",
            "h:99999",
            "[::1",
            "smtp://m/path",
            "smtp://",
            "a\nb",
            "smtp:0",
            "25",
            "25:25",
            "smtp://25",
            "h:25:26",
            "h:+25",
            "/run/x",
            "lmtp:///run/x",
            "2001:db8::1]",
            "smtp://good.example\t.evil",
            "smtp://h:2\t6",
            "smtp://h\0x",
            "smtp://a%2fb",
            "smtp://h%3a26",
        ] {
            let options = Options { servers: vec![entry.to_owned()], ..Options::default() };
            assert!(super::servers(&options).unwrap_err().text().starts_with("option `servers`"), "{entry}");
        }
        for entry in ["lmtp:/run/lmtp", "LMTP:/run/lmtp:24", "smtps:m", "http://m", "smtp:"] {
            let options = Options { servers: vec![entry.to_owned()], ..Options::default() };
            let text = super::servers(&options).unwrap_err().text().to_owned();
            assert!(text.contains("unix:/path (and option `lmtp`"), "{text}");
        }
        for entry in [
            "smtp://:hunter2@m",
            "smtp://:@m",
            "smtp://@m",
            "smtp://u:hunter2@m/x",
            "smtp://u:hunter2@",
            "ftp://u:hunter2@m",
            "smtp://u:hunter2",
            "smtp://u:hunter2%0d@m",
            "smtp://%ff:hunter2@m",
            "smtp://u:p/hunter2@m",
            "smtp://u:p@hunter2@m x",
            "hunter2@m",
            "unix://u:hunter2@/run/x",
            "unix://u:hunter2@h/run/x",
            "unix://u:hunter2",
            "unix://hunter2@/run/x",
            "sendmail://u:hunter2@h/x",
            "file://u:hunter2@/x",
            "smtp://u:hunter2@m/x?q=y",
            "smtp:/u:hunter2@m",
            "null:u:hunter2@m",
        ] {
            let options = Options { servers: vec![entry.to_owned()], ..Options::default() };
            let text = super::servers(&options).unwrap_err().text().to_owned();
            assert!(text.starts_with("option `servers`") && !text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn a_url_may_say_who_logs_in() {
        let of = |entry: &str| {
            let options = Options { servers: vec![entry.to_owned()], ..Options::default() };
            let server = super::servers(&options).unwrap().remove(0);
            let login = server.login.clone();
            assert!(!format!("{server:?} {options:?}").contains("hunter"), "{server:?} {options:?}");
            let octets = |login: &ServerLogin| login.password.as_ref().map(|p| p.expose().to_vec());
            (
                server.target.to_string(),
                login.as_ref().map(|l| l.username.clone()),
                login.as_ref().and_then(octets),
            )
        };
        let user = |name: &str| Some(name.to_owned());
        assert_eq!(of("smtp://tim:hunter2@m"), ("m:25".into(), user("tim"), Some(b"hunter2".to_vec())));
        assert_eq!(
            of("smtps://tim%40example.org:hunter%2C%e2%82%ac%40@[::1]:26"),
            ("[::1]:26".into(), user("tim@example.org"), Some("hunter,\u{20ac}@".into()))
        );
        assert_eq!(of("smtp://tim@m"), ("m:25".into(), user("tim"), None));
        assert_eq!(of("smtp://tim:@m"), ("m:25".into(), user("tim"), Some(Vec::new())));
        assert_eq!(of("smtp://m"), ("m:25".into(), None, None));
    }
}
