"""The locks never go below a version that an advisory was fixed in, and never say where to fetch from."""

import re
from pathlib import Path

import pytest
from packaging.version import Version

import app

ROOT = Path(__file__).resolve().parents[2]
RUNTIME, DEV = "requirements.lock", "requirements-dev.lock"

# What each floor keeps out.
FLOORS = {
    "aiosmtpd": "1.4.6",  # CVE-2024-27305 smuggling, CVE-2024-34083 commands before STARTTLS
    "h11": "0.16.0",  # CVE-2025-43859 lenient chunk endings: request smuggling
    "h2": "4.4.1",  # CVE-2026-71554
    "jinja2": "3.1.6",  # the |attr way out of the sandbox
    "python-multipart": "0.0.31",  # CVE-2026-40347, CVE-2026-53538, CVE-2026-53540
    "starlette": "1.3.1",  # CVE-2026-48710 Host, PYSEC-2026-248 and -249, CVE-2025-62727 Range
}


def locked(name: str) -> dict[str, Version]:
    """Package -> version, for every package that a lock pins."""
    pins = re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", (ROOT / name).read_text(), re.MULTILINE)
    return {package: Version(version) for package, version in pins}


@pytest.mark.parametrize("package", sorted(FLOORS))
def test_the_image_gets_no_version_with_a_known_hole(package: str) -> None:
    assert locked(RUNTIME)[package] >= Version(FLOORS[package])


@pytest.mark.parametrize("package", sorted(FLOORS))
def test_a_checkout_gets_no_version_with_a_known_hole(package: str) -> None:
    assert locked(DEV)[package] >= Version(FLOORS[package])


def test_the_tests_run_on_the_versions_that_the_image_gets() -> None:
    assert locked(RUNTIME).items() <= locked(DEV).items()


@pytest.mark.parametrize("name", [RUNTIME, DEV])
def test_every_locked_package_is_held_to_its_hashes(name: str) -> None:
    pinned = re.split(r"^(?=[a-z0-9])", (ROOT / name).read_text(), flags=re.MULTILINE)[1:]
    assert len(pinned) == len(locked(name)) > 0
    assert [each.partition(" ")[0] for each in pinned if "--hash=sha256:" not in each] == []


@pytest.mark.parametrize("name", [RUNTIME, DEV])
def test_a_lock_names_no_address_and_no_path(name: str) -> None:
    assert re.findall(r"^.*(?:://|--index|--find-links|\s/\w).*$", (ROOT / name).read_text(), re.MULTILINE) == []


def test_the_package_the_project_and_the_image_say_the_same_version() -> None:
    assert f'version = "{app.__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert f"ARG VERSION={app.__version__}\n" in (ROOT / "Dockerfile").read_text()
