"""Answers to queries for vaccinations (RSP K11 as CDC's Z32 fills it) in the shape of VXU: the structure of K11 has no groups for what is answered.

What stands before the first ORC is the message's and the patient's; each ORC begins an order.
"""

from __future__ import annotations

from typing import Any

from transforms.hl7.groups import Group
from transforms.mapping.arrangement import Branch
from transforms.mapping.ordering import arrange_orders


def arrange_vaccinations(root: Any, obx_after_spm: str) -> Branch:
    """The tree of an answer, as `orders` has it for VXU."""
    flat = Group("VXU_V04")
    order: Group | None = None
    for segment in sorted(root.walk(), key=lambda each: each.position):
        if segment.name == "ORC":
            order = Group("ORDER")
            flat.children.append(order)
        (order or flat).children.append(segment)
    return arrange_orders(flat, obx_after_spm)
