"""Driving: what can be done to the device itself, by its test hook or by the person beside it."""

from collections.abc import Mapping
from typing import Any

from gateway.conformance.declaration import Declaration
from gateway.conformance.ports import Answer, CannotDriveError, Prompter, Said, UpperTester
from gateway.conformance.sentences import asking


class Driving:
    """The part of a bench that is the same over every transport."""

    def __init__(
        self, declaration: Declaration, tester: UpperTester | None = None, prompter: Prompter | None = None
    ) -> None:
        self.declaration = declaration
        self._tester, self._prompter = tester, prompter

    async def trigger(self, word: str, after_s: float = 0, **data: Any) -> None:
        """Have the device do what makes it say that word, in `after_s` seconds; may raise CannotDriveError.

        Order it before the link is cut when the hook itself needs the link (an upper tester by MQTT).
        """
        values: dict[str, Any] = {"type": word}
        if after_s:
            values["after_s"] = after_s
        if data:
            values["data"] = data
        await self.drive("event", values)

    async def reset(self, after_s: float = 0) -> None:
        """Have the device's power cut and given back; its memory that survives that is its own affair."""
        await self.drive("reset", {"after_s": after_s} if after_s else {})

    async def battery(self, percent: float) -> None:
        """Have the device believe that its battery is at that charge."""
        await self.drive("battery", {"percent": percent})

    async def clock_shift(self, offset_s: float | None) -> None:
        """Have the device's clock go wrong by so much; None: it is not set any more; 0: it is right again."""
        await self.drive("clock", {"unset": True} if offset_s is None else {"offset_s": offset_s})

    async def drive(self, action: str, values: Mapping[str, Any]) -> None:
        """Do one thing to the device, by its hook, else by the person; CannotDriveError if neither can."""
        if self._tester is not None and action in self._tester.actions:
            await self._tester.do(action, values)
            return
        await self.prompt(asking(action, values))

    async def prompt(self, what: Said, within_s: float | None = None) -> None:
        """Ask the person beside the device to do something; CannotDriveError if it was not done in time."""
        if self._prompter is None:
            raise CannotDriveError(f"no upper tester and nobody to ask: {what.en}")
        limit = self.declaration.pixit.person_s if within_s is None else within_s
        answer = await self._prompter.ask(what, limit)
        if answer is not Answer.DONE:
            raise CannotDriveError(f"the tester's answer was {answer}: {what.en}")
