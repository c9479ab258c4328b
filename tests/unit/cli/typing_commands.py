"""Somebody at a terminal: commands typed in this process, and what they printed."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from kiosk.cli.main import main


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit status."""

    out: str
    err: str
    status: int


class Terminal:
    """Types `kiosk …` on one data folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.folder, self._capsys, self._patch = folder, capsys, patch

    def type(self, *arguments: str | Path) -> Said:
        """Run a command to its end."""
        self._patch.setattr(sys, "argv", ["kiosk", "--data", str(self.folder), *map(str, arguments)])
        self._patch.setenv("COLUMNS", "1000")
        self._capsys.readouterr()
        status = 0
        # A command runs in a process of its own; here its mask must not outlast it.
        mask = os.umask(0o022)
        try:
            main()
        except SystemExit as e:
            status = int(e.code or 0)
        finally:
            os.umask(mask)
        said = self._capsys.readouterr()
        return Said(said.out, said.err, status)

    def fine(self, *arguments: str | Path) -> str:
        """Run a command that has to succeed; what it printed."""
        said = self.type(*arguments)
        assert said.status == 0, said
        return said.out

    def refused(self, *arguments: str | Path) -> str:
        """Run a command that has to fail in words of ours; what it said."""
        said = self.type(*arguments)
        assert said.status == 1, said
        assert "Traceback" not in said.err
        assert not any(word.startswith(("error.", "cli.", "settings.")) for word in said.err.split())
        return said.err
