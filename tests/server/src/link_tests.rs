use super::*;

const CLIENT: [u8; 4] = [10, 77, 0, 2];
const SERVER: [u8; 4] = [10, 77, 0, 1];

/// A packet of `length` octets from the client's port 1000 to the server's port 25, or back.
fn packet(way: Way, flags: u8, length: usize) -> Vec<u8> {
    let (from, to, ports) = match way {
        Way::ToServer => (CLIENT, SERVER, [1000_u16, 25]),
        Way::ToClient => (SERVER, CLIENT, [25, 1000]),
    };
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, TCP, 0, 0];
    packet.extend(from.into_iter().chain(to));
    packet.extend(ports.into_iter().flat_map(u16::to_be_bytes));
    packet.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags]);
    packet.resize(length, 0);
    packet
}

fn router(path: &str) -> Router {
    Router::new([Path::parse(&format!("10.77.0.1,{path}")).unwrap()])
}

#[test]
fn a_path_is_read() {
    let (address, path) = Path::parse("fd77::1,rate=1000,delay=20,loss=5,hole=600,forget=5000,dead").unwrap();
    assert_eq!(address, "fd77::1".parse::<IpAddr>().unwrap());
    let delay = Duration::from_millis(20);
    let forget = Some(Duration::from_secs(5));
    assert_eq!(path, Path { rate: Some(1000), delay, loss: 5, hole: Some(600), forget, dead: true });
    for wrong in ["", "host", "10.0.0.1,rate=fast", "10.0.0.1,colour=3"] {
        assert!(Path::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn packets_are_told_apart_by_the_servers_address() {
    let now = Instant::now();
    let mut router = router("delay=20");
    let late = now + Duration::from_millis(20);
    assert_eq!(router.arrives(&packet(Way::ToServer, SYN, 40), Way::ToServer, now), Some(late));
    assert_eq!(router.arrives(&packet(Way::ToClient, SYN, 40), Way::ToClient, now), Some(late));
    // Not from one of the servers, not an IP packet.
    assert_eq!(router.arrives(&packet(Way::ToServer, SYN, 40), Way::ToClient, now), None);
    assert_eq!(router.arrives(&[0; 40], Way::ToServer, now), None);
    assert_eq!(router.arrives(&[0x45; 12], Way::ToServer, now), None);
    let mut v6 = vec![0x60, 0, 0, 0, 0, 20, TCP, 64];
    v6.extend([0xfd; 32]);
    v6.extend([0x03, 0xe8, 0, 25]);
    v6.resize(60, 0);
    let (from, to) = (IpAddr::from([0xfd_u8; 16]), IpAddr::from([0xfd_u8; 16]));
    assert_eq!(Header::read(&v6), Some(Header { from, to, tcp: Some((1000, 25, false)) }));
}

#[test]
fn a_slow_line_sends_one_after_the_other_and_loses_what_is_too_much() {
    let now = Instant::now();
    let mut router = router("rate=1000000");
    let full = packet(Way::ToServer, 0, 1250); // 10 ms
    for n in 1..=51 {
        let arrives = router.arrives(&full, Way::ToServer, now);
        assert_eq!(arrives, Some(now + Duration::from_millis(10 * n)));
    }
    assert_eq!(router.arrives(&full, Way::ToServer, now), None);
    // The other way, and another connection, have lines of their own.
    let back = packet(Way::ToClient, 0, 125);
    assert_eq!(router.arrives(&back, Way::ToClient, now), Some(now + Duration::from_millis(1)));
}

#[test]
fn a_firewall_forgets_and_a_hole_swallows() {
    let begin = Instant::now();
    let at = |seconds| begin + Duration::from_secs(seconds);
    let mut firewall = router("forget=5000");
    assert!(firewall.arrives(&packet(Way::ToServer, 0, 40), Way::ToServer, begin).is_none());
    assert!(firewall.arrives(&packet(Way::ToServer, SYN, 40), Way::ToServer, begin).is_some());
    assert!(firewall.arrives(&packet(Way::ToClient, 0, 40), Way::ToClient, at(4)).is_some());
    assert!(firewall.arrives(&packet(Way::ToServer, 0, 40), Way::ToServer, at(8)).is_some());
    assert!(firewall.arrives(&packet(Way::ToServer, 0, 40), Way::ToServer, at(13)).is_none());
    assert!(firewall.arrives(&packet(Way::ToClient, 0, 40), Way::ToClient, at(14)).is_none());

    let mut hole = router("hole=600");
    assert!(hole.arrives(&packet(Way::ToServer, 0, 600), Way::ToServer, begin).is_some());
    assert!(hole.arrives(&packet(Way::ToServer, 0, 601), Way::ToServer, begin).is_none());
    let mut dead = router("dead");
    for flags in [SYN, SYN, 0] {
        assert!(dead.arrives(&packet(Way::ToServer, flags, 40), Way::ToServer, begin).is_none());
    }
    assert_eq!(dead.tried, [IpAddr::from(SERVER)], "once, however often it is said");
}

#[test]
fn dice_take_about_as_many_as_they_should() {
    let now = Instant::now();
    let mut router = router("loss=100");
    let syn = packet(Way::ToServer, SYN, 40);
    let lost = (0..10_000).filter(|_| router.arrives(&syn, Way::ToServer, now).is_none()).count();
    assert!((800..1200).contains(&lost), "{lost}");
}

#[test]
fn parcels_come_in_the_order_of_their_arrival() {
    let now = Instant::now();
    let parcel = |millis, number| Parcel {
        arrives: now + Duration::from_millis(millis),
        number,
        way: Way::ToServer,
        packet: Vec::new(),
    };
    let mut heap: BinaryHeap<_> = [parcel(30, 0), parcel(10, 1), parcel(10, 2), parcel(20, 3)].into();
    let order: Vec<_> = std::iter::from_fn(|| heap.pop()).map(|parcel| parcel.number).collect();
    assert_eq!(order, [1, 2, 3, 0]);
}
