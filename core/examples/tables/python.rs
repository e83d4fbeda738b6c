//! The types of Python's options.

use std::fmt::Write as _;

use smtpclient::options::{OptionGroup, OptionInfo, OptionKind, all};

const TOP: &str = r#""""The types of options. Made by `make tables` from core/src/options/table.rs: change that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:  # what only types need takes time to import
    import os
    import socket
    from collections.abc import Callable, Iterable, Mapping
    from ipaddress import IPv4Address, IPv6Address

    from ._commit import Commit
    from ._mechanisms import LoginMechanism
    from ._native import TLS, Cancel
    from ._signers import Signer
    from ._values import Listener, Progress, Rcpt, RcptDict, Seconds, Secret, TokenFunction


class TLSDict(TypedDict, total=False):
    """The options that say what TLS is like. ``None`` leaves one at its default."""
"#;

const REST: &str = r#"

class OptionDict(TLSDict, total=False):
    """The options of ``sendmessage``, by name. ``None`` leaves one at its default."""
"#;

const OBJECTS: &str = r#"
    transcript: Listener | None
    """Is given every line of the dialogue, secrets masked."""

    mechanisms: Iterable[LoginMechanism]
    """Login mechanisms of one's own, tried before those of the library."""

    signers: Iterable[Signer]
    """Signers of one's own: what the first gives stands first, before the signature of ``dkim``. The message is read twice."""

    commit: Commit | None
    """Called before the end of each message leaves, with all messages that are ready then; an exception withdraws them. It
    belongs to a session or mailer, for all its messages. In ``smtpclient.aio`` it may return an awaitable."""

    progress: Callable[[Progress], object] | None
    """Receives the progress of each message: octets handed over, and total. It belongs to a session or mailer, for all its
    messages, and is called by the thread that sends, with asyncio in the event loop."""

    dialler: Callable[[str, int, float], socket.socket] | None
    """Connects: is called with host, port and the seconds it may take, and gives a connected socket."""

    cancel: Cancel | None
    """Ends the call from another thread."""

    tls: TLS | None
    """TLS that was set up once, to be shared."""
"#;

pub(crate) fn options() -> String {
    let mut file = String::from(TOP);
    let (setup, others): (Vec<_>, Vec<_>) = all().partition(|option| option.group == OptionGroup::TlsSetup);
    setup.iter().for_each(|option| field(&mut file, option));
    file.push_str(REST);
    for group in OptionGroup::ALL {
        others.iter().filter(|option| option.group == group).for_each(|option| field(&mut file, option));
    }
    file.push_str(OBJECTS);
    file
}

fn field(file: &mut String, option: &OptionInfo) {
    let help = option.help().replace('`', "``");
    let default = option.default.replace('`', "``");
    let _ = write!(file, "\n    {}: {} | None\n", option.name, type_of(option));
    let _ = writeln!(file, "    \"\"\"{help} Default: {default}.\"\"\"");
}

fn type_of(option: &OptionInfo) -> String {
    let text = match option.kind {
        OptionKind::Flag => "bool",
        OptionKind::Integer => "int",
        OptionKind::Number => "float",
        OptionKind::Seconds => "Seconds",
        OptionKind::Secret if option.name == "oauthtoken" => "Secret | TokenFunction",
        OptionKind::Secret => "Secret",
        OptionKind::File => "str | os.PathLike[str]",
        OptionKind::Certificates => "str | bytes",
        OptionKind::Ip => "str | IPv4Address | IPv6Address",
        OptionKind::Words | OptionKind::Servers => "str | Iterable[str]",
        OptionKind::Ports => "int | str | Iterable[int]",
        OptionKind::Addresses => "str | Iterable[str | Rcpt | RcptDict]",
        OptionKind::Header => "Mapping[str, str] | Iterable[tuple[str, str]] | str",
        OptionKind::Word(words) => {
            let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
            let literal = format!("Literal[{}]", words.join(", "));
            // The only one that may be a function.
            let function = if option.name == "tlspolicy" {
                format!(" | Callable[[int, str], {literal}]")
            } else {
                String::new()
            };
            return literal + &function;
        }
        _ => "str",
    };
    text.to_owned()
}
