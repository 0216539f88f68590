"""What a Prometheus is told by a real desk, and what it would tell people: rules and dashboard, tried by promtool."""

import io
import json
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.appliance.driver import Appliance, eventually

ROOT = Path(__file__).parents[2]
RULES, BOARD = ROOT / "conf/prometheus/alerts.yml", ROOT / "conf/grafana/atum-desk.json"
STORIES = Path(__file__).with_name("alerts.yml")
IMAGE = "atum-desk-promtool:test"
PROMTOOL = """
FROM debian:trixie-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends promtool && rm -rf /var/lib/apt/lists/*
"""


@pytest.fixture(scope="module")
def promtool() -> str:
    """An image that has it."""
    subprocess.run(["docker", "build", "-q", "-t", IMAGE, "-"], input=PROMTOOL, text=True, check=True, capture_output=True)
    return IMAGE


@pytest.fixture(scope="module")
def scrape(desk: Appliance) -> str:
    """All that a desk tells."""
    desk.client().ask("GET", "/api/v1/health")
    return desk.figures()


def told(image: str, command: str, stdin: bytes) -> tuple[int, str]:
    run = ["docker", "run", "--rm", "-i", "--network", "none", image, "sh", "-c", command]
    ran = subprocess.run(run, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return ran.returncode, ran.stdout.decode()


def test_promtool_finds_nothing_to_complain_of_in_a_real_scrape(promtool: str, scrape: str) -> None:
    assert told(promtool, "promtool check metrics", scrape.encode()) == (0, "")


def test_each_alert_tells_its_story_and_a_desk_that_is_well_troubles_nobody(promtool: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(RULES, "alerts.yml")
        tar.add(STORIES, "stories.yml")
    command = "cd /tmp && tar x && promtool check rules alerts.yml && promtool test rules stories.yml"
    code, words = told(promtool, command, packed.getvalue())
    assert code == 0, words
    alerts, stories = set(re.findall(r"alert: (\w+)", RULES.read_text())), STORIES.read_text()
    assert {name for name in alerts if f'alertname="{name}"' not in stories} == set()


@pytest.mark.parametrize("path", [RULES, BOARD, STORIES], ids=lambda path: path.name)
def test_every_metric_that_is_named_is_one_that_a_desk_tells(path: Path, scrape: str) -> None:
    told_of = set(re.findall(r"^(atum_\w+)", scrape, re.MULTILINE)) | set(re.findall(r"^# TYPE (atum_\w+)", scrape, re.MULTILINE))
    assert set(re.findall(r"atum_[a-z_]+", path.read_text())) - told_of == set()


def test_the_dashboard_has_a_place_for_each_panel() -> None:
    board: dict[str, Any] = json.loads(BOARD.read_text())
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in board["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


def test_a_request_has_one_id_in_its_answer_its_problem_and_the_log_and_no_stranger_chooses_it(desk: Appliance) -> None:
    with desk.client(headers={"X-Request-Id": "chosen"}) as client:
        problem, refused = client.http.get("/api/v1/tickets/1"), client.http.get("/api/../../")
    told = problem.headers["X-Request-Id"]
    assert (problem.status_code, problem.json()["request_id"]) == (401, told) != (401, "chosen")
    assert refused.headers["X-Request-Id"] not in {told, "chosen"}
    eventually(lambda: f'"msg":"GET /api/v1/tickets/1 401","request_id":"{told}"' in desk.logs(), within=5)


def test_requests_of_all_workers_programs_and_stores_are_told(scrape: str) -> None:
    samples = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in scrape.splitlines() if line[:1] != "#"}
    assert samples['atum_http_request_duration_seconds_count{method="GET",route="/api/v1/health",status="2xx"}'] >= 1
    assert samples['atum_program_restarts_total{program="nginx"}'] == 0
    assert samples["atum_redis_clients"] >= 1
    assert samples['atum_database_connections{state="idle"}'] >= 4
