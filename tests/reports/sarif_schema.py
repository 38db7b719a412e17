"""What SARIF 2.1.0 demands of the objects that we write, as JSON Schema in our own words.

Written after the OASIS specification; section numbers beside each part. It is stricter than the
published schema: nothing is allowed that we do not write on purpose.
"""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string", "minLength": 1}


def closed(required: str, optional: str = "", **properties: Any) -> dict[str, Any]:
    names = required.split()
    assert set(properties) == {*names, *optional.split()}
    return {
        "type": "object",
        "required": names,
        "additionalProperties": False,
        "properties": properties,
    }


def many(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


LEVEL = {"enum": ["none", "note", "warning", "error"]}  # 3.27.10
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}  # 3.9
MESSAGE = closed("text", text=TEXT)  # 3.11
# 3.12.3: `text` is required where `markdown` is present.
MULTIFORMAT = closed("text", "markdown", text=TEXT, markdown=TEXT)
RULE = closed(  # 3.49
    "id shortDescription help defaultConfiguration properties",
    "name fullDescription",
    id=TEXT,
    name={"type": "string", "pattern": "^[A-Z][A-Za-z]*$"},  # 3.49.7: a Pascal-case identifier
    shortDescription=MULTIFORMAT,
    fullDescription=MULTIFORMAT,
    help=MULTIFORMAT,
    defaultConfiguration=closed("level", level=LEVEL),
    properties=closed("tags", tags=many(TEXT, uniqueItems=True)),  # 3.8.2
)
LOGICAL = closed(  # 3.33
    "name kind fullyQualifiedName", name=TEXT, kind=TEXT, fullyQualifiedName=TEXT
)
PHYSICAL = closed(  # 3.29
    "artifactLocation region",
    artifactLocation=closed(  # 3.4.3: a URI reference, spaces and the like percent-encoded
        "uri", uri={"type": "string", "pattern": r"^[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]+$"}
    ),
    region=closed("startLine", startLine={"type": "integer", "minimum": 1}),  # 3.30.5
)
LOCATION = closed(  # 3.28
    "logicalLocations",
    "physicalLocation",
    logicalLocations=many(LOGICAL, minItems=1),
    physicalLocation=PHYSICAL,
)
RESULT = closed(  # 3.27
    "ruleId level message locations partialFingerprints",
    "properties suppressions",
    ruleId=TEXT,
    level=LEVEL,
    message=MESSAGE,
    locations=many(LOCATION, minItems=1, maxItems=1),
    partialFingerprints={  # 3.27.17
        "type": "object",
        "minProperties": 1,
        "patternProperties": {r"^[A-Za-z]+/v\d+$": {"type": "string", "pattern": "^[0-9a-f]{64}$"}},
        "additionalProperties": False,
    },
    suppressions=many(  # 3.35
        closed(
            "kind status justification",
            kind={"enum": ["inSource", "external"]},
            status={"enum": ["accepted", "underReview", "rejected"]},
            justification=TEXT,
        )
    ),
    properties=closed("kind lag reasons", kind=TEXT, lag=TEXT, reasons=many(TEXT)),
)
RUN = closed(  # 3.14
    "tool automationDetails columnKind invocations properties results",
    tool=closed(
        "driver",
        driver=closed(
            "name version rules", name=TEXT, version=TEXT, rules=many(RULE, uniqueItems=True)
        ),
    ),
    automationDetails=closed("id", id=TEXT),  # 3.17.3
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},  # 3.14.17
    invocations=many(  # 3.20
        closed(
            "executionSuccessful exitCode startTimeUtc endTimeUtc",
            executionSuccessful={"type": "boolean"},
            exitCode={"type": "integer"},
            startTimeUtc=TIME,
            endTimeUtc=TIME,
        )
    ),
    properties=closed("sentence notes", sentence=TEXT, notes=many(TEXT)),
    results=many(RESULT),
)
SARIF = closed(  # 3.13
    "$schema version runs",
    **{
        "$schema": {"const": "https://json.schemastore.org/sarif-2.1.0.json"},
        "version": {"const": "2.1.0"},
        "runs": many(RUN, minItems=1, maxItems=1),
    },
)
