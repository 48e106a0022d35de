from collections.abc import Iterator

import pytest

from tests.campaigns.peer import Peer


@pytest.fixture
def peer(settings) -> Iterator[Peer]:
    made = Peer()
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{made.port}"]
    yield made
    made.close()
