"""The page in a real browser: whole annotations, each input, what breaks while one annotates."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from coded_clips import CODED, SECONDS, TWO
from stalling import stalling_proxy

from data_pipeline.annotate.passes import read_lines
from data_pipeline.annotations import NO_VALUE, read_trace
from data_pipeline.decode import ffmpeg_binary
from tfrecords.workspace import write_json, write_text

PAD = (Path(__file__).parent / "pad.js").read_text()


def _watched(workspace, annotator, *entries):
    for entry in entries:
        write_json(workspace.annotations / annotator / entry / "passes" / "watched.json", {})


def _record(page, url, dimension="valence", entry=CODED):
    page.goto(f"{url}#/record/{entry}/{dimension}")
    page.wait_for_function("() => document.querySelector('.record video')?.readyState >= 2")


def _done(page):
    page.wait_for_selector("#check:not([hidden]) a")
    assert "whole and counts as done" in page.inner_text("#check")


def _at(page, seconds):
    page.wait_for_function(f"() => document.querySelector('.record video').currentTime > {seconds}")


def _trace(workspace, annotator="zoe", dimension="valence", entry=CODED):
    return read_trace(workspace.annotations / annotator / entry / f"{dimension}.txt")


def _lines(workspace, annotator="zoe", dimension="valence", number=1, entry=CODED):
    return read_lines(workspace.annotations / annotator / entry / "passes" / f"{dimension}.{number}.jsonl")


def _events(lines):
    return [event["event"] for line in lines for event in line.get("events", ())]


def _assert_follows(page, workspace, dimension="valence", sign=1):
    """Each sample says what the stick did, to 5 units, and when the picture showed that moment, to 1/30 s."""
    trace = _trace(workspace, dimension=dimension)
    told = {
        round(sample[0], 6): sample
        for line in _lines(workspace, dimension=dimension)
        for sample in line.get("samples", ())
    }
    samples = np.array([told[stamp] for stamp in trace.stamps])
    movement = sign * 900 * np.sin(2 * np.pi * samples[:, 2] / 2500)
    assert np.abs(trace.values - movement).max() <= 5
    # When which frame was shown, by the test's own look at the video, evenly between two. The numbers drawn into the
    # frames say that these times are the pictures'; under load a look may already see the next picture.
    shown = np.array(page.evaluate("() => window.shownFrames"))
    # A frame that was told ahead of its time and overtaken by a later one was never shown.
    shown = shown[shown[:, 0] < np.append(np.minimum.accumulate(shown[::-1, 0])[::-1][1:], np.inf)]
    assert np.median(np.abs(shown[:, 1] - 30 * shown[:, 2])) < 0.01
    last = samples[:, 2] > shown[-1, 0]  # the last frame stays till the end
    seconds = np.interp(samples[:, 2], shown[:, 0], shown[:, 2])
    off = np.where(last, np.maximum(0, SECONDS - 1 / 30 - trace.stamps), np.abs(seconds - trace.stamps))
    assert off.max() <= 1 / 30, (samples[off.argmax()], seconds[off.argmax()])
    assert trace.stamps[0] < 0.5 and trace.stamps[-1] > SECONDS - 0.5 and len(trace.stamps) > 10 * SECONDS


def test_whole_annotation_with_a_stick_is_the_movement(annotated, serve, open_page):
    """Sign in, set up the stick by moving it, watch, annotate both dimensions; the trace is what the stick did."""
    server = serve(annotated)
    page = open_page(server.url, name="", init=PAD)
    page.fill("#name", "zoe")
    page.click("text=Start")
    page.wait_for_selector("#todo li")
    assert "Hello zoe, 4 of 4 clips" in page.inner_text("h2")
    assert "not been cut and converted yet" in page.inner_text("#todo li:has-text('later')")
    assert page.locator("#todo li", has_text="the one on the right").count() == 1

    page.evaluate("() => { window.stick.axis = 0.02; }")
    page.click("#set-up-stick")
    page.wait_for_selector("#stick-told:has-text('POSITIVE')")
    page.evaluate("() => { window.stick.axis = -1; }")
    page.wait_for_selector("#stick-told:has-text('let go')")
    page.evaluate("() => { window.stick.axis = 0; }")
    page.wait_for_selector("#stick-told:has-text('dead zone')")
    page.click("#stick-close")
    found = page.evaluate("() => JSON.parse(localStorage.getItem('affwildnet-annotate')).gamepad")
    assert (found["id"], found["axis"], found["sign"], found["dead"]) == ("Test stick", 2, -1, 0)

    page.evaluate("() => { window.stick.axis = null; }")
    page.click(f"#todo li:has-text('{CODED}') >> text=Watch first")
    page.wait_for_selector("#seen")
    assert page.locator("#next a").count() == 0
    page.wait_for_selector("#watched")
    page.eval_on_selector("video", "video => { video.playbackRate = 2; return video.play(); }")
    page.click("#next a:has-text('valence')")
    page.wait_for_function("() => document.querySelector('.record video')?.readyState >= 2")
    page.select_option("#input", "gamepad")
    page.keyboard.press("Space")
    _done(page)
    trace = _trace(annotated)
    _assert_follows(page, annotated, sign=-1)
    told = json.loads((annotated.annotations / "zoe" / CODED / "passes" / "valence.json").read_text())
    assert told[0]["check"]["passed"] and told[0]["check"]["samples"] == len(trace.stamps)

    page.click("text=Next: arousal")
    page.wait_for_selector("h2:has-text('arousal')")
    page.wait_for_function("() => document.querySelector('.record video')?.readyState >= 2")
    page.select_option("#speed", "2")
    page.keyboard.press("Space")
    _done(page)
    _assert_follows(page, annotated, "arousal", sign=-1)
    page.click("#check >> text=Clips")
    page.wait_for_selector("#done li")
    # Every sample has the video's time, the value, the input's stamp and the clock's correction.
    samples = [sample for line in _lines(annotated) for sample in line.get("samples", ())]
    assert len(samples) == len(trace.stamps) and all(len(sample) == 4 for sample in samples)
    assert all(abs(correction) < 0.2 for _, _, _, correction in samples)


def test_mouse_gives_the_height_of_the_pointer(annotated, serve, open_page):
    _watched(annotated, "zoe", CODED)
    server = serve(annotated)
    page = open_page(server.url, speed=2)
    _record(page, server.url)
    box = page.locator(".bar").bounding_box()
    page.mouse.move(box["x"] - 50, box["y"] + box["height"] / 4)
    page.keyboard.press("Space")
    _at(page, 1.2)
    page.mouse.move(box["x"] - 50, box["y"] + box["height"] + 30)
    _done(page)
    values = _trace(annotated).values
    # A quarter from the top, then below the end; to a pixel.
    assert set(values) == {values[0], -1000} and abs(values[0] - 500) <= 2000 / box["height"]


def test_touch_slides_and_its_value_stays_when_the_finger_lifts(annotated, serve, open_page):
    _watched(annotated, "zoe", CODED)
    server = serve(annotated)
    page = open_page(server.url, input="touch", speed=2, options={"has_touch": True})
    _record(page, server.url)
    box = page.locator(".bar").bounding_box()
    client = page.context.new_cdp_session(page)

    def touch(kind, part):
        points = [{"x": box["x"] + 10, "y": box["y"] + box["height"] * part}] if part is not None else []
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    page.click("#go")
    _at(page, 0.8)
    touch("touchStart", 0.5)
    for step in range(10):
        touch("touchMove", 0.5 - step / 40)
    touch("touchEnd", None)
    _done(page)
    values = _trace(annotated).values.tolist()
    assert values[0] == 0 and abs(values[-1] - 450) <= 2000 / box["height"]
    assert values == sorted(values) and page.evaluate("() => location.hash").startswith("#/record")


def test_keyboard_moves_while_held_and_jumps(annotated, serve, open_page):
    _watched(annotated, "zoe", CODED)
    server = serve(annotated)
    page = open_page(server.url, input="keyboard", speed=2)
    _record(page, server.url)
    for key in ("PageUp", "PageUp", "ArrowUp", "ArrowDown", "w"):
        page.keyboard.press(key)
    page.keyboard.press("Space")
    _at(page, 1.0)
    page.keyboard.down("ArrowDown")
    page.wait_for_selector(".number:text-matches('−[1-9]..')")
    page.keyboard.up("ArrowDown")
    page.keyboard.press("0")
    _done(page)
    values = _trace(annotated).values
    assert values[0] == 220 and values.min() < -100 and values[-1] == 0
    # Held, it moves evenly: no step is a jump.
    falling = values[: values.argmin() + 1]
    assert np.all(np.diff(falling) <= 0) and len(set(falling)) > 4


def test_wheel_turns_by_notches(annotated, serve, open_page):
    _watched(annotated, "zoe", CODED)
    server = serve(annotated)
    page = open_page(server.url, input="wheel", speed=2)
    _record(page, server.url)
    page.mouse.move(300, 300)
    page.keyboard.press("Space")
    _at(page, 1.0)
    for _ in range(3):
        page.mouse.wheel(0, 100)
    _at(page, 2.0)
    assert page.evaluate("() => scrollY") == 0
    _done(page)
    values = _trace(annotated).values
    assert values[0] == 0 and values[-1] == -150 and set(values) <= {0, -50, -100, -150}


def test_pause_seek_and_a_hidden_page_make_no_false_stamp(annotated, serve, open_page):
    """The stick goes on moving in all of them; what is stored is what it did while the picture moved."""
    _watched(annotated, "zoe", CODED)
    server = serve(annotated)
    pad = {"id": "Test stick", "axis": 2, "sign": 1, "dead": 0}
    page = open_page(server.url, init=PAD, input="gamepad", gamepad=pad)
    _record(page, server.url)
    page.keyboard.press("Space")
    _at(page, 0.3)
    page.evaluate("() => { const end = performance.now() + 400; while (performance.now() < end); }")
    _at(page, 0.9)
    page.keyboard.press("Space")
    assert "Paused" in page.inner_text("#paused")
    page.evaluate("() => { window.stick.axis = -1; }")
    page.wait_for_timeout(300)
    page.evaluate("() => { window.stick.axis = null; }")
    page.keyboard.press("Space")
    _at(page, 1.4)
    # Playwright keeps pages visible, so hiding is told.
    page.evaluate(
        """() => { Object.defineProperty(document, 'hidden', { value: true, configurable: true });
        document.dispatchEvent(new Event('visibilitychange')); window.stick.axis = 1; }"""
    )
    page.wait_for_timeout(300)
    assert page.eval_on_selector(".record video", "video => video.paused")
    page.evaluate("() => { delete document.hidden; window.stick.axis = null; }")
    page.keyboard.press("Space")
    _at(page, 2.2)
    page.keyboard.press("b")  # back to the beginning: all is done again
    page.keyboard.press("Space")
    _done(page)
    _assert_follows(page, annotated)
    lines = _lines(annotated)
    events = _events(lines)
    assert events.count("play") == 4 and {"paused", "hidden", "back", "redo", "ended"} <= set(events)
    assert {"blocked", "gap"} <= set(events)  # while the page was busy nobody asked the stick
    # What was replaced is still in the pass's file.
    assert sum(len(line.get("samples", ())) for line in lines) > 1.3 * len(_trace(annotated).stamps)


def test_link_with_the_token_signs_in_and_another_token_does_not(annotated, serve, open_page):
    server = serve(annotated, "--host=0.0.0.0", "--token=0123456789abcdef")
    here = f"http://127.0.0.1:{server.port}/"
    page = open_page(here)
    page.fill("#token", "fedcba9876543210")
    page.click("text=Sign in")
    page.wait_for_selector("#alert:has-text('this is not the server')")
    page = open_page(f"{here}#token=0123456789abcdef")
    page.wait_for_selector("#todo li")
    assert "token" not in page.url


CLOCK = """async () => {
  const { VideoClock } = await import('/static/clock.js');
  const stamped = [];
  const events = [];
  const video = { playbackRate: 1, cancelVideoFrameCallback: () => {}, requestVideoFrameCallback: () => 0 };
  const clock = new VideoClock(video, 30, (item, at) => stamped.push([item.moment, at]), (name) => events.push(name));
  clock.start();
  // 30 frames a second; after the fifth the decoder stalls for half a second, after the tenth the video jumps by 3 s.
  const begin = performance.now() - 10000; // all frames have been shown when they are told
  let [shown, media] = [begin, 0];
  for (let frame = 0; frame < 15; frame += 1) {
    for (let part = 0; part < 2; part += 1) clock.place({ moment: shown + 16 * part });
    if (frame === 5) {
      for (let late = 40; late < 500; late += 20) clock.place({ moment: shown + late });
      shown += 500;
    }
    if (frame === 10) media += 3;
    clock.frame(shown, media);
    shown += 1000 / 30;
    media += 1 / 30;
  }
  clock.stop();
  return { stamped: stamped.map(([moment, at]) => [moment - begin, at]), events };
}"""


def test_clock_gives_no_stamp_to_a_stalled_or_a_jumping_picture(annotated, serve, open_page):
    page = open_page(serve(annotated).url)
    found = page.evaluate(CLOCK)
    assert found["events"] == ["stalled", "skipped", "stalled"]
    # Up to the fifth frame the video's time is the clock's, then half a second behind it, at last 3 s before that.
    offsets = [round(at - moment / 1000, 3) for moment, at in found["stamped"]]
    assert sorted(set(offsets)) == [-0.5, 0.0, 2.5] and len(offsets) >= 20


OVERTAKEN = """async () => {
  const { VideoClock } = await import('/static/clock.js');
  const stamped = [];
  const video = { playbackRate: 1, cancelVideoFrameCallback: () => {}, requestVideoFrameCallback: () => 0 };
  const clock = new VideoClock(video, 30, (item, at) => stamped.push([item.moment - begin, at]), () => {});
  clock.start();
  const begin = performance.now() - 1000;
  for (let frame = 0; frame < 3; frame += 1) clock.frame(begin + 40 * frame, 0.04 * frame);
  for (const after of [60, 100, 120]) clock.place({ moment: begin + after });
  clock.frame(begin + 9000, 9);  // told far ahead
  clock.frame(begin + 160, 1);  // and overtaken: the decoder had stalled, the picture jumps
  clock.place({ moment: begin + 180 });
  clock.frame(begin + 200, 1.04);
  clock.stop();
  return stamped;
}"""


def test_clock_waits_for_a_frame_that_is_told_ahead_of_its_time_before_it_places_anything(annotated, serve, open_page):
    page = open_page(serve(annotated).url)
    stamped = page.evaluate(OVERTAKEN)
    assert [[round(moment), round(at, 6)] for moment, at in stamped] == [[60, 0.06], [180, 1.02]]


STICK = {"id": "Test stick", "axis": 2, "sign": 1, "dead": 0}
ABSENT = "#alert:has-text('press a button on the stick')"


def test_stick_pulled_out_pauses_and_nothing_goes_on_until_it_is_back(annotated, serve, open_page):
    _watched(annotated, "zoe", CODED)
    server = serve(annotated)
    page = open_page(server.url, init=PAD, input="gamepad", gamepad=STICK)
    _record(page, server.url)
    page.keyboard.press("Space")
    _at(page, 1.0)
    page.evaluate("() => { window.stick.there = false; }")
    page.wait_for_selector(ABSENT)
    assert page.eval_on_selector(".record video", "video => video.paused")
    # Batches are acknowledged meanwhile: the warning is none of theirs.
    page.wait_for_timeout(1200)
    assert page.inner_text("#saved") == "saved" and page.locator(ABSENT).count() == 1
    stored = _recorded(annotated)
    page.keyboard.press("Space")
    page.wait_for_timeout(600)
    assert page.eval_on_selector(".record video", "video => video.paused") and page.locator(ABSENT).count() == 1
    assert _recorded(annotated) == stored and "Paused" in page.inner_text("#paused")
    page.evaluate("() => { window.stick.there = true; }")
    page.wait_for_function("() => document.querySelector('#alert').textContent === ''")
    page.keyboard.press("Space")
    _done(page)
    _assert_follows(page, annotated)
    assert {"unplugged", "plugged"} <= set(_events(_lines(annotated)))


def _recorded(workspace):
    """How many samples the server has, in the pass's file or on the way there."""
    lines = read_lines(workspace.annotations / ".journal.jsonl") + _lines(workspace)
    return sum(len(line.get("samples", ())) for line in lines)


