"""Bad input to a running node: each has a defined, logged result, and what was going on goes on."""

import asyncio
import io
import random
import socket
import struct
import time
import zipfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from gongshi.inventory.workbook import filled_workbook
from gongshi.media.embedded.token import Claims, TokenSigner
from gongshi.node.secrets import NodeSecrets
from gongshi.protocols.codes import Edition
from gongshi.protocols.manscdp import Keepalive
from gongshi.protocols.sip import MANSCDP, Uri, new_request, parse_message
from gongshi.registry.seed import Sample, estate, platform_row, samples
from gongshi.simulator import Channel, Faults, PlatformConfig, SimulatedPlatform
from support.demo import Demo, wait_for
from support.logs import told
from support.viewer import Viewer, pictures
from support.watching import POLICE, TOURISM, cameras, opening, vacant_peer, watch

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def police(demo: Demo) -> httpx.Client:
    return demo.client("jingcha")


def peer(client: httpx.Client, code: str) -> dict[str, Any]:
    return next(p for p in client.get("/peers").json()["items"] if p["code"] == code)


@asynccontextmanager
async def vacant(
    demo: Demo, channels: list[Channel] | None = None, **options: Any
) -> AsyncGenerator[SimulatedPlatform]:
    """A device of the visitor's own on the vacant peer."""
    sip = demo.ready["sip"]
    account = vacant_peer(demo)
    config = PlatformConfig(
        code=account["code"],
        password=account["password"],
        host=sip["host"],
        port=sip["port"],
        server_code=sip["code"],
        channels=channels or [],
        cache=demo.data / "clips",
        **options,
    )
    async with SimulatedPlatform(config) as platform:
        yield platform


# -- SIP ------------------------------------------------------------------------------------------


def garbage(seed: int) -> Iterator[bytes]:
    """Random bytes, and messages that begin well and end badly."""
    chance = random.Random(seed)
    begin = b"REGISTER sip:34150000002000000001@3415000000 SIP/2.0\r\n"
    yield from (b"", b"\0", b"\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", begin, begin + b"\r\n", b"<" * 4000)
    for number in range(1500):
        noise = chance.randbytes(chance.randrange(1, 1400))
        kind = number % 4
        if kind == 0:
            yield noise
        elif kind == 1:
            yield begin + noise
        elif kind == 2:
            yield (
                begin
                + b"Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK"
                + noise[:20]
                + b"\r\nContent-Length: -7\r\n\r\n"
                + noise
            )
        else:
            whole = keepalive(TOURISM)
            cut = chance.randrange(len(whole))
            yield whole[:cut] + noise[: chance.randrange(40)] + whole[cut + chance.randrange(40) :]


def keepalive(code: str) -> bytes:
    own, server = Uri.of(code, code[:10]), Uri.of("34150000002000000001", "3415000000")
    body = Keepalive(code, 7).build(Edition.E2016)
    request = new_request("MESSAGE", server, own, server, cseq=20, body=body, content_type=MANSCDP)
    return request.to_bytes()


