"""What an agent finds in the folders of a server, and what its client's roots leave of them."""

import json
from contextlib import asynccontextmanager

import anyio
import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import ListRootsResult, Root

import framesift
from framesift_mcp import Tools, create_server

SRT = "1\n00:00:00,000 --> 00:00:01,000\nGood morning\n"


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    (folder / "talks").mkdir(parents=True)
    with framesift.open_video("synthetic://number?seed=3&seconds=1") as local:
        for name in ("a clip.mp4", "talks/keynote.mp4", "talks/café.mp4"):
            (folder / name).write_bytes(local.path.read_bytes())
    (folder / "talks" / "keynote.srt").write_text(SRT)
    return folder


@pytest.fixture(params=["auto", "legacy"])
def session(request):
    """Runs work with a client of a server."""

    def run(tools, work, roots=None):
        @asynccontextmanager
        async def connected():
            options = {}
            if roots is not None:

                async def named(context):
                    return ListRootsResult(roots=[Root(uri=uri) for uri in roots])

                options["list_roots_callback"] = named
            async with Client(create_server(tools), mode=request.param, **options) as client:
                yield client

        async def main():
            async with connected() as client:
                return await work(client)

        return anyio.run(main)

    run.mode = request.param
    return run


def names(result):
    return [video["name"] for video in result.structured_content["videos"]]


def test_an_agent_finds_videos_and_uses_them_by_their_names(session, videos):
    async def work(client):
        page = await client.call_tool("list_videos", {"most": 2})
        rest = await client.call_tool(
            "list_videos", {"after": page.structured_content["next_after"]}
        )
        found = await client.call_tool("list_videos", {"matching": "key"})
        read = await client.call_tool(
            "read_video_text", {"video": names(found)[0], "text": "subtitles"}
        )
        return page, rest, read

    page, rest, read = session(Tools(folders=[videos]), work)
    assert [*names(page), *names(rest)] == ["a clip.mp4", "talks/café.mp4", "talks/keynote.mp4"]
    assert "after='talks/café.mp4'" in page.content[0].text
    assert page.structured_content["total"] == 3
    assert "Good morning" in read.content[0].text
    assert str(videos) not in json.dumps([each.structured_content for each in (page, read)])


def test_a_server_without_folders_says_so(session):
    async def work(client):
        listed = await client.call_tool("list_videos", {})
        refused = await client.call_tool("read_video_text", {"video": "/etc/passwd"})
        return listed, refused, await client.list_resources()

    listed, refused, resources = session(Tools(), work)
    assert "opens no files; give http(s):// links" in listed.content[0].text
    line = refused.content[0].text
    assert "only links may be named here; give an http(s):// link" in line
    assert "FetchLimits" not in line
    assert resources.resources == []


def test_an_empty_folder_holds_nothing(session, tmp_path):
    async def work(client):
        return await client.call_tool("list_videos", {})

    listed = session(Tools(folders=[tmp_path]), work)
    assert (listed.content[0].text, names(listed)) == ("0 of 0 videos", [])


def test_videos_are_resources_whose_addresses_are_templates_too(session, videos):
    async def work(client):
        [template] = (await client.list_resource_templates()).resource_templates
        listed = (await client.list_resources()).resources
        [keynote] = [each for each in listed if each.name == "talks/keynote.mp4"]
        read = await client.read_resource(keynote.uri)
        call = await client.call_tool("compress_video", {"video": keynote.uri, "images": 1})
        return template, listed, read, call

    template, listed, read, call = session(Tools(folders=[videos]), work)
    assert template.uri_template == "videos:///{+name}"
    assert [each.uri for each in listed] == [
        "videos:///videos/a%20clip.mp4",
        "videos:///videos/talks/caf%C3%A9.mp4",
        "videos:///videos/talks/keynote.mp4",
    ]
    facts = json.loads(read.contents[0].text)
    assert facts["lines"][0]["text"] == "Good morning"
    assert facts["duration_seconds"] == pytest.approx(1.0, abs=0.2)
    assert call.structured_content["uri"] == "talks/keynote.mp4"


