"""What can be forged in a folder, a file for each part of it, which registers its own."""

from importlib import import_module
from pkgutil import iter_modules

for module in iter_modules(__path__):
    import_module(f"{__name__}.{module.name}")
