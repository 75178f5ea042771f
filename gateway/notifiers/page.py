"""The page as a channel: an alert reaches whoever has the staff page open."""

from gateway.model.alert import Alert
from gateway.model.delivery import Delivery
from gateway.service.board import Board
from gateway.service.means import Means


class PageNotifier:
    """Says whether a live page shows the recipient's alerts; the board itself carries the alert there."""

    channel = "page"

    def __init__(self, board: Board) -> None:
        self._board = board

    async def deliver(self, delivery: Delivery, alert: Alert) -> str:  # noqa: ARG002 - the port's shape
        """Return "" when a page is open for the recipient, else that none is."""
        return "" if self._board.watched(delivery.recipient) else "no page is open"

    async def close(self) -> None:
        """Keep nothing open."""


def make(means: Means) -> PageNotifier:
    """Make the channel."""
    return PageNotifier(means.board)
