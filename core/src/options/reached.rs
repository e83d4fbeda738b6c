//! Which address of a server to try first.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// RFC 6555 section 4.2: what was learnt holds for ten minutes, since networks change.
const HOLDS: Duration = Duration::from_secs(600);

/// So many servers are remembered; the oldest one gives way.
const MOST: usize = 32;

/// The addresses of servers that answered where others of the same server did not, so that one that is silent is waited for
/// once, and not for each connection. Clones share them.
///
/// Nothing is remembered of a server whose first address answers: which one that is may change with every answer of the
/// resolver, and is to, where servers share their load.
#[derive(Clone, Default)]
pub struct Reached(Arc<Mutex<Vec<Entry>>>);

struct Entry {
    host: String,
    address: SocketAddr,
    since: Instant,
}

impl Reached {
    /// Puts the address that answered first.
    #[cfg_attr(not(feature = "net"), expect(dead_code, reason = "only sockets have addresses"))]
    pub(crate) fn order(&self, host: &str, addresses: &mut [SocketAddr], now: Instant) {
        // Nobody waits: in a forked child the lock may be held for ever, and nothing is lost but a moment.
        let Ok(mut entries) = self.0.try_lock() else { return };
        entries.retain(|entry| now.saturating_duration_since(entry.since) < HOLDS);
        let is_known = |address: &SocketAddr| entries.iter().any(|e| e.host == host && e.address == *address);
        if let Some(at) = addresses.iter().position(is_known)
            && let Some(before) = addresses.get_mut(..=at)
        {
            before.rotate_right(1);
        }
    }

    /// Remembers the address of a host that answered, and not the first that was tried.
    #[cfg_attr(not(feature = "net"), expect(dead_code, reason = "only sockets have addresses"))]
    pub(crate) fn remember(&self, host: &str, address: SocketAddr, now: Instant) {
        let Ok(mut entries) = self.0.try_lock() else { return };
        entries.retain(|entry| entry.host != host || entry.address.port() != address.port());
        if entries.len() >= MOST {
            entries.remove(0);
        }
        entries.push(Entry { host: host.to_owned(), address, since: now });
    }
}

impl fmt::Debug for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(entries) = self.0.try_lock() else { return f.write_str("{}") };
        f.debug_map().entries(entries.iter().map(|entry| (&entry.host, entry.address))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<SocketAddr> {
        text.split_whitespace().map(|word| word.parse().unwrap()).collect()
    }

    fn order(reached: &Reached, host: &str, addresses: &str, now: Instant) -> Vec<SocketAddr> {
        let mut addresses = list(addresses);
        reached.order(host, &mut addresses, now);
        addresses
    }

    #[test]
    fn what_answered_is_tried_first_for_ten_minutes() {
        let (reached, now) = (Reached::default(), Instant::now());
        let three = "[::1]:25 1.1.1.1:25 2.2.2.2:25";
        assert_eq!(order(&reached, "a", three, now), list(three));
        reached.clone().remember("a", list("2.2.2.2:25")[0], now);
        let changed = list("2.2.2.2:25 [::1]:25 1.1.1.1:25");
        assert_eq!(order(&reached, "a", three, now), changed);
        // Another server, another port, and one that the resolver no longer knows.
        assert_eq!(order(&reached, "b", three, now), list(three));
        assert_eq!(order(&reached, "a", "[::1]:26 2.2.2.2:26", now), list("[::1]:26 2.2.2.2:26"));
        assert_eq!(order(&reached, "a", "[::1]:25 1.1.1.1:25", now), list("[::1]:25 1.1.1.1:25"));
        // The last word counts, and not for ever.
        reached.remember("a", list("1.1.1.1:25")[0], now);
        assert_eq!(order(&reached, "a", three, now)[0], list("1.1.1.1:25")[0]);
        assert_eq!(order(&reached, "a", three, now + HOLDS), list(three));
        assert_eq!(format!("{reached:?}"), "{}");
    }

    #[test]
    fn so_many_servers_are_remembered() {
        let (reached, now) = (Reached::default(), Instant::now());
        for n in 0..=MOST {
            reached.remember(&n.to_string(), list("1.1.1.1:25")[0], now);
        }
        let two = "[::1]:25 1.1.1.1:25";
        assert_eq!(order(&reached, "0", two, now), list(two));
        assert_eq!(order(&reached, "1", two, now), list("1.1.1.1:25 [::1]:25"));
    }
}