@pytest.mark.slow
def test_stick_that_was_never_listed_starts_nothing(annotated, serve, open_page):
    """As after the page was loaded again: browsers list a stick once one of its buttons was pressed."""
    _watched(annotated, "zoe", CODED)
    server = serve(annotated)
    for known in ({"gamepad": STICK}, {}):
        page = open_page(server.url, init=PAD + "window.stick.there = false;", input="gamepad", **known)
        _record(page, server.url)
        page.wait_for_selector(ABSENT)
        page.keyboard.press("Space")
        page.wait_for_timeout(500)
        assert page.eval_on_selector(".record video", "video => video.paused && video.currentTime < 0.1")
        assert page.locator(ABSENT).count() == 1
        assert not (annotated.annotations / "zoe" / CODED / "passes" / "valence.1.jsonl").exists()
    # Not set up, it is the first that comes.
    page.evaluate("() => { window.stick.there = true; }")
    page.wait_for_function("() => document.querySelector('#alert').textContent === ''")
    page.keyboard.press("Space")
    _done(page)


@pytest.mark.slow
def test_stick_that_rests_is_recorded_although_its_time_stamp_is_old(annotated, serve, open_page):
    _watched(annotated, "zoe", CODED)
    server = serve(annotated)
    page = open_page(server.url, init=PAD, input="gamepad", gamepad=STICK, speed=2)
    page.evaluate("() => Object.assign(window.stick, { axis: -0.4, since: 12 })")
    _record(page, server.url)
    page.evaluate("() => Object.assign(window.stick, { axis: -0.4, since: 12 })")
    page.keyboard.press("Space")
    _done(page)
    trace = _trace(annotated)
    assert set(trace.values) == {-400} and trace.stamps[0] < 0.5 and trace.stamps[-1] > SECONDS - 0.2
    lines = _lines(annotated)
    assert {sample[2] for line in lines for sample in line.get("samples", ())} == {12}
    # On a busy machine the picture or the page stands still for a while, and then the pass says so.
    still = [e["at"] for line in lines for e in line.get("events", ()) if e["event"] in ("stalled", "blocked")]
    assert np.median(np.diff(trace.stamps)) < 0.1
    for begin, end in itertools.pairwise(trace.stamps):
        assert end - begin < 0.3 or any(begin - 1e-3 <= at <= end + 1e-3 for at in still), (begin, end, still)


