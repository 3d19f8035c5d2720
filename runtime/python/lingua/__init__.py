"""LinguaLinked Lab: one language model over several phones, planned and simulated from Python.

    import lingua
    run = lingua.simulate(model="bloom-560m", cluster="platforms/three-phones.yaml", max_tokens=20)
    run["tokens_per_s"]

Settings are named as the program's options, with underscores: max_tokens=20. What may be given several times takes a
list, a flag True or False. lingua.settings("simulate") lists them. Results are what the program prints with --json;
paths are relative to the folder that Python runs in.
"""

from __future__ import annotations

import json
import os
import pathlib
import tempfile
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Union

from . import _lingua
from .errors import InfeasibleError, InputError, LinguaError, UsageError, WorldError

if TYPE_CHECKING:
    import pandas

__all__ = [
    "InfeasibleError", "InputError", "LinguaError", "UsageError", "WorldError",
    "emulate", "plan", "platform", "preview", "rows", "settings", "simulate", "sweep", "versions",
]

Path = Union[str, "os.PathLike[str]"]
Spec = Union[Path, Mapping[str, Any]]
Note = Callable[[str], None]


def versions() -> Dict[str, str]:
    """Of the program, its commit, and the libraries that it was built with."""
    return _lingua.versions()


__version__: str = versions()["program"]


def plan(*, on_note: Optional[Note] = None, **settings: Any) -> Dict[str, Any]:
    """Which phone runs which segments, and what that will do: as `lingua plan --json`."""
    return json.loads(_lingua.plan(_text(settings), on_note))


def simulate(*, on_note: Optional[Note] = None, **settings: Any) -> Dict[str, Any]:
    """A run on modelled phones in virtual time, without contents: as `lingua simulate --json`."""
    return json.loads(_lingua.simulate(_text(settings), on_note))


def emulate(*, on_note: Optional[Note] = None, **settings: Any) -> Dict[str, Any]:
    """The same with real numerics and tokens: as `lingua emulate --json`."""
    return json.loads(_lingua.emulate(_text(settings), on_note))


def settings(verb: str) -> List[Dict[str, Any]]:
    """What plan, simulate or emulate takes: name, type, default, help, and where they apply limits and choices."""
    known = json.loads(_lingua.settings_of(verb))
    for setting in known:
        setting["name"] = _underscored(setting["name"])
        if "only_with" in setting:
            setting["only_with"] = _underscored(setting["only_with"])
        if "not_with" in setting:
            setting["not_with"] = [_underscored(name) for name in setting["not_with"]]
    return known


def sweep(
    spec: Spec,
    database: Optional[Path] = None,
    *,
    workers: Optional[int] = None,
    point_time_limit_s: Optional[float] = None,
    progress: Optional[Callable[[Dict[str, Any]], None]] = None,
    retry_failed: bool = False,
    allow_other_version: bool = False,
) -> "pandas.DataFrame":
    """Simulations or plans over axes, as a frame with a row for each point (a list of dicts without pandas).

    spec: a file (runtime/sweep/README.md), or the same as a dict:
        {"base": {"model": "bloom-560m", "cluster": "three-phones.yaml"}, "axes": {"planner": ["even", "dp"]}}
    database: keeps the rows; points that have one are not run again. None: a temporary one.
    workers: points at a time. None: one for each core.
    progress: called some times a second with {"before", "done", "failed", "size", "seconds"}.
    """
    with tempfile.TemporaryDirectory(prefix="lingua-sweep-") as folder:
        call = _call(spec, folder, workers)
        call.database = os.fspath(database) if database is not None else os.path.join(folder, "sweep.db")
        call.point_time_limit_s = point_time_limit_s or 0
        call.retry_failed = retry_failed
        call.allow_other_version = allow_other_version
        _lingua.run_sweep(call, progress)
        return rows(call.database)


def preview(spec: Spec, *, workers: Optional[int] = None, samples: int = 8) -> Dict[str, Any]:
    """How many points a sweep has, and by some that are run and forgotten how long it will take."""
    with tempfile.TemporaryDirectory(prefix="lingua-sweep-") as folder:
        return json.loads(_lingua.preview_sweep(_call(spec, folder, workers), samples))


def rows(database: Path) -> "pandas.DataFrame":
    """The rows of a sweep's database: number, the settings of its axes, state, reason, results, seconds, ..."""
    records = [_record(json.loads(line)) for line in _lingua.sweep_rows(os.fspath(database)).splitlines()]
    try:
        import pandas
    except ImportError:
        return records  # type: ignore[return-value]
    return pandas.DataFrame.from_records(records)


def platform(name: str) -> str:
    """The cluster file of this name that is installed with the module: "three-phones"."""
    folder = pathlib.Path(__file__).parent / "platforms"
    file = folder / f"{name}.yaml"
    if file.is_file():
        return str(file)
    known = ", ".join(sorted(one.stem for one in folder.glob("*.yaml")))
    raise UsageError(f"platform: '{name}' is none; write one of {known}")


def _plain(value: Any) -> Any:
    """Paths, and the numbers of numpy."""
    if hasattr(value, "__fspath__"):
        return os.fspath(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise UsageError(f"{value!r} is no value of a setting; write a text, a number, True or False, or a list of them")


def _text(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, default=_plain)


def _underscored(name: str) -> str:
    return name.replace("-", "_")


def _dashed(settings: Mapping[str, Any]) -> Dict[str, Any]:
    return {name.replace("_", "-"): value for name, value in settings.items()}


def _call(spec: Spec, folder: str, workers: Optional[int]) -> "_lingua.SweepCall":
    call = _lingua.SweepCall()
    call.workers = workers or 0
    if not isinstance(spec, Mapping):
        call.spec = os.fspath(spec)
        return call
    whole = dict(spec)
    whole.setdefault("name", "sweep")
    whole["base"] = _dashed(whole.get("base", {}))
    whole["axes"] = {
        name.replace("_", "-"): [_dashed(one) if isinstance(one, Mapping) else one for one in _values(values)]
        for name, values in whole.get("axes", {}).items()
    }
    call.spec = os.path.join(folder, "sweep.yaml")
    pathlib.Path(call.spec).write_text(json.dumps(whole, default=_plain), encoding="utf-8")
    return call


def _values(values: Any) -> Any:
    """Of an axis: "1..20" is one text."""
    return [values] if isinstance(values, str) else list(values)


def _record(row: Dict[str, Any]) -> Dict[str, Any]:
    record: Dict[str, Any] = {"number": row["number"], "id": row["id"]}
    record.update({_underscored(name): value for name, value in row["axes"].items()})
    record["state"] = row["state"]
    record["reason"] = row.get("reason")
    for name, value in row["results"].items():
        record[f"result.{name}" if name in record else name] = value
    for name in ("seconds", "version", "finished"):
        record.setdefault(name, row[name])
    return record
