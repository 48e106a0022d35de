"""Write requirements.lock and requirements-dev.lock: exact versions of all that is installed.

Run by `make lock` in an environment that holds the versions to keep. The packages are found by
walking from pyproject.toml through the requirements of each installed package, so nothing that
merely happens to be installed gets in. Local builds (1.0+cpu) are written as their plain version.
"""

import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
# Torch itself names the accelerator packages that fit the machine it is installed on.
LEFT_TO_TORCH = ("nvidia-", "cuda-", "triton")
PLATFORMS = [
    {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "sys_platform": system,
        "platform_system": "Darwin" if system == "darwin" else "Linux",
        "platform_machine": machine,
    }
    for version in ("3.11", "3.12", "3.13")
    for system, machine in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
]


def closure(wanted: list[str]) -> dict[str, str]:
    """Package to version for everything that `wanted` needs on any platform we support."""
    found: dict[str, str] = {}
    missing: set[str] = set()
    queue = [Requirement(line) for line in wanted]
    seen: set[tuple[str, frozenset[str]]] = set()
    while queue:
        need = queue.pop()
        name = canonicalize_name(need.name)
        if name.startswith(LEFT_TO_TORCH) or (name, frozenset(need.extras)) in seen:
            continue
        seen.add((name, frozenset(need.extras)))
        try:
            installed = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            missing.add(name)
            continue
        found[name] = installed.version.split("+")[0]
        for line in installed.requires or []:
            inner = Requirement(line)
            if inner.marker is None or any(
                inner.marker.evaluate({**platform, "extra": extra})
                for platform in PLATFORMS
                for extra in ["", *need.extras]
            ):
                queue.append(inner)
    for absent in sorted(missing):
        sys.stderr.write(f"not installed here, so not pinned: {absent}\n")
    return found


def write(path: Path, title: str, pins: dict[str, str]) -> None:
    lines = [f"# {title}", "# Written by `make lock`; change pyproject.toml, not this file."]
    lines += [f"{name}=={version}" for name, version in sorted(pins.items())]
    path.write_text("\n".join(lines) + "\n")


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime = project["project"]["dependencies"]
    dev = project["dependency-groups"]["dev"]
    write(ROOT / "requirements.lock", "What the platform runs on.", closure(runtime))
    write(
        ROOT / "requirements-dev.lock",
        "The platform with its tests and checks.",
        closure([*runtime, *dev]),
    )


if __name__ == "__main__":
    main()
