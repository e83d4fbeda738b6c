//! `sendmessage` over blocking sockets.

use std::io::Write;
use std::sync::Arc;

use super::connection::Connection;
use super::dial::{DialOptions, check};
use super::limits::Limits;
use super::proxy::Proxy;
use super::run::Wait;
use super::security::library;
use crate::delivery::Delivery;
use crate::engine::Direction;
use crate::envelope::Local;
use crate::error::Error;
use crate::message::Message;
use crate::options::{Family, Options};
use crate::report::{Report, SendError};

/// Sends a message: validates, connects to the first server that answers, and reports.
///
/// `Ok` if at least one recipient was accepted; the report lists those that were refused.
///
/// # Errors
/// A failed step, or [`Kind::Recipients`](crate::error::Kind::Recipients) if refused recipients are why nobody got
/// the message, with the report. [`Kind::Unknown`](crate::error::Kind::Unknown) means that the message
/// may have been delivered.
pub fn sendmessage(message: &Message, options: &Options) -> Result<Report, SendError> {
    deliver(message, options)?.into_result()
}

fn deliver(message: &Message, options: &Options) -> Result<Report, Error> {
    let mut connection = Connection::new(options)?;
    let mut delivery = delivery(message, options)?;
    connection.run(&mut delivery, Wait::Block, |delivery| delivery.is_done());
    Ok(delivery.into_report())
}

/// The delivery that [`sendmessage`] drives, for an event loop: with a [`Connection`], or one that connects and moves the
/// bytes itself.
///
/// # Errors
/// As [`Delivery::new`], a server that cannot be one, and a TLS library that cannot be set up as the options say.
pub fn delivery(message: &Message, options: &Options) -> Result<Delivery, Error> {
    let options = Arc::new(with_debug(options));
    let library = library(&options)?;
    dialable(Delivery::new(message, options, &local(), Some(library))?)
}

/// Looks whether a message could be sent as these options say: connects to each of the servers, does EHLO, TLS and login,
/// and says QUIT. The report has no recipients, and an [`Attempt`](crate::report::Attempt) for each server, which says
/// what TLS is like, which logins were tried, and what the server [offers](crate::report::Attempt::offered).
///
/// `Ok` if every server could be used.
///
/// # Errors
/// Why servers cannot be used, with the report of all of them, or a mistake in the options.
pub fn verify(options: &Options) -> Result<Report, SendError> {
    let mut connection = Connection::new(options)?;
    let mut delivery = verification(options)?;
    connection.run(&mut delivery, Wait::Block, |delivery| delivery.is_done());
    delivery.into_report().into_result()
}

/// The delivery that [`verify`] drives, for an event loop.
///
/// # Errors
/// As [`delivery`], except for those of a message.
pub fn verification(options: &Options) -> Result<Delivery, Error> {
    let options = Arc::new(with_debug(options));
    let library = library(&options)?;
    dialable(Delivery::verify(options, &local(), Some(library))?)
}

fn dialable(delivery: Delivery) -> Result<Delivery, Error> {
    for server in delivery.servers() {
        check(&server.target)?;
    }
    Ok(delivery)
}

/// What this machine says of itself.
pub fn local() -> Local {
    Local {
        host: super::platform::host_name,
        user: || whoami::username().unwrap_or_else(|_| "postmaster".to_owned()),
        now: super::zone::now,
    }
}

pub(super) fn limits(options: &Options) -> Limits {
    Limits::begin(options)
}

pub(super) fn dial_options(options: &Options, limits: &Limits) -> Result<DialOptions, Error> {
    let proxy = match &options.proxy {
        Some(text) => Some(Proxy::parse(&String::from_utf8_lossy(text.expose()))?),
        None => None,
    };
    if options.dialler.is_some() && options.localaddress.is_some() {
        return Err(Error::usage(
            "option `localaddress` means nothing beside `dialler`: have the function bind its socket",
        ));
    }
    if options.dialler.is_some() && options.family != Family::Any {
        return Err(Error::usage(
            "option `family` means nothing beside `dialler`: have the function choose the address",
        ));
    }
    Ok(DialOptions {
        connect_timeout: options.connecttimeout,
        local_address: options.localaddress,
        family: options.family,
        limits: limits.clone(),
        proxy,
        dialler: options.dialler.clone(),
        reached: options.reached.clone(),
    })
}

/// The options with `debug` as a listener that prints on standard error.
pub(super) fn with_debug(options: &Options) -> Options {
    let mut options = options.clone();
    if options.debug {
        let own = options.transcript.take();
        options.transcript = Some(Arc::new(move |direction, line| {
            print(direction, line);
            if let Some(own) = &own {
                own(direction, line);
            }
        }));
    }
    options
}

fn print(direction: Direction, line: &str) {
    let mark = match direction {
        Direction::Client => "C: ",
        Direction::Server => "S: ",
        Direction::Note => "-- ",
    };
    // Where nobody reads, nothing is lost.
    let _ = writeln!(std::io::stderr().lock(), "{mark}{line}");
}
