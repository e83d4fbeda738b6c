//! When and how urgently a server is to deliver: BY, MT-PRIORITY, HOLDFOR and HOLDUNTIL.

use std::io::Write;

use jiff::Timestamp;

use super::quoted;
use crate::error::Error;

// Nine digits (RFC 2852 section 4, RFC 4865 section 4).
const MAX_SECONDS: u64 = 999_999_999;

/// `BY=` of MAIL (RFC 2852): deliver within so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeliverBy {
    seconds: i64,
    mode: ByMode,
    trace: bool,
}

/// What a server does with a message that it could not deliver in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByMode {
    /// `N`: send a "delayed" notification and go on trying.
    Notify,
    /// `R`: return the message.
    Return,
}

/// `MT-PRIORITY=` of MAIL (RFC 6710): -9 to 9, the higher the more urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MtPriority(i8);

/// `HOLDFOR=` or `HOLDUNTIL=` of MAIL (RFC 4865): do not deliver before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hold(Until);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Until {
    Seconds(u64),
    DateTime(String),
}

impl DeliverBy {
    /// Within `seconds`, of nine digits at most; `trace` asks each server on the way for a notification. With
    /// [`ByMode::Notify`] the time may be zero or past.
    ///
    /// # Errors
    /// Usage, where `seconds` has more digits, or is not above zero with [`ByMode::Return`].
    pub fn new(seconds: i64, mode: ByMode, trace: bool) -> Result<Self, Error> {
        if seconds.unsigned_abs() > MAX_SECONDS {
            return Err(Error::usage(format!("deliver-by time {seconds}: at most 999999999 seconds")));
        }
        if mode == ByMode::Return && seconds <= 0 {
            return Err(Error::usage(format!(
                "deliver-by time {seconds}: must be above zero with mode R; or use mode N"
            )));
        }
        Ok(Self { seconds, mode, trace })
    }

    /// RFC 2852's own form: `120;R`, `-60;N`, `120;RT`.
    ///
    /// # Errors
    /// Usage, where it is not of that form, or as for [`new`](Self::new).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let parsed = text.split_once(';').and_then(|(seconds, flags)| {
            let (mode, trace) = match flags.to_ascii_uppercase().as_str() {
                "N" => (ByMode::Notify, false),
                "NT" => (ByMode::Notify, true),
                "R" => (ByMode::Return, false),
                "RT" => (ByMode::Return, true),
                _ => return None,
            };
            Some((seconds.parse().ok()?, mode, trace))
        });
        match parsed {
            Some((seconds, mode, trace)) => Self::new(seconds, mode, trace),
            None => Err(Error::usage(format!(
                "deliver-by {}: write seconds;mode, as in 120;R (return) or 120;N (notify), followed by T to trace",
                quoted(text)
            ))),
        }
    }

    /// The time in seconds.
    pub fn seconds(&self) -> i64 {
        self.seconds
    }

    /// What happens when it is over.
    pub fn mode(&self) -> ByMode {
        self.mode
    }

    /// Whether each server on the way is to notify.
    pub fn trace(&self) -> bool {
        self.trace
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mode = match self.mode {
            ByMode::Notify => 'N',
            ByMode::Return => 'R',
        };
        let _ = write!(out, " BY={};{mode}{}", self.seconds, if self.trace { "T" } else { "" });
    }
}

impl MtPriority {
    /// -9 to 9.
    ///
    /// # Errors
    /// Usage, where `priority` is beyond.
    pub fn new(priority: i64) -> Result<Self, Error> {
        match i8::try_from(priority) {
            Ok(priority @ -9..=9) => Ok(Self(priority)),
            _ => Err(Error::usage(format!("priority {priority}: must be from -9 to 9"))),
        }
    }

    /// The number in `text`, as in `-3`, `4` or `+4`.
    ///
    /// # Errors
    /// Usage, where it is not a number from -9 to 9.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text.parse() {
            Ok(priority) => Self::new(priority),
            Err(_) => Err(Error::usage(format!("priority {}: must be a number from -9 to 9", quoted(text)))),
        }
    }

    /// The number.
    pub fn value(&self) -> i8 {
        self.0
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let _ = write!(out, " MT-PRIORITY={}", self.0);
    }
}

impl Hold {
    /// Not before so many seconds, of nine digits at most, have passed.
    ///
    /// # Errors
    /// Usage, where `seconds` is 0 or has more digits.
    pub fn for_seconds(seconds: u64) -> Result<Self, Error> {
        if !(1..=MAX_SECONDS).contains(&seconds) {
            return Err(Error::usage(format!("hold for {seconds}: must be 1 to 999999999 seconds")));
        }
        Ok(Self(Until::Seconds(seconds)))
    }