@pytest.mark.slow
def test_closed_tab_sends_what_it_has(annotated, serve, open_page):
    """By a request that outlives the page, and once more from the browser's store when the page is back."""
    _watched(annotated, "zoe", CODED)
    server = serve(annotated)
    page = open_page(server.url, init=PAD, input="gamepad", gamepad=STICK, speed=0.5)
    _record(page, server.url)
    page.keyboard.press("Space")
    _at(page, 0.9)
    reached = page.evaluate("() => document.querySelector('.record video').currentTime")
    context = page.context
    page.close()  # runs pagehide
    url = f"{server.url}api/open/zoe/{CODED}/valence"
    for _ in range(100):
        position = json.loads(context.request.get(url).text())["position"]
        if position > reached - 0.1:
            break
        time.sleep(0.1)
    assert reached - 0.1 < position <= reached + 0.2
    page = open_page(server.url, context=context)
    _record(page, server.url)
    assert float(page.input_value("#from")) == pytest.approx(position, abs=0.06)
    page.keyboard.press("Space")
    _at(page, 1.6)
    page.reload()
    page.wait_for_function("() => document.querySelector('.record video')?.readyState >= 2")
    assert float(page.input_value("#from")) > 1.2
    page.keyboard.press("Space")
    _done(page)
    lines = [line for line in _lines(annotated) if "number" in line]
    for session in {line["session"] for line in lines}:
        numbers = [line["number"] for line in lines if line["session"] == session]
        assert numbers == list(range(len(numbers)))


