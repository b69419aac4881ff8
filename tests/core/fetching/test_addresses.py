import socket

import pytest

from framesift.errors import DownloadError, ForbiddenAddressError, UnsupportedSourceError
from framesift.fetching.addresses import is_public, never_permitted, permitted_addresses
from framesift.fetching.client import redirected_headers
from framesift.fetching.limits import FetchLimits
from framesift.fetching.links import checked_link, without_secrets

STRICT = FetchLimits()
TRUSTING = FetchLimits(allow_private=True)

PRIVATE = """
    127.0.0.1 127.255.255.254 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 198.18.0.1
    100.127.255.255 192.0.2.1 203.0.113.1 ::1 fc00::1 fd12:3456::1 2001:db8::1 3fff::1
    ::ffff:127.0.0.1 ::ffff:10.0.0.1 2002:7f00:1:: 2002:a00:1:: 64:ff9b::7f00:1 64:ff9b::c0a8:1
    2001:0:a00:1::f5ff:fffe 2001:0:808:808::f5ff:fffe
"""
NEVER = """
    169.254.169.254 169.254.170.2 169.254.0.1 100.100.100.200 168.63.129.16 192.0.0.192
    fd20:ce::254 fd00:42::42 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe:: fe80::1
    fe80::1%eth0 fec0::1 0.0.0.0 0.1.2.3 :: 224.0.0.1 239.1.2.3 ff02::1 240.0.0.1 255.255.255.255
    ::ffff:0.0.0.0 ::7f00:1 64:ff9b:1::7f00:1 64:ff9b:1:7f00:1:: 2001:0:a9fe:a9fe::f7f7:f7f7
    ::ffff:168.63.129.16 5f00::1 fd00:ec2::254
"""
PUBLIC = """
    8.8.8.8 1.1.1.1 172.32.0.1 100.128.0.1 193.0.0.1 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808
    2002:808:808::1
"""


@pytest.mark.parametrize("address", PRIVATE.split())
def test_private_addresses_need_permission(address):
    assert not is_public(address)
    assert never_permitted(address) is None
    assert permitted_addresses(address, 80, TRUSTING)
    with pytest.raises(ForbiddenAddressError, match="allow_private=True"):
        permitted_addresses(address, 80, STRICT)


@pytest.mark.parametrize("address", NEVER.split())
def test_some_addresses_are_never_permitted(address, resolver):
    resolver["evil.example"] = [address]
    for limits in (STRICT, TRUSTING):
        with pytest.raises(ForbiddenAddressError):
            permitted_addresses("evil.example", 80, limits)


@pytest.mark.parametrize("address", PUBLIC.split())
def test_public_addresses_are_permitted(address):
    assert permitted_addresses(address, 443, STRICT) == [address]


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1"])
def test_odd_spellings_of_loopback_are_understood(host):
    with pytest.raises(ForbiddenAddressError):
        permitted_addresses(host, 80, STRICT)
    assert permitted_addresses(host, 80, TRUSTING) == ["127.0.0.1"]


@pytest.fixture
def resolver(monkeypatch):
    """Names and the addresses they resolve to; numeric hosts resolve as they do."""
    names = {}
    real = socket.getaddrinfo

    def lookup(host, port, *args, **options):
        if host not in names:
            return real(host, port, *args, **options)
        kind = socket.SOCK_STREAM
        return [(socket.AF_INET, kind, 6, "", (address, port)) for address in names[host]]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return names


def test_one_bad_address_among_good_ones_is_enough(resolver):
    resolver["mixed.example"] = ["8.8.8.8", "10.0.0.1"]
    with pytest.raises(ForbiddenAddressError) as caught:
        permitted_addresses("mixed.example", 80, STRICT)
    assert isinstance(caught.value, PermissionError)
    assert "10.0.0.1" not in str(caught.value), "a stranger must not learn our inner addresses"


@pytest.mark.parametrize(
    "host", ["metadata.google.internal", "METADATA.google.internal.", "metadata", "instance-data"]
)
def test_metadata_names_are_refused_without_a_look_up(host, resolver):
    resolver[host] = ["8.8.8.8"]
    with pytest.raises(ForbiddenAddressError, match="metadata"):
        permitted_addresses(host, 80, TRUSTING)


def test_a_host_that_does_not_resolve_is_named(monkeypatch):
    def lookup(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with pytest.raises(DownloadError, match=r"'nowhere\.example'"):
        permitted_addresses("nowhere.example", 80, STRICT)


@pytest.mark.parametrize(
    "uri",
    [
        "ftp://example.com/a.mp4",
        "file:///etc/passwd",
        "gopher://example.com/",
        "http://user:secret@example.com/a.mp4",
        "http://user@example.com/a.mp4",
        "https://example.com@127.0.0.1/a.mp4",
        "http://example.com:22/a.mp4",
        "http://example.com:6379/a.mp4",
    ],
)
def test_links_out_of_bounds_are_refused(uri):
    with pytest.raises(ForbiddenAddressError) as caught:
        checked_link(uri, STRICT)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "http://",
        "http:///a.mp4",
        "http://[::1/a.mp4",
        "http://example.com:99999/",
        "http://example.com\\@127.0.0.1/",
        "http://exam\nple.com/",
        "http://" + "a" * 70 + ".com/",
    ],
)
def test_broken_links_are_refused(uri):
    with pytest.raises(UnsupportedSourceError):
        checked_link(uri, STRICT)


def test_a_link_is_split_the_way_it_is_requested():
    url = checked_link("HTTPS://Exämple.com/a b/ü.mp4?x=1&y=ä%20b#part", STRICT)
    assert (url.scheme, url.host, url.port) == (b"https", b"xn--exmple-cua.com", 443)
    assert url.target == b"/a%20b/%C3%BC.mp4?x=1&y=%C3%A4%20b"
    assert checked_link("http://[2606:4700::1]/", STRICT).host == b"2606:4700::1"
    assert checked_link("http://example.com:9000/", TRUSTING).port == 9000


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://u:p@a.example/v.mp4#x", "http://a.example/v.mp4"),
        (
            "https://a.example/v?id=7&X-Amz-Signature=ab",
            "https://a.example/v?id=7&X-Amz-Signature=...",
        ),
        ("https://a.example/v?token=ab&id=7", "https://a.example/v?token=...&id=7"),
        ("https://a.example/v?keyword=cat&key=ab", "https://a.example/v?keyword=cat&key=..."),
        ("https://youtu.be/watch?v=dQw4w9WgXcQ", "https://youtu.be/watch?v=dQw4w9WgXcQ"),
    ],
)
def test_shown_links_carry_no_secrets(uri, shown):
    assert without_secrets(uri) == shown


def test_a_downgrade_to_http_is_refused():
    with pytest.raises(ForbiddenAddressError, match="https to http"):
        redirected_headers("https://a.example/v", "http://a.example/v", {}, STRICT)


def test_credentials_stay_with_their_host():
    headers = {"Authorization": "x", "Cookie": "y", "Accept": "z"}
    same = redirected_headers("https://a.example/1", "https://a.example/2", headers, STRICT)
    other = redirected_headers("https://a.example/1", "https://b.example/2", headers, STRICT)
    assert same == headers
    assert other == {"Accept": "z"}
