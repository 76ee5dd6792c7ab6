"""Where what a make made goes, written as Python: how an instance begins, and what becomes of it when its rules are written.

An entry of its own (PUT for what we own, conditional for what is shared, rule 6), inside what refers to it (rule 7), or into an element
of another make.
"""

from __future__ import annotations

from collections.abc import Mapping

from transforms.fhir.elements import element
from transforms.mapping.made import Made
from transforms.mapping.results import PRIOR, SAME
from transforms.mapping.uniting import LINKED
from transforms.mapping.writing import Code


class PlaceWriter:
    """Writes the beginning and the end of a make's instance."""

    code: Code
    named: Mapping[str, Made]
    explain: bool

    def _begin(self, made: Made) -> None:
        """`out`, the thing being made, and `home`, the resource it stands in."""
        code, make, identity = self.code, made.make, made.identity
        if make.into:
            owner, _, path = make.into.partition(".")
            code.put(f"home = O[{made.link(owner, False)}]")
            taken = f" or {path.partition('.')[0]!r} in home" if make.if_none else ""
            with code.block(f"if home is None{taken}:"):
                code.put("continue")
            code.put("out = home" if not path else f"out = {{'resourceType': {make.type!r}}}" if made.resource else "out = {}")
        elif identity is None:
            code.put("home = out = {}")
        elif not identity.owned:
            code.put(f"home = out = {{'resourceType': {make.type!r}}}")
        else:
            self._begin_owned(made)

    def _begin_owned(self, made: Made) -> None:
        """What has a key of its own is named by it from the start."""
        code, make, identity = self.code, made.make, made.identity
        arguments = "".join(f", i{name}" for name in identity.segments) + "".join(f", {made.link(name, False)}" for name in identity.links)
        slow = f"{code.constant(identity.call, 'f')}(S, n{arguments})"
        if identity.quick:
            code.put(f"key = {identity.quick}")
            with code.block("if key in ORDINALS or not key:"):
                code.put(f"key = {slow}")
            with code.block("else:"):
                code.put("ORDINALS[key] = 1")
        else:
            code.put(f"key = {slow}")
        base = ", **base" if made.grouped else ""
        with code.block("if key:"):
            code.put("uid = NAME(key); url = 'urn:uuid:' + uid")
            named = ", 'identifier': [{'system': ISSUER, 'value': uid} if ISSUER else {'value': uid}]" if made.grown else ""
            code.put(f"home = out = {{'resourceType': {make.type!r}, 'id': uid{named}{base}}}")
        with code.block("else:"):
            code.put(f"home = out = {{'resourceType': {make.type!r}{base}}}")

    def _settle(self, made: Made) -> None:
        """What was read counts as read; of what is no entry only when somebody holds it."""
        if not made.own:
            return
        marks = "; ".join(f"U[i{name}] |= u{name}" for name in made.own)
        if made.identity is None or made.identity.counted:
            self.code.put(marks)
            return
        with self.code.block("if S.forms[n] is None:"):
            self.code.put(marks)
        with self.code.block("else:"):
            self.code.put("S.pending[n] = (" + "".join(f"(i{name}, u{name}), " for name in made.own) + ")")

    def _finish(self, made: Made) -> None:
        """Put it where it belongs."""
        code, make, identity = self.code, made.make, made.identity
        code.put("O[n] = out")
        if make.into:
            self._into(made)
        elif identity is None:
            return
        elif not identity.owned:
            arguments = "".join(f", i{name}" for name in identity.segments)
            code.put(f"v = {code.constant(identity.call, 'f')}(S, n{arguments})")
            if identity.call in PRIOR:
                with code.block(f"if v is {code.constant(SAME)}:"):
                    code.put("O[n] = None; " + "; ".join(f"U[i{name}] |= u{name}" for name in made.own))
                    code.put("continue")
                if make.type == LINKED:
                    code.put("LEAVE_TO_PRIOR(S, v)")
            with code.block(f"if PLACE_SHARED(S, n, out, v, {make.name!r}, {bool(make.verb)}):"):
                code.put("continue")
        else:
            with code.block("if key:"):
                entry = f"{{'fullUrl': url, 'resource': out, 'request': {{'method': 'PUT', 'url': '{make.type}/' + uid}}}}"
                code.put("IDS[n] = uid; N[n] = {'reference': url}" if identity.quick else "S.keys[n] = key; IDS[n] = uid; N[n] = {'reference': url}")
                if identity.counted:
                    code.put(f"E.append({entry})")
                else:
                    with code.block("if url not in S.urls:"):
                        code.put(f"S.urls[url] = len(E); E.append({entry})")
                    with code.block("elif PLACE_TWIN(S, n, out, url):"):
                        code.put("continue")
            with code.block("else:"):
                code.put(f"KEEP_FORM(S, n, out, {make.name!r})")

    def _into(self, made: Made) -> None:
        """Put what was made into an element of another make."""
        code, make = self.code, made.make
        owner, _, path = make.into.partition(".")
        owner_type = self.named[owner].make.type
        target = element(owner_type, path) if path else None
        if target is None:
            return
        value = "out"
        if make.wrap is not None:
            value = f"FILL({code.constant(make.wrap)}, out, '')"
        elif made.resource and "Reference" in target.types:
            value = "REFER(SHARE(out, NAME), S, home)"
        *containers, name = path.split(".")
        holder, at = "home", owner_type
        for each in containers:
            inside = element(at, each)
            code.put(f"x = {holder}.get({each!r}); y = {{**(x[-1] if x and type(x) is list else x or NOTHING)}}")
            code.put(f"{holder}[{each!r}] = " + ("[*(x or ())[:-1], y]" if inside.many else "y"))
            holder, at = "y", inside.types[0]
        if target.many:
            code.put(f"x = {holder}.get({name!r}, ()); {holder}[{name!r}] = [*x, {value}]")
        else:
            code.put(f"{holder}.setdefault({name!r}, {value})")
        self._trace(holder, name, "len(x)" if target.many else "None")

    def _inside(self, holder: str, around: list[str]) -> str:
        """The element in which a link stands: `holder`'s own, or one inside it."""
        for each in around:
            self.code.put(f"y = {holder}[{each!r}] = {{**{holder}.get({each!r}, NOTHING)}}")
            holder = "y"
        return holder

    def _trace(self, holder: str, name: str, start: str) -> None:
        if self.explain and self.code.line is not None:
            self.code.put(f"TRACE(({holder}, {name!r}, {start}, {self.code.constant(self.code.line, 'L')}, ()))")