def asked_for_options(address: tuple[str, int]) -> int:
    """The status of an OPTIONS by UDP: whether signalling still answers."""
    own = Uri.of(TOURISM, TOURISM[:10])
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        text = (
            f"OPTIONS sip:34150000002000000001@3415000000 SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{sock.getsockname()[1]};rport;branch=z9hG4bKoptions\r\n"
            f"From: <{own}>;tag=1\r\nTo: <{own}>\r\nCall-ID: options@test\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        )
        sock.sendto(text.encode(), address)
        return getattr(parse_message(sock.recv(4096)), "status", 0)


def test_garbage_by_udp_and_tcp_disturbs_neither_peers_nor_pictures(demo: Demo, police: httpx.Client) -> None:
    address = (demo.ready["sip"]["host"], demo.ready["sip"]["port"])
    watched = [watch(police, cameras(demo, TOURISM)[0]), watch(police, cameras(demo, POLICE)[0])]
    before = {code: peer(police, code)["registered_at"] for code in (TOURISM, POLICE)}
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        for data in garbage(1):
            sock.sendto(data, address)
    lines = [
        b"\0" * 70_000,
        b"INVITE sip:a@b SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 70_000,
        b"A" * 200_000,
        *list(garbage(2))[:12],
    ]
    for data in lines:
        with socket.create_connection(address, timeout=5) as sock:
            try:
                sock.sendall(data)
                # An abrupt end, as a crashing device makes it.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                continue
    assert asked_for_options(address) == 200
    for each in watched:
        each.viewer.goes_on()
    for code, registered in before.items():
        found = peer(police, code)
        assert (found["state"], found["registered_at"]) == ("online", registered)
    assert 1 <= len(told(demo, "signal.unreadable")) <= 3
    for each in watched:
        each.close()


async def test_a_wrong_password_a_hundred_times_and_then_the_right_one(demo: Demo) -> None:
    code = vacant_peer(demo)["code"]
    async with vacant(demo, retry=(0.01, 0.01), faults=Faults(wrong_password=True)) as platform:
        async with asyncio.timeout(60):
            while platform.registration.attempts < 100:
                await asyncio.sleep(0.05)
        assert not platform.registration.registered.is_set()
        auditor = await asyncio.to_thread(demo.client, "shenji")

        def entries() -> list[dict[str, Any]]:
            found = auditor.get("/audit/entries", params={"action": "signalling.peer.refused", "limit": 50}).json()
            return [entry for entry in found["items"] if entry["detail"]["code"] == code]

        first = await asyncio.to_thread(wait_for, entries, within=5, what="the entry in the log")
        # Aggregated: one for the password, one for the flood; the rest follows with its count a minute later.
        assert {entry["detail"]["why"] for entry in first} <= {"password", "flood"}
        assert len(first) <= 2
        assert all(entry["sentence"] for entry in first)
        assert len(told(demo, "signal.register.refused", code=code)) <= 2
        assert (await asyncio.to_thread(peer, demo.client("jingcha"), code))["state"] != "online"
        platform.faults.wrong_password = False
        await platform.wait_registered(10)
    for other in (TOURISM, POLICE):
        assert peer(demo.client("jingcha"), other)["state"] == "online"


async def test_a_peer_claimed_from_two_addresses_shows_and_nobody_takes_over_by_a_keepalive(demo: Demo) -> None:
    police, auditor, code = demo.client("jingcha"), demo.client("shenji"), vacant_peer(demo)["code"]
    sip = (demo.ready["sip"]["host"], demo.ready["sip"]["port"])
    async with vacant(demo, local_host="127.0.0.1") as first:
        await first.wait_registered(15)
        async with vacant(demo, local_host="127.0.0.2") as second:
            # Its password proves it, so the latest one holds; that it moved is written down.
            await second.wait_registered(15)
            moved = await asyncio.to_thread(wait_for, lambda: told(demo, "signal.peer.moved", peer=code), within=5)
            assert moved[0]["before"].startswith("udp:127.0.0.1:")
            assert moved[0]["at"].startswith("udp:127.0.0.2:")
            assert (await asyncio.to_thread(peer, police, code))["state"] == "online"
            # A keepalive from elsewhere changes nothing; the sender is told to register.
            bound = (await asyncio.to_thread(peer, police, code))["address"]
            with socket.socket(type=socket.SOCK_DGRAM) as spoof:
                spoof.bind(("127.0.0.3", 0))
                spoof.settimeout(5)
                spoof.sendto(keepalive(code), sip)
                assert getattr(parse_message(spoof.recv(4096)), "status", 0) == 403
            assert (await asyncio.to_thread(peer, police, code))["address"] == bound

            def refused() -> object:
                return told(demo, "signal.keepalive.refused", code=code, source="127.0.0.3")

            await asyncio.to_thread(wait_for, refused, within=5, what="the refusal in the log")
    entries = auditor.get("/audit/entries", params={"action": "signalling.peer.moved"}).json()["items"]
    assert any("127.0.0.2" in entry["sentence"] for entry in entries)
    assert peer(police, TOURISM)["state"] == "online"


# -- RTP ------------------------------------------------------------------------------------------


def declare(demo: Demo, sample: Sample) -> None:
    """File a camera of the education bureau and have it accepted."""
    admin, office = demo.client("guanli"), demo.client("bangongshi")
    made = admin.post(
        "/accounts",
        json={
            "username": "jiaoyu",
            "display_name": "教育局联络员",
            "organisation": "education",
            "roles": ["agency_contact"],
        },
    )
    assert made.status_code == 201, made.text
    with httpx.Client(base_url=f"{demo.url}/api/v1", timeout=30) as contact:
        login = contact.post("/login", json={"username": "jiaoyu", "password": made.json()["password"]}).json()
        contact.headers["Authorization"] = f"Bearer {login['token']}"
        chosen = {"old": made.json()["password"], "new": "four-other-words-9"}
        assert contact.post("/me/password", json=chosen).status_code in {200, 204}
        book = filled_workbook(
            {"unit": "市教育局", "contact": "李联络", "phone": "0564-3378888"},
            [platform_row(estate("education"), 1, 1)],
            [sample.form_row(1)],
        )
        sent = contact.post("/inventory/filings", files={"file": ("教育局.xlsx", book)}, data={"dry_run": "false"})
        number = sent.json()["id"]

        def state() -> str:
            return contact.get(f"/inventory/filings/{number}").json()["state"]

        wait_for(lambda: state() == "draft", within=30, what="the check")
        submitted = contact.post(f"/inventory/filings/{number}/submit", json={})
        assert submitted.status_code == 200, submitted.text
        assert office.post(f"/inventory/filings/{number}/accept", json={}).status_code in {200, 202}
        wait_for(lambda: state() == "accepted", within=30, what="the acceptance")


async def test_loss_and_reordering_leave_a_picture_that_decodes(demo: Demo, police: httpx.Client) -> None:
    sample = next(iter(samples("education", 1)))
    await asyncio.to_thread(declare, demo, sample)
    channel = Channel(sample.code, sample.name, float(sample.longitude), float(sample.latitude), scene="gate")
    async with vacant(demo, [channel], faults=Faults(loss=0.05, reorder=0.05)) as platform:
        await platform.wait_registered(15)
        number = (await asyncio.to_thread(peer, police, vacant_peer(demo)["code"]))["id"]
        # It was here a moment ago with another catalogue, and would be asked again in some minutes only.
        assert (await asyncio.to_thread(police.post, f"/peers/{number}/catalogue")).status_code in {200, 202}

        def opened() -> httpx.Response | None:
            answer = opening(police, sample.code)
            assert answer.status_code == 201 or answer.json()["code"] == "no_channel", answer.text
            return answer if answer.status_code == 201 else None

        session = (await asyncio.to_thread(wait_for, opened, within=20, what="the channel")).json()
        viewer = Viewer(session["urls"]["flv"])
        # Every lost packet costs the pictures up to the next key picture, which come every two seconds at most.
        await asyncio.to_thread(
            wait_for, lambda: len(viewer.received) > 250_000, within=30, what="enough of the picture"
        )
        figures = (await asyncio.to_thread(police.get, f"/streams/{session['stream']['id']}")).json()["figures"]
        assert (await asyncio.to_thread(police.delete, f"/sessions/{session['id']}")).status_code == 204
    assert figures["lost"] > 0
    assert figures["reordered"] > 0
    assert pictures(bytes(viewer.received)) >= 10


# -- uploads --------------------------------------------------------------------------------------


def everything_filed(client: httpx.Client) -> list[int]:
    return [filing["id"] for filing in client.get("/inventory/filings", params={"limit": 200}).json()["items"]]


def stored(demo: Demo) -> set[str]:
    return {str(path) for path in (demo.data / "objects").rglob("*") if path.is_file() and "inventory" in path.parts}


def test_an_upload_that_is_cut_leaves_nothing_behind(demo: Demo) -> None:
    contact = demo.client("wenlv")
    before, files = everything_filed(contact), stored(demo)
    content = demo.sample("已更正").read_bytes()
    head = (
        b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.xlsx"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n"
    )
    url = httpx.URL(demo.url)
    for keep in (0, 1, len(content) // 2, len(content) - 1):
        with socket.create_connection((url.host, url.port or 80), timeout=5) as sock:
            sock.sendall(
                b"POST /api/v1/inventory/filings HTTP/1.1\r\nHost: test\r\n"
                b"Authorization: " + contact.headers["Authorization"].encode() + b"\r\n"
                b"Content-Type: multipart/form-data; boundary=cut\r\n"
                b"Content-Length: " + str(len(head) + len(content) + 200).encode() + b"\r\n\r\n" + head + content[:keep]
            )
    # The same cut, but told as complete: a file that ends in the middle.
    broken = contact.post("/inventory/filings", files={"file": ("清单.xlsx", content[: len(content) // 2])})
    assert broken.status_code in {400, 415, 422}, broken.text
    assert broken.headers["content-type"] == "application/problem+json"
    assert broken.json()["detail"]
    assert everything_filed(contact) == before
    assert stored(demo) == files


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("清单.xlsx", b"\x89PNG\r\n\x1a\n" + bytes(4000)),
        ("清单.xlsx", b"%PDF-1.7\n" + bytes(4000)),
        ("清单.exe", b"MZ" + bytes(4000)),
        ("清单.xlsx", b""),
    ],
    ids=["png", "pdf", "exe", "empty"],
)
def test_a_file_of_another_kind_is_refused_and_leaves_nothing(demo: Demo, name: str, content: bytes) -> None:
    contact = demo.client("wenlv")
    before, files = everything_filed(contact), stored(demo)
    answer = contact.post("/inventory/filings", files={"file": (name, content)})
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["code"]
    assert answer.json()["detail"]
    assert everything_filed(contact) == before
    assert stored(demo) == files


def test_a_zip_bomb_is_refused_or_ends_as_failed(demo: Demo) -> None:
    contact = demo.client("wenlv")
    packed = io.BytesIO()
    good = zipfile.ZipFile(io.BytesIO(demo.sample("已更正").read_bytes()))
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as bomb:
        for entry in good.namelist():
            if entry.endswith("sheet2.xml"):
                with bomb.open(entry, "w", force_zip64=True) as sheet:
                    for _ in range(300):
                        sheet.write(b"<row/>" * 170_000)
            else:
                bomb.writestr(entry, good.read(entry))
    answer = contact.post("/inventory/filings", files={"file": ("清单.xlsx", packed.getvalue())})
    if answer.status_code != 202:
        assert 400 <= answer.status_code < 500, answer.text
        return
    number = answer.json()["id"]

    def end() -> dict[str, Any] | None:
        found = contact.get(f"/inventory/filings/{number}").json()
        return None if found["state"] == "checking" else found

    found = wait_for(end, within=60, what="the end of the check")
    assert found["state"] == "failed"
    assert found["failure"]


# -- tokens ---------------------------------------------------------------------------------------


def test_no_token_but_the_sessions_own_opens_its_stream(demo: Demo, police: httpx.Client) -> None:
    one, two = watch(police, cameras(demo, TOURISM)[0]), watch(police, cameras(demo, TOURISM)[1])
    own = httpx.URL(one.urls["flv"] or "")
    stream, token = own.path.rpartition("/")[2].removesuffix(".flv"), own.params["token"]
    other = httpx.URL(two.urls["flv"] or "")
    node = TokenSigner(NodeSecrets.of(demo.data).media)
    head, _, tail = token.partition(".")
    now = time.time()
    forged = {
        "of another session": other.params["token"],
        "its own session, another stream": node.sign(Claims(two.id, stream, now + 60, None)),
        "expired": node.sign(Claims(one.id, stream, now - 1, None)),
        "right over": node.sign(Claims(one.id, stream, now + 60, now - 1)),
        "never admitted": node.sign(Claims("01a2b3c4-0000-7000-8000-000000000000", stream, now + 60, None)),
        "a foreign key": TokenSigner().sign(Claims(one.id, stream, now + 60, None)),
        "tampered claims": head[:-2] + ("AA" if head[-2:] != "AA" else "BB") + "." + tail,
        "tampered signature": head + "." + ("A" if tail[0] != "A" else "B") + tail[1:],
        "nothing": "",
        "garbage": "%00%ff..",
        "too long": "A" * 5000,
    }
    answers = {name: httpx.get(own.copy_set_param("token", text), timeout=5) for name, text in forged.items()}
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(forged, 403)
    # A stranger cannot learn which of them was closest.
    assert len({answer.text for answer in answers.values()}) == 1
    # The own one is in use; a second connection with it is refused, and the running one goes on.
    assert httpx.get(own, timeout=5).status_code == 409
    one.viewer.goes_on()

    stranger = demo.client("yingji")
    for answer in (stranger.get(f"/sessions/{one.id}"), stranger.delete(f"/sessions/{one.id}")):
        assert answer.status_code == 404
    assert stranger.post(f"/sessions/{one.id}/urls").status_code == 404
    altered = police.headers["Authorization"].removeprefix("Bearer ")[:-1].encode() + b"."
    with httpx.Client(base_url=f"{demo.url}/api/v1", timeout=10) as nobody:
        for credential in (b"x", b"gsl_", altered, b"\xff"):
            answer = nobody.get(f"/sessions/{one.id}", headers=[(b"Authorization", b"Bearer " + credential)])
            assert answer.status_code == 401
    one.viewer.goes_on()
    one.close()
    two.close()
    # What was kicked stays dead, with its own token and with a fresh one of the right key.
    assert httpx.get(own, timeout=5).status_code == 403
    fresh = node.sign(Claims(one.id, stream, now + 60, None))
    assert httpx.get(own.copy_set_param("token", fresh), timeout=5).status_code == 403
    assert police.post(f"/sessions/{one.id}/urls").status_code == 409
    assert one.ended()["end_code"] == "closed"