    /// Not before `date_time`, an RFC 3339 date-time such as `2026-12-01T08:00:00Z`. One with another offset is
    /// sent in UTC, as RFC 4865 wants it; fractions of a second are dropped.
    ///
    /// # Errors
    /// Usage, where `date_time` is none, or has no offset.
    pub fn until(date_time: &str) -> Result<Self, Error> {
        let whole = |time: Timestamp| Timestamp::from_second(time.as_second());
        match date_time.parse().and_then(whole) {
            // Years that are not of four digits are not RFC 3339.
            Ok(time) if (EPOCH_YEAR_0..).contains(&time.as_second()) => {
                Ok(Self(Until::DateTime(time.to_string())))
            }
            _ => Err(Error::usage(format!(
                "hold until {}: write a date and time as in 2026-12-01T08:00:00Z",
                quoted(date_time)
            ))),
        }
    }

    /// `for:3600` or `until:2026-12-01T08:00:00Z`.
    ///
    /// # Errors
    /// Usage, where it is neither.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text.split_once(':') {
            Some(("until", date_time)) => Self::until(date_time),
            Some(("for", seconds)) if seconds.parse::<u64>().is_ok() => {
                Self::for_seconds(seconds.parse().unwrap_or_default())
            }
            _ => Err(Error::usage(format!(
                "hold {}: write for:SECONDS or until:2026-12-01T08:00:00Z",
                quoted(text)
            ))),
        }
    }

    /// The seconds of `HOLDFOR`.
    pub fn seconds(&self) -> Option<u64> {
        match self.0 {
            Until::Seconds(seconds) => Some(seconds),
            Until::DateTime(_) => None,
        }
    }

    /// The date-time of `HOLDUNTIL`, in UTC, as in `2026-12-01T08:00:00Z`.
    pub fn date_time(&self) -> Option<&str> {
        match &self.0 {
            Until::Seconds(_) => None,
            Until::DateTime(date_time) => Some(date_time),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let _ = match &self.0 {
            Until::Seconds(seconds) => write!(out, " HOLDFOR={seconds}"),
            Until::DateTime(date_time) => write!(out, " HOLDUNTIL={date_time}"),
        };
    }
}

// 0000-01-01T00:00:00Z.
const EPOCH_YEAR_0: i64 = -62_167_219_200;

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn deliver_by() {
        for (text, wanted) in [
            ("120;R", " BY=120;R"),
            ("120;rt", " BY=120;RT"),
            ("+5;N", " BY=5;N"),
            ("-60;NT", " BY=-60;NT"),
            ("0;n", " BY=0;N"),
            ("999999999;R", " BY=999999999;R"),
        ] {
            assert_eq!(sent(|out| DeliverBy::parse(text).unwrap().write(out)), wanted);
        }
        for bad in [
            "",
            "120",
            "120;",
            ";R",
            "120;X",
            "120;TR",
            "0;R",
            "-1;R",
            "1000000000;R",
            "-1000000000;N",
            "1.5;R",
            "12 0;R",
            "9223372036854775808;N",
        ] {
            assert!(DeliverBy::parse(bad).is_err(), "{bad:?}");
        }
        assert!(DeliverBy::new(i64::MIN, ByMode::Notify, false).is_err());
    }

    #[test]
    fn priorities() {
        assert_eq!(sent(|out| MtPriority::parse("-9").unwrap().write(out)), " MT-PRIORITY=-9");
        assert_eq!(sent(|out| MtPriority::parse("+4").unwrap().write(out)), " MT-PRIORITY=4");
        assert_eq!(MtPriority::new(0).unwrap().value(), 0);
        for bad in ["", "10", "-10", "high", "1.0", " 1", "256", "-247"] {
            assert!(MtPriority::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn holds() {
        for (text, wanted) in [
            ("for:3600", " HOLDFOR=3600"),
            ("for:999999999", " HOLDFOR=999999999"),
            ("until:2026-12-01T08:00:00Z", " HOLDUNTIL=2026-12-01T08:00:00Z"),
            ("until:2026-12-01T08:00:00.75+02:00", " HOLDUNTIL=2026-12-01T06:00:00Z"),
        ] {
            assert_eq!(sent(|out| Hold::parse(text).unwrap().write(out)), wanted);
        }
        for bad in [
            "",
            "for:",
            "for:0",
            "for:-1",
            "for:1000000000",
            "for:x",
            "3600",
            "until:",
            "until:tomorrow",
            "until:2026-12-01",
            "until:2026-12-01T08:00:00",
            "until:2026-13-01T08:00:00Z",
            "until:2026-12-01T08:00:00Z\r\nRSET",
            "until:-000044-03-15T00:00:00Z",
            "HOLDFOR=1",
        ] {
            assert!(Hold::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Hold::for_seconds(5).unwrap().seconds(), Some(5));
        assert_eq!(Hold::until("2026-12-01T08:00:00Z").unwrap().date_time(), Some("2026-12-01T08:00:00Z"));
    }
}
