"""Where a message's segments stand, seen by a message map: which instances each make has, what each can see and link to.

Only names and order matter here, never content; so a plan is made once for a sequence of segment names and kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

NOBODY: Mapping[str, str] = {}
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")


@dataclass(eq=False)
class Branch:
    """A group of a message: its own segments as (name, position), and the groups inside it."""

    name: str
    segments: list[tuple[str, int]] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)
    parent: Branch | None = field(default=None, repr=False)

    def grow(self, name: str) -> Branch:
        """A new group inside this one."""
        branch = Branch(name, parent=self)
        self.branches.append(branch)
        return branch

    def add(self, branch: Branch) -> None:
        """Put `branch` inside this one."""
        branch.parent = self
        self.branches.append(branch)

    def walk(self) -> Iterator[Branch]:
        """This group and all below, in the order of the message."""
        yield self
        for each in self.branches:
            yield from each.walk()

    def chain(self) -> Iterator[Branch]:
        """This group and those around it, inside out."""
        at: Branch | None = self
        while at is not None:
            yield at
            at = at.parent

    def first(self, name: str) -> int:
        """Position of the group's own first segment of that name, -1 if it has none."""
        return next((position for each, position in self.segments if each == name), -1)

    def alone(self) -> bool:
        """Whether it is the only one of its kind where it stands."""
        return self.parent is None or sum(each.name == self.name for each in self.parent.branches) == 1


@dataclass(frozen=True)
class Site:
    """What a make asks of the tree: where it happens, which segments it sees, which makes it links to."""

    name: str
    at: tuple[str, ...]
    own: tuple[str, ...]  # segments it is made of: one of them must be there
    only_alone: tuple[str, ...]  # seen only where the group has no sibling of its kind
    segments: tuple[str, ...]  # all it sees, in the order of its steps
    links: tuple[tuple[str, bool], ...]  # (make, all of them)
    inner: tuple[str, ...] = ()  # segments that differ inside a group of steps; none: steps are not grouped


@dataclass(frozen=True)
class Plan:
    """What to make of a message with these segments, in this order.

    `steps[make]` are tuples: node, part, positions of the site's segments (-1: not there), nodes of its links.
    """

    names: tuple[str, ...]
    places: tuple[str, ...]  # `OBX[3]` by position
    steps: tuple[tuple[tuple[Any, ...], ...], ...]
    nodes: int
    groups: tuple[tuple[Any, ...], ...]  # the same steps as the generated code takes them
    parts: tuple[int, ...]  # position of each part's PID, or of what stands for it
    part_of: tuple[int, ...]  # node -> part


@dataclass(eq=False)
class _Instance:
    branch: Branch
    own: tuple[str, int] | None
    node: int


def make_plan(names: tuple[str, ...], root: Branch, sites: tuple[Site, ...], part: str, followers: Mapping[str, str] = NOBODY) -> Plan:
    """The plan of a tree for the makes at `sites`.  `followers`: a site's segments, and the one each belongs to that it follows."""
    parts = [each for each in root.walk() if each.name == part] or [root]
    instances: dict[str, list[_Instance]] = {}
    node = 0
    for site in sites:
        found = instances[site.name] = list(_instances(root, site, node))
        node += len(found)
    part_of = [0] * node
    steps = []
    for site in sites:
        rows = []
        for each in instances[site.name]:
            part_of[each.node] = _part_of(each.branch, parts)
            positions = [_visible(each, name, site, followers) for name in site.segments]
            links = [_linked(each, instances.get(name, []), many) for name, many in site.links]
            rows.append((each.node, part_of[each.node], *positions, *links))
        steps.append(tuple(rows))
    groups = tuple(map(grouped, sites, steps))
    return Plan(names, _places(names), tuple(steps), node, groups, tuple(each.first("PID") for each in parts), tuple(part_of))


def grouped(site: Site, steps: tuple[tuple[Any, ...], ...]) -> tuple[Any, ...]:
    """Steps as a make's code takes them: in groups of those that have all around them in common, if it takes groups."""
    if not site.inner:
        return steps
    inside = [0, *(2 + index for index, name in enumerate(site.segments) if name in site.inner)]
    outside = [1, *(index for index in range(2, 2 + len(site.segments) + len(site.links)) if index not in inside)]
    groups: list[tuple[tuple[Any, ...], list[tuple[Any, ...]]]] = []
    for step in steps:
        around, own = tuple(step[index] for index in outside), tuple(step[index] for index in inside)
        if groups and groups[-1][0] == around:
            groups[-1][1].append(own)
        else:
            groups.append((around, [own]))
    return tuple(groups)


