"""Whose requests a server answers."""

import socket

import pytest

from framesift.serving import KnownHosts


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8080", "localhost:8080", "LOCALHOST", "localhost.", "[::1]:80"]
)
@pytest.mark.parametrize("listens_at", ["127.0.0.1", "::1", "0.0.0.0", "192.0.2.7"])
def test_this_machine_is_always_known(listens_at, host):
    assert KnownHosts.of(listens_at).refusal(host, None) is None


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "localhost.evil.example", "localhost:80@evil.example"],
)
@pytest.mark.parametrize("listens_at", ["127.0.0.1", "::", "0.0.0.0"])
def test_a_foreign_name_is_refused_with_what_to_do(listens_at, host):
    status, line = KnownHosts.of(listens_at).refusal(host, None)
    assert status == 421
    assert repr(host) in line
    assert "--allow-host" in line


@pytest.mark.parametrize("host", ["192.0.2.7:8080", "[2001:db8::7]:8080"])
def test_an_address_is_a_name_of_a_server_that_others_reach(host):
    assert KnownHosts.of("0.0.0.0").refusal(host, f"http://{host}") is None
    assert KnownHosts.of("127.0.0.1").refusal(host, None)[0] == 421


def test_the_address_of_all_addresses_is_none():
    for listens_at in ("127.0.0.1", "0.0.0.0", "::"):
        known = KnownHosts.of(listens_at)
        assert known.refusal("0.0.0.0:8080", None)[0] == known.refusal("[::]", None)[0] == 421


def test_the_machine_has_its_own_name_where_others_reach_it():
    name = socket.gethostname()
    assert KnownHosts.of("0.0.0.0").refusal(f"{name}:8080", None) is None


def test_names_are_allowed_with_and_without_a_port():
    known = KnownHosts.of("0.0.0.0", ["Video.example.org:8443"])
    for host in ("video.example.org", "video.example.org:9000"):
        assert known.refusal(host, "https://video.example.org") is None


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://192.0.2.9", "evil", "chrome-extension://a"]
)
def test_a_page_from_elsewhere_is_refused_by_its_origin(origin):
    for known in (KnownHosts.of("0.0.0.0"), KnownHosts.of("0.0.0.0", ["*"])):
        status, line = known.refusal("192.0.2.7:8080", origin)
        assert status == 403
        assert repr(origin) in line


def test_a_page_of_this_machine_or_of_the_server_itself_is_answered():
    known = KnownHosts.of("127.0.0.1", ["*"])
    assert known.refusal("localhost:8080", "http://localhost:3000") is None
    assert known.refusal("any.example", "https://any.example") is None


@pytest.mark.parametrize("host", [None, ""])
def test_a_request_without_a_host_is_refused(host):
    assert KnownHosts.of("0.0.0.0", ["*"]).refusal(host, None)[0] == 421
