"""The report as JUnit XML, for the tools that a vendor builds with; clause ids stand as properties."""

from xml.etree import ElementTree as ET

from gateway.conformance.report import CaseResult, Report
from gateway.conformance.verdict import Verdict, together

_ELEMENT = {
    Verdict.FAIL: "failure",
    Verdict.INCONCLUSIVE: "error",
    Verdict.NOT_EXECUTED: "skipped",
    Verdict.NOT_APPLICABLE: "skipped",
}


def junit(report: Report) -> bytes:
    """Return one suite with a case a test; a must-clause that no case tests is a case of its own, skipped."""
    suites = ET.Element("testsuites", name="vaka conform")
    suite = ET.SubElement(suites, "testsuite", name=f"{report.device.vendor} {report.device.product}")
    suite.set("timestamp", report.began_at.isoformat(timespec="seconds"))
    suite.set("time", f"{(report.ended_at - report.began_at).total_seconds():.3f}")
    properties = ET.SubElement(suite, "properties")
    for name, value in _facts(report).items():
        ET.SubElement(properties, "property", name=name, value=value)
    verdicts = [_case(suite, case) for case in report.cases]
    tested = {clause for case in report.cases for clause in case.clauses}
    for one in report.clauses:
        if one.id not in tested and one.verdict is Verdict.NOT_EXECUTED:
            missing = ET.SubElement(suite, "testcase", name=one.id, classname="untested")
            _clauses(missing, (one.id,))
            ET.SubElement(missing, "skipped", message=one.reason)
            verdicts.append(Verdict.NOT_EXECUTED)
    counts = {
        "tests": len(verdicts),
        "failures": verdicts.count(Verdict.FAIL),
        "errors": verdicts.count(Verdict.INCONCLUSIVE),
        "skipped": verdicts.count(Verdict.NOT_EXECUTED) + verdicts.count(Verdict.NOT_APPLICABLE),
    }
    for name, count in counts.items():
        suite.set(name, str(count))
    ET.indent(suites)
    written: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _facts(report: Report) -> dict[str, str]:
    return {
        "verdict": report.verdict.value,
        "interface": report.interface,
        "kit.version": report.kit.version,
        "kit.sha256": report.kit.digest,
        "device.firmware": report.device.firmware,
        "device.kind": report.device.kind,
        "counterpart": report.counterpart,
        **{f"{name}.sha256": digest for name, digest in report.digests.items()},
        **{f"excluded.{one.case}": one.challenge for one in report.exclusions},
        **{f"clause.{one.id}": one.verdict.value for one in report.clauses},
    }


def _case(suite: ET.Element, case: CaseResult) -> Verdict:
    verdict = together(finding.verdict for finding in case.findings)
    element = ET.SubElement(suite, "testcase", name=f"{case.id} {_xml(case.en)}", classname=case.clauses[0])
    element.set("time", f"{case.took_s:.3f}")
    _clauses(element, case.clauses)
    for finding in case.findings:
        kind = _ELEMENT.get(finding.verdict)
        if kind is not None and finding.verdict is verdict:
            said = ET.SubElement(element, kind, message=_xml(finding.reason))
            said.set("type", finding.verdict.value)
            said.text = f"packets: {', '.join(map(str, finding.evidence)) or 'none'}"
            break
    return verdict


def _clauses(element: ET.Element, clauses: tuple[str, ...]) -> None:
    properties = ET.SubElement(element, "properties")
    for clause in clauses:
        ET.SubElement(properties, "property", name="clause", value=clause)


def _xml(text: str) -> str:
    """Return text without the characters that XML 1.0 cannot hold; a device may have sent them."""
    return "".join(
        char if char in "\t\n" or (char >= " " and char not in "\ufffe\uffff") else "\ufffd" for char in text
    )
