//! Who starts a set-user-ID program writes its environment, and must not choose whom it trusts.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use smtpclient::net;
use smtpclient::options::Options;

use crate::common::pki::{Folder, GOOD, TRUSTED};
use crate::common::sasl;
use crate::common::server::{Heard, Script, Server};
use crate::common::{PASSWORD, USER, acceptor, message};

const PORT: &str = "SMTPCLIENT_TEST_PORT";
const NOBODY: u32 = 65_534;

/// What the programs do that the tests below start: this one, again.
#[test]
fn program() {
    let Ok(port) = std::env::var(PORT) else { return };
    let mut options = Options::default();
    (options.servers, options.ports) = (vec!["127.0.0.1".into()], vec![port.parse().unwrap()]);
    (options.username, options.password) = (Some(USER.into()), Some(PASSWORD.into()));
    options.tlsrequired = true;
    let _ = net::sendmessage(&message(), &options);
}

/// What a server got from a program whose environment names its authority.
fn told(program: &Path, authority: &Path) -> Heard {
    let server = Server::one(Script::starttls(acceptor(&GOOD)).with(|s| {
        (s.secure, s.login) = (vec!["AUTH PLAIN"], Some(sasl::login(PASSWORD)));
    }));
    let status = Command::new(program)
        .args(["--exact", "privileged::program"])
        .env(PORT, server.port().to_string())
        .env("SSL_CERT_FILE", authority)
        .env("SSL_CERT_DIR", authority.parent().unwrap())
        .output()
        .unwrap()
        .status;
    assert!(status.success());
    server.finish().remove(0)
}

#[test]
#[allow(clippy::print_stderr)]
fn the_environment_chooses_no_authority_for_a_set_user_id_program() {
    let folder = Folder::new();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let authority = folder.file("ca.pem", TRUSTED.cert_pem());
    let own = std::env::current_exe().unwrap();
    let heard = told(&own, &authority);
    assert_eq!(heard.messages, 1, "an ordinary program honours the environment");

    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("set-user-id-{}", std::process::id()));
    fs::copy(&own, &program).unwrap();
    let made = chown(&program, Some(NOBODY), Some(NOBODY));
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    if made.is_err() {
        fs::remove_file(&program).unwrap();
        eprintln!("not tried with a set-user-ID program: only root can make one");
        return;
    }
    let heard = told(&program, &authority);
    fs::remove_file(&program).unwrap();
    assert!(!heard.secure_text().contains("AUTH"), "{}", heard.secure_text());
    assert_eq!(heard.messages, 0);
}
