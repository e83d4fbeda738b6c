//! The local time, with the offset that this host's zone has then, for `Date` (RFC 5322 section 3.3).
//!
//! As the C library has it: `TZ` names a file of the zone database, or is a POSIX rule; without it `/etc/localtime`
//! counts. The database is the host's: a copy in this library would be 200 KiB, and wrong when a country changes its
//! rules. A zone that is not known is told as such (`-0000`) and never taken for UTC.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Mutex;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Where hosts have the zone database; `TZDIR` comes first.
const DATABASES: [&str; 3] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];
/// The largest zone has less than 4 KiB; what is longer is not a zone.
const MOST_OCTETS: u64 = 256 * 1024;
/// What the C library takes for a rule that does not say when summer time is.
const USUAL_RULE: &str = ",M3.2.0,M11.1.0";

/// The last value of `TZ`, and its zone: the file is not read for every message.
static LAST: Mutex<Option<(OsString, TimeZone)>> = Mutex::new(None);

/// The time now, in the zone of this host.
pub(super) fn now() -> Zoned {
    let zone = match env::var_os("TZ") {
        None => TimeZone::try_system().unwrap_or_else(|_| TimeZone::unknown()),
        Some(value) => cached(value),
    };
    Timestamp::now().to_zoned(zone)
}

fn cached(value: OsString) -> TimeZone {
    // Nobody waits: in a forked child the lock may be held for ever.
    let Ok(mut last) = LAST.try_lock() else { return named(&value) };
    if let Some((_, zone)) = last.as_ref().filter(|(own, _)| *own == value) {
        return zone.clone();
    }
    let zone = named(&value);
    *last = Some((value, zone.clone()));
    zone
}

fn named(value: &OsStr) -> TimeZone {
    let Some(text) = value.to_str() else { return TimeZone::unknown() };
    let name = text.strip_prefix(':').unwrap_or(text);
    if name.is_empty() || ["UTC", "GMT", "Etc/UTC", "Etc/GMT"].contains(&name) {
        return TimeZone::UTC;
    }
    let from_file = || {
        let own = env::var_os("TZDIR");
        let folders = own.iter().map(Path::new).chain(DATABASES.iter().map(Path::new));
        // A path that is absolute replaces the folder.
        folders.map(|folder| folder.join(name)).find_map(|path| read(name, &path))
    };
    from_file()
        .or_else(|| TimeZone::posix(name).ok())
        .or_else(|| TimeZone::posix(&format!("{name}{USUAL_RULE}")).ok())
        .unwrap_or_else(TimeZone::unknown)
}

fn read(name: &str, path: &Path) -> Option<TimeZone> {
    // A pipe or a device would not end.
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut data = Vec::new();
    File::open(path).ok()?.take(MOST_OCTETS).read_to_end(&mut data).ok()?;
    TimeZone::tzif(name, &data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The offset in January and in July 2024, in minutes; `None` if the zone is not known.
    fn offsets(value: &str) -> Option<(i32, i32)> {
        let zone = named(OsStr::new(value));
        let at = |text: &str| {
            let time: Timestamp = text.parse().unwrap();
            zone.to_offset(time).seconds() / 60
        };
        (!zone.is_unknown()).then(|| (at("2024-01-15T12:00:00Z"), at("2024-07-15T12:00:00Z")))
    }

    #[test]
    fn rules_and_utc_need_no_database() {
        for (value, wanted) in [
            ("", Some((0, 0))),
            ("UTC", Some((0, 0))),
            (":UTC", Some((0, 0))),
            ("UTC0", Some((0, 0))),
            ("XYZ-1", Some((60, 60))),
            ("CET-1CEST", Some((60, 120))),
            ("CET-1CEST,M3.5.0,M10.5.0/3", Some((60, 120))),
            ("<+0530>-5:30", Some((330, 330))),
            ("NST3:30NDT", Some((-210, -150))),
            ("Nowhere/Never", None),
            ("Nonsense", None),
            ("/dev/zero", None),
            ("../../../dev/zero", None),
            ("/etc/passwd", None),
            ("\u{fc}", None),
        ] {
            assert_eq!(offsets(value), wanted, "{value}");
        }
    }

    #[test]
    fn names_are_looked_up_in_the_database() {
        if !Path::new(DATABASES[0]).join("Europe/Berlin").exists() {
            println!("this host has no zone database");
            return;
        }
        for (value, wanted) in [
            ("Europe/Berlin", (60, 120)),
            (":Europe/Berlin", (60, 120)),
            ("/usr/share/zoneinfo/Europe/Berlin", (60, 120)),
            ("Asia/Kolkata", (330, 330)),
            ("America/St_Johns", (-210, -150)),
            ("EST5EDT", (-300, -240)),
        ] {
            assert_eq!(offsets(value), Some(wanted), "{value}");
        }
    }

    #[test]
    fn another_value_is_seen_at_once() {
        let at = |value: &str| cached(value.into()).to_offset(Timestamp::UNIX_EPOCH).seconds();
        assert_eq!((at("XYZ-1"), at("XYZ-2"), at("XYZ-2"), at("XYZ-1")), (3600, 7200, 7200, 3600));
    }
}
