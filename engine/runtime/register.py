"""The result register before a document leaves: is what it says still news, and may it be said of this patient?

The rules are `transforms.fhir.register`'s.  Here the rows they need are read, and two documents about one report are never
decided at the same time, whatever lanes they come by: the second waits until the first is settled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

from channels.message import Outcome, Verdict
from engine.runtime.in_hand import Delivery
from engine.runtime.merges import Merges
from engine.store.contract import Store
from engine.store.records import RegisterRow
from transforms.document import Document, Note, ReportFact
from transforms.fhir.register import Decision, ReportMode, Row, apply, decide


class Admission:
    """Whether a delivery may leave, and as what.  `outcome` is None if it may, else what it came to instead."""

    __slots__ = ("_keys", "_register", "document", "notes", "outcome", "rows")

    def __init__(self, document: Document, register: Register | None = None, keys: tuple[str, ...] = ()) -> None:
        self.document = document
        self.outcome: Outcome | None = None
        self.rows: tuple[RegisterRow, ...] = ()  # what to write once it has been sent
        self.notes: tuple[Note, ...] = ()  # what to tell of it then
        self._register, self._keys = register, keys

    def release(self) -> None:
        """It is over: others about the same reports may be decided."""
        if self._register is not None and self._keys:
            self._register.release(self._keys)


class Register:
    """The register of one destination."""

    def __init__(
        self, store: Store, scope: str, mode: ReportMode, loop: asyncio.AbstractEventLoop, merges: Merges | None = None
    ) -> None:
        self.scope = scope  # under which name its rows are kept
        self.mode = mode
        self._store, self._loop, self._merges = store, loop, merges
        self._busy: dict[str, asyncio.Future[None]] = {}

    async def admit(self, delivery: Delivery) -> Admission:
        """Decide about a delivery, once nothing about the same reports is under way."""
        document, hand = delivery.document, delivery.hand
        part = document.parts[0]
        keys = tuple(dict.fromkeys(fact.key for fact in part.facts))
        await self._take(keys)
        admission = Admission(document, self, keys)
        try:
            known = await self._store.register(self.scope, keys) if keys else {}
            decision = decide(part.facts, known, self.mode, order=hand.order, force=hand.force, as_it_is=delivery.forced)
            if decision.hold == "identity_conflict" and self._merges is not None and self._merges.rows:
                facts, known = self._united(part.facts, known, document.context.identity.secret)
                decision = decide(facts, known, self.mode, order=hand.order, force=hand.force, as_it_is=delivery.forced)
            if decision.hold:
                admission.outcome = Outcome(Verdict.HELD, decision.hold, decision.reason)
            elif not decision.send:
                admission.outcome = Outcome(Verdict.SENT, "superseded", decision.reason)
            else:
                admission.rows, admission.notes = tuple(map(_row, decision.rows)), decision.notes
                admission.document = _as_decided(document, decision)
        except BaseException:
            admission.release()
            raise
        return admission

    def _united(
        self, facts: Iterable[ReportFact], known: Mapping[str, RegisterRow], secret: str
    ) -> tuple[list[ReportFact], dict[str, RegisterRow]]:
        """The same with one name for patients that were merged (rule 8)."""
        assert self._merges is not None
        family = partial(self._merges.family, secret)
        rows = {key: replace(row, patient=family(row.patient)) for key, row in known.items()}
        return [replace(fact, patient=family(fact.patient)) for fact in facts], rows

    async def _take(self, keys: tuple[str, ...]) -> None:
        """All of the keys at once: nobody ever holds some and waits for others."""
        while waiting := [self._busy[key] for key in keys if key in self._busy]:
            await asyncio.wait(waiting)
        if keys:
            over = self._loop.create_future()
            for key in keys:
                self._busy[key] = over

    def release(self, keys: tuple[str, ...]) -> None:
        """Let the next one decide about these reports."""
        over = self._busy[keys[0]]
        for key in keys:
            del self._busy[key]
        over.set_result(None)


def _as_decided(document: Document, decision: Decision) -> Document:
    part = document.parts[0]
    body = apply(document.body, part, decision)
    if body is document.body and part.entries is None:
        return document
    return replace(document, body=body, parts=(replace(part, entries=None),))


def _row(row: Row) -> RegisterRow:
    return RegisterRow(row.key, row.patient, row.time, row.rank, row.message_id, row.report, row.observations)
