"""The page of ``qgdr serve``, as a person uses it in a browser.

QGDR_SCREENSHOTS names a folder for pictures of it, in both themes, wide and narrow.
"""

import json
import os
from pathlib import Path

import pytest
from asked import FLAT, Server, sample
from browsing import chromium

from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.encode.encode_corpus import encode_corpus

EVIL = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
GERMAN = "Welcher Fluss fließt durch Wien?"
ENGLISH = "Which river passes Vienna?"
SHOWN = """ids => JSON.stringify(ids) ===
  JSON.stringify(Array.from(document.querySelectorAll("article .line code"), (code) => code.textContent))"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def server(browser, tmp_path_factory):
    place = sample(tmp_path_factory.mktemp("page"))
    collection = place / "c"
    judged: dict[str, list[str]] = {}
    for line in (collection / "qrels.txt").read_text().splitlines():
        qid, _, docid, _ = line.split()
        judged.setdefault(qid, ["sample-100", f"{docid}x"]).append(docid)
    (place / "run.txt").write_text(
        "".join(
            f"{qid} Q0 {docid} {rank} {9 - rank} qgdr\n"
            for qid, docids in judged.items()
            for rank, docid in enumerate(dict.fromkeys(docids), 1)
        )
    )
    (place / "bm25.txt").write_text("nothing Q0 sample-001 1 1.0 bm25\n")
    with Server(
        *("--index", place / "sample.qgdr", "--bm25", place / "lucene", "--qrels", collection / "qrels.txt"),
        *("--topics", f"{collection}/topics.*.tsv"),
        *("--run", f"qgdr={place}/run.txt", "--run", f"bm25={place}/bm25.txt"),
    ) as running:
        running.topics = {code: read_topics(collection / f"topics.{code}.tsv") for code in ("ar", "de")}
        yield running


def _context(browser, **options):
    """Open a window that waits longer than a busy machine takes."""
    context = browser.new_context(**options)
    context.set_default_timeout(180_000)
    return context


@pytest.fixture
def page(browser, server):
    """A page that has seen no error and asked no other server."""
    context = _context(browser, viewport={"width": 1300, "height": 900})
    opened = context.new_page()
    faults, addresses = [], []
    opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("request", lambda request: addresses.append(request.url))
    opened.faults = faults
    yield opened
    context.close()
    assert not faults
    assert all(address.startswith(server.url) for address in addresses)


def until(page, expression, argument=None):
    """Wait until an expression holds; the page's policy forbids Playwright's own way of waiting."""
    for _ in range(1800):
        if page.evaluate(expression, argument):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never so: {expression}")


def ask(page, server, question=GERMAN):
    page.goto(server.url)
    page.fill("#question", question)
    page.keyboard.press("Enter")
    page.wait_for_selector("article")


def ids(page):
    return page.locator("article .line code").all_text_contents()


def test_a_question_is_answered_with_marked_passages(page, server):
    ask(page, server)
    expected = server.get("/search", question=GERMAN, hits=10)["hits"]
    assert ids(page) == [hit["docid"] for hit in expected]
    texts = page.locator("article .text").all_text_contents()
    assert texts == [hit["text"] for hit in expected]
    marks = [hit["text"][start:end] for hit in expected for start, end in hit["text_marks"]]
    assert page.locator(".text mark").all_text_contents() == marks
    assert "German" in page.text_content("#status")
    assert GERMAN in page.title()


def test_modes_and_numbers_are_switched_and_the_way_back_works(page, server):
    ask(page, server, ENGLISH)
    dense = ids(page)
    for mode in ("bm25", "hybrid"):
        with page.expect_response(f"**/search?*mode={mode}*"):
            page.check(f"input[value={mode}]")
        expected = server.get("/search", question=ENGLISH, mode=mode, hits=10)["hits"]
        until(page, SHOWN, [hit["docid"] for hit in expected])
    page.select_option("#hits", "5")
    until(page, SHOWN, ids(page)[:5])
    assert "mode=hybrid" in page.url
    for _ in range(3):
        page.go_back()
    until(page, SHOWN, dense)
    assert page.is_checked("input[value=dense]")


def test_an_address_says_what_is_shown(page, server):
    page.goto(f"{server.url}/?question=Vienna&mode=bm25&hits=5")
    page.wait_for_selector("article")
    assert page.input_value("#question") == "Vienna"
    assert page.is_checked("input[value=bm25]")
    page.goto(f"{server.url}/?question=Vienna&mode=nonsense&hits=7")
    page.wait_for_selector("article")
    assert page.is_checked("input[value=dense]")


def test_a_question_of_the_topics_shows_how_the_runs_did(page, server):
    qid, question = next(iter(server.topics["ar"].items()))
    page.goto(server.url)
    page.select_option("#language", "ar")
    page.fill("#filter", qid)
    until(page, "document.querySelectorAll('#questions button').length === 1")
    page.click("#questions button")
    page.wait_for_selector("#outcome table")
    page.wait_for_selector("article")
    outcome = server.get(f"/topics/{qid}")
    assert page.input_value("#question") == question
    cells = page.locator("#outcome tbody tr").first.locator("td").all_text_contents()
    judged = outcome["judged"][0]
    assert judged["docid"] in cells[0]
    assert cells[2] == str(judged["ranks"]["qgdr"])
    assert cells[3] == "no hits"
    assert page.locator("article .good").count() >= 1
    assert page.locator("#questions button[aria-current]").count() == 1
    page.fill("#question", "something else")
    page.keyboard.press("Enter")
    page.wait_for_selector("#outcome", state="hidden")


def test_text_from_right_to_left_runs_so(page, server):
    question = next(iter(server.topics["ar"].values()))
    ask(page, server, question)
    direction = "e => getComputedStyle(e).direction"
    assert page.locator("#question").evaluate(direction) == "rtl"
    assert page.locator("article .text").first.evaluate(direction) == "ltr"
    page.fill("#question", GERMAN)
    assert page.locator("#question").evaluate(direction) == "ltr"


def test_all_of_it_works_by_keyboard(page, server):
    page.goto(server.url)
    until(page, "document.activeElement.id === 'question'")
    page.keyboard.type(ENGLISH)
    page.keyboard.press("Enter")
    page.wait_for_selector("article")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.value") == "dense"
    page.keyboard.press("ArrowRight")
    until(page, "location.search.includes('mode=bm25')")
    page.wait_for_selector("article")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("j")
    place = "Array.from(document.querySelectorAll('article')).indexOf(document.activeElement)"
    assert page.evaluate(place) == 1
    page.keyboard.press("k")
    assert page.evaluate(place) == 0
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "question"
    assert page.input_value("#question") == ENGLISH


def test_no_text_becomes_html(browser, page, tmp_path):
    row = {"id": f"{EVIL.split()[0]}x", "title": EVIL, "text": f"Vienna {EVIL} & &lt;b&gt; \u202e Vienna"}
    (tmp_path / "corpus.jsonl").write_text(json.dumps(row) + "\n")
    encode_corpus(tmp_path / "corpus.jsonl", tmp_path / "evil", options=FLAT)
    (tmp_path / "topics.de.tsv").write_text(f"q-1\t{EVIL}\n")
    (tmp_path / "run.txt").write_text(f"q-1 Q0 {row['id']} 1 1.0 x\n")
    (tmp_path / "qrels.txt").write_text(f"q-1 0 {row['id']} 1\n")
    options = [f"{tmp_path}/{name}" for name in ("topics.de.tsv", "qrels.txt", "run.txt")]
    with Server(
        *("--index", tmp_path / "evil", "--topics", options[0], "--qrels", options[1]),
        *("--run", f"<b>x={options[2]}"),
    ) as running:
        context = _context(browser)
        opened = context.new_page()
        opened.goto(f"{running.url}/?topic=q-1&question=Vienna")
        opened.wait_for_selector("#outcome table")
        opened.wait_for_selector("article")
        assert opened.locator("article h3").text_content() == row["title"]
        assert opened.locator("article .text").text_content() == row["text"]
        assert opened.locator("main img, main script, aside img").count() == 0
        assert "owned" not in opened.title().replace(EVIL, "")
        context.close()


def test_what_goes_wrong_is_said(page, server):
    ask(page, server)
    page.route("**/search*", lambda route: route.abort())
    page.fill("#question", "again")
    page.keyboard.press("Enter")
    page.wait_for_selector("#status.wrong")
    assert "does not answer" in page.text_content("#status")
    page.faults.clear()  # the browser notes requests that fail


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 390])
def test_it_fits_and_can_be_read_in_both_themes(browser, server, scheme, width, tmp_path):
    context = _context(browser, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    qid = next(iter(server.topics["ar"]))
    page.goto(f"{server.url}/?topic={qid}&question=x&mode=hybrid")
    page.wait_for_selector("#outcome table")
    page.wait_for_selector("article")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 24, 29)")
    assert min(page.evaluate(_CONTRASTS)) >= 4.5
    small = "Array.from(document.querySelectorAll('form button, select')).map(e => e.clientHeight)"
    assert min(height for height in page.evaluate(small) if height) >= 32
    folder = Path(os.environ.get("QGDR_SCREENSHOTS", tmp_path))
    picture = folder / f"page-{scheme}-{width}.png"
    page.screenshot(path=picture)
    page.evaluate("for (const e of document.querySelectorAll('#picker, #outcome details')) e.open = true")
    page.screenshot(path=folder / f"page-{scheme}-{width}-whole.png", full_page=True)
    assert picture.stat().st_size > 10_000
    context.close()


_CONTRASTS = """
() => {
  const number = (c) => c.match(/[0-9.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = number(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  return Array.from(document.querySelectorAll("p, span, mark, code, th, td, a, button, label, legend, h3"))
    .filter((e) => e.checkVisibility() && e.textContent.trim())
    .map((e) => [light(number(getComputedStyle(e).color)), light(behind(e))].sort((a, b) => b - a))
    .map(([one, other]) => (one + 0.05) / (other + 0.05));
}
"""
