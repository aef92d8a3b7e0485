"use strict";
// Whatever comes from a passage, a question or a file goes into the page as text, never as HTML.

const $ = (id) => document.getElementById(id);
const languages = new Intl.DisplayNames(["en"], {type: "language", fallback: "code"});
const state = {question: "", mode: "dense", hits: "10", topic: ""};
let outcome = null, running = null, listed = 0;

function element(name, options = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(options)) {
    if (key === "text") made.textContent = value;
    else if (key in made && key !== "dir") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** A text with its marks, which count characters, not UTF-16 units. */
function marked(text, marks) {
  const parts = document.createDocumentFragment(), characters = Array.from(text);
  let done = 0;
  for (const [start, end] of marks) {
    parts.append(characters.slice(done, start).join(""));
    parts.append(element("mark", {text: characters.slice(start, end).join("")}));
    done = end;
  }
  parts.append(characters.slice(done).join(""));
  return parts;
}

function languageName(code) {
  if (!code) return "";
  try { return languages.of(code.replace("_", "-")); } catch { return code; }
}

async function get(path, parameters, signal) {
  let answer;
  try {
    answer = await fetch(`${path}?${new URLSearchParams(parameters)}`, {signal});
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is it still running?");
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(typeof body.detail === "string" ? body.detail : `The server answers ${answer.status}.`);
  return body;
}

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", wrong);
}

function passage(hit) {
  const grade = outcome && outcome.judged.find((one) => one.docid === hit.docid)?.grade;
  const line = element("div", {className: "line"},
    element("span", {className: "rank", text: `${hit.rank}`}),
    element("span", {text: hit.score.toFixed(4)}),
    element("code", {text: hit.docid, dir: "ltr"}));
  if (grade > 0) line.append(element("span", {className: "good", text: "✓ judged relevant"}));
  else if (grade !== undefined && grade !== null) line.append(element("span", {className: "bad", text: "judged not relevant"}));
  const article = element("article", {tabIndex: -1}, line);
  if (hit.title) article.append(element("h3", {dir: "auto"}, marked(hit.title, hit.title_marks)));
  article.append(element("p", {className: "text", dir: "auto"}, marked(hit.text, hit.text_marks)));
  return element("li", {}, article);
}

async function search() {
  if (running) running.abort();
  if (!state.question.trim()) { $("results").replaceChildren(); $("results-title").hidden = true; say(""); return; }
  const mine = running = new AbortController();
  say("Searching …");
  try {
    const found = await get("/search", {question: state.question, mode: state.mode, hits: state.hits}, mine.signal);
    if (mine !== running) return;
    $("results").replaceChildren(...found.hits.map(passage));
    $("results-title").hidden = !found.hits.length;
    const count = found.hits.length === 1 ? "1 passage" : `${found.hits.length} passages`;
    say(found.hits.length
      ? `${count} in ${Math.round(found.milliseconds)} ms; question in ${languageName(found.language)}`
      : "Nothing found. BM25 finds passages that share words with the question; search by vectors for other languages.");
  } catch (error) {
    if (error.name === "AbortError") return;
    $("results").replaceChildren();
    $("results-title").hidden = true;
    say(error.message, true);
  }
}

function rankCell(rank, found) {
  if (rank === null) return element("td", {className: "number bad", text: found ? `not in ${found}` : "no hits"});
  return element("td", {className: rank <= 10 ? "number good" : "number", text: `${rank}`});
}

function showOutcome() {
  $("outcome").hidden = !outcome;
  if (!outcome) return;
  const body = $("outcome-body"), runs = outcome.runs;
  body.replaceChildren();
  if (!outcome.judged.length) body.append(element("p", {className: "soft", text: "No passage was judged for this question."}));
  else {
    const head = element("tr", {}, element("th", {scope: "col", text: "Judged passage"}), element("th", {scope: "col", text: "Grade"}),
      ...runs.map((run) => element("th", {scope: "col", text: `Rank in ${run.name}`})));
    const rows = outcome.judged.map((one) => element("tr", {},
      element("td", {}, element("span", {dir: "auto", text: one.title || one.text.slice(0, 80) || "(not in this index)"}), " ",
        element("code", {text: one.docid, dir: "ltr"})),
      element("td", {className: "number", text: `${one.grade}`}),
      ...runs.map((run) => rankCell(one.ranks[run.name], run.found))));
    body.append(element("div", {className: "scroll"}, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows))));
  }
  for (const run of runs) {
    const rows = run.top.map((hit) => element("li", {},
      element("span", {className: "rank", text: `${hit.rank}`}),
      element("span", {}, element("span", {dir: "auto", text: hit.title || hit.docid}), hit.title ? element("span", {className: "soft", text: ` ${hit.docid}`}) : ""),
      element("span", {className: hit.grade > 0 ? "good" : "soft", text: hit.grade > 0 ? "✓ relevant" : hit.score.toFixed(3)})));
    const first = !run.found ? "no hits" : run.first === null ? `no relevant passage among ${run.found}` : `first relevant passage at rank ${run.first}`;
    body.append(element("details", {}, element("summary", {text: `${run.name}: ${first}`}), element("ol", {}, ...rows)));
  }
}

