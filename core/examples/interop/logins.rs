//! Every mechanism, with the right secret and with a wrong one; and a session of several messages, driven by verbs.

use std::sync::{Arc, Mutex};

use smtpclient::error::Kind;
use smtpclient::message::Message;
use smtpclient::net::{Session, sendmessage};
use smtpclient::options::Options;
use smtpclient::report::Report;
use smtpclient::sasl::MechanismName;
use smtpclient::secret::Secret;

pub(crate) const USER: &str = "user@example.test";
pub(crate) const PASSWORD: &str = "pass";
const WRONG: &str = "wr0ng-secret";

/// A port where logins are offered.
pub(crate) struct Server<'a> {
    pub(crate) name: &'a str,
    pub(crate) port: u16,
    /// How TLS is set up: `none`, `starttls`, `first`.
    pub(crate) tls: &'a str,
    /// The folder that it was started with.
    pub(crate) base: &'a str,
}

/// One cell for each mechanism (`yes`, `-`, `unbindable`, `FAILED`); what failed goes to `faults`.
pub(crate) fn row(server: &Server<'_>, faults: &mut Vec<String>) -> Vec<&'static str> {
    let cells = MechanismName::ALL.map(|mechanism| {
        server.cell(&mechanism).unwrap_or_else(|text| {
            faults.push(format!("{} {} {mechanism}: {text}", server.name, server.tls));
            "FAILED"
        })
    });
    if let Err(text) = server.session() {
        faults.push(format!("{} {} session: {text}", server.name, server.tls));
    }
    cells.to_vec()
}

impl Server<'_> {
    fn options(&self) -> Options {
        let mut options = Options::default();
        options.servers = vec!["localhost".to_owned()];
        options.ports = vec![self.port];
        options.usetls = self.tls != "none";
        options.tlsrequired = self.tls != "none";
        options.tlsimport = self.tls == "first";
        options.tlscafile = Some(format!("{}/tls/ca.pem", self.base));
        options.recipients = Some("a@example.test".into());
        options
    }

    /// Whether the server offers the mechanism to one with a certificate, or without.
    fn offers(&self, mechanism: &MechanismName) -> bool {
        let mut options = self.options();
        self.add_certificate(&mut options, mechanism);
        let offered = Session::open("localhost", self.port, &options)
            .and_then(|mut session| session.auth_types().map(<[String]>::to_vec));
        offered.unwrap().iter().any(|name| name == mechanism.as_str())
    }

    fn add_certificate(&self, options: &mut Options, mechanism: &MechanismName) {
        if *mechanism == MechanismName::External {
            options.tlscertfile = Some(format!("{}/tls/client.pem", self.base));
            options.tlskeyfile = Some(format!("{}/tls/client.key", self.base));
        }
    }

    /// STARTTLS, a wrong login, a login, no second one, two messages.
    fn session(&self) -> Result<(), String> {
        let mut options = self.options();
        // Each step is asked for here.
        (options.usetls, options.tlsrequired) = (false, false);
        let text = |error: smtpclient::error::Error| error.to_string();
        let mut session = Session::open("localhost", self.port, &options).map_err(text)?;
        if self.tls == "starttls" {
            let reply = session.starttls().map_err(text)?;
            if reply.code() != 220 {
                return Err(format!("STARTTLS: {reply}"));
            }
        }
        if (self.tls != "none") != session.tls().is_some_and(|tls| tls.verified) {
            return Err(format!("{:?}", session.tls()));
        }
        let types = session.auth_types().map_err(text)?;
        // Another than the one that fails, where there is another.
        let second = if types.iter().any(|name| name == "LOGIN") { "LOGIN" } else { "PLAIN" };
        match session.authenticate(USER, WRONG, Some("PLAIN")) {
            Err(error) if error.kind() == Kind::Login && session.is_open() => {}
            other => return Err(format!("a wrong login: {other:?}")),
        }
        session.authenticate(USER, PASSWORD, Some(second)).map_err(text)?;
        match session.authenticate(USER, PASSWORD, None) {
            Err(error) if error.kind() == Kind::Usage => {}
            other => return Err(format!("a second login: {other:?}")),
        }
        for _ in 0..2 {
            let report = session.send("user@example.test", "a@example.test", "", "", "x", b"Hello.\n");
            let report = report.map_err(|failed| failed.to_string())?;
            if !report.complete() {
                return Err(format!("{report:?}"));
            }
        }
        session.quit().map(drop).map_err(text)
    }

    fn cell(&self, mechanism: &MechanismName) -> Result<&'static str, String> {
        if !self.offers(mechanism) || (*mechanism == MechanismName::External && self.tls == "none") {
            return Ok("-");
        }
        // These servers know tls-exporter and tls-unique alone, which native-tls cannot have.
        if mechanism.is_plus() && smtpclient::tls::library() == "native-tls" {
            return Ok("unbindable");
        }
        let (report, transcript) = self.send(mechanism, true);
        if !report.complete() {
            return Err(format!("the right secret: {:?}\n{transcript}", report.error));
        }
        let logins = &report.attempts[0].logins;
        if logins.len() != 1 || logins[0].mechanism != mechanism.as_str() || logins[0].error.is_some() {
            return Err(format!("another login: {logins:?}"));
        }
        if self.tls != "none" && !report.attempts[0].tls.as_ref().is_some_and(|tls| tls.verified) {
            return Err("not verified".to_owned());
        }
        let (report, transcript) = self.send(mechanism, false);
        match &report.error {
            Some(error)
                if error.kind() == Kind::Login
                    && error.reply().is_some_and(|reply| reply.is_failure())
                    && !report.sent()
                    && !transcript.contains(WRONG)
                    && transcript.ends_with("Client QUIT\n")
                    && !transcript.contains("MAIL") =>
            {
                Ok("yes")
            }
            other => Err(format!("a wrong secret: {other:?}\n{transcript}")),
        }
    }

    fn send(&self, mechanism: &MechanismName, right: bool) -> (Report, String) {
        let mut options = self.options();
        self.add_certificate(&mut options, mechanism);
        options.auth = vec![mechanism.as_str().to_owned()];
        let name = if right || *mechanism != MechanismName::External { USER } else { "other@example.test" };
        options.username = Some(name.to_owned());
        let secret = |good: &str| Secret::from(if right { good } else { WRONG });
        match mechanism {
            MechanismName::External => {}
            MechanismName::OauthBearer | MechanismName::Xoauth2 => {
                let token = std::fs::read_to_string(format!("{}/token", self.base));
                options.oauthtoken = Some(secret(token.as_deref().unwrap_or("token").trim()).into());
            }
            _ => options.password = Some(secret(PASSWORD)),
        }
        let lines = Arc::new(Mutex::new(String::new()));
        let noted = Arc::clone(&lines);
        options.transcript = Some(Arc::new(move |direction, line| {
            noted.lock().unwrap().push_str(&format!("{direction:?} {line}\n"));
        }));
        let message =
            Message::from_bytes("From: user@example.test\nTo: a@example.test\nSubject: x\n\nHello.\n");
        let report = sendmessage(&message, &options).unwrap_or_else(|failed| *failed.report);
        let lines = lines.lock().unwrap().clone();
        (report, lines)
    }
}
