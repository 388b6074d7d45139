"""The dialog player itself: that it passes what is right is worth little, so most tests see it fail."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from kit.dialog import Dialog, DialogFailed, Place, play, unescape


@asynccontextmanager
async def peer(tmp_path, *, reply=lambda line: line, banner=b"", ending=b"\n"):
    """A server that says a banner and answers each line with reply(line); None closes."""

    gone = []

    async def serve(reader, writer):
        gone.append(done := asyncio.Event())
        writer.write(banner)
        while line := await reader.readline():
            answer = reply(line.removesuffix(ending))
            if answer is None:
                break
            writer.write(answer + ending)
        writer.close()
        with suppress(OSError):  # a test may have gone before our answer
            await writer.wait_closed()
        done.set()

    path = str(tmp_path / "s")
    async with await asyncio.start_unix_server(serve, path):
        yield {"echo": Place(unix=path)}
        for done in gone:
            await done.wait()


async def test_sends_and_compares(tmp_path):
    async with peer(tmp_path, banner=b"VERSION\t1\n") as places:
        await Dialog(places).play(
            "c = echo\n\n# says hello\nc <- VERSION\\t1\nc -> a\\0b\\x01\\xff\nc <- a\\0b\\x01\\xff\n"
        )


@pytest.mark.parametrize(
    "line",
    ["c <- other", "c <- helloo", "c <- hell", "c <~ hell", "c <~ x(?P<n>.)", "c |"],
)
async def test_every_difference_fails(tmp_path, line):
    async with peer(tmp_path) as places:
        with pytest.raises(DialogFailed, match="file:3") as failure:
            await Dialog(places).play(f"c = echo\nc -> hello\n{line}\n", "file")
    assert "c -> hello" in str(failure.value)


async def test_pattern_captures_and_fills(tmp_path):
    async with peer(tmp_path) as places:
        text = "c = echo\nc -> id=7.\nc <~ id=(?P<n>.+)\nc -> ${n} ${given}\nc <- 7. a\\\\b\nc -> 77\nc <~ 77\n"
        assert await Dialog(places, variables={"given": "a\\b"}).play(text) == {"given": "a\\b", "n": "7."}
        with pytest.raises(DialogFailed):  # the variable's dot is a dot in a pattern
            await Dialog(places, variables={"n": "7."}).play("c = echo\nc -> 77\nc <~ ${n}\n")


async def test_skips_up_to_a_line(tmp_path):
    async with peer(tmp_path, banner=b"a\nb\nDONE\nrest\n") as places:
        await Dialog(places).play("c = echo\nc <* DONE\nc <- rest\n")


async def test_version_tags(tmp_path):
    text = "c = echo\nc -> 2.4\n@2.3 c <- 2.3\n@2.4 c <- 2.4\n"
    async with peer(tmp_path) as places:
        await Dialog(places, "2.4").play(text)
        with pytest.raises(DialogFailed):
            await Dialog(places, "2.3").play(text)


async def test_close_is_seen_and_missed(tmp_path):
    async with peer(tmp_path, reply=lambda line: None if line == b"quit" else line) as places:
        await Dialog(places).play("c = echo\nc -> quit\nc |\n")
        with pytest.raises(DialogFailed, match="closed"):
            await Dialog(places).play("c = echo\nc -> quit\nc <- more\n")


async def test_silence_is_a_failure(tmp_path):
    async with peer(tmp_path) as places:
        with pytest.raises(DialogFailed, match="nothing came"):
            await Dialog(places, watchdog=0.05).play("c = echo\nc ->| half a line\nc <- half a line\n")


async def test_line_ending(tmp_path):
    async with peer(tmp_path, banner=b"220 x\r\n", ending=b"\r\n") as places:
        await Dialog(places).play("ending CRLF\nc = echo\nc <- 220 x\nc -> QUIT\nc <- QUIT\n")
        with pytest.raises(DialogFailed):
            await Dialog(places).play("c = echo\nc <- 220 x\n")


async def test_two_connections_and_a_file(tmp_path):
    file = tmp_path / "two.dialog"
    file.write_text("a = echo\nb = echo\na -> 1\nb -> 2\nb <- 2\na <- ${one}\na close\n")
    async with peer(tmp_path) as places:
        await play(file, places, one="1")


@pytest.mark.parametrize("line", ["c = echo\nc -< x", "c = echo\nc", "nonsense"])
async def test_a_line_that_is_none(tmp_path, line):
    async with peer(tmp_path) as places:
        with pytest.raises(SyntaxError):
            await Dialog(places).play(line)


def test_escapes():
    assert unescape(r"a\tb\r\n\0\\x\x01\xc3ä") == b"a\tb\r\n\0\\x\x01\xc3\xc3\xa4"
    with pytest.raises(ValueError, match="unknown escape"):
        unescape(r"\q")
