"""Where in a message structure a segment belongs, given the one before it: the transitions that grouping follows.

A State stands for "this segment was placed last"; it remembers for each segment name what to do next, so that a structure is
reasoned about once and then only looked up.  In order of preference a segment goes

1. on, where the grammar allows it, into the innermost group that is open;
2. else to the nearest group, from the innermost open one outward, that may hold it at all: on, leaving needed segments
   out (`missing`), or back, into the last instance of a group that was passed (`displaced`);
3. else, unknown to the structure, to the group of the segment before it.

Segments that speak of the one before them (NTE, PRT, ADD) never move away from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from transforms.hl7.grammar import Part

ATTACHED = frozenset(("NTE", "PRT", "ADD"))
ON, MISSING, BACK, STAY, LATE, EITHER = range(6)


class Move(NamedTuple):
    """What to do with a segment.

    ON and MISSING: close `pops` groups, open those of `opens`, put the segment there; `lacking` says what was left out.
    BACK: without closing any for good, go `pops` groups up and down again along `opens`, into their last instances; if `fresh`
    a new instance of the last.  STAY: put it where the last one went.  LATE: as ON, unless the next segment shows that it
    belongs to the group it would close.  EITHER: as ON if all of `needs` come while the names are among `within`, else `other`.
    """

    kind: int
    pops: int
    opens: tuple[str, ...]
    state: State
    lacking: tuple[str, ...] = ()
    fresh: bool = False
    other: Move | None = None
    needs: frozenset[str] = frozenset()
    within: frozenset[str] = frozenset()


class Node:
    """A part of a structure in its place."""

    __slots__ = ("depth", "index", "nodes", "parent", "part")

    def __init__(self, part: Part, parent: Node | None, index: int) -> None:
        self.part, self.parent, self.index = part, parent, index
        self.depth: int = 0 if parent is None else parent.depth + bool(part.name and part.parts)  # open groups with names
        self.nodes = tuple(Node(each, self, number) for number, each in enumerate(part.parts))

    @property
    def own(self) -> frozenset[str]:
        """The segments that may stand in this group itself."""
        unnamed = (node.own for node in self.nodes if node.part.parts and not node.part.name)
        return frozenset(node.part.name for node in self.nodes if node.part.is_segment).union(*unnamed)

    @property
    def group(self) -> Node:
        """The nearest group around a segment, or this group, that is in the tree."""
        node: Node = self
        while node.parent is not None and not (node.part.name and node.part.parts):
            node = node.parent
        return node


class State(dict[str, Move]):
    """The moves known so far from one segment of a structure."""

    __slots__ = ("missing", "node", "structure")

    def __init__(self, structure: Structure, node: Node, missing: tuple[Node, ...] = ()) -> None:
        super().__init__()
        self.structure, self.node, self.missing = structure, node, missing

    def __missing__(self, name: str) -> Move:
        move = self.structure.move(self, name)
        if name in self.structure.names:  # names nobody knows are not remembered: there is no end of them
            self[name] = move
        return move


class Structure:
    """A message structure, ready to place segments."""

    def __init__(self, part: Part) -> None:
        self.name = part.name
        self.root = Node(part, None, 0)
        self.names = frozenset(part.segments())
        self._states: dict[tuple[Node, tuple[Node, ...]], State] = {}
        header = next((node for node in self.root.nodes if node.part.name == "MSH"), self.root)
        self.start = self._state(header)

    def _state(self, node: Node, missing: tuple[Node, ...] = ()) -> State:
        return self._states.setdefault((node, missing), State(self, node, missing))

    def move(self, state: State, name: str) -> Move:
        """What to do with a segment `name` after the one that `state` stands for."""
        if name not in self.names:
            return Move(STAY, 0, (), state)
        return (
            self._filling(state, name)
            or self._onward(state, name)
            or (Move(STAY, 0, (), state) if name in ATTACHED else None)
            or self._outward(state, name)
            or Move(STAY, 0, (), state)
        )

    def _filling(self, state: State, name: str) -> Move | None:
        """To where it was missed before, in a group still open."""
        for node in state.missing:
            if node.part.name == name:
                rest = tuple(each for each in state.missing if each is not node)
                return Move(BACK, state.node.group.depth - node.group.depth, (), self._state(state.node, rest))
        return None

    def _onward(self, state: State, name: str) -> Move | None:
        """On, as the grammar allows."""
        for node, parent in _levels(state.node):
            if node.part.repeats and (target := _entered(node, name)):
                move = self._to(state, node, target)
                return self._doubtful(state, node, target, move)
            for sibling in () if parent is None or parent.part.choice else parent.nodes[node.index + 1 :]:
                if target := _entered(sibling, name):
                    return self._documents(state, target, self._to(state, sibling, target))
                if sibling.part.needed:
                    break
            else:
                continue
            break  # what is needed here did not come: do not leave the group as if it had
        return None

    def _outward(self, state: State, name: str) -> Move | None:
        """To the nearest group that may hold it: rather on, into a place that is whole in itself, than anywhere else."""
        for node, parent in _levels(state.node):
            if node.part.repeats and (target := _entered(node, name)):
                return self._to(state, node, target)
            if parent is not None and (move := self._past(state, node, parent, name, lenient=False)):
                return move
        for node, parent in _levels(state.node):
            if parent is not None:
                if move := self._past(state, node, parent, name, lenient=True):
                    return move
                passed = [target for sibling in parent.nodes[: node.index + 1] for target in _all(sibling, name)]
                if passed:
                    return self._back(state, parent, min(reversed(passed), key=lambda target: len(_lacking(parent, target))))
        target = next(_all(self.root, name), None)
        return None if target is None else self._back(state, self.root, target)

    def _past(self, state: State, node: Node, parent: Node, name: str, lenient: bool) -> Move | None:
        """On behind `node`, past what is needed there."""
        for sibling in parent.nodes[node.index + 1 :]:
            if target := _entered(sibling, name, lenient):
                return self._to(state, sibling, target, lacking=True)
        return None

    def _to(self, state: State, entry: Node, target: Node, lacking: bool = False) -> Move:
        """Close the groups up to `entry`'s parent, open those down to `target`."""
        opens = _names_between(entry.parent or entry, target)
        pops = state.node.group.depth - (target.group.depth - len(opens))
        left = _skipped(state.node, entry) if lacking else ()
        missing = (*left, *(_lacking(entry, target) if lacking else ()))
        open_yet = tuple(each for each in state.missing if not _around(entry, each))  # `entry` may begin again
        still = tuple(each for each in (*open_yet, *missing) if _around(each.parent, target))
        kind = MISSING if missing else ON
        return Move(kind, pops, opens, self._state(target, still), tuple(each.part.leading for each in missing))

    def _back(self, state: State, top: Node, target: Node) -> Move:
        opens = _names_between(top, target)
        group = target.group
        fresh = bool(opens) and group.part.repeats and group.part.leading == target.part.name and not target.part.repeats
        return Move(BACK, state.node.group.depth - top.group.depth, opens, state, fresh=fresh)

    def _doubtful(self, state: State, repeated: Node, target: Node, move: Move) -> Move:
        """A group is begun again right after its needed segment: `OBR ORC OBX` may mean the ORC of that OBR."""
        last, group = state.node, repeated.group
        inside = repeated is group and last.group is group and last.part.is_segment and target.group is group and target is not last
        follows = not last.part.optional or last.part.name in ATTACHED
        if inside and follows and _before(group, target, last):
            return move._replace(kind=LATE, other=Move(BACK, 0, (), state))
        return move

    def _documents(self, state: State, target: Node, move: Move) -> Move:
        """A group that begins as one further on does (ORDER_DOCUMENT, which ends with TXA) is entered only if it is complete."""
        group = target.group
        if target is not group.nodes[0] or not any(node.part.name == "TXA" and node.part.needed for node in group.nodes):
            return move
        passed = self._state(group)
        beyond = self._onward(passed, target.part.name) or self._outward(passed, target.part.name)
        if beyond is None:
            return move
        beyond = beyond._replace(pops=beyond.pops + state.node.group.depth - group.depth)
        if beyond.kind == BACK:
            beyond = beyond._replace(state=state)
        return move._replace(kind=EITHER, other=beyond, needs=frozenset(("TXA",)), within=frozenset(group.part.segments()))


