"""Reading `gateway.toml`: all that is wrong with it at once, or the configuration."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from gatewaylog.exceptions import ConfigurationError
from gatewaylog.gateway.config.clashes import clashes
from gatewaylog.gateway.config.database import FOLDER
from gatewaylog.gateway.config.environment import Expansion
from gatewaylog.gateway.config.problems import Problem, problems_of
from gatewaylog.gateway.config.tables import Config

if TYPE_CHECKING:
    from collections.abc import Mapping


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read and check the file, and the files that it names.

    Raises ConfigurationError with one line for each problem, beginning with `path` as given.
    """
    return parse(_tables(path), file=str(path), environ=environ)


def parse(
    tables: Mapping[str, object], *, file: str, environ: Mapping[str, str] = os.environ
) -> Config:
    """Check tables as `tomllib` gives them; `file` is what the lines of problems begin with.

    Raises ConfigurationError.
    """
    expansion = Expansion(environ)
    expanded = {key: expansion.expanded(value, (key,)) for key, value in tables.items()}
    unset = [problem.place for problem in expansion.problems]
    try:
        config = Config.model_validate(expanded, context={FOLDER: Path(file).parent})
        wrong = []
    except ValidationError as error:
        config = None
        wrong = list(problems_of(error, Config))
    wrong += clashes(expanded)
    wrong = [problem for problem in wrong if not any(_within(problem, place) for place in unset)]
    if config is None or wrong or unset:
        raise _error(file, *expansion.problems, *wrong)
    return config


def _tables(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    except OSError as error:
        message = f"can't be read: {error.strerror}"
    except UnicodeDecodeError as error:
        message = f"must be UTF-8, and is not at byte {error.start}"
    except RecursionError:
        message = "is nested too deeply"
    except ValueError as error:
        message = f"is not TOML: {error}"
    raise _error(str(path), Problem(place=(), message=message))


def _within(problem: Problem, place: tuple[int | str, ...]) -> bool:
    return problem.place[: len(place)] == place


def _error(file: str, *problems: Problem) -> ConfigurationError:
    return ConfigurationError([problem.line(file) for problem in problems])
