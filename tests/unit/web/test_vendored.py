from hashlib import sha256
from pathlib import Path

import pytest

import web

VENDORED = Path(web.__file__).parent / "static" / "vendor"


@pytest.mark.parametrize("folder", sorted(VENDORED.iterdir()), ids=lambda folder: folder.name)
def test_what_others_made_is_unchanged_and_comes_with_its_licence(folder: Path) -> None:
    lines = (folder / "CHECKSUMS").read_text(encoding="ascii").splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert listed == {
        file.name: sha256(file.read_bytes()).hexdigest() for file in folder.iterdir() if file.name != "CHECKSUMS"
    }
    assert "LICENSE" in listed
