"""Makes a stand-in by its name on the command line."""

from collections import defaultdict
from collections.abc import Callable

from gateway.contract.errors import VakaError
from simulators.standins.elks import ElksStandIn
from simulators.standins.push import PushStandIn
from simulators.standins.receiver import WebhookStandIn

ACCOUNT = ("vaka", "standin")
SECRET = "whsec_c3RhbmQtaW4gc3RhbmQtaW4gc3RhbmQtaW4="  # noqa: S105 - of a stand-in, for everybody to know
StandIn = ElksStandIn | PushStandIn | WebhookStandIn


def make_standin(service: str, habit: str, say: Callable[[str], None]) -> StandIn:
    """Return the stand-in; VakaError for a service that has none."""
    if service == "46elks":
        made = ElksStandIn(*ACCOUNT, say=say)
        made.habits = defaultdict(lambda: habit)
        say(f"account {ACCOUNT[0]}, password {ACCOUNT[1]}; add /a1 to the address")
        return made
    if service == "push":
        say("POST /standin/subscriptions makes a subscription")
        return PushStandIn(say)
    if service == "webhook":
        say(f"secret {SECRET}; add /hook to the address")
        return WebhookStandIn(SECRET, say)
    raise VakaError(f"standin: found {service!r}; allowed: 46elks, push, webhook")