async function pick(qid) {
  outcome = null;
  if (qid) {
    try {
      outcome = await get(`/topics/${encodeURIComponent(qid)}`, {});
      state.question = outcome.question;
    } catch (error) { state.topic = ""; say(error.message, true); }
  }
  for (const button of $("questions").querySelectorAll("button"))
    if (button.value === qid) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
  showOutcome();
}

async function list(more = false) {
  if (!more) listed = 0;
  const wanted = {text: $("filter").value, language: $("language").value, offset: listed};
  try {
    const found = await get("/topics", wanted);
    if (!more) $("questions").replaceChildren();
    for (const topic of found.topics) {
      const button = element("button", {type: "button", value: topic.qid},
        element("span", {dir: "auto", text: topic.question}), element("span", {className: "line", text: topic.qid}));
      if (topic.qid === state.topic) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => go({topic: topic.qid, question: topic.question}));
      $("questions").append(element("li", {}, button));
    }
    listed += found.topics.length;
    $("count").textContent = `${listed.toLocaleString("en")} of ${found.total.toLocaleString("en")}`;
    $("more").hidden = listed >= found.total;
  } catch (error) { $("count").textContent = error.message; }
}

/** Show what the state says. */
async function show() {
  await pick(state.topic);
  $("question").value = state.question;
  $("hits").value = state.hits;
  for (const radio of document.querySelectorAll("input[name=mode]")) radio.checked = radio.value === state.mode;
  document.title = state.question ? `${state.question} – ask an index` : "Ask an index";
  await search();
}

/** Change the state, so that the browser's back button returns to what was before. */
function go(change) {
  Object.assign(state, change);
  const parameters = Object.entries(state).filter(([, value]) => value);
  history.pushState(null, "", `?${new URLSearchParams(parameters)}`);
  return show();
}

function readAddress() {
  const given = new URLSearchParams(location.search);
  const mode = given.get("mode"), hits = given.get("hits");
  state.question = given.get("question") ?? "";
  state.topic = given.get("topic") ?? "";
  state.mode = ["dense", "bm25", "hybrid"].includes(mode) ? mode : "dense";
  state.hits = Array.from($("hits").options, (option) => option.value).includes(hits) ? hits : "10";
}

function step(by) {
  const articles = Array.from(document.querySelectorAll("article"));
  const now = articles.indexOf(document.activeElement);
  const next = articles[now < 0 ? 0 : Math.min(Math.max(now + by, 0), articles.length - 1)];
  if (next) { next.focus(); next.scrollIntoView({block: "nearest"}); }
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input[type=search], select, textarea");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") { event.preventDefault(); $("question").focus(); $("question").select(); }
  if (event.key === "j") step(1);
  if (event.key === "k") step(-1);
});
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = $("question").value.trim();
  go({question, topic: question === outcome?.question ? state.topic : ""});
});
for (const radio of document.querySelectorAll("input[name=mode]"))
  radio.addEventListener("change", () => go({mode: radio.value, question: $("question").value.trim()}));
$("hits").addEventListener("change", () => go({hits: $("hits").value, question: $("question").value.trim()}));
$("language").addEventListener("change", () => list());
$("more").addEventListener("click", () => list(true));
let waiting = 0;
$("filter").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => list(), 150); });
window.addEventListener("popstate", () => { readAddress(); show(); });

async function begin() {
  readAddress();
  try {
    const served = await get("/health", {});
    $("index").textContent = served.index;
    $("facts").textContent = `${served.passages.toLocaleString("en")} passages, encoded by ${served.encoder}`;
    $("modes").hidden = served.modes.length < 2;
    if (!served.modes.includes(state.mode)) state.mode = "dense";
    if (served.topics) {
      $("topics").hidden = false;
      $("picker").open = matchMedia("(min-width: 60rem)").matches;
      for (const code of served.languages) if (code) $("language").append(element("option", {value: code, text: languageName(code)}));
      list();
    }
  } catch (error) { say(error.message, true); return; }
  await show();
  if (!state.question) $("question").focus();
}
begin();
