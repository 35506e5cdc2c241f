"""Paired values: -m 'fit=zip(model=[rnn,gru],lr=[1,0.3])' seed=0,1 is two pairs, and four jobs.

As Hydra's design for zipped sweeps writes them (facebookresearch/hydra#1258): the name is of the
pair, and no setting; each member lists as many values as the others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from rnnlab._common.errors import not_allowed, require
from rnnlab.config.names import all_keys
from rnnlab.config.own_cells import with_own_cells
from rnnlab.config.typed_words import split, typed
from rnnlab.config.words import as_override, key_of

ZIPPED = re.compile(r"(?P<name>[^=\s]*)=\s*zip\s*\((?P<members>.*)\)\s*", re.DOTALL)


def rows_of_zip(word: str) -> list[list[str]]:
    """The overrides of each pair; raises ConfigError for what lists no pairs."""
    match = ZIPPED.fullmatch(word)
    assert match
    name, members = match["name"], [own.strip() for own in split(match["members"], "[{(")]
    own_name = re.fullmatch(r"[A-Za-z_]\w*", name) is not None and name not in all_keys()
    require(own_name, word, "what stands before zip is a name of your own for the pairs")
    require(len(members) > 1, word, "it pairs two settings or more: zip(lr=[1,2],theta=[1,5])")
    names = [key_of(member) for member in members]
    doubled = sorted({own for own in names if names.count(own) > 1})
    require(not doubled, word, f"it has {', '.join(doubled)} twice")
    columns = [_column(member) for member in members]
    counts = {len(column) for column in columns}
    numbers = ", ".join(f"{n} of {own}" for n, own in zip(map(len, columns), names, strict=True))
    require(len(counts) == 1, word, f"each setting has as many values, and here are {numbers}")
    return [typed(with_own_cells(row)) for row in zip(*columns, strict=True)]


def _column(member: str) -> Sequence[str]:
    """NAME=VALUE for each value of a member."""
    rule = "a setting of a zip lists its values, in the order of the pairs: lr=[1,2] or choice(1,2)"
    require("=" in member, member, rule)
    override = _parsed(member, rule)
    key, value = override.get_key_element(), override.value()
    require(not key.startswith("hydra"), member, "Hydra's own settings are not paired")
    if isinstance(value, list) and not override.is_sweep_override():
        column = [as_override(key, own) for own in value]
    else:
        is_shuffled = getattr(value, "shuffle", False)
        require(override.is_discrete_sweep() and not is_shuffled, member, rule)
        column = [f"{key}={own}" for own in override.sweep_string_iterator()]
    require(bool(column), member, rule)
    return column


def _parsed(member: str, rule: str) -> Override:
    try:
        return OverridesParser.create().parse_override(member)
    except HydraException:
        raise not_allowed(member, rule) from None
