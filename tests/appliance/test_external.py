"""A PostgreSQL and a Redis of one's own: then the embedded ones are absent."""

from collections.abc import Iterator

import pytest

from tests.appliance.driver import Appliance, eventually
from tests.appliance.test_story import does_its_job

# Stand-ins that need no other image than ours: the same servers, made to listen as those of the official images do.
SERVERS = """
  postgres:
    image: atum-desk
    user: postgres
    entrypoint: ["sh", "-c"]
    environment: {PATH: "/usr/lib/postgresql/17/bin:/usr/bin:/bin"}
    command:
      - initdb -D /tmp/pg -U atum -A trust -N >/dev/null && echo 'host all all all trust' >>/tmp/pg/pg_hba.conf &&
        exec postgres -D /tmp/pg -c listen_addresses='*' -c unix_socket_directories=/tmp
    tmpfs: ["/tmp:exec"]
    healthcheck: {test: ["CMD", "pg_isready", "-h", "/tmp"], interval: 1s}
    stop_signal: SIGINT
  redis:
    image: atum-desk
    user: redis
    entrypoint: ["redis-server", "--protected-mode", "no", "--save", ""]
    tmpfs: ["/tmp"]
    healthcheck: {test: ["CMD", "redis-cli", "ping"], interval: 1s}
"""
SETTINGS = {"DATABASE_URL": "postgresql://atum@postgres/postgres", "REDIS_URL": "redis://redis:6379/0"}


@pytest.fixture(scope="module")
def external(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    desk = Appliance(tmp_path_factory.mktemp("external"), settings=SETTINGS, services=SERVERS)
    try:
        yield desk.up()
    finally:
        desk.down()


def test_it_works_and_the_embedded_ones_are_absent(external: Appliance) -> None:
    assert external.health()[1]["status"] == "healthy"
    assert not {"postgres", "redis"} & set(external.programs())
    assert external.run("ls", "-A", "/data/postgres", user="postgres").output == ""
    does_its_job(external)


@pytest.mark.parametrize(("server", "worse"), [("redis", "degraded"), ("postgres", "unhealthy")])
def test_a_server_that_goes_away_is_told_and_found_again(external: Appliance, server: str, worse: str) -> None:
    external.compose("pause", server)
    eventually(lambda: external.health()[1].get("status") == worse, within=10, otherwise=external.health)
    external.compose("unpause", server)
    eventually(lambda: external.health()[1].get("status") == "healthy", within=20, otherwise=external.health)
