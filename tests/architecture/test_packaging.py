"""What is installed is ours, nothing kept ties the tree to a machine, and every entry point resolves."""

import re
from importlib.metadata import entry_points, packages_distributions, version

import pytest
from tree import PACKAGES, ROOT, kept_files, project, rows, section, short, text_of

LOCKS = ("requirements.txt", "requirements-dev.txt")
GROUPS = ("vaka.adapters", "vaka.rules", "vaka.notifiers", "console_scripts")
TIES = re.compile(
    # each pattern is written so that it does not find itself
    r"/wor[k]/|/roo[t]/|/hom[e]/\w+/|/far[m]/|\.\./share[d]|py[p]i\.org|python[h]osted|npm[j]s\.|deb\.debia[n]"
)
"""Machine paths, registry hosts and neighbours outside the tree."""


@pytest.mark.parametrize("package", PACKAGES)
def test_no_foreign_distribution_owns_one_of_our_names(package: str) -> None:
    assert set(packages_distributions().get(package, ["vaka"])) == {"vaka"}


@pytest.mark.parametrize(
    "point",
    [
        point
        for group in GROUPS
        for point in entry_points(group=group)
        if point.dist and point.dist.name == "vaka"
    ],
    ids=lambda point: f"{point.group}:{point.name}",
)
def test_an_entry_point_resolves(point: object) -> None:
    assert point.load() is not None


def test_the_installed_metadata_is_that_of_the_tree() -> None:
    declared = project()
    for group, entries in {**declared["entry-points"], "console_scripts": declared["scripts"]}.items():
        installed = {p.name: p.value for p in entry_points(group=group) if p.dist and p.dist.name == "vaka"}
        assert installed == entries, "the environment is older than pyproject.toml: run scripts/environment"


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_with_hashes_and_holds_no_address(name: str) -> None:
    entries = text_of(name).replace("\\\n", "").splitlines()

    assert all(re.match(r"[a-z0-9-]+==\S+ ", entry) for entry in entries)
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"://|--(extra-)?index|--find-links|@ file", text_of(name))


def test_both_locks_agree_and_cover_what_is_declared() -> None:
    runtime, development = (
        dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text_of(name), flags=re.MULTILINE)) for name in LOCKS
    )

    assert runtime.items() <= development.items()
    assert set(declared_names("runtime", "build")) <= set(runtime)
    assert set(declared_names("dev")) <= set(development)


def declared_names(*groups: str) -> list[str]:
    declared = project()
    optional = declared["optional-dependencies"]
    lists = {"runtime": declared["dependencies"], **optional}
    return [re.match(r"[\w-]+", line).group() for group in groups for line in lists[group]]


@pytest.mark.parametrize(
    ("heading", "group"),
    [("To run", "runtime"), ("To install from the tree", "build"), ("To develop", "dev")],
)
def test_every_dependency_has_its_reason_and_nothing_else_has(heading: str, group: str) -> None:
    table = rows(section("docs/dependencies.md", heading))

    assert [row[0].strip("`") for row in table] == sorted(declared_names(group))
    assert all(len(row[-1]) > 20 for row in table)


def test_nothing_in_the_tree_ties_it_to_a_machine_or_a_mirror() -> None:
    found = []
    for path in kept_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # an image or golden bytes
        found += [f"{short(path)}: {match.group()}" for match in TIES.finditer(text)]

    assert found == []


def test_the_change_log_has_the_version() -> None:
    declared = project()["version"]

    assert version("vaka") == declared
    assert re.search(rf"^## {re.escape(declared)}\b", text_of("CHANGELOG.md"), flags=re.MULTILINE)


def test_the_programs_that_make_calls_can_be_run() -> None:
    scripts = [*(ROOT / "scripts").iterdir(), ROOT / ".ci" / "run"]

    assert [short(path) for path in scripts if not path.stat().st_mode & 0o100] == []