def _places(names: tuple[str, ...]) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    places = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        places.append((name, counts[name]))
    return tuple(name if counts[name] == 1 else f"{name}[{number}]" for name, number in places)


def _instances(root: Branch, site: Site, node: int) -> Iterator[_Instance]:
    paths = [path.split(".") for path in site.at]
    for branch in root.walk():
        for path in paths:
            own = path[-1] if _SEGMENT.fullmatch(path[-1]) else ""
            if not _stands(branch, path[:-1] if own else path):
                continue
            if own:
                for name, position in branch.segments:
                    if name == own:
                        yield _Instance(branch, (name, position), node)
                        node += 1
            elif not site.own or any(_seen(branch, name) >= 0 for name in site.own):
                yield _Instance(branch, None, node)
                node += 1


def _stands(branch: Branch, path: list[str]) -> bool:
    """Whether the groups around `branch` end in `path`, whose first name may be empty: the message itself."""
    if path and not path[0]:
        path = path[1:]
        if len(list(branch.chain())) != len(path) + 1:
            return False
    chain = list(branch.chain())
    return len(chain) >= len(path) and all(group.name == name for group, name in zip(chain, reversed(path)))


def _visible(instance: _Instance, name: str, site: Site, followers: Mapping[str, str]) -> int:
    if instance.own is not None and instance.own[0] == name:
        return instance.own[1]
    if instance.own is not None and followers.get(name) == instance.own[0]:
        return _behind(instance.branch, *instance.own, name)
    if name in site.only_alone and not instance.branch.alone():
        return -1
    return _seen(instance.branch, name)


def _behind(branch: Branch, own: str, position: int, name: str) -> int:
    """The first `name` behind the segment at `position`, before the next of its kind; -1: there is none."""
    for kind, each in sorted(branch.segments, key=lambda segment: segment[1]):
        if each <= position:
            continue
        if kind == own:
            break
        if kind == name:
            return each
    return -1


def _seen(branch: Branch, name: str) -> int:
    """The segment a rule at `branch` means by its name: the nearest around it, or the only one in a group beside.

    A sibling of a group one stands in is never looked into: another order's specimen, another patient's PID.
    """
    kinds: set[str] = set()
    for group in branch.chain():
        if (position := group.first(name)) >= 0:
            return position
        kinds.add(group.name)
        below = [position for each in group.branches if each.name not in kinds for position in _below(each, name, kinds)]
        if len(below) == 1:
            return below[0]
    return -1


def _below(branch: Branch, name: str, kinds: set[str]) -> Iterator[int]:
    yield from (position for each, position in branch.segments if each == name)
    for each in branch.branches:
        if each.name not in kinds:
            yield from _below(each, name, kinds)


def _linked(instance: _Instance, others: list[_Instance], many: bool) -> object:
    """The node a link means, -1 for none; or the tuple of all nodes below."""
    if many:
        return tuple(each.node for each in others if instance.branch in each.branch.chain())
    kinds: set[str] = set()
    for group in instance.branch.chain():
        kinds.add(group.name)
        near = [each.node for each in others if _reaches(group, each.branch, kinds)]
        if near:
            return near[0] if len(near) == 1 else -1
    return -1


def _reaches(group: Branch, other: Branch, kinds: set[str]) -> bool:
    """Whether `other` is `group` or below it, not behind a group of a kind one stands in."""
    for each in other.chain():
        if each is group:
            return True
        if each.name in kinds:
            return False
    return False


def _part_of(branch: Branch, parts: list[Branch]) -> int:
    chain = list(branch.chain())
    return next((index for index, each in enumerate(parts) if each in chain), 0)


def column(site: Site, segment: str) -> int:
    """Where a step has the position of that segment."""
    return 2 + site.segments.index(segment)


def link_column(site: Site, make: str, many: bool) -> int:
    """Where a step has the node (or nodes) of that link; -1 where the site has no such link."""
    link = (make, many)
    return 2 + len(site.segments) + site.links.index(link) if link in site.links else -1
