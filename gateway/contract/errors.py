"""The one small family of errors: each says what happens next."""


class VakaError(Exception):
    """An error that a person can act on: its text says what was found and what happens next."""


class ConfigurationError(VakaError):
    """A setting is wrong; each line names file, key, what was found and what is allowed."""


MAX_REASON = 400
"""Letters of a reason; what a sender wrote into it beyond that is cut."""


class Undecodable(VakaError):  # noqa: N818 - it names the frame's state, as the quarantine page shows it
    """The adapter cannot read this frame; it goes to quarantine with the reason and the clause.

    `native_id` is the device if the frame still tells it.
    """

    def __init__(self, reason: str, *, clause: str, native_id: str = "") -> None:
        kept = reason if len(reason) <= MAX_REASON else reason[:MAX_REASON] + "..."
        super().__init__(kept)
        self.reason = kept
        self.clause = clause
        self.native_id = native_id


class StoreUnavailableError(VakaError):
    """The disk or database refused; the caller keeps what it has and tries again."""


class Refused(VakaError):  # noqa: N818 - it names what happened to the answer
    """A person's answer does not fit the alert as it stands; nothing was changed."""


class ChannelFault(VakaError):  # noqa: N818 - it names whose fault it is: the channel's, and not the recipient's
    """The channel itself cannot be used now; the same delivery may pass later. Says nothing personal."""


class TapFault(VakaError):  # noqa: N818 - it names whose fault it is: the receiver's, and not the item's
    """A tap's receiver takes nothing now; the same page comes again. Says nothing personal."""
