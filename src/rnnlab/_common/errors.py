"""What a user can put right, said in one sentence."""


class ConfigError(ValueError):
    """Something the user can put right; the message is the whole answer, one clear sentence."""


def not_allowed(given: str, rule: str) -> ConfigError:
    """To be raised: it says what was `given` and by which `rule` it is not allowed."""
    return ConfigError(f"{given} is not allowed: {rule}.")


def require(allowed: bool, given: str, rule: str) -> None:
    """Raise ConfigError, as `not_allowed` has it."""
    if not allowed:
        raise not_allowed(given, rule)


def said(error: BaseException) -> str:
    """What an exception says, without the numbers that only a program wants."""
    words = error.strerror if isinstance(error, OSError) else None
    return words or str(error) or type(error).__name__
