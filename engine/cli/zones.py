"""Options that name a time zone."""

from __future__ import annotations

from zoneinfo import available_timezones

import click

from transforms.declaration.suggestions import did_you_mean


def known_zone(context: click.Context, option: click.Parameter, name: str) -> str:
    """`name`, if the IANA list has it or it is empty; BadParameter says what was probably meant."""
    if name and name not in available_timezones():
        raise click.BadParameter(f"{name} is no time zone of the IANA list{did_you_mean(name, available_timezones())}")
    return name
