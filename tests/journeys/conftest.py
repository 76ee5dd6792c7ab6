"""What all journeys share: the table of peers that could not be had."""

from __future__ import annotations

import pytest

from tests.journeys import peers


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Nobody overlooks what was not tried."""
    if peers.not_run:
        terminalreporter.section("PEERS NOT RUN", red=True, bold=True)
        for peer, why in sorted(peers.not_run.items()):
            terminalreporter.write_line(f"{peer:24} {why}")
