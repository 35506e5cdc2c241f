"""The door: what a person types, and the exit status of how it went."""


def main() -> None:
    """The rnnlab command."""
    from rnnlab.cli.commands import main

    main()
