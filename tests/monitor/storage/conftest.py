"""Fixtures for the store."""

import pytest

from monitor.storage.journal import Journal


@pytest.fixture
async def opened():
    """Opens journals and closes them after the test, however that ends."""
    journals = []

    def make(folder, **arguments):
        journal = Journal(folder, **arguments)
        journals.append(journal)
        journal.open()
        return journal

    yield make
    for journal in journals:
        await journal.close()
