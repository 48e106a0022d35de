"""The compiled plan lives as long as the process; a test leaves none behind."""

from collections.abc import Iterator

import pytest

from ingestion.registry import judging


@pytest.fixture(autouse=True)
def no_plan_is_remembered() -> Iterator[None]:
    judging.forget()
    yield
    judging.forget()
