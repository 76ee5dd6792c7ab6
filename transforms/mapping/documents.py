"""Documents (rule 18): what an attachment holds stands once, in a Binary that the DocumentReference and the report point at.

A destination that cannot put a Binary by its id writes its data back into the attachments (channels.fhir).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transforms.mapping.conversion import Conversion


def share_documents(conversion: Conversion, made: list[dict[str, Any]]) -> None:
    """Move the data of the DocumentReferences `made`, and of the reports' forms that hold the same, into Binaries."""
    urls: dict[str, str] = {}
    for document in made:
        for index, content in enumerate(document.get("content", ())):
            attachment = content["attachment"]
            if "data" not in attachment:
                continue
            url = urls.get(attachment["data"])
            if url is None:
                url = urls[attachment["data"]] = _binary(conversion, f"binary|{document['id']}|{index}", attachment)
            pointing = {**content, "attachment": _pointing(attachment, url)}
            document["content"] = [*document["content"][:index], pointing, *document["content"][index + 1 :]]
    if urls:
        for report in _reports(conversion):
            report["presentedForm"] = [_pointing(form, urls[form["data"]]) if form.get("data") in urls else form for form in report["presentedForm"]]


def _binary(conversion: Conversion, key: str, attachment: dict[str, Any]) -> str:
    """An entry for what the attachment holds; its fullUrl."""
    uid = conversion.name(key)
    url = f"urn:uuid:{uid}"
    media = attachment.get("contentType", "application/octet-stream")
    resource = {"resourceType": "Binary", "id": uid, "contentType": media, "data": attachment["data"]}
    conversion.urls[url] = len(conversion.entries)
    conversion.entries.append({"fullUrl": url, "resource": resource, "request": {"method": "PUT", "url": f"Binary/{uid}"}})
    return url


def _pointing(attachment: dict[str, Any], url: str) -> dict[str, Any]:
    return {**{key: value for key, value in attachment.items() if key != "data"}, "url": url}


def _reports(conversion: Conversion) -> Iterator[dict[str, Any]]:
    for entry in conversion.entries:
        if entry["resource"]["resourceType"] == "DiagnosticReport" and "presentedForm" in entry["resource"]:
            yield entry["resource"]
