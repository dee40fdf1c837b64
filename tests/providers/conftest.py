from __future__ import annotations

from pathlib import Path

import pytest
from support.directory_provider import DirectoryProvider


@pytest.fixture
def provider(tmp_path: Path) -> DirectoryProvider:
    return DirectoryProvider(str(tmp_path))
