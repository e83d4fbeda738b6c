//! Option `order`: which server of a list comes first.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::{Server, servers};
use crate::error::Error;
use crate::options::{Options, Order};

/// How often lists of servers have had their turn in this process. Options are often made anew for each message, so the
/// counts cannot be theirs; atomics, because a lock might be held for ever in a child by fork(2). Lists beyond so many
/// share a place, and take each other's turns.
static TURNS: [Turns; 64] = [const { Turns { list: AtomicU64::new(0), count: AtomicUsize::new(0) } }; 64];

struct Turns {
    /// The hash of the list whose place it is; 0: nobody's.
    list: AtomicU64,
    count: AtomicUsize,
}

/// The servers of `options` in the order in which one delivery is to try them.
///
/// # Errors
/// As [`servers`].
pub fn servers_in_order(options: &Options) -> Result<Vec<Server>, Error> {
    let mut servers = servers(options)?;
    arrange(&mut servers, options.order, || next_turn(options));
    Ok(servers)
}

/// Puts a list in its first order; `turn` says how often it had its turn before.
fn arrange<T>(list: &mut [T], order: Order, turn: impl FnOnce() -> usize) {
    match order {
        Order::Given => {}
        Order::Random => shuffle(list),
        Order::Turn if list.is_empty() => {}
        Order::Turn => list.rotate_left(turn() % list.len()),
    }
}

fn next_turn(options: &Options) -> usize {
    let mut hasher = DefaultHasher::new();
    (&options.servers, &options.ports).hash(&mut hasher);
    let list = hasher.finish().max(1);
    let is_own = |turns: &&Turns| {
        let before = turns.list.compare_exchange(0, list, Ordering::Relaxed, Ordering::Relaxed);
        before.map_or_else(|taken_by| taken_by == list, |_| true)
    };
    let own = TURNS.iter().find(is_own).or(TURNS.last());
    own.map_or(0, |turns| turns.count.fetch_add(1, Ordering::Relaxed))
}

/// Any order is as likely as any other (Fisher and Yates).
fn shuffle<T>(list: &mut [T]) {
    for end in (1..list.len()).rev() {
        // Without randomness the order is as good as any.
        let random = getrandom::u64().unwrap_or_default() % (end as u64 + 1);
        list.swap(end, usize::try_from(random).unwrap_or(end));
    }
}

/// The order in which a mailer prefers its servers, by their positions in the list; each connection has the next one.
#[cfg(feature = "net")]
pub(crate) struct Preference {
    order: Order,
    positions: Vec<usize>,
}

#[cfg(feature = "net")]
impl Preference {
    pub(crate) fn new(options: &Options, servers: usize) -> Self {
        let mut positions: Vec<usize> = (0..servers).collect();
        arrange(&mut positions, options.order, || next_turn(options));
        Self { order: options.order, positions }
    }

    /// Whether all servers are equal, and not one the stand-in of another.
    pub(crate) fn is_shared(&self) -> bool {
        self.order != Order::Given
    }

    pub(crate) fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// A connection to the server at this position was begun.
    pub(crate) fn had_its_turn(&mut self, position: usize) {
        match self.order {
            Order::Given => {}
            Order::Random => shuffle(&mut self.positions),
            Order::Turn => {
                if let Some(at) = self.positions.iter().position(|own| *own == position)
                    && let Some(rest) = self.positions.get_mut(at..)
                {
                    rest.rotate_left(1);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(order: Order, servers: &[&str]) -> Options {
        let servers = servers.iter().map(|s| (*s).to_owned()).collect();
        Options { servers, order, ..Options::default() }
    }

    fn tried(options: &Options) -> String {
        let servers = servers_in_order(options).unwrap();
        servers.iter().map(|server| server.host().to_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn turns_walk_through_the_list_also_with_options_made_anew() {
        let list = ["a.turns", "b.turns", "c.turns"];
        let walk = ["a.turns b.turns c.turns", "b.turns c.turns a.turns", "c.turns a.turns b.turns"];
        for n in 0..4 {
            assert_eq!(tried(&options(Order::Turn, &list)), walk[n % 3]);
            // Another list has turns of its own.
            let other = tried(&options(Order::Turn, &["a.other", "b.other"]));
            assert_eq!(other, ["a.other b.other", "b.other a.other"][n % 2]);
        }
        assert_eq!(tried(&options(Order::Given, &list)), walk[0]);
        // More lists than there are places share one; not a test of its own, for it would take the places of this one.
        for n in 0..100 {
            let (one, other) = (format!("a{n}"), format!("b{n}"));
            assert_eq!(tried(&options(Order::Turn, &[&one, &other])).len(), one.len() + other.len() + 1);
        }
    }

    #[test]
    fn random_orders_have_every_server_once_and_each_comes_first() {
        let list = ["a", "b", "c"];
        let mut first = std::collections::BTreeMap::new();
        for _ in 0..600 {
            let seen = tried(&options(Order::Random, &list));
            let mut words: Vec<&str> = seen.split(' ').collect();
            *first.entry(words[0].to_owned()).or_insert(0) += 1;
            words.sort_unstable();
            assert_eq!(words, list);
        }
        // 200 each; a deviation of 100 has a probability of less than 1e-16.
        assert!(first.len() == 3 && first.values().all(|count| *count > 100), "{first:?}");
    }

    #[test]
    fn who_had_its_turn_goes_to_the_end() {
        let mut preference = Preference::new(&options(Order::Given, &["a"]), 3);
        preference.had_its_turn(0);
        assert!(preference.positions() == [0, 1, 2] && !preference.is_shared());
        let mut preference = Preference { order: Order::Turn, positions: vec![0, 1, 2] };
        preference.had_its_turn(0);
        assert_eq!(preference.positions(), [1, 2, 0]);
        preference.had_its_turn(2);
        assert_eq!(preference.positions(), [1, 0, 2]);
    }
}
