"""Where an upload waits until it is whole: on the volume, as long as there is room, and no longer than the desk runs."""

import hashlib
import os
import socket
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx

from tests.appliance.client import Client
from tests.appliance.conftest import Make
from tests.appliance.driver import Appliance

MB = 1024 * 1024
NO_ROOM = "There is no room for files of this size right now; nothing was changed."
# A volume of its own size, in memory: gone when the container ends.
SMALL_VOLUME = """
volumes:
  desk-data:
    driver_opts: {type: tmpfs, device: tmpfs, o: "size=400m"}
"""
FREE = "import os; found = os.statvfs('/data'); print(found.f_bavail * found.f_frsize)"


def a_ticket(root: Client) -> str:
    """Where it is."""
    made = root.post("/tickets", {"subject": "Files", "body": "See there."})
    return f"/api/v1/tickets/{made['number']}"


def send(root: Client, ticket: str, content: bytes) -> httpx.Response:
    """One file, and what is said to that."""
    files = {"files": ("big.bin", content, "application/octet-stream")}
    return root.http.post(f"{ticket}/attachments", files=files, timeout=60)


def begin(desk: Appliance, root: Client, ticket: str, sent: int) -> ssl.SSLSocket:
    """An upload that doesn't come to its end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    s = context.wrap_socket(socket.create_connection(("127.0.0.1", desk.port(443)), 10), server_hostname="localhost")
    head = f"POST {ticket}/attachments HTTP/1.1\r\nHost: localhost\r\nAuthorization: {root.http.headers['Authorization']}\r\n"
    head += f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {sent + 1}\r\n\r\n"
    s.sendall(head.encode() + bytes(sent))
    return s


def left(desk: Appliance) -> set[str]:
    """What is in the folders where uploads wait, but for the one that nginx makes."""
    found = set(desk.run("find", "/data/tmp/nginx", "-mindepth", "1", user="nginx").output.splitlines())
    found |= set(desk.run("find", "/data/tmp/api", "-mindepth", "1", user="app").output.splitlines())
    return found - {"/data/tmp/nginx/body"}


def test_many_uploads_arrive_at_once_while_tmp_has_no_room_for_any(make: Make) -> None:
    desk = make(mail=False).up()
    root = desk.signed_in()
    tickets = [a_ticket(root) for _ in range(6)]
    contents = [os.urandom(MB) * 40 for _ in tickets]
    assert desk.run("find", "/tmp", "-type", "f").output == ""  # nothing that would fill it by and by
    desk.run("sh", "-c", "dd if=/dev/zero of=/tmp/full bs=64k")
    assert desk.run("sh", "-c", "echo x > /tmp/more").code != 0
    with ThreadPoolExecutor(len(tickets)) as together:
        answers = list(together.map(lambda each: send(root, *each), zip(tickets, contents, strict=True)))
    assert [(answer.status_code, answer.text[:300]) for answer in answers if answer.status_code != 201] == []
    for answer, content in zip(answers, contents, strict=True):
        [file] = answer.json()["attachments"]
        back = root.http.get(f"/api/v1/attachments/{file['id']}", timeout=60).content
        assert hashlib.sha256(back).digest() == hashlib.sha256(content).digest()
    assert left(desk) == set()


def test_what_waited_when_the_power_went_is_gone_and_what_it_leads_to_is_not(make: Make) -> None:
    desk = make(mail=False).up()
    root = desk.signed_in()
    ticket = a_ticket(root)
    [file] = send(root, ticket, b"kept").json()["attachments"]
    desk.run("sh", "-c", "echo half > /data/tmp/nginx/body/0000000001", user="nginx")
    plant = "mkdir closed && echo half > closed/half && ln -s /data/files files && ln -s /data/mail/none none"
    assert desk.run("sh", "-c", f"cd /data/tmp/api && {plant}", user="app").code == 0
    assert len(left(desk)) == 5
    assert desk.run("chmod", "0", "/data/tmp/api/closed", user="app").code == 0
    with begin(desk, root, ticket, 5 * MB):
        desk.kill()
    desk.start()
    assert left(desk) == set()
    root = desk.signed_in()
    assert root.http.get(f"/api/v1/attachments/{file['id']}").content == b"kept"
    assert send(root, ticket, bytes(5 * MB)).status_code == 201
    for user, folder in (("nginx", "/data/tmp/nginx"), ("app", "/data/tmp/api"), ("root", "/data/tmp")):
        mode = "755" if user == "root" else "700"
        assert desk.run("stat", "-c", "%U %a", folder).output == f"{user} {mode}"


def test_a_second_container_is_refused_before_it_takes_away_what_the_first_is_being_sent(make: Make) -> None:
    desk = make(mail=False).up()
    desk.run("sh", "-c", "echo mine > /data/tmp/api/mine", user="app")
    [volume] = [mount["Name"] for mount in desk.container.attrs["Mounts"] if mount["Destination"] == "/data"]
    memory = ["--tmpfs", "/run:mode=0755", "--tmpfs", "/tmp"]
    command = ["docker", "run", "--rm", "--read-only", *memory, "-v", f"{volume}:/data", desk.container.attrs["Image"]]
    second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert second.returncode == 66
    assert "Another container is using the volume at /data" in second.stdout
    assert left(desk) == {"/data/tmp/api/mine"}
    assert desk.run("stat", "-c", "%U %a", "/data/tmp/api").output == "app 700"
    root = desk.signed_in()
    assert send(root, a_ticket(root), bytes(5 * MB)).status_code == 201


def test_a_full_volume_is_told_in_words_whoever_meets_it_first_and_small_things_go_on(make: Make) -> None:
    desk = make(mail=False, services=SMALL_VOLUME).up()
    root = desk.signed_in()
    ticket = a_ticket(root)
    free = int(desk.run("/opt/venv/bin/python", "-c", FREE).output)
    desk.run("dd", "if=/dev/zero", "of=/data/full", "bs=1M", f"count={free // MB - 45}")
    # nginx finds no room for the first, the desk for its copy of the second, its storage for the third; the brake holds at 20 MB.
    for size in (48, 24, 18):
        refused = send(root, ticket, bytes(size * MB))
        assert (refused.status_code, refused.headers["Content-Type"]) == (503, "application/problem+json"), refused.text
        told = refused.json()
        assert (told["type"], refused.headers["Retry-After"]) == ("urn:atum-desk:problem:no-room", "5")
        assert told["detail"].startswith(NO_ROOM)
    page = desk.client().http.post("/tickets/1/messages", content=bytes(48 * MB), headers={"Cookie": "a=b"}, timeout=60)
    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    assert NO_ROOM in page.text
    assert left(desk) == set()
    assert desk.health()[0] == 200
    assert send(root, ticket, b"small").status_code == 201
    assert desk.signed_in().get("/tickets")["items"]
    assert "No space left on device" in desk.logs()
    desk.run("rm", "/data/full")
    assert send(root, ticket, bytes(40 * MB)).status_code == 201
