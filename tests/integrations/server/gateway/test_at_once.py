"""Several requests have their videos read at the same time, where the operator says so."""

import threading

import pytest

from framesift_server.gateway import frames

CHAT = "/v1/chat/completions"


def asked(seed):
    video = {"type": "video_url", "video_url": {"url": f"synthetic://number?seed={seed}"}}
    return {"model": "double", "messages": [{"role": "user", "content": [video]}]}


@pytest.mark.parametrize("lines", [1, 2])
def test_as_many_videos_are_read_at_once_as_there_are_lines(engine, gateway, monkeypatch, lines):
    """Each waits for the other; where there is one line, that comes too late."""
    both, met = threading.Barrier(2), []
    real = frames.Video.open

    def meet(self, *args, **options):
        try:
            both.wait(60 if lines == 2 else 1)
            met.append(True)
        except threading.BrokenBarrierError:
            met.append(False)
        return real(self, *args, **options)

    monkeypatch.setattr(frames.Video, "open", meet)
    client = gateway(engine.address, videos_at_once=lines, allow_synthetic=True, frames=2)
    answers = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(client.post(CHAT, json=asked(n))))
        for n in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200, 200]
    assert met == [lines == 2] * 2
