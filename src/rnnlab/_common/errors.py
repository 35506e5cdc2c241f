"""What a user can put right, said in one sentence."""


class ConfigError(ValueError):
    """Something the user can put right; the message is the whole answer, one clear sentence."""


def require(allowed: bool, given: str, rule: str) -> None:
    """Raise ConfigError saying what was `given` and by which `rule` it is not allowed."""
    if not allowed:
        raise ConfigError(f"{given} is not allowed: {rule}.")