def test_stalled_decode_is_recorded_and_makes_no_false_stamp(annotated, serve, open_page):
    """The bytes stop coming amid the clip, and the stick goes on moving; it is not paused, the player waits."""
    _watched(annotated, "zoe", CODED)
    whole = annotated.clip(CODED)
    large = whole.with_name("large.mp4")  # its index in front, and more than what a browser takes at once
    command = [ffmpeg_binary(), "-v", "error", "-y", "-i", str(whole), "-an", "-vf", "noise=alls=40:allf=t"]
    subprocess.run([*command, "-c:v", "libx264", "-crf", "8", "-movflags", "+faststart", str(large)], check=True)
    large.rename(whole)
    server = serve(annotated)
    with stalling_proxy(server.port, whole.stat().st_size // 2) as (port, go_on):
        page = open_page(f"http://127.0.0.1:{port}/", init=PAD, input="gamepad", gamepad=STICK)
        _record(page, f"http://127.0.0.1:{port}/")
        page.keyboard.press("Space")
        _at(page, 0.5)
        page.wait_for_function("() => document.querySelector('.record video').readyState < 3")
        page.wait_for_timeout(800)
        assert page.eval_on_selector(".record video", "video => !video.paused && !video.ended")
        go_on.set()
        _done(page)
        _assert_follows(page, annotated)
    assert {"waiting", "stalled"} <= set(_events(_lines(annotated)))


def test_batches_that_the_server_refuses_stay_in_the_browser(annotated, serve, open_page):
    _watched(annotated, "zoe", CODED)
    server = serve(annotated)
    page = open_page(server.url, speed=2)
    page.route("**/api/batch/**", lambda route: route.abort())
    _record(page, server.url)
    page.keyboard.press("Space")
    _at(page, 1.5)
    page.keyboard.press("Space")
    page.unroute("**/api/batch/**")
    page.route("**/api/batch/**", lambda route: route.fulfill(status=404, json={"error": "there is no such clip"}))
    page.reload()
    page.wait_for_selector("#alert:has-text('there is no such clip). They stay in this browser')")
    page.unroute("**/api/batch/**")
    page.reload()
    _record(page, server.url)
    assert float(page.input_value("#from")) > 1.0


def test_killed_server_and_killed_browser_lose_at_most_a_second(annotated, serve, start_browser, open_page, tmp_path):
    _watched(annotated, "zoe", CODED)
    server = serve(annotated)
    port = server.port
    settings = {"gamepad": {"id": "Test stick", "axis": 2, "sign": 1, "dead": 0}, "input": "gamepad", "speed": 0.5}
    profile = tmp_path / "profile"
    context = start_browser(profile)
    try:
        page = open_page(server.url, init=PAD, context=context, **settings)
        _record(page, server.url)
        page.keyboard.press("Space")
        _at(page, 0.5)
        server.kill()
        _at(page, 1.0)  # it plays on; what it records stays in the browser
        server = serve(annotated, f"--port={port}")
        _at(page, 1.4)
        reached = page.evaluate("() => document.querySelector('.record video').currentTime")
        _kill_browser(profile)
    finally:
        with contextlib.suppress(Exception):  # it is dead
            context.close()
    context = start_browser(profile)
    page = open_page(server.url, init=PAD, context=context, **settings)
    _record(page, server.url)
    went_on = float(page.input_value("#from"))
    assert reached - 1.0 < went_on <= reached + 0.2
    page.keyboard.press("Space")
    _done(page)
    trace = _trace(annotated)
    assert trace.stamps[0] < 0.5 and trace.stamps[-1] > SECONDS - 0.5
    assert np.diff(trace.stamps).max() < 1.0
    told = {round(one[0], 6): one for line in _lines(annotated) for one in line.get("samples", ())}
    samples = np.array([told[stamp] for stamp in trace.stamps])
    assert np.abs(trace.values - 900 * np.sin(2 * np.pi * samples[:, 2] / 2500)).max() <= 5
    sessions = [line["session"] for line in _lines(annotated) if line.get("number") == 0]
    assert len(sessions) == len(set(sessions)) == 2
    numbers = [line["number"] for line in _lines(annotated) if line.get("session") == sessions[0]]
    assert numbers == list(range(len(numbers)))  # each batch once, in order


def _kill_browser(profile):
    """Kills the browser of that profile, all of it at once."""
    mine = [
        p for p in psutil.Process().children(recursive=True) if f"--user-data-dir={profile}" in " ".join(p.cmdline())
    ]
    assert mine
    for process in mine:
        with_children = [process, *process.children(recursive=True)]
        for each in with_children:
            os.kill(each.pid, signal.SIGKILL)


def test_two_annotators_at_once_each_get_their_own(annotated, serve, open_page):
    for name in ("anna", "zoe"):
        _watched(annotated, name, CODED)
    server = serve(annotated)
    pages = {}
    for name, axis in (("anna", 0.25), ("zoe", -0.5)):
        pad = {"id": "Test stick", "axis": 2, "sign": 1, "dead": 0}
        pages[name] = open_page(server.url, name, init=PAD, input="gamepad", gamepad=pad, speed=2)
        pages[name].evaluate(f"() => {{ window.stick.axis = {axis}; }}")
        _record(pages[name], server.url)
    for page in pages.values():
        page.keyboard.press("Space")
    for page in pages.values():
        _done(page)
    assert set(_trace(annotated, "anna").values) == {250} and set(_trace(annotated, "zoe").values) == {-500}


@pytest.mark.slow
def test_second_window_takes_the_pass_over_and_the_first_says_so(annotated, serve, open_page):
    _watched(annotated, "zoe", CODED)
    server = serve(annotated)
    first = open_page(server.url, speed=0.5)
    _record(first, server.url)
    first.keyboard.press("Space")
    _at(first, 0.5)
    second = open_page(server.url, speed=2)
    _record(second, server.url)
    second.keyboard.press("Space")
    first.wait_for_selector("#alert:has-text('goes on in another window')")
    _done(second)
    assert first.eval_on_selector(".record video", "video => video.paused")


@pytest.mark.slow
def test_done_again_keeps_the_earlier_pass_as_a_version(annotated, serve, open_page):
    _watched(annotated, "zoe", CODED)
    stamps = np.arange(0, SECONDS, 0.02)
    folder = annotated.annotations / "zoe" / CODED
    write_text(folder / "valence.txt", "".join(f"{stamp:.3f} 7\n" for stamp in stamps))
    server = serve(annotated)
    page = open_page(server.url, speed=2, input="keyboard")
    page.wait_for_selector("#todo li")
    page.click("text=✓ valence, again")
    page.wait_for_function("() => document.querySelector('.record video')?.readyState >= 2")
    page.keyboard.press("PageDown")
    page.keyboard.press("Space")
    _done(page)
    assert set(_trace(annotated).values) == {-100} and set(read_trace(folder / "valence.1.txt").values) == {7}


def test_person_of_two_is_marked_and_subtitles_run_beside(annotated, serve, open_page):
    _watched(annotated, "zoe", f"{TWO}-p1", f"{TWO}-p2")
    server = serve(annotated)
    page = open_page(server.url)
    page.goto(f"{server.url}#/watch/{TWO}-p2")
    page.wait_for_selector("#cues button")
    # Of the source's times one second is cut off: the first cue lies before the clip.
    assert page.locator("#cues button").all_inner_texts() == ["Hello there"]
    page.click("#cues button")
    page.wait_for_selector("#cues [aria-current=true]")
    page.wait_for_selector(".person-box:not([hidden])")
    video, box = page.locator("video").bounding_box(), page.locator(".person-box").bounding_box()
    shown = min(video["width"] / 320, video["height"] / 240)
    left = video["x"] + (video["width"] - 320 * shown) / 2
    assert box["x"] == pytest.approx(left + 180 * shown, abs=2) and box["width"] == pytest.approx(60 * shown, abs=2)
    page.goto(f"{server.url}#/record/{TWO}-p1/valence")
    page.wait_for_selector(".person-side:has-text('left')")


def test_review_shows_marks_draws_and_brings_back(annotated, serve, open_page):
    stamps = np.arange(0, SECONDS, 0.02)
    for name, phase in (("anna", 0), ("bob", 0.2)):
        lines = "".join(f"{at:.3f} {int(800 * math.sin(2 * at + phase))}\n" for at in stamps)
        for dimension in ("valence", "arousal"):
            write_text(annotated.annotations / name / CODED / f"{dimension}.txt", lines)
    server = serve(annotated)
    page = open_page(server.url)
    page.goto(f"{server.url}#/review/{CODED}/valence")
    page.wait_for_selector("#agreement table")
    assert page.locator("#legend li").all_inner_texts()[0].strip().startswith("anna")
    assert "ICC(2,1)" in page.inner_text("#agreement")
    page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    box = page.locator("#traces").bounding_box()
    # A click jumps to the middle of a frame.
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    page.wait_for_function(f"() => Math.abs(document.querySelector('video').currentTime - {SECONDS / 2}) < 0.04")
    # A drag chooses a span.
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 2 / 3, box["y"] + 50, steps=5)
    page.mouse.up()
    page.click("#mark")
    page.wait_for_selector("#status:has-text('version 2')")
    trace = _trace(annotated, "anna")
    inside = (trace.stamps > 1.02) & (trace.stamps < 1.98)
    assert np.all(trace.values[inside] == NO_VALUE) and np.all(trace.values[trace.stamps < 0.98] != NO_VALUE)
    # Drawn over, from half up to the top.
    page.check("#drawing")
    page.locator("#traces").scroll_into_view_if_needed()
    box = page.locator("#traces").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 2 / 3, box["y"] + 1, steps=8)
    page.mouse.up()
    page.click("#save-drawing")
    page.wait_for_selector("#status:has-text('version 3')")
    trace = _trace(annotated, "anna")
    drawn = trace.values[(trace.stamps > 1.01) & (trace.stamps < 1.99)]
    assert np.all(np.diff(drawn) >= 0) and drawn[-1] > 900 and abs(drawn[0]) < 60
    page.select_option("#version", "1")
    page.click("#restore")
    page.wait_for_selector("#status:has-text('version 4')")
    assert (annotated.annotations / "anna" / CODED / "valence.1.txt").read_text() == lines_of(stamps, 0)
    np.testing.assert_array_equal(_trace(annotated, "anna").values, [int(800 * math.sin(2 * at)) for at in stamps])


