"""A message as the tree of groups that its structure says, whatever order its segments came in.

Every segment of the message stands in the tree exactly once.  What is out of its place is bound to the nearest group that may
hold it, what nobody knows to the group of the segment before it, and each such decision is a Note among `deviations`.  Rules
of meaning (whose result an OBX after SPM is) are not decided here: the tree follows the grammar.
"""

from __future__ import annotations

from collections.abc import Iterator

from transforms.document import Note
from transforms.hl7.message import Message, Segment
from transforms.hl7.placement import ATTACHED, BACK, EITHER, LATE, ON, STAY, Move, State
from transforms.hl7.structures import PACKAGED, Structures


class Group:
    """A group: its name without the structure's (`ORDER_OBSERVATION`), its segments and groups in the order they came."""

    __slots__ = ("children", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.children: list[Segment | Group] = []

    def __repr__(self) -> str:
        return f"{self.name}({' '.join(map(repr, self.children))})"

    def segment(self, name: str) -> Segment | None:
        """Its first own segment of that name."""
        for child in self.children:
            if child.name == name and type(child) is Segment:
                return child
        return None

    def segments(self, name: str = "") -> list[Segment]:
        """Its own segments of that name; all of its own, if none is given."""
        return [child for child in self.children if type(child) is Segment and (not name or child.name == name)]

    def group(self, name: str) -> Group | None:
        """Its first group of that name."""
        for child in self.children:
            if child.name == name and type(child) is not Segment:
                return child
        return None

    def groups(self, name: str = "") -> list[Group]:
        """Its groups of that name, one level down; all of them, if none is given."""
        return [child for child in self.children if type(child) is not Segment and (not name or child.name == name)]

    def find(self, path: str) -> list[Group]:
        """The groups at a path such as `PATIENT_RESULT.ORDER_OBSERVATION`, in the order they came."""
        found = [self]
        for name in path.split(".") if path else ():
            found = [inner for group in found for inner in group.groups(name)]
        return found

    def walk(self) -> Iterator[Segment]:
        """All segments in it and in its groups."""
        for child in self.children:
            if type(child) is Segment:
                yield child
            else:
                yield from child.walk()


class Tree(Group):
    """A whole message; `name` is its structure.  `deviations` says what was not as the structure has it."""

    __slots__ = ("deviations",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.deviations: list[Note] = []


def group(message: Message, structure: str | None = None, structures: Structures = PACKAGED) -> Tree:
    """The message's segments in the groups of its structure (or of the one that is named), as the package or a site knows it."""
    name = structure or structures.structure_of(message)
    known = structures.structure(name)
    segments = message.segments
    if known is None:
        tree = Tree(name)
        tree.children.extend(segments)
        tree.deviations.append(Note("structure_unknown", "MSH-9", "no such message structure is known; its segments stand in no groups"))
        return tree
    tree = Tree(known.name)
    tree.children.append(segments[0])
    _place(tree, segments, known.start)
    return tree


def _place(tree: Tree, segments: list[Segment], state: State) -> None:
    """Put all segments but the first where they belong."""
    current: Group = tree
    stack: list[Group] = [tree]
    away: Group | None = None  # where the last one went, if that was out of its place
    for segment in segments[1:]:
        kind, pops, opens, following, *_ = move = state[segment.name]
        if away is not None and kind == ON and segment.name in ATTACHED:
            move = Move(STAY, 0, (), state)
            kind = STAY
        if kind != ON:
            if kind in (LATE, EITHER):
                move = _decided(move, state, stack[-1], segments, segment.position)
            if move.kind != ON:
                target = _unusual(tree, stack, segment, move, away)
                if target is not None:
                    away = None if target is stack[-1] else target
                    state = move.state
                    continue
                tree.deviations.append(_lacking(segment, move))
            kind, pops, opens, following, *_ = move
        away = None
        if pops:
            del stack[-pops:]
            current = stack[-1]
        for name in opens:
            inner = Group(name)
            current.children.append(inner)
            stack.append(inner)
            current = inner
        current.children.append(segment)
        state = following


def _decided(move: Move, state: State, current: Group, segments: list[Segment], position: int) -> Move:
    """Which way a move that depends on what follows goes."""
    if move.kind == LATE:
        return (move.other if _late(move, state, current, segments, position) else None) or move._replace(kind=ON)
    for each in segments[position + 1 :]:
        if each.name in move.needs:
            return move._replace(kind=ON)
        if each.name not in move.within:
            break
    return move.other or move


def _late(move: Move, state: State, current: Group, segments: list[Segment], position: int) -> bool:
    """Whether a segment belongs to the group that it would close, by the segment after it."""
    if position + 1 >= len(segments) or current.segment(segments[position].name):
        return False
    name = segments[position + 1].name
    if state[name].kind != ON:
        return False
    following = move.state[name]
    if following.kind == EITHER:
        following = _decided(following, move.state, current, segments, position + 1)
    return following.kind not in (ON, LATE)


def _unusual(tree: Tree, stack: list[Group], segment: Segment, move: Move, away: Group | None) -> Group | None:
    """Put a segment where a BACK or STAY move says, and note it; None for other moves."""
    if move.kind == BACK:
        target = stack[len(stack) - 1 - move.pops]
        for number, name in enumerate(move.opens, 1):
            inner = next((each for each in reversed(target.groups(name))), None)
            if inner is None or (move.fresh and number == len(move.opens)):
                inner = Group(name)
                target.children.append(inner)
            target = inner
        where = f"bound to {target.name}" if target is not tree else "bound to the message"
        tree.deviations.append(Note("segment_out_of_place", segment.place, f"{segment.name} is out of its place, {where}"))
    elif move.kind == STAY:
        target = away or stack[-1]
        _note_stay(tree, target, segment, move, away is None)
    else:
        return None
    target.children.append(segment)
    return target


def _note_stay(tree: Tree, target: Group, segment: Segment, move: Move, here: bool) -> None:
    if segment.name in ATTACHED:
        if not here or segment.name not in move.state.node.group.own:
            sentence = f"{segment.name} stays with the segment before it, in {target.name}"
            tree.deviations.append(Note("segment_out_of_place", segment.place, sentence))
    elif segment.name in move.state.structure.names:
        tree.deviations.append(Note("segment_out_of_place", segment.place, f"{segment.name} is out of its place, bound to {target.name}"))
    elif segment.name[:1] != "Z":
        sentence = f"the structure has no such segment; bound to {target.name}"
        tree.deviations.append(Note("segment_unknown", segment.place, sentence))


def _lacking(segment: Segment, move: Move) -> Note:
    missing = ", ".join(move.lacking)
    return Note("segment_missing", segment.place, f"{missing} should stand before {segment.name}")
