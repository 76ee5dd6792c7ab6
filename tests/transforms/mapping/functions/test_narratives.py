"""Text that a reader is to see."""

from __future__ import annotations

from typing import Any


def test_a_narrative_is_safe_to_show(field: Any) -> None:
    """Text is escaped."""
    assert field("narrative", "a <b> & c") == {"status": "additional", "div": '<div xmlns="http://www.w3.org/1999/xhtml">a &lt;b&gt; &amp; c</div>'}
