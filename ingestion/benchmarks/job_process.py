"""One job in a process of its own, as a worker has it: its seconds and the memory it took.

`python -m ingestion.benchmarks.job_process ID`. What a worker has loaded before a job reaches it
is loaded before the clock starts.
"""

import json
import sys
import time
from importlib import import_module
from pathlib import Path

import django


def main(job_id: int) -> None:
    django.setup()
    jobs = import_module("marketing.core.jobs")
    import_module("ingestion.tasks")
    import_module("kombu.transport.redis")
    began = time.perf_counter()
    jobs.run(job_id=job_id)
    seconds = time.perf_counter() - began
    sys.stdout.write(json.dumps({"seconds": seconds, "memory_mb": peak()}) + "\n")


def peak() -> int:
    """Megabytes at most so far. The kernel's other figure begins with that of our starter."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) // 1024


if __name__ == "__main__":
    main(int(sys.argv[1]))
