"""The script behind every make command finds a fit Python, or says which one is needed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "marketing/deploy/environment.sh"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without packages, and a PATH on which only a few programs stand."""
    (tmp_path / "marketing" / "deploy").mkdir(parents=True)
    shutil.copy(ROOT / SCRIPT, tmp_path / SCRIPT)
    (tmp_path / "requirements.lock").write_text("# nothing\n")
    (tmp_path / "requirements-dev.lock").write_text("# nothing\n")
    (tmp_path / "bin").mkdir()
    for program in ("sh", "cat", "rm", "cksum"):
        (tmp_path / "bin" / program).symlink_to(shutil.which(program) or program)
    return tmp_path


def python(checkout: Path, name: str, version: str) -> None:
    """A stand-in for an interpreter of some version, which knows nothing but that."""
    fits = "0" if version in ("3.11", "3.12", "3.13") else "1"
    file = checkout / "bin" / name
    file.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = -V ]; then echo "Python {version}.0"; exit 0; fi\n'
        f'if [ "$1" = -c ]; then exit {fits}; fi\n'
        'echo "No module named venv" >&2; exit 1\n'
    )
    file.chmod(0o755)


def prepare(checkout: Path, lock: str = "requirements.lock") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(checkout / "bin" / "sh"), SCRIPT, lock],
        cwd=checkout,
        env={"PATH": str(checkout / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("version", ["3.8", "3.10", "3.14"])
def test_a_python_that_does_not_fit_is_named_with_what_to_install(checkout, version):
    python(checkout, "python3", version)
    done = prepare(checkout)

    assert done.returncode == 1
    assert (
        f"Python 3.11, 3.12 or 3.13 is needed; this machine has Python {version}.0." in done.stderr
    )
    assert "sudo apt install python3 python3-venv" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_machine_without_python_is_told_so(checkout):
    assert "this machine has no Python 3 at all" in prepare(checkout).stderr


def test_a_fit_python_is_found_beside_an_unfit_one(checkout):
    python(checkout, "python3", "3.9")
    python(checkout, "python3.12", "3.12")

    assert "Making .venv with Python 3.12.0" in prepare(checkout).stderr


def test_a_python_without_venv_is_explained_and_leaves_nothing_half_made(checkout):
    python(checkout, "python3.11", "3.11")
    done = prepare(checkout)

    assert done.returncode == 1
    assert "could not make a virtual environment" in done.stderr
    assert not (checkout / ".venv").exists()


def test_packages_are_installed_once_per_content_of_the_lock(checkout):
    (checkout / ".venv" / "bin").mkdir(parents=True)
    installer = checkout / ".venv" / "bin" / "python"
    installer.write_text('#!/bin/sh\nif [ "$2" = pip ]; then echo "$@" >>installs; fi\n')
    installer.chmod(0o755)

    for _time in range(2):
        assert prepare(checkout).returncode == 0
    assert len((checkout / "installs").read_text().splitlines()) == 1

    (checkout / "requirements.lock").write_text("changed==1\n")
    prepare(checkout)
    assert len((checkout / "installs").read_text().splitlines()) == 2

    # The development lock holds the other one, so a run after a test installs nothing.
    prepare(checkout, "requirements-dev.lock")
    (checkout / ".venv" / ".installed-requirements.lock").unlink()
    prepare(checkout)
    assert len((checkout / "installs").read_text().splitlines()) == 3


def test_the_locks_name_exact_versions_and_no_index_or_accelerator():
    for name in ("requirements.lock", "requirements-dev.lock"):
        lines = [
            line for line in (ROOT / name).read_text().splitlines() if not line.startswith("#")
        ]
        assert all(line.count("==") == 1 and "://" not in line for line in lines), name
        assert not [line for line in lines if line.startswith(("nvidia", "cuda", "triton", "-"))]
        assert "torch==2.13.0" in lines
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
