"""What is said outside the pages: nothing about the person, the home or the cause."""

from gateway.model.alert import Severity

CLASSES = {
    "sv": {Severity.HIGH: "hög", Severity.MEDIUM: "medel", Severity.LOW: "låg", Severity.INFO: "info"},
    "en": {Severity.HIGH: "high", Severity.MEDIUM: "medium", Severity.LOW: "low", Severity.INFO: "info"},
}
LINES = {"sv": "Larm i Vaka ({severity}). Öppna: {url}", "en": "Alert in Vaka ({severity}). Open: {url}"}
SUBJECTS = {"sv": "Larm i Vaka ({severity})", "en": "Alert in Vaka ({severity})"}


def line(language: str, severity: Severity, url: str) -> str:
    """Return the one line of an SMS or e-mail: the class, and where to look."""
    return LINES[language].format(severity=CLASSES[language][severity], url=url)


def subject(language: str, severity: Severity) -> str:
    """Return the subject of an e-mail."""
    return SUBJECTS[language].format(severity=CLASSES[language][severity])
