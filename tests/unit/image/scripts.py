"""Loads the executables of image/, whose names have no .py, as modules."""

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

IMAGE = Path(__file__).parents[3] / "image"


def script(name: str) -> ModuleType:
    """One of image/'s executables; what it does when it is run does not happen."""
    loader = SourceFileLoader(f"image_{name}", str(IMAGE / name))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes
    return module
