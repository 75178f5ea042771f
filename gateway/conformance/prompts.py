"""Asks the person beside the device, on a terminal or any pair of files, and waits no longer than allowed."""

import asyncio
from typing import Literal, TextIO

from gateway.conformance.ports import Answer, Said

Language = Literal["sv", "en"]
_HOW = {
    "en": "Press Enter when it is done, or write n and Enter if it cannot be done ({within_s:.0f} s).",
    "sv": "Tryck Enter när det är gjort, eller skriv n och Enter om det inte går ({within_s:.0f} s).",
}


class Terminal:
    """A line is an answer: empty is done, one that begins with n is not; the end of input answers no more."""

    def __init__(self, asks: TextIO, answers: TextIO, language: Language = "sv") -> None:
        self._asks, self._answers, self._language = asks, answers, language
        self._over = False

    async def ask(self, what: Said, within_s: float) -> Answer:
        """Write the sentence and wait for the line."""
        if self._over:
            return Answer.CANNOT
        text = what.sv if self._language == "sv" else what.en
        self._asks.write(f"\n>> {text}\n   {_HOW[self._language].format(within_s=within_s)}\n")
        self._asks.flush()
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._answers.fileno(), _set, ready)
        try:
            async with asyncio.timeout(within_s):
                await ready
        except TimeoutError:
            return Answer.LATE
        finally:
            loop.remove_reader(self._answers.fileno())
        line = self._answers.readline()
        self._over = not line
        return Answer.CANNOT if self._over or line.strip().lower().startswith("n") else Answer.DONE


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
