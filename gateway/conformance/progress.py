"""Progress: what a run is doing, a line a case, so that nobody wonders during a long one."""

from typing import TextIO

from gateway.conformance.case import Case
from gateway.conformance.prompts import Language
from gateway.conformance.verdict import Finding, together

_CONNECT = {
    "en": "Let the device connect to {host}:{port}.",
    "sv": "Låt enheten ansluta till {host}:{port}.",
}


class Progress:
    """Writes to a file that is usually standard error."""

    def __init__(self, to: TextIO, language: Language) -> None:
        self._to, self._language = to, language

    def listening(self, host: str, port: int) -> None:
        """Say where the device is expected."""
        self._say(_CONNECT[self._language].format(host=host, port=port))

    def told(self, number: int, of: int, case: Case, findings: tuple[Finding, ...] | None) -> None:
        """Say which case begins, and what came of it."""
        if findings is None:
            self._to.write(f"[{number}/{of}] {case.id} {case.sv if self._language == 'sv' else case.en} ... ")
            self._to.flush()
        else:
            self._say(together(finding.verdict for finding in findings).value)

    def _say(self, line: str) -> None:
        self._to.write(f"{line}\n")
        self._to.flush()
