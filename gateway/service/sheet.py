"""Sample metadata from flags or a YAML or CSV sheet, validated field by field."""

import csv
import io
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from gateway.errors import FormatError, NotFoundError, StoreError
from gateway.volumes.dataset import DatasetInfo

_LISTS = ("people", "tags")
_SEPARATOR = ";"
_KEY = "dataset"


def read_sheet(path: Path, dataset: str) -> DatasetInfo:
    """Read what a sheet says about one dataset.

    A YAML sheet is one mapping of fields, or a mapping of dataset names to such mappings. A CSV
    sheet has one column per field and one row, or a row per dataset with a column `dataset`; in
    its cells people and tags are separated by semicolons.

    Args:
        path: The sheet, `.yaml`, `.yml` or `.csv`.
        dataset: Which dataset is meant where the sheet has several.

    Raises:
        NotFoundError: There is no such sheet, or it has no such dataset.
        FormatError: The sheet is broken, or a field is unknown or wrong; names field and row.
    """
    parsers = {".yaml": _parse_yaml, ".yml": _parse_yaml, ".csv": _parse_csv}
    parse = parsers.get(path.suffix.lower())
    if parse is None:
        raise FormatError(f"sheet {path} is {path.suffix or 'nameless'}; expected .yaml or .csv")
    fields, place = parse(path, _read(path), dataset)
    return check_fields(fields, place)


def check_fields(fields: Mapping[str, Any], place: str) -> DatasetInfo:
    """Return validated sample metadata.

    Args:
        fields: Field to value.
        place: Where they were given, for errors: a sheet and row, `the command line`.

    Raises:
        FormatError: Names each unknown or wrong field, its value, and what is known.
    """
    known = list(DatasetInfo.model_fields)
    unknown = [name for name in fields if name not in known]
    if unknown:
        raise FormatError(f"{place} has unknown field {unknown[0]!r}; known are {', '.join(known)}")
    given = {name: value for name, value in fields.items() if value is not None}
    for name in _LISTS:
        if isinstance(given.get(name), str):
            given[name] = _split(given[name])
    for name, value in given.items():
        _refuse_controls(name, value, place)
    try:
        return DatasetInfo.model_validate(given)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, f['loc']))} = {f['input']!r}: {f['msg']}" for f in error.errors()
        ]
        said = "; ".join(faults).replace(": Value error, ", ": ")
        raise FormatError(f"{place}: {said}") from error


def _refuse_controls(name: str, value: Any, place: str) -> None:
    """Refuse what no page can show and not every database can keep."""
    texts = value if isinstance(value, list | tuple) else (value,)
    for text in texts:
        odd = sorted({c for c in str(text) if unicodedata.category(c) == "Cc"})
        if odd:
            raise FormatError(
                f"{place}: {name} = {str(text)[:80]!r} has the control character {odd[0]!r}; "
                "expected one line of text"
            )


def merge_info(first: DatasetInfo, second: DatasetInfo) -> DatasetInfo:
    """Return `first` with every field that `second` says."""
    said = {name: value for name, value in second if value}
    return first.model_copy(update=said)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no sheet {path}") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"sheet {path} is not UTF-8 text: {error}") from error
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error


def _parse_yaml(path: Path, text: str, dataset: str) -> tuple[Mapping[str, Any], str]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise FormatError(f"sheet {path} is not YAML: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise FormatError(f"sheet {path} holds {type(found).__name__}; expected fields by name")
    if found and all(isinstance(value, dict) for value in found.values()):
        if dataset not in found:
            raise NotFoundError(f"sheet {path} has no {dataset!r}; it has {', '.join(found)}")
        return found[dataset], f"sheet {path}, {dataset}"
    return found, f"sheet {path}"


def _parse_csv(path: Path, text: str, dataset: str) -> tuple[Mapping[str, Any], str]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    rows = list(reader)
    columns = [str(name).strip() for name in reader.fieldnames or ()]
    if not rows:
        raise FormatError(f"sheet {path} has no row below its header")
    if _KEY in columns:
        matching = [i for i, row in enumerate(rows) if (row.get(_KEY) or "").strip() == dataset]
        if len(matching) != 1:
            names = ", ".join(str(row.get(_KEY)) for row in rows)
            raise NotFoundError(
                f"sheet {path} has {len(matching)} rows for {dataset!r}, not one; it has {names}"
            )
        number = matching[0]
    elif len(rows) == 1:
        number = 0
    else:
        raise FormatError(
            f"sheet {path} has {len(rows)} rows; add a column {_KEY!r} that tells which is meant"
        )
    place = f"sheet {path}, row {number + 2}"
    if None in rows[number]:
        raise FormatError(f"{place} has more cells than the header has columns")
    cells = {str(k).strip(): (v or "").strip() for k, v in rows[number].items()}
    return {
        k: v for k, v in cells.items() if k != _KEY and (v or k not in DatasetInfo.model_fields)
    }, place


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(_SEPARATOR) if part.strip())
