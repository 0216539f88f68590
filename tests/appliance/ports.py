"""Where a container's ports are on this machine."""

from docker.models.containers import Container


def port_of(container: Container, inside: int) -> int:
    """The port on 127.0.0.1 that leads to a port inside. Raises LookupError where none does."""
    container.reload()
    bound = container.ports.get(f"{inside}/tcp")
    if not bound:
        raise LookupError(f"{container.name} has no port {inside} at the moment")
    return int(bound[0]["HostPort"])