def test_many_resources_come_in_pages(session, tmp_path):
    for number in range(250):
        (tmp_path / f"{number:03}.mp4").write_bytes(b"x")

    async def work(client):
        found, cursor = [], None
        while True:
            page = await client.list_resources(cursor=cursor)
            found.append([each.name for each in page.resources])
            cursor = page.next_cursor
            if cursor is None:
                return found

    pages = session(Tools(folders=[tmp_path]), work)
    assert [len(page) for page in pages] == [100, 100, 50]
    assert len({name for page in pages for name in page}) == 250


@pytest.mark.parametrize("uri", ["videos:///videos/gone.mp4", "videos:///../etc/passwd"])
def test_a_resource_that_is_not_there_is_one_line(session, videos, uri):
    async def work(client):
        with pytest.raises(MCPError) as raised:
            await client.read_resource(uri)
        return str(raised.value)

    line = session(Tools(folders=[videos]), work)
    assert "\n" not in line
    assert "there is no video" in line or "outside of what may be opened" in line


def test_roots_narrow_what_is_listed_and_opened(session, videos):
    async def work(client):
        listed = await client.call_tool("list_videos", {})
        inside = await client.call_tool("read_video_text", {"video": "talks/keynote.mp4"})
        outside = await client.call_tool("read_video_text", {"video": "a clip.mp4"})
        resources = (await client.list_resources()).resources
        read = await client.read_resource("videos:///videos/talks/keynote.mp4")
        with pytest.raises(MCPError) as refused:
            await client.read_resource("videos:///videos/a%20clip.mp4")
        return listed, inside, outside, resources, read, refused.value

    roots = [f"file://{videos}/talks"]
    listed, inside, outside, resources, read, refused = session(
        Tools(folders=[videos]), work, roots
    )
    assert names(listed) == ["talks/café.mp4", "talks/keynote.mp4"]
    assert not inside.is_error
    assert outside.is_error
    assert "outside of the roots of this client" in outside.content[0].text
    # In the newest versions of the protocol no roots can be asked for a list.
    assert len(resources) == {"legacy": 2, "auto": 3}[session.mode]
    assert "Good morning" in read.contents[0].text
    assert "outside of the roots" in str(refused)


def test_no_roots_narrow_nothing(session, videos):
    async def work(client):
        return await client.call_tool("list_videos", {})

    assert len(names(session(Tools(folders=[videos]), work, []))) == 3


def test_links_and_synthetic_videos_need_no_folder(session, videos):
    async def work(client):
        clip = {"video": "synthetic://number?seconds=1", "images": 1}
        private = {"video": "http://127.0.0.1/a.mp4"}
        return [await client.call_tool("compress_video", each) for each in (clip, private)]

    drawn, private = session(Tools(folders=[videos]), work, ["file:///nowhere"])
    assert not drawn.is_error
    assert private.content[0].text.endswith("only public addresses are fetched; give a public link")


def test_arguments_that_name_parts_list_their_names(session):
    async def work(client):
        return {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}

    schemas = session(Tools(readers=["speech"]), work)
    for schema in schemas.values():
        assert schema["additionalProperties"] is False
        assert "ctx" not in schema["properties"]
    compress = schemas["compress_video"]["properties"]
    strategy = compress["strategy"]["anyOf"][0]["anyOf"][0]["enum"]
    assert {"temporal", "evs", "question"} <= set(strategy)
    assert "keyframes" in compress["selector"]["anyOf"][0]["enum"]
    one, several = schemas["read_video_text"]["properties"]["text"]["anyOf"]
    assert one["anyOf"][0]["enum"] == ["subtitles", "screen", "speech"]
    assert several["items"]["anyOf"][0]["enum"] == ["subtitles", "screen", "speech"]
    assert (compress["images"]["minimum"], compress["images"]["maximum"]) == (1, 8)


def test_hostile_arguments_are_one_short_line(session, videos):
    async def work(client):
        return [
            await client.call_tool("read_video_text", arguments)
            for arguments in (
                {"video": "x" * 10_000_000},
                {"video": "a\0b"},
                {"video": ["a"]},
                {"video": {"a": 1}},
                {"video": "a clip.mp4", "x" * 1_000_000: 1},
            )
        ] + [await client.call_tool("ask_video", {"video": "a", "question": "y" * 10_000_000})]

    for result in session(Tools(folders=[videos]), work):
        line = result.content[0].text
        assert result.is_error
        assert len(line) <= 1100
        assert "\n" not in line
        assert "Traceback" not in line