def lines_of(stamps, phase):
    return "".join(f"{at:.3f} {int(800 * math.sin(2 * at + phase))}\n" for at in stamps)


def test_keyboard_alone_reaches_an_annotation_and_screen_readers_get_names(annotated, serve, open_page):
    server = serve(annotated)
    page = open_page(server.url, name="", input="keyboard", speed=2)
    page.keyboard.type("kim")
    page.keyboard.press("Enter")
    page.wait_for_selector("#todo li")

    def tab_to(text):
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate(
                "text => document.activeElement.matches('a, button') && "
                "document.activeElement.textContent.includes(text)",
                text,
            ):
                return
        raise AssertionError(f"{text} cannot be reached by Tab")

    tab_to("Watch first")
    page.keyboard.press("Enter")
    page.wait_for_selector("#seen")
    tab_to("I have watched")
    page.keyboard.press("Enter")
    page.wait_for_selector("#next a")
    tab_to("Annotate valence")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.record video')?.readyState >= 2")
    page.keyboard.press("?")
    assert page.locator("dialog[open] >> text=Tears at an award are positive").count() == 1
    page.keyboard.press("Escape")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('main :is(button, a, select, input), [role=meter]')].filter((one) =>
        one.checkVisibility() && !(one.textContent.trim() && one.matches('button, a')) && !one.labels?.length
        && !one.getAttribute('aria-label')).map((one) => one.outerHTML)"""
    )
    assert nameless == []
    assert page.locator("[role=status][aria-live=polite]").count() >= 1
    page.keyboard.press("Space")
    _done(page)


@pytest.mark.parametrize(
    ("width", "height", "scale"),
    [(360, 740, 2), pytest.param(640, 400, 2, marks=pytest.mark.slow)],
    ids=["phone", "200 % zoom"],
)
def test_nothing_is_cut_off(annotated, serve, open_page, width, height, scale):
    """A window of 1280×800 at 200 % is one of 640×400."""
    _watched(annotated, "zoe", CODED, f"{TWO}-p2")
    server = serve(annotated)
    options = {"viewport": {"width": width, "height": height}, "device_scale_factor": scale}
    page = open_page(server.url, options=options)
    for view in ("list", f"watch/{TWO}-p2", f"record/{TWO}-p2/valence", f"review/{CODED}/valence", "practice/arousal"):
        page.goto(f"{server.url}#/{view}")
        page.wait_for_selector("main h2")
        page.wait_for_timeout(100)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width, view


PIECES = ".scale, .meter canvas, .bar, .number, .stage"


@pytest.mark.parametrize(
    ("width", "height"),
    [
        (640, 400),
        pytest.param(360, 740, marks=pytest.mark.slow),
        pytest.param(1000, 420, marks=pytest.mark.slow),
        (1000, 700),
    ],
    ids=["200 % zoom", "phone", "low", "usual"],
)
def test_nothing_at_the_bar_overlaps_or_is_cut(annotated, serve, open_page, width, height):
    _watched(annotated, "zoe", f"{TWO}-p2")
    server = serve(annotated)
    page = open_page(server.url, options={"viewport": {"width": width, "height": height}})
    _record(page, server.url, "arousal", f"{TWO}-p2")  # its words are the longest
    page.keyboard.press("Space")
    _at(page, 0.3)
    page.keyboard.press("Space")
    page.wait_for_selector("#status:has-text('Paused')")
    found = page.evaluate(
        """pieces => {
        const box = (one) => { const b = one.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; };
        const all = (query) => [...document.querySelectorAll(query)].filter((one) => one.checkVisibility()).map(box);
        const one = (query) => box(document.querySelector(query));
        return { pieces: all(pieces), bar: one('.bar'), said: one('#status'), levels: all('.level'),
          inside: all('.manikin, .level span'), scale: one('.scale') };
        }""",
        PIECES,
    )
    assert len(found["pieces"]) == 5 and len(found["levels"]) >= 3
    for kind in ("pieces", "levels"):
        for one, other in itertools.combinations(found[kind], 2):
            apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] + 0.5 or other[3] <= one[1] + 0.5
            assert apart, (kind, one, other)
    for left, top, right, bottom in found["pieces"]:  # all in the window, above what is said at its foot
        assert left >= 0 and right <= width and top >= 0 and bottom <= found["said"][1]
    left, top, right, bottom = found["scale"]
    for inner in found["inside"]:
        assert inner[0] >= left - 1 and inner[1] >= top - 1 and inner[2] <= right + 1 and inner[3] <= bottom + 1
    assert found["bar"][3] - found["bar"][1] >= 0.55 * min(height, 400)


@pytest.mark.slow
def test_practice_says_how_well_one_followed_and_keeps_nothing(annotated, serve, open_page):
    server = serve(annotated)
    page = open_page(server.url, speed=2, input="keyboard")
    page.goto(f"{server.url}#/practice/valence")
    page.wait_for_function("() => document.querySelector('.record video')?.readyState >= 2")
    page.keyboard.press("Space")
    page.wait_for_selector("#check:not([hidden]) table")
    assert "Agreement" in page.inner_text("#check")
    assert not any(annotated.annotations.rglob("*.jsonl")) or not any((annotated.annotations / "zoe").rglob("*"))


@pytest.mark.slow
def test_lost_connection_is_told_and_nothing_is_lost(annotated, serve, open_page):
    _watched(annotated, "zoe", CODED)
    server = serve(annotated)
    pad = {"id": "Test stick", "axis": 2, "sign": 1, "dead": 0}
    page = open_page(server.url, init=PAD, input="gamepad", gamepad=pad)
    _record(page, server.url)
    page.keyboard.press("Space")
    _at(page, 0.4)
    page.context.set_offline(True)
    page.wait_for_selector(".saved.behind")
    _at(page, SECONDS - 0.1)
    time.sleep(1)
    page.context.set_offline(False)
    _done(page)
    _assert_follows(page, annotated)
