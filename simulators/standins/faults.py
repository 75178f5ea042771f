"""Faults: how a stand-in misbehaves, set by a test or on the command line."""

import asyncio
from dataclasses import dataclass

from fastapi import Response


@dataclass
class Faults:
    """`slow_s` holds every answer back; `fail` answers with that HTTP status, `fail_times` times (0: always).

    `late_s` holds reports about a message back, `twice` sends each of them two times.
    """

    slow_s: float = 0
    fail: int = 0
    fail_times: int = 0
    late_s: float = 0
    twice: bool = False

    async def meet(self) -> Response | None:
        """Wait as long as asked; return the answer of a service that fails, None where it goes on."""
        await asyncio.sleep(self.slow_s)
        if not self.fail:
            return None
        status = self.fail
        if self.fail_times:
            self.fail_times -= 1
            if self.fail_times == 0:
                self.fail = 0
        return Response(f"the stand-in fails as told: {status}", status, media_type="text/plain")