def _levels(node: Node) -> Iterator[tuple[Node, Node | None]]:
    """A node and its parent, from the innermost outward."""
    while node.parent is not None:
        yield node, node.parent
        node = node.parent


def _entered(node: Node, name: str, lenient: bool = False) -> Node | None:
    """The segment `name` in `node` that may come first; `lenient`: even with needed ones before it left out."""
    if node.part.is_segment:
        return node if node.part.name == name else None
    best: Node | None = None
    for inner in node.nodes:
        target = _entered(inner, name, lenient)
        if target is not None:
            if not lenient:
                return target
            if best is None or len(_lacking(node, target)) < len(_lacking(node, best)):
                best = target
        if inner.part.needed and not node.part.choice and not lenient:
            return None
    return best


def _all(node: Node, name: str) -> Iterator[Node]:
    if node.part.is_segment and node.part.name == name:
        yield node
    for inner in node.nodes:
        yield from _all(inner, name)


def _lacking(top: Node, target: Node) -> tuple[Node, ...]:
    """What is needed before `target` in the groups from `top` down to it."""
    found: list[Node] = []
    node = target
    while node is not top and node.parent is not None:
        parent = node.parent
        if not parent.part.choice:
            found[:0] = [each for each in parent.nodes[: node.index] if each.part.needed]
        node = parent
    return tuple(found)


def _skipped(last: Node, entry: Node) -> tuple[Node, ...]:
    """What is needed between `last` and `entry`, which is a later sibling of it or of a group around it."""
    for node, parent in _levels(last):
        if parent is entry.parent:
            return tuple(each for each in parent.nodes[node.index + 1 : entry.index] if each.part.needed)
    return ()


def _before(group: Node, first: Node, second: Node) -> bool:
    order = list(_segments(group))
    return order.index(first) < order.index(second)


def _segments(node: Node) -> Iterator[Node]:
    if node.part.is_segment:
        yield node
    for inner in node.nodes:
        yield from _segments(inner)


def _names_between(top: Node, target: Node) -> tuple[str, ...]:
    """The groups with names below `top` down to `target`."""
    names: list[str] = []
    for node, _ in _levels(target):
        if node is top:
            break
        if node.part.name and node.part.parts:
            names.insert(0, node.part.name)
    return tuple(names)


def _around(group: Node | None, node: Node) -> bool:
    return any(parent is group for _, parent in _levels(node))
