"""Who listens to the dialogue, and what stands before the options."""

from __future__ import annotations

import logging
import sys

from ._native import TLS, OptionInfo, Options, option_table
from ._values import Direction, Listener

logger = logging.getLogger("smtpclient")

#: The title of the options that ``TLS`` takes.
_TLS = "What TLS is like"


def _documented(introduction: str | None, options: list[OptionInfo]) -> str:
    """The introduction, and each option with what it takes and does."""
    lines, group = [introduction or ""], ""
    for option in options:
        if option.group != group:
            group = option.group
            lines += ["", f"{group}:"]
        takes = " | ".join(option.words) or option.kind
        lines.append(f"  {option.name}: {takes}. {option.help} Default: {option.default}.")
    return "\n".join(lines)


#: Those that no text stands for.
_OBJECTS = """

Functions and objects:
  transcript: function. Is given every line of the dialogue, secrets masked: ``"client"``, ``"server"`` or ``"note"``, and the line. Default: none.
  commit: function. Called before the end of each message leaves, with a list of ``Ready``; an exception withdraws the messages. Default: none.
  progress: function. Receives the progress of each message, as a ``Progress``: octets handed over, and total. Default: none.
  dialler: function. Connects: is called with host, port and the seconds it may take, and gives a connected socket. Default: none.
  mechanisms: list. Login mechanisms of one's own (``LoginMechanism``), tried before those of the library. Default: none.
  signers: list. Signers of one's own (``Signer``), whose fields stand before the signature of ``dkim``. Default: none.
  cancel: Cancel. Ends the call from another thread. Default: none.
  tls: TLS. TLS that was set up once, to be shared. Default: none."""

Options.__doc__ = _documented(Options.__doc__, option_table()) + _OBJECTS
TLS.__doc__ = _documented(TLS.__doc__, [option for option in option_table() if option.group == _TLS])


def base_of(base: Options | None) -> Options | None:
    """The second argument of ``sendmessage``; ``TypeError`` for anything else, such as a server's name."""
    if base is not None and not isinstance(base, Options):
        what = f"{type(base).__name__} {base!r}" if isinstance(base, str) else type(base).__name__
        raise TypeError(f"the argument after the message must be Options, not the {what}: name options, as in servers=[...]")
    return base


def listener(options: Options) -> Listener | None:
    """Everybody who wants to hear the dialogue, as one function."""
    listeners: list[Listener] = []
    if options.debug:
        listeners.append(_print)
    if logger.isEnabledFor(logging.DEBUG):
        listeners.append(_log)
    if options.transcript is not None:
        listeners.append(options.transcript)
    if len(listeners) < 2:
        return listeners[0] if listeners else None

    def every(direction: Direction, line: str) -> None:
        for each in listeners:
            each(direction, line)

    return every


_MARKS = {"client": "C:", "server": "S:", "note": "--"}


def _print(direction: Direction, line: str) -> None:
    if sys.stderr is not None:
        print(_MARKS[direction], line, file=sys.stderr)


def _log(direction: Direction, line: str) -> None:
    logger.debug("%s %s", _MARKS[direction], line)
