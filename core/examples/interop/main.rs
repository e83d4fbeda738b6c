//! Server by feature, against real servers, and what they delivered compared with what was sent; then every mechanism; then
//! many messages at a time.
//!
//! Arguments: for each server its name, first port and the folder that it was started with (`tests/servers/start`).
//! Run from the top folder. Ends with 1 where something that a server offers does not do as it must.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod features;
mod logins;
mod many;

use std::process::ExitCode;

use features::{Cell, FEATURES, Place};
use many::Crossing;
use smtpclient::sasl::MechanismName;

/// Ports, as offsets, that take mail; `login` where that needs a login, as on all `implicit` ports it is given.
struct Ports {
    name: &'static str,
    plain: Option<u16>,
    starttls: Option<u16>,
    implicit: Option<u16>,
    lmtp: Option<u16>,
    login: bool,
    /// Where mechanisms are tried, and how TLS is set up there.
    logins: &'static [(u16, &'static str)],
    /// Where hundreds of messages go, with TLS and a login or without; `None` where the server takes fewer.
    many: Option<(u16, bool, Crossing)>,
}

const USUAL: Ports = Ports {
    name: "",
    plain: Some(0),
    starttls: Some(0),
    implicit: Some(2),
    lmtp: None,
    login: false,
    logins: &[(1, "none"), (1, "starttls"), (2, "first")],
    many: None,
};

const DOVECOT: Ports = Ports {
    implicit: Some(1),
    lmtp: Some(2),
    login: true,
    logins: &[(0, "none"), (0, "starttls"), (1, "first")],
    ..USUAL
};

const SERVERS: [Ports; 11] = [
    Ports { name: "postfix", many: Some((0, false, Crossing::Takes)), ..USUAL },
    Ports { name: "exim", logins: &[(1, "none"), (1, "starttls"), (2, "first"), (5, "starttls")], ..USUAL },
    Ports { name: "opensmtpd", logins: &[(1, "starttls"), (2, "first")], ..USUAL },
    Ports { name: "dovecot", ..DOVECOT },
    Ports { name: "dovecot24", ..DOVECOT },
    Ports { name: "sendmail", ..USUAL },
    Ports { name: "aiosmtpd", lmtp: Some(5), many: Some((0, false, Crossing::Takes)), ..USUAL },
    Ports { name: "tcllib", starttls: Some(1), implicit: None, logins: &[], ..USUAL },
    Ports {
        name: "net-server-mail",
        starttls: None,
        implicit: None,
        logins: &[],
        many: Some((0, false, Crossing::Files)),
        ..USUAL
    },
    Ports {
        name: "chasquid",
        logins: &[(1, "starttls"), (2, "first")],
        // Without a login each MAIL waits for DNS, where chasquid looks for SPF records.
        many: Some((1, true, Crossing::Drops)),
        ..USUAL
    },
    Ports { name: "nginx", many: Some((0, false, Crossing::Takes)), ..USUAL },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mut faults, mut matrix, mut logins, mut many) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for group in arguments.chunks_exact(3) {
        let ports = SERVERS.iter().find(|ports| ports.name == group[0]).unwrap();
        let first: u16 = group[1].parse().unwrap();
        let at = |offset: Option<u16>| offset.map(|offset| first + offset);
        let place = Place {
            name: ports.name,
            base: &group[2],
            plain: at(ports.plain),
            starttls: at(ports.starttls),
            implicit: at(ports.implicit),
            lmtp: at(ports.lmtp),
            login: ports.login,
        };
        let mut cells = Vec::new();
        for (feature, test) in FEATURES {
            cells.push(match test(&place) {
                Ok(Cell::Ok) => "ok",
                Ok(Cell::NotOffered) => "not offered",
                Err(text) => {
                    faults.push(format!("{} {feature}: {text}", ports.name));
                    "FAILED"
                }
            });
        }
        let (mut offered, before) = (false, faults.len());
        for (offset, tls) in ports.logins {
            let server = logins::Server { name: ports.name, port: first + offset, tls, base: &group[2] };
            let row = logins::row(&server, &mut faults);
            offered |= row.contains(&"yes");
            logins.push((format!("{} ({tls})", ports.name), row));
        }
        cells.push(match (offered, faults.len() > before) {
            (_, true) => "FAILED",
            (true, _) => "ok",
            (false, _) => "not offered",
        });
        if let Some((offset, login, crossing)) = ports.many {
            let row = many::row(&place, first + offset, login, crossing).unwrap_or_else(|text| {
                faults.push(format!("{} many: {text}", ports.name));
                "FAILED".to_owned()
            });
            many.push(format!("{}: {row}", ports.name));
        }
        matrix.push((ports.name.to_owned(), cells));
    }
    let names: Vec<_> = FEATURES.iter().map(|(name, _)| *name).chain(["logins"]).collect();
    print(&names, &matrix);
    println!();
    print(&MechanismName::ALL.each_ref().map(MechanismName::as_str), &logins);
    println!("\nMany messages, in parts of the time that pipelining=off takes:");
    many.iter().for_each(|row| println!("{row}"));
    faults.iter().for_each(|fault| eprintln!("{fault}"));
    if faults.is_empty() && !matrix.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A table, each column as wide as it must be.
fn print(names: &[&str], rows: &[(String, Vec<&str>)]) {
    let first = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let widths: Vec<_> = (0..names.len())
        .map(|n| rows.iter().map(|(_, cells)| cells[n].len()).chain([names[n].len()]).max().unwrap_or(0))
        .collect();
    let line = |cells: &[&str]| {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:^width$}"));
        cells.collect::<Vec<_>>().join(" | ")
    };
    println!("{:first$} | {}", "", line(names));
    rows.iter().for_each(|(name, cells)| println!("{name:first$} | {}", line(cells)));
}
