"""Everything rendered, for any settings, without a container."""

from collections.abc import Callable

import pytest

from app.config import load
from app.ops.render import Machine, render

Rendered = dict[str, str]
Render = Callable[..., Rendered]


@pytest.fixture
def rendered() -> Render:
    """rendered(ipv6=…, memory=…, root=…, NAME=value, …): the texts by their names."""

    def make(*, ipv6: bool = True, memory: int = 2048, root: bool = True, **environ: str) -> Rendered:
        return render(load(environ), Machine(ipv6=ipv6, processors=2, memory=memory, root=root))

    return make
